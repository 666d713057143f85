//! Views: what a client sees of a run, and when. A second emulator, fed with nothing but the frames, must
//! show what the host's terminal shows.

use serde_json::{Value as Json, json};
use termi::{protocol::Size, term::Terminal};

use crate::support::{Home, Host, Run, assert_same_lines, eventually};

/// Text that uses what terminals have: colours, wide characters, movement, scrolling regions, the alternate screen.
const SHOW: &str = "\u{1b}]0;a title\u{7}plain \u{1b}[1;3;4;31mloud\u{1b}[m \u{1b}[38;5;208mpalette\u{1b}[48;2;1;2;3mtrue\u{1b}[m\r\n\
wide \u{4f60}\u{597d} \u{1f600} e\u{301}\u{302}\r\n\ttab\u{1b}[2;10Hmoved\u{1b}[K\u{1b}[5;1Hfive\r\nsix\u{1b}[1A\u{1b}[3Cup\r\n\
\u{1b}[?1049h\u{1b}[2J\u{1b}[3;3Hfull screen\u{1b}[?1049l\u{1b}[2;8r\u{1b}[8;1H\none\ntwo\n\u{1b}[r\u{1b}[20;1Hend";

/// Without their queries and their echo: the program prints exactly this.
fn printed(host: &Host, name: &str, text: &str) -> Json {
    let file = host.home().write(name, text);
    json!(["sh", "-c", format!("stty raw -echo; cat {}; exec sleep 1000", file.display())])
}

fn oracle(text: &str, size: Size) -> Terminal {
    let mut terminal = Terminal::new(size, 1 << 20);
    terminal.feed(text.as_bytes());
    terminal
}

#[test]
fn a_view_shows_what_the_terminal_is_cell_by_cell() {
    let host = Host::start();
    let size = Size { rows: 24, cols: 80 };
    let run = host.run(json!({"cmd": printed(&host, "show", SHOW), "attach": "ansi"}));
    host.wait_screen(&run.run_id, "the end of the show", |screen| screen.last().is_some_and(|row| row == "end"));
    let state = host.state();
    let seen = state.views[&run.run_id].terminal();
    let truth = oracle(SHOW, size);
    for (number, (seen, truth)) in seen.rows().zip(truth.rows()).enumerate() {
        assert_eq!(seen, truth, "row {number}");
    }
    assert_eq!(seen.cursor(), truth.cursor());
    assert_eq!(seen.modes(), truth.modes());
    drop(state);
    assert_eq!(host.info(&run)["title"], "a title");
}

#[test]
fn any_cut_of_a_stream_gives_the_same_screen() {
    let host = Host::start();
    let text = "a\u{1b}[1;31mred\u{1b}[m \u{4f60}\u{1f600}e\u{301}\u{1b}]0;t\u{ef}tle\u{1b}\\\u{1b}[2;3Hx\u{1b}[?1049h\u{1f600}\u{1b}[?1049l\u{1b}[38;2;9;8;7m.";
    host.home().write("text", text);
    // Every byte on its own: the program waits until the terminal has taken one before it writes the next.
    let script = "import os, sys, termios\n\
        for byte in open('text', 'rb').read():\n    os.write(1, bytes([byte])); termios.tcdrain(1); os.sched_yield()\n\
        import time; time.sleep(1000)\n";
    let split =
        host.run(json!({"cmd": ["sh", "-c", "stty raw -echo; exec python3 -c \"$0\"", script], "attach": "ansi"}));
    let whole = host.run(json!({"cmd": printed(&host, "whole", text), "attach": "ansi"}));
    for run in [&split, &whole] {
        eventually("all bytes are read", || host.info(run)["bytes"] == text.len());
    }
    let snapshot = |run: &Run| {
        let mut snapshot = host.ask("snapshot", json!({"run_id": run.run_id, "format": "spans", "scrollback": 100}));
        snapshot.as_object_mut().unwrap().remove("run_id");
        snapshot
    };
    assert_eq!(snapshot(&split), snapshot(&whole));
    assert_eq!(snapshot(&whole)["title"], "tïtle");
    for run in [&split, &whole] {
        let truth: Vec<_> = oracle(text, Size { rows: 24, cols: 80 }).rows().collect();
        host.wait_for("the view shows it", |state| {
            (state.views.get(&run.run_id)?.terminal().rows().collect::<Vec<_>>() == truth).then_some(())
        });
    }
}

#[test]
fn a_view_that_keeps_up_has_every_line_in_its_scrollback() {
    let host = Host::start();
    let run = host.run_seen("for n in $(seq 300); do echo line $n; done");
    host.wait_exited(&run.run_id);
    let lines: Vec<String> = (1..=300).map(|n| format!("line {n}")).collect();
    assert_same_lines("the view", &host.state().views[&run.run_id].text(), &lines);
}

