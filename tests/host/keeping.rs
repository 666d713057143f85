//! What is kept and how much there may be: ended runs by count and age, caps on sessions, runs and transcripts.

use serde_json::{Value as Json, json};

use crate::support::{Host, Run};

fn ended(host: &Host, params: Json) -> Run {
    let mut whole = json!({"cmd": "true"});
    whole.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    let run = host.run(whole);
    host.wait_exited(&run.run_id);
    run
}

fn run_ids(host: &Host) -> Vec<String> {
    let sessions = host.ask("sessions", json!({}));
    let of = |session: &Json| -> Vec<String> {
        session["run_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let mut ids: Vec<String> = sessions.as_object().unwrap().values().flat_map(of).collect();
    ids.sort();
    ids
}

fn sorted(runs: &[&Run]) -> Vec<String> {
    let mut ids: Vec<String> = runs.iter().map(|run| run.run_id.clone()).collect();
    ids.sort();
    ids
}

#[test]
fn a_session_keeps_as_many_ended_runs_as_it_is_told() {
    let host = Host::start();
    let active = host.run(json!({"cmd": "exec sleep 1000", "name": "few", "keep": {"count": 2}}));
    let of_few: Vec<Run> = (0..4).map(|_| ended(&host, json!({"session": "few"}))).collect();
    let other: Vec<Run> = (0..3).map(|_| ended(&host, json!({"session": "other"}))).collect();
    assert_eq!(run_ids(&host), sorted(&[&active, &of_few[2], &of_few[3], &other[0], &other[1], &other[2]]));
    // Sessions that were not told have the host's policy, from now on and at once.
    host.ask("configure", json!({"keep": {"count": 1}}));
    assert_eq!(run_ids(&host), sorted(&[&active, &of_few[2], &of_few[3], &other[2]]));
    host.ask("configure", json!({"keep_ended": 2}));
    assert_eq!(run_ids(&host), sorted(&[&active, &of_few[3], &other[2]]), "of all together");
}

#[test]
fn an_ended_run_goes_when_it_is_too_old() {
    let host = Host::start();
    let goes = ended(&host, json!({"name": "brief", "keep": {"age_ms": 300}}));
    let stays = ended(&host, json!({"name": "stays"}));
    host.wait_event("it is dismissed", |event| {
        event["type"] == "session_removed" && event["session_id"] == goes.session_id.as_str()
    });
    assert_eq!(run_ids(&host), sorted(&[&stays]));
}

#[test]
fn a_run_that_was_started_again_is_not_dismissed_for_its_first_end() {
    let host = Host::start();
    let counter = host.home().write("count", "");
    let line = format!("echo x >>{0}; [ $(wc -l <{0}) = 1 ] || exec sleep 1000", counter.display());
    let run = ended(&host, json!({"cmd": line, "name": "again", "keep": {"age_ms": 700}}));
    host.ask("restart", json!({"target": "again"}));
    let brief = ended(&host, json!({"name": "brief", "keep": {"age_ms": 900}}));
    host.wait_event("the other is dismissed", |event| {
        event["type"] == "session_removed" && event["session_id"] == brief.session_id.as_str()
    });
    assert_eq!(host.info(&run)["status"], "active");
}

#[test]
fn each_cap_refuses_with_the_setting_to_change() {
    let host = Host::start();
    let refused = |setting: &str, params: Json| {
        let refusal = host.refusal("run", params);
        assert_eq!((refusal.code.as_str(), &refusal.data["setting"]), ("resource_exhausted", &json!(setting)));
        assert!(refusal.message.contains(setting), "{}", refusal.message);
    };
    host.ask("configure", json!({"max_sessions": 2}));
    for name in ["a", "b"] {
        host.run(json!({"cmd": "exec sleep 1000", "name": name}));
    }
    refused("max_sessions", json!({"cmd": "true", "name": "c"}));
    host.run(json!({"cmd": "exec sleep 1000", "session": "a"}));
    host.ask("configure", json!({"max_sessions": 100, "max_runs": 3}));
    refused("max_runs", json!({"cmd": "true", "session": "a"}));
    host.ask("configure", json!({"max_runs": 100, "transcript_bytes": 100_000, "max_transcripts_bytes": 1_150_000}));
    // Two sessions have 500 kB each, as it was when they were started; a further run of theirs shares it.
    host.run(json!({"cmd": "exec sleep 1000"}));
    host.run(json!({"cmd": "exec sleep 1000", "session": "b"}));
    refused("max_transcripts_bytes", json!({"cmd": "true"}));
    host.ask("kill", json!({"target": "all"}));
    assert_eq!(host.ask("sessions", json!({})).as_object().unwrap().len(), 3);
}

#[test]
fn ended_runs_give_way_before_a_cap_refuses() {
    let host = Host::start();
    host.ask("configure", json!({"max_sessions": 2}));
    let oldest = ended(&host, json!({"name": "oldest"}));
    let newer = ended(&host, json!({"name": "newer"}));
    let fresh = host.run(json!({"cmd": "exec sleep 1000", "name": "fresh"}));
    assert_eq!(run_ids(&host), sorted(&[&newer, &fresh]), "{} gave way", oldest.run_id);
    // A cap on active runs is not helped by that, and ended ones stay.
    host.ask("configure", json!({"max_runs": 1}));
    assert_eq!(host.refusal("run", json!({"cmd": "true"})).data["setting"], "max_runs");
    assert_eq!(run_ids(&host), sorted(&[&newer, &fresh]));
}

#[test]
fn settings_that_make_no_sense_change_nothing() {
    let host = Host::start();
    let before = host.ask("configure", json!({}));
    for wish in [
        json!({"max_sessions": 0}),
        json!({"max_runs": 0, "keep_ended": 1}),
        json!({"transcript_bytes": 5}),
        json!({"max_transcripts_bytes": 1000}),
        json!({"limits": {"memory_bytes": 1}}),
        json!({"keep_ended": -1}),
    ] {
        assert_eq!(host.refusal("configure", wish).code, "invalid_params");
    }
    assert_eq!(host.ask("configure", json!({})), before);
}
