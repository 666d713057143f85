//! How long a daemon lives, and its sessions with it.

use std::sync::Arc;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Daemon, Home, Host, eventually, proc};

fn bridge(home: &Arc<Home>) -> Host {
    home.host().persist().start()
}

/// doc/faults.md row 5: the editor is killed with -9, and with it the bridge loses its standard input.
#[test]
fn sessions_live_on_when_their_editor_leaves_or_is_killed() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    for leaves in [true, false] {
        let mut editor = bridge(&home);
        let run =
            editor.run_seen("echo begun; read x; echo \"got $x\"; sleep 0.01; echo more; read y; exec sleep 1000");
        editor.wait_screen(&run.run_id, "it runs", |screen| screen == ["begun"]);
        let pid = daemon.pid();
        if leaves {
            editor.input(&run.run_id, "a word\r");
            editor.close();
            assert!(editor.wait_end().success());
        } else {
            editor.kill_9();
        }
        let again = bridge(&home);
        assert_eq!(daemon.pid(), pid, "the same daemon");
        if !leaves {
            again.input(&run.run_id, "a word\r");
        }
        again.wait_pattern(&run, "^more$");
        again.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
        again.wait_screen(&run.run_id, "all of its text", |screen| screen == ["begun", "a word", "got a word", "more"]);
        assert_eq!(again.info(&run)["status"], "active");
        assert!(proc::alive(run.pid));
        again.ask("kill", json!({"target": run.session_id}));
    }
}

/// doc/faults.md row 6.
#[test]
fn a_killed_daemon_takes_its_programs_along_and_is_said_and_the_next_one_starts_at_once() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let mut editor = bridge(&home);
    let run = editor.run_line("trap '' HUP TERM; while :; do sleep 1000; done");
    let pid = daemon.pid();
    daemon.kill_9();
    assert_eq!(editor.wait_closed(), "EOF");
    let status = editor.wait_end();
    assert_eq!(status.code(), Some(1));
    let said = editor.stderr();
    assert!(said.contains(&format!("the daemon (process {pid}) ended")), "{said}");
    eventually("its program is gone", || proc::gone(run.pid));
    assert!(daemon.socket().exists(), "nobody could remove it");
    let again = bridge(&home);
    assert_ne!(daemon.pid(), pid);
    assert_eq!(again.ask("sessions", json!({})), json!({}));
}

/// doc/faults.md row 49.
#[test]
fn what_a_daemon_and_shims_killed_with_9_have_left_is_ended_by_the_next_one() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let editor = bridge(&home);
    let seconds = crate::support::unique_seconds();
    editor.run_line(&format!("exec nohup setsid sleep {seconds}"));
    let sleeps = || {
        let found = proc::with_argument(&seconds);
        // One that is just ending, or between its fork and its exec, may have no arguments to be read.
        let is_sleep = |pid: &i32| proc::arguments(*pid).first().is_some_and(|program| program == "sleep");
        found.into_iter().filter(is_sleep).collect::<Vec<_>>()
    };
    eventually("it is there", || sleeps().len() == 1);
    let pid = daemon.pid();
    let shims: Vec<i32> = proc::below(pid).iter().filter(|stat| stat.parent == pid).map(|stat| stat.pid).collect();
    proc::signal(pid, Signal::SIGSTOP);
    shims.iter().for_each(|shim| proc::signal(*shim, Signal::SIGKILL));
    daemon.kill_9();
    assert_eq!(sleeps().len(), 1, "nothing was left to be found");
    let again = bridge(&home);
    eventually("it is ended", || sleeps().is_empty());
    assert_eq!(again.ask("sessions", json!({})), json!({}));
}

#[test]
fn a_daemon_that_nobody_needs_ends_and_takes_its_socket_away() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let editor = home.host().env("TERMI_DAEMON_IDLE_SECONDS", "1").persist().start();
    let run = editor.run_line("read x");
    drop(editor);
    // A session alone keeps it: what ends it must be the last of its reasons to live.
    let client = daemon.connect();
    client.input(&run.run_id, "x\r");
    client.wait_exited(&run.run_id);
    client.ask("remove", json!({"target": run.session_id}));
    let pid = daemon.pid();
    client.close();
    eventually("it ends by itself", || proc::gone(pid));
    assert!(!daemon.socket().exists());
}

