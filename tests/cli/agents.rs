//! `termi agents`.

use serde_json::json;

use crate::{
    home::{Home, eventually},
    tmux::{Key, Tmux},
};

fn report(content: &str) -> String {
    format!(r"printf '\033]7501;{content}\033\\'")
}

#[test]
fn agents_are_listed_explained_and_watched() {
    let home = Home::new();
    assert_eq!(home.done(&["agents"]), "no coding agents are running");
    assert_eq!(home.json(&["agents", "--json"]), json!([]));
    home.done(&["run", "-n", "plain", "exec sleep 1000"]);
    assert_eq!(home.done(&["agents"]), "no coding agents are running");
    let mut watch = home.start(&["agents", "--watch"]);
    home.done(&["run", "-n", "busy", &format!("{}; read x", report("state=working:app=codex:progress=40"))]);
    assert!(watch.line().ends_with("  codex  working 40%"));
    let blocked = report("state=blocked:app=claude-code:kind=permission:msg=YXBwcm92ZSBscw==");
    home.done(&["run", "-n", "asks", &format!("{blocked}; read x; {}", report("state=done:app=claude-code"))]);
    let line = watch.line();
    assert!(line.starts_with("asks:") && line.ends_with("  claude  blocked (permission)  approve ls"), "{line}");
    let table = home.done(&["agents"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["SESSION", "RUN", "AGENT", "STATE", "FOR", "MESSAGE"]);
    assert_eq!((rows[1][0], &rows[1][2..5]), ("asks", &["claude", "blocked", "(permission)"][..]), "{table}");
    assert!(table.lines().nth(1).unwrap().ends_with("approve ls"));
    assert_eq!((rows[2][0], &rows[2][2..5]), ("busy", &["codex", "working", "40%"][..]), "{table}");
    let agents = home.json(&["agents", "--json"]);
    assert_eq!((&agents[0]["session_name"], &agents[0]["agent"]["message"]), (&json!("asks"), &json!("approve ls")));
    let explained = home.done(&["agents", "--explain", "asks"]);
    assert!(explained.lines().next().unwrap().ends_with("is claude: blocked (permission)"), "{explained}");
    let row: Vec<&str> = explained.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(
        (&row[..3], &row[4..]),
        (&["*", "osc", "blocked"][..], &["OSC", "7501", "approve", "ls"][..]),
        "{explained}"
    );
    let plain = home.done(&["agents", "--explain", "plain"]);
    assert!(plain.contains("is no coding agent") && plain.contains("no source says anything"), "{plain}");
    home.done(&["send", "--enter", "asks", "yes"]);
    assert!(watch.line().ends_with("  claude  done"));
    home.done(&["kill", "busy"]);
    assert!(watch.line().ends_with("  working -> no agent"));
    home.daemon.connect().ask("shutdown", json!({}));
    assert_eq!(watch.end(), (125, String::new()));
}

/// A program that reports this state, and goes on.
fn reporting(content: &str) -> String {
    format!("{}; read x", report(content))
}

const ASKS: &str = "state=blocked:app=claude-code:kind=permission:msg=YXBwcm92ZSBscw==";

#[test]
fn ls_has_a_column_of_states_where_there_is_an_agent() {
    let home = Home::new();
    let head = |table: &str| table.lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    home.done(&["run", "-n", "plain", "exec sleep 1000"]);
    let before = home.done(&["ls"]);
    assert_eq!(head(&before), ["SESSION", "RUN", "GROUP", "STATUS", "PID", "AGE", "COMMAND"]);
    let mut watch = home.start(&["agents", "--watch"]);
    home.done(&["run", "-n", "asks", "-g", "dev", &reporting(ASKS)]);
    assert!(watch.line().ends_with("blocked (permission)  approve ls"));
    let table = home.done(&["ls"]);
    // Where scripts look for the others, they still are.
    assert_eq!(head(&table), ["SESSION", "RUN", "GROUP", "STATUS", "PID", "AGE", "STATE", "COMMAND"]);
    let state = table.find("STATE").unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[1][state..].trim_start().starts_with("exec sleep"), "{table}");
    assert!(rows[2][state..].starts_with("blocked (permission)  "), "{table}");
    assert_eq!(home.json(&["ls", "asks", "--json"]).as_object().unwrap().len(), 1);
    // One that has ended waits for nobody.
    home.done(&["kill", "asks"]);
    assert_eq!(head(&home.done(&["ls"])), ["SESSION", "RUN", "GROUP", "STATUS", "PID", "AGE", "COMMAND"]);
}

