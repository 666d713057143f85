//! Who can read what: nobody but the user, and secrets not even in the user's own files.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::support::{Client, Home, Host, files_below, proc};

#[test]
fn secrets_leave_no_trace_in_any_file_at_the_most_talkative_level() {
    const HOST_ENV: &str = "hostsecret-8c1d";
    const RUN_ENV: &str = "runsecret-52ab";
    const TYPED: &str = "typedsecret-77fe";
    const PASTED: &str = "pastedsecret-e0aa";
    const PRINTED: &str = "printedsecret-319c";
    let home = Home::new();
    let host = home.host().env("TERMI_STREAM_DEBUG", "1").env("PASSWORD", HOST_ENV).start();
    let script =
        home.write("script", "#!/bin/sh\nstty -echo; read secret; read more; printf '%s\\n' \"$REPEAT\"; echo done\n");
    let run = host.run(json!({
        "cmd": [script.to_str().unwrap()],
        "env": {"TOKEN": RUN_ENV, "REPEAT": PRINTED},
        "attach": "ansi",
    }));
    host.input(&run.run_id, format!("{TYPED}\r"));
    host.notify("input", json!({"run_id": run.run_id, "data": format!("{PASTED}\n"), "paste": true}));
    host.wait_screen(&run.run_id, "the program has read it", |screen| screen.contains(&"done".to_owned()));
    // What is refused is not repeated either.
    let bad = host.refusal("run", json!({"cmd": ["no-such-program"], "env": {"TOKEN": RUN_ENV}}));
    assert!(!bad.message.contains(RUN_ENV));
    let bad = host.refusal("run", json!({"cmd": "true", "env": {"TOKEN": format!("{RUN_ENV}\0")}}));
    assert!(!bad.message.contains(RUN_ENV), "{}", bad.message);
    host.notify("input", json!({"run_id": "nobody", "data": TYPED}));
    host.notify("input", json!({"run_id": [TYPED], "data": TYPED}));
    host.notify("input", json!({"run_id": run.run_id, "data": {"what": TYPED}}));
    host.wait_exited(&run.run_id);
    host.ask("restart", json!({"target": run.run_id}));
    drop(host);

    let log = home.log();
    assert!(log.contains("DEBUG") && log.contains("input"), "the most talkative level is on");
    for folder in [home.state(), home.runtime()] {
        for file in files_below(&folder).into_iter().filter(|path| path.is_file()) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            for secret in [HOST_ENV, RUN_ENV, TYPED, PASTED, PRINTED] {
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "{} holds {secret}", file.display());
            }
        }
    }
}

#[test]
fn files_and_folders_are_for_their_owner_alone_whatever_the_umask() {
    let home = Home::new();
    let host = home.host().by_shell("umask 000; exec \"$TERMI\" host").start();
    let run = host.run_line("echo x");
    host.wait_exited(&run.run_id);
    let mode = |path: &std::path::Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in [home.state(), home.runtime()] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        let files = files_below(&folder);
        assert!(!files.is_empty());
        for path in files {
            assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        }
    }
}

#[test]
fn folders_that_others_could_enter_are_closed() {
    let home = Home::new();
    for folder in [home.state(), home.runtime()] {
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let _host = home.host().start();
    for folder in [home.state(), home.runtime()] {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn over_the_socket_one_may_look_and_not_touch() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "echo seen by all; exec sleep 1000", "name": "shared"}));
    host.wait_pattern(&run, "seen by all");
    let guest = host.outsider();
    assert_eq!(guest.initialize()["pid"], host.pid());
    assert_eq!(guest.ask("sessions", json!({}))[&run.session_id]["name"], "shared");
    assert_eq!(guest.ask("snapshot", json!({"run_id": run.run_id}))["lines"][0], "seen by all");
    assert_eq!(guest.ask("wait", json!({"target": "shared", "until": {"pattern": "seen"}}))["reason"], "pattern");
    guest.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    guest.wait_screen(&run.run_id, "a view of its own", |screen| screen == ["seen by all"]);
    for (method, params) in [
        ("run", json!({"cmd": "true"})),
        ("kill", json!({"target": "all"})),
        ("input", json!({"run_id": run.run_id, "data": "x"})),
        ("resize", json!({"run_id": run.run_id, "rows": 1, "cols": 1})),
        ("rename", json!({"target": "shared", "name": "mine"})),
        ("restart", json!({"target": "shared"})),
        ("send", json!({"target": "shared", "data": "x"})),
        ("configure", json!({"keep_ended": 0})),
        ("templates", json!({"set": {}})),
        ("parse_templates", json!({"text": "", "path": ""})),
        ("up", json!({})),
        ("down", json!({})),
        ("remove", json!({"target": "shared"})),
        ("colors", json!({"foreground": "#000000"})),
        ("shutdown", json!({})),
    ] {
        let refusal = guest.refusal(method, params);
        assert_eq!(refusal.code, "forbidden", "{method}");
        assert!(refusal.message.contains(method), "{}", refusal.message);
    }
    guest.notify("input", json!({"run_id": run.run_id, "data": "\u{3}"}));
    guest.notify("call", json!({"id": 1_000_000, "method": "kill", "params": {"target": "all"}}));
    let refusal = guest.wait_for("the reply", |state| state.answer(1_000_000).cloned()).unwrap_err();
    assert_eq!(refusal.code, "forbidden");
    assert_eq!(host.info(&run)["status"], "active");
    host.ask("kill", json!({"target": "shared"}));
    guest.wait_exited(&run.run_id);
}

