//! What scripts rely on: exit codes and words that mean one thing, and a daemon that may be replaced or end meanwhile.

use std::{
    io::Write,
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    process::Stdio,
};

use nix::sys::signal::Signal;

use crate::{
    home::{Home, Said, eventually},
    support::proc,
};

fn said(mut command: std::process::Command) -> Said {
    Said::of(command.stdin(Stdio::null()).output().unwrap())
}

/// The daemon knows no directory of the caller's but by its name; where there was none, runs went to $HOME.
#[test]
fn a_directory_that_cannot_be_named_is_refused_and_no_run_starts_elsewhere() {
    let home = Home::new();
    let odd = home.path().join(std::ffi::OsStr::from_bytes(b"\xffd"));
    std::fs::create_dir(&odd).unwrap();
    let mut termi = home.daemon.command(&["run", "--wait", "touch here"]);
    termi.current_dir(&odd);
    let refused = said(termi);
    assert_eq!((refused.code, refused.out.as_str()), (125, ""), "{refused:?}");
    assert!(refused.err.contains("not UTF-8") && refused.err.contains("--cwd"), "{refused:?}");

    let line = "mkdir gone; cd gone; rmdir ../gone; $T run -n x --wait 'touch here'; echo $?; \
                $T run -s new --wait 'touch here'; echo $?";
    let mut sh = home.command("sh");
    sh.args(["-c", line]);
    let refused = said(sh);
    assert_eq!(refused.out, "125\n125\n", "{refused:?}");
    assert!(refused.err.contains("cannot determine the current directory"), "{refused:?}");
    assert!(refused.err.contains("gone (deleted)"), "the session that it would have been in: {refused:?}");
    assert!(!home.path().join("here").exists());
}

/// A name that no session has makes a new session, which is where the caller is.
#[test]
fn a_new_session_is_in_the_callers_directory_however_it_is_named_and_a_template_in_its_own() {
    let home = Home::new();
    let sub = home.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    let here = |args: &[&str]| {
        let mut termi = home.daemon.command(args);
        termi.current_dir(&sub);
        let said = said(termi);
        assert_eq!(said.code, 0, "{said:?}");
        said.out
    };
    assert_eq!(here(&["run", "-s", "new", "--wait", "pwd"]), format!("{}\n", sub.display()));
    assert_eq!(here(&["run", "-n", "named", "--wait", "pwd"]), format!("{}\n", sub.display()));
    // One that is there has a directory of its own.
    assert_eq!(home.done(&["run", "-s", "new", "--wait", "pwd"]), sub.display().to_string());
    let client = home.daemon.connect();
    let template = serde_json::json!({"set": {"t": {"cmd": "pwd", "cwd": "/"}}});
    client.ask("templates", template);
    assert_eq!(here(&["run", "-t", "t", "--wait"]), "/\n");
}

#[test]
fn what_waits_goes_on_when_the_daemon_is_replaced() {
    let home = Home::new();
    let lines = "for n in $(seq 200); do echo line $n; done; while [ ! -e go ]; do sleep 0.02; done; echo the end";
    let program = |code: u8| format!("{lines}; exit {code}");
    home.done(&["run", "-n", "a", &program(7)]);
    home.done(&["wait", "a", "--pattern", "line 200"]);
    let exit = home.start(&["wait", "a"]);
    let pattern = home.start(&["wait", "a", "--pattern", "the end"]);
    let none = home.start(&["wait", "a", "--pattern", "never"]);
    let mut tail = home.start(&["tail", "-n", "1000", "-f", "a"]);
    let mut run = home.start(&["run", "-n", "b", "--wait", &program(8)]);
    assert_eq!((tail.line().as_str(), run.line().as_str()), ("line 1", "line 1"));
    // More than as many connections as may be short before a client takes them for refused.
    for _ in 0..14 {
        home.done(&["daemon", "--replace"]);
    }
    std::fs::write(home.path().join("go"), "").unwrap();
    assert_eq!(exit.end().0, 7);
    assert_eq!(pattern.end(), (0, "the end\n".to_owned()));
    assert_eq!(none.end().0, 1);
    let rest: String = (2..=200).map(|n| format!("line {n}\n")).collect();
    assert_eq!(tail.end(), (0, format!("{rest}the end\n")));
    assert_eq!(run.end(), (8, format!("{rest}the end\n")));
}

