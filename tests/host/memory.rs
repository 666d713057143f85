//! The host's memory, whatever programs print, and the limits on what it keeps.

use std::fs;

use serde_json::json;

use crate::support::{Host, Run, eventually};

/// Resident memory of the host in bytes, as the kernel counts it.
fn resident(host: &Host) -> u64 {
    kernels_count(host, "VmRSS:")
}

fn kernels_count(host: &Host, of: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// What one attack may cost the host for good, whatever it printed: buffers and a transcript.
const ROOM: u64 = 12 << 20;

/// And for the time that it is on the screen and on its way to the client: a link of 2 kB in each cell is 4 MB.
const ROOM_AT_WORST: u64 = 48 << 20;

/// Has the attack printed by a program, and sees that the host's memory holds and its screen is right after it.
fn survives(attack: &str) {
    let host = Host::start();
    let first = host.run_line("echo first; read x");
    host.wait_pattern(&first, "^first$");
    let before = resident(&host);
    let run = host.run_seen(&format!(r"{attack}; printf '\007\033\\\033[H\033[2Jback\033]0;fine\007'; read x"));
    host.wait_screen(&run.run_id, "the screen after it", |screen| screen == ["back"]);
    let most = kernels_count(&host, "VmHWM:");
    assert!(most < before + ROOM_AT_WORST, "from {before} to {most} bytes in {attack}");
    eventually("its memory is given back", || resident(&host) < before + ROOM);
    let info = host.info(&run);
    assert_eq!(info["title"], "fine");
    assert!(info["bytes"].as_u64().unwrap() > 10_000_000, "{info}");
    host.input(&first.run_id, "\r");
    host.wait_exited(&first.run_id);
}

#[test]
fn an_endless_osc_costs_nothing() {
    survives(r"printf '\033]0;'; head -c 16000000 /dev/zero | tr '\0' x");
    survives(r"printf '\033]52;c;'; head -c 16000000 /dev/zero | tr '\0' A");
}

#[test]
fn an_endless_dcs_or_apc_costs_nothing() {
    survives(r"printf '\033P'; head -c 16000000 /dev/zero | tr '\0' x");
    survives(r"printf '\033_G'; head -c 16000000 /dev/zero | tr '\0' x");
}

#[test]
fn a_flood_of_combining_marks_costs_nothing() {
    survives(r#"printf a; yes "$(printf '\314\201\314\202\314\203')" | tr -d '\n' | head -c 12000000"#);
    survives(
        r#"yes "$(printf 'a\314\201\314\202\314\203\314\204\314\205\314\206\314\207\314\210')" | tr -d '\n' | head -c 12000000"#,
    );
}

#[test]
fn a_line_without_an_end_is_held_to_the_limit() {
    survives(r"head -c 12000000 /dev/zero | tr '\0' x");
}

#[test]
fn titles_links_questions_and_updates_without_end_cost_little() {
    survives(r#"yes "$(printf '\033[22t\033]0;title\007\033[>1u')" | head -c 12000000"#);
    survives(r#"awk 'BEGIN { for (i = 0; i < 6000; i++) printf "\033]8;;http://%01900d/\007x", i }'"#);
    survives(
        r#"stty -echo; awk 'BEGIN { for (i = 0; i < 550000; i++) printf "\033[c\033[6n\033]11;?\007\033]9;x\007" }'"#,
    );
    survives(r#"awk 'BEGIN { for (i = 0; i < 400000; i++) printf "\033[?2026hthe screen of an update\r\n" }'"#);
}

#[test]
fn a_session_costs_little_whatever_it_printed() {
    const SESSIONS: u64 = 40;
    let host = Host::start();
    host.ask("sessions", json!({}));
    let before = resident(&host);
    let line = r#"awk 'BEGIN { for (i = 0; i < 40000; i++) printf "\033[3%dmline %d\033[m of a log \033[1mthat is long enough\033[m to be one %d\r\n", i % 8, i, i * i }'; read x"#;
    let runs: Vec<Run> = (0..SESSIONS).map(|_| host.run_line(line)).collect();
    for run in &runs {
        host.wait_pattern(run, "line 39999 ");
    }
    let cost = resident(&host).saturating_sub(before) / SESSIONS;
    assert!(cost < 1_200_000, "{cost} bytes a session");
    for run in &runs {
        assert!(host.text(run).len() > 1000, "it holds text");
    }
}

#[test]
fn what_sessions_took_goes_back_to_the_system_with_them() {
    let host = Host::start();
    host.ask("sessions", json!({}));
    let before = resident(&host);
    let runs: Vec<Run> = (0..40).map(|_| host.run_line("seq 200000; read x")).collect();
    for run in &runs {
        host.wait_pattern(run, "^200000$");
    }
    let full = resident(&host) - before;
    host.ask("kill", json!({"target": "all"}));
    host.ask("remove", json!({"target": "all"}));
    // What is left is code that was not needed before.
    eventually("most of it is given back", || resident(&host) < before + full / 3);
}

/// The bytes of text that a run still has above its screen.
fn kept(host: &Host, run: &Run) -> usize {
    host.text(run).iter().map(|line| line.len() + 1).sum()
}

#[test]
fn over_its_limit_a_transcript_is_cut_and_the_log_says_so_as_ever() {
    let host = Host::start();
    let run = host.run_line("seq 200000; read x");
    host.wait_pattern(&run, "^200000$");
    let line = format!("[Session {}] Buffer exceeded 500KB limit, truncating to last 250KB", &run.session_id[..8]);
    eventually("the line in the log", || host.home().log().contains(&line));
    let snapshot = host.ask("snapshot", json!({"run_id": run.run_id, "scrollback": 1_000_000}));
    let lines = snapshot["lines"].as_array().unwrap();
    let first: u64 = lines[0].as_str().unwrap().parse().unwrap();
    let dropped: u64 = (1..first).map(|n| n.to_string().len() as u64 + 1).sum();
    assert_eq!(snapshot["truncated_bytes"], dropped, "to the byte, at a line's start");
}

#[test]
fn the_runs_of_a_session_share_its_limit() {
    let host = Host::start();
    let first = host.run(json!({"cmd": "seq 60000; read x", "name": "shared", "transcript_bytes": 400_000}));
    host.wait_pattern(&first, "^60000$");
    let alone = kept(&host, &first);
    assert!((70_000..400_000).contains(&alone), "{alone} bytes alone");
    let seq = "seq 60000; read x";
    let second = host.run(json!({"cmd": seq, "session": "shared"}));
    let third = host.run(json!({"cmd": seq, "session": "shared"}));
    for run in [&second, &third] {
        host.wait_pattern(run, "^60000$");
    }
    eventually("the first has its share only", || kept(&host, &first) < 400_000 / 3);
    let all: usize = [&first, &second, &third].iter().map(|run| kept(&host, run)).sum();
    assert!(all < 400_000, "{all} bytes in all");
    assert!(kept(&host, &second) > 20_000);
    // Those that are dismissed leave their share to the others.
    for run in [&second, &third] {
        host.ask("kill", json!({"target": run.run_id}));
        host.ask("remove", json!({"target": run.run_id}));
    }
    let last = host.run(json!({"cmd": "echo", "session": "shared"}));
    host.wait_exited(&last.run_id);
    host.ask("remove", json!({"target": last.run_id}));
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_with_the_bounds() {
    let host = Host::start();
    for bytes in [0, 63_999, 64_000_001] {
        let refusal = host.refusal("run", json!({"cmd": "true", "transcript_bytes": bytes}));
        assert_eq!(refusal.code, "invalid_params");
        assert!(
            refusal.message.contains("transcript_bytes") && refusal.message.contains("64000"),
            "{}",
            refusal.message
        );
    }
    host.run(json!({"cmd": "read x", "name": "there"}));
    let refusal = host.refusal("run", json!({"cmd": "true", "session": "there", "transcript_bytes": 100_000}));
    assert!(refusal.message.contains("there") && refusal.message.contains("leave"), "{}", refusal.message);
    let info = host.ask("sessions", json!({}));
    assert_eq!(info.as_object().unwrap().len(), 1, "no session is left behind");
}
