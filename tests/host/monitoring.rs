//! What runs use: told of whole trees, when somebody asks.

use serde_json::json;

use crate::support::{Host, eventually_some};

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
