//! Who is meant: names, ids, prefixes, groups; and what happens to names.

use serde_json::{Value as Json, json};

use crate::support::{Host, Run};

fn killed(host: &Host, target: &str) -> Json {
    host.ask("kill", json!({"target": target, "grace_ms": 1000}))
}

fn start(host: &Host, params: Json) -> Run {
    let mut whole = json!({"cmd": ["sleep", "1000"]});
    whole.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    host.run(whole)
}

fn one_of(count: u64) -> Json {
    json!({"killed": count, "total": count, "processes": count})
}

#[test]
fn a_session_goes_by_its_id_a_prefix_of_it_or_its_name() {
    let host = Host::start();
    let run = |name: &str| start(&host, json!({"name": name}));
    let (a, b, c) = (run("a-session"), run("b-session"), run("c-session"));
    let bystander = run("bystander");
    assert_eq!(killed(&host, &a.session_id), one_of(1));
    assert_eq!(killed(&host, &b.session_id[..12]), one_of(1));
    assert_eq!(killed(&host, "c-session"), one_of(1));
    for run in [&a, &b, &c] {
        assert_eq!(host.info(run)["status"], "killed");
    }
    assert_eq!(host.info(&bystander)["status"], "active");
}

#[test]
fn a_run_goes_by_its_session_and_its_id_or_by_its_id_alone() {
    let host = Host::start();
    let runs: Vec<Run> =
        (0..4).map(|n| start(&host, json!({(if n == 0 { "name" } else { "session" }): "many"}))).collect();
    assert_eq!(killed(&host, &format!("many:{}", runs[0].run_id)), one_of(1));
    assert_eq!(killed(&host, &format!("{}:{}", &runs[1].session_id[..10], &runs[1].run_id[..10])), one_of(1));
    assert_eq!(killed(&host, &runs[2].run_id), one_of(1));
    assert_eq!(host.info(&runs[3])["status"], "active");
}

#[test]
fn a_group_is_all_sessions_that_were_started_in_it() {
    let host = Host::start();
    let in_it: Vec<Run> = (0..3).map(|_| start(&host, json!({"group": "web"}))).collect();
    let other = start(&host, json!({"group": "db"}));
    assert_eq!(killed(&host, "group:web"), one_of(3));
    for run in &in_it {
        assert_eq!(host.info(run)["exit"], json!({"code": null, "signal": 1}));
    }
    assert_eq!(host.info(&other)["status"], "active");
    assert_eq!(killed(&host, "all"), one_of(1));
    assert_eq!(killed(&host, "all"), json!({"killed": 0, "total": 0, "processes": 0}), "there is nobody left");
}

#[test]
fn what_fits_several_is_ambiguous_and_tells_them() {
    let host = Host::start();
    // Of seventeen ids two begin with the same digit.
    let runs: Vec<Run> =
        (0..17).map(|n| start(&host, json!({(if n == 0 { "name" } else { "session" }): "many"}))).collect();
    let first = |run: &Run| run.run_id[..1].to_owned();
    let digit =
        runs.iter().map(first).find(|digit| runs.iter().filter(|run| first(run) == *digit).count() > 1).unwrap();
    let target = format!("many:{digit}");
    for method in ["kill", "remove", "restart"] {
        let refusal = host.refusal(method, json!({"target": target}));
        assert_eq!(refusal.code, "ambiguous", "{method}");
        for run in runs.iter().filter(|run| first(run) == digit) {
            assert!(refusal.message.contains(&run.run_id[..8]), "{} is not in: {}", run.run_id, refusal.message);
        }
    }
    assert_eq!(host.refusal("wait", json!({"target": target, "until": "exit"})).code, "ambiguous");
    assert_eq!(host.ask("sessions", json!({}))[&runs[0].session_id]["active_processes"], 17);
}

/// doc/faults.md row 35: what people write of an id means the id.
#[test]
fn no_session_is_named_as_an_id_begins() {
    let host = Host::start();
    let victim = start(&host, json!({"name": "victim"}));
    for id in [&victim.session_id, &victim.run_id] {
        for digits in 4..=32 {
            let name = &id[..digits];
            let expected = if digits < 6 { "name_taken" } else { "invalid_params" };
            for (method, params) in
                [("run", json!({"cmd": "true", "name": name})), ("rename", json!({"target": "victim", "name": name}))]
            {
                let refusal = host.refusal(method, params);
                assert_eq!(refusal.code, expected, "{method} {name}: {}", refusal.message);
                assert!(refusal.message.contains(name) && refusal.message.contains("id"), "{}", refusal.message);
            }
        }
        // A session that is not there is not made under the name of an id.
        let other: String = id.chars().rev().collect();
        assert_eq!(host.refusal("run", json!({"cmd": "true", "session": other})).code, "invalid_params");
    }
    // Short words of such letters are names, whatever ids begin with: they stand for no id.
    for letter in "0123456789abcdef".chars() {
        let name = letter.to_string();
        let named = start(&host, json!({"name": name}));
        assert_eq!(killed(&host, &name), one_of(1));
        assert_eq!(host.info(&named)["status"], "killed");
    }
    assert_eq!(host.refusal("kill", json!({"target": victim.session_id[..3]})).code, "not_found");
    for digits in 4..=32 {
        let found = host.ask("wait", json!({"target": victim.session_id[..digits], "until": "exit", "timeout_ms": 1}));
        assert_eq!(found["reason"], "timeout", "it stands for the session");
    }
}

