//! What is remembered of runs: the history, what it says of commands, and whole outputs.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually};

fn ended(host: &Host, params: Json) -> Run {
    let run = host.run(params);
    host.wait_exited(&run.run_id);
    run
}

fn commands(host: &Host, params: Json) -> Vec<String> {
    let answer = host.ask("history", params);
    answer["records"].as_array().unwrap().iter().map(|record| record["command"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_end_is_a_line_with_all_that_is_known_of_it() {
    let home = Home::new();
    let host = home.host().start();
    let run = ended(&host, json!({"cmd": "echo hello; exit 3", "name": "one", "group": "g", "label": "the first"}));
    let killed = host.run(json!({"cmd": ["sleep", "1000"], "cwd": "/"}));
    host.ask("kill", json!({"target": killed.run_id}));
    let late = ended(&host, json!({"cmd": "exec sleep 1000", "timeout_ms": 50}));
    let answer = host.ask("history", json!({}));
    let records = answer["records"].as_array().unwrap();
    assert_eq!(answer["total"], 3);
    let ids: Vec<&str> = records.iter().map(|record| record["run_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [late.run_id.as_str(), &killed.run_id, &run.run_id], "the newest first");
    let (record, info) = (&records[2], host.info(&run));
    for key in ["run_id", "command", "program", "started_at", "ended_at", "duration_ms", "status", "exit", "bytes"] {
        assert_eq!(record[key], info[key], "{key}");
    }
    let whose = json!([run.session_id, "one", "g", "the first", home.path().to_str().unwrap(), host.pid()]);
    let keys = ["session_id", "session_name", "group", "label", "cwd", "host_pid"];
    assert_eq!(keys.map(|key| record[key].clone()).as_slice(), whose.as_array().unwrap().as_slice());
    assert_eq!((&records[1]["status"], &records[1]["cwd"]), (&json!("killed"), &json!("/")));
    assert_eq!(records[0]["status"], "timed_out");
    assert!(records[0]["reason"].as_str().unwrap().contains("its timeout"), "{}", records[0]);
    let path = home.state().join("history.jsonl");
    assert_eq!(answer["path"], path.to_str().unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().rev().collect::<Vec<_>>(), records.iter().collect::<Vec<_>>());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_history_outlives_its_host_and_is_searched_and_paged() {
    let home = Home::new();
    let first = home.host().start();
    for n in 0..3 {
        ended(&first, json!({"cmd": format!("true make{n}"), "group": "build"}));
    }
    // What still runs when its host ends is remembered too.
    first.run(json!({"cmd": "exec sleep 1000", "name": "to the end"}));
    drop(first);
    let host = home.host().start();
    assert_eq!(commands(&host, json!({})), ["exec sleep 1000", "true make2", "true make1", "true make0"]);
    assert_eq!(commands(&host, json!({"query": "MAKE1"})), ["true make1"]);
    assert_eq!(commands(&host, json!({"query": "to the END"})), ["exec sleep 1000"]);
    assert_eq!(commands(&host, json!({"group": "build", "limit": 1, "offset": 1})), ["true make1"]);
    assert_eq!(commands(&host, json!({"cwd": "/nowhere"})), [""; 0]);
    let refusal = host.refusal("history", json!({"query": "x".repeat(2000)}));
    assert_eq!(refusal.code, "invalid_params");
}

#[test]
fn two_hosts_write_one_history() {
    let home = Home::new();
    let hosts = [home.host().start(), home.host().start()];
    std::thread::scope(|scope| {
        for (n, host) in hosts.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..10 {
                    ended(host, json!({"cmd": format!("true {n}.{round}")}));
                }
            });
        }
    });
    // Each writes what it has before it answers, and only that.
    for host in &hosts {
        host.ask("history", json!({}));
    }
    assert_eq!(hosts[0].ask("history", json!({}))["total"], 20);
    assert_eq!(commands(&hosts[0], json!({})), commands(&hosts[1], json!({})));
}

#[test]
fn statistics_say_how_often_a_command_ran_and_failed_and_how_long_it_took() {
    let host = Host::start();
    for code in [0, 0, 2] {
        ended(&host, json!({"cmd": ["sh", "-c", "exit $CODE"], "env": {"CODE": code.to_string()}, "group": "g"}));
    }
    ended(&host, json!({"cmd": "sleep 0.2"}));
    let rows = host.ask("stats", json!({}))["rows"].clone();
    let row = &rows[0];
    assert_eq!((&row["key"], &row["count"], &row["failures"]), (&json!("sh -c 'exit $CODE'"), &json!(3), &json!(1)));
    assert_eq!(row["last_exit"]["code"], 2);
    assert!(rows[1]["median_ms"].as_u64().unwrap() >= 200 && rows[1]["p95_ms"] == rows[1]["median_ms"], "{rows}");
    let by_group = host.ask("stats", json!({"by": "group"}));
    assert_eq!((&by_group["rows"][0]["key"], &by_group["total"]), (&json!("g"), &json!(1)));
    assert_eq!(host.ask("stats", json!({"by": "program", "query": "sleep"}))["rows"][0]["count"], 1);
    assert_eq!(host.refusal("stats", json!({"by": "weekday"})).code, "invalid_params");
}

#[test]
fn the_history_can_be_turned_off() {
    let home = Home::new();
    let host = home.host().start();
    assert_eq!(host.ask("configure", json!({"history": false}))["history"], false);
    ended(&host, json!({"cmd": "true"}));
    assert_eq!(host.ask("history", json!({}))["total"], 0);
    assert!(!home.state().join("history.jsonl").exists());
}

#[test]
fn a_whole_output_is_kept_as_the_program_wrote_it() {
    let home = Home::new();
    let host = home.host().start();
    let run = ended(&host, json!({"cmd": "printf '\\033[1mbold\\033[m\\n'; seq 100000", "log": true}));
    let path = host.info(&run)["output_path"].as_str().unwrap().to_owned();
    assert!(path.starts_with(home.state().join("logs").to_str().unwrap()), "{path}");
    assert_eq!(host.ask("history", json!({}))["records"][0]["output_path"], path.as_str());
    let numbers: String = (1..=100_000).map(|n| format!("{n}\r\n")).collect();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text == format!("\x1b[1mbold\x1b[m\r\n{numbers}"), "{} bytes of {}", text.len(), numbers.len());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(Path::new(&path).parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    // Each life of a run has a file of its own.
    host.ask("restart", json!({"target": run.run_id}));
    assert_ne!(host.info(&run)["output_path"], path.as_str());
    let plain = ended(&host, json!({"cmd": "true"}));
    assert_eq!(host.info(&plain)["output_path"], Json::Null);
}

#[test]
fn a_capped_output_says_where_it_stops() {
    let host = Host::start();
    let run = ended(&host, json!({"cmd": "seq 100000", "log": true, "log_bytes": 5000}));
    host.ask("history", json!({}));
    let text = fs::read_to_string(host.info(&run)["output_path"].as_str().unwrap()).unwrap();
    let marker = "\n[termi: the output goes on, 5000 bytes of it are kept]\n";
    assert_eq!(text.len(), 5000 + marker.len());
    assert!(text.starts_with("1\r\n2\r\n") && text.ends_with(marker));
    assert_eq!(host.refusal("run", json!({"cmd": "true", "log_bytes": 1})).code, "invalid_params");
}

#[test]
fn values_of_variables_and_input_are_not_in_the_history() {
    const SECRETS: [&str; 3] = ["runsecret-91", "typedsecret-92", "printedsecret-93"];
    let home = Home::new();
    let host = home.host().start();
    let run = host.run(json!({"cmd": "stty -echo; echo ready; read line; echo \"$SHOWN\"",
        "env": {"TOKEN": SECRETS[0], "SHOWN": SECRETS[2]}}));
    host.wait_pattern(&run, "ready");
    host.ask("send", json!({"target": run.run_id, "data": SECRETS[1], "enter": true}));
    host.wait_exited(&run.run_id);
    assert_eq!(host.ask("history", json!({}))["total"], 1);
    let text = fs::read_to_string(home.state().join("history.jsonl")).unwrap();
    assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
}

/// As large as all outputs together may be, and empty.
fn plant(home: &Home, name: &str) -> PathBuf {
    let path = home.state().join("logs").join(name);
    fs::File::create(&path).unwrap().set_len(600 << 20).unwrap();
    path
}

#[test]
fn an_output_that_is_still_written_to_does_not_give_way_to_newer_ones() {
    let home = Home::new();
    let (host, other) = (home.host().start(), home.host().start());
    let quiet = host.run(json!({"cmd": "echo early; read line; echo \"heard $line\"", "log": true}));
    host.wait_pattern(&quiet, "early");
    let path = host.info(&quiet)["output_path"].as_str().unwrap().to_owned();
    let read = || fs::read_to_string(&path).unwrap_or_default();
    eventually("it is written", || read().contains("early"));
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().append(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
    // Neither one of the same host nor one of another removes it.
    for host in [&host, &other] {
        let ended_one = plant(&home, "1-2.log");
        ended(host, json!({"cmd": "true", "log": true}));
        eventually("the one that nobody writes to has given way", || !ended_one.exists());
    }
    host.ask("send", json!({"target": quiet.run_id, "data": "more", "enter": true}));
    host.wait_exited(&quiet.run_id);
    host.ask("history", json!({}));
    assert!(read().contains("heard more"), "{path}: {:?}", read());
}

#[test]
fn where_what_is_written_to_leaves_no_room_the_new_output_is_not_kept_and_that_is_told() {
    let home = Home::new();
    let host = home.host().start();
    ended(&host, json!({"cmd": "true", "log": true}));
    let full = plant(&home, "1-2.log");
    let held = fs::File::open(&full).unwrap();
    let _held = nix::fcntl::Flock::lock(held, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let run = ended(&host, json!({"cmd": "echo more", "log": true}));
    host.ask("history", json!({}));
    assert!(full.exists());
    eventually("it has no file", || host.info(&run)["output_path"] == Json::Null);
    eventually("the log says why", || home.log().contains("a new one is not kept"));
    let health = host.ask("health", json!({}));
    let check = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "history").unwrap();
    assert_eq!(check["status"], "warn", "{check}");
}

#[test]
fn an_output_whose_file_is_removed_says_so_and_is_named_no_more() {
    let home = Home::new();
    let host = home.host().start();
    let run = host.run(json!({"cmd": "while read line; do echo \"heard $line\"; done", "log": true}));
    let path = host.info(&run)["output_path"].as_str().unwrap().to_owned();
    eventually("it is there", || Path::new(&path).exists());
    fs::remove_file(&path).unwrap();
    host.ask("send", json!({"target": run.run_id, "data": "one", "enter": true}));
    eventually("it is named no more", || host.info(&run)["output_path"] == Json::Null);
    eventually("the log says why", || home.log().contains(&format!("{path} was removed")));
    host.ask("send", json!({"target": run.run_id, "data": "two", "enter": true}));
    host.wait_pattern(&run, "heard two");
}

#[test]
fn half_a_line_in_the_history_costs_no_other() {
    let home = Home::new();
    let host = home.host().start();
    ended(&host, json!({"cmd": "true", "name": "before"}));
    host.ask("history", json!({}));
    let file = home.state().join("history.jsonl");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("{\"half");
    fs::write(&file, text).unwrap();
    for name in ["first", "second"] {
        ended(&host, json!({"cmd": "true", "name": name}));
    }
    let history = host.ask("history", json!({}));
    let names: Vec<_> = history["records"].as_array().unwrap().iter().map(|record| &record["session_name"]).collect();
    assert_eq!(names, ["second", "first", "before"]);
}