#[test]
fn a_long_name_is_cut_on_a_narrow_terminal_and_never_in_a_pipe() {
    let home = Home::new();
    let name = "a-name-of-sixty-columns-which-is-as-long-as-most-screens-are";
    let mut watch = home.start(&["agents", "--watch"]);
    home.done(&["run", "-n", name, "-g", "development", &reporting(ASKS)]);
    watch.line();
    for command in ["ls", "agents"] {
        let table = home.done(&[command]);
        assert!(table.contains(name) && table.contains("blocked (permission)"), "{table}");
    }
    let tmux = Tmux::start(&home, 60, 24, "exec sh");
    for command in ["clear; $T ls", "clear; $T agents"] {
        tmux.press(&[Key::Text(command), Key::Enter]);
        tmux.eventually("what it is doing is in sight", |lines| {
            lines.iter().any(|line| line.starts_with("a-name-of-s…  ") && line.contains("  blocked (permission)"))
        });
        tmux.press(&[Key::Text("clear; echo between"), Key::Enter]);
        tmux.eventually("the next one is seen", |lines| lines.first().is_some_and(|line| line == "between"));
    }
}

#[test]
fn marks_that_turn_or_break_a_line_are_not_printed() {
    let home = Home::new();
    let mut watch = home.start(&["agents", "--watch"]);
    // approve, U+200F, U+2028, U+061C and U+FEFF, rm
    let message = "YXBwcm92ZeKAj+KAqNic77u/cm0=";
    home.done(&[
        "run",
        "-n",
        "asks",
        &reporting(&format!("state=blocked:app=claude-code:kind=permission:msg={message}")),
    ]);
    home.done(&["run", "-n", "titled", r"printf 'said\342\200\217\342\200\250rm\n'; exec sleep 1000"]);
    let shown = [watch.line(), home.done(&["agents"]), home.done(&["ls"]), home.done(&["agents", "--explain", "asks"])];
    for text in shown {
        assert!(text.contains("asks"), "{text}");
        for mark in ['\u{200f}', '\u{2028}', '\u{202e}', '\u{61c}', '\u{feff}'] {
            assert!(!text.contains(mark), "{text:?}");
        }
    }
    let json = home.done(&["ls", "--json"]);
    assert!(json.contains("\\u200f") && !json.contains('\u{200f}'), "{json}");
}

#[test]
fn a_watch_waits_for_a_daemon_and_what_it_has_is_news() {
    let home = Home::new();
    let mut watch = home.start(&["agents", "--watch"]);
    assert_eq!(watch.error_line(), "termi: no daemon is running; waiting until one starts, as by `termi run`");
    home.done(&["run", "-n", "busy", &reporting("state=working:app=codex")]);
    let line = watch.line();
    assert!(line.starts_with("busy:") && line.ends_with("  codex  working"), "{line}");
    assert!(home.refused(125, &["agents", "--explain", "busy2"]).contains("busy2"));
}

#[test]
fn ls_says_how_far_a_program_is() {
    let home = Home::new();
    home.done(&["run", "-n", "get", r"printf '\033]9;4;1;40\007'; read x; printf '\033]9;4;0\007'; read x"]);
    eventually("how far it is", || home.done(&["ls"]).lines().nth(1).is_some_and(|line| line.contains("  40%  ")));
    let sessions = home.json(&["ls", "--json"]);
    let run = &sessions.as_object().unwrap().values().next().unwrap()["processes"][0];
    assert_eq!(run["progress"], json!({"state": "normal", "percent": 40}));
    assert_eq!(home.done(&["agents"]), "no coding agents are running");
    home.done(&["send", "--enter", "get", ""]);
    eventually("it is done", || !home.done(&["ls"]).contains("STATE"));
}
