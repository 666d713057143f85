//! What lives on after its run's end, as an agent or a server does: it is shown, it keeps its run, and it is ended only
//! when somebody says so.

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually, proc, unique_seconds};

/// A program that leaves two processes behind: one in a kernel session of its own, and one below that.
fn leaves_two(host: &Host, seconds: &str, params: Json) -> Run {
    let line =
        format!("setsid sh -c 'sleep {seconds} & exec sleep {seconds}' </dev/null >/dev/null 2>&1 & read x; exit 3");
    let mut whole = json!({"cmd": line});
    whole.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    let run = host.run(whole);
    eventually("both are there", || sleeps(seconds).len() == 2);
    host.input(&run.run_id, "\r");
    host.wait_exited(&run.run_id);
    eventually("two processes live on", || host.info(&run)["left_running"] == 2);
    run
}

fn sleeps(seconds: &str) -> Vec<i32> {
    proc::with_argument(seconds)
        .into_iter()
        .filter(|pid| proc::arguments(*pid).first().is_some_and(|word| word == "sleep"))
        .collect()
}

/// doc/faults.md row 32.
#[test]
fn a_run_with_living_processes_is_not_evicted_and_not_removed_unless_these_are_to_go_too() {
    let host = Host::start();
    let seconds = unique_seconds();
    let run = leaves_two(&host, &seconds, json!({"name": "agent"}));
    host.ask("configure", json!({"keep_ended": 3, "keep": {"count": 0, "age_ms": 1}}));
    for n in 0..5 {
        let other = host.run(json!({"cmd": "true", "name": format!("n{n}")}));
        host.wait_event("it is evicted", |event| {
            event["type"] == "session_removed" && event["session_id"] == other.session_id.as_str()
        });
    }
    let info = host.info(&run);
    assert_eq!(
        (&info["status"], &info["exit"]["code"], &info["left_running"]),
        (&json!("exited"), &json!(3), &json!(2))
    );
    assert_eq!(sleeps(&seconds).len(), 2);
    for target in [&run.run_id, &run.session_id, "agent"] {
        let refusal = host.refusal("remove", json!({"target": target}));
        assert_eq!(refusal.code, "lives_on");
        assert!(refusal.message.contains("live on") && refusal.message.contains("force"), "{}", refusal.message);
    }
    assert_eq!(host.ask("remove", json!({"target": "all"})), json!({"removed": 0, "kept": 1}));
    assert_eq!(sleeps(&seconds).len(), 2);
    let answer = host.ask("remove", json!({"target": "all", "force": true}));
    assert_eq!(answer, json!({"removed": 1, "processes": 2}));
    assert_eq!(sleeps(&seconds), [] as [i32; 0], "they are gone before the answer comes");
}

#[test]
fn what_lives_on_is_counted_anew_when_some_of_it_ends_and_the_run_gives_way_once_none_does() {
    let host = Host::start();
    let (one, other) = (unique_seconds(), unique_seconds());
    let line = format!("for s in {one} {other}; do setsid sleep $s </dev/null >/dev/null 2>&1 & done; read x; exit 0");
    let run = host.run(json!({"cmd": line, "keep": {"count": 0}}));
    eventually("both are there", || sleeps(&one).len() + sleeps(&other).len() == 2);
    host.input(&run.run_id, "\r");
    host.wait_exited(&run.run_id);
    eventually("both live on", || host.info(&run)["left_running"] == 2);
    let tells = |left: u64| {
        host.wait_event("the number changes", |event| {
            event["type"] == "left_running" && event["run_id"] == run.run_id.as_str() && event["left_running"] == left
        });
    };
    for (seconds, left) in [(&one, 1), (&other, 0)] {
        sleeps(seconds).into_iter().for_each(|pid| proc::signal(pid, nix::sys::signal::Signal::SIGKILL));
        tells(left);
    }
    host.wait_event("nothing keeps it", |event| {
        event["type"] == "session_removed" && event["session_id"] == run.session_id.as_str()
    });
}

