//! After a reboot: what ran is remembered, and started again under its old text.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Daemon, Home, Lease, eventually, eventually_some, proc};

fn start(daemon: &Daemon) -> Client {
    let mut command: Command = daemon.command(&["daemon", "--detach", "--keep-text"]);
    assert!(command.status().unwrap().success());
    daemon.connect()
}

fn record(home: &Home) -> String {
    if !home.state().join("sessions.json").is_file() {
        return String::new();
    }
    fs::read_to_string(home.state().join("sessions.json")).unwrap_or_default()
}

#[test]
fn what_ran_is_started_again_under_its_old_text_after_a_crash_or_a_shutdown_of_the_machine() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let home = Home::new();
        let daemon = Daemon::of(&home);
        let client = start(&daemon);
        let line = "echo \"in $PWD for $COLOUR\"; read x";
        let folder = home.path().join("sub");
        fs::create_dir(&folder).unwrap();
        let web = client.ask(
            "run",
            json!({"cmd": line, "name": "web", "group": "dev", "label": "a label", "cwd": folder,
                   "env": {"COLOUR": "a secret"}}),
        );
        client.ask("run", json!({"cmd": ["sleep", "1000"], "session": "web"}));
        client.ask("run", json!({"name": "shell"}));
        let over = client.ask("run", json!({"cmd": "true", "name": "over"}));
        client.wait_exited(over["run_id"].as_str().unwrap());
        client.ask("wait", json!({"target": web["run_id"], "until": {"pattern": "^in "}, "timeout_ms": 20_000}));
        eventually("all of it is written", || {
            let text = record(&home);
            text.contains("1000") && text.contains("\"shell\"") && !text.contains("\"over\"")
        });
        let mode = fs::metadata(home.state().join("sessions.json")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let pid = daemon.pid();
        proc::signal(pid, signal);
        eventually("all is over", || proc::gone(pid) && home.processes().is_empty());

        let client = start(&daemon);
        assert_eq!(client.ask("sessions", json!({})), json!({}), "nothing starts by itself");
        let sessions = client.ask("restorable", json!({}))["sessions"].clone();
        let names: Vec<_> = sessions.as_array().unwrap().iter().map(|session| session["name"].clone()).collect();
        assert_eq!(names, ["web", "shell"]);
        assert_eq!(sessions[0]["commands"], json!([line, "sleep 1000"]));
        let none = client.ask("restore", json!({"names": ["nobody"]}));
        assert!(none["failed"][0]["message"].as_str().unwrap().contains("no such session"));
        let reply = client.ask("restore", json!({"names": ["web"]}));
        assert_eq!((reply["restored"].as_array().unwrap().len(), &reply["failed"]), (2, &json!([])));
        let run = reply["restored"][0]["run_id"].as_str().unwrap().to_owned();
        client.ask("wait", json!({"target": run, "until": {"pattern": "for $"}, "timeout_ms": 20_000}));
        let shown = client.ask("snapshot", json!({"run_id": run, "scrollback": 1000}))["lines"].clone();
        let shown: Vec<_> = shown.as_array().unwrap().iter().filter_map(|line| line.as_str()).collect();
        let place = folder.canonicalize().unwrap();
        if signal == Signal::SIGTERM {
            // A crash leaves what was written last, a shutdown of the machine the last word.
            assert_eq!(shown[0], format!("in {} for a secret", place.display()));
        }
        let rule = shown.iter().position(|line| line.contains("started again")).unwrap();
        assert_eq!(shown[rule + 1], format!("in {} for", place.display()), "the environment is the client's of now");
        let session = client.ask("sessions", json!({}))[reply["restored"][0]["session_id"].as_str().unwrap()].clone();
        assert_eq!(
            (&session["name"], &session["group"], &session["label"]),
            (&json!("web"), &json!("dev"), &json!("a label"))
        );
        assert_eq!(client.ask("restorable", json!({}))["sessions"].as_array().unwrap().len(), 1);
        client.ask("restore", json!({"forget": true}));
        assert_eq!(client.ask("restorable", json!({}))["sessions"], json!([]));
    }
}

