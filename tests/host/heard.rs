//! What programs say beside their output: attention, progress, folders, prompts, links, the clipboard, focus.

use serde_json::{Value as Json, json};

use crate::support::{Host, Run, eventually};

fn events(host: &Host, kind: &str) -> Vec<Json> {
    host.state().events.iter().filter(|event| event["type"] == kind).cloned().collect()
}

fn wait_kind(host: &Host, run: &Run, kind: &str) -> Json {
    host.wait_event(kind, |event| event["type"] == kind && event["run_id"] == run.run_id.as_str())
}

#[test]
fn notifications_of_every_family_are_told_with_their_text() {
    for (sequence, message) in [
        (r"\033]9;Tests passed\007", "Tests passed"),
        (r"\033]9;Tests passed\033\\", "Tests passed"),
        (r"\033]777;notify;Agent;needs you\007", "Agent: needs you"),
        (r"\033]99;i=1:d=0;Agent\033\\\033]99;i=1:p=body;is done\033\\", "Agent: is done"),
        (r"\033]9;a\001\302\233b\377\007", "ab\u{fffd}"),
    ] {
        let host = Host::start();
        let run = host.run_line(&format!("printf '{sequence}'; exec sleep 1000"));
        let event = wait_kind(&host, &run, "attention");
        assert_eq!((&event["kind"], &event["message"]), (&json!("notification"), &json!(message)), "{sequence}");
        assert_eq!(event["session_id"], run.session_id.as_str());
        assert_eq!(host.text(&run), Vec::<String>::new(), "nothing of it is text");
    }
}

#[test]
fn a_bell_rings_and_the_bell_that_ends_a_string_does_not() {
    let host = Host::start();
    let run = host.run_line(r"printf '\033]0;title\007\007'; read x");
    let event = wait_kind(&host, &run, "attention");
    assert_eq!((&event["kind"], &event["message"]), (&json!("bell"), &Json::Null));
    let quiet = host.run_line(r"printf '\033]0;title\007\033]9;4;1;5\007'; echo done");
    host.wait_exited(&quiet.run_id);
    assert_eq!(events(&host, "attention").len(), 1);
}

#[test]
fn a_flood_of_notifications_is_no_flood_of_events() {
    let host = Host::start();
    let run = host.run_line(
        r"i=0; while [ $i -lt 3000 ]; do printf '\033]9;n%d\007\033]9;4;1;%d\007' $i $((i % 100)); i=$((i + 1)); done; printf '\033]9;4;2;77\007'",
    );
    let exit = host.wait_exited(&run.run_id);
    let seconds = exit["duration_ms"].as_u64().unwrap() / 1000 + 1;
    let told = events(&host, "attention").len() as u64;
    assert!((5..=5 * (seconds + 1)).contains(&told), "{told} in {seconds} s");
    let progress = events(&host, "progress");
    assert!(progress.len() as u64 <= 10 * seconds + 5, "{} in {seconds} s", progress.len());
    assert_eq!(progress.last().unwrap()["state"], "none", "an ended program has none");
}

#[test]
fn progress_is_told_with_state_and_percent_and_its_last_is_never_lost() {
    let host = Host::start();
    let run = host.run_line(
        r"printf '\033]9;4;1;10\007\033]9;4;1;20\007\033]9;4;3\007\033]9;4;4;30\007'; read x; printf '\033]9;4;0\007'; read x",
    );
    let event = host.wait_event("the last", |event| event["type"] == "progress" && event["state"] == "paused");
    assert_eq!((&event["percent"], &event["run_id"]), (&json!(30), &json!(run.run_id)));
    host.input(&run.run_id, "\r");
    let event = host.wait_event("none", |event| event["type"] == "progress" && event["state"] == "none");
    assert_eq!(event["percent"], Json::Null);
    assert_eq!(events(&host, "attention"), Vec::<Json>::new(), "progress is not text");
}