#[test]
fn a_run_with_living_processes_counts_as_active_where_runs_are_capped() {
    let host = Host::start();
    let seconds = unique_seconds();
    let run = leaves_two(&host, &seconds, json!({"name": "server"}));
    host.ask("configure", json!({"max_runs": 1}));
    let refusal = host.refusal("run", json!({"cmd": "true"}));
    assert_eq!(refusal.data["setting"], "max_runs");
    assert!(refusal.message.contains("1 of them has ended, with processes that live on"), "{}", refusal.message);
    host.ask("kill", json!({"target": run.run_id}));
    assert_eq!(sleeps(&seconds), [] as [i32; 0]);
    let next = host.run_line("true");
    host.wait_exited(&next.run_id);
    assert_eq!(host.ask("remove", json!({"target": run.run_id})), json!({"removed": 1}));
}

/// A restart ended them without a word.
#[test]
fn an_ended_run_with_living_processes_is_not_restarted_unless_these_are_to_go_and_one_that_runs_is() {
    let host = Host::start();
    let seconds = unique_seconds();
    let run = leaves_two(&host, &seconds, json!({"name": "agent", "group": "g"}));
    for target in [run.run_id.as_str(), "agent", "group:g", "all"] {
        let refusal = host.refusal("restart", json!({"target": target}));
        assert_eq!(refusal.code, "lives_on");
        assert!(refusal.message.contains("live on") && refusal.message.contains("force"), "{}", refusal.message);
    }
    assert_eq!((sleeps(&seconds).len(), &host.info(&run)["status"]), (2, &json!("exited")));
    let started = host.ask("restart", json!({"target": "agent", "force": true}));
    assert_eq!(started["run_id"], run.run_id.as_str());
    eventually("those of the new program are there, and no others", || sleeps(&seconds).len() == 2);
    // Of one that runs, everything is its own.
    let again = host.ask("restart", json!({"target": "agent"}));
    assert_ne!(again["pid"], started["pid"]);
    eventually("again", || sleeps(&seconds).len() == 2);
    // One that others of the target cannot share is told of beside them.
    host.input(&run.run_id, "\r");
    eventually("it has ended again", || host.info(&run)["status"] == "exited" && host.info(&run)["left_running"] == 2);
    let other = host.run(json!({"cmd": "exec sleep 1000", "group": "g"}));
    let answer = host.ask("restart", json!({"target": "group:g"}));
    assert_eq!(answer["restarted"].as_array().unwrap().len(), 1);
    assert_eq!(answer["run_id"], other.run_id.as_str());
    assert_eq!(
        (&answer["failed"][0]["run_id"], &answer["failed"][0]["error"]["code"]),
        (&json!(run.run_id), &json!("lives_on"))
    );
}

/// A removal right behind an end knows what of it lives on.
#[test]
fn a_removal_waits_until_it_is_known_what_lives_on() {
    let home = Home::new();
    let host = home.host().start();
    let seconds = unique_seconds();
    for round in 0..3 {
        // What ignores the hangup keeps the shim busy for a second, and lives on beside it.
        let line = format!(
            "(trap '' HUP; sleep {seconds}) </dev/null >/dev/null 2>&1 & setsid sleep {seconds} </dev/null >/dev/null \
             2>&1 & read x"
        );
        let run = host.run_line(&line);
        eventually("both are there", || sleeps(&seconds).len() == 2);
        host.input(&run.run_id, "\r");
        host.wait_exited(&run.run_id);
        let answer = host.call("remove", json!({"target": run.run_id}));
        assert_eq!(answer.unwrap_err().code, "lives_on", "round {round}");
        host.ask("remove", json!({"target": run.run_id, "force": true}));
    }
    assert_eq!(sleeps(&seconds), [] as [i32; 0]);
}
