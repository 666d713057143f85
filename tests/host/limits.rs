//! Limits: what passes one is ended with the reason told, and nobody else feels it.

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually, proc, unique_seconds};

/// The reason a run was ended for, once it was.
fn ended_for(host: &Host, run: &Run) -> String {
    let event = host.wait_exited(&run.run_id);
    assert_eq!(event["status"], "killed", "{event}");
    let info = host.info(run);
    assert_eq!((&info["status"], &info["reason"]), (&event["status"], &event["reason"]));
    event["reason"].as_str().unwrap_or_else(|| panic!("no reason: {event}")).to_owned()
}

/// A host with a shell that answers: what goes on beside it must not hold it up.
fn host_with_witness() -> (Host, Run) {
    let host = Host::start();
    let witness =
        host.run(json!({"cmd": "echo ready; while read line; do echo \"heard $line\"; done", "name": "witness"}));
    host.wait_pattern(&witness, "ready");
    (host, witness)
}

fn assert_well(host: &Host, witness: &Run) {
    host.ask("send", json!({"target": "witness", "data": "well", "enter": true}));
    host.wait_pattern(witness, "heard well");
    assert_eq!(host.info(witness)["status"], "active");
}

/// Doubles its processes eight times, each of them deaf to polite signals: far over any limit here, and no
/// danger to the machine should the limit fail.
const BOMB: &str = r#"trap '' HUP TERM INT; bomb() { [ "$1" -gt 8 ] || { bomb $(($1+1)) & bomb $(($1+1)) & }; sleep "$SECONDS_OF_ITS_OWN"; }; bomb 1"#;

#[test]
fn a_fork_bomb_is_ended_by_the_limit_of_processes_even_as_root() {
    let (host, witness) = host_with_witness();
    let seconds = unique_seconds();
    let run = host.run(json!({"cmd": BOMB, "env": {"SECONDS_OF_ITS_OWN": seconds}, "limits": {"processes": 40}}));
    let reason = ended_for(&host, &run);
    let count: u64 = reason.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(count > 40 && reason.ends_with("processes, its limit (processes) is 40"), "{reason}");
    eventually("nothing of it is left", || proc::with_argument(&seconds).is_empty());
    assert_well(&host, &witness);
}

/// Takes 400 MB by and by, in a process that is not the program itself.
const HOG: &str = "head -c 400000000 /dev/zero | tail | sleep 1000";

#[test]
fn a_memory_hog_is_ended_by_the_limit_of_its_whole_tree() {
    let (host, witness) = host_with_witness();
    let run = host.run(json!({"cmd": HOG, "limits": {"memory_bytes": 64 << 20}}));
    let reason = ended_for(&host, &run);
    assert!(reason.starts_with("used ") && reason.ends_with("its limit (memory_bytes) is 64 MB"), "{reason}");
    // No single process of this one is over the limit.
    let many = "for n in 1 2 3 4 5; do head -c 25000000 /dev/zero | tail | sleep 1000 & done; wait";
    let run = host.run(json!({"cmd": many, "limits": {"memory_bytes": 80 << 20}}));
    assert!(ended_for(&host, &run).ends_with("is 80 MB"));
    eventually("nothing of them is left", || host.programs() == [witness.pid]);
    assert_well(&host, &witness);
}

#[test]
fn memory_that_processes_share_counts_once() {
    let host = Host::start();
    let program = host.home().write(
        "forks",
        "#!/usr/bin/env python3\nimport os, time\nheld = bytearray(60 << 20)\nfor n in range(4):\n    if not os.fork(): time.sleep(1000)\ntime.sleep(1.5)\nprint('still here', flush=True)\ntime.sleep(1000)\n",
    );
    let run = host.run(json!({"cmd": [program.to_str().unwrap()], "limits": {"memory_bytes": 160_000_000}}));
    host.wait_pattern(&run, "still here");
    let info = host.info(&run);
    assert!(info["memory_bytes"].as_u64().unwrap() > 160_000_000, "each with what it shares, it is more: {info}");
    assert_eq!((&info["status"], &info["process_count"]), (&json!("active"), &json!(5)));
}

