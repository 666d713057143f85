//! Frames on the wire: how large they are, and clients that acknowledge them as they should not.

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, assert_same_lines, eventually, proc};

/// Prints what it is told to, without an echo.
const PRINTER: &str = "stty -echo; seq 100; while IFS= read -r text; do printf \"$text\"; done";

/// A view of [`PRINTER`] on a large screen.
fn printer(host: &Host) -> Run {
    let params = json!({"cmd": PRINTER, "attach": "ansi", "size": {"rows": 48, "cols": 160}});
    let run = host.run(params);
    host.wait_screen(&run.run_id, "it is ready", |screen| screen.last().is_some_and(|row| row == "100"));
    run
}

/// Has it print something, and gives the bytes of the messages that showed it.
fn bytes_for(host: &Host, run: &Run, print: &str, shown: &str) -> usize {
    let before = host.state().views[&run.run_id].bytes;
    host.input(&run.run_id, format!("{print}\r"));
    host.wait_screen(&run.run_id, shown, |screen| screen.iter().any(|row| row.contains(shown)));
    host.state().views[&run.run_id].bytes - before
}

#[test]
fn a_changed_cell_and_a_scrolled_line_take_few_bytes_on_the_wire() {
    let line = "a line of a log that is neither short nor long: 123456";
    for frontend in ["generic", "nvim"] {
        let host = Home::new().host().start_silent();
        host.ask("initialize", json!({"protocol": 1, "frontend": frontend}));
        let run = printer(&host);
        // The first message tells more than those that follow.
        bytes_for(&host, &run, r"\033[10;70Hready", "ready");
        let cell = bytes_for(&host, &run, r"\033[20;80HX", "X");
        assert!(cell < 150, "{frontend}: {cell} bytes for a cell");
        bytes_for(&host, &run, r"\033[48Hat the end\r\n", "at the end");
        let scrolled = bytes_for(&host, &run, &format!(r"{line}\r\n"), line);
        assert!(scrolled < line.len() + 100, "{frontend}: {scrolled} bytes for {} of a line", line.len());
        println!("{frontend}: {cell} bytes for a cell, {scrolled} for a line of {}", line.len());
        // After many calls, whose numbers are longer, too.
        for n in 0..300 {
            bytes_for(&host, &run, &format!(r"<{n}>\r\n"), &format!("<{n}>"));
        }
        let scrolled = bytes_for(&host, &run, &format!(r"again {line}\r\n"), &format!("again {line}"));
        assert!(scrolled < line.len() + 6 + 100, "{frontend}: {scrolled} bytes later on");
    }
}

#[test]
fn a_frame_tells_only_what_is_new() {
    let host = Host::start();
    let run = printer(&host);
    host.hold_frames();
    host.input(&run.run_id, "x\r");
    host.wait_screen(&run.run_id, "x", |screen| screen.iter().any(|row| row == "x"));
    let frames = host.state().views[&run.run_id].frames;
    let newest = host.state().newest_frame.clone();
    let keys: Vec<&String> = newest.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["data", "seq", "view_id"], "{newest}");
    assert_eq!(newest["seq"], frames);
    assert_eq!(newest["data"], "x", "the cursor is where it is to be written, and after it where it is to stay");
    host.release_frames();
    host.notify("resize", json!({"run_id": run.run_id, "rows": 20, "cols": 50}));
    let reset = host.wait_for("a new size", |state| {
        let frame = &state.newest_frame;
        (frame["rows"] == 20).then(|| frame.clone())
    });
    assert_eq!((&reset["reset"], &reset["cols"], &reset["format"]), (&json!(true), &json!(50), &json!("ansi")));
    assert_eq!(reset["run_id"], run.run_id.as_str());
}

const ECHO: &str = "stty -echo; echo ready; while read line; do echo \"got $line\"; done";

/// Frames of several views in flight are acknowledged in the wrong order, again and again, and with numbers that were
/// never used.
#[test]
fn acknowledgements_twice_late_and_out_of_turn_harm_nobody() {
    let host = Host::start();
    let runs: Vec<Run> = (0..4).map(|_| host.run_seen(ECHO)).collect();
    for run in &runs {
        host.wait_screen(&run.run_id, "it is ready", |screen| screen == ["ready"]);
    }
    host.hold_frames();
    for round in 0..20 {
        for run in &runs {
            host.input(&run.run_id, format!("{round}\r"));
        }
        let mut due: Vec<u64> = host.wait_for("a frame of each is in flight", |state| {
            (state.unanswered.len() == runs.len()).then(|| state.unanswered.iter().copied().collect())
        });
        host.state().unanswered.clear();
        due.rotate_left(round % runs.len());
        for id in due.iter().rev() {
            for id in [*id, *id, id + 1_000_000, *id] {
                host.answer(id, true.into());
            }
        }
    }
    host.release_frames();
    let lines: Vec<String> = std::iter::once("ready".to_owned()).chain((0..20).map(|n| format!("got {n}"))).collect();
    for run in &runs {
        host.wait_screen(&run.run_id, "all of it", |screen| screen.last().is_some_and(|row| row == "got 19"));
        assert_same_lines("the view", &host.state().views[&run.run_id].text(), &lines);
    }
}

