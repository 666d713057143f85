//! What happens while another binary is being put in the daemon's place: nothing of it is lost, and nothing waits.

use std::{os::unix::net::UnixStream, path::PathBuf, sync::Arc};

use nix::sys::signal::Signal;
use rmpv::Value;
use serde_json::{Value as Json, json};

use crate::support::{Client, Daemon, Home, TERMI, eventually, from_json, proc};

/// A binary that goes on with a state once it is released, and the pipe that releases it. Until then every run stands
/// still.
fn held(home: &Arc<Home>) -> (PathBuf, PathBuf) {
    let gate = home.fifo("gate");
    let text = format!(
        "#!/bin/sh\nif [ \"$2\" = --check-state ]; then read go <'{}' || exit 1; fi\nexec '{TERMI}' \"$@\"\n",
        gate.display()
    );
    (home.write("held", &text), gate)
}

/// Whether the daemon has asked the binary whether it can go on.
fn is_asked(home: &Home) -> bool {
    home.processes().into_iter().any(|pid| proc::arguments(pid).iter().any(|word| word == "--check-state"))
}

/// Which process this is, in the same place; null where the connection is closed by the exec before it is answered.
fn generation(daemon: &Daemon) -> Json {
    let Some(client) = daemon.try_connect() else { return Json::Null };
    let _ = client.call("initialize", json!({"protocol": 1}));
    client.call("join", json!({"protocol": 1})).map_or(Json::Null, |reply| reply["generation"].clone())
}

fn name_of(client: &Client, session: &Json) -> Json {
    client.ask("sessions", json!({}))[session.as_str().unwrap()]["name"].clone()
}

/// The signal had waited until the replacement was given up.
#[test]
fn a_signal_ends_the_daemon_at_any_moment_of_it() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    client.ask("run", json!({"cmd": "exec sleep 1000"}));
    let (binary, _gate) = held(&home);
    let _replacement = client.begin("replace", json!({"binary": binary}));
    eventually("it stands still", || is_asked(&home));
    proc::signal(daemon.pid(), Signal::SIGTERM);
    eventually("it is over, with all that it ran", || home.processes().is_empty());
    let log = home.log();
    assert!(log.contains("daemon ends: a signal") && !log.contains("not replaced"), "{log}");
}

/// A change was acknowledged, and was not among what the next process took up.
#[test]
fn a_change_that_is_acknowledged_is_not_lost() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let run = client.ask("run", json!({"cmd": "exec sleep 1000", "name": "before"}));
    let over = client.ask("run", json!({"cmd": "true", "name": "over"}));
    client.wait_exited(over["run_id"].as_str().unwrap());
    let (binary, gate) = held(&home);
    let _replacement = client.begin("replace", json!({"binary": binary}));
    eventually("it stands still", || is_asked(&home));
    let rename = client.begin("rename", json!({"target": run["session_id"], "name": "after"}));
    let remove = client.begin("remove", json!({"target": "over"}));
    let template = client.begin("templates", json!({"set": {"late": {"cmd": "true"}}}));
    // An answer to this comes behind theirs, if these are answered at all.
    let _ = client.call("initialize", json!({"protocol": 1}));
    home.release(&gate);
    let (rename, remove, template) = (rename.answer(), remove.answer(), template.answer());
    eventually("the other has taken over", || generation(&daemon) == 1);
    let client = daemon.connect();
    if rename.is_ok() {
        assert_eq!(name_of(&client, &run["session_id"]), "after");
    }
    if remove.is_ok() {
        assert_eq!(name_of(&client, &over["session_id"]), Json::Null);
    }
    if template.is_ok() {
        assert!(client.ask("templates", json!({}))["templates"].as_object().unwrap().contains_key("late"));
    }
    // The same again is done.
    client.ask("rename", json!({"target": run["session_id"], "name": "at last"}));
    assert_eq!(name_of(&client, &run["session_id"]), "at last");
}

