//! Another binary in the daemon's place: no program notices, and no client loses anything but its connection.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use serde_json::{Value as Json, json};

use crate::support::{Client, Daemon, Home, TERMI, eventually, eventually_some, proc};

/// All that can be seen of a run.
fn seen(client: &Client, run: &str) -> Json {
    let mut snapshot = client.ask("snapshot", json!({"run_id": run, "format": "spans", "scrollback": 1_000_000}));
    let sessions = client.ask("sessions", json!({}));
    let mut info = sessions
        .as_object()
        .unwrap()
        .values()
        .flat_map(|session| session["processes"].as_array().unwrap())
        .find(|info| info["run_id"] == run)
        .unwrap()
        .clone();
    for volatile in ["duration_ms", "cpu_percent", "memory_bytes", "attached"] {
        info.as_object_mut().unwrap().remove(volatile);
    }
    snapshot["info"] = info;
    snapshot
}

fn replaced(daemon: &Daemon) -> Client {
    let before = daemon.pid();
    let output = daemon.command(&["daemon", "--replace"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(daemon.pid(), before, "the same process");
    daemon.connect()
}

#[test]
fn everything_that_can_be_seen_is_there_afterwards_and_programs_go_on() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let lines = [
        // A shell line being typed, above it text with every look and more than a screen.
        "i=0; while [ $i -lt 300 ]; do printf '\\033[3%dmline %d\\033[m\\n' $((i % 8)) $i; i=$((i+1)); done; \
         printf '\\033]2;a title\\007half'; read x; echo \"got $x\"; read y",
        // A full screen with modes and a scrolling region, in the middle of a sequence.
        "stty -echo; printf 'before\\n\\033[?1049h\\033[?1h\\033[?2004h\\033[?1002;1006h\\033[5 q\\033[3;10r\\033[7;5H\\033[1;31mred\\033[3'; \
         read x; printf '4mblue %s\\n\\n\\n\\n\\n' \"$x\"; read y",
        "stty -echo; trap 'echo hung up' HUP; printf '\\033(0qqq\\033(B\\344\\275'; read x; printf '\\240 %s' \"$x\"; read y",
    ];
    let runs: Vec<String> = lines
        .iter()
        .map(|line| client.ask("run", json!({"cmd": line, "group": "g"}))["run_id"].as_str().unwrap().to_owned())
        .collect();
    let ended = client.ask("run", json!({"cmd": "echo over; exit 3"}))["run_id"].as_str().unwrap().to_owned();
    client.wait_exited(&ended);
    for (run, pattern) in runs.iter().zip(["^half$", "red", "───"]) {
        client.ask("wait", json!({"target": run, "until": {"pattern": pattern}, "timeout_ms": 20_000}));
    }
    let all: Vec<&String> = runs.iter().chain([&ended]).collect();
    let before: Vec<Json> = all.iter().map(|run| seen(&client, run)).collect();
    let client = replaced(&daemon);
    for (run, before) in all.iter().zip(&before) {
        let mut after = seen(&client, run);
        if run == &&runs[0] {
            // Nothing of it is compared loosely.
            assert_eq!(after["scrollback_lines"], before["scrollback_lines"]);
        }
        assert_eq!(after["lines"].as_array().unwrap().len(), before["lines"].as_array().unwrap().len());
        after["info"]["pid"] = before["info"]["pid"].clone();
        assert!(after == *before, "{run} differs:\n{after:#}\nwas\n{before:#}");
    }
    for run in &runs {
        client.ask("attach", json!({"run_id": run, "format": "ansi"}));
        client.input(run, "typed\r");
    }
    client.wait_screen(&runs[0], "it reads", |screen| screen.contains(&"got typed".to_owned()));
    client.wait_screen(&runs[1], "the sequence was finished", |screen| {
        screen.iter().any(|row| row.contains("blue typed"))
    });
    client.wait_screen(&runs[2], "so was the character", |screen| screen.concat().contains("───\u{4f60}"));
    assert!(!client.state().views[&runs[2]].text().concat().contains("hung up"));
    let colours = client.ask("snapshot", json!({"run_id": runs[1], "format": "ansi"}))["lines"].to_string();
    assert!(colours.contains("34mblue") || colours.contains("1;34m"), "{colours}");
    for run in &runs {
        client.input(run, "\r");
        assert_eq!(client.wait_exited(run)["exit"]["code"], 0);
    }
    client.ask("restart", json!({"target": ended}));
}

/// What a program prints meanwhile waits in the kernel.
#[test]
fn what_is_known_of_an_agent_is_known_afterwards_and_goes_on_from_there() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let report = |content: &str| format!("printf '\\033]7501;app=codex:{content}\\033\\\\'");
    let line = format!("{}; read x; {}; read x", report("state=blocked:msg=d2h5"), report("state=working"));
    let run = client.ask("run", json!({"cmd": line}))["run_id"].as_str().unwrap().to_owned();
    let is = |run: &str, state: &str, event: &Json| {
        event["type"] == "agent_state" && event["run_id"] == run && event["agent"]["state"] == state
    };
    client.wait_event("it asks", |event| is(&run, "blocked", event));
    client.ask("seen", json!({"run_id": run}));
    let agent = |client: &Client| client.ask("agent_evidence", json!({"run_id": run}));
    let before = agent(&client);
    assert_eq!((&before["agent"]["message"], &before["agent"]["seen"]), (&json!("why"), &json!(true)));
    let client = replaced(&daemon);
    assert_eq!(agent(&client), before);
    client.input(&run, "\n");
    let event = client.wait_event("it goes on", |event| is(&run, "working", event));
    assert_eq!(event["was"], "blocked");
}

