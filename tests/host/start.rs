//! Starting a program: what it is given, and what a client is told of it.

use std::{collections::BTreeMap, time::SystemTime};

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Run, eventually_some, proc};

#[test]
fn a_line_goes_to_the_users_shell_and_an_argument_vector_to_nobody() {
    let host = Host::start();
    assert_eq!(host.output_of(json!({"cmd": "echo $((6 * 7)) '*'  \"$0\""})), ["42 * /bin/sh"]);
    let printed = host.output_of(json!({"cmd": ["printf", "%s|", "$HOME", "a  b", "*", "ä\n"]}));
    assert_eq!(printed, ["$HOME|a  b|*|ä", "|"]);
}

#[test]
fn no_command_is_an_interactive_shell() {
    let host = Host::start();
    let run = host.run(json!({"env": {"PS1": "ready> "}}));
    host.wait_pattern(&run, "^ready>");
    assert_eq!(host.info(&run)["program"], "sh");
    host.input(&run.run_id, "echo is $((40 + 2))\r");
    host.wait_pattern(&run, "^is 42$");
    host.input(&run.run_id, "exit 3\r");
    assert_eq!(host.wait_exited(&run.run_id)["exit"], json!({"code": 3, "signal": null}));
}

#[test]
fn the_users_shell_is_the_one_of_the_environment() {
    let home = Home::new();
    let shell = home.write("myshell", "#!/bin/sh\necho \"mine: $1 $2\"\n");
    let host = home.host().env("SHELL", &shell).start();
    assert_eq!(host.output_of(json!({"cmd": "a b"})), ["mine: -c a b"]);
    assert!(home.log().contains(&format!("Using PTY with shell: {}", shell.display())));
}

#[test]
fn a_program_is_told_where_it_runs() {
    let host = Home::new()
        .host()
        .env("INHERITED", "from the editor")
        .env("REMOVED", "x")
        .env("EMPTY", "x")
        .env("NVIM_LOG_FILE", "/editor's/own")
        .env("TERM", "dumb")
        .env("COLUMNS", "7")
        .start();
    let env = json!({"GIVEN": "a = b\nc", "REMOVED": null, "EMPTY": ""});
    let run = host.run(json!({"cmd": ["sleep", "1000"], "env": env}));
    let seen: BTreeMap<String, String> = proc::environment(run.pid)
        .iter()
        .map(|entry| entry.split_once('=').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let get = |key: &str| seen.get(key).map(String::as_str);
    assert_eq!(get("TERM"), Some("xterm-256color"));
    assert_eq!(get("COLORTERM"), Some("truecolor"));
    assert_eq!(get("TERMI_SESSION"), Some(run.session_id.as_str()));
    assert_eq!(get("TERMI_RUN"), Some(run.run_id.as_str()));
    assert_eq!(get("TERMI_TERMINAL"), run.reply["terminal_name"].as_str());
    assert_eq!(get("TERMI_SOCKET"), host.socket().to_str());
    assert_eq!(get("INHERITED"), Some("from the editor"));
    assert_eq!(get("GIVEN"), Some("a = b\nc"));
    assert_eq!(get("EMPTY"), Some(""));
    for key in ["REMOVED", "NVIM_LOG_FILE", "COLUMNS", "TERMI_SHIM"] {
        assert_eq!(get(key), None, "{key}");
    }
}

#[test]
fn what_the_client_sets_wins_even_over_terms_own() {
    let host = Host::start();
    let env = json!({"TERM": "vt100", "COLORTERM": null, "TERMI_RUN": "mine"});
    let printed = host.output_of(json!({"cmd": "echo $TERM ${COLORTERM-none} $TERMI_RUN", "env": env}));
    assert_eq!(printed, ["vt100 none mine"]);
}

#[test]
fn a_program_starts_with_nothing_of_the_hosts_but_its_terminal() {
    let host = Host::start();
    let run = host.run(json!({"cmd": ["sleep", "1000"]}));
    let stat = proc::stat(run.pid).unwrap();
    assert_eq!((stat.group, stat.session), (run.pid, run.pid), "it leads a session of its own");
    let descriptors = proc::descriptors(run.pid);
    assert_eq!(descriptors.len(), 3, "{descriptors:?}");
    assert!(descriptors.iter().all(|path| path.starts_with("/dev/pts")), "{descriptors:?}");
}

#[test]
fn a_program_starts_with_every_signal_at_its_default() {
    let home = Home::new();
    let host = home.host().by_shell("trap '' HUP INT QUIT PIPE TERM USR1 TSTP 40; exec \"$TERMI\" host").start();
    let run = host.run(json!({"cmd": ["sleep", "1000"]}));
    for key in ["SigBlk", "SigIgn"] {
        let mask = u64::from_str_radix(&proc::status(run.pid, key).unwrap(), 16).unwrap();
        // 32 and 33 are the C library's own: nobody can set them through it.
        let common = mask & !(0b11 << 31);
        assert_eq!(common, 0, "{key} {mask:x}");
    }
    assert_eq!(host.ask("kill", json!({"target": "all", "signal": "TERM"}))["killed"], 1);
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["signal"], 15);
}

