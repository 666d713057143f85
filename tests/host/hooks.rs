//! Hooks of coding agents: programs here are named as the agents are, and call `termi hook` as those do.

use std::fs;

use serde_json::{Value as Json, json};

use crate::{
    agents::{program, wait_state},
    support::{Home, Host, Run, TERMI},
};

/// `say STATE JSON`: calls the hook until the host says so, as a hook that has no time gives up.
const SAY: &str = r#"#!/bin/sh
say() {
  until "$T" agents --json | grep -q "\"state\":\"$1\""; do printf '%s' "$2" | "$T" hook claude; done
}
"#;

fn says(home: &Home, name: &str, script: &str) -> String {
    program(home, name, &format!("{SAY}{script}"))
}

fn start(host: &Host, cmd: Json) -> Run {
    host.run(json!({"cmd": cmd, "env": {"T": TERMI}}))
}

fn wait_none(host: &Host, run: &Run) {
    let is = |event: &Json| event["type"] == "agent_state" && event["run_id"] == run.run_id.as_str();
    host.wait_event("no agent", |event| is(event) && event["agent"].is_null());
}

#[test]
fn an_agents_hooks_are_its_state() {
    let home = Home::new();
    let host = home.host().start();
    let script = r#"
say ready '{"hook_event_name": "SessionStart", "session_id": "abc"}'; read x
say working '{"hook_event_name": "UserPromptSubmit", "session_id": "abc"}'; read x
say blocked '{"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "rm  x"}}'; read x
say done '{"hook_event_name": "Stop"}'; read x
printf '{"hook_event_name": "SubagentStop"}' | "$T" hook claude
say error '{"hook_event_name": "StopFailure", "error": "no \u001b[31mroute"}'; read x
until [ "$("$T" agents --json)" = '[]' ]; do printf '{"hook_event_name": "SessionEnd"}' | "$T" hook claude; done
read x"#;
    let run = start(&host, json!([says(&home, "any-name", script)]));
    let ready = wait_state(&host, &run, "ready");
    assert_eq!(
        (&ready["app"], &ready["source"], &ready["agent_session"]),
        (&json!("claude"), &json!("hook"), &json!("abc"))
    );
    host.input(&run.run_id, "\n");
    wait_state(&host, &run, "working");
    host.input(&run.run_id, "\n");
    let blocked = wait_state(&host, &run, "blocked");
    assert_eq!((&blocked["kind"], &blocked["message"]), (&json!("permission"), &json!("approve Bash: rm x")));
    let evidence = host.ask("agent_evidence", json!({"run_id": run.run_id}))["evidence"][0].clone();
    assert_eq!((&evidence["source"], &evidence["believed"]), (&json!("hook"), &json!(true)));
    host.input(&run.run_id, "\n");
    wait_state(&host, &run, "done");
    host.input(&run.run_id, "\n");
    assert_eq!(wait_state(&host, &run, "error")["message"], "no [31mroute");
    host.input(&run.run_id, "\n");
    wait_none(&host, &run);
}

#[test]
fn json_that_is_whole_is_told_though_standard_input_does_not_end() {
    let home = Home::new();
    let host = home.host().start();
    let script = r#"#!/usr/bin/env python3
import os, subprocess, sys
termi = os.environ['T']
while '"working"' not in subprocess.run([termi, 'agents', '--json'], capture_output=True, text=True).stdout:
    hook = subprocess.Popen([termi, 'hook', 'copilot', 'preToolUse'], stdin=subprocess.PIPE)
    hook.stdin.write(b'{"sessionId": "abc"}')
    hook.stdin.flush()
    assert hook.wait() == 0
sys.stdin.readline()"#;
    let run = start(&host, json!([program(&home, "any-name", script)]));
    assert_eq!(wait_state(&host, &run, "working")["app"], "copilot");
}

/// Of an agent that was killed in a shell nothing is worked on any more.
#[test]
fn what_a_hook_said_goes_with_the_program_that_called_it() {
    let home = Home::new();
    let host = home.host().start();
    let agent = says(&home, "any-name", "say working '{\"hook_event_name\": \"PreToolUse\"}'; echo is working; read x");
    let run = host.run(json!({"cmd": ["bash", "--norc", "-i"], "env": {"PS1": "prompt> ", "T": TERMI}}));
    host.wait_pattern(&run, "prompt>");
    host.input(&run.run_id, format!("{agent}\n"));
    wait_state(&host, &run, "working");
    host.wait_pattern(&run, "^is working");
    host.input(&run.run_id, "\x1c");
    wait_none(&host, &run);
}

/// As Claude does it: reads its settings, and calls the hook of an event with JSON about it.
const CLAUDE: &str = r#"#!/usr/bin/env python3
import json, os, subprocess, sys
print('ARGV', os.getpid(), json.dumps(sys.argv[1:]), flush=True)
if '--settings' in sys.argv and 'own' not in sys.argv:
    hooks = json.loads(sys.argv[sys.argv.index('--settings') + 1])['hooks']
    def listed():
        return subprocess.run([os.environ['T'], 'agents', '--json'], capture_output=True, text=True).stdout
    while '"source":"hook"' not in listed():
        call = hooks['UserPromptSubmit'][0]['hooks'][0]
        event = {'hook_event_name': 'UserPromptSubmit', 'session_id': 'abc'}
        said = subprocess.run(call['command'], shell=True, input=json.dumps(event), capture_output=True, text=True)
        assert (said.returncode, said.stdout, said.stderr) == (0, '', ''), said
