//! Held views: someone reads, so no frame comes; what waits is counted, and brought when the view is let go.

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually, proc};

/// Prints `100` numbered lines for each line that it is given, with that line in front.
const BATCHES: &str = "stty -echo; echo ready; while read x; do seq -f \"$x %g\" 1 100; done";

fn hold(host: &Host, run: &Run, hold: bool) {
    host.notify("hold", json!({"run_id": run.run_id, "hold": hold}));
}

fn frames(host: &Host, run: &Run) -> usize {
    host.state().views[&run.run_id].frames
}

/// What `output` events told of the run.
fn told(host: &Host, run: &Run) -> Vec<Option<u64>> {
    let state = host.state();
    let outputs =
        state.events.iter().filter(|event| event["type"] == "output" && event["run_id"] == run.run_id.as_str());
    outputs.map(|event| event["waiting_rows"].as_u64()).collect()
}

fn wait_told(host: &Host, run: &Run, rows: u64) {
    host.wait_event(&format!("{rows} rows wait"), |event| {
        event["type"] == "output" && event["run_id"] == run.run_id.as_str() && event["waiting_rows"] == rows
    });
}

fn ready(line: &str) -> (Host, Run) {
    let host = Host::start();
    let run = host.run_seen(line);
    host.wait_screen(&run.run_id, "it is ready", |screen| screen == ["ready"]);
    (host, run)
}

#[test]
fn a_held_view_gets_no_frame_and_is_told_how_much_waits() {
    let (host, run) = ready(BATCHES);
    hold(&host, &run, true);
    let before = frames(&host, &run);
    for (batch, rows) in [("a", 100), ("b", 200), ("c", 300)] {
        host.input(&run.run_id, format!("{batch}\r"));
        wait_told(&host, &run, rows);
    }
    assert_eq!(frames(&host, &run), before);
    assert_eq!(host.state().views[&run.run_id].screen(), ["ready"]);
    hold(&host, &run, false);
    host.wait_screen(&run.run_id, "the end", |screen| screen.last().is_some_and(|row| row == "c 100"));
    let mut expected = vec!["ready".to_owned()];
    for batch in ["a", "b", "c"] {
        expected.extend((1..=100).map(|number| format!("{batch} {number}")));
    }
    assert_eq!(host.state().views[&run.run_id].text(), expected);
    // Held again, it is counted from there.
    hold(&host, &run, true);
    let before = frames(&host, &run);
    host.input(&run.run_id, "d\r");
    host.wait_for("100 rows wait again", |state| {
        let last = state.events.iter().rfind(|event| event["type"] == "output")?;
        (last["waiting_rows"] == 100).then_some(())
    });
    assert_eq!(frames(&host, &run), before);
}

/// Under a flood a view's screen is of now, and what has left it may be of long ago.
#[test]
fn who_reads_in_a_flood_is_told_how_much_is_missing_above_the_screen() {
    let (host, run) = ready("stty -echo; echo ready; read x; seq 1 100; read x; seq 101 1000000000");
    host.input(&run.run_id, "\r");
    host.wait_screen(&run.run_id, "the first hundred", |screen| screen.last().is_some_and(|row| row == "100"));
    host.input(&run.run_id, "\r");
    host.wait_for("it has fallen behind", |state| {
        let text = state.views[&run.run_id].text();
        numbers(&text).windows(2).any(|two| two[1] - two[0] > 1000).then_some(())
    });
    hold(&host, &run, true);
    let event = host.wait_event("word of what is missing", |event| event["skipped_rows"].is_u64());
    // The event may overtake the last frame from before the hold.
    host.wait_for("the view lacks what the event says", |state| {
        let numbers = numbers(&state.views[&run.run_id].text());
        let (above, first) = numbers.windows(2).map(|two| (two[0], two[1])).find(|two| two.1 - two.0 > 1)?;
        (event["skipped_rows"] == first - above - 1).then_some(())
    });
}

