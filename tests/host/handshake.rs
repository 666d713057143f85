//! How a connection begins, and what a client is told that asks for what is not there.

use rmpv::Value;
use serde_json::json;

use crate::support::{Home, Host, from_json, proc};

#[test]
fn the_host_introduces_itself() {
    let host = Home::new().host().start_silent();
    let answer = host.initialize();
    assert_eq!(answer["protocol"], 1);
    assert_eq!(answer["server"], json!({"name": "termi", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(answer["pid"], host.pid());
    assert!(answer["capabilities"].is_object());
    let log = std::path::PathBuf::from(answer["log_path"].as_str().unwrap());
    assert!(log.starts_with(host.home().state()) && log.is_file(), "{}", log.display());
}

#[test]
fn a_client_of_another_protocol_is_refused_and_told_what_to_do() {
    let host = Home::new().host().start_silent();
    for protocol in [0, 2, 4_000_000_000_u64] {
        let refusal = host.refusal("initialize", json!({"protocol": protocol, "client": {"name": "future"}}));
        assert_eq!(refusal.code, "protocol_mismatch");
        assert!(refusal.message.contains(&format!("protocol {protocol}")), "{}", refusal.message);
        assert!(refusal.message.contains("speaks 1"), "{}", refusal.message);
        assert!(refusal.message.contains("update"), "{}", refusal.message);
    }
    host.initialize();
    host.ask("sessions", json!({}));
}

#[test]
fn a_neovim_is_served_through_its_own_api() {
    let host = Home::new().host().start_silent();
    host.ask("initialize", json!({"protocol": 1, "client": {"name": "nvim"}, "frontend": "nvim"}));
    let introduced = host.wait_for("the host's introduction", |state| state.introduced.clone());
    assert_eq!((&introduced[0], &introduced[2]), (&json!("termi"), &json!("msgpack-rpc")));
    let run = host.run_seen("echo through Lua");
    host.wait_exited(&run.run_id);
    assert_eq!(host.state().views[&run.run_id].screen(), ["through Lua"]);
}

#[test]
fn each_message_to_a_neovim_carries_the_tag_that_it_asked_for() {
    for (wish, wanted) in [(json!({}), None), (json!({"tag": "gpu"}), Some(json!("gpu")))] {
        let host = Home::new().host().start_silent();
        let mut params = json!({"protocol": 1, "frontend": "nvim"});
        params.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
        // As Neovim's Lua calls: the answer is such a message too.
        host.notify("call", json!({"id": 1_000_001, "method": "initialize", "params": params}));
        host.wait_for("the answer to the first call", |state| state.tags.first().cloned());
        let run = host.run_seen("echo hello");
        host.wait_exited(&run.run_id);
        let tags = host.state().tags.clone();
        assert!(tags.len() > 3 && tags.iter().all(|tag| *tag == wanted), "{tags:?}");
    }
}

/// The demo opened the list of sessions while the host introduced itself: the list's call went out between `initialize`
/// and its answer, was answered by a message that Neovim does not know, and the list stayed empty for good.
#[test]
fn calls_that_follow_an_initialize_at_once_are_answered_as_it_wishes() {
    const CALLS: u64 = 40;
    let host = Home::new().host().start_silent();
    let introduction = json!({"protocol": 1, "frontend": "nvim", "tag": "gpu"});
    let first = json!({"id": 1_000_000, "method": "initialize", "params": introduction});
    let others = (1..=CALLS).map(|id| json!({"id": 1_000_000 + id, "method": "sessions", "params": {}}));
    let mut bytes = Vec::new();
    for call in std::iter::once(first).chain(others) {
        let message = Value::Array(vec![2.into(), "call".into(), Value::Array(vec![from_json(&call)])]);
        rmpv::encode::write_value(&mut bytes, &message).unwrap();
    }
    // In one piece, so that the host reads them together.
    host.send_bytes(&bytes);
    host.wait_for("all answers", |state| (0..=CALLS).all(|id| state.answer(1_000_000 + id).is_some()).then_some(()));
    let tags = host.state().tags.clone();
    assert_eq!(tags, vec![Some(json!("gpu")); usize::try_from(CALLS).unwrap() + 1], "all by way of Neovim's API");
}

#[test]
fn a_frontend_that_nobody_knows_is_refused() {
    let host = Home::new().host().start_silent();
    let refusal = host.refusal("initialize", json!({"protocol": 1, "frontend": "emacs"}));
    assert_eq!(refusal.code, "invalid_params");
    assert!(refusal.message.contains("emacs") && refusal.message.contains("generic"), "{}", refusal.message);
}

#[test]
fn unknown_methods_and_bad_values_are_refused_by_name() {
    let host = Host::start();
    let refusal = host.refusal("start", json!({}));
    assert_eq!(refusal.code, "unknown_method");
    assert!(refusal.message.contains("start") && refusal.message.contains("sessions"), "{}", refusal.message);
    for (method, params, named) in [
        ("run", json!({"cmd": 5}), "run"),
        ("run", json!({"cmd": ""}), "cmd"),
        ("run", json!({"cmd": []}), "cmd"),
        ("run", json!({"cmd": [""]}), "cmd"),
        ("run", json!({"cmd": "a\0b"}), "cmd"),
        ("run", json!({"cmd": "true", "env": {"A=B": "x"}}), "A=B"),
        ("run", json!({"cmd": "true", "env": {"": "x"}}), "env"),
        ("run", json!({"cmd": "true", "env": {"A": "x\0"}}), "A"),
        ("run", json!({"cmd": "true", "cwd": "a\0b"}), "cwd"),
        ("run", json!({"cmd": "true", "timeout_ms": 0}), "timeout_ms"),
        ("run", json!({"cmd": "true", "timeout_ms": u64::MAX}), "timeout_ms"),
        ("run", json!({"cmd": "true", "idle_timeout_ms": -1}), "run"),
        ("run", json!({"cmd": "true", "size": {"rows": "x", "cols": 1}}), "run"),
        ("run", json!({"cmd": "true", "attach": "html"}), "html"),
        ("kill", json!({}), "target"),
        ("snapshot", json!({"run_id": "x", "format": "html"}), "html"),
        ("wait", json!({"target": "x", "until": {"pattern": "("}}), "("),
        ("wait", json!({"target": "x", "until": "never"}), "never"),
        ("resize", json!({"run_id": "x"}), "rows"),
    ] {
        let refusal = host.refusal(method, params.clone());
        assert_eq!(refusal.code, "invalid_params", "{method} {params}: {refusal:?}");
        assert!(refusal.message.contains(named), "{method} {params}: {}", refusal.message);
    }
    assert_eq!(host.ask("sessions", json!({})), json!({}), "nothing was left behind");
}

#[test]
fn what_is_not_there_is_not_found_by_any_method() {
    let host = Host::start();
    for (method, params) in [
        ("input", json!({"run_id": "nobody", "data": "x"})),
        ("resize", json!({"run_id": "nobody", "rows": 1, "cols": 1})),
        ("attach", json!({"run_id": "nobody", "format": "ansi"})),
        ("detach", json!({"run_id": "nobody"})),
        ("visible", json!({"run_id": "nobody", "visible": true})),
        ("snapshot", json!({"run_id": "nobody"})),
        ("kill", json!({"target": "nobody"})),
        ("wait", json!({"target": "nobody", "until": "exit"})),
        ("rename", json!({"target": "nobody", "name": "somebody"})),
        ("restart", json!({"target": "nobody"})),
        ("remove", json!({"target": "nobody"})),
        ("kill", json!({"target": "nobody:else"})),
        ("kill", json!({"target": "group:nobody"})),
        ("kill", json!({"target": ""})),
    ] {
        let refusal = host.refusal(method, params.clone());
        assert_eq!(refusal.code, "not_found", "{method} {params}: {refusal:?}");
    }
}

#[test]
fn unknown_keys_are_ignored_and_no_parameters_are_as_good_as_none() {
    let host = Host::start();
    assert_eq!(host.ask("sessions", json!({"since": 5, "ä": [null]})), json!({}));
    for params in [Value::Array(vec![]), Value::Array(vec![Value::Nil]), Value::Array(vec![Value::Array(vec![])])] {
        assert_eq!(host.begin_with("sessions", params).answer(), Ok(json!({})));
    }
    let two = Value::Array(vec![Value::Map(vec![]), Value::Map(vec![])]);
    assert_eq!(host.begin_with("sessions", two).answer().unwrap_err().code, "invalid_params");
}

#[test]
fn a_call_by_notification_is_answered_by_a_message() {
    let host = Host::start();
    host.notify("call", json!({"id": 1_000_001, "method": "run", "params": {"cmd": "true"}}));
    host.wait_event("the run's end", |event| event["type"] == "run_exited");
    host.notify("call", json!({"id": 1_000_002, "method": "kill", "params": {"target": "nobody"}}));
    let (first, second) = host
        .wait_for("both replies", |state| Some((state.answer(1_000_001)?.clone(), state.answer(1_000_002)?.clone())));
    assert!(first.unwrap()["run_id"].is_string());
    assert_eq!(second.unwrap_err().code, "not_found");
}

#[test]
fn the_host_ends_when_its_standard_input_is_closed_or_a_client_says_so() {
    let mut host = Host::start();
    let run = host.run_line("sleep 1000");
    host.close();
    assert!(host.wait_end().success());
    assert!(proc::gone(run.pid));

    let mut host = Host::start();
    let run = host.run_line("sleep 1000");
    assert_eq!(host.ask("shutdown", json!({})), json!({}));
    assert!(!proc::alive(run.pid), "they are gone when it is answered");
    assert!(host.wait_end().success());
}
