//! Restart, kill, dismissal and eviction of one run, in each other's way: each answer is true (doc/faults.md row 58).

use serde_json::{Value as Json, json};

use crate::support::{Host, Run, eventually, proc};

/// A program that says when it is asked to end, and does not.
const STUBBORN: &str = "trap 'echo asked' HUP; trap '' TERM; echo ready; while :; do sleep 1000 & wait; done";

fn pid(answer: &Json) -> i32 {
    i32::try_from(answer["pid"].as_i64().unwrap()).unwrap()
}

/// A run whose program is being ended for a restart, and does not want to.
fn in_its_grace<'a>(host: &'a Host, name: &str) -> (Run, crate::support::Pending<'a>) {
    let run = host.run(json!({"cmd": STUBBORN, "name": name}));
    host.wait_pattern(&run, "^ready$");
    let restart = host.begin("restart", json!({"target": name}));
    host.wait_pattern(&run, "^asked$");
    (run, restart)
}

#[test]
fn a_run_of_which_nothing_is_kept_can_be_restarted() {
    let host = Host::start();
    let own = host.run(json!({"cmd": "exec sleep 1000", "name": "own", "keep": {"count": 0}}));
    let answer = host.ask("restart", json!({"target": "own"}));
    assert!(proc::alive(pid(&answer)));
    assert_eq!((&host.info(&own)["status"], &host.info(&own)["pid"]), (&json!("active"), &answer["pid"]));
    host.ask("configure", json!({"keep_ended": 0}));
    let all = host.run(json!({"cmd": "exec sleep 1000", "name": "every"}));
    let answer = host.ask("restart", json!({"target": "every"}));
    assert!(proc::alive(pid(&answer)));
    assert_eq!(host.info(&all)["status"], "active");
    // It goes when it ends for good.
    host.ask("kill", json!({"target": "every"}));
    assert_eq!(host.refusal("restart", json!({"target": "every"})).code, "not_found");
    assert!(!proc::alive(pid(&answer)));
}

/// Its first end made it the oldest that had ended, and the other's end evicted it while its program was started.
#[test]
fn a_run_that_is_being_restarted_is_not_evicted_when_another_ends() {
    let host = Host::start();
    host.ask("configure", json!({"keep_ended": 1}));
    let counter = host.home().path().join("count");
    for round in 0..20 {
        let line = format!("[ -e {0}{round} ] && exec sleep 1000; : >{0}{round}", counter.display());
        let again = host.run_line(&line);
        host.wait_exited(&again.run_id);
        let other = host.run_line("read x");
        let restart = host.begin("restart", json!({"target": again.run_id}));
        host.input(&other.run_id, "\r");
        host.wait_exited(&other.run_id);
        match restart.answer() {
            Ok(answer) => {
                assert!(proc::alive(pid(&answer)), "round {round}: restarted, and its program is gone");
                assert_eq!(host.info(&again)["pid"], answer["pid"]);
                host.ask("kill", json!({"target": again.run_id, "grace_ms": 10}));
            }
            Err(refusal) => assert_eq!(refusal.code, "not_found", "it was evicted before: {}", refusal.message),
        }
    }
}

#[test]
fn a_restart_that_cannot_start_leaves_what_still_runs() {
    let host = Host::start();
    let (folder, left) = (host.home().path().join("gone"), host.home().path().join("left"));
    std::fs::create_dir(&folder).unwrap();
    let line = format!(
        "setsid sh -c 'echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000' & until [ -e {0} ]; do sleep 0.01; done",
        left.display()
    );
    let ended = host.run(json!({"cmd": line, "cwd": folder, "name": "ended"}));
    host.wait_exited(&ended.run_id);
    let living = host.run(json!({"cmd": "exec sleep 1000", "cwd": folder, "name": "living"}));
    let server: i32 = std::fs::read_to_string(&left).unwrap().trim().parse().unwrap();
    std::fs::remove_dir(&folder).unwrap();
    for (run, process) in [(&ended, server), (&living, living.pid)] {
        let before = host.info(run);
        let refusal = host.refusal("restart", json!({"target": run.run_id, "force": true}));
        assert_eq!(refusal.code, "bad_cwd", "{}", refusal.message);
        assert!(proc::alive(process), "the restart that did not take place ended it");
        let after = host.info(run);
        for key in ["status", "pid", "exit", "left_running"] {
            assert_eq!(after[key], before[key], "{key}");
        }
    }
    // When it does take place, nothing of the old program stays beside the new one.
    std::fs::create_dir(&folder).unwrap();
    host.ask("restart", json!({"target": "ended", "force": true}));
    eventually("what it had left running is gone", || !proc::alive(server));
}

#[test]
fn a_kill_in_the_grace_of_a_restart_has_the_last_word() {
    let host = Host::start();
    let (run, restart) = in_its_grace(&host, "stubborn");
    assert_eq!(host.ask("kill", json!({"target": "stubborn", "grace_ms": 10}))["killed"], 1);
    let refusal = restart.answer().unwrap_err();
    assert!(refusal.message.contains("killed"), "{}", refusal.message);
    let info = host.info(&run);
    assert_eq!((&info["status"], &info["exit"]["signal"]), (&json!("killed"), &json!(9)));
    assert!(!proc::alive(run.pid));
    // It is as any other that has ended.
    let again = host.ask("restart", json!({"target": "stubborn"}));
    assert!(proc::alive(pid(&again)));
}