#[test]
fn a_later_attach_brings_the_whole_screen_and_what_is_above_it() {
    let host = Host::start();
    let run = host.run_line("seq 100; exec sleep 1000");
    host.wait_pattern(&run, "^100$");
    let answer = host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    for (key, value) in [
        ("session_id", json!(run.session_id)),
        ("run_id", json!(run.run_id)),
        ("session_name", json!("seq")),
        ("status", json!("active")),
        ("size", json!({"rows": 24, "cols": 80})),
        ("exit", Json::Null),
    ] {
        assert_eq!(answer[key], value, "{key}");
    }
    host.wait_for("the view shows it", |state| (state.views.get(&run.run_id)?.text().last()? == "100").then_some(()));
    let lines: Vec<String> = (1..=100).map(|n| n.to_string()).collect();
    host.wait_for("everything above it too", |state| (state.views[&run.run_id].text() == lines).then_some(()));
}

#[test]
fn a_client_gets_as_many_of_the_rows_above_as_it_asked_for() {
    let host = Host::start();
    let run = host.run_line("seq 500; read x");
    host.wait_pattern(&run, "^500$");
    let screen: Vec<String> = (478..=500).map(|n| n.to_string()).collect();
    let marker = "── 475 lines are not shown here; the transcript has the last 475 of them ──";
    for (asked, above) in [(0, vec![]), (2, vec![marker, "476", "477"])] {
        let attached = host.ask("attach", json!({"run_id": run.run_id, "format": "ansi", "scrollback": asked}));
        let lines: Vec<String> = above.into_iter().map(str::to_owned).chain(screen.clone()).collect();
        host.wait_for("these rows and no more", |state| {
            let view = state.views.get(&run.run_id)?;
            (view.last["view_id"] == attached["view_id"] && view.text() == lines).then_some(())
        });
    }
}

#[test]
fn attaching_again_replaces_the_view_and_gives_the_terminal_the_new_size() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "echo here; exec sleep 1000", "attach": "ansi"}));
    host.wait_screen(&run.run_id, "the first view", |screen| screen == ["here"]);
    let size = json!({"rows": 10, "cols": 40});
    let second = host.ask("attach", json!({"run_id": run.run_id, "format": "ansi", "size": size}));
    assert_ne!(second["view_id"], run.reply["view_id"]);
    assert_eq!(second["size"], size);
    host.wait_for("a frame of the second view", |state| {
        let last = &state.views[&run.run_id].last;
        (last["view_id"] == second["view_id"] && last["rows"] == 10 && last["cols"] == 40).then_some(())
    });
    host.wait_screen(&run.run_id, "the same text", |screen| screen == ["here"]);
    assert_eq!(host.ask("snapshot", json!({"run_id": run.run_id}))["size"], size);
}

#[test]
fn a_view_of_a_run_that_has_ended_shows_its_last_screen() {
    let host = Host::start();
    let run = host.run_line("echo it was; exit 9");
    host.wait_exited(&run.run_id);
    let answer = host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    assert_eq!((&answer["status"], &answer["exit"]), (&json!("exited"), &json!({"code": 9, "signal": null})));
    host.wait_screen(&run.run_id, "its last screen", |screen| screen == ["it was"]);
}

#[test]
fn after_detach_no_frame_comes() {
    let host = Host::start();
    let line = "while read line; do echo \"got $line\"; done";
    let run = host.run_seen(line);
    host.input(&run.run_id, "one\r");
    host.wait_screen(&run.run_id, "the echo", |screen| screen.contains(&"got one".to_owned()));
    host.ask("detach", json!({"run_id": run.run_id}));
    assert_eq!(host.info(&run)["attached"], false);
    let frames = host.state().views[&run.run_id].frames;
    host.input(&run.run_id, "two\r");
    host.wait_pattern(&run, "^got two$");
    host.ask("kill", json!({"target": run.run_id}));
    host.wait_exited(&run.run_id);
    // A frame that was on its way when the view was closed is all that may still have come.
    assert!(host.state().views[&run.run_id].frames <= frames + 1);
    let shown = host.state().views[&run.run_id].screen();
    assert!(!shown.contains(&"got two".to_owned()), "{shown:?}");
}

#[test]
fn a_hidden_view_gets_one_event_and_no_frame_until_it_is_shown() {
    let host = Host::start();
    let run = host.run_seen("while read line; do echo \"got $line\"; done");
    host.input(&run.run_id, "before\r");
    host.wait_screen(&run.run_id, "before", |screen| screen.contains(&"got before".to_owned()));
    host.notify("visible", json!({"run_id": run.run_id, "visible": false}));
    for word in ["one", "two", "three"] {
        host.input(&run.run_id, format!("{word}\r"));
        host.wait_pattern(&run, &format!("^got {word}$"));
    }
    host.wait_event("the output event", |event| event["type"] == "output" && event["run_id"] == run.run_id.as_str());
    let (outputs, shown) = {
        let state = host.state();
        let outputs = state.events.iter().filter(|event| event["type"] == "output").count();
        (outputs, state.views[&run.run_id].screen())
    };
    assert_eq!(outputs, 1, "it is told once");
    assert!(!shown.iter().any(|line| line == "got one"), "{shown:?}");

    host.notify("visible", json!({"run_id": run.run_id, "visible": true}));
    host.wait_screen(&run.run_id, "all of it", |screen| screen.contains(&"got three".to_owned()));
    host.notify("visible", json!({"run_id": run.run_id, "visible": false}));
    host.input(&run.run_id, "four\r");
    host.wait_for("told once more after it was hidden again", |state| {
        (state.events.iter().filter(|event| event["type"] == "output").count() == 2).then_some(())
    });
    host.input(&run.run_id, "\u{4}");
    host.wait_exited(&run.run_id);
}

