//! Killing: the whole tree goes, nobody else does.

use std::{path::Path, process::Command};

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually, eventually_some, proc, unique_seconds};

/// Python that becomes a daemon as `daemon(3)` does, with or without its terminal, and then sleeps for `argv[1]`.
const DAEMON: &str = r"#!/usr/bin/env python3
import os, sys
child = os.fork()
if child: os.waitpid(child, 0); os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0 if 'closed' in sys.argv else 3, 256)
os.execve('/bin/sleep', ['sleep', sys.argv[1]], {})
";

fn kill(host: &Host, run: &Run, params: Json) -> Json {
    let mut whole = json!({"target": run.run_id});
    whole.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    host.ask("kill", whole)
}

/// Waits for processes that have an argument of their own; gives their ids.
fn wait_for_processes(argument: &str, count: usize) -> Vec<i32> {
    eventually_some(&format!("{count} processes of sleep {argument}"), || {
        let found = proc::with_argument(argument);
        let is_sleep = |pid: &i32| proc::arguments(*pid).first().is_some_and(|name| name.ends_with("sleep"));
        let found: Vec<i32> = found.into_iter().filter(is_sleep).collect();
        (found.len() == count).then_some(found)
    })
}

fn assert_gone(what: &str, pids: &[i32]) {
    for pid in pids {
        assert!(proc::gone(*pid), "{what}: {:?} {:?}", proc::stat(*pid), proc::arguments(*pid));
    }
}

#[test]
fn a_program_that_ignores_every_polite_signal_is_killed_after_the_grace() {
    let host = Host::start();
    let run = host.run_line("trap '' HUP TERM INT QUIT; echo stubborn; while :; do sleep 1000; done");
    host.wait_pattern(&run, "stubborn");
    let answer = kill(&host, &run, json!({"grace_ms": 300}));
    assert_eq!((&answer["killed"], &answer["total"]), (&json!(1), &json!(1)));
    assert_gone("once it is answered", &[run.pid]);
    let event = host.wait_exited(&run.run_id);
    assert_eq!(event["status"], "killed");
    assert_eq!(event["exit"], json!({"code": null, "signal": 9}));
}

/// A process that is not read right from /proc is not seen, and was once not ended: names are bytes, not text.
#[test]
fn a_process_with_a_name_that_is_no_text_is_ended_like_any_other() {
    let host = Host::start();
    let run = host
        .run_line(r"trap '' HUP TERM; printf '\377\376) Z' > /proc/$$/comm; echo ready; while :; do sleep 1000; done");
    host.wait_pattern(&run, "ready");
    assert_eq!(kill(&host, &run, json!({"grace_ms": 200}))["killed"], 1);
    assert_gone("once it is answered", &[run.pid]);
}

/// Only the host's own orders reach a shim, and it must be awake to read them.
#[test]
fn a_run_whose_shim_was_stopped_is_killed_all_the_same() {
    let host = Host::start();
    let run = host.run_line("kill -STOP $PPID; echo ready; while :; do sleep 1000; done");
    host.wait_pattern(&run, "ready");
    assert_eq!(kill(&host, &run, json!({"grace_ms": 200}))["killed"], 1);
    assert_gone("once it is answered", &[run.pid]);
}

#[test]
fn a_program_that_cleans_up_gets_to_do_so() {
    let host = Host::start();
    let run = host.run_line("trap 'echo saved; exit 7' HUP; echo ready; while :; do sleep 0.01; done");
    host.wait_pattern(&run, "ready");
    assert_eq!(kill(&host, &run, json!({"grace_ms": 30_000}))["killed"], 1);
    let event = host.wait_exited(&run.run_id);
    assert_eq!((&event["status"], &event["exit"]), (&json!("killed"), &json!({"code": 7, "signal": null})));
    assert_eq!(host.text(&run).last().unwrap(), "saved");
}

#[test]
fn sigterm_follows_for_those_that_ignore_only_the_hangup() {
    let host = Host::start();
    let run = host.run_line("trap '' HUP; trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done");
    host.wait_pattern(&run, "ready");
    assert_eq!(kill(&host, &run, json!({"grace_ms": 30_000}))["killed"], 1);
    assert_eq!(host.wait_exited(&run.run_id)["exit"], json!({"code": 8, "signal": null}));
}

#[test]
fn the_first_signal_can_be_chosen_by_name_or_number() {
    let host = Host::start();
    for (signal, number) in [
        (json!("INT"), 2),
        (json!("SIGTERM"), 15),
        (json!("kill"), 9),
        (json!(9), 9),
        (json!(10), 10),
        (json!("usr2"), 12),
        (json!(40), 40),
    ] {
        let run = host.run(json!({"cmd": ["sleep", "1000"]}));
        assert_eq!(kill(&host, &run, json!({"signal": signal, "grace_ms": 30_000}))["killed"], 1);
        assert_eq!(host.wait_exited(&run.run_id)["exit"]["signal"], number, "{signal}");
    }
    let run = host.run(json!({"cmd": ["sleep", "1000"]}));
    for signal in [json!("NONSENSE"), json!(0), json!(65), json!(-9), json!(""), json!(true)] {
        let refusal = host.refusal("kill", json!({"target": run.run_id, "signal": signal}));
        assert_eq!(refusal.code, "invalid_params", "{signal}");
    }
    assert_eq!(host.info(&run)["status"], "active");
}