#[test]
fn what_was_ended_on_purpose_does_not_come_back() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let client = start(&daemon);
    client.ask("run", json!({"cmd": "exec sleep 1000", "name": "kept"}));
    client.ask("run", json!({"cmd": "exec sleep 1000", "name": "killed"}));
    client.ask("kill", json!({"target": "killed"}));
    eventually("the kill is written", || record(&home).contains("\"kept\"") && !record(&home).contains("\"killed\""));
    client.ask("shutdown", json!({}));
    eventually("it is over", || daemon.processes().is_empty());
    let client = start(&daemon);
    assert_eq!(client.ask("restorable", json!({}))["sessions"], json!([]));
}

/// A record that cannot be read is no obstacle, and is not overwritten: another version may be able to read it.
#[test]
fn a_record_that_cannot_be_read_whole_is_kept_aside_and_costs_no_other_session() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let client = start(&daemon);
    for name in ["one", "two"] {
        client.ask("run", json!({"cmd": "exec sleep 1000", "name": name}));
    }
    eventually("both are written", || record(&home).contains("\"one\"") && record(&home).contains("\"two\""));
    let good: Value = serde_json::from_str(&record(&home)).unwrap();
    client.ask("shutdown", json!({}));
    eventually("it is over", || daemon.processes().is_empty());
    let aside = |number: &str| fs::read_to_string(home.state().join(format!("sessions.json.bad{number}"))).ok();
    let names = |client: &Client| -> Vec<String> {
        let sessions = client.ask("restorable", json!({}))["sessions"].clone();
        sessions.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };

    // One session of another version's making, as after a downgrade; then files that are no record at all.
    let mut strange = good.clone();
    strange["live"][0]["runs"][0]["limits"] = json!("as much as you like");
    let strange = serde_json::to_string(&strange).unwrap();
    let cases: [(&str, &str, &[&str]); 4] =
        [("", &strange, &["two"]), (".2", "{ not json", &[]), (".3", "", &[]), (".4", "[1, 2]", &[])];
    for (number, text, restorable) in cases {
        fs::write(home.state().join("sessions.json"), text).unwrap();
        let client = start(&daemon);
        assert_eq!(names(&client), restorable, "of {text:?}");
        assert_eq!(aside(number).as_deref(), Some(text));
        let written = || serde_json::from_str::<Value>(&record(&home)).ok().filter(|now| now["live"] == json!([]));
        let now = eventually_some("it is whole again", written);
        assert_eq!(now["restorable"].as_array().unwrap().len(), restorable.len());
        let health = client.ask("health", json!({}));
        let check =
            health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "session_record").unwrap();
        assert_eq!(check["status"], "warn");
        assert!(check["detail"].as_str().unwrap().contains(&format!("sessions.json.bad{number}")), "{check}");
        client.ask("shutdown", json!({}));
        eventually("it is over", || daemon.processes().is_empty());
    }
    assert!(home.log().contains("session \"one\": invalid type: string"), "{}", home.log());
    assert_eq!(aside("").as_deref(), Some(strange.as_str()), "the first is as it was");

    // One that can be neither read nor kept aside is not overwritten either.
    for number in 5..=10 {
        fs::write(home.state().join(format!("sessions.json.bad.{number}")), "").unwrap();
    }
    fs::write(home.state().join("sessions.json"), "the last one").unwrap();
    let client = start(&daemon);
    assert_eq!(names(&client), [""; 0]);
    client.ask("run", json!({"cmd": "exec sleep 1000", "name": "three"}));
    client.ask("shutdown", json!({}));
    eventually("it is over", || daemon.processes().is_empty());
    assert_eq!(record(&home), "the last one");
    assert!(home.log().contains("no session is recorded"), "{}", home.log());
}

