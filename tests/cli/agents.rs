//! `termi agents`.

use serde_json::json;

use crate::home::Home;

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