#[test]
fn everything_in_the_background_goes_with_its_run() {
    let host = Host::start();
    let seconds = unique_seconds();
    let line = format!(
        "set -m; for n in 1 2 3; do (trap '' HUP TERM; sleep {seconds}; :) & done; \
         nohup sleep {seconds} >/dev/null 2>&1 & disown -a 2>/dev/null; echo started; exec sleep {seconds}"
    );
    let run = host.run(json!({"cmd": ["bash", "-c", line]}));
    let pids = wait_for_processes(&seconds, 5);
    let answer = kill(&host, &run, json!({"grace_ms": 300}));
    assert_eq!((&answer["killed"], &answer["total"]), (&json!(1), &json!(1)), "{answer}");
    assert_gone("in the background", &pids);
}

#[test]
fn what_a_program_leaves_in_its_terminal_goes_when_it_exits() {
    let host = Host::start();
    let seconds = unique_seconds();
    let run = host.run_line(&format!("trap '' HUP; sleep {seconds} & (sleep {seconds}; :) & exit 3"));
    let event = host.wait_exited(&run.run_id);
    assert_eq!(event["exit"], json!({"code": 3, "signal": null}));
    assert_eq!(event["left_running"], 0);
    eventually("the leftovers are gone", || proc::with_argument(&seconds).is_empty());
}

/// Starts a program that leaves a daemon behind and goes on itself.
fn escape(host: &Host, how: &str, seconds: &str) -> (Run, i32) {
    let daemon = host.home().write("daemon", DAEMON);
    let daemon = daemon.display();
    let line = match how {
        "setsid" => format!("setsid sleep {seconds} & exec sleep 1000"),
        "setsid, nothing of the environment" => format!("setsid env -i sleep {seconds} & exec sleep 1000"),
        "daemon" => format!("{daemon} {seconds}; exec sleep 1000"),
        "daemon with everything closed" => format!("{daemon} {seconds} closed; exec sleep 1000"),
        _ => unreachable!(),
    };
    let run = host.run_line(&line);
    let escapee = wait_for_processes(seconds, 1)[0];
    eventually("it is in a session of its own", || proc::stat(escapee).is_some_and(|stat| stat.session != run.pid));
    (run, escapee)
}

const ESCAPES: [&str; 4] = ["setsid", "setsid, nothing of the environment", "daemon", "daemon with everything closed"];

#[test]
fn who_escapes_by_setsid_or_a_double_fork_is_found_and_ended_on_kill() {
    let host = Host::start();
    for how in ESCAPES {
        let seconds = unique_seconds();
        let (run, escapee) = escape(&host, how, &seconds);
        let answer = kill(&host, &run, json!({"grace_ms": 1000}));
        assert_eq!(answer["killed"], 1, "{how}");
        assert_gone(how, &[escapee, run.pid]);
        assert_eq!(answer["processes"].as_u64(), Some(2), "{how}: {answer}");
    }
}

#[test]
fn an_escapee_that_holds_the_terminal_does_not_hold_up_the_exit() {
    let host = Host::start();
    for how in ["setsid", "daemon"] {
        let seconds = unique_seconds();
        let daemon = host.home().write("daemon", DAEMON);
        // Whoever has not left the session when the program exits goes with it, so the program waits for that.
        let start = if how == "daemon" {
            format!("{} {seconds}", daemon.display())
        } else {
            format!("mkfifo up; setsid sh -c 'echo >up; exec sleep {seconds}' & read up <up")
        };
        let run = host.run_seen(&format!("echo first; {start}\necho last; exit 6"));
        let event = host.wait_exited(&run.run_id);
        assert_eq!(event["exit"], json!({"code": 6, "signal": null}), "{how}");
        assert_eq!(host.state().views[&run.run_id].screen(), ["first", "last"], "{how}");
        let escapee = wait_for_processes(&seconds, 1);
        assert_eq!(event["left_running"], 1, "{how}: it lives on and the event says so");
        // It is still the run's: a kill ends it, although the run has ended.
        let answer = kill(&host, &run, json!({}));
        assert_eq!(
            (&answer["killed"], &answer["total"], &answer["processes"]),
            (&json!(0), &json!(0), &json!(1)),
            "{how}"
        );
        assert_gone(how, &escapee);
    }
}

