//! `termi history`, `stats`, `doctor`, `completions`, `man`, and the help.

use crate::{home::Home, support::skipped};

#[test]
fn what_has_ended_is_listed_and_summed_up_with_a_daemon_and_without() {
    let home = Home::new();
    for code in ["0", "3"] {
        home.termi(&["run", "-n", &format!("s{code}"), "-g", "g", "-w", &format!("exit {code}")]);
    }
    let look = || {
        let history = home.done(&["history"]);
        let rows: Vec<&str> = history.lines().collect();
        assert!(rows[0].starts_with("ENDED") && rows[0].ends_with("COMMAND"), "{history}");
        assert!(rows[1].contains(" ago ") && rows[1].contains("exited 3") && rows[1].ends_with("exit 3"), "{history}");
        assert!(rows[2].contains("exited 0"), "{history}");
        assert_eq!(home.json(&["history", "--json", "-n", "1"])["total"], 2);
        assert_eq!(home.json(&["history", "exit 3", "--json"])["records"][0]["exit"]["code"], 3);
        assert_eq!(home.json(&["stats", "--by", "group", "--json"])["rows"][0]["failures"], 1);
        let stats = home.done(&["stats"]);
        assert_eq!(stats.lines().count(), 3, "{stats}");
        let by_directory = home.done(&["stats", "--by", "cwd"]);
        assert!(by_directory.lines().next().unwrap().ends_with(" DIRECTORY"), "{by_directory}");
    };
    for command in ["history", "stats"] {
        assert_eq!(home.done(&[command, "no such run"]), "no run in the history matches");
    }
    look();
    home.daemon.connect().ask("shutdown", serde_json::json!({}));
    crate::home::eventually("the daemon is gone", || home.daemon.processes().is_empty());
    look();
    assert!(home.daemon.processes().is_empty(), "and none was started");
}

#[test]
fn doctor_looks_at_the_daemon_and_without_one_at_what_it_needs() {
    let home = Home::new();
    let alone = home.json(&["doctor", "--json"]);
    let names = |report: &serde_json::Value| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&alone), ["daemon", "state_folder", "runtime_folder", "terminals", "ptys", "processes", "agents"]);
    assert_eq!(alone["status"], "ok");
    home.done(&["run", "-n", "one", "exec sleep 1000"]);
    let with = home.json(&["doctor", "--json"]);
    assert!(["log", "history", "session"].iter().all(|name| names(&with).iter().any(|other| other == name)), "{with}");
    assert!(home.done(&["doctor"]).lines().any(|line| line == "ok     one: 1 active, 0 ended"));
    // A folder that cannot be used.
    let mut termi = home.daemon.command(&["doctor"]);
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = termi.env("XDG_STATE_HOME", &file).env("XDG_RUNTIME_DIR", home.path()).output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("error  state_folder: ") && text.contains("make it writable"), "{text}");
}

#[test]
fn completions_are_what_each_shell_takes_and_name_every_subcommand() {
    let home = Home::new();
    let help = home.done(&["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    for name in ["host", "daemon", "run", "ls", "kill", "attach", "send", "tail", "wait", "history", "stats", "doctor"]
    {
        assert!(commands.contains(&name), "{help}");
        for option in ["--help", "--version"] {
            assert!(!home.done(&[name, option]).is_empty());
        }
    }
    // What comes of the scripts in real shells is in `completion`.
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.done(&["completions", shell]).contains(&format!("__complete {shell}")));
    }
    let offered = home.done(&["__complete", "zsh", "termi", ""]);
    let offered: Vec<&str> = offered.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert!(commands.iter().all(|name| offered.contains(name)), "{offered:?}");
}

#[test]
fn the_manual_has_a_page_for_all_and_one_for_each() {
    let home = Home::new();
    assert!(home.done(&["man"]).contains(".TH termi 1"));
    let page = home.done(&["man", "attach"]);
    assert!(page.contains(".TH termi-attach 1") && page.contains("detach\\-key"), "{page}");
    home.done(&["man", "--dir", "pages"]);
    let pages = home.path().join("pages");
    let mut names: Vec<_> =
        std::fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in ["termi", "termi-run", "termi-wait", "termi-attach"] {
        assert!(names.contains(&format!("{name}.1")), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help") || name.contains("__")), "{names:?}");
    let said = home.termi(&["man", "dance"]);
    assert!(said.code == 125 && said.err.contains("there is no subcommand \"dance\""), "{said:?}");
    // As a reader sees it, and as the formatter judges it.
    let mut man = home.command("man");
    let man = man.args(["--warnings", "-E", "UTF-8", "-l", "pages/termi-wait.1"]).env("MANWIDTH", "100").output();
    let Ok(man) = man else { return skipped("man is missing: scripts/setup installs it") };
    let text = String::from_utf8(man.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(&man.stderr), "");
    for title in ["EXIT STATUS", "EXAMPLES", "NOTES", "SEE ALSO"] {
        assert!(text.lines().any(|line| line == title), "{title}: {text}");
    }
    assert!(text.contains("termi wait web --pattern 'listening on' --timeout 30"), "{text}");
}

/// Each status that a command exits with is on its page.
#[test]
fn the_manual_tells_each_exit_status() {
    let home = Home::new();
    home.done(&["run", "-n", "live", "exec sleep 1000"]);
    home.termi(&["run", "-n", "over", "--wait", "exit 3"]);
    let commands: &[(&[&str], i32, &str)] = &[
        (&["wait", "over", "--pattern", "NOPE"], 1, "1"),
        (&["wait", "live", "--timeout", "50ms"], 124, "124"),
        (&["wait", "none"], 125, "125"),
        (&["wait", "over"], 3, "other"),
        (&["run", "--wait", "kill -TERM $$"], 128 + 15, "128+N"),
        (&["run", "--wait", "--timeout", "50ms", "exec sleep 1000"], 124, "124"),
        (&["run", "--wait", "exit 7"], 7, "other"),
        (&["run", "--bogus"], 125, "125"),
        (&["kill", "none"], 125, "125"),
        (&["rm", "live"], 125, "125"),
        (&["restart", "none"], 125, "125"),
        (&["tail", "none"], 125, "125"),
        (&["man", "dance"], 125, "125"),
        (&["daemon", "--stop"], 125, "125"),
        (&["daemon"], 125, "125"),
        (&["ls"], 0, "0"),
    ];
    for (args, code, entry) in commands {
        assert_eq!(home.termi(args).code, *code, "{args:?}");
        let page = home.done(&["man", args[0]]);
        let section = page.split(".SH ").find(|section| section.starts_with("\"EXIT STATUS\"")).unwrap();
        assert!(section.contains(&format!(".TP\n\\fB{entry}\\fR\n")), "{entry} of {args:?}: {section}");
    }
}