#[test]
fn a_busy_loop_is_ended_by_its_processor_time() {
    let (host, witness) = host_with_witness();
    let run = host.run(json!({"cmd": "while :; do :; done", "limits": {"cpu_seconds": 1}}));
    let reason = ended_for(&host, &run);
    assert!(reason.ends_with(" s of processor time, its limit (cpu_seconds) is 1 s"), "{reason}");
    assert_eq!(host.info(&run)["exit"]["signal"], 24, "SIGXCPU");
    // In a child of the program, and in one that does not listen.
    let run = host.run(json!({"cmd": "sh -c 'while :; do :; done'; exit $?", "limits": {"cpu_seconds": 1}}));
    assert!(ended_for(&host, &run).ends_with("is 1 s"));
    let run = host.run(json!({"cmd": "trap '' XCPU; while :; do :; done", "limits": {"cpu_seconds": 1}}));
    assert!(ended_for(&host, &run).ends_with("is 1 s"));
    assert_eq!(host.info(&run)["exit"]["signal"], 9);
    assert_well(&host, &witness);
}

/// No process of it lives for long, and the shell's own time is a small part of all.
const SHORT_LIVED: &str = "while :; do head -c 4000000 /dev/zero | sha256sum >/dev/null; done";

#[test]
fn the_limit_of_processor_time_is_the_whole_trees_with_all_that_have_ended() {
    let (host, witness) = host_with_witness();
    // What is orphaned counts as well.
    let orphans =
        "while :; do (sha256sum /bin/sh >/dev/null &); head -c 2000000 /dev/zero | sha256sum >/dev/null; done";
    for cmd in [SHORT_LIVED, orphans] {
        let run = host.run(json!({"cmd": cmd, "limits": {"cpu_seconds": 1}}));
        let reason = ended_for(&host, &run);
        let used: f64 = reason.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((1.0..1.5).contains(&used) && reason.ends_with("(cpu_seconds) is 1 s"), "{reason}");
        assert_eq!(host.info(&run)["exit"]["signal"], 24, "SIGXCPU");
    }
    assert_well(&host, &witness);
}

#[test]
fn the_kernels_limits_hold_for_the_program_alone_and_are_as_asked() {
    let host = Host::start();
    let of = |params: Json| {
        let mut whole = json!({"cmd": "ulimit -n; ulimit -Hn; ulimit -t"});
        whole.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
        host.output_of(whole)
    };
    let free = of(json!({}));
    assert_eq!(of(json!({"limits": {"open_files": 32, "cpu_seconds": 7}})), ["32", "32", "7"]);
    assert_eq!(of(json!({})), free, "the next run has none of it");
}

#[test]
fn a_run_has_its_own_limits_then_its_sessions_then_the_hosts() {
    let host = Host::start();
    let set = host.ask("configure", json!({"limits": {"open_files": 50, "cpu_seconds": 90}}));
    assert_eq!(set["limits"], json!({"open_files": 50, "cpu_seconds": 90}));
    let limits = |run: &Run| host.info(run)["limits"].clone();
    let plain = host.run_line("true");
    assert_eq!(limits(&plain), json!({"open_files": 50, "cpu_seconds": 90}));
    let first = host.run(json!({"cmd": "true", "name": "tight", "limits": {"open_files": 40}}));
    assert_eq!(limits(&first), json!({"open_files": 40, "cpu_seconds": 90}));
    let second = host.run(json!({"cmd": "true", "session": "tight", "limits": {"cpu_seconds": 5}}));
    assert_eq!(limits(&second), json!({"open_files": 40, "cpu_seconds": 5}));
    let session = &host.ask("sessions", json!({}))[&first.session_id];
    assert_eq!(session["limits"], json!({"open_files": 40}));
    // The same after a restart.
    host.wait_exited(&second.run_id);
    host.ask("restart", json!({"target": second.run_id}));
    assert_eq!(limits(&second), json!({"open_files": 40, "cpu_seconds": 5}));
}

#[test]
fn limits_that_make_no_sense_are_refused_with_the_rule() {
    let host = Host::start();
    for (limits, key) in [
        (json!({"memory_bytes": 1000}), "limits.memory_bytes is 1000"),
        (json!({"processes": 0}), "limits.processes is 0"),
        (json!({"cpu_seconds": 0}), "limits.cpu_seconds is 0"),
        (json!({"open_files": 3}), "limits.open_files is 3"),
        (json!({"processes": -1}), "run: "),
        (json!({"processes": "many"}), "run: "),
    ] {
        let refusal = host.refusal("run", json!({"cmd": "true", "limits": limits}));
        assert_eq!(refusal.code, "invalid_params");
        assert!(refusal.message.starts_with(key), "{}", refusal.message);
    }
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}

