//! Clients of other people's making, and the one in `examples/`.

use std::process::Stdio;

use regex::Regex;
use serde_json::json;

use crate::{
    project,
    support::{Home, TERMI},
};

#[test]
fn the_example_runs_a_program_and_prints_what_it_printed() {
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

/// The example in a shell, as its documentation has it.
fn example(line: &str) -> (String, String, Option<i32>) {
    let client = project("examples/client.py");
    let line = line.replace("CLIENT", &format!("python3 {}", client.display()));
    let output = Home::new().host().command_of("bash").args(["-c", &line]).env("TERMI", TERMI).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn the_example_reports_each_line_that_it_did_not_print() {
    let (printed, said, code) = example("CLIENT seq 200000");
    assert_eq!(code, Some(0), "{said}");
    let skipped: usize = said
        .lines()
        .map(|line| line.strip_prefix('[').unwrap().strip_suffix(" lines skipped]").unwrap())
        .map(|count| count.parse::<usize>().unwrap())
        .sum();
    let numbers: Vec<usize> = printed.lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "no line comes twice");
    assert_eq!(numbers.len() + skipped, 200_000);
    assert_eq!(numbers.last(), Some(&200_000));
}

#[test]
fn the_example_ends_with_one_clear_line() {
    // A program without an end: what one that ends prints may fit into the pipe before `head` is gone.
    let (printed, said, _) = example("CLIENT yes | head -3");
    assert_eq!(printed, "y\ny\ny\n");
    let said: Vec<_> = said.lines().filter(|line| !line.ends_with(" lines skipped]")).collect();
    assert_eq!(said, ["nobody reads the output any more"]);
    let (_, said, code) = example("TERMI=/nowhere/termi CLIENT true");
    assert_eq!(said, "cannot start /nowhere/termi: No such file or directory; set TERMI to the termi binary\n");
    assert_eq!(code, Some(1));
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

/// A host ignores keys that it does not know, so a misspelled one would have no effect and no error.
#[test]
fn vim_and_emacs_send_only_keys_that_the_protocol_has() {
    let schema = termi::protocol::schema();
    let has = |method: &str, key: &str| {
        let params = &schema["methods"][method]["params"];
        let shape = match params["$ref"].as_str() {
            Some(path) => &schema["$defs"][path.strip_prefix("#/$defs/").unwrap()],
            None => params,
        };
        shape["properties"].get(key).is_some()
    };
    let checked = |file: &str, call: &str, key: &str| {
        let source = std::fs::read_to_string(project(file)).unwrap();
        let (call, key) = (Regex::new(call).unwrap(), Regex::new(key).unwrap());
        let mut count = 0;
        for found in call.captures_iter(&source) {
            for its in key.captures_iter(&found[2]) {
                assert!(has(&found[1], &its[1]), "{file}: `{}` has no parameter `{}`", &found[1], &its[1]);
                count += 1;
            }
        }
        count
    };
    let vim = |file| {
        let call = r"(?:Call|Ask|Notify|Await)\('(\w+)', \{([^{}]*)";
        checked(&format!("clients/vim/autoload/termi/{file}.vim"), call, r"(?:^|,)\s*(\w+): ")
    };
    let count: usize = ["commands", "host", "list", "past", "view"].map(vim).iter().sum();
    assert!(count >= 20, "the calls are written otherwise: {count}");
    let call = r"termi--(?:call|notify) '(\w+) \([^ ()]+ ([^()]*)";
    let count = checked("clients/emacs/termi.el", call, r":([a-z_]+) ");
    assert!(count >= 8, "the calls are written otherwise: {count}");
}
