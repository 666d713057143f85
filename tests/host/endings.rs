//! How programs end, and that nothing they wrote before is lost.

use serde_json::{Value as Json, json};

use crate::support::{Host, Run, assert_same_lines, eventually, proc};

fn exit_of(host: &Host, run: &Run) -> Json {
    let event = host.wait_exited(&run.run_id);
    assert_eq!(event["status"], "exited", "{event}");
    assert_eq!(host.info(run)["exit"], event["exit"]);
    event["exit"].clone()
}

#[test]
fn every_exit_code_arrives() {
    let host = Host::start();
    for codes in (0..=255).collect::<Vec<i32>>().chunks(16) {
        let runs: Vec<(i32, Run)> = codes.iter().map(|code| (*code, host.run_line(&format!("exit {code}")))).collect();
        for (code, run) in runs {
            assert_eq!(exit_of(&host, &run), json!({"code": code, "signal": null}));
            host.ask("remove", json!({"target": run.run_id}));
        }
    }
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}

#[test]
fn the_signal_that_ended_a_program_arrives() {
    let host = Host::start();
    for signal in [1, 2, 3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 24, 31, 34, 50, 64] {
        let run = host.run(json!({"cmd": ["sh", "-c", format!("ulimit -c 0; kill -{signal} $$; sleep 1000")]}));
        assert_eq!(exit_of(&host, &run), json!({"code": null, "signal": signal}));
    }
}

#[test]
fn a_stopped_program_has_not_ended_and_can_be_killed() {
    let host = Host::start();
    let run = host.run_line("echo before; kill -STOP $$; echo after; exit 5");
    host.wait_pattern(&run, "before");
    eventually("it is stopped", || proc::stat(run.pid).is_some_and(|s| s.state == 'T'));
    assert_eq!(host.info(&run)["status"], "active");
    assert_eq!(host.ask("kill", json!({"target": run.run_id, "signal": "CONT", "grace_ms": 30_000}))["killed"], 1);
    assert_eq!(host.wait_exited(&run.run_id)["exit"], json!({"code": 5, "signal": null}));
    let run = host.run_line("kill -STOP $$; exit 5");
    eventually("it is stopped", || proc::stat(run.pid).is_some_and(|s| s.state == 'T'));
    assert_eq!(host.ask("kill", json!({"target": run.run_id, "grace_ms": 30_000}))["killed"], 1);
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["signal"], 1, "the hangup woke it");
}

/// Neovim's own `:terminal` loses last lines at exit (neovim#37982): the exit was seen before the terminal had
/// been read to its end.
#[test]
fn the_last_line_is_always_there_and_the_exit_comes_after_it() {
    const RUNS: usize = 200;
    const AT_ONCE: usize = 8;
    let host = Host::start();
    let bytes: usize = (1..=100_000).map(|n: u32| n.to_string().len() + 2).sum();
    let mut started = Vec::new();
    for number in 0..RUNS + AT_ONCE {
        if number < RUNS {
            started.push(host.run_seen("seq 100000; exit"));
        }
        if number >= AT_ONCE {
            let run = &started[number - AT_ONCE];
            host.wait_exited(&run.run_id);
            let state = host.state();
            let view = &state.views[&run.run_id];
            assert_eq!(view.screen().last().map(String::as_str), Some("100000"), "run {number}");
            let ours =
                |arrival: &&Json| arrival["frame"] == run.run_id.as_str() || arrival["run_id"] == run.run_id.as_str();
            let last = state.arrivals.iter().rfind(ours).unwrap();
            assert_eq!(last["type"], "run_exited", "something of the run came after its exit");
            drop(state);
            assert_eq!(host.info(run)["bytes"], bytes, "run {number}");
            host.ask("remove", json!({"target": run.run_id}));
        }
    }
}

#[test]
fn output_of_any_size_is_whole_before_the_exit_is_told() {
    let host = Host::start();
    for size in [0, 1, 2, 4095, 4096, 4097, 65_536, 1_000_000, 20_000_000] {
        // Lines of 100 bytes, without a terminal's translations.
        let line = format!("stty raw; head -c {size} /dev/zero | tr '\\0' x | fold -w 99; printf END");
        let run = host.run(json!({"cmd": line}));
        host.wait_exited(&run.run_id);
        let breaks = if size == 0 { 0 } else { (size - 1) / 99 };
        assert_eq!(host.info(&run)["bytes"], size + breaks + 3, "{size}");
        assert!(host.text(&run).last().unwrap().ends_with("END"), "{size}");
    }
}

#[test]
fn what_is_within_the_transcripts_limit_comes_back_byte_by_byte() {
    let host = Host::start();
    let lines: Vec<String> = (0..3000).map(|n| format!("{n}{}", " äöü€😀".repeat(n % 7))).collect();
    let file = host.home().write("lines", &(lines.join("\n") + "\n"));
    let run = host.run(json!({"cmd": ["cat", file.to_str().unwrap()], "attach": "ansi"}));
    host.wait_exited(&run.run_id);
    assert_same_lines("the transcript", &host.text(&run), &lines);
}

#[test]
fn over_500_kb_the_transcript_is_cut_to_its_last_half_and_says_so() {
    let host = Host::start();
    let run = host.run_line("seq 1 200000");
    host.wait_exited(&run.run_id);
    let text = host.text(&run);
    assert_eq!(text.last().unwrap(), "200000");
    let first: usize = text[0].parse().expect("it is cut at a line's start");
    assert!(first > 1);
    assert_eq!(text.len(), 200_000 - first + 1, "no line is missing from there on");
    let snapshot = host.ask("snapshot", json!({"run_id": run.run_id}));
    let dropped: usize = (1..first).map(|n| n.to_string().len() + 1).sum();
    assert_eq!(snapshot["truncated_bytes"], dropped);
    let line = format!("[Session {}] Buffer exceeded 500KB limit, truncating to last 250KB", &run.session_id[..8]);
    eventually(&line, || host.home().log().contains(&line));
}

#[test]
fn a_timeout_ends_a_run_and_says_which_it_was() {
    let host = Host::start();
    let whole = host.run(json!({"cmd": "yes", "timeout_ms": 300}));
    let idle = host.run(json!({"cmd": "echo once; exec sleep 1000", "idle_timeout_ms": 300}));
    for (run, word) in [(&whole, "timeout of 300ms"), (&idle, "idle timeout of 300ms")] {
        let event = host.wait_exited(&run.run_id);
        assert_eq!(event["status"], "timed_out", "{event}");
        assert_eq!(event["exit"]["signal"], 1, "{event}");
        assert!(event["reason"].as_str().unwrap().contains(word), "{event}");
        assert!(event["duration_ms"].as_u64().unwrap() >= 300, "{event}");
        assert_eq!(host.info(run)["status"], "timed_out");
    }
}

/// A program may close its terminal and go on: to hang the terminal up then would kill it, as it once did.
#[test]
fn a_program_that_closes_its_terminal_lives_on_and_may_open_it_again() {
    let host = Host::start();
    let run = host.run_line("exec </dev/null >/dev/null 2>&1; sleep 0.5; echo back >/dev/tty; exit 7");
    host.wait_pattern(&run, "back");
    assert_eq!(exit_of(&host, &run), json!({"code": 7, "signal": null}));
}