/// What had not stood for its time was forgotten, until the next output.
#[test]
fn a_dialog_that_was_just_drawn_is_seen_afterwards() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let path = home.path().join("claude");
    let dialog = "printf '\\033[2J\\033[HDo you want to proceed?\\n❯ 1. Yes\\n  2. No\\nEsc to cancel'; read y";
    fs::write(&path, format!("#!/bin/sh\necho up; read x; {dialog}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let run = client.ask("run", json!({"cmd": [path]}))["run_id"].as_str().unwrap().to_owned();
    client.wait_event("an agent", |event| event["type"] == "agent_state" && event["run_id"] == run.as_str());
    client.input(&run, "\n");
    client.ask("wait", json!({"target": run, "until": {"pattern": "cancel"}, "timeout_ms": 20_000}));
    let client = replaced(&daemon);
    let state = || client.ask("agent_evidence", json!({"run_id": run}))["agent"]["state"].clone();
    eventually("it is blocked", || state() == "blocked");
}

#[test]
fn no_byte_of_a_program_that_prints_on_is_lost_in_many_replacements() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let line = "i=0; while [ $i -lt 4000 ]; do echo $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.02; done; read x";
    let run = client.ask("run", json!({"cmd": line}))["run_id"].as_str().unwrap().to_owned();
    let mut last = client;
    for _ in 0..5 {
        last = replaced(&daemon);
    }
    last.ask("wait", json!({"target": run, "until": {"pattern": "^3999$"}, "timeout_ms": 30_000}));
    let snapshot = last.ask("snapshot", json!({"run_id": run, "scrollback": 1_000_000}));
    let numbers: Vec<u32> =
        snapshot["lines"].as_array().unwrap().iter().filter_map(|line| line.as_str()?.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&3999));
    assert_eq!(last.ask("kill", json!({"target": run}))["killed"], 1);
}

