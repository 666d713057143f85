//! The clock on the wall jumps: timeouts and durations go by one that does not.
//!
//! The host runs with libfaketime (Debian's `faketime`, which scripts/setup installs) in it: for the host, and for
//! nothing else on this machine, the time of day is what a file says, while the monotonic clock is the kernel's.

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::support::{Home, Host, Run};

const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
const HOUR_MS: u64 = 3600 * 1000;

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime"));
    let found = folders.map(|folder| folder.join("libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("libfaketime is there; scripts/setup installs it")
}

struct Clock {
    path: PathBuf,
}

impl Clock {
    /// Another time of day, so many days from the true one.
    fn jump(&self, days: i32) {
        let next = self.path.with_extension("next");
        fs::write(&next, format!("{days:+}d\n")).unwrap();
        // In one step: nobody may read half of it.
        fs::rename(next, &self.path).unwrap();
    }
}

fn start() -> (Clock, Host) {
    let home = Home::new();
    let clock = Clock { path: home.path().join("clock") };
    clock.jump(0);
    let host = home
        .host()
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", &clock.path)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    (clock, host)
}

fn number(host: &Host, run: &Run, key: &str) -> u64 {
    host.info(run)[key].as_u64().unwrap_or_else(|| panic!("{key}: {}", host.info(run)))
}

#[test]
fn timeouts_and_durations_feel_no_jump_of_the_clock() {
    let (clock, host) = start();
    let long = json!({"cmd": "exec sleep 1000", "timeout_ms": HOUR_MS, "idle_timeout_ms": HOUR_MS});
    let first = host.run(long.clone());
    let mut last = number(&host, &first, "started_at");
    // Ahead, back to before the start, and ahead again.
    for days in [400, -400, 800] {
        clock.jump(days);
        let later = host.run(long.clone());
        let started = number(&host, &later, "started_at");
        assert!(started.abs_diff(last) > YEAR_MS, "the jump is felt: {last}, then {started}");
        last = started;
        // What is due comes, whichever way the clock went.
        for (key, reason) in [("timeout_ms", "timeout"), ("idle_timeout_ms", "idle")] {
            let short = host.run(json!({"cmd": "exec sleep 1000", key: 300}));
            // Jumps while it waits are felt as little.
            clock.jump(-days);
            clock.jump(days);
            host.wait_exited(&short.run_id);
            let info = host.info(&short);
            assert_eq!(info["status"], "timed_out", "{info}");
            assert!(info["reason"].as_str().unwrap().contains(reason), "{info}");
            let duration = info["duration_ms"].as_u64().unwrap();
            assert!((300..HOUR_MS).contains(&duration), "{info}");
        }
        let waited = json!({"target": first.run_id, "until": "exit", "timeout_ms": 100});
        assert_eq!(host.ask("wait", waited)["reason"], "timeout");
        let silent = json!({"target": first.run_id, "until": {"idle_ms": 100}, "timeout_ms": HOUR_MS});
        assert_eq!(host.ask("wait", silent)["reason"], "idle");
        // What is not due stays.
        for run in [&first, &later] {
            assert_eq!(host.info(run)["status"], "active");
            assert!(number(&host, run, "duration_ms") < HOUR_MS);
        }
    }
    for record in host.ask("history", json!({}))["records"].as_array().unwrap() {
        let duration = record["duration_ms"].as_u64().unwrap_or_else(|| panic!("{record}"));
        assert!((300..HOUR_MS).contains(&duration), "{record}");
    }
    // A grace goes by the same clock: without the kill at its end this would never be answered.
    let deaf = host.run(json!({"cmd": "trap '' HUP TERM; echo deaf; while :; do sleep 1000; done"}));
    host.wait_pattern(&deaf, "deaf");
    let kill = host.begin("kill", json!({"target": deaf.run_id, "grace_ms": 300}));
    clock.jump(-800);
    assert_eq!(kill.answer().unwrap()["killed"], 1);
    assert_eq!(host.wait_exited(&deaf.run_id)["exit"]["signal"], 9);
    assert_eq!(host.info(&first)["status"], "active");
}
