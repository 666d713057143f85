//! What runs use: told of whole trees, when somebody asks.

use std::time::Instant;

use serde_json::json;

use crate::support::{Host, eventually, eventually_some, proc};

#[test]
fn a_trees_processor_and_memory_are_told_for_runs_and_sessions() {
    let host = Host::start();
    // The program itself does nothing: its children do.
    let busy = "(while :; do :; done) & head -c 50000000 /dev/zero | tail | sleep 1000 & echo started; wait";
    let run = host.run(json!({"cmd": busy, "name": "busy"}));
    let quiet = host.run(json!({"cmd": "exec sleep 1000", "session": "busy"}));
    host.wait_pattern(&run, "started");
    let info = eventually_some("it is seen to be busy", || {
        let info = host.info(&run);
        let uses = |key: &str, least: f64| info[key].as_f64().is_some_and(|value| value > least);
        (uses("cpu_percent", 5.0) && uses("memory_bytes", 50e6)).then_some(info)
    });
    assert!(info["process_count"].as_u64().unwrap() >= 4, "{info}");
    let session = host.ask("sessions", json!({}))[&run.session_id].clone();
    let sum =
        |key: &str| session["processes"].as_array().unwrap().iter().map(|run| run[key].as_f64().unwrap()).sum::<f64>();
    assert!((session["cpu_percent"].as_f64().unwrap() - sum("cpu_percent")).abs() < 0.2, "{session}");
    assert!((session["memory_bytes"].as_f64().unwrap() - sum("memory_bytes")).abs() < 1.0, "{session}");
    assert!((session["bytes"].as_f64().unwrap() - sum("bytes")).abs() < 1.0, "{session}");
    assert!(session["created_at"].as_u64() <= info["started_at"].as_u64(), "{session}");
    let quiet = host.info(&quiet);
    assert!(quiet["cpu_percent"].as_f64().unwrap() < 5.0 && quiet["process_count"] == 1, "{quiet}");
    host.ask("kill", json!({"target": "busy", "signal": "KILL"}));
    let session = host.ask("sessions", json!({}))[&run.session_id].clone();
    assert_eq!((&session["memory_bytes"], &session["cpu_percent"]), (&json!(null), &json!(null)));
}

/// As make, shells and runners of tests are: no process of it is there for long.
#[test]
fn the_processor_time_of_children_that_have_ended_is_told_as_the_kernel_counts_it() {
    let host = Host::start();
    let run = host.run_line("while :; do head -c 1000000 /dev/zero | sha256sum >/dev/null; done");
    // The shell waits for all its children. Each look with what the kernel says before and after it.
    let look = || {
        let before = (Instant::now(), proc::cpu_seconds(run.pid));
        let percent = host.info(&run)["cpu_percent"].as_f64().unwrap();
        (before, percent, (Instant::now(), proc::cpu_seconds(run.pid)))
    };
    let first = look();
    eventually("it has used enough to compare", || proc::cpu_seconds(run.pid) > first.2.1 + 1.5);
    let second = look();
    let least = (second.0.1 - first.2.1) / (second.2.0 - first.0.0).as_secs_f64() * 100.0;
    let most = (second.2.1 - first.0.1) / (second.0.0 - first.2.0).as_secs_f64() * 100.0;
    let percent = second.1;
    assert!((least * 0.95..most * 1.05).contains(&percent), "{percent} %, by the kernel {least} to {most} %");
}