#[test]
fn what_the_editor_itself_starts_may_do_over_the_socket_what_the_editor_may() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "read x; echo \"<$x>\"; exec sleep 1000", "name": "shared"}));
    let own = host.connect();
    assert_eq!(own.initialize()["socket"], host.socket().to_str().unwrap());
    own.input(&run.run_id, "typed\r");
    host.wait_pattern(&run, "<typed>");
    assert_eq!(own.ask("kill", json!({"target": "shared"}))["killed"], 1);
    // But a program of a run is one, whoever started the host.
    let line = r#"test -n "$TERMI_SOCKET" && "$0" kill shared; echo "code $?""#;
    let inside =
        host.run(json!({"cmd": ["sh", "-c", line, env!("CARGO_BIN_EXE_termi")], "size": {"rows": 9, "cols": 300}}));
    host.wait_exited(&inside.run_id);
    assert!(host.text(&inside).concat().contains("cross_session"), "{:?}", host.text(&inside));
}

/// A view over the socket must not be a way to change the terminal of the one who owns it.
#[test]
fn a_guests_view_does_not_resize_the_owners_terminal() {
    let host = Host::start();
    let run = host.run_line("echo here; exec sleep 1000");
    host.wait_pattern(&run, "here");
    let guest: Client = host.outsider();
    guest.initialize();
    let size = json!({"rows": 3, "cols": 9});
    let _ = guest.call("attach", json!({"run_id": run.run_id, "format": "ansi", "size": size}));
    let now = host.ask("snapshot", json!({"run_id": run.run_id}))["size"].clone();
    assert_eq!(now, json!({"rows": 24, "cols": 80}));
}

#[test]
fn a_program_reaches_its_own_host_by_the_socket_in_its_environment() {
    let host = Host::start();
    let run = host.run_line("test -S \"$TERMI_SOCKET\" && echo \"at $TERMI_SOCKET\"");
    host.wait_exited(&run.run_id);
    assert_eq!(host.text(&run).concat(), format!("at {}", host.socket().display()));
}

#[test]
fn lines_of_json_templates_and_history_leave_no_secret_either() {
    const TEMPLATE_ENV: &str = "templatesecret-11aa";
    const IN_JSON: &str = "jsonsecret-22bb";
    const SENT: &str = "sentsecret-33cc";
    let home = Home::new();
    let host = home.host().env("TERMI_STREAM_DEBUG", "1").start();
    host.ask(
        "templates",
        json!({"set": {"agent": {
            "cmd": "read x; echo \"{\\\"said\\\": \\\"$SAYS\\\"}\"; echo \"$SAYS\"",
            "env": {"TOKEN": TEMPLATE_ENV, "SAYS": IN_JSON}, "stream": "json",
            "limits": {"memory_bytes": 500_000_000, "processes": 50},
        }}}),
    );
    assert_eq!(host.ask("up", json!({}))["failed"], json!([]));
    host.ask("send", json!({"target": "agent", "data": SENT, "enter": true}));
    host.wait_event("its line", |event| event["value"]["said"] == IN_JSON);
    host.wait_event("its end", |event| event["type"] == "run_exited");
    let refusal = host.refusal("templates", json!({"set": {"x": {"env": {"A": format!("{TEMPLATE_ENV}\0")}}}}));
    assert!(!refusal.message.contains(TEMPLATE_ENV), "{}", refusal.message);
    assert_eq!(host.ask("history", json!({}))["total"], 1);
    drop(host);
    let log = home.log();
    for detail in [
        "template \"agent\" is started",
        "line seq=0 kind=\"json\"",
        "line seq=1 kind=\"text\"",
        "watched for its limits",
    ] {
        assert!(log.contains(detail), "{detail} is not in:\n{log}");
    }
    for file in files_below(&home.state()).into_iter().filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        for secret in [TEMPLATE_ENV, IN_JSON, SENT] {
            assert_eq!(text.lines().find(|line| line.contains(secret)), None, "{} holds {secret}", file.display());
        }
    }
}

/// doc/faults.md row 42: a program that blanks its arguments, as curl and mysql do, hides them from `ps` for good.
#[test]
fn arguments_that_a_program_blanks_are_in_no_other_command_line() {
    let home = Home::new();
    // The kernel shows a program's arguments from its own memory, where it can overwrite them.
    let blanks = home.write(
        "blanks",
        "#!/usr/bin/env python3
import ctypes, sys
with open('/proc/self/stat') as stat:
    fields = stat.read().rsplit(')', 1)[1].split()
start, end = int(fields[45]), int(fields[46])
ctypes.memset(start, 0, end - start)
print('blank', flush=True)
sys.stdin.read()
",
    );
    let secret = format!("--password=hunter2-{}", std::process::id());
    let host = home.host().start();
    let run = host.run(json!({"cmd": [blanks, secret]}));
    host.wait_pattern(&run, "^blank$");
    let holders: Vec<_> = proc::with_argument(&secret).into_iter().map(proc::arguments).collect();
    assert_eq!(holders, Vec::<Vec<String>>::new());
    let shim = proc::stat(run.pid).unwrap().parent;
    assert!(proc::arguments(shim).contains(&run.reply["process_name"].as_str().unwrap().to_owned()));
}

/// More than a pipe takes at once.
#[test]
fn long_arguments_arrive_whole() {
    let host = Host::start();
    let mut command = vec!["sh".to_owned(), "-c".to_owned(), "shift; printf '%s' \"$*\" | wc -c".to_owned()];
    command.extend((0..13).map(|n| n.to_string().repeat(100_000).chars().take(100_000).collect::<String>()));
    assert_eq!(host.output_of(json!({"cmd": command})), ["1100010"]);
}
