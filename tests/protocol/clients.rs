//! Clients of other people's making, and the one in `examples/`.

use std::process::Stdio;

use serde_json::json;

use crate::{
    project,
    support::{Home, TERMI},
};

#[test]
fn the_example_of_fifty_lines_runs_a_program_and_prints_what_it_printed() {
    let home = Home::new();
    let line = "seq 100; printf '\\033[1mbold\\033[m ü\\n'; sleep 0; exit 7";
    let output = home
        .host()
        .command_of("python3")
        .arg(project("examples/client.py"))
        .args(["sh", "-c", line])
        .env("TERMI", TERMI)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let mut expected: String = (1..=100).map(|n| format!("{n}\n")).collect();
    expected.push_str("bold ü\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert_eq!(output.status.code(), Some(7), "it exits as the program did");
}

/// Runs a whole life in a client's own language; it prints what it saw.
fn whole_life(program: &str, script: &str, library: &str) {
    let installed = project(library);
    assert!(installed.exists(), "{library} is missing: run scripts/clients");
    let home = Home::new();
    let output = home
        .host()
        .command_of(program)
        .arg(project(script))
        .env("TERMI", TERMI)
        .env("LIBRARY", installed)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script} said {said}");
    let saw: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(
        saw,
        json!({
            "protocol": 1,
            "screen": "got hello",
            "size": "size 30 90",
            "waited": "pattern",
            "refusal": "not_found",
            "killed": 1,
            "exited": "killed",
            "host": 0,
        })
    );
}

#[test]
fn a_whole_life_by_vscode_jsonrpc() {
    whole_life("node", "tests/protocol/life.js", "target/clients/node_modules/vscode-jsonrpc");
}

#[test]
fn a_whole_life_by_a_plain_msgpack_library() {
    whole_life("python3", "tests/protocol/life.py", "target/clients/python/msgpack");
}
