//! What is slow holds up only who asked for it.

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::support::{Client, Home, Host, Lease, Speech, eventually, eventually_some, proc};

/// A host and a program whose start lasts until the lease is dropped.
fn host_and_slow_program() -> (Host, Lease) {
    let host = Host::start();
    let program = host.home().write("slow", "#!/bin/sh\necho runs; exec sleep 1000\n");
    (host, Lease::of(&program))
}

/// The process that waits to become the program: it is what started it, still.
fn starting(host: &Host) -> i32 {
    eventually_some("a process waits to become the program", || {
        let is_shim = |pid: &i32| proc::arguments(*pid).get(1).is_some_and(|argument| argument == "shim");
        host.programs().into_iter().find(is_shim)
    })
}

#[test]
fn a_slow_start_holds_up_no_other_runs_events_and_frames() {
    for speech in [Speech::Msgpack, Speech::Json] {
        let (host, lease) = host_and_slow_program();
        let client = host.connect_speaking(speech);
        client.initialize();
        let fifo = host.home().fifo("go");
        let quick =
            client.ask("run", json!({"cmd": format!("read line <{}; exit 3", fifo.display()), "name": "quick"}));
        let quick = quick["run_id"].as_str().unwrap();
        let slow = client.begin("run", json!({"cmd": [lease.path()], "attach": "ansi"}));
        // In the very session of the quick one, too.
        let beside = client.begin("run", json!({"cmd": [lease.path()], "session": "quick"}));
        starting(&host);
        host.home().release(&fifo);
        assert_eq!(client.wait_exited(quick)["exit"]["code"], 3);
        let seen = client.ask("run", json!({"cmd": "echo seen; sleep 1000", "attach": "ansi"}));
        client.wait_screen(seen["run_id"].as_str().unwrap(), "seen", |screen| {
            screen.first().is_some_and(|row| row == "seen")
        });
        assert!(!slow.is_answered() && !beside.is_answered(), "{speech:?}: they are still being started");
        drop(lease);
        let (id, started) = (slow.id(), slow.answer().unwrap());
        assert_in_order(&client, id, &started);
        let (id, started) = (beside.id(), beside.answer().unwrap());
        assert_in_order(&client, id, &started);
    }
}

/// What comes of a run comes after the answer that introduces it.
fn assert_in_order(client: &Client, id: u64, started: &Json) {
    let of_run = |arrival: &Json| arrival["run_id"] == started["run_id"] || arrival["frame"] == started["run_id"];
    let (answered, first) = client.wait_for("an answer and an event", |state| {
        let place = |fits: &dyn Fn(&Json) -> bool| state.arrivals.iter().position(fits);
        Some((place(&|arrival| arrival["answer"] == id)?, place(&of_run)?))
    });
    assert!(answered < first, "{started}");
}

#[test]
fn a_pipe_is_no_program_and_is_not_waited_for() {
    let home = Home::new();
    let host = home.host().start();
    let pipe = home.fifo("pipe");
    std::fs::set_permissions(&pipe, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for cmd in [json!([pipe.to_str().unwrap()]), json!(["/dev/null"])] {
        let refusal = host.refusal("run", json!({"cmd": cmd}));
        assert_eq!(refusal.code, "not_executable", "{}", refusal.message);
        assert!(refusal.message.ends_with("is not a regular file, so it cannot be a program"), "{}", refusal.message);
    }
}

#[test]
fn a_program_that_is_killed_before_it_runs_has_not_started() {
    let (host, lease) = host_and_slow_program();
    let run = host.begin("run", json!({"cmd": [lease.path()]}));
    proc::signal(starting(&host), Signal::SIGKILL);
    let failure = run.answer().unwrap_err();
    assert_eq!(failure.code, "start_failed", "{}", failure.message);
    assert!(failure.message.ends_with("was ended by SIGKILL before it could run"), "{}", failure.message);
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}

/// The loader of the process that starts the program waits for a pipe, before that process has opened anything of the
/// host's. Whatever it opened later could be another run's.
#[test]
fn a_start_that_is_given_up_leaves_no_process_that_may_wake_later() {
    let host = Host::start();
    let pipe = host.home().fifo("library");
    let failure = host.call("run", json!({"cmd": ["true"], "env": {"LD_PRELOAD": pipe}})).unwrap_err();
    assert_eq!(failure.code, "start_failed");
    assert!(failure.message.contains("did not run within 20 s"), "{}", failure.message);
    eventually("nothing is left of it", || proc::below(host.pid()).is_empty());
    assert_eq!(host.output_of(json!({"cmd": "echo well"})), ["well"]);
}

/// The list of sessions had waited for the run whose program was being started again.
#[test]
fn a_slow_restart_holds_up_no_list_and_no_other_call() {
    let host = Host::start();
    let program = host.home().write("slow", "#!/bin/sh\necho runs; exec sleep 1000\n");
    let run = host.run(json!({"cmd": [program], "name": "slow"}));
    host.wait_pattern(&run, "^runs$");
    eventually("the script is not read any more", || {
        proc::arguments(run.pid).first().is_some_and(|word| word == "sleep")
    });
    let lease = Lease::of(&program);
    let restart = host.begin("restart", json!({"target": "slow"}));
    starting(&host);
    let listed = host.ask("sessions", json!({}));
    assert_eq!(listed[&run.session_id]["processes"][0]["run_id"], run.run_id.as_str());
    assert!(host.ask("health", json!({}))["checks"].is_array());
    assert!(!restart.is_answered(), "it still waits for the program");
    drop(lease);
    assert_eq!(restart.answer().unwrap()["run_id"], run.run_id.as_str());
}