/// The numbers that are whole lines, from the view's last mark of what was left out.
fn numbers(text: &[String]) -> Vec<u64> {
    let from = text.iter().rposition(|line| line.contains("──")).map_or(0, |at| at + 1);
    text[from..].iter().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn a_change_that_adds_no_row_is_told_too() {
    let (host, run) = ready("stty -echo; printf ready; while read x; do printf .; done");
    hold(&host, &run, true);
    host.input(&run.run_id, "\r");
    wait_told(&host, &run, 0);
    hold(&host, &run, false);
    host.wait_screen(&run.run_id, "the change", |screen| screen == ["ready."]);
}

#[test]
fn a_flood_into_a_held_view_costs_no_frame_and_no_memory_and_a_kill_works() {
    let (host, run) = ready("stty -echo; echo ready; read x; yes 'a line of a flood'");
    hold(&host, &run, true);
    let before = frames(&host, &run);
    host.input(&run.run_id, "\r");
    let bytes = |host: &Host| host.info(&run)["bytes"].as_u64().unwrap();
    // The transcript is as long as it gets.
    eventually("some of it has come", || bytes(&host) > 1 << 20);
    let memory = proc::resident_bytes(host.pid());
    eventually("much more of it has come", || bytes(&host) > 12 << 20);
    let grown = proc::resident_bytes(host.pid()).saturating_sub(memory);
    assert!(grown < 4 << 20, "{grown} bytes more");
    assert_eq!(frames(&host, &run), before);
    let told = told(&host, &run);
    assert!(told.iter().all(Option::is_some) && told.is_sorted(), "{told:?}");
    assert!(told.len() < 200, "told {} times", told.len());

    let killed = host.ask("kill", json!({"target": run.run_id}));
    assert_eq!((&killed["killed"], &killed["total"]), (&json!(1), &json!(1)));
    // Its end is told, though the view has not seen it.
    host.wait_exited(&run.run_id);
    assert_eq!(frames(&host, &run), before);
    hold(&host, &run, false);
    host.wait_screen(&run.run_id, "the flood", |screen| screen.first().is_some_and(|row| row == "a line of a flood"));
}

#[test]
fn a_view_that_fell_far_behind_starts_over_when_it_is_let_go() {
    let (host, run) = ready("stty -echo; echo ready; read x; seq 1 4000; echo done; exec sleep 1000");
    hold(&host, &run, true);
    let before = frames(&host, &run);
    host.input(&run.run_id, "\r");
    host.wait_pattern(&run, "^done$");
    // One frame goes out, and no more before it is answered.
    host.hold_frames();
    hold(&host, &run, false);
    host.wait_for("the next frame", |state| (state.views[&run.run_id].frames > before).then_some(()));
    assert_eq!(host.state().views[&run.run_id].last["reset"], true);
    host.release_frames();
    host.wait_screen(&run.run_id, "the end", |screen| screen.last().is_some_and(|row| row == "done"));
    let text = host.state().views[&run.run_id].text();
    let numbers: Vec<String> = (1..=4000).map(|number| number.to_string()).collect();
    let from = text.iter().rposition(|line| line == "1").unwrap();
    assert_eq!(text[from..from + 4000], numbers);
}

#[test]
fn the_alternate_screen_is_not_held() {
    let line = "stty -echo; echo ready; read x; printf '\\033[?1049h\\033[Hfull'; read x; printf ' screen'; \
        read x; printf '\\033[?1049l'; seq 1 5; while read x; do echo \"got $x\"; done";
    let (host, run) = ready(line);
    hold(&host, &run, true);
    host.input(&run.run_id, "\r");
    host.wait_screen(&run.run_id, "the other screen", |screen| screen == ["full"]);
    host.input(&run.run_id, "\r");
    host.wait_screen(&run.run_id, "what happens there", |screen| screen == ["full screen"]);
    host.input(&run.run_id, "\r");
    host.wait_screen(&run.run_id, "the primary one", |screen| screen.contains(&"ready".to_owned()));
    host.wait_pattern(&run, "^5$");
    // There it is held again.
    host.input(&run.run_id, "x\r");
    host.wait_event("word of what waits", |event| event["type"] == "output" && event["waiting_rows"].is_u64());
    let shown = host.state().views[&run.run_id].screen();
    assert!(!shown.contains(&"got x".to_owned()), "{shown:?}");
    hold(&host, &run, false);
    host.wait_screen(&run.run_id, "the end", |screen| screen.last().is_some_and(|row| row == "got x"));
}

#[test]
fn a_new_size_does_not_disturb_a_held_view_and_is_right_when_it_is_let_go() {
    let (host, run) = ready(BATCHES);
    hold(&host, &run, true);
    let before = frames(&host, &run);
    host.notify("resize", json!({"run_id": run.run_id, "rows": 10, "cols": 30}));
    host.input(&run.run_id, "a\r");
    host.wait_pattern(&run, "^a 100$");
    assert_eq!(frames(&host, &run), before);
    hold(&host, &run, false);
    host.wait_for("the new size", |state| {
        let view = &state.views[&run.run_id];
        (view.last["rows"] == 10 && view.last["cols"] == 30 && view.screen().last()? == "a 100").then_some(())
    });
}

#[test]
fn a_filling_of_several_frames_is_bracketed_where_the_client_knows_how() {
    for knows in [true, false] {
        let host = Home::new().host().start_silent();
        host.ask("initialize", json!({"protocol": 1, "frontend": "generic", "synchronized_output": knows}));
        let run = host.run_line("seq 1 3000; echo done; exec sleep 1000");
        host.wait_pattern(&run, "^done$");
        host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
        host.wait_screen(&run.run_id, "the end", |screen| screen.last().is_some_and(|row| row == "done"));
        let state = host.state();
        let view = &state.views[&run.run_id];
        assert!(view.frames > 1);
        let count = |text: &str| view.data.matches(text).count();
        let expected = usize::from(knows);
        assert_eq!((count("\u{1b}[?2026h"), count("\u{1b}[?2026l")), (expected, expected));
        assert_eq!(view.data.starts_with("\u{1b}[?2026h"), knows);
        // The last frame says that it is the last.
        assert_eq!(view.last["current"], Json::Null, "it is left out");
    }
}