#[test]
fn a_wait_whose_host_ends_says_so() {
    let home = Home::new();
    home.done(&["run", "-n", "a", "exec sleep 1000"]);
    let waits = home.daemon.command(&["wait", "a"]).stderr(Stdio::piped()).spawn().unwrap();
    home.done(&["wait", "a", "--idle", "50ms"]);
    let record = home.state().join("sessions.json");
    eventually("it is on record", || std::fs::read_to_string(&record).is_ok_and(|text| text.contains("sleep 1000")));
    home.daemon.kill_9();
    let said = Said::of(waits.wait_with_output().unwrap());
    let hint = "; `termi restore` starts again what ran before\n";
    assert_eq!((said.code, said.err), (125, format!("termi: the host has ended, and its sessions with it{hint}")));
    // What one may try next says it, too, and when another daemon has started.
    assert!(home.refused(125, &["restart", "a"]).ends_with(hint));
    home.done(&["run", "-n", "b", "exec sleep 1000"]);
    let why = home.refused(125, &["restart", "a"]);
    assert!(why.contains("`termi ls` lists them, and `termi restore --list` those of an earlier daemon"), "{why}");
    home.done(&["restore", "a"]);
    eventually("nothing of it is left", || !home.refused(125, &["restart", "c"]).contains("restore"));
}