#[test]
fn the_folder_that_a_program_names_is_its_folder() {
    let host = Host::start();
    let line = r"cd /; read x; printf '\033]7;file://%s/usr/a%%20b%%C3%%A9\007' $(hostname); echo one; read x; printf '\033]7;file://elsewhere.example/opt\007'; echo two; read x; printf '\033]7;file:///tmp\033\\'; echo three; read x";
    let run = host.run_line(line);
    eventually("its own folder", || host.info(&run)["cwd"] == "/");
    for (line, cwd) in [("one", "/usr/a bé"), ("two", "/usr/a bé"), ("three", "/tmp")] {
        host.input(&run.run_id, "\r");
        host.wait_pattern(&run, &format!("^{line}$"));
        assert_eq!(host.info(&run)["cwd"], cwd, "after {line}");
    }
    host.input(&run.run_id, "\r");
    host.wait_exited(&run.run_id);
    assert_eq!(host.info(&run)["cwd"], "", "an ended program is nowhere");
}

/// Three prompts, each followed by some output; the first has scrolled off a screen of ten rows.
const PROMPTS: &str = r"for code in 0 3; do printf '\033]133;A\007$ \033]133;B\007cmd\n\033]133;C\007'; seq 8; printf '\033]133;D;%d\007' $code; done; printf '\033]133;A\007$ '; exec sleep 1000";

#[test]
fn prompts_are_counted_from_the_last_row_of_the_view() {
    let host = Host::start();
    let run = host.run(json!({"cmd": PROMPTS, "size": {"rows": 10, "cols": 40}}));
    host.wait_pattern(&run, r"^\$$");
    let prompts = host.ask("prompts", json!({"run_id": run.run_id}));
    assert_eq!(prompts, json!({"rows": [0, 9, 18], "exits": [null, 3, 0]}), "without a view");
    host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    host.wait_screen(&run.run_id, "the last prompt", |screen| screen.last().is_some_and(|row| row == "$"));
    let prompts = host.ask("prompts", json!({"run_id": run.run_id}));
    assert_eq!(prompts["rows"], json!([0, 9, 18]), "with a view");
    let text = host.state().views[&run.run_id].text();
    for row in prompts["rows"].as_array().unwrap() {
        let line = &text[text.len() - 1 - usize::try_from(row.as_u64().unwrap()).unwrap()];
        assert!(line.starts_with('$'), "{line:?} is a prompt");
    }
    // The same prompts, whatever the size.
    for (rows, cols) in [(5, 40), (12, 3), (10, 40)] {
        host.notify("resize", json!({"run_id": run.run_id, "rows": rows, "cols": cols}));
        eventually("the prompts of another size", || {
            let snapshot = host.ask("snapshot", json!({"run_id": run.run_id, "scrollback": 1000}));
            let prompts = host.ask("prompts", json!({"run_id": run.run_id}));
            let lines = snapshot["lines"].as_array().unwrap();
            snapshot["size"] == json!({"rows": rows, "cols": cols})
                && prompts["rows"].as_array().unwrap().len() == 3
                && (cols < 40
                    || prompts["rows"].as_array().unwrap().iter().all(|row| {
                        let row = usize::try_from(row.as_u64().unwrap()).unwrap();
                        lines[lines.len() - 1 - row].as_str().unwrap().starts_with('$')
                    }))
        });
    }
    let refusal = host.refusal("prompts", json!({"run_id": "no such"}));
    assert_eq!(refusal.code, "not_found");
}

#[test]
fn prompts_go_with_what_is_cleared_and_are_none_on_the_alternate_screen() {
    let host = Host::start();
    let run = host.run(json!({
        "cmd": r"printf '\033]133;A\007$ one\n\033]133;A\007$ two\n'; read x; printf '\033[?1049h\033]133;A\007full'; read x; printf '\033[?1049l\033[H\033[2J\033[3J\033]133;A\007$ three'; read x",
        "size": {"rows": 6, "cols": 40},
    }));
    host.wait_pattern(&run, "two");
    assert_eq!(host.ask("prompts", json!({"run_id": run.run_id}))["rows"], json!([4, 5]));
    host.input(&run.run_id, "\r");
    host.wait_pattern(&run, "full");
    assert_eq!(host.ask("prompts", json!({"run_id": run.run_id}))["rows"], json!([]));
    host.input(&run.run_id, "\r");
    host.wait_pattern(&run, "three");
    assert_eq!(host.ask("prompts", json!({"run_id": run.run_id}))["rows"], json!([5]));
}