/// Faults 2 and 3, with each way Termi itself ends a run: background children and who escaped by setsid go too.
#[test]
fn whatever_ends_a_run_ends_its_whole_tree() {
    let host = Host::start();
    let stay = "exec sleep 1000";
    for (how, rest, params) in [
        ("timeout", stay, json!({"timeout_ms": 1500})),
        ("idle timeout", stay, json!({"idle_timeout_ms": 1500})),
        ("processes", "sleep 1; sleep 1000 & sleep 1000 & sleep 1000 & wait", json!({"limits": {"processes": 6}})),
        (
            "memory",
            "sleep 1; head -c 400000000 /dev/zero | tail | sleep 1000",
            json!({"limits": {"memory_bytes": 50_000_000}}),
        ),
        ("processor time", "while :; do :; done", json!({"limits": {"cpu_seconds": 1}})),
    ] {
        let seconds = unique_seconds();
        let line = format!(
            "(trap '' HUP TERM; sleep {seconds}; :) & setsid sh -c \"trap '' HUP TERM; sleep {seconds}; :\" & {rest}"
        );
        let mut whole = json!({"cmd": line});
        whole.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
        let run = host.run(whole);
        eventually(&format!("{how}: both are there"), || proc::with_argument(&seconds).len() >= 2);
        let event = host.wait_exited(&run.run_id);
        let status = if how.ends_with("timeout") { "timed_out" } else { "killed" };
        assert_eq!(event["status"], status, "{how}: {event}");
        let named = match how {
            "timeout" => "its timeout",
            "idle timeout" => "its idle timeout",
            "processes" => "(processes)",
            "memory" => "(memory_bytes)",
            _ => "(cpu_seconds)",
        };
        assert!(event["reason"].as_str().unwrap().contains(named), "{how}: {event}");
        eventually(&format!("{how}: nothing is left"), || proc::with_argument(&seconds).is_empty());
    }
    eventually("nor any program", || host.programs().is_empty());
}

#[test]
fn who_leaves_its_run_does_not_leave_its_limits() {
    let host = Host::start();
    let seconds = unique_seconds();
    let line = format!(
        "mkfifo up; setsid sh -c 'echo >up; sleep 0.5; head -c 400000000 /dev/zero | tail | sleep {seconds}' & read up <up"
    );
    let run = host.run(json!({"cmd": line, "limits": {"memory_bytes": 50_000_000}}));
    let event = host.wait_exited(&run.run_id);
    assert!(event["status"] == "exited" && event["left_running"] != 0, "{event}");
    eventually("what it left is ended", || host.programs().is_empty());
}

#[test]
fn a_host_without_such_limits_does_not_look() {
    let home = Home::new();
    let host = home.host().env("TERMI_STREAM_DEBUG", "1").start();
    let run = host.run(json!({"cmd": "sleep 0.3", "limits": {"open_files": 60}}));
    host.wait_exited(&run.run_id);
    let run = host.run(json!({"cmd": "sleep 0.3", "limits": {"processes": 9}}));
    host.wait_exited(&run.run_id);
    drop(host);
    let log = home.log();
    let watched: Vec<&str> = log.lines().filter(|line| line.contains("watched for its limits")).collect();
    assert_eq!(watched.len(), 1, "{log}");
    assert!(watched[0].contains(&format!("[Session {}]", &run.session_id[..8])), "{watched:?}");
}

/// A host's side of one shim, by hand: no group can be had for each user and machine, but one that is not there can.
#[test]
fn a_control_group_that_cannot_be_entered_is_reported_and_the_program_runs() {
    use std::{
        fs::File,
        io::{BufRead, BufReader, Write},
        os::fd::AsRawFd,
        process::{Command, Stdio},
    };
    let folder = tempfile::tempdir().unwrap();
    let pty = nix::pty::openpty(None, None).unwrap();
    let (orders, mut give) = std::io::pipe().unwrap();
    let (take, reports) = std::io::pipe().unwrap();
    let group = folder.path().join("termi-gone");
    let values =
        ["18", "1024", "0", "0", "0", "0", "0", group.to_str().unwrap(), "/", "sh", "-c", "exit 7", ""].join("\0");
    give.write_all(&(values.len() as u64).to_be_bytes()).unwrap();
    give.write_all(values.as_bytes()).unwrap();
    let numbers = [std::process::id().to_string(), orders.as_raw_fd().to_string(), reports.as_raw_fd().to_string()];
    let slave = || Stdio::from(File::from(pty.slave.try_clone().unwrap()));
    let mut shim = Command::new(crate::support::TERMI)
        .args(["shim", "sh:Session 01234567:01234567"])
        .args(numbers)
        .stdin(slave())
        .stdout(slave())
        .stderr(slave())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(take).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["started"]["cgroup_errno"], nix::errno::Errno::ENOENT as i32);
    assert_eq!(next()["exited"]["code"], 7);
    assert!(!group.exists(), "it is not made");
    drop((orders, reports));
    shim.wait().unwrap();
}
