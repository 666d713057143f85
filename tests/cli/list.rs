//! `termi ls` and `termi kill`.

use crate::{
    home::Home,
    support::{eventually, proc, unique_seconds},
};

#[test]
fn without_a_daemon_there_are_no_sessions_and_nobody_starts_one() {
    let home = Home::new();
    assert_eq!(home.done(&["ls", "--json"]), "{}");
    assert!(home.done(&["ls"]).contains("`termi run COMMAND` starts one"));
    for args in [&["kill", "x"][..], &["send", "x", "y"], &["tail", "x"], &["wait", "x"], &["attach", "x"]] {
        let why = home.refused(125, args);
        assert!(why.contains("no daemon is running") && why.contains("`termi run` starts one"), "{args:?}: {why}");
    }
    assert!(home.daemon.processes().is_empty());
}

#[test]
fn ls_is_a_table_with_a_row_for_each_run() {
    let home = Home::new();
    home.done(&["run", "-n", "web", "-g", "dev", "exec sleep 1000"]);
    home.termi(&["run", "-n", "tests", "-w", "exit 3"]);
    home.termi(&["run", "-n", "hog", "-w", "kill -USR1 $$"]);
    let table = home.done(&["ls"]);
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["SESSION", "RUN", "GROUP", "STATUS", "PID", "AGE", "COMMAND"]);
    assert_eq!((words[1][0], &words[1][2..4]), ("web", &["dev", "active"][..]));
    assert_eq!((words[2][0], &words[2][2..4]), ("tests", &["exited", "3"][..]));
    assert_eq!((words[3][0], &words[3][2..5]), ("hog", &["ended", "by", "SIGUSR1"][..]));
    assert!(table.lines().nth(1).unwrap().ends_with("exec sleep 1000"));
    assert_eq!(home.done(&["ls", "group:dev"]).lines().count(), 2);
    assert_eq!(home.json(&["ls", "tests", "--json"]).as_object().unwrap().len(), 1);
    let why = home.refused(125, &["ls", "nobody"]);
    assert!(why.contains("there is no session \"nobody\"; `termi ls` lists them"), "{why}");
}

/// A session's runs were scattered among others' once they had been started again.
#[test]
fn the_runs_of_a_session_stand_together_in_the_order_in_which_they_started() {
    let home = Home::new();
    for (session, label) in [("web", "1"), ("api", "2"), ("web", "3")] {
        home.done(&["run", "-s", session, &format!("exec sleep 100{label}")]);
    }
    let listed = || -> Vec<String> {
        let rows = home.done(&["ls"]);
        rows.lines().skip(1).map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(), ["web", "web", "api"]);
    let newest = home.json(&["ls", "web", "--json"]);
    let session = newest.as_object().unwrap().values().next().unwrap();
    let first =
        session["processes"].as_array().unwrap().iter().find(|run| run["command"].as_str().unwrap().ends_with('1'));
    home.done(&["restart", &format!("web:{}", first.unwrap()["run_id"].as_str().unwrap())]);
    assert_eq!(listed(), ["web", "web", "api"], "what is started again stays in its place");
    assert!(home.done(&["ls", "web"]).lines().nth(1).unwrap().ends_with("exec sleep 1001"));
}

#[test]
fn kill_says_how_many_and_takes_every_kind_of_target() {
    let home = Home::new();
    let start =
        |name: &str| home.done(&["run", "-n", name, "-g", "dev", "trap '' HUP TERM; while :; do sleep 1000; done"]);
    start("one");
    let two = start("two");
    start("three");
    start("four");
    assert_eq!(home.done(&["kill", "--signal", "KILL", "one"]), "Killed 1/1 processes");
    assert_eq!(home.json(&["kill", "--grace", "0.05", &two, "--json"])["killed"], 1);
    assert_eq!(home.done(&["kill", "--grace", "0", "three"]), "Killed 1/1 processes");
    assert_eq!(home.done(&["kill", "-s", "9", "group:dev"]), "Killed 1/1 processes");
    assert_eq!(home.done(&["kill", "all"]), "Killed 0/0 processes");
    let why = home.refused(125, &["kill", "nobody"]);
    assert!(why.contains("there is no session \"nobody\""), "{why}");
    let why = home.refused(125, &["kill", "--signal", "SIGNONE", "one"]);
    assert!(why.contains("SIGNONE") && why.contains("TERM, SIGINT"), "{why}");
}

/// doc/faults.md row 32.
#[test]
fn what_lives_on_after_its_runs_end_is_listed_and_ended_only_when_that_is_said() {
    let home = Home::new();
    let seconds = unique_seconds();
    let line = format!(
        "setsid sleep {seconds} </dev/null >/dev/null 2>&1 & until pgrep -fx 'sleep {seconds}' >/dev/null; do :; done; \
         exit 3"
    );
    assert_eq!(home.termi(&["run", "-n", "agent", "-w", &line]).code, 3);
    eventually("the list says so", || home.done(&["ls"]).contains("exited 3, 1 lives on"));
    let why = home.refused(125, &["rm", "agent"]);
    assert!(why.contains("live on") && why.contains("termi rm --force agent"), "{why}");
    let why = home.refused(125, &["restart", "agent"]);
    assert!(why.contains("live on") && why.contains("termi restart --force agent"), "{why}");
    home.done(&["run", "-n", "other", "exec sleep 1000"]);
    let said = home.termi(&["restart", "all"]);
    assert!(said.err.contains("live on; repeat the command with --force"), "{said:?}");
    home.done(&["kill", "other"]);
    home.done(&["rm", "other"]);
    let why = home.refused(125, &["daemon", "--stop"]);
    assert!(why.contains("1 process that ended runs have started lives on") && why.contains("kill all"), "{why}");
    assert_eq!(proc::with_argument(&seconds).len(), 1);
    let said = home.termi(&["rm", "all"]);
    assert!(said.out.contains("Removed 0 runs") && said.err.contains("kept 1"), "{said:?}");
    home.done(&["restart", "--force", "agent"]);
    eventually("the next program's is there alone", || home.done(&["ls"]).contains("exited 3, 1 lives on"));
    assert_eq!(proc::with_argument(&seconds).len(), 1);
    assert_eq!(home.done(&["rm", "--force", "agent"]), "Removed 1 run and ended 1 process that lived on");
    assert!(proc::with_argument(&seconds).is_empty());
    assert_eq!(home.termi(&["run", "-n", "server", "-w", &line]).code, 3);
    eventually("it is known", || home.done(&["ls"]).contains("lives on"));
    assert_eq!(home.done(&["kill", "server"]), "Killed 0/0 processes; ended 1 that lived on");
    assert!(proc::with_argument(&seconds).is_empty());
    home.done(&["daemon", "--stop"]);
}