#[test]
fn a_pattern_that_never_came_has_an_exit_status_of_its_own() {
    let home = Home::new();
    home.done(&["run", "-n", "q", "--wait", "echo hello"]);
    assert_eq!(home.done(&["wait", "q", "--pattern", "h.llo"]), "hello");
    let said = home.termi(&["wait", "q", "--pattern", "NOPE"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("q ended, and no line matched"), "{said:?}");
}

/// What fell out of the transcript before the wait began cannot match, and a script that took "no line matched" for
/// "it never came" was wrong.
#[test]
fn a_wait_says_that_text_it_had_to_search_was_cut() {
    let home = Home::new();
    home.done(&["run", "-n", "q", "echo FIRSTLINE; seq 200000; read x"]);
    home.done(&["wait", "q", "--pattern", "^200000$"]);
    let said = home.termi(&["wait", "q", "--pattern", "FIRSTLINE", "--timeout", "100ms"]);
    assert_eq!((said.code, said.out.as_str()), (124, ""), "{said:?}");
    assert!(said.err.contains(" KB that q printed are not kept any more, and were not searched"), "{said:?}");
    home.done(&["send", "--enter", "q", ""]);
    home.done(&["wait", "q"]);
    let said = home.termi(&["wait", "q", "--pattern", "FIRSTLINE", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert!(said.code == 1 && answer["unsearched_bytes"].as_u64() > Some(100_000), "{said:?}");
    // Found is found, and where nothing was cut nothing is said of it.
    home.done(&["wait", "q", "--pattern", "^199999$"]);
    home.termi(&["run", "-n", "short", "--wait", "echo hello"]);
    assert_eq!(home.refused(1, &["wait", "short", "--pattern", "NOPE"]).lines().count(), 1);
}

#[test]
fn options_are_never_typed_and_never_run() {
    let home = Home::new();
    home.done(&["run", "-n", "p", "while read x; do echo \"got $x\"; done"]);
    home.done(&["send", "p", "hi", "there", "--enter"]);
    home.done(&["wait", "p", "--pattern", "^got hi there$"]);
    home.done(&["send", "--enter", "p", "--", "--enter", "-x"]);
    home.done(&["wait", "p", "--pattern", "^got --enter -x$"]);
    for (args, says) in [
        (&["send", "p", "ls", "-la"][..], "use '-- -l'"),
        (&["run", "--bogus", "x"], "--bogus"),
        (&["run", "--nmae", "x", "true"], "--name"),
        (&["rn", "x"], "a similar subcommand exists"),
        (&["wait"], "<TARGET>"),
    ] {
        let why = home.refused(125, args);
        assert!(why.contains(says), "{args:?}: {why}");
    }
    assert_eq!(home.done(&["run", "--wait", "printf", "%s|", "--name", "-x"]), "--name|-x|");
}

#[test]
fn run_wait_prints_what_the_program_prints_and_passes_standard_input_on() {
    let home = Home::new();
    assert_eq!(home.termi(&["run", "--wait", "echo one; echo two; exit 3"]).out, "one\ntwo\n");
    let quiet = home.done(&["run", "-n", "q", "--wait", "--quiet", "echo one"]);
    assert!(quiet.starts_with("q:") && quiet.len() == 10, "{quiet}");
    let pipe = |input: &[u8], cmd: &[&str]| {
        let mut termi = home.daemon.command(&["run", "--wait"]);
        let mut child = termi.args(cmd).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // Who reads nothing of it may be gone.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        (output.status.code().or(output.status.signal()).unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(pipe(b"x\n", &["cat"]), (0, "x\n".to_owned()));
    assert_eq!(pipe(b"no end of line", &["wc", "-c"]), (0, "14\n".to_owned()));
    assert_eq!(pipe(b"", &["wc", "-c"]), (0, "0\n".to_owned()));
    // Control characters are text, not keys.
    assert_eq!(pipe(b"\x03\x04\x1a\n", &["wc", "-c"]), (0, "4\n".to_owned()));
    let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(
        pipe(lines.as_bytes(), &["md5sum"]),
        (0, {
            let mut child =
                std::process::Command::new("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
            String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
        })
    );
    // One that reads nothing of it ends as it would.
    assert_eq!(pipe(lines.as_bytes(), &["sh", "-c", "exit 4"]).0, 4);
}

#[test]
fn a_name_is_free_again_when_its_session_has_ended() {
    let home = Home::new();
    home.done(&["run", "-n", "tests", "--wait", "echo first"]);
    let again = home.termi(&["run", "-n", "tests", "--wait", "echo second; exit 2"]);
    assert_eq!((again.code, again.out.as_str()), (2, "second\n"));
    assert_eq!(again.err, "termi: replaced the session \"tests\", which had ended (exited 0)\n");
    home.done(&["run", "-n", "live", "exec sleep 1000"]);
    let why = home.refused(125, &["run", "-n", "live", "true"]);
    assert!(why.contains("--session live"), "{why}");
    // What a program has left running is not ended for a name.
    home.done(&["run", "-n", "left", "--wait", "setsid sleep 1000 & sleep 0.1"]);
    let session = || home.json(&["ls", "left", "--json"]).as_object().unwrap().values().next().unwrap().clone();
    assert_eq!(session()["processes"][0]["left_running"], 1);
    let why = home.refused(125, &["run", "-n", "left", "true"]);
    assert!(why.contains("has ended, but processes") && why.contains("`termi rm --force left` ends them"), "{why}");
    let why = home.refused(125, &["rename", "live", "left"]);
    assert!(why.ends_with("another session is named \"left\"; choose another name\n"), "{why}");
    home.done(&["kill", "left"]);
}

#[test]
fn a_command_while_the_daemon_ends_starts_the_next_one() {
    let home = Home::new();
    for _ in 0..10 {
        // It takes its time to end: it asks its programs first.
        home.done(&["run", "-n", "slow", "trap '' HUP TERM; echo up; while :; do sleep 0.01; done"]);
        home.done(&["wait", "slow", "--pattern", "up"]);
        let ends = home.daemon.pid();
        proc::signal(ends, Signal::SIGTERM);
        eventually("it takes its socket away", || !home.daemon.socket().exists());
        let said = home.termi(&["run", "-n", "x", "--wait", "exit 7"]);
        assert_eq!(said.code, 7, "{said:?}");
        assert!(proc::gone(ends), "it was the next one");
        eventually("one daemon is left", || home.daemon.processes().len() == 1);
        home.termi(&["kill", "all"]);
        home.termi(&["rm", "all"]);
    }
}

#[test]
fn sessions_are_managed_as_in_the_editor() {
    let home = Home::new();
    home.done(&["run", "-n", "a", "echo up; read x"]);
    home.done(&["wait", "a", "--pattern", "up"]);
    home.done(&["rename", "a", "b"]);
    let why = home.refused(125, &["rm", "b"]);
    assert!(why.contains("`termi kill b`"), "{why}");
    let before = home.json(&["ls", "b", "--json"]);
    let run = before.as_object().unwrap().values().next().unwrap()["run_ids"][0].as_str().unwrap().to_owned();
    assert_eq!(home.done(&["restart", "b"]), format!("b:{}", &run[..8]));
    home.done(&["kill", "b"]);
    assert_eq!(home.done(&["rm", "b"]), "Removed 1 run");
    assert!(home.refused(125, &["rm", "b"]).contains("\"b\""));
    assert!(home.refused(125, &["restart", "b"]).contains("\"b\""));
    assert!(home.refused(125, &["rename", "b", "c"]).contains("\"b\""));
    let nothing = home.termi(&["restore"]);
    assert_eq!((nothing.code, nothing.err.as_str()), (0, "termi: there is nothing to restore\n"));
    assert_eq!(home.json(&["restore", "--json"]), serde_json::json!({"restored": [], "failed": []}));
    assert_eq!(home.json(&["restore", "--list", "--json"]), serde_json::json!({"sessions": []}));
}

/// The first target that was not found ended the command, and those behind it were left as they were.
#[test]
fn a_target_that_fails_is_reported_and_the_others_go_on() {
    let home = Home::new();
    let active = || {
        let sessions = home.json(&["ls", "--json"]);
        let runs = sessions.as_object().unwrap().values();
        runs.filter(|session| session["active_processes"] != 0).count()
    };
    for name in ["a", "b", "c", "d"] {
        home.done(&["run", "-n", name, "exec sleep 1000"]);
    }
    let kill = home.termi(&["kill", "none", "a", "nobody", "b"]);
    assert_eq!((kill.code, kill.out.as_str()), (125, "Killed 2/2 processes\n"), "{kill:?}");
    assert_eq!(kill.err.lines().count(), 2, "{kill:?}");
    assert!(kill.err.contains("\"none\"") && kill.err.contains("\"nobody\""), "{kill:?}");
    assert_eq!(active(), 2);
    let rm = home.termi(&["rm", "none", "c", "a"]);
    assert_eq!((rm.code, rm.out.as_str()), (125, "Removed 1 run\n"), "{rm:?}");
    assert!(rm.err.contains("\"none\"") && rm.err.contains("`termi kill c`"), "{rm:?}");
    let restart = home.termi(&["restart", "none", "b", "c"]);
    let names: Vec<_> = restart.out.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!((restart.code, names), (125, vec!["b", "c"]), "{restart:?}");
    assert!(restart.err.contains("\"none\""), "{restart:?}");
    let kill = home.termi(&["kill", "--json", "none", "d"]);
    let answer: serde_json::Value = serde_json::from_str(&kill.out).unwrap();
    assert_eq!((kill.code, &answer["killed"]), (125, &1.into()), "{kill:?}");
    assert_eq!(
        (&answer["failed"][0]["target"], &answer["failed"][0]["error"]["code"]),
        (&"none".into(), &"not_found".into())
    );
    home.refused(125, &["kill", "none", "nobody"]);
    home.done(&["kill", "b", "c"]);
}

#[test]
fn up_starts_the_project_here_and_down_ends_it() {
    let home = Home::new();
    let file = r#"{"templates": {"server": {"cmd": "echo up in $PWD; exec sleep 1000"},
        "client": {"cmd": "exec sleep 1000", "after": {"template": "server", "until": {"pattern": "up"}}}}}"#;
    let sub = home.path().join("project/sub");
    std::fs::create_dir_all(&sub).unwrap();
    std::fs::write(home.path().join("project/.termi.json"), file).unwrap();
    let here = |args: &[&str]| {
        let mut termi = home.daemon.command(args);
        termi.current_dir(&sub);
        said(termi)
    };
    let up = here(&["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    let words: Vec<_> = up.out.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(words, ["server", "client"], "{up:?}");
    assert_eq!(home.done(&["tail", "server"]), format!("up in {}", home.path().join("project").display()));
    assert_eq!(here(&["up", "client"]).out, "server: is already running\nclient: is already running\n");
    assert_eq!(here(&["down"]).out, "Killed 2/2 processes\n");
    let why = here(&["up", "nobody"]);
    assert_eq!(why.code, 125);
    assert!(why.err.contains("\"nobody\""), "{why:?}");
    std::fs::write(home.path().join("project/.termi.json"), "{\"templates\": {\"x\": {\"comand\": 1}}}").unwrap();
    let why = here(&["up"]);
    assert!(why.code == 125 && why.err.contains("comand") && why.err.contains(".termi.json"), "{why:?}");
}