#[test]
fn who_comes_while_it_waits_is_served_and_a_restart_is_over_first() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let line = "trap 'echo asked' HUP; trap '' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let run = client.ask("run", json!({"cmd": line, "name": "stubborn"}));
    let until = |pattern: &str| json!({"target": "stubborn", "until": {"pattern": pattern}, "timeout_ms": 30_000});
    client.ask("wait", until("^ready$"));
    let restart = client.begin("restart", json!({"target": "stubborn"}));
    client.ask("wait", until("^asked$"));
    let other = daemon.connect();
    let _replacement = other.begin("replace", json!({"binary": TERMI}));
    other.wait_event("it has begun", |event| event["type"] == "replacing" && event["begins"] == true);
    // The program has its grace, in which the replacement waits, and this one does not.
    assert_eq!(generation(&daemon), 0);
    assert_eq!(
        other.refusal("replace", json!({"binary": TERMI})).message,
        "the daemon stays as it is: another replacement is under way; try again in a moment"
    );
    let restarted = restart.answer().expect("the restart is seen through");
    eventually("the other has taken over", || generation(&daemon) == 1);
    let client = daemon.connect();
    let sessions = client.ask("sessions", json!({}));
    let info = &sessions[run["session_id"].as_str().unwrap()]["processes"][0];
    assert_eq!((&info["status"], &info["pid"]), (&json!("active"), &restarted["pid"]));
    assert!(proc::alive(i32::try_from(info["pid"].as_i64().unwrap()).unwrap()));
    assert_eq!(client.ask("restart", json!({"target": "stubborn"}))["run_id"], run["run_id"], "it is in no restart");
}

/// What `up` had still to start was refused, as the daemon was just being replaced.
#[test]
fn an_up_is_over_first() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    client.ask(
        "templates",
        json!({"set": {
            "first": {"cmd": "read x; sleep 0.5; echo now; exec sleep 1000"},
            "second": {"cmd": "exec sleep 1000", "after": [{"template": "first", "until": {"pattern": "^now$"}}]},
        }}),
    );
    let up = client.begin("up", json!({}));
    let event = client.wait_event("the first has started", |event| event["type"] == "run_started");
    let other = daemon.connect();
    let _replacement = other.begin("replace", json!({"binary": TERMI}));
    other.wait_event("it has begun", |event| event["type"] == "replacing" && event["begins"] == true);
    client.input(event["run_id"].as_str().unwrap(), "\r");
    let answer = up.answer().expect("it is answered by who was asked");
    let started: Vec<_> = answer["started"].as_array().unwrap().iter().map(|one| one["template"].clone()).collect();
    assert_eq!((started, &answer["failed"]), (vec![json!("first"), json!("second")], &json!([])));
    eventually("the other has taken over", || generation(&daemon) == 1);
    assert_eq!(daemon.connect().ask("sessions", json!({})).as_object().unwrap().len(), 2);
}

/// A run that ended between the copy of the table and its own was taken up as one that had not, for ever.
#[test]
fn what_ends_during_it_has_ended_afterwards() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    for count in 1..=60 {
        let line = format!("sleep 0.{:03}", 100 + count * 10);
        client.ask("run", json!({"cmd": line, "name": format!("n{count}")}));
    }
    for _ in 0..4 {
        assert!(daemon.command(&["daemon", "--replace"]).status().unwrap().success());
    }
    let client = daemon.connect();
    eventually("all have ended", || {
        let sessions = client.ask("sessions", json!({}));
        sessions.as_object().unwrap().values().all(|session| session["processes"][0]["status"] == "exited")
    });
    assert_eq!(client.ask("remove", json!({"target": "all"})), json!({"removed": 60}));
    assert_eq!(client.ask("sessions", json!({})), json!({}));
}

