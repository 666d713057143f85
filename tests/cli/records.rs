//! `termi history`, `stats`, `doctor`, `completions`, `man`, and the help.

use std::process::Stdio;

use crate::home::Home;

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
    };
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
    assert_eq!(names(&alone), ["daemon", "state_folder", "runtime_folder", "terminals", "ptys", "processes"]);
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
    for shell in ["bash", "zsh", "fish"] {
        let script = home.done(&["completions", shell]);
        for name in &commands {
            assert!(script.contains(name), "{name} in {shell}");
        }
    }
    let script = home.path().join("termi.bash");
    std::fs::write(&script, home.done(&["completions", "bash"])).unwrap();
    let mut bash = home.command("bash");
    let line = "source ./termi.bash && COMP_WORDS=(termi att) COMP_CWORD=1 && _termi termi att termi && echo \"${COMPREPLY[@]}\"";
    let said = bash.args(["--norc", "-c", line]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), "attach\n", "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn the_manual_has_a_page_for_all_and_one_for_each() {
    let home = Home::new();
    assert!(home.done(&["man"]).contains(".TH termi 1"));
    let page = home.done(&["man", "attach"]);
    assert!(page.contains(".TH termi-attach 1") && page.contains("detach\\-key"), "{page}");
    home.done(&["man", "--dir", "pages"]);
    for name in ["termi", "termi-run", "termi-wait", "termi-attach"] {
        assert!(home.path().join("pages").join(format!("{name}.1")).is_file(), "{name}");
    }
    let said = home.termi(&["man", "dance"]);
    assert!(said.code == 1 && said.err.contains("there is no subcommand \"dance\""), "{said:?}");
}