#[test]
fn a_program_gets_the_limit_of_open_files_that_the_host_raised_for_itself() {
    let host = Home::new().host().by_shell("ulimit -S -n 200; exec \"$TERMI\" host").start();
    assert_eq!(host.output_of(json!({"cmd": "ulimit -S -n"})), ["200"]);
    let own = std::fs::read_to_string(format!("/proc/{}/limits", host.pid())).unwrap();
    let line = own.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limits: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits[0], limits[1], "the host's own soft limit is its hard one: {line}");
}

#[test]
fn a_program_gets_the_umask_the_editor_had() {
    let host = Home::new().host().by_shell("umask 027; exec \"$TERMI\" host").start();
    assert_eq!(host.output_of(json!({"cmd": "umask"})), ["0027"]);
}

#[test]
fn the_working_folder_is_the_one_asked_for_else_the_sessions_else_the_hosts() {
    let host = Host::start();
    let home = host.home().path();
    std::fs::create_dir(home.join("a b")).unwrap();
    let in_it = home.join("a b").to_str().unwrap().to_owned();
    let pwd = |params: Json| host.output_of(params).join("");
    assert_eq!(pwd(json!({"cmd": "pwd"})), home.to_str().unwrap());
    assert_eq!(pwd(json!({"cmd": "pwd", "cwd": "~"})), home.to_str().unwrap());
    assert_eq!(pwd(json!({"cmd": "pwd", "cwd": "~/a b"})), in_it);
    assert_eq!(pwd(json!({"cmd": "pwd", "cwd": "a b", "name": "there"})), in_it);
    assert_eq!(pwd(json!({"cmd": "pwd", "session": "there"})), in_it, "the session's");
    assert_eq!(pwd(json!({"cmd": "pwd", "session": "there", "cwd": "/"})), "/");
    assert_eq!(pwd(json!({"cmd": "pwd", "session": "there"})), in_it, "one run's folder is not the session's");
}

#[test]
fn the_first_thing_a_program_can_ask_for_is_its_size() {
    let host = Host::start();
    assert_eq!(host.output_of(json!({"cmd": "stty size"})), ["24 80"]);
    assert_eq!(host.output_of(json!({"cmd": "stty size", "size": {"rows": 7, "cols": 133}})), ["7 133"]);
}

#[test]
fn run_answers_as_the_contract_says() {
    let host = Host::start();
    let before = unix_ms();
    let run = host.run(json!({"cmd": ["sleep", "1000"]}));
    let after = unix_ms();
    let reply = run.reply.as_object().unwrap();
    let keys: Vec<&str> = reply.keys().map(String::as_str).collect();
    assert_eq!(keys, ["pid", "process_name", "run_id", "session_id", "session_name", "terminal_name"]);
    let (session, id) = (&run.session_id, &run.run_id);
    assert_eq!(run.reply["process_name"], format!("sleep:Session {}:{}", &session[..8], &id[..8]));
    let stamp =
        run.reply["terminal_name"].as_str().unwrap().strip_prefix(&format!("termi-session-{session}-")).unwrap();
    let stamp: u64 = stamp.parse().unwrap();
    assert!((before..=after).contains(&stamp), "{before} {stamp} {after}");
    assert_eq!(proc::arguments(run.pid), ["sleep", "1000"], "the pid is the program's own");
}

