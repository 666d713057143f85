//! Real coding agents, as their makers publish them, driven through a real host: what `make test-agents` runs. Their
//! model is `model.py`, on loopback, which answers when the test lets it; their keys are none.
//!
//! Rules for screens and titles age with the programs they describe. This is where that is noticed.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on panics and says what it saw")]

#[path = "../support/mod.rs"]
mod support;

mod agent;
mod model;

use serde_json::json;

use agent::{CODEX, Driven, GEMINI, Kind};
use support::{Home, eventually};

const PROMPT: &str = "make the file";
const SIZE: (u16, u16) = (40, 100);

/// From its start to the end of a turn in which it asks for permission.
fn works_and_asks(kind: &Kind, attached: bool) {
    let home = Home::new();
    let mut agent = Driven::start(kind, &home, true, attached);
    agent.wait("ready");
    agent.say(PROMPT);
    agent.model().wait_asked("prompt");
    agent.wait("working");
    agent.model().answer();
    let blocked = agent.wait_asks(kind.asks);
    assert_eq!((&blocked["app"], &blocked["kind"]), (&json!(kind.name), &json!("permission")), "{blocked}");
    let file = home.path().join("made");
    assert!(!file.exists(), "it waits for permission");
    agent.accept();
    agent.wait("working");
    assert!(file.exists(), "the command ran");
    agent.model().answer();
    agent.wait("done");
    assert_eq!(agent.states(), ["ready", "working", "blocked", "working", "done"]);
    agent.end();
}

/// What it asks before it takes a prompt is nothing that a prompt may answer.
fn asks_at_its_start(kind: &Kind) {
    let home = Home::new();
    let mut agent = Driven::start(kind, &home, false, false);
    let blocked = agent.wait_asks(kind.asks_first);
    assert_eq!((&blocked["app"], &blocked["kind"]), (&json!(kind.name), &json!(kind.first)), "{blocked}");
    agent.end();
}

#[test]
#[ignore = "installs agents: make test-agents"]
fn codex_that_nobody_looks_at_is_followed_through_a_turn() {
    works_and_asks(&CODEX, false);
}

#[test]
#[ignore = "installs agents: make test-agents"]
fn codex_with_a_view_is_followed_through_a_turn() {
    works_and_asks(&CODEX, true);
}

#[test]
#[ignore = "installs agents: make test-agents"]
fn codex_that_asks_who_one_is_waits_for_that() {
    asks_at_its_start(&CODEX);
}

#[test]
#[ignore = "installs agents: make test-agents"]
fn gemini_that_nobody_looks_at_is_followed_through_a_turn() {
    works_and_asks(&GEMINI, false);
}

#[test]
#[ignore = "installs agents: make test-agents"]
fn gemini_with_a_view_is_followed_through_a_turn() {
    works_and_asks(&GEMINI, true);
}

#[test]
#[ignore = "installs agents: make test-agents"]
fn gemini_that_asks_for_trust_waits_for_that() {
    asks_at_its_start(&GEMINI);
}
