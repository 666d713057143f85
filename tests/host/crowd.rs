//! Many sessions at once: each its own, none in the way of another.

use std::{collections::HashSet, thread};

use serde_json::json;

use crate::support::{Home, Host, Run, eventually, proc};

const SESSIONS: usize = 20;

#[test]
fn twenty_sessions_share_nothing() {
    let host = Host::start();
    // From several threads, as concurrent calls of a client.
    let start = |n: usize| {
        let line = format!("while :; do echo marker-{n:02}-marker; sleep 0.05; done");
        host.run(json!({"cmd": line, "attach": "ansi", "env": {"WHO": n.to_string()}}))
    };
    let runs: Vec<Run> = thread::scope(|scope| {
        let threads: Vec<_> = (0..SESSIONS).map(|n| scope.spawn(move || start(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for key in ["session_id", "run_id", "pid", "terminal_name", "process_name", "session_name"] {
        let values: HashSet<String> = runs.iter().map(|run| run.reply[key].to_string()).collect();
        assert_eq!(values.len(), SESSIONS, "{key}");
    }
    let terminals: HashSet<_> = runs.iter().map(|run| proc::descriptors(run.pid)[0].clone()).collect();
    assert_eq!(terminals.len(), SESSIONS, "each has a terminal of its own");
    for (n, run) in runs.iter().enumerate() {
        let marker = format!("marker-{n:02}-marker");
        host.wait_for("a screen full of its marker", |state| {
            let view = state.views.get(&run.run_id)?;
            (view.text().len() >= 10 && view.screen().iter().all(|row| *row == marker)).then_some(())
        });
    }
    assert_only_own_markers(&host, &runs);

    let victim = &runs[7];
    let answer = host.ask("kill", json!({"target": victim.session_id}));
    assert_eq!((&answer["killed"], &answer["total"]), (&json!(1), &json!(1)));
    host.wait_exited(&victim.run_id);
    let sessions = host.ask("sessions", json!({}));
    let active: u64 =
        sessions.as_object().unwrap().values().map(|session| session["active_processes"].as_u64().unwrap()).sum();
    assert_eq!(active, 19);
    let lines = |run: &Run| host.state().views[&run.run_id].text().len();
    for run in runs.iter().filter(|run| run.run_id != victim.run_id) {
        let before = lines(run);
        eventually("it prints on", || lines(run) > before);
    }
    assert_only_own_markers(&host, &runs);
    let ends: Vec<_> = host.state().events.iter().filter(|event| event["type"] == "run_exited").cloned().collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(host.ask("kill", json!({"target": "all", "signal": "KILL"}))["killed"], 19);
}

fn assert_only_own_markers(host: &Host, runs: &[Run]) {
    let state = host.state();
    for (n, run) in runs.iter().enumerate() {
        for other in (0..SESSIONS).filter(|other| *other != n) {
            let stray = format!("marker-{other:02}");
            assert!(!state.views[&run.run_id].data.contains(&stray), "{stray} in the view of {n}");
        }
    }
}

/// Fault 17. The host is given far fewer descriptors than it needs, and raises that; programs get what was given.
#[test]
fn five_hundred_sessions_at_once() {
    const MANY: usize = 500;
    const THREADS: usize = 10;
    let host = Home::new().host().by_shell("ulimit -Sn 256; exec \"$TERMI\" host").start();
    let before = proc::resident_bytes(host.pid());
    let runs: Vec<Run> = thread::scope(|scope| {
        let start = |thread: usize| {
            let host = &host;
            move || -> Vec<Run> {
                (0..MANY / THREADS)
                    .map(|n| host.run(json!({"cmd": ["cat"], "name": format!("s{thread}-{n}")})))
                    .collect()
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(start(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let active = |sessions: &serde_json::Value| -> u64 {
        sessions.as_object().unwrap().values().map(|session| session["active_processes"].as_u64().unwrap()).sum()
    };
    let sessions = host.ask("sessions", json!({}));
    assert_eq!((sessions.as_object().unwrap().len(), active(&sessions)), (MANY, MANY as u64));
    // All live: each says back what it is told.
    let sent = host.ask("send", json!({"target": "all", "data": "hello", "enter": true}));
    assert_eq!(sent, json!({"sent": MANY, "refused": 0}));
    for run in runs.iter().step_by(25).chain(runs.last()) {
        host.wait_pattern(run, "^hello$");
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", run.pid)).unwrap();
        let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert!(open_files.split_whitespace().nth(3) == Some("256"), "{open_files}");
    }
    let each = (proc::resident_bytes(host.pid()) - before) / MANY as u64;
    assert!(each < 500_000, "a session takes {each} bytes");
    let one = host.ask("kill", json!({"target": runs[250].session_id}));
    assert_eq!((&one["killed"], &one["total"]), (&json!(1), &json!(1)));
    let all = host.ask("kill", json!({"target": "all"}));
    assert_eq!((&all["killed"], &all["total"]), (&json!(MANY - 1), &json!(MANY - 1)));
    eventually("nothing is left", || proc::below(host.pid()).is_empty());
}

#[test]
fn many_runs_come_and_go_and_leave_nothing_behind() {
    let host = Host::start();
    let settled = || {
        eventually("no process is left", || proc::below(host.pid()).is_empty());
        proc::descriptors(host.pid()).len()
    };
    let batch = || {
        thread::scope(|scope| {
            for n in 0..8 {
                let host = &host;
                scope.spawn(move || {
                    for _ in 0..5 {
                        let run = host.run(json!({"cmd": format!("seq {n}; exit {n}"), "attach": "ansi"}));
                        assert_eq!(host.wait_exited(&run.run_id)["exit"]["code"], n);
                        host.ask("remove", json!({"target": run.run_id}));
                    }
                });
            }
        });
        settled()
    };
    let before = batch();
    for _ in 0..3 {
        assert_eq!(batch(), before, "descriptors leaked");
    }
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}
