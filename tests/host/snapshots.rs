//! Reading and waiting: what a client that is no terminal can know of a run.

use serde_json::json;

use crate::support::{Host, Run, assert_same_lines};

const STYLED: &str =
    "printf 'one\\n\\033[1;32mgreen\\033[m and \\033[4mlined\\033[m\\n\\033]2;title\\007'; exec sleep 1000";

fn styled(host: &Host) -> Run {
    let run = host.run(json!({"cmd": STYLED, "size": {"rows": 4, "cols": 30}}));
    host.wait_pattern(&run, "green and lined");
    run
}

#[test]
fn a_snapshot_of_text_is_the_screen_row_by_row() {
    let host = Host::start();
    let run = styled(&host);
    let snapshot = host.ask("snapshot", json!({"run_id": run.run_id}));
    assert_eq!(snapshot["lines"], json!(["one", "green and lined", "", ""]));
    assert_eq!(snapshot["cursor"], json!({"row": 2, "col": 0, "visible": true}));
    assert_eq!(snapshot["size"], json!({"rows": 4, "cols": 30}));
    assert_eq!(snapshot["title"], "title");
    assert_eq!(snapshot["truncated_bytes"], 0);
    assert_eq!(snapshot["alternate_screen"], false);
    assert_eq!(snapshot, host.ask("snapshot", json!({"run_id": run.run_id, "format": "text", "scrollback": 0})));
}

#[test]
fn a_snapshot_of_ansi_shows_the_same_on_another_terminal() {
    let host = Host::start();
    let run = styled(&host);
    let ansi = host.ask("snapshot", json!({"run_id": run.run_id, "format": "ansi"}));
    let spans = host.ask("snapshot", json!({"run_id": run.run_id, "format": "spans"}));
    let lines: Vec<&str> = ansi["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(lines[1].contains('\u{1b}'), "{lines:?}");
    let mut other = termi::term::Terminal::new(termi::protocol::Size { rows: 4, cols: 30 }, 1000);
    other.feed(lines.join("\r\n").as_bytes());
    let shown: Vec<_> = other.rows().map(|row| serde_json::to_value(row).unwrap()).collect();
    assert_eq!(json!(shown), spans["lines"]);
}

#[test]
fn a_snapshot_of_spans_has_the_looks_by_byte() {
    let host = Host::start();
    let run = styled(&host);
    let snapshot = host.ask("snapshot", json!({"run_id": run.run_id, "format": "spans"}));
    let line = &snapshot["lines"][1];
    assert_eq!(line["text"], "green and lined");
    let spans = json!([
        {"start": 0, "end": 5, "bold": true, "fg": {"indexed": 2}},
        {"start": 10, "end": 15, "underline": "single"},
    ]);
    assert_eq!(line["spans"], spans);
}

#[test]
fn scrollback_comes_before_the_screen_as_much_as_asked_for() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "seq 100", "size": {"rows": 5, "cols": 20}}));
    host.wait_exited(&run.run_id);
    for (asked, first) in [(0, 97), (1, 96), (10, 87), (96, 1), (1_000_000, 1)] {
        let snapshot = host.ask("snapshot", json!({"run_id": run.run_id, "scrollback": asked}));
        let mut lines: Vec<String> = (first..=100).map(|n| n.to_string()).collect();
        lines.push(String::new());
        assert_eq!(snapshot["lines"], json!(lines), "scrollback {asked}");
        assert_eq!(snapshot["scrollback_lines"], 97 - first, "scrollback {asked}");
    }
}

#[test]
fn a_wrapped_line_is_one_line_of_the_scrollback() {
    let host = Host::start();
    let long = "0123456789".repeat(10);
    let run = host.run(json!({"cmd": format!("echo {long}; seq 20"), "size": {"rows": 5, "cols": 30}}));
    host.wait_exited(&run.run_id);
    let mut lines = vec![long];
    lines.extend((1..=20).map(|n| n.to_string()));
    assert_same_lines("the transcript", &host.text(&run), &lines);
}

#[test]
fn the_alternate_screen_is_what_is_seen_and_is_not_kept() {
    let host = Host::start();
    let run = host.run_line("echo before; printf '\\033[?1049h\\033[Hfull'; read x; printf '\\033[?1049l'; echo after");
    host.wait_pattern(&run, "full");
    let snapshot = host.ask("snapshot", json!({"run_id": run.run_id}));
    assert_eq!((&snapshot["lines"][0], &snapshot["alternate_screen"]), (&json!("full"), &json!(true)));
    host.input(&run.run_id, "\r");
    host.wait_exited(&run.run_id);
    assert_eq!(host.text(&run), ["before", "after"]);
}

#[test]
fn waiting_for_the_end_tells_how_it_was() {
    let host = Host::start();
    let run = host.run_line("read x; exit 5");
    let wait = host.begin("wait", json!({"target": run.run_id, "until": "exit"}));
    host.ask("sessions", json!({}));
    assert!(!wait.is_answered());
    host.input(&run.run_id, "\r");
    let answer = json!({"reason": "exit", "exit": {"code": 5, "signal": null}});
    assert_eq!(wait.answer().unwrap(), answer);
    assert_eq!(host.ask("wait", json!({"target": run.run_id, "until": "exit"})), answer, "what has ended has ended");
}

#[test]
fn waiting_for_a_session_waits_for_all_its_runs() {
    let host = Host::start();
    let first = host.run(json!({"cmd": "read x; exit 1", "name": "both"}));
    let second = host.run(json!({"cmd": "read x; exit 1", "session": "both"}));
    let wait = host.begin("wait", json!({"target": "both", "until": "exit"}));
    host.input(&second.run_id, "\r");
    host.wait_exited(&second.run_id);
    assert!(!wait.is_answered());
    host.input(&first.run_id, "\r");
    assert_eq!(wait.answer().unwrap()["reason"], "exit");
}

#[test]
fn waiting_for_a_pattern_finds_old_lines_and_new_ones() {
    let host = Host::start();
    let run = host.run_line("seq 1000; read x; echo \"port: $x\"; exec sleep 1000");
    let pattern = |pattern: &str| json!({"target": run.run_id, "until": {"pattern": pattern}});
    host.wait_pattern(&run, "^1000$");
    let old = host.ask("wait", pattern("^5(5)5$"));
    assert_eq!(old, json!({"reason": "pattern", "line": "555"}));
    let wait = host.begin("wait", pattern("port: [0-9]+"));
    host.input(&run.run_id, "8080\r");
    assert_eq!(wait.answer().unwrap(), json!({"reason": "pattern", "line": "port: 8080"}));
    let never = host.begin("wait", pattern("never printed$"));
    host.ask("kill", json!({"target": run.run_id}));
    assert_eq!(never.answer().unwrap()["reason"], "exit", "the run ended before it could match");
}

#[test]
fn waiting_for_silence_and_giving_up() {
    let host = Host::start();
    let run = host.run_line("echo x; exec sleep 1000");
    let idle = host.ask("wait", json!({"target": run.run_id, "until": {"idle_ms": 100}}));
    assert_eq!(idle, json!({"reason": "idle"}));
    let timeout = host.ask("wait", json!({"target": run.run_id, "until": "exit", "timeout_ms": 50}));
    assert_eq!(timeout, json!({"reason": "timeout"}));
    let noisy = host.run_line("yes");
    let wait = json!({"target": noisy.run_id, "until": {"idle_ms": 5000}, "timeout_ms": 300});
    assert_eq!(host.ask("wait", wait)["reason"], "timeout", "a flood is not silence");
}
