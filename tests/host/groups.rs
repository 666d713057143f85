//! Groups and whole sessions: started, listed, typed into, started again and ended together.

use serde_json::{Value as Json, json};

use crate::support::{Host, Run, proc};

fn start(host: &Host, name: &str, group: &str) -> Run {
    let cmd = "echo ready; while read line; do echo \"heard <$line>\"; done";
    let run = host.run(json!({"cmd": cmd, "name": name, "group": group}));
    host.wait_pattern(&run, "ready");
    run
}

#[test]
fn a_group_is_typed_into_started_again_and_killed_as_one() {
    let host = Host::start();
    let web: Vec<Run> = ["a", "b"].iter().map(|name| start(&host, name, "web")).collect();
    let other = start(&host, "c", "data");
    let sent = host.ask("send", json!({"target": "group:web", "data": "both", "enter": true}));
    assert_eq!(sent, json!({"sent": 2, "refused": 0}));
    for run in &web {
        host.wait_pattern(run, "^heard <both>$");
    }
    let answer = host.ask("restart", json!({"target": "group:web"}));
    let restarted: Vec<&str> =
        answer["restarted"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap()).collect();
    assert_eq!(restarted, [web[0].run_id.as_str(), web[1].run_id.as_str()]);
    assert_eq!((&answer["run_id"], &answer["failed"]), (&json!(web[0].run_id), &json!([])));
    assert!(web.iter().all(|run| proc::gone(run.pid)));
    let sessions = host.ask("sessions", json!({}));
    let grouped = |group: &str| {
        let of_group = |session: &&Json| session["group"] == group;
        sessions
            .as_object()
            .unwrap()
            .values()
            .filter(of_group)
            .map(|s| s["active_processes"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((grouped("web"), grouped("data")), (2, 1));
    assert_eq!(host.ask("kill", json!({"target": "group:web"}))["killed"], 2);
    assert_eq!(host.info(&other)["status"], "active");
    assert!(!host.text(&other).join("").contains("both"));
    let refusal = host.refusal("send", json!({"target": "group:web", "data": "x"}));
    assert_eq!(refusal.code, "not_found");
    assert!(refusal.message.contains("restart"), "{}", refusal.message);
    for method in ["send", "restart", "kill"] {
        let refusal = host.refusal(method, json!({"target": "group:none", "data": ""}));
        assert_eq!(refusal.code, "not_found", "{method}");
        assert!(refusal.message.contains("\"none\""), "{}", refusal.message);
    }
}

#[test]
fn a_restart_of_a_session_is_of_its_active_runs_or_else_its_newest() {
    let host = Host::start();
    let first = start(&host, "many", "g");
    let ended = host.run(json!({"cmd": "exit 4", "session": "many"}));
    host.wait_exited(&ended.run_id);
    let second = host.run(json!({"cmd": "exec sleep 1000", "session": "many"}));
    let ids = |answer: &Json| -> Vec<Json> {
        answer["restarted"].as_array().unwrap().iter().map(|run| run["run_id"].clone()).collect()
    };
    let answer = host.ask("restart", json!({"target": "many"}));
    assert_eq!(ids(&answer), [json!(first.run_id), json!(second.run_id)]);
    assert_eq!(host.info(&ended)["status"], "exited");
    assert_eq!(host.ask("kill", json!({"target": "many"}))["killed"], 2);
    let answer = host.ask("restart", json!({"target": "many"}));
    assert_eq!(ids(&answer), [json!(second.run_id)], "nothing is active: the newest");
}

#[test]
fn a_restart_tells_which_of_several_failed() {
    let host = Host::start();
    let script = host.home().write("script", "#!/bin/sh\necho ready; exec sleep 1000\n");
    let bad = host.run(json!({"cmd": [script.to_str().unwrap()], "name": "bad", "group": "g"}));
    host.wait_pattern(&bad, "ready");
    let good = start(&host, "good", "g");
    std::fs::remove_file(&script).unwrap();
    let answer = host.ask("restart", json!({"target": "group:g"}));
    assert_eq!(answer["run_id"], good.run_id.as_str());
    assert_eq!(answer["failed"][0]["run_id"], bad.run_id.as_str());
    assert_eq!(answer["failed"][0]["error"]["code"], "program_not_found");
}

#[test]
fn what_is_sent_is_typed_or_pasted_with_or_without_the_return_key() {
    let host = Host::start();
    let run = start(&host, "one", "g");
    host.ask("send", json!({"target": "one", "data": "half "}));
    host.ask("send", json!({"target": "one", "data": "line\n"}));
    host.wait_pattern(&run, "^heard <half line>$");
    host.ask("send", json!({"target": format!("one:{}", run.run_id), "data": "a\nb", "paste": true, "enter": true}));
    host.wait_pattern(&run, "^heard <a>$");
    host.wait_pattern(&run, "^heard <b>$");
    host.ask("send", json!({"target": "all", "enter": true}));
    host.wait_pattern(&run, "^heard <>$");
}