#[test]
fn the_process_name_is_seen_by_ps_on_the_process_above_the_program() {
    let host = Host::start();
    let run = host.run(json!({"cmd": ["sleep", "1000"]}));
    let shim = proc::stat(run.pid).unwrap().parent;
    assert_eq!(proc::stat(shim).unwrap().parent, host.pid());
    let shown = std::process::Command::new("ps").args(["-o", "args=", "-p", &shim.to_string()]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(run.reply["process_name"].as_str().unwrap()), "{shown}");
}

#[test]
fn sessions_has_the_shape_of_the_contract() {
    let host = Host::start();
    let label = "Bau — für Menschen";
    let run = host.run(json!({
        "cmd": "printf '\\033]2;my title\\007'; echo hello; cd /; exec sleep 1000",
        "name": "build", "label": label, "group": "web", "attach": "ansi",
    }));
    host.wait_screen(&run.run_id, "hello", |screen| screen == ["hello"]);
    let sessions = eventually_some("the program is where it went", || {
        let sessions = host.ask("sessions", json!({}));
        let info = &sessions[&run.session_id]["processes"][0];
        // Within an exec, a process has no memory for a moment.
        let is_there = info["cwd"] == "/" && info["memory_bytes"].as_u64() > Some(0);
        is_there.then_some(sessions)
    });
    assert_eq!(sessions.as_object().unwrap().len(), 1);
    let session = &sessions[&run.session_id];
    let keys: Vec<&String> = session.as_object().unwrap().keys().collect();
    let of_contract = ["active_processes", "cwd", "group", "label", "name", "processes", "run_ids"];
    let of_session = ["bytes", "cpu_percent", "created_at", "limits", "memory_bytes"].into_iter().chain(of_contract);
    let mut wanted: Vec<&str> = of_session.collect();
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    assert_eq!(session["name"], "build");
    assert_eq!(session["label"], label);
    assert_eq!(session["group"], "web");
    assert_eq!(session["cwd"], host.home().path().to_str().unwrap());
    assert_eq!(session["active_processes"], 1);
    assert_eq!(session["run_ids"], json!([run.run_id]));

    let info = &session["processes"][0];
    assert_eq!(info["run_id"], run.run_id.as_str());
    assert_eq!(info["pid"], run.pid);
    assert_eq!(info["status"], "active");
    assert_eq!(info["process_name"], run.reply["process_name"]);
    assert_eq!(info["terminal_name"], run.reply["terminal_name"]);
    assert_eq!(info["command"], "printf '\\033]2;my title\\007'; echo hello; cd /; exec sleep 1000");
    assert_eq!(info["program"], "printf");
    assert_eq!(info["title"], "my title");
    assert_eq!(info["last_line"], "hello");
    assert_eq!(info["attached"], true);
    assert_eq!(info["exit"], Json::Null);
    assert_eq!(info["ended_at"], Json::Null);
    assert_eq!(info["bytes"], "\x1b]2;my title\x07hello\r\n".len());
    assert!(info["memory_bytes"].as_u64().unwrap() > 100_000, "{info}");
    assert!(info["cpu_percent"].is_number(), "{info}");
    let now = unix_ms();
    assert!((now - 60_000..=now).contains(&info["started_at"].as_u64().unwrap()));

    host.ask("kill", json!({"target": "build"}));
    let info = host.info(&run);
    assert_eq!(info["status"], "killed");
    assert_eq!(info["exit"], json!({"code": null, "signal": 1}));
    assert!(info["ended_at"].as_u64().unwrap() >= info["started_at"].as_u64().unwrap());
    assert_eq!(info["memory_bytes"], Json::Null);
    assert_eq!(host.ask("sessions", json!({}))[&run.session_id]["active_processes"], 0);
}