#[test]
fn what_lives_on_after_its_run_goes_when_the_run_is_dismissed_with_it() {
    let host = Host::start();
    let seconds = unique_seconds();
    let daemon = host.home().write("daemon", DAEMON);
    let run = host.run_line(&format!("{} {seconds} closed", daemon.display()));
    host.wait_exited(&run.run_id);
    wait_for_processes(&seconds, 1);
    assert_eq!(host.ask("remove", json!({"target": run.run_id, "force": true})), json!({"removed": 1, "processes": 1}));
    assert_eq!(proc::with_argument(&seconds), [] as [i32; 0], "it is gone before the answer comes");
}

/// A kill may come at any moment of a start: before the child's setsid its group is the shim's.
#[test]
fn a_kill_right_after_a_start_reaches_nobody_else() {
    let home = Home::new();
    let bystander_seconds = unique_seconds();
    // Between the host's own process group and the host: both must survive.
    let line = format!("sleep {bystander_seconds} & exec \"$TERMI\" host");
    let mut host = home.host().by_shell(&line).start();
    let in_group = wait_for_processes(&bystander_seconds, 1)[0];
    let mut stranger = Command::new("sleep").arg(unique_seconds()).spawn().unwrap();
    let witness = host.run(json!({"cmd": ["sleep", "1000"]}));
    for round in 0..60 {
        let line = format!("sleep {round} & sleep 1000");
        let run = host.run(json!({"cmd": line}));
        let signal = ["HUP", "INT", "TERM", "KILL"][round % 4];
        let answer = kill(&host, &run, json!({"signal": signal}));
        assert_eq!((&answer["killed"], &answer["total"]), (&json!(1), &json!(1)), "{answer}");
        assert_gone("killed right after its start", &[run.pid]);
        let again = kill(&host, &run, json!({}));
        assert_eq!(again, json!({"killed": 0, "total": 0, "processes": 0}), "whoever has its pid now is a stranger");
    }
    assert!(proc::alive(host.pid()) && proc::alive(in_group), "the host's own group");
    assert!(stranger.try_wait().unwrap().is_none(), "a bystander");
    assert_eq!(host.info(&witness)["status"], "active");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    host.close();
    host.wait_end();
    assert!(proc::alive(in_group), "what the host did not start it does not end");
    proc::signal(in_group, nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn two_kills_at_once_are_both_answered() {
    let host = Host::start();
    // Its trap is carried out between two sleeps: the signal may come just before one begins, which then has not got it.
    let run = host.run_line("trap 'echo told' HUP; trap '' TERM; echo ready; while :; do sleep 0.1; done");
    host.wait_pattern(&run, "ready");
    let patient = host.begin("kill", json!({"target": run.run_id, "grace_ms": 60_000}));
    // Requests are served side by side: the other one could be through before this one begins.
    host.wait_pattern(&run, "told");
    let at_once = host.begin("kill", json!({"target": run.run_id, "signal": "KILL"}));
    for answer in [at_once.answer(), patient.answer()] {
        assert_eq!(answer.unwrap()["killed"], 1);
    }
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["signal"], 9);
}

#[test]
fn a_shim_ended_from_outside_takes_its_program_with_it_and_the_run_says_so() {
    let host = Host::start();
    for signal in [nix::sys::signal::Signal::SIGTERM, nix::sys::signal::Signal::SIGKILL] {
        let seconds = unique_seconds();
        let run = host.run_line(&format!("sleep {seconds} & exec sleep {seconds}"));
        let programs = wait_for_processes(&seconds, 2);
        let shim = proc::stat(run.pid).unwrap().parent;
        assert!(proc::arguments(shim)[0] != Path::new("sleep").to_str().unwrap());
        proc::signal(shim, signal);
        let event = host.wait_exited(&run.run_id);
        if signal == nix::sys::signal::Signal::SIGKILL {
            assert_eq!(event["status"], "failed", "{event}");
            assert!(event["reason"].as_str().unwrap().contains("ended from outside"), "{event}");
        }
        eventually("its programs are gone", || programs.iter().all(|pid| proc::gone(*pid)));
    }
    host.ask("sessions", json!({}));
}

/// doc/faults.md row 40: by its environment and its kernel session nobody can tell whose it is, and it would live on unseen.
#[test]
fn what_hides_from_its_run_and_kills_its_shim_is_ended_with_the_run() {
    let host = Host::start();
    let (seconds, others) = (unique_seconds(), unique_seconds());
    let other = host.run_line(&format!("setsid env -i sleep {others} & exec sleep {others}"));
    let line = format!("setsid env -i sh -c 'sleep {seconds} & exec sleep {seconds}' & read x");
    let run = host.run_line(&line);
    wait_for_processes(&seconds, 2);
    wait_for_processes(&others, 2);
    let shim = proc::stat(run.pid).unwrap().parent;
    proc::signal(shim, nix::sys::signal::Signal::SIGKILL);
    host.wait_exited(&run.run_id);
    eventually("nothing of it is left", || proc::with_argument(&seconds).is_empty());
    assert_eq!(host.info(&other)["status"], "active");
    assert_eq!(proc::with_argument(&others).into_iter().filter(|pid| proc::arguments(*pid)[0] == "sleep").count(), 2);
}
