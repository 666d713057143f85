//! doc/faults.md row 25: clients and daemons of different versions.

use serde_json::json;

use crate::support::{Daemon, Home};

#[test]
fn a_client_of_another_protocol_is_refused_and_told_what_to_do() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let _editor = home.host().persist().start();
    for (method, extra) in [("join", json!({"protocol": 2})), ("initialize", json!({"protocol": 0}))] {
        let client = daemon.try_connect().unwrap();
        let refusal = client.refusal(method, extra);
        assert_eq!(refusal.code, "protocol_mismatch");
        assert!(refusal.message.contains("speaks 1") && refusal.message.contains("--replace"), "{}", refusal.message);
    }
}

#[test]
fn what_a_newer_client_says_besides_is_ignored() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let _editor = home.host().persist().start();
    let client = daemon.try_connect().unwrap();
    let reply = client.ask("join", json!({"protocol": 1, "client": {"name": "x", "build": 7}, "wants": ["moon"]}));
    assert_eq!((&reply["protocol"], &reply["persistent"]), (&json!(1), &json!(true)));
    assert_eq!(client.refusal("from_the_future", json!({})).code, "unknown_method");
    assert_eq!(client.ask("sessions", json!({})), json!({}));
}
