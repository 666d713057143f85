//! Nothing is orphaned: when the editor or the host goes, however it goes, every program goes with it, and
//! nothing that was only half typed is executed.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Home, Host, eventually, eventually_some, proc, unique_seconds, within};

/// How long it may take from the death of the editor or the host to the death of the last program (doc/faults.md rows 5
/// and 6).
const PROMISED: Duration = Duration::from_secs(3);

/// Programs that do not want to go. Each line sleeps for `$SECONDS_`, by which its processes are found even
/// where their environment is empty.
const STUBBORN: [&str; 4] = [
    "exec sleep $SECONDS_",
    "trap '' HUP TERM INT; sleep $SECONDS_; while :; do sleep $SECONDS_; done",
    "sleep $SECONDS_ & (trap '' HUP; sleep $SECONDS_; :) & wait",
    "mkfifo up.$TERMI_RUN; setsid env -i sh -c \"trap '' HUP TERM; echo >up.$TERMI_RUN; sleep $SECONDS_; :\" & \
     read up <up.$TERMI_RUN; exec sleep $SECONDS_",
];

fn start_stubborn(host: &Host, seconds: &str) -> Vec<i32> {
    for line in STUBBORN {
        host.run(json!({"cmd": line, "env": {"SECONDS_": seconds}}));
    }
    // Lines 1 to 4 have 1, 1, 2 and 2 sleeps.
    eventually("every sleep is there", || sleeps(seconds).len() == 6);
    let mut pids = host.programs();
    pids.extend(proc::below(host.pid()).iter().map(|stat| stat.pid));
    pids.sort_unstable();
    pids.dedup();
    pids
}

fn sleeps(seconds: &str) -> Vec<i32> {
    let found = proc::with_argument(seconds);
    found.into_iter().filter(|pid| proc::arguments(*pid)[0] == "sleep").collect()
}

fn assert_all_gone(after: &str, pids: &[i32]) {
    let left =
        || -> Vec<_> { pids.iter().filter(|pid| !proc::gone(**pid)).map(|&pid| (pid, proc::stat(pid))).collect() };
    within(PROMISED, &format!("every program is gone after {after}"), || left().is_empty().then_some(()));
}

/// Not a test of its own: the editor that [`an_editor_killed_with_9_takes_every_program_with_it`] kills. It
/// is a process that owns the host's pipes, as Neovim is, and prints the host's process id once all runs.
#[test]
#[ignore = "started by another test as a process of its own"]
fn plays_the_editor() {
    let seconds = std::env::var("TEST_SECONDS").expect("only the test that kills it starts it");
    let host = Host::start();
    start_stubborn(&host, &seconds);
    println!("\nhost {}", host.pid());
    std::thread::park();
}

#[test]
fn an_editor_killed_with_9_takes_every_program_with_it() {
    let seconds = unique_seconds();
    let folder = tempfile::tempdir().unwrap();
    let mut editor = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "orphans::plays_the_editor", "--ignored", "--nocapture"])
        .env("TEST_SECONDS", &seconds)
        // Its folders cannot be removed by itself any more.
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(editor.stdout.take().unwrap()).lines();
    let host = lines.find_map(|line| line.unwrap().strip_prefix("host ")?.parse::<i32>().ok()).expect("the host's id");
    let mut pids: Vec<i32> = proc::below(host).iter().map(|stat| stat.pid).collect();
    pids.push(host);
    assert!(pids.len() >= 11, "four shims, six sleeps and the host at least: {pids:?}");
    editor.kill().unwrap();
    assert_all_gone("the editor's end", &pids);
    assert_eq!(sleeps(&seconds), [] as [i32; 0]);
    editor.wait().unwrap();
}

#[test]
fn a_host_killed_with_9_takes_every_program_with_it() {
    let seconds = unique_seconds();
    let mut host = Host::start();
    let pids = start_stubborn(&host, &seconds);
    host.kill_9();
    assert_all_gone("the host's end", &pids);
    assert_eq!(sleeps(&seconds), [] as [i32; 0]);
}

#[test]
fn a_program_that_ignores_the_hangup_ends_when_host_and_shim_were_both_killed_with_9() {
    let mut host = Host::start();
    let run = host.run_line("trap '' HUP; echo ready; exec sleep 1000");
    host.wait_pattern(&run, "ready");
    let shim = proc::stat(run.pid).unwrap().parent;
    // None of them gets to do anything about the other's end.
    proc::signal(host.pid(), Signal::SIGSTOP);
    proc::signal(shim, Signal::SIGKILL);
    host.kill_9();
    assert_all_gone("the end of both", &[run.pid]);
}