/// One run that could not be started had kept those behind it from being, and the session from ever being restored.
#[test]
fn each_run_of_a_session_is_restored_by_itself_and_what_is_left_later() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let client = start(&daemon);
    let folder = home.path().join("gone");
    fs::create_dir(&folder).unwrap();
    client.ask("run", json!({"cmd": "exec sleep 1001", "name": "two"}));
    client.ask("run", json!({"cmd": "exec sleep 1002", "session": "two", "cwd": folder}));
    client.ask("run", json!({"cmd": "exec sleep 1003", "session": "two"}));
    eventually("all are written", || record(&home).contains("1003"));
    let end = |daemon: &Daemon| {
        let pid = daemon.pid();
        proc::signal(pid, Signal::SIGKILL);
        eventually("all is over", || proc::gone(pid) && home.processes().is_empty());
    };
    end(&daemon);
    fs::remove_dir(&folder).unwrap();
    let client = start(&daemon);
    let reply = client.ask("restore", json!({}));
    assert_eq!(reply["restored"].as_array().unwrap().len(), 2, "{reply}");
    assert!(reply["failed"][0]["message"].as_str().unwrap().contains("gone"), "{reply}");
    assert_eq!(client.ask("restorable", json!({}))["sessions"][0]["commands"], json!(["exec sleep 1002"]));
    fs::create_dir(&folder).unwrap();
    let reply = client.ask("restore", json!({}));
    assert_eq!((reply["restored"].as_array().unwrap().len(), &reply["failed"]), (1, &json!([])));
    let sessions = client.ask("sessions", json!({}));
    assert_eq!(sessions.as_object().unwrap().len(), 1);
    assert_eq!(sessions.as_object().unwrap().values().next().unwrap()["active_processes"], 3);
    assert_eq!(client.ask("restorable", json!({}))["sessions"], json!([]));
}

/// The record of what ran last had lost against an older one of the same name, that nobody had restored.
#[test]
fn what_ran_last_is_what_its_name_restores() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    for seconds in ["1001", "1002"] {
        let client = start(&daemon);
        client.ask("run", json!({"cmd": format!("exec sleep {seconds}"), "name": "web"}));
        eventually("it is written", || record(&home).contains(seconds));
        let pid = daemon.pid();
        proc::signal(pid, Signal::SIGKILL);
        eventually("all is over", || proc::gone(pid) && home.processes().is_empty());
    }
    let sessions = start(&daemon).ask("restorable", json!({}))["sessions"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!(sessions[0]["commands"], json!(["exec sleep 1002"]));
}

/// A daemon that read a pipe in the record's place served nobody, and no signal ended it.
#[test]
fn a_record_that_is_no_file_holds_nobody_up() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let path = home.state().join("sessions.json");
    fs::create_dir_all(home.state()).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let client = start(&daemon);
    client.ask("run", json!({"cmd": "exec sleep 1000", "name": "well"}));
    eventually("it is kept aside, and a record is there", || record(&home).contains("well"));
    assert!(home.log().contains("is not a regular file"), "{}", home.log());
}

#[test]
fn a_restore_that_takes_long_holds_up_no_other_client() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let client = start(&daemon);
    let program = home.write("slow", "#!/bin/sh\nexec sleep 1000\n");
    client.ask("run", json!({"cmd": [program], "name": "slow"}));
    client.ask("run", json!({"cmd": "exec sleep 1000", "name": "quick"}));
    eventually("both are written", || record(&home).contains("\"slow\"") && record(&home).contains("\"quick\""));
    let pid = daemon.pid();
    proc::signal(pid, Signal::SIGKILL);
    eventually("all is over", || proc::gone(pid) && home.processes().is_empty());

    let client = start(&daemon);
    let lease = Lease::of(&program);
    let restore = client.begin("restore", json!({}));
    let other = daemon.connect();
    let run = other.ask("run", json!({"cmd": "echo well", "name": "other"}));
    other.wait_exited(run["run_id"].as_str().unwrap());
    assert_eq!(other.ask("restorable", json!({}))["sessions"].as_array().unwrap().len(), 2);
    let refusal = other.refusal("replace", json!({"binary": crate::support::TERMI}));
    assert!(refusal.message.ends_with("sessions are just being restored; try again when they are"), "{refusal:?}");
    assert!(!restore.is_answered(), "it still waits for the program");
    drop(lease);
    assert_eq!(restore.answer().unwrap()["restored"].as_array().unwrap().len(), 2);
    assert_eq!(other.ask("restorable", json!({}))["sessions"], json!([]));
}
