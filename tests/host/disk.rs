//! Fault 21: a disk that is full, read-only or gone. The log and the history lose lines, with one warning; sessions
//! feel nothing.

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::support::{Home, Host, eventually};

/// A host whose state folder is on a file system of its own, seen by nobody else. `mount` sees it as `$STATE`.
fn host_on(home: &std::sync::Arc<Home>, mount: &str) -> Host {
    // Without being root, in a user namespace of its own.
    let unshare = if nix::unistd::Uid::effective().is_root() { "unshare --mount" } else { "unshare -Urm" };
    let line = format!(
        "exec {unshare} sh -c 'STATE=\"$XDG_STATE_HOME/termi\"; mkdir -m 700 -p \"$STATE\"; {mount}; exec \"$TERMI\" host'"
    );
    home.host().by_shell(&line).start()
}

/// The state folder as that host sees it.
fn state(host: &Host) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", host.pid(), host.home().state().display()))
}

fn works(host: &Host) {
    let run = host.run(json!({"cmd": "read line; echo \"heard $line\"; seq 1000; exit 7", "log": true}));
    host.ask("send", json!({"target": run.run_id, "data": "all is well", "enter": true}));
    host.wait_pattern(&run, "heard all is well");
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["code"], 7);
    assert_eq!(host.text(&run).last().unwrap(), "1000");
}

fn warnings(host: &Host) -> usize {
    host.stderr().matches("the log cannot be written").count()
}

#[test]
fn a_full_disk_costs_log_and_history_and_one_warning() {
    let home = Home::new();
    let host = host_on(&home, "mount -t tmpfs -o size=256k,mode=700 none \"$STATE\"");
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], 1);
    let ballast = state(&host).join("ballast");
    // As much as there is room for.
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    // The last pages of both files still take a few lines.
    let mut kept = 0;
    eventually("nothing more can be kept", || {
        works(&host);
        let total = host.ask("history", json!({}))["total"].as_u64().unwrap();
        std::mem::replace(&mut kept, total) == total && warnings(&host) == 1
    });
    fs::remove_file(&ballast).unwrap();
    for log in fs::read_dir(state(&host).join("logs")).unwrap() {
        let _ = fs::remove_file(log.unwrap().path());
    }
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], kept + 1, "and goes on when there is room");
    let text = fs::read_to_string(state(&host).join("history.jsonl")).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "half a line: {text}");
    assert_eq!(warnings(&host), 1, "{}", host.stderr());
}

#[test]
fn a_read_only_folder_costs_log_and_history_and_one_warning() {
    let home = Home::new();
    let host = host_on(&home, "mount --bind \"$STATE\" \"$STATE\" && mount -o remount,ro,bind \"$STATE\"");
    for _ in 0..3 {
        works(&host);
    }
    assert_eq!(host.ask("history", json!({}))["total"], 0);
    assert_eq!(host.stderr().matches("there will be no log").count(), 1, "{}", host.stderr());
    assert_eq!(host.stderr().lines().count(), 1, "{}", host.stderr());
}

#[test]
fn a_deleted_folder_is_made_again() {
    let home = Home::new();
    let host = home.host().start();
    works(&host);
    // The end is told before it is written down.
    eventually("it is in the history", || host.ask("history", json!({}))["total"] == 1);
    fs::remove_dir_all(home.state()).unwrap();
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], 1, "what was deleted is gone, what comes is kept");
    eventually("the log is there again", || home.log().contains("exited with code 7"));
    assert_eq!(host.stderr(), "");
}
