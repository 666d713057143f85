//! The command line inside a session, through `$TERMI_SOCKET`.

use crate::{
    home::Home,
    support::{self, TERMI},
};

/// What a line of shell printed that ran in a session of its own; `$T` is the binary under test.
fn inside(home: &Home, line: &str) -> String {
    let line = format!("exec >said 2>&1; {line}");
    home.termi(&["run", "-s", "me", "--env", &format!("T={TERMI}"), "--wait", &line]);
    std::fs::read_to_string(home.path().join("said")).unwrap()
}

#[test]
fn ones_own_session_may_be_used_and_others_be_read_and_no_more_than_the_setting_says() {
    let home = Home::new();
    home.done(&["run", "-n", "other", "echo words of another; read x; echo \"typed $x\"; exec sleep 1000"]);
    home.done(&["wait", "other", "--pattern", "words"]);
    let said = inside(
        &home,
        "$T ls | grep -c ^other; $T tail other; $T wait other --pattern words; $T wait other --timeout 0.05; echo $?",
    );
    assert_eq!(said, "1\nwords of another\nwords of another\n124\n");
    for line in ["$T kill other; echo $?", "$T send --enter other x; echo $?"] {
        let said = inside(&home, line);
        assert!(said.contains("set cross_session = \"full\"") && said.ends_with("\n125\n"), "{line}: {said}");
    }
    let said = inside(
        &home,
        "$T run -s me -n x true >/dev/null; $T run -s me 'exec sleep 1000' >run; $T send $(cat run) x; $T kill $(cat run)",
    );
    assert_eq!(said.lines().last(), Some("Killed 1/1 processes"), "{said}");
    assert_eq!(home.done(&["tail", "other"]), "words of another");
    // To end all sessions, as is the advice elsewhere, would end the one that the command was typed in.
    let said = inside(&home, "$T daemon --stop; echo $?");
    assert!(
        said.contains("runs inside session \"me\"") && said.ends_with("\n125\n") && !said.contains("kill all"),
        "{said}"
    );
    let said =
        inside(&home, "printf '{\"templates\": {\"a\": {\"cmd\": \"true\"}}}' >.termi.json; $T up; rm .termi.json");
    assert!(said.contains("may not change every session (`parse_templates`)"), "{said}");
    // The setting comes with a replacement, and stays with the next.
    for replace in [&["daemon", "--replace", "--cross-session", "full"][..], &["daemon", "--replace"]] {
        home.done(replace);
        assert_eq!(inside(&home, "$T send --enter other x; echo $?"), "0\n", "{replace:?}");
    }
    let why = home.refused(125, &["daemon", "--replace", "--idle-exit", "5"]);
    assert!(why.contains("--idle-exit"), "{why}");
}

#[test]
fn it_is_the_embedded_hosts_sessions_where_the_session_is_one_of_those() {
    let home = support::Home::new();
    let host = home.host().start();
    let other = host.run(serde_json::json!({"cmd": "echo of the editor; exec sleep 1000", "name": "other"}));
    host.wait_pattern(&other, "of the editor");
    let run = host
        .run(serde_json::json!({"cmd": format!("{TERMI} tail other; {TERMI} doctor --json | grep -c '\"checks\"'")}));
    host.wait_exited(&run.run_id);
    assert_eq!(host.text(&run), ["of the editor", "1"]);
    assert!(!home.runtime().join("daemon.sock").exists());
}

#[test]
fn a_host_that_is_gone_is_named_as_such() {
    let home = Home::new();
    let mut termi = home.daemon.command(&["ls"]);
    let said = termi.env("TERMI_SOCKET", home.path().join("gone.sock")).output().unwrap();
    let why = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(125));
    assert!(why.contains("gone.sock") && why.contains("env -u TERMI_SOCKET"), "{why}");
}