#[test]
fn no_id_begins_with_a_name() {
    let host = Host::start();
    // One id in some three hundred would.
    for number in 0..100 {
        let name = format!("{:04x}", number * 601);
        // An id that is there may begin with it.
        if let Err(refusal) = host.call("run", json!({"cmd": "true", "name": name})) {
            assert!(refusal.code == "name_taken" && refusal.message.starts_with("an id begins with"), "{refusal:?}");
        }
    }
    let sessions = host.ask("sessions", json!({}));
    let ids: Vec<&String> = sessions.as_object().unwrap().keys().collect();
    for session in sessions.as_object().unwrap().values() {
        let name = session["name"].as_str().unwrap();
        assert!(!ids.iter().any(|id| id.starts_with(name)), "{name}");
    }
}

#[test]
fn two_sessions_never_have_one_name() {
    let host = Host::start();
    let name = |run: &Run| run.reply["session_name"].as_str().unwrap().to_owned();
    let names: Vec<String> = (0..3).map(|_| name(&start(&host, json!({})))).collect();
    assert_eq!(names, ["sleep", "sleep-2", "sleep-3"]);
    let refusal = host.refusal("run", json!({"cmd": "true", "name": "sleep-2"}));
    assert_eq!(refusal.code, "name_taken");
    assert!(refusal.message.contains("\"sleep-2\""), "{}", refusal.message);
    assert_eq!(host.refusal("rename", json!({"target": "sleep", "name": "sleep-3"})).code, "name_taken");
    assert_eq!(name(&start(&host, json!({"session": "fresh"}))), "fresh", "a name that nobody has is made");
    assert_eq!(name(&start(&host, json!({"session": "fresh"}))), "fresh");
    assert_eq!(host.ask("sessions", json!({})).as_object().unwrap().len(), 4);
}

#[test]
fn a_renamed_session_goes_by_its_new_name_alone() {
    let host = Host::start();
    let run = start(&host, json!({"name": "old"}));
    let answer = host.ask("rename", json!({"target": "old", "name": "new"}));
    assert_eq!(answer, json!({"session_id": run.session_id, "name": "new"}));
    let event = host.wait_event("session_renamed", |event| event["type"] == "session_renamed");
    assert_eq!((&event["session_id"], &event["session_name"]), (&json!(run.session_id), &json!("new")));
    assert_eq!(host.refusal("kill", json!({"target": "old"})).code, "not_found");
    assert_eq!(host.ask("rename", json!({"target": "new", "name": "new"}))["name"], "new", "to itself is no clash");
    assert_eq!(killed(&host, "new"), one_of(1));
    assert_eq!(host.wait_exited(&run.run_id)["session_name"], "new");
}

#[test]
fn names_that_could_be_mistaken_for_something_else_are_refused_with_the_rule() {
    let host = Host::start();
    let session = start(&host, json!({"name": "fine"}));
    let long = "n".repeat(10_000);
    let bad = [
        "",
        "../x",
        "..",
        "/",
        "a/b",
        "a\0b",
        "a\nb",
        "\u{1b}[2J",
        "\u{9b}2J",
        "a:b",
        "group:x",
        "all",
        " a",
        "-rf",
        &long,
    ];
    for name in bad {
        for (method, key, params) in [
            ("run", "name", json!({"cmd": "true", "name": name})),
            ("run", "group", json!({"cmd": "true", "group": name})),
            ("rename", "name", json!({"target": "fine", "name": name})),
        ] {
            let refusal = host.refusal(method, params);
            assert_eq!(refusal.code, "invalid_params", "{method} {key} {name:?}");
            let message = &refusal.message;
            assert!(message.contains(key) && message.contains("letters, digits"), "{message}");
            assert!(message.len() < 500 && !message.contains(char::is_control), "{message:?}");
        }
        if !name.is_empty() && name != "all" {
            let refusal = host.refusal("run", json!({"cmd": "true", "session": name}));
            assert_eq!(refusal.code, "invalid_params", "session {name:?}: {}", refusal.message);
        }
    }
    for label in ["a\nb", "\u{1b}]0;x\u{7}", &long] {
        assert_eq!(host.refusal("run", json!({"cmd": "true", "label": label})).code, "invalid_params");
    }
    let sessions = host.ask("sessions", json!({}));
    assert_eq!(sessions.as_object().unwrap().keys().collect::<Vec<_>>(), [&session.session_id], "no session was made");
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    use rmpv::{Utf8String, Value};
    let host = Host::start();
    // A string of msgpack with bytes that are none: rmpv writes such a value as it is read.
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &Value::String(Utf8String::from("nam\u{e9}"))).unwrap();
    let at = bytes.iter().position(|&byte| byte == 0xc3).unwrap();
    bytes[at] = 0xff;
    let name = rmpv::decode::read_value(&mut bytes.as_slice()).unwrap();
    assert!(name.as_str().is_none());
    let params = Value::Map(vec![("cmd".into(), "true".into()), ("name".into(), name)]);
    let refusal = host.begin_with("run", Value::Array(vec![params])).answer().unwrap_err();
    assert_eq!(refusal.code, "invalid_params", "{refusal:?}");
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}
