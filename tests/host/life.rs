//! After the start: restart, dismissal, shutdown, the log.

use serde_json::json;

use crate::support::{Home, Host, eventually, proc};

#[test]
fn a_restart_keeps_the_run_and_its_text_and_has_a_new_process() {
    let host = Host::start();
    let run = host
        .run(json!({"cmd": "echo \"started in $TERMI_TERMINAL\"; exec sleep 1000", "name": "again", "attach": "ansi"}));
    host.wait_pattern(&run, "started in");
    let answer = host.ask("restart", json!({"target": "again"}));
    assert_eq!(answer["run_id"], run.run_id.as_str());
    assert_eq!(answer["session_id"], run.session_id.as_str());
    assert_ne!(answer["pid"], run.pid);
    assert_ne!(answer["terminal_name"], run.reply["terminal_name"]);
    assert!(proc::gone(run.pid));
    let event = host.wait_event("run_restarted", |event| event["type"] == "run_restarted");
    assert_eq!((&event["run_id"], &event["pid"]), (&json!(run.run_id), &answer["pid"]));
    let new = format!("started in {}", answer["terminal_name"].as_str().unwrap());
    let old = format!("started in {}", run.reply["terminal_name"].as_str().unwrap());
    eventually("both starts are in the text", || {
        let text = host.text(&run).join("");
        text.contains(&new) && text.contains(&old)
    });
    let info = host.info(&run);
    assert_eq!((&info["status"], &info["exit"], &info["pid"]), (&json!("active"), &json!(null), &answer["pid"]));
    host.wait_for("the view shows the new start", |state| {
        state.views[&run.run_id].screen().join("").contains(&new).then_some(())
    });
    // Its first end was told before, and the second is told as well.
    assert_eq!(host.ask("kill", json!({"target": "again"}))["killed"], 1);
    host.wait_for("two ends", |state| {
        let ends = state.events.iter().filter(|event| event["type"] == "run_exited").count();
        (ends == 2).then_some(())
    });
}

#[test]
fn a_run_that_has_ended_can_be_started_again() {
    let host = Host::start();
    let counter = host.home().write("count", "");
    let line = format!("echo x >>{0}; test $(wc -l <{0}) = 2", counter.display());
    let run = host.run_line(&line);
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["code"], 1);
    host.ask("restart", json!({"target": run.run_id}));
    host.wait_event("the second end", |event| event["type"] == "run_exited" && event["exit"]["code"] == 0);
}

#[test]
fn a_restart_that_fails_says_why_and_leaves_the_run_as_it_was() {
    let host = Host::start();
    let script = host.home().write("script", "#!/bin/sh\necho ran\n");
    let run = host.run(json!({"cmd": [script.to_str().unwrap()]}));
    host.wait_exited(&run.run_id);
    std::fs::remove_file(&script).unwrap();
    let refusal = host.refusal("restart", json!({"target": run.run_id}));
    assert_eq!(refusal.code, "program_not_found");
    assert!(refusal.message.contains(script.to_str().unwrap()));
    let info = host.info(&run);
    assert_eq!((&info["status"], &info["exit"]["code"]), (&json!("exited"), &json!(0)));
    assert_eq!(host.text(&run), ["ran"]);
}

#[test]
fn only_what_has_ended_can_be_dismissed() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "exec sleep 1000", "name": "busy"}));
    let refusal = host.refusal("remove", json!({"target": "busy"}));
    assert_eq!(refusal.code, "still_running");
    assert!(refusal.message.contains("kill it first"), "{}", refusal.message);
    assert_eq!(host.ask("remove", json!({"target": "all"})), json!({"removed": 0}));
    let ended = host.run(json!({"cmd": "true", "name": "idle"}));
    host.wait_exited(&ended.run_id);
    assert_eq!(host.ask("remove", json!({"target": "all"})), json!({"removed": 1}), "whoever still runs stays");
    let event = host.wait_event("session_removed", |event| event["type"] == "session_removed");
    assert_eq!((&event["session_id"], &event["session_name"]), (&json!(ended.session_id), &json!("idle")));
    host.ask("kill", json!({"target": run.run_id}));
    assert_eq!(host.ask("remove", json!({"target": "busy"})), json!({"removed": 1}));
    assert_eq!(host.ask("sessions", json!({})), json!({}));
    assert_eq!(host.refusal("snapshot", json!({"run_id": run.run_id})).code, "not_found");
}

#[test]
fn a_run_can_be_dismissed_from_a_session_that_goes_on() {
    let host = Host::start();
    let stays = host.run(json!({"cmd": "exec sleep 1000", "name": "both"}));
    let goes = host.run(json!({"cmd": "true", "session": "both"}));
    host.wait_exited(&goes.run_id);
    assert_eq!(host.ask("remove", json!({"target": format!("both:{}", goes.run_id)})), json!({"removed": 1}));
    assert_eq!(host.ask("sessions", json!({}))[&stays.session_id]["run_ids"], json!([stays.run_id]));
}

#[test]
fn shutdown_ends_stubborn_programs_too_and_takes_no_new_ones() {
    let mut host = Host::start();
    let run = host.run_line("trap '' HUP TERM; echo ready; while :; do sleep 1000; done");
    host.wait_pattern(&run, "ready");
    let shutdown = host.begin("shutdown", json!({}));
    let late = host.begin("run", json!({"cmd": "true"}));
    assert_eq!(shutdown.answer(), Ok(json!({})));
    assert!(!proc::alive(run.pid));
    if let Err(refusal) = late.answer() {
        assert!(["shutting_down", "closed"].contains(&refusal.code.as_str()), "{refusal:?}");
    }
    assert!(host.wait_end().success());
    assert!(!host.socket().exists(), "its socket is gone");
}

#[test]
fn each_line_of_the_log_says_whose_it_is() {
    let home = Home::new();
    let host = home.host().start();
    let run = host.run_line("exit 3");
    host.wait_exited(&run.run_id);
    drop(host);
    let log = home.log();
    let whose = format!("[Session {}] ", &run.session_id[..8]);
    for line in log.lines() {
        assert!(line.contains("[Default] ") || line.contains(&whose), "{line}");
    }
    for line in ["[Default] host started", "[Default] host ends"] {
        assert!(log.contains(line), "{line:?} is not in:\n{log}");
    }
    for line in ["Using PTY with shell: /bin/sh", "exit exited with code 3"] {
        assert!(log.contains(&format!("{whose}{line}")), "{line:?} is not in:\n{log}");
    }
    assert!(!log.contains("DEBUG"), "details only when asked for");
}

#[test]
fn the_log_has_details_of_sessions_and_streams_when_asked_for() {
    let home = Home::new();
    let host = home.host().env("TERMI_STREAM_DEBUG", "1").start();
    let run = host.run_line("echo 12345");
    host.wait_exited(&run.run_id);
    drop(host);
    let (log, whose) = (home.log(), format!("[Session {}] ", &run.session_id[..8]));
    let details = log.lines().filter(|line| line.contains("DEBUG") && line.contains(&whose));
    assert!(details.clone().any(|line| line.contains("output") && line.contains("bytes=7")), "{log}");
}