#[test]
fn a_link_is_found_on_the_screen_and_above_it() {
    let host = Host::start();
    let run = host.run(json!({
        "cmd": r"printf 'see \033]8;;http://example.org/a;b\033\\\344\275\240x\033]8;;\033\\ end\n'; seq 6; printf '\033]8;id=1;file:///x\007last\033]8;;\007'; exec sleep 1000",
        "size": {"rows": 5, "cols": 40}, "attach": "ansi",
    }));
    host.wait_screen(&run.run_id, "the last", |screen| screen.last().is_some_and(|row| row == "last"));
    let uri = |row: u64, col: u64| host.ask("link", json!({"run_id": run.run_id, "row": row, "col": col}));
    assert_eq!(uri(0, 0), json!({"uri": "file:///x"}));
    assert_eq!(uri(0, 3), json!({"uri": "file:///x"}));
    for col in 4..7 {
        assert_eq!(uri(7, col), json!({"uri": "http://example.org/a;b"}), "column {col}");
    }
    for (row, col) in [(0, 4), (7, 3), (7, 7), (1, 0), (8, 4), (1_000_000, 0), (0, 1_000_000)] {
        assert_eq!(uri(row, col), json!({}), "row {row} column {col}");
    }
}

#[test]
fn a_copy_reaches_those_who_look_and_nobody_else() {
    let host = Host::start();
    let other = host.connect();
    other.initialize();
    let run = host.run_seen(
        r"read x; printf '\033]52;c;c2VjcmV0LXRleHQ=\007\033]52;p;cHJpbWFyeQ==\033\\'; read x; printf '\033]52;c;'; head -c 1500000 /dev/zero | tr '\0' A; printf '\007done'; read x",
    );
    host.input(&run.run_id, "\r");
    let clipboard =
        host.wait_event("a copy", |event| event["type"] == "clipboard" && event["selection"] == "clipboard");
    assert_eq!((&clipboard["data"], &clipboard["run_id"]), (&json!("secret-text"), &json!(run.run_id)));
    let primary = host.wait_event("the other", |event| event["selection"] == "primary");
    assert_eq!(primary["data"], "primary");
    host.input(&run.run_id, "\r");
    host.wait_pattern(&run, "done");
    eventually("the refusal is logged", || host.home().log().contains("copy to the clipboard was refused"));
    assert_eq!(events(&host, "clipboard").len(), 2);
    other.ask("sessions", json!({}));
    assert!(other.state().events.iter().all(|event| event["type"] != "clipboard"), "who does not look is not told");
    assert!(!host.home().log().contains("secret-text"), "nothing of it is logged");
}

/// Reads the answer to a question for the clipboard and shows it.
const ASKS: &str = r"stty raw -echo; printf '\033]52;c;?\033\\'; head -c 15 | od -An -c | tr -d ' \n'; stty sane; echo; read x; exec sleep 1000";

#[test]
fn a_program_that_asks_for_the_clipboard_gets_what_a_client_answers() {
    let host = Host::start();
    let run = host.run_seen(ASKS);
    let asked = wait_kind(&host, &run, "clipboard_request");
    assert_eq!(asked["selection"], "clipboard");
    let answer = |request: &Json, data: Json| json!({"run_id": run.run_id, "request": request, "data": data});
    let wrong = host.refusal("clipboard", answer(&json!(99), json!("x")));
    assert_eq!(wrong.code, "not_found");
    let large = host.refusal("clipboard", answer(&asked["request"], json!("x".repeat((1 << 20) + 1))));
    assert_eq!(large.code, "invalid_params");
    assert_eq!(host.outsider().refusal("clipboard", answer(&asked["request"], json!("x"))).code, "forbidden");
    host.ask("clipboard", answer(&asked["request"], json!("pasted")));
    let shown = host.wait_pattern(&run, "033");
    assert!(shown.starts_with(r"033]52;c;cGFzdG"), "{shown}");
    assert_eq!(host.refusal("clipboard", answer(&asked["request"], json!("again"))).code, "not_found");
}