#[test]
fn the_answer_to_run_comes_before_the_first_frame() {
    for frontend in ["generic", "nvim"] {
        let host = Home::new().host().start_silent();
        host.ask("initialize", json!({"protocol": 1, "frontend": frontend}));
        for number in 0..40 {
            let params = json!({"cmd": ["echo", number.to_string()], "attach": "ansi"});
            let (id, run) = if frontend == "generic" {
                let call = host.begin("run", params);
                (call.id(), call.answer().unwrap())
            } else {
                let id = 1_000_000 + number;
                host.notify("call", json!({"id": id, "method": "run", "params": params}));
                (id, host.wait_for("the reply", |state| state.answer(id).cloned()).unwrap())
            };
            let run_id = run["run_id"].as_str().unwrap();
            host.wait_exited(run_id);
            let state = host.state();
            let place = |fits: &dyn Fn(&Json) -> bool| state.arrivals.iter().position(fits);
            let answer = place(&|arrival| arrival["answer"] == id).unwrap();
            let frame = place(&|arrival| arrival["frame"] == run_id).expect("a frame, before the exit is told");
            let exit = place(&|arrival| arrival["type"] == "run_exited" && arrival["run_id"] == run_id).unwrap();
            assert!(answer < frame, "{frontend} {number}: the first frame came before the answer");
            assert!(frame < exit, "{frontend} {number}");
            assert_eq!(state.views[run_id].screen(), [number.to_string()]);
        }
    }
}

#[test]
fn a_slow_client_has_one_frame_in_flight_and_the_right_screen_once_it_answers() {
    let host = Host::start();
    let run = host.run_line("for n in $(seq 3000); do echo $n; done; echo done; exec sleep 1000");
    let other = host.run_seen("while read line; do echo \"got $line\"; done");
    host.hold_frames();
    host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    host.wait_pattern(&run, "^done$");
    let frames = |run: &Run| host.state().views.get(&run.run_id).map_or(0, |view| view.frames);
    eventually("a frame in flight", || frames(&run) == 1);
    host.input(&other.run_id, "x\r");
    host.wait_pattern(&other, "^got x$");
    assert_eq!(frames(&run), 1, "no second one before the first is answered");
    host.release_frames();
    host.wait_screen(&run.run_id, "the last screen", |screen| screen.last().is_some_and(|row| row == "done"));
    host.wait_screen(&other.run_id, "the other view", |screen| screen.contains(&"got x".to_owned()));
}

#[test]
fn a_view_whose_client_says_it_has_none_is_closed() {
    let host = Host::start();
    host.hold_frames();
    let run = host.run_seen("while read line; do echo \"got $line\"; done");
    host.input(&run.run_id, "x\r");
    let id = host.wait_for("a frame in flight", |state| state.unanswered.front().copied());
    host.answer(id, rmpv::Value::from(false));
    eventually("the view is closed", || host.info(&run)["attached"] == false);
    host.state().unanswered.clear();
    host.release_frames();
    host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    host.wait_screen(&run.run_id, "a new view works", |screen| screen.contains(&"got x".to_owned()));
}

#[test]
fn spans_frames_hold_rows_of_text_with_style_runs() {
    let host = Host::start();
    let run = host.run_line("printf 'a \\033[1;31mred\\033[m ä\\n'; exec sleep 1000");
    host.wait_pattern(&run, "red");
    host.ask("attach", json!({"run_id": run.run_id, "format": "spans", "size": {"rows": 3, "cols": 20}}));
    let frame = host.wait_for("the text", |state| {
        let last = &state.views.get(&run.run_id)?.last;
        (last["lines"][0]["text"] == "a red ä").then(|| last.clone())
    });
    assert_eq!(frame["format"], "spans");
    let lines = frame["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["row"]), (1, &json!(0)), "of a screen that starts empty, the rows with text");
    let span = &lines[0]["spans"][0];
    assert_eq!((&span["start"], &span["end"], &span["bold"]), (&json!(2), &json!(5), &json!(true)));
    assert_eq!(frame["cursor"], json!({"row": 1, "col": 0, "visible": true}));
    assert_eq!(frame["modes"]["mouse"], "off");
}

#[test]
fn the_host_answers_a_programs_questions_itself() {
    let host = Host::start();
    let line = "stty raw -echo; printf '\\033[6n\\033[c'; head -c 6 | od -An -c; stty sane; exec sleep 1000";
    let run = host.run_seen(line);
    let answer = host.wait_pattern(&run, r"033");
    assert_eq!(answer.split_whitespace().collect::<String>(), "033[1;1R");
    assert!(!host.state().views[&run.run_id].data.contains("\u{1b}[6n"), "no question in a frame");
}
