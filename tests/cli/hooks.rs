//! `termi hook`, which never gets in an agent's way, and `termi hooks`.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use crate::{home::Home, support::TERMI};

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// It has ended with 0 and printed nothing.
fn assert_silent(what: &str, mut hook: Child) {
    let (mut out, mut err) = (String::new(), String::new());
    hook.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    hook.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((hook.wait().unwrap().code(), out.as_str(), err.as_str()), (Some(0), "", ""), "{what}");
}

#[test]
fn a_hook_prints_nothing_and_succeeds_whatever_it_gets() {
    let home = Home::new();
    let gone = home.path().join("gone.sock");
    let hook = |args: &[&str], inside: bool| {
        let mut command = home.daemon.command(&[&["hook"], args].concat());
        if inside {
            command.env("TERMI_SOCKET", &gone).env("TERMI_RUN", "0123456789abcdef0123456789abcdef");
        }
        start(&mut command)
    };
    let huge = format!("{{\"hook_event_name\": \"Stop\", \"x\": \"{}\"}}", "x".repeat(3 << 20));
    let deep = "[".repeat(1 << 20);
    for input in ["{\"hook_event_name\": \"Stop\"}", "{\"hook_event_name\": ", "\u{0}}", "", &huge, &deep] {
        for args in [&["claude"][..], &["copilot", "agentStop"], &["vim"], &[], &["--no-such-option"], &["a", "b", "c"]]
        {
            for inside in [false, true] {
                let mut hook = hook(args, inside);
                // It may have ended before it has read all.
                let _ = hook.stdin.take().unwrap().write_all(input.as_bytes());
                assert_silent(&format!("{args:?} {inside} {:?}", &input[..input.len().min(30)]), hook);
            }
        }
    }
    assert!(!home.daemon.socket().exists(), "no daemon is started for it");
}

#[test]
fn a_hook_waits_neither_for_the_end_of_its_input_nor_for_a_host() {
    let home = Home::new();
    let silent = home.path().join("silent.sock");
    let listener = UnixListener::bind(&silent).unwrap();
    let hook = || {
        let mut command = home.daemon.command(&["hook", "claude"]);
        start(command.env("TERMI_SOCKET", &silent).env("TERMI_RUN", "0123456789abcdef0123456789abcdef"))
    };
    // Nothing ever comes, and nobody closes it.
    let mut waiting = hook();
    let _held = waiting.stdin.take().unwrap();
    assert_silent("standard input without an end", waiting);
    // A host that takes the connection and does not answer.
    let mut asking = hook();
    asking.stdin.take().unwrap().write_all(b"{\"hook_event_name\": \"Stop\"}").unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    assert_silent("a host that does not answer", asking);
    let mut asked = Vec::new();
    stream.read_to_end(&mut asked).unwrap();
    assert!(String::from_utf8_lossy(&asked).contains("agent_report"), "{asked:?}");
}

#[test]
fn how_hooks_are_set_up_is_told_for_each_agent_that_has_them() {
    let home = Home::new();
    for (agent, file, event) in [
        ("claude", ".claude/settings.json", "Stop"),
        ("codex", ".codex/hooks.json", "Stop"),
        ("copilot", ".copilot/hooks/termi.json", "agentStop"),
        ("gemini", ".gemini/settings.json", "AfterAgent"),
    ] {
        let json: Json = serde_json::from_str(&home.done(&["hooks", agent, "--json"])).unwrap();
        let hook = &json["hooks"][event][0];
        let command = hook.pointer("/hooks/0/command").or(hook.get("bash")).unwrap().as_str().unwrap();
        let own = if agent == "copilot" { " agentStop" } else { "" };
        assert_eq!(command, format!("{TERMI} hook {agent}{own}"));
        let text = home.done(&["hooks", agent]);
        assert!(text.starts_with(&format!("Put this into {}", home.path().join(file).display())), "{text}");
        assert!(text.contains(&serde_json::to_string_pretty(&json).unwrap()), "{text}");
    }
    std::fs::create_dir_all(home.path().join(".codex")).unwrap();
    std::fs::write(home.path().join(".codex/hooks.json"), "{}").unwrap();
    assert!(home.done(&["hooks", "codex"]).contains("the file exists"));
    let refused = home.refused(125, &["hooks", "vim"]);
    assert!(refused.contains("'vim'") && refused.contains("claude, codex, copilot, gemini"), "{refused}");
}

/// A path that a shell would take apart is quoted.
#[test]
fn the_binarys_path_is_quoted() {
    let home = Home::new();
    let folder = home.path().join("it's a place");
    std::fs::create_dir(&folder).unwrap();
    let binary = folder.join("termi");
    // By another process: a file that this one writes is one that its children, started meanwhile by other tests, have
    // open to write for a moment, and such a file cannot be executed.
    assert!(Command::new("cp").args([TERMI.as_ref(), binary.as_os_str()]).status().unwrap().success());
    let said = home.command(binary.to_str().unwrap()).args(["hooks", "claude", "--json"]).output().unwrap();
    let json: Json = serde_json::from_slice(&said.stdout).unwrap();
    let command = json["hooks"]["Stop"][0]["hooks"][0]["command"].as_str().unwrap();
    let hook = start(Command::new("sh").args(["-c", command]).env_remove("TERMI_SOCKET"));
    assert_silent(command, hook);
    assert!(command.ends_with("/termi' hook claude"), "{command}");
}