#[test]
fn a_program_that_asks_while_nobody_looks_gets_nothing_at_once() {
    let host = Host::start();
    let run = host.run_line(&ASKS.replace("head -c 15", "head -c 9"));
    assert!(host.wait_pattern(&run, "033").starts_with(r"033]52;c;"), "an empty answer");
    assert_eq!(events(&host, "clipboard_request"), Vec::<Json>::new());
}

#[test]
fn questions_for_the_clipboard_end_with_the_program_and_are_few() {
    let host = Host::start();
    let run = host.run_seen(r"stty raw -echo; for i in 1 2 3 4 5 6 7 8 9; do printf '\033]52;c;?\007'; done; head -c 9 >/dev/null; echo asked; read x");
    host.wait_pattern(&run, "asked");
    eventually("four questions", || events(&host, "clipboard_request").len() == 4);
    host.input(&run.run_id, "\r\n");
    host.ask("kill", json!({"target": run.run_id}));
    let refusal = host.refusal("clipboard", json!({"run_id": run.run_id, "request": 1}));
    assert_eq!(refusal.code, "not_found");
    assert_eq!(events(&host, "clipboard_request").len(), 4, "the others had their answer at once");
}

/// Shows each byte that it is sent, once it has asked for focus reports.
const WANTS_FOCUS: &str = r"stty raw -echo; printf '\033[?1004h'; while c=$(head -c 3 | od -An -c | tr -d ' \n'); do printf '%s\r\n' $c; done";

#[test]
fn a_program_is_told_when_nobody_sees_it_and_when_somebody_does_again() {
    let host = Host::start();
    let run = host.run_seen(WANTS_FOCUS);
    host.wait_for("the mode is mirrored", |state| state.views.get(&run.run_id)?.data.contains("[?1004h").then_some(()));
    let visible = |visible: bool| host.notify("visible", json!({"run_id": run.run_id, "visible": visible}));
    let shown = || host.text(&run).concat();
    visible(false);
    eventually("focus out", || shown() == "033[O");
    // A client's emulator says it too: no news.
    host.input(&run.run_id, "\x1b[O");
    visible(false);
    visible(true);
    eventually("focus in", || shown() == "033[O033[I");
    host.input(&run.run_id, "\x1b[I");
    host.input(&run.run_id, "\x1b[O");
    eventually("what the client says", || shown() == "033[O033[I033[O");
    visible(false);
    visible(true);
    host.input(&run.run_id, "\x1b[I");
    eventually("only the client's word after its own", || shown() == "033[O033[I033[O033[I");
    host.ask("detach", json!({"run_id": run.run_id}));
    eventually("a view that is closed is not seen", || shown() == "033[O033[I033[O033[I033[O");
}

#[test]
fn a_program_that_nobody_has_a_view_of_is_told_when_it_asks() {
    let host = Host::start();
    let run = host.run_line(WANTS_FOCUS);
    eventually("focus out", || host.text(&run).concat() == "033[O");
    host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    eventually("focus in", || host.text(&run).concat() == "033[O033[I");
}

#[test]
fn half_an_update_is_not_seen_and_one_without_an_end_is() {
    let host = Host::start();
    let run = host.run_seen(
        r"echo start; read x; printf '\033[?2026h\033[2J\033[Hhalf'; read x; printf ' whole\033[?2026l'; read x; exec sleep 1000",
    );
    host.wait_screen(&run.run_id, "the start", |screen| screen.iter().any(|row| row == "start"));
    host.input(&run.run_id, "\r");
    host.wait_screen(&run.run_id, "half of it, after a while", |screen| screen == ["half"]);
    host.input(&run.run_id, "\r");
    host.wait_screen(&run.run_id, "the rest", |screen| screen.iter().any(|row| row.contains("whole")));
}
