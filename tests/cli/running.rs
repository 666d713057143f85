//! `termi run`.

use crate::{home::Home, support::TERMI};

#[test]
fn run_starts_the_daemon_and_names_the_run() {
    let home = Home::new();
    assert!(home.daemon.try_connect().is_none());
    let named = home.done(&["run", "--name", "one", "--group", "web", "--label", "the first", "exec sleep 1000"]);
    let sessions = home.json(&["ls", "--json"]);
    let session = sessions.as_object().unwrap().values().next().unwrap();
    assert_eq!(
        (&session["name"], &session["group"], &session["label"]),
        (&"one".into(), &"web".into(), &"the first".into())
    );
    let run = session["run_ids"][0].as_str().unwrap();
    assert_eq!(named, format!("one:{}", &run[..8]));
    assert_eq!(session["cwd"], home.path().to_str().unwrap());
    let again = home.json(&["run", "--session", "one", "--json", "--", "sleep", "1000"]);
    assert_eq!(again["session_name"], "one");
    assert_ne!(again["run_id"], run);
}

#[test]
fn several_words_are_a_program_and_its_arguments_and_one_is_a_line_for_the_shell() {
    let home = Home::new();
    home.done(&["run", "-n", "words", "-w", "--", "printf", "%s|", "a b", "$HOME", "--wait"]);
    assert_eq!(home.done(&["tail", "words"]), "a b|$HOME|--wait|");
    home.done(&[
        "run",
        "-n",
        "line",
        "-w",
        "-C",
        "/",
        "--env",
        "X=a=b",
        "--env",
        "LANG",
        "echo \"$X ${LANG-none}\" && pwd",
    ]);
    assert_eq!(home.done(&["tail", "line"]), "a=b none\n/");
}

#[test]
fn a_variable_that_cannot_be_told_is_named() {
    let home = Home::new();
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe");
    let odd: &std::ffi::OsStr = odd;
    let output = home.daemon.command(&["run", "--wait", "true"]).env("ODD", odd).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("will not have ODD: not UTF-8"), "{said}");
}

#[test]
fn with_wait_it_exits_as_the_program_does() {
    let home = Home::new();
    for (cmd, code) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + 15), ("kill -KILL $$", 128 + 9)] {
        let said = home.termi(&["run", "--wait", cmd]);
        assert_eq!(said.code, code, "{cmd}: {said:?}");
    }
    assert_eq!(home.termi(&["run", "--wait", "--timeout", "50ms", "exec sleep 1000"]).code, 124);
    assert_eq!(home.termi(&["run", "--wait", "--idle", "0.05", "exec sleep 1000"]).code, 124);
}

#[test]
fn what_cannot_be_run_or_makes_no_sense_says_why_with_125() {
    let home = Home::new();
    let why = home.refused(125, &["run", "--", "/no/such/program", "x"]);
    assert!(why.starts_with("termi: ") && why.contains("/no/such/program"), "{why}");
    let why = home.refused(125, &["run", "-C", "/no/such/folder", "true"]);
    assert!(why.contains("/no/such/folder"), "{why}");
    for (args, says) in [
        (&["run", "--timeout", "soon", "true"][..], "500ms, 90s, 10m, 2h"),
        (&["run", "--memory", "much", "true"], "300K, 500M, 2G"),
        (&["run", "--wait", "--attach", "true"], "cannot be used with"),
        (&["wait", "x", "--exit", "--idle", "3"], "cannot be used with"),
        (&["attach", "x", "--detach-key", "x"], "ctrl-b"),
        (&["completions", "tcsh"], "bash, zsh, fish"),
    ] {
        let why = home.refused(125, args);
        assert!(why.contains(says), "{args:?}: {why}");
    }
}

#[test]
fn limits_hold_as_they_are_given() {
    let home = Home::new();
    home.done(&["run", "-n", "x", "--memory", "64M", "--cpu", "5", "--processes", "9", "exec sleep 1000"]);
    let sessions = home.json(&["ls", "x", "--json"]);
    let run = &sessions.as_object().unwrap().values().next().unwrap()["processes"][0];
    assert_eq!(run["limits"], serde_json::json!({"memory_bytes": 64 << 20, "cpu_seconds": 5, "processes": 9}));
}

/// The daemon was started with others by another shell.
#[test]
fn umask_and_nice_value_of_the_caller_are_the_programs() {
    let home = Home::new();
    home.done(&["run", "-w", "true"]);
    let line = "umask; nice; true";
    let said = |before: &str| {
        let output =
            home.command("sh").args(["-c", &format!("{before} \"$0\" run -w '{line}'"), TERMI]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let own = said("exec");
    let nice: i32 = own[1].parse().unwrap();
    assert_eq!(said("umask 027; exec nice -n 5"), ["0027".to_owned(), (nice + 5).to_string()]);
    assert_eq!(said("exec"), own);
}
