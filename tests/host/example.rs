//! `examples/multi_sessions.rs`, run against the binary: what it promises to show holds.

use std::process::Command;

use crate::support::TERMI;

#[path = "../../examples/multi_sessions.rs"]
mod multi_sessions;

#[test]
fn every_expected_behaviour_of_many_sessions_holds() {
    let mut told = Vec::new();
    let fine = multi_sessions::check(Command::new(TERMI), &mut told).unwrap();
    let told = String::from_utf8(told).unwrap();
    assert!(fine, "{told}");
    for promise in [
        "unique terminal name",
        "run concurrently",
        "session labels appear in all log messages",
        "no interference between sessions",
        "proper cleanup",
        "Killed 2/2 processes",
        "process names",
    ] {
        assert!(told.lines().any(|line| line.starts_with("ok ") && line.contains(promise)), "{promise}: {told}");
    }
}
