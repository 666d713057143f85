//! The seed's troubleshooting as checks: each says what was found, and what to do where there is something.

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually, proc};

fn checks<'a>(health: &'a Json, name: &str) -> Vec<&'a Json> {
    health["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name).collect()
}

#[track_caller]
fn one<'a>(health: &'a Json, name: &str) -> &'a Json {
    let found = checks(health, name);
    assert_eq!(found.len(), 1, "{name}: {health}");
    found[0]
}

#[test]
fn a_host_that_is_well_says_so_of_everything() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "exec sleep 1000", "name": "quiet"}));
    let health = host.ask("health", json!({}));
    for name in [
        "log",
        "labels",
        "history",
        "runtime_folder",
        "terminals",
        "ptys",
        "open_files",
        "processes",
        "sessions",
        "runs",
        "transcripts",
        "memory",
        "cgroup",
        "leftovers",
        "subreaper",
        "names",
        "agents",
        "uptime",
        "session",
    ] {
        let check = one(&health, name);
        assert_eq!(check["status"], "ok", "{check}");
        assert!(!check["detail"].as_str().unwrap().is_empty() && check["advice"].is_null(), "{check}");
    }
    let session = one(&health, "session");
    assert_eq!((&session["session_id"], &session["session_name"]), (&json!(run.session_id), &json!("quiet")));
    assert_eq!(health["status"], "ok");
}

#[test]
fn each_trouble_of_a_session_comes_with_advice() {
    let host = Host::start();
    let ended = |params: Json| -> Run {
        let run = host.run(params);
        host.wait_exited(&run.run_id);
        run
    };
    let deaf = host.run(json!({"cmd": "stty raw; echo ready; exec sleep 1000"}));
    host.wait_pattern(&deaf, "ready");
    host.ask("send", json!({"target": deaf.run_id, "data": "x".repeat(100_000)}));
    let late = ended(json!({"cmd": "exec sleep 1000", "timeout_ms": 50}));
    let busy = ended(json!({"cmd": "while :; do :; done", "limits": {"cpu_seconds": 1}}));
    let left = ended(json!({"cmd": "mkfifo up; setsid sh -c 'echo >up; exec sleep 1000' & read x <up"}));
    let health = host.ask("health", json!({}));
    for (run, detail, advice) in [
        (&deaf, "has not read", "it does not read"),
        (&late, "its timeout", "raise its timeout"),
        (&busy, "its limit (cpu_seconds) is 1 s", "raise that limit"),
        (&left, "left 1 processes running", "kill the session"),
    ] {
        let found: Vec<_> =
            checks(&health, "session").into_iter().filter(|check| check["run_id"] == run.run_id.as_str()).collect();
        assert_eq!(found.len(), 1, "{health}");
        assert_eq!((&found[0]["status"], &found[0]["session_id"]), (&json!("warn"), &json!(run.session_id)));
        assert!(found[0]["detail"].as_str().unwrap().contains(detail), "{}", found[0]);
        assert!(found[0]["advice"].as_str().unwrap().contains(advice), "{}", found[0]);
    }
    assert_eq!(health["status"], "warn");
}

#[test]
fn what_is_nearly_used_up_or_missing_is_told_before_it_hurts() {
    let home = Home::new();
    std::fs::write(home.state(), "a file in the place of the folder").unwrap();
    let host = home.host().start();
    host.ask("configure", json!({"max_sessions": 1, "max_runs": 1}));
    host.run(json!({"cmd": "exec sleep 1000"}));
    host.run_ended_nowhere();
    std::fs::remove_file(host.socket()).unwrap();
    let health = host.ask("health", json!({}));
    for (name, status, advice) in [
        ("log", "warn", "writable"),
        ("runtime_folder", "warn", "XDG_RUNTIME_DIR"),
        ("sessions", "error", "max_sessions"),
        ("runs", "error", "max_runs"),
    ] {
        let check = one(&health, name);
        assert_eq!(check["status"], status, "{check}");
        assert!(check["advice"].as_str().unwrap().contains(advice), "{check}");
    }
    assert_eq!(health["status"], "error");
}

impl Host {
    /// A run that ends while nothing can be kept of it.
    fn run_ended_nowhere(&self) {
        self.ask("configure", json!({"max_sessions": 9, "max_runs": 9}));
        let run = self.run_line("true");
        self.wait_exited(&run.run_id);
        self.ask("history", json!({}));
        assert_eq!(one(&self.ask("health", json!({})), "history")["status"], "warn");
        self.ask("remove", json!({"target": run.run_id}));
        self.ask("configure", json!({"max_sessions": 1, "max_runs": 1}));
    }
}

/// doc/faults.md row 50: a filter of system calls refuses what an emulated system may not know.
#[test]
fn a_system_that_refuses_a_subreaper_is_named_with_its_error_and_programs_run() {
    const REFUSING: &str = "import ctypes, os, struct, sys
call = {'x86_64': 157, 'aarch64': 167}[os.uname().machine]
rule = lambda code, yes, no, value: struct.pack('HBBI', code, yes, no, value)
rules = [rule(0x20, 0, 0, 0), rule(0x15, 0, 3, call), rule(0x20, 0, 0, 16), rule(0x15, 0, 1, 36),
         rule(0x06, 0, 0, 0x00050000 | 22), rule(0x06, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(b''.join(rules))
class Filter(ctypes.Structure):
    _fields_ = [('count', ctypes.c_ushort), ('rules', ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
its = Filter(len(rules), ctypes.addressof(program))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(its), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], [sys.argv[1], 'host'])";
    let home = Home::new();
    let script = home.write("refusing.py", REFUSING);
    let host = home.host().by_shell(&format!("exec python3 {} \"$TERMI\"", script.display())).start();
    let run = host.run_line("exit 7");
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["code"], 7);
    let health = host.ask("health", json!({}));
    let check = one(&health, "subreaper");
    assert_eq!(check["status"], "warn");
    assert!(check["detail"].as_str().unwrap().contains("EINVAL"), "{check}");
    let run = host.run_line("trap '' HUP TERM; sleep 1000 & while :; do sleep 1000; done");
    assert_eq!(host.ask("kill", json!({"target": run.run_id}))["killed"], 1);

    // What leaves the tree is found by its mark: of this run, and of no other.
    let escaping = "setsid -f sh -c 'sleep 1000 & sleep 1000 & echo out; exec sleep 1000'; exec cat";
    let (one_run, other) = (host.run_line(escaping), host.run_line(escaping));
    for run in [&one_run, &other] {
        host.wait_pattern(run, "out");
    }
    let escaped = |run: &Run| -> usize {
        let of_run = proc::with_environment(&format!("TERMI_RUN={}", run.run_id));
        of_run.into_iter().filter(|pid| proc::arguments(*pid).first().is_some_and(|name| name == "sleep")).count()
    };
    eventually("each has processes that left it", || escaped(&one_run) == 3 && escaped(&other) == 3);
    assert_eq!(host.ask("kill", json!({"target": one_run.run_id}))["killed"], 1);
    assert_eq!((escaped(&one_run), escaped(&other)), (0, 3));
    host.ask("shutdown", json!({}));
    eventually("none is left", || escaped(&other) == 0);
}