/// doc/faults.md row 32.
#[test]
fn a_replaced_daemon_knows_what_lives_on() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let editor = bridge(&home);
    let seconds = crate::support::unique_seconds();
    let run = editor.run_line(&format!(
        "setsid sleep {seconds} </dev/null >/dev/null 2>&1 & until pgrep -fx 'sleep {seconds}' >/dev/null; do :; done"
    ));
    editor.wait_exited(&run.run_id);
    eventually("it lives on", || editor.info(&run)["left_running"] == 1);
    drop(editor);
    assert!(daemon.command(&["daemon", "--replace"]).output().unwrap().status.success());
    let client = daemon.connect();
    client.ask("configure", json!({"keep": {"count": 0, "age_ms": 1}}));
    assert_eq!(client.refusal("remove", json!({"target": run.session_id})).code, "lives_on");
    assert_eq!(client.ask("sessions", json!({}))[&run.session_id]["processes"][0]["left_running"], 1);
    assert_eq!(proc::with_argument(&seconds).len(), 1);
    client.ask("kill", json!({"target": run.session_id}));
    client.wait_event("it gives way", |event| event["type"] == "session_removed");
}

#[test]
fn a_daemon_that_is_told_to_end_ends_every_program_first() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGHUP), Some(Signal::SIGINT), None] {
        let mut editor = bridge(&home);
        let run = editor.run_line("trap '' HUP TERM; setsid -f sleep 1234; while :; do sleep 1000; done");
        let pid = daemon.pid();
        match signal {
            Some(signal) => proc::signal(pid, signal),
            None => _ = editor.ask("shutdown", json!({})),
        }
        editor.wait_end();
        eventually("daemon and program are gone", || proc::gone(pid) && proc::gone(run.pid));
        assert!(!daemon.socket().exists());
        eventually("everything is gone", || home.processes().is_empty());
    }
}

#[test]
fn a_daemon_holds_nothing_of_who_started_it() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let editor = bridge(&home);
    let pid = daemon.pid();
    let stat = proc::stat(pid).unwrap();
    assert_eq!(stat.session, pid, "a kernel session of its own");
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/"));
    let (of_daemon, of_bridge) = (proc::descriptors(pid), proc::descriptors(editor.pid()));
    for held in of_daemon.iter().filter(|path| path.to_str().is_some_and(|path| path.starts_with("pipe:"))) {
        assert!(!of_bridge.contains(held), "{held:?} is the starter's");
    }
    assert_eq!(of_daemon[..3], ["/dev/null"; 3].map(std::path::PathBuf::from));
}

#[test]
fn a_run_has_the_folder_and_environment_of_the_client_that_starts_it() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let first = home.host().env("COLOUR", "blue").env("ONLY_HERE", "1").persist().start();
    let second = home.host().env("COLOUR", "green").persist().start();
    let line = "echo \"$COLOUR ${ONLY_HERE-none} $TERM $TERMI_SOCKET\"; pwd";
    let socket = home.runtime().join("daemon.sock").display().to_string();
    let folder = home.path().display().to_string();
    let of = |host: &Host| host.output_of(json!({"cmd": line, "size": {"rows": 24, "cols": 200}}));
    assert_eq!(of(&first), [format!("blue 1 xterm-256color {socket}"), folder.clone()]);
    assert_eq!(of(&second), [format!("green none xterm-256color {socket}"), folder]);
}

#[test]
fn it_is_ended_by_hand_once_no_program_runs_in_it() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let stop = || {
        let output = daemon.command(&["daemon", "--stop"]).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(stop(), (false, "termi: no daemon is running\n".to_owned()));
    let daemon = Daemon::start(&home);
    let pid = daemon.pid();
    let client = daemon.connect();
    client.ask("run", json!({"cmd": "read x"}));
    assert_eq!(stop(), (false, "termi: 1 program is still running; `termi kill all` ends it\n".to_owned()));
    client.ask("kill", json!({"target": "all"}));
    assert_eq!(stop(), (true, String::new()));
    assert!(proc::gone(pid), "whoever is told that it is stopped finds nothing of it at work");
}