#[test]
fn a_run_that_is_being_restarted_is_neither_removed_nor_restarted_by_another() {
    let host = Host::start();
    let (run, restart) = in_its_grace(&host, "stubborn");
    let second = host.refusal("restart", json!({"target": run.run_id}));
    assert_eq!(second.code, "still_running");
    assert!(second.message.contains("being restarted"), "{}", second.message);
    assert_eq!(host.refusal("remove", json!({"target": "stubborn"})).code, "still_running");
    assert_eq!(host.ask("remove", json!({"target": "all"})), json!({"removed": 0}));
    // A run that joins its session meanwhile is none of the restart's.
    let joined = host.run(json!({"cmd": "exec sleep 1000", "session": "stubborn"}));
    let answer = restart.answer().unwrap();
    assert!(proc::alive(pid(&answer)) && proc::alive(joined.pid));
    assert_eq!(answer["restarted"].as_array().unwrap().len(), 1);
}

#[test]
fn a_restart_is_seen_through_when_its_client_has_gone() {
    let host = Host::start();
    let run = host.run(json!({"cmd": STUBBORN, "name": "stubborn"}));
    host.wait_pattern(&run, "^ready$");
    let other = host.connect();
    other.initialize();
    let restart = other.begin("restart", json!({"target": "stubborn"}));
    host.wait_pattern(&run, "^asked$");
    drop(restart);
    other.close();
    let event = host.wait_event("it is restarted", |event| event["type"] == "run_restarted");
    assert!(proc::alive(pid(&event)));
    assert_eq!(host.info(&run)["pid"], event["pid"]);
}

#[test]
fn a_shutdown_in_the_grace_of_a_restart_leaves_nothing() {
    let mut host = Host::start();
    let (_run, restart) = in_its_grace(&host, "stubborn");
    let shutdown = host.begin("shutdown", json!({}));
    assert_eq!(shutdown.answer(), Ok(json!({})));
    assert!(restart.answer().is_err(), "nothing is started any more");
    let home = std::sync::Arc::clone(host.home());
    assert!(host.wait_end().success());
    eventually("nothing of it runs", || home.processes().is_empty());
}

/// `max_runs` was no limit for those who restart what has ended.
#[test]
fn a_restart_of_an_ended_run_is_counted_as_a_start() {
    let host = Host::start();
    let ended = host.run(json!({"cmd": "true", "name": "ended"}));
    host.wait_exited(&ended.run_id);
    host.run(json!({"cmd": "exec sleep 1000", "name": "living"}));
    host.ask("configure", json!({"max_runs": 1}));
    let refusal = host.refusal("restart", json!({"target": "ended"}));
    assert_eq!((refusal.code.as_str(), &refusal.data["setting"]), ("resource_exhausted", &json!("max_runs")));
    host.ask("restart", json!({"target": "living"}));
}

/// Restarts, kills, dismissals and starts by four connections at once, at random: every answer is one of those that
/// there are, each run's ends and starts alternate, and afterwards each is in a state that can be left again.
#[test]
fn four_clients_that_restart_kill_and_remove_at_random_leave_no_run_between_two_states() {
    for seed in 1..=3_u64 {
        let host = Host::start();
        host.ask("configure", json!({"keep_ended": 4}));
        let lines = ["exec sleep 1000", "exit 3", "trap '' HUP; sleep 1000; exit 0", "sleep 0.02"];
        let runs: Vec<Run> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| host.run(json!({"cmd": line, "name": format!("n{at}")})))
            .collect();
        let clients: Vec<_> = (0..4).map(|_| host.connect()).collect();
        std::thread::scope(|scope| {
            for (at, client) in clients.iter().enumerate() {
                let mut state = seed << 8 | at as u64 | 1 << 40;
                let mut random = move |below: usize| {
                    // Xorshift, so that a seed is a sequence.
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    usize::try_from(state % below as u64).unwrap()
                };
                let runs = &runs;
                scope.spawn(move || {
                    client.initialize();
                    for step in 0..30 {
                        let run = &runs[random(runs.len())].run_id;
                        let answer = match random(8) {
                            0..=3 => client.call("restart", json!({"target": run})),
                            4 | 5 => client.call("kill", json!({"target": run, "grace_ms": random(30)})),
                            6 => client.call("run", json!({"cmd": "exit 1", "name": format!("new{at}-{step}")})),
                            _ => client.call("remove", json!({"target": run})),
                        };
                        if let Err(refusal) = answer {
                            let known = ["still_running", "not_found", "start_failed"];
                            assert!(known.contains(&refusal.code.as_str()), "seed {seed}: {refusal:?}");
                        }
                    }
                });
            }
        });
        let infos = || -> Vec<Json> {
            let sessions = host.ask("sessions", json!({}));
            sessions
                .as_object()
                .unwrap()
                .values()
                .flat_map(|one| one["processes"].as_array().unwrap().clone())
                .collect()
        };
        // What is active has a program, and what has ended has none.
        eventually("each is what it says", || {
            infos().iter().all(|info| (info["status"] == "active") == proc::alive(pid(info)))
        });
        for info in infos() {
            match host.call("restart", json!({"target": info["run_id"]})) {
                Ok(answer) => assert_eq!(answer["run_id"], info["run_id"]),
                // One that ended meanwhile made it one too many.
                Err(refusal) => assert_eq!(refusal.code, "not_found", "seed {seed}: {info}: {}", refusal.message),
            }
        }
        host.ask("kill", json!({"target": "all", "grace_ms": 10}));
        host.ask("remove", json!({"target": "all"}));
        assert_eq!(infos(), [Json::Null; 0], "seed {seed}");
        for run in &runs {
            let state = host.state();
            let of_run = |event: &&Json| event["run_id"] == run.run_id.as_str();
            let steps = state.events.iter().filter(of_run).filter_map(|event| event["type"].as_str());
            let mut lives = steps.filter(|step| ["run_started", "run_restarted", "run_exited"].contains(step));
            let mut is_alive = false;
            assert!(lives.all(|step| std::mem::replace(&mut is_alive, step != "run_exited") == (step == "run_exited")));
        }
    }
}