/// A call by notification has its answer in a message of its own, and that was not waited for: to the next process it was
/// not carried out, and its client did it a second time.
#[test]
fn a_call_by_notification_is_under_way_until_its_answer_is_out() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let other = daemon.connect();
    let full = other.ask("run", json!({"cmd": "seq 40000; exec sleep 1000"}));
    let typed = other.ask("run", json!({"cmd": "read x; echo $x >>typed; exec sleep 1000"}));
    other.ask("wait", json!({"target": full["run_id"], "until": {"pattern": "^40000$"}}));
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    let mut post = |message: Value| rmpv::encode::write_value(&mut stream, &message).unwrap();
    let request = |id: u64, method: &str, params: Json| {
        Value::Array(vec![0.into(), id.into(), method.into(), Value::Array(vec![from_json(&params)])])
    };
    post(request(1, "join", json!({"protocol": 1})));
    post(request(2, "initialize", json!({"protocol": 1})));
    // It reads nothing: what it asks for fills the socket.
    for id in 10..40 {
        post(request(id, "snapshot", json!({"run_id": full["run_id"], "format": "spans", "scrollback": 40_000})));
    }
    let send = json!({"target": typed["run_id"], "data": "once", "enter": true});
    let call = from_json(&json!({"id": 5, "method": "send", "params": send}));
    post(Value::Array(vec![2.into(), "call".into(), Value::Array(vec![call])]));
    eventually("it is carried out", || home.path().join("typed").exists());
    let before = other.ask("join", json!({"protocol": 1}))["generation"].as_u64().unwrap();
    assert!(daemon.command(&["daemon", "--replace"]).status().unwrap().success());
    let after = daemon.connect().ask("join", json!({"protocol": 1}));
    assert_eq!(after["generation"], before + 1);
    let since = after["answered_since"].as_u64();
    assert!(since.is_none_or(|since| since > before), "it may have been carried out: {after}");
}

/// The next message of the host that is a request: its id, its method and its parameters.
fn next_request(stream: &mut UnixStream) -> (u64, String, Json) {
    loop {
        let Value::Array(message) = rmpv::decode::read_value(stream).unwrap() else { panic!("no message") };
        if message[0].as_u64() == Some(0) {
            let params = crate::support::to_json(&message[3])[0].clone();
            return (message[1].as_u64().unwrap(), message[2].as_str().unwrap().to_owned(), params);
        }
    }
}

/// Clients had a moment to hear of it: what one sent that heard of it later was lost. Now each is waited for until it
/// has answered, one that comes meanwhile too.
#[test]
fn what_a_client_sends_before_it_takes_note_arrives() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let other = daemon.connect();
    let run = other.ask("run", json!({"cmd": "stty -echo; echo begun; exec cat >taken"}));
    other.ask("wait", json!({"target": run["run_id"], "until": {"pattern": "begun"}}));
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    let mut late = slow.try_clone().unwrap();
    let mut post = |message: Vec<Value>| rmpv::encode::write_value(&mut slow, &Value::Array(message)).unwrap();
    let args = |params: Json| Value::Array(vec![from_json(&params)]);
    post(vec![0.into(), 1.into(), "initialize".into(), args(json!({"protocol": 1}))]);
    let generation = other.ask("join", json!({"protocol": 1}))["generation"].as_u64().unwrap();
    let (binary, gate) = held(&home);
    eventually("it is registered", || {
        rmpv::decode::read_value(&mut late).is_ok_and(|answer| answer[0].as_u64() == Some(1))
    });
    let _replacement = other.begin("replace", json!({"binary": binary}));
    let (id, method, event) = next_request(&mut late);
    assert_eq!((method.as_str(), &event["type"], &event["begins"]), ("event", &json!("replacing"), &json!(true)));
    let newcomer = daemon.connect();
    newcomer.wait_for("it is to wait as well", |state| {
        state.events.iter().find(|event| event["type"] == "replacing" && event["begins"] == true).cloned()
    });
    // As long as it took that much, and longer, runs stood still.
    let until = std::time::Instant::now() + std::time::Duration::from_millis(400);
    while std::time::Instant::now() < until && !is_asked(&home) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for line in ["one\n", "two\n"] {
        post(vec![2.into(), "input".into(), args(json!({"run_id": run["run_id"], "data": line}))]);
    }
    post(vec![1.into(), id.into(), Value::Nil, true.into()]);
    home.release(&gate);
    eventually("the other has taken over", || generation_is(&daemon, generation + 1));
    eventually("all of it has arrived", || {
        std::fs::read_to_string(home.path().join("taken")).is_ok_and(|taken| taken == "one\ntwo\n")
    });
}

fn generation_is(daemon: &Daemon, number: u64) -> bool {
    generation(daemon).as_u64() == Some(number)
}