print('OVER', os.getpid(), flush=True)
sys.stdin.readline()
"#;

/// The arguments that the stand-in for Claude was started with, in this life of the run.
fn arguments(host: &Host, run: &Run) -> Vec<String> {
    let pid = host.info(run)["pid"].clone();
    host.wait_pattern(run, &format!("^OVER {pid}$"));
    let begin = format!("ARGV {pid} ");
    let text = host.text(run);
    serde_json::from_str(text.iter().find_map(|line| line.strip_prefix(&begin)).unwrap()).unwrap()
}

#[test]
fn claude_gets_hooks_where_the_setting_says_so_and_nobody_sees_another_command() {
    let home = Home::new();
    let host = home.host().start();
    let claude = program(&home, "claude", CLAUDE);
    // Its arguments are to be on one line.
    let size = json!({"rows": 50, "cols": 4000});
    let run_with = |cmd: Json| host.run(json!({"cmd": cmd, "env": {"T": TERMI}, "size": size}));
    let plain = run_with(json!([claude, "-p", "x"]));
    assert_eq!(arguments(&host, &plain), ["-p", "x"], "without the setting");
    assert_eq!(host.ask("configure", json!({"agent_hooks": true}))["agent_hooks"], true);
    let run = run_with(json!([claude, "-p", "x"]));
    let given = arguments(&host, &run);
    assert_eq!((given[0].as_str(), &given[2..]), ("--settings", &["-p".to_owned(), "x".to_owned()][..]));
    let settings: Json = serde_json::from_str(&given[1]).unwrap();
    assert_eq!(settings["hooks"]["Stop"][0]["hooks"][0]["command"], format!("{TERMI} hook claude"));
    let agent = host.info(&run)["agent"].clone();
    assert_eq!(
        (&agent["state"], &agent["source"], &agent["agent_session"]),
        (&json!("working"), &json!("hook"), &json!("abc"))
    );
    assert_eq!(host.info(&run)["command"], host.info(&plain)["command"], "what is shown is what was asked for");
    assert!(!host.info(&run).to_string().contains("--settings"));
    // Its own settings are left alone, and so are other programs.
    let own = run_with(json!([claude, "--settings", "own"]));
    assert_eq!(arguments(&host, &own), ["--settings", "own"]);
    let other = run_with(json!([program(&home, "other", CLAUDE), "x"]));
    assert_eq!(arguments(&host, &other), ["x"]);
    // A line for the shell, as people write it.
    let line = run_with(json!(format!("exec {claude} 'a b'")));
    let given = arguments(&host, &line);
    assert_eq!((given[0].as_str(), given[2].as_str()), ("--settings", "a b"));
    // A restart goes by what is set then.
    for (life, set, count) in [(1, true, 4), (2, false, 2)] {
        host.ask("configure", json!({"agent_hooks": set}));
        host.ask("kill", json!({"target": run.session_id}));
        host.wait_for("its end", |state| {
            let ended = |event: &&Json| event["type"] == "run_exited" && event["run_id"] == run.run_id.as_str();
            (state.events.iter().filter(ended).count() == life).then_some(())
        });
        host.ask("restart", json!({"target": run.session_id}));
        assert_eq!(arguments(&host, &run).len(), count, "{set}");
    }
}

#[test]
fn a_client_that_introduces_itself_turns_them_on() {
    let home = Home::new();
    let host = home.host().start();
    let client = json!({"name": "test", "version": "1"});
    assert_eq!(host.ask("configure", json!({}))["agent_hooks"], false);
    host.ask("initialize", json!({"protocol": 1, "client": client, "agent_hooks": true}));
    host.ask("initialize", json!({"protocol": 1, "client": client}));
    assert_eq!(host.ask("configure", json!({}))["agent_hooks"], true);
}

#[test]
fn health_says_which_agents_are_there_and_have_hooks() {
    let home = Home::new();
    let folder = home.path().join("agents");
    for name in ["claude", "codex", "gemini", "qwen"] {
        program(&home, name, "#!/bin/sh\n");
    }
    // No program, or a pipe that nobody writes into.
    fs::create_dir(folder.join("copilot")).unwrap();
    fs::create_dir_all(home.path().join("codex")).unwrap();
    fs::write(home.path().join("codex/hooks.json"), r#"{"hooks": {"Stop": "/x/termi hook codex"}}"#).unwrap();
    fs::create_dir_all(home.path().join("claude")).unwrap();
    nix::unistd::mkfifo(&home.path().join("claude/settings.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let host = home
        .host()
        .env("PATH", path)
        .env("CODEX_HOME", home.path().join("codex"))
        .env("CLAUDE_CONFIG_DIR", home.path().join("claude"))
        .start();
    let said = || {
        let health = host.ask("health", json!({}));
        let check =
            health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "agents").unwrap().clone();
        assert_eq!(check["status"], "ok");
        check["detail"].as_str().unwrap().to_owned()
    };
    let codex = home.path().join("codex/hooks.json");
    let others =
        format!("codex: hooks are in {}; gemini: no hooks (`termi hooks gemini`); qwen: no hooks", codex.display());
    assert_eq!(said(), format!("claude: no hooks (`termi hooks claude`); {others}"));
    host.ask("configure", json!({"agent_hooks": true}));
    assert_eq!(said(), format!("claude: hooks are on; {others}"));
}