#[test]
fn starting_is_told_before_anything_else_of_the_run() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "echo hi", "name": "told", "attach": "ansi"}));
    host.wait_exited(&run.run_id);
    let state = host.state();
    let told: Vec<String> =
        state.arrivals.iter().map(|arrival| arrival["type"].as_str().unwrap_or("frame").to_owned()).collect::<Vec<_>>();
    let without_frames: Vec<&String> = told.iter().filter(|kind| *kind != "frame").collect();
    assert_eq!(without_frames, ["session_started", "run_started", "run_exited"]);
    assert_eq!(told.last().unwrap(), "run_exited", "after the last frame: {told:?}");
    assert_eq!(state.events[0]["session_name"], "told");
    assert_eq!(state.events[1]["pid"], run.pid);
    assert_eq!(state.views[&run.run_id].screen(), ["hi"]);
}

#[test]
fn a_session_holds_several_runs_at_once_and_one_after_another() {
    let host = Host::start();
    let first = host.run(json!({"cmd": "exec sleep 1000", "name": "many"}));
    let rest: Vec<Run> = (0..3).map(|_| host.run(json!({"cmd": "exec sleep 1000", "session": "many"}))).collect();
    for run in &rest {
        assert_eq!(run.session_id, first.session_id);
        assert_eq!(run.reply["session_name"], "many");
    }
    let ended = host.run(json!({"cmd": "exit 4", "session": &first.session_id[..10]}));
    host.wait_exited(&ended.run_id);
    let after = host.run(json!({"cmd": "exec sleep 1000", "session": first.session_id}));
    let session = host.ask("sessions", json!({}))[&first.session_id].clone();
    let order: Vec<&str> =
        std::iter::once(&first).chain(&rest).chain([&ended, &after]).map(|r| r.run_id.as_str()).collect();
    assert_eq!(session["run_ids"], json!(order), "oldest first");
    assert_eq!(session["active_processes"], 5);
    let started: Vec<String> =
        host.state().events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(started.iter().filter(|kind| *kind == "session_started").count(), 1);
    assert_eq!(host.ask("kill", json!({"target": "many"})), json!({"killed": 5, "total": 5, "processes": 5}));
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// doc/faults.md row 48: a host that was started inside a multiplexer, a terminal or an agent passes nothing on that says so.
#[test]
fn nothing_of_where_the_host_was_started_reaches_its_programs() {
    let misleading = [
        ("TMUX", "/tmp/tmux-0/default,1,0"),
        ("TMUX_PANE", "%0"),
        ("STY", "1.pts-0"),
        ("ZELLIJ_SESSION_NAME", "x"),
        ("CLAUDECODE", "1"),
        ("CLAUDE_CODE_ENTRYPOINT", "cli"),
        ("CODEX_SANDBOX", "seatbelt"),
        ("CMUX_SURFACE_ID", "1"),
        ("GHOSTTY_BIN_DIR", "/x"),
        ("KITTY_WINDOW_ID", "1"),
        ("WEZTERM_PANE", "0"),
        ("VSCODE_INJECTION", "1"),
        ("HERDR_PANE_ID", "1"),
        ("TERM_PROGRAM", "iTerm.app"),
        ("TERM_PROGRAM_VERSION", "3.5"),
    ];
    let mut setup = Home::new().host().env("CODEX_HOME", "/kept");
    for (key, value) in misleading {
        setup = setup.env(key, value);
    }
    let host = setup.start();
    let run = host.run_line("read x");
    let environment = proc::environment(host.info(&run)["pid"].as_i64().unwrap().try_into().unwrap());
    let value = |key: &str| environment.iter().find_map(|entry| entry.strip_prefix(key)?.strip_prefix('='));
    for (key, _) in &misleading[..misleading.len() - 2] {
        assert_eq!(value(key), None, "{key}");
    }
    assert_eq!((value("TERM_PROGRAM"), value("CODEX_HOME")), (Some("termi"), Some("/kept")));
    assert_eq!(value("TERM_PROGRAM_VERSION"), Some(env!("CARGO_PKG_VERSION")));
}