#[test]
fn a_binary_that_cannot_go_on_is_refused_before_anything_is_given_up() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let run = client.ask("run", json!({"cmd": "cat", "attach": "ansi"}))["run_id"].as_str().unwrap().to_owned();
    let other = home.write("other", "#!/bin/sh\ncat >/dev/null\necho 'termi: it is of form 99' >&2\nexit 1\n");
    let dead = home.write("dead", "#!/bin/sh\nkill -9 $$\n");
    let text = home.write("text", "not a program");
    let mute = home.write("mute", "#!/bin/sh\nexit 0\n");
    for (binary, why) in [
        (other.to_str().unwrap(), "it is of form 99"),
        (dead.to_str().unwrap(), "does not say why"),
        (mute.to_str().unwrap(), "does not say why"),
        (text.to_str().unwrap(), "is not an executable file"),
        ("/no/such/binary", "No such file"),
        ("termi", "must begin with /"),
    ] {
        let refusal = client.refusal("replace", json!({"binary": binary}));
        assert!(refusal.message.contains(why) && refusal.message.contains("stays as it is"), "{}", refusal.message);
        client.input(&run, format!("after {}\r", why.len()));
        let row = format!("after {}", why.len());
        client.wait_screen(&run, "it goes on", |screen| screen.iter().filter(|text| **text == row).count() >= 2);
    }
    assert_eq!(client.call("run", json!({"cmd": "true"})).map(|_| ()), Ok(()), "and starts programs again");
}

#[test]
fn a_bridge_says_that_it_is_to_be_started_again() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let mut editor = home.host().persist().start();
    let run = editor.run_line("cat");
    let _ = replaced(&daemon);
    assert_eq!(editor.wait_end().code(), Some(75));
    let again = home.host().persist().start();
    assert!(proc::alive(run.pid));
    again.input(&run.run_id, "still here\r");
    again.wait_pattern(&run, "^still here$");
}

/// A binary that says it is of another version.
fn dated(home: &Arc<Home>, version: &[u8; 5]) -> std::path::PathBuf {
    let own = env!("CARGO_PKG_VERSION").as_bytes();
    assert_eq!(own.len(), version.len());
    let mut bytes = fs::read(TERMI).unwrap();
    let places: Vec<usize> = (0..bytes.len() - own.len()).filter(|&at| bytes[at..].starts_with(own)).collect();
    for at in places {
        bytes[at..at + own.len()].copy_from_slice(version);
    }
    let path = home.path().join("termi");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// doc/faults.md row 25.
#[test]
fn an_older_daemon_is_replaced_by_the_editor_that_finds_it_and_a_newer_one_is_not() {
    for (version, replaced) in [(b"0.0.9", true), (b"9.9.9", false)] {
        let home = Home::new();
        let binary = dated(&home, version);
        let mut command = home.host().by_shell(&format!("exec {} daemon --detach", binary.display())).command();
        assert!(command.status().unwrap().success());
        let daemon = Daemon::of(&home);
        let client = daemon.try_connect().unwrap();
        let text = |json: &Json| json["server"]["version"].as_str().unwrap().to_owned();
        assert_eq!(text(&client.initialize()).as_bytes(), version);
        let run = client.ask("run", json!({"cmd": "cat"}));
        let pid = daemon.pid();
        let editor = home.host().persist().start_silent();
        let now = editor.initialize();
        assert_eq!(text(&now) == env!("CARGO_PKG_VERSION"), replaced, "{now}");
        assert_eq!(now["pid"], pid);
        let params = json!({"run_id": run["run_id"], "data": "hello\r"});
        editor.ask("input", params);
        editor.ask("wait", json!({"target": run["run_id"], "until": {"pattern": "^hello$"}, "timeout_ms": 20_000}));
        eventually_some("the daemon", || daemon.try_connect());
    }
}

/// The log of a run that was carried over had said `[Default]` of all that came after.
#[test]
fn the_log_still_says_whose_line_it_is() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let run = daemon.connect().ask("run", json!({"cmd": "read x; exit 3"}));
    let (session, run) = (run["session_id"].as_str().unwrap(), run["run_id"].as_str().unwrap());
    let client = replaced(&daemon);
    client.input(run, "\r");
    client.wait_exited(run);
    let mark = format!("[Session {}] read exited with code 3", &session[..8]);
    crate::support::eventually("the line is in the log", || home.log().contains("exited with code 3"));
    assert!(home.log().contains(&mark), "{}", home.log());
}