#[test]
fn a_host_that_is_told_to_end_takes_every_program_with_it_and_leaves_no_zombie() {
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGHUP), Some(Signal::SIGINT), None] {
        let seconds = unique_seconds();
        let mut host = Host::start();
        let pids = start_stubborn(&host, &seconds);
        match signal {
            Some(signal) => proc::signal(host.pid(), signal),
            None => host.close(),
        }
        assert_all_gone(&format!("{signal:?}"), &pids);
        assert!(host.wait_end().success(), "{signal:?}");
        for pid in pids {
            assert!(!proc::zombie(pid), "the host has reaped what it started");
        }
    }
}

#[test]
fn a_host_cleans_up_the_socket_of_one_that_was_killed() {
    let home = Home::new();
    let mut killed = home.host().start();
    let living = home.host().start();
    let stale = killed.socket();
    assert!(stale.exists());
    killed.kill_9();
    assert!(stale.exists(), "nobody could remove it");
    let next = home.host().start();
    assert!(!stale.exists());
    assert!(living.socket().exists() && next.socket().exists(), "those of the living stay");
}

#[test]
fn the_death_of_one_host_is_nothing_to_another() {
    let home = Home::new();
    let (mut one, other) = (home.host().start(), home.host().start());
    one.run_line("exec sleep 1000");
    let run = other.run_line("read x; echo \"got $x\"; exec sleep 1000");
    one.kill_9();
    other.input(&run.run_id, "still here\r");
    other.wait_pattern(&run, "^got still here$");
}

/// portable-pty's writer, when it is dropped, sends newline and EOT: a half-typed command was executed.
#[test]
fn a_half_typed_command_is_never_executed() {
    for shell in [&["bash", "--norc", "-i"] as &[&str], &["sh", "-i"]] {
        for how in ["close", "TERM", "9"] {
            let home = Home::new();
            let mut host = home.host().start();
            let evidence = home.path().join("executed");
            let run = host.run(json!({"cmd": shell, "env": {"PS1": "ready> "}, "attach": "ansi"}));
            host.wait_pattern(&run, "^ready>");
            // What has been executed before shows that the evidence would be there.
            host.input(&run.run_id, "touch before && echo done it\r");
            host.wait_pattern(&run, "^done it$");
            host.input(&run.run_id, format!("touch {}", evidence.display()));
            host.wait_pattern(&run, "executed$");
            let pids: Vec<i32> = proc::below(host.pid()).iter().map(|stat| stat.pid).collect();
            match how {
                "close" => host.close(),
                "TERM" => proc::signal(host.pid(), Signal::SIGTERM),
                _ => host.kill_9(),
            }
            assert_all_gone(how, &pids);
            assert!(home.path().join("before").exists());
            assert!(!evidence.exists(), "{shell:?} executed what was only half typed, after {how}");
            drop(host);
            drop(Arc::clone(&home));
        }
    }
}

#[test]
fn a_half_typed_command_is_not_executed_by_a_kill_or_a_timeout_of_its_run_either() {
    for timeout in [None, Some(700)] {
        let host = Host::start();
        let evidence = host.home().path().join("executed");
        let run = host.run(json!({"cmd": ["bash", "--norc", "-i"], "env": {"PS1": "> "}, "idle_timeout_ms": timeout}));
        host.wait_pattern(&run, "^>");
        host.input(&run.run_id, format!("touch {}", evidence.display()));
        if timeout.is_none() {
            host.wait_pattern(&run, "executed$");
            host.ask("kill", json!({"target": run.run_id}));
        }
        host.wait_exited(&run.run_id);
        assert!(!evidence.exists());
    }
}

#[test]
fn who_forks_while_the_host_ends_what_a_killed_shim_has_left_does_not_get_away() {
    let home = Home::new();
    // Two thousand at most, should nobody end it.
    let program = home.write(
        "forks",
        "#!/usr/bin/env python3
import os, signal, time
for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD): signal.signal(name, signal.SIG_IGN)
os.fork(), os.fork()
for n in range(500):
    if not os.fork(): time.sleep(1000)
    if n == 50: print('forks', flush=True)
time.sleep(1000)
",
    );
    let host = home.host().start();
    let run = host.run(json!({"cmd": [program]}));
    host.wait_pattern(&run, "forks");
    let shim = proc::stat(run.pid).unwrap().parent;
    proc::signal(shim, Signal::SIGKILL);
    host.wait_exited(&run.run_id);
    eventually("nothing of it is left", || proc::below(host.pid()).is_empty());
}

