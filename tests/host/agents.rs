//! Coding agents: what the host knows of one, whoever looks at it. Programs here are named as the agents are, and print
//! what those print; the recordings are of real ones.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually};

/// Prints a recording: what comes before the first time at once, then in time until the second; then it waits.
const PLAYER: &str = include_str!("../support/agent_player.py");

/// A script under an agent's name, in a directory of the home that is first on `$PATH`.
pub fn program(home: &Home, name: &str, script: &str) -> String {
    let folder = home.path().join("agents");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn shell(home: &Home, name: &str, script: &str) -> String {
    program(home, name, &format!("#!/bin/sh\n{script}"))
}

/// The next state of a run, as an event tells it, that is this one; with the agent.
pub fn wait_state(host: &Host, run: &Run, state: &str) -> Json {
    let is = |event: &Json| {
        event["type"] == "agent_state" && event["run_id"] == run.run_id.as_str() && event["agent"]["state"] == state
    };
    host.wait_event(state, is)["agent"].clone()
}

fn states(host: &Host, run: &Run) -> Vec<String> {
    let events = &host.state().events;
    let of_run = events.iter().filter(|event| event["type"] == "agent_state" && event["run_id"] == run.run_id.as_str());
    of_run.map(|event| event["agent"]["state"].as_str().unwrap_or("none").to_owned()).collect()
}

fn report(content: &str) -> String {
    format!(r"printf '\033]7501;{content}\033\\'")
}

#[test]
fn an_agents_own_reports_are_its_state_whoever_looks() {
    let home = Home::new();
    let host = home.host().start();
    let (working, blocked) = (
        report("state=working:app=codex:progress=40"),
        report("state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBscw=="),
    );
    let script = format!("{working}; read x; {blocked}; read x; {working}; read x; {}; exit 0", report("state=done"));
    let run = host.run(json!({"cmd": [shell(&home, "any-name", &script)]}));
    let agent = wait_state(&host, &run, "working");
    assert_eq!((&agent["app"], &agent["source"], &agent["progress"]), (&json!("codex"), &json!("osc"), &json!(40)));
    host.input(&run.run_id, "\n");
    let agent = wait_state(&host, &run, "blocked");
    assert_eq!((&agent["kind"], &agent["message"]), (&json!("permission"), &json!("approve ls")));
    assert_eq!(host.info(&run)["agent"], agent, "and so says the list");
    assert_eq!(agent["seen"], false);
    host.ask("seen", json!({"run_id": run.run_id}));
    assert_eq!(host.info(&run)["agent"]["seen"], true);
    let evidence = host.ask("agent_evidence", json!({"run_id": run.run_id}));
    assert_eq!(
        (&evidence["evidence"][0]["source"], &evidence["evidence"][0]["believed"]),
        (&json!("osc"), &json!(true))
    );
    let told = states(&host, &run).len();
    host.input(&run.run_id, "\n");
    host.wait_for("it goes on", |state| {
        let of_run = state.events.iter().filter(|event| event["type"] == "agent_state");
        (of_run.count() > told).then_some(())
    });
    host.input(&run.run_id, "\n");
    host.wait_exited(&run.run_id);
    let agent = host.info(&run)["agent"].clone();
    assert_eq!((&agent["state"], &agent["seen"]), (&json!("done"), &json!(false)), "it stays after the end");
    assert_eq!(states(&host, &run), ["working", "blocked", "blocked", "working", "done"], "seen is told as well");
}

#[test]
fn what_runs_and_has_ended_without_a_word_of_it_is_no_agent() {
    let home = Home::new();
    let host = home.host().start();
    let script = format!("{}; exit 3", report("state=blocked:app=codex"));
    let run = host.run(json!({"cmd": [shell(&home, "any-name", &script)]}));
    host.wait_exited(&run.run_id);
    assert_eq!(host.info(&run)["agent"], Json::Null, "it waits no longer");
    let plain = host.run_line("echo '❯ 1. Yes'; echo 'Do you want to proceed? esc to cancel'; exec sleep 1000");
    host.wait_pattern(&plain, "proceed");
    assert_eq!(host.info(&plain)["agent"], Json::Null);
    let evidence = host.ask("agent_evidence", json!({"run_id": plain.run_id}));
    assert_eq!(evidence, json!({"evidence": []}));
}

#[test]
fn whether_reports_are_taken_is_answered_in_order() {
    let home = Home::new();
    let host = home.host().start();
    let script = r"import os, sys, tty
tty.setraw(0)
os.write(1, b'\x1b]7501;?\x1b\\\x1b[c')
got = b''
while not got.endswith(b'c'): got += os.read(0, 1)
print(got.replace(b'\x1b', b'E'), end='\r\n', flush=True)";
    let run = host.run(json!({"cmd": ["python3", "-c", script]}));
    host.wait_exited(&run.run_id);
    assert!(host.text(&run)[0].starts_with(r"b'E]7501;?E\\E[?"), "{:?}", host.text(&run));
}

#[test]
fn a_flood_of_reports_is_no_flood_of_events_and_its_last_is_told() {
    let home = Home::new();
    let host = home.host().start();
    let script = r"import sys
for i in range(100000):
    sys.stdout.write('\x1b]7501;state=%s:app=x:id=%d\x1b\\' % (['working', 'done'][i % 2], i % 1000))
sys.stdout.write('\x1b]7501;state=blocked:msg=bGFzdA==\x1b\\')
sys.stdout.flush()
sys.stdin.readline()";
    let run = host.run(json!({"cmd": ["python3", "-c", script]}));
    let agent = wait_state(&host, &run, "blocked");
    assert_eq!(agent["message"], "last");
    let took = host.info(&run)["duration_ms"].as_u64().unwrap() / 100 + 2;
    let told = states(&host, &run).len() as u64;
    assert!(told <= took, "{told} in {took} tenths of a second");
}

/// Of real agents that nobody looks at, some of which report, some of which only show it.
#[test]
fn a_dialog_of_a_hidden_agent_is_seen_and_gone_once_it_is_answered() {
    let home = Home::new();
    let host = home.host().start();
    let recordings = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agents");
    // Until when its dialog is there, and until when it has gone on.
    let dialogs = [
        ("claude", "claude-hidden", 36.0, 44.0, 50.0, "screen", "Do you want to proceed?"),
        (
            "claude",
            "claude2-visible-b",
            60.0,
            70.0,
            75.0,
            "osc",
            "answer: Which colour shall the door have? (Red · Blue)",
        ),
        ("codex", "codex-visible", 31.7, 40.0, 43.0, "osc", "$ touch /home/p/made.txt"),
        ("copilot", "copilot-visible", 53.5, 62.0, 66.0, "screen", "Do you want to run this command?"),
        ("opencode", "opencode-visible", 117.0, 128.0, 128.0, "screen", ""),
    ];
    let size = json!({"rows": 60, "cols": 200});
    let start = |name: &str, recording: &str, from: f64, to: f64| {
        let path = recordings.join(format!("tui-{recording}.jsonl"));
        let player = program(&home, name, PLAYER);
        host.run(json!({"cmd": [player, path, from.to_string(), to.to_string()], "size": size}))
    };
    for (name, recording, from, answered, _, source, message) in dialogs {
        let run = start(name, recording, from, answered);
        // What one that reports does not say comes from its screen, a moment later.
        let asks = |event: &Json| {
            event["type"] == "agent_state"
                && event["run_id"] == run.run_id.as_str()
                && event["agent"]["state"] == "blocked"
                && event["agent"]["message"].as_str().unwrap_or_default() == message
        };
        let agent = host.wait_event(recording, asks)["agent"].clone();
        assert_eq!((&agent["app"], &agent["source"]), (&json!(name), &json!(source)), "{recording}");
        host.ask("kill", json!({"target": run.session_id, "signal": "KILL"}));
    }
    for (name, recording, _, answered, goes_on, ..) in dialogs.into_iter().filter(|(.., source, _)| *source != "osc") {
        if goes_on > answered {
            let run = start(name, recording, answered - 2.0, goes_on);
            wait_state(&host, &run, "blocked");
            wait_state(&host, &run, "done");
            host.ask("kill", json!({"target": run.session_id, "signal": "KILL"}));
        }
    }
}

#[test]
fn an_agent_in_a_shell_is_one_while_it_is_in_the_foreground() {
    let home = Home::new();
    let host = home.host().start();
    let agent = shell(&home, "claude", r"printf '\033]0;✶ busy\007'; echo working; read x; echo leaving");
    let run = host.run(json!({"cmd": ["bash", "--norc", "-i"], "env": {"PS1": "prompt> "}}));
    host.wait_pattern(&run, "prompt>");
    host.input(&run.run_id, format!("{agent}\n"));
    let state = wait_state(&host, &run, "working");
    assert_eq!((&state["app"], &state["source"]), (&json!("claude"), &json!("title")));
    host.input(&run.run_id, "\n");
    host.wait_event("no agent", |event| event["type"] == "agent_state" && event["agent"].is_null());
    assert_eq!(host.info(&run)["agent"], Json::Null);
}

/// It stayed blocked for ever, over a shell's bare prompt.
#[test]
fn an_agent_that_is_killed_in_a_shell_waits_no_longer() {
    let home = Home::new();
    let host = home.host().start();
    let agent = shell(&home, "any-name", &format!("{}; read x", report("state=blocked:app=codex")));
    let run = host.run(json!({"cmd": ["bash", "--norc", "-i"], "env": {"PS1": "prompt> "}}));
    host.wait_pattern(&run, "prompt>");
    host.input(&run.run_id, format!("{agent}\n"));
    wait_state(&host, &run, "blocked");
    host.input(&run.run_id, "\x1c");
    host.wait_event("no agent", |event| event["type"] == "agent_state" && event["agent"].is_null());
}

#[test]
fn a_restart_begins_anew() {
    let home = Home::new();
    let host = home.host().start();
    let script = format!("{}; read x; {}; read x", report("state=error:app=codex:msg=bm8="), report("state=clear"));
    let run = host.run(json!({"cmd": [shell(&home, "any-name", &script)]}));
    wait_state(&host, &run, "error");
    host.ask("kill", json!({"target": run.session_id}));
    host.wait_exited(&run.run_id);
    assert_eq!(host.info(&run)["agent"]["state"], "error");
    host.ask("restart", json!({"target": run.session_id}));
    host.wait_event("it is none at first", |event| event["type"] == "agent_state" && event["agent"].is_null());
}

#[test]
fn a_state_can_be_waited_for_however_it_comes_about() {
    let home = Home::new();
    let host = home.host().start();
    let (working, blocked) =
        (report("state=working:app=codex"), report("state=blocked:app=codex:msg=YXBwcm92ZSBscw=="));
    let script = format!("read x; {working}; read x; {blocked}; read x; exit 3");
    let run = host.run(json!({"cmd": [shell(&home, "codex", &script)]}));
    let wait = |states: Json| host.begin("wait", json!({"target": run.run_id, "until": {"state": states}}));
    let (blocks, works, fails) = (wait(json!(["blocked", "done"])), wait(json!(["working"])), wait(json!(["error"])));
    host.input(&run.run_id, "\n");
    let answer = works.answer().unwrap();
    assert_eq!((&answer["reason"], &answer["agent"]["state"]), (&json!("state"), &json!("working")));
    assert!(!blocks.is_answered());
    host.input(&run.run_id, "\n");
    assert_eq!(blocks.answer().unwrap()["agent"]["message"], "approve ls");
    let again = host.ask("wait", json!({"target": run.run_id, "until": {"state": ["blocked"]}}));
    assert_eq!(again["reason"], "state", "it is already");
    let late = host.ask("wait", json!({"target": run.run_id, "until": {"state": ["error"]}, "timeout_ms": 1}));
    assert_eq!(late["reason"], "timeout");
    let new = json!({"target": run.run_id, "until": {"state": ["blocked"], "after": "now"}, "timeout_ms": 1});
    assert_eq!(host.ask("wait", new)["reason"], "timeout", "it is no new one");
    host.input(&run.run_id, "\n");
    let ended = fails.answer().unwrap();
    assert_eq!((&ended["reason"], &ended["exit"]["code"]), (&json!("exit"), &json!(3)));
    // What only stands for its time, with no output at that moment.
    let bell = host.run(json!({"cmd": [shell(&home, "claude", "echo; read x; printf '\\a'; read x")]}));
    let rings = host.begin("wait", json!({"target": bell.run_id, "until": {"state": ["blocked"]}}));
    host.wait_event("it is known", |event| event["type"] == "agent_state" && event["run_id"] == bell.run_id.as_str());
    host.input(&bell.run_id, "\n");
    assert_eq!(rings.answer().unwrap()["agent"]["source"], "bell");
    for (states, said) in [
        (json!(["blokced"]), "state is \"blokced\": an agent is in none but starting, ready"),
        (json!([]), "at least one state"),
        (json!("blocked"), "{\"state\":\"blocked\"} is none of"),
    ] {
        let why = host.call("wait", json!({"target": run.run_id, "until": {"state": states}})).unwrap_err();
        assert_eq!(why.code, "invalid_params");
        assert!(why.message.contains(said), "{}", why.message);
    }
}

/// A rule that a person writes beside the configuration: it is used without a restart, and a mistake is told by its line.
#[test]
fn a_users_own_rules_name_other_agents_and_are_read_again() {
    let home = Home::new();
    let folder = home.path().join(".config/termi");
    fs::create_dir_all(&folder).unwrap();
    let write = |text: &str| fs::write(folder.join("agents.toml"), text).unwrap();
    write("[agent.mine]\nprograms = ['my-agent']\n[[agent.mine.screen]]\nstate = 'working'\nall = ['thinking']\n");
    let host = home.host().start();
    // All that it prints it prints at once, before it is known.
    let python = "#!/usr/bin/env python3\nprint('1. Yes esc to interrupt', flush=True)\ninput()\n";
    let known = host.run(json!({"cmd": [program(&home, "claude", python)]}));
    wait_state(&host, &known, "working");
    let run = host.run(json!({"cmd": [shell(&home, "my-agent", "while read x; do echo \"$x\"; done")]}));
    host.input(&run.run_id, "thinking\n");
    assert_eq!(wait_state(&host, &run, "working")["app"], "mine");
    write("[agent.mine]\nprograms = ['my-agent']\n[[agent.mine.screen]]\nstate = 'blocked'\nall = ['thinking']\n");
    let evidence = || host.ask("agent_evidence", json!({"run_id": run.run_id}));
    eventually("the new rule is used", || evidence()["evidence"][0]["state"] == "blocked");
    wait_state(&host, &run, "blocked");
    write("[agent.mine]\n[[agent.mine.screen]]\nstate = 'asleep'\nall = ['x']\n");
    eventually("the mistake is told", || {
        evidence()["rules_error"]
            .as_str()
            .is_some_and(|why| why.contains("agents.toml: line 3") && why.contains("asleep"))
    });
    assert_eq!(evidence()["evidence"][0]["state"], "blocked", "the rules stay as they were");
}

/// The example of `:help termi-rules`.
#[test]
fn the_rules_of_an_agent_of_ones_own_are_what_they_say() {
    let home = Home::new();
    let folder = home.path().join(".config/termi");
    fs::create_dir_all(&folder).unwrap();
    let help = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/termi.txt")).unwrap();
    let snippet = help.split(">toml\n").nth(1).unwrap().split("\n<\n").next().unwrap();
    fs::write(folder.join("agents.toml"), snippet).unwrap();
    let script = "echo 'Allow rm?'; echo '[y/n]'; read x; clear; printf '\\033]2;busy\\a'; read x";
    let program = shell(&home, "my-agent", script);
    let host = home.host().start();
    let run = host.run(json!({"cmd": [program]}));
    let until = |state: &str| json!({"target": run.run_id, "until": {"state": [state]}});
    let agent = host.ask("wait", until("blocked"))["agent"].clone();
    assert_eq!((&agent["kind"], &agent["message"]), (&json!("permission"), &json!("Allow rm?")));
    host.input(&run.run_id, "y\n");
    host.ask("wait", until("working"));
}