/// One client takes no frame of a flood, ever. Others do not feel it, nothing piles up for it, and when it answers
/// after all, or attaches anew, it sees what is there.
#[test]
fn who_never_acknowledges_costs_one_frame() {
    let host = Host::start();
    let other = host.connect();
    other.initialize();
    let flood = host.run_line("stty -echo; i=0; while read go; do seq 200000; echo end $go; done");
    other.ask("attach", json!({"run_id": flood.run_id, "format": "ansi"}));
    other.wait_for("its first frame", |state| state.views.contains_key(&flood.run_id).then_some(()));
    other.hold_frames();
    let own = host.run_seen(ECHO);
    host.wait_screen(&own.run_id, "it is ready", |screen| screen == ["ready"]);
    let flood_again = |n: u32| {
        host.input(&flood.run_id, format!("{n}\r"));
        host.wait_pattern(&flood, &format!("^end {n}$"));
        host.input(&own.run_id, format!("{n}\r"));
        host.wait_screen(&own.run_id, "its echo", |screen| screen.last().is_some_and(|row| *row == format!("got {n}")));
    };
    flood_again(0);
    let (frames, memory) = (other.state().views[&flood.run_id].frames, proc::resident_bytes(host.pid()));
    for n in 1..6 {
        flood_again(n);
    }
    assert_eq!(other.state().views[&flood.run_id].frames, frames, "one in flight, and no other");
    let grown = proc::resident_bytes(host.pid()).saturating_sub(memory);
    assert!(grown < 8 << 20, "{grown} bytes more after 7 MB of output");
    // Its frame was lost: an attach begins anew.
    other.state().unanswered.clear();
    other.release_frames();
    other.ask("attach", json!({"run_id": flood.run_id, "format": "ansi"}));
    other.wait_screen(&flood.run_id, "the end", |screen| screen.last().is_some_and(|row| row == "end 5"));
    let truth = host.text(&flood);
    let seen = other.wait_for("what the transcript has", |state| {
        let text = state.views[&flood.run_id].text();
        (text.len() > 4000).then_some(text)
    });
    let last = 4000.min(truth.len());
    assert_same_lines("the view", &seen[seen.len() - last..], &truth[truth.len() - last..]);
}

/// The run's end used to wait for the frame's acknowledgement for ever.
#[test]
fn who_never_acknowledges_a_frame_is_told_of_the_runs_end_all_the_same() {
    let host = Host::start();
    host.hold_frames();
    let run = host.run_seen("echo before; read go; echo after; exit 3");
    host.wait_for("a frame in flight", |state| (!state.unanswered.is_empty()).then_some(()));
    host.input(&run.run_id, "\r");
    let event = host.wait_exited(&run.run_id);
    assert_eq!(event["exit"]["code"], 3);
    // It shows all there is once it answers, and is not told again.
    host.release_frames();
    host.wait_screen(&run.run_id, "its last line", |screen| screen.iter().any(|row| row == "after"));
    host.ask("detach", json!({"run_id": run.run_id}));
    let told = host.state().events.iter().filter(|event| event["type"] == "run_exited").count();
    assert_eq!(told, 1);
}

/// A program that scrolls a part of its screen, up or down, does not have its client write the part again.
#[test]
fn what_scrolls_within_a_screen_is_sent_as_scrolling() {
    let host = Host::start();
    let run = printer(&host);
    let text = (1..48).map(|n| format!(r"\r\nrow {n} of a full screen program's text")).collect::<String>();
    bytes_for(&host, &run, &format!(r"\033[?1049h\033[Htitle{text}"), "row 47");
    for scroll in [r"\033[2;47r\033[47H\n\033[r\033[47Hnew below", r"\033[2;47r\033[2H\033M\033[r\033[2Hnew above"] {
        let shown = if scroll.ends_with("below") { "new below" } else { "new above" };
        let bytes = bytes_for(&host, &run, scroll, shown);
        assert!(bytes < 200, "{bytes} bytes for {scroll}");
        let snapshot = host.ask("snapshot", json!({"run_id": run.run_id}));
        let truth: Vec<&Json> = snapshot["lines"].as_array().unwrap().iter().collect();
        assert_eq!(truth, host.state().views[&run.run_id].screen().iter().collect::<Vec<_>>());
    }
    eventually("the program is still there", || host.info(&run)["status"] == "active");
}