#[test]
fn a_child_that_a_real_time_signal_ended_does_not_keep_the_next_from_being_reaped() {
    let home = Home::new();
    let seconds = unique_seconds();
    let line = format!("sleep {seconds} & sleep {seconds} & exec \"$TERMI\" host");
    let host = home.host().by_shell(&line).start();
    eventually("both are there", || sleeps(&seconds).len() == 2);
    let mut children = sleeps(&seconds);
    children.sort_unstable();
    // Both have ended before the host looks, the one by the real-time signal first.
    proc::signal(host.pid(), Signal::SIGSTOP);
    for (child, signal) in children.iter().zip(["40", "9"]) {
        Command::new("kill").args([format!("-{signal}"), child.to_string()]).status().unwrap();
        eventually("it has ended", || proc::zombie(*child));
    }
    proc::signal(host.pid(), Signal::SIGCONT);
    eventually("both are reaped", || children.iter().all(|child| proc::stat(*child).is_none()));
}

/// Kills a host and its shims so that none of them gets to do anything about the others' end.
fn kill_with_shims(host: &mut Host) {
    let below = proc::below(host.pid());
    let shims: Vec<i32> = below.iter().filter(|stat| stat.parent == host.pid()).map(|stat| stat.pid).collect();
    proc::signal(host.pid(), Signal::SIGSTOP);
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        shims.iter().for_each(|shim| proc::signal(*shim, signal));
    }
    host.kill_9();
    eventually("the shims are gone", || shims.iter().all(|shim| proc::gone(*shim)));
}

/// doc/faults.md row 49.
#[test]
fn what_a_host_and_shims_killed_with_9_have_left_is_ended_by_the_next_host_which_says_so() {
    let home = Home::new();
    let (seconds, others) = (unique_seconds(), unique_seconds());
    let mut killed = home.host().start();
    let living = home.host().start();
    for line in [
        "exec nohup setsid sleep $SECONDS_",
        "trap '' HUP TERM; sleep $SECONDS_ & while :; do sleep 0.1; done",
        // Nothing but its parent says whose it is.
        "setsid sh -c 'trap \"\" HUP TERM; env -i sleep '$SECONDS_' & wait' & read x",
    ] {
        killed.run(json!({"cmd": line, "env": {"SECONDS_": seconds}}));
    }
    living.run(json!({"cmd": "setsid nohup sleep $SECONDS_ & exec sleep $SECONDS_", "env": {"SECONDS_": others}}));
    eventually("all are there", || sleeps(&seconds).len() == 3 && sleeps(&others).len() == 2);
    // Of a living host, whose shim was killed: it will be ended by that host alone.
    let mark = format!("TERMI_SOCKET={}", living.socket().display());
    let id = "0123456789abcdef0123456789abcdef";
    let mut bystanders: Vec<_> = [mark.as_str(), "TERMI_SOCKET=/elsewhere/host-999999999.sock"]
        .iter()
        .map(|mark| {
            let entries = [mark, &*format!("TERMI_RUN={id}"), &*format!("TERMI_SESSION={id}")].map(str::to_owned);
            let pairs = entries.iter().map(|entry| entry.split_once('=').unwrap());
            Command::new("sleep").arg(&others).envs(pairs).spawn().unwrap()
        })
        .collect();
    kill_with_shims(&mut killed);
    let left = proc::with_environment(&format!("TERMI_SOCKET={}", killed.socket().display())).len();
    assert!(left > 0 && !sleeps(&seconds).is_empty(), "nothing was left to be found");
    let next = home.host().start();
    eventually("nothing of it is left", || sleeps(&seconds).is_empty());
    let found = eventually_some("it is said", || {
        let health = next.ask("health", json!({}));
        let check = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "leftovers").cloned()?;
        (check["status"] == "warn").then(|| check["detail"].as_str().unwrap().to_owned())
    });
    let count: usize = found.split(' ').next().unwrap().parse().unwrap();
    assert!(count >= left, "{found}: {left} had the mark");
    assert!(home.log().contains(&format!("{count} processes that a killed host has left were ended")));
    assert_eq!(sleeps(&others).len(), 4, "those of others are nobody's business");
    for bystander in &mut bystanders {
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
