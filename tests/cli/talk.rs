//! `termi send`, `tail` and `wait`: what scripts do with programs.

use std::{io::Write, process::Stdio};

use crate::home::{Home, Said};

#[test]
fn what_is_sent_is_typed_and_what_comes_back_is_waited_for_and_read() {
    let home = Home::new();
    home.done(&["run", "-n", "greeter", "printf 'your name? '; read name; echo \"hello $name\"; read rest; exit 5"]);
    assert_eq!(home.done(&["wait", "greeter", "--pattern", "name\\?"]), "your name?");
    assert_eq!(home.done(&["tail", "greeter"]), "your name?", "what it asks stands in an unfinished line");
    home.done(&["send", "--enter", "greeter", "you", "and", "I"]);
    assert_eq!(home.done(&["wait", "greeter", "--pattern", "^hello"]), "hello you and I");
    assert_eq!(home.done(&["tail", "-n", "1", "greeter"]), "hello you and I");
    home.done(&["send", "--enter", "greeter", ""]);
    assert_eq!(home.termi(&["wait", "greeter"]).code, 5);
    let answer = home.termi(&["wait", "greeter", "--exit", "--json"]);
    assert_eq!(answer.code, 5);
    let answer: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(answer, serde_json::json!({"reason": "exit", "exit": {"code": 5, "signal": null}}));
    let why = home.refused(125, &["send", "greeter", "x"]);
    assert!(why.contains("greeter"), "{why}");
}

#[test]
fn several_lines_are_pasted_unless_they_are_to_be_keys() {
    let home = Home::new();
    // With bracketed paste on, the program sees where what was pasted begins and ends.
    let program = "stty raw -echo; printf '\\033[?2004hready\\n'; head -c \"$1\" | od -An -c; read x";
    for (name, count, extra, seen) in
        [("paste", "15", &[][..], "033 [ 2 0 0 ~ a \\r b 033 [ 2 0 1 ~"), ("keys", "3", &["--keys"], "a \\n b")]
    {
        home.done(&["run", "-n", name, "--", "sh", "-c", program, "sh", count]);
        home.done(&["wait", name, "--pattern", "ready"]);
        let mut send = home.daemon.command(&["send"]);
        let mut send = send.args(extra).args([name, "-"]).stdin(Stdio::piped()).spawn().unwrap();
        send.stdin.take().unwrap().write_all(b"a\nb").unwrap();
        assert!(send.wait().unwrap().success());
        home.done(&["wait", name, "--pattern", "b"]);
        let text = home.done(&["tail", name]);
        let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "ready").collect();
        assert_eq!(words.join(" "), seen, "{name}");
    }
}

#[test]
fn tail_follows_lines_whole_across_soft_wraps_until_the_end() {
    let home = Home::new();
    let long = "0123456789".repeat(30);
    let program = format!("echo begun; read x; printf '{long}'; read y; echo ' end'; seq 1 5000; printf last; read z");
    home.done(&["run", "-n", "p", &program]);
    home.done(&["wait", "p", "--pattern", "begun"]);
    let mut tail = home.start(&["tail", "-f", "p"]);
    assert_eq!(tail.line(), "begun");
    home.done(&["send", "--enter", "p", ""]);
    home.done(&["wait", "p", "--pattern", "0123456789"]);
    home.done(&["send", "p", "y"]);
    home.done(&["wait", "p", "--pattern", "9y"]);
    home.done(&["send", "p", "\r"]);
    assert_eq!(tail.line(), "", "the Return key's echo");
    assert_eq!(tail.line(), format!("{long}y"));
    assert_eq!(tail.line(), " end");
    home.done(&["wait", "p", "--pattern", "last"]);
    home.done(&["kill", "p"]);
    let (code, rest) = tail.end();
    let numbers: String = (1..=5000).map(|n| format!("{n}\n")).collect();
    assert_eq!((code, rest), (0, format!("{numbers}last\n")));
    assert_eq!(home.done(&["tail", "-n", "2", "p"]), "5000\nlast");
    let answer = home.json(&["tail", "-n", "2", "p", "--json"]);
    assert_eq!((&answer["lines"], &answer["ended"]), (&serde_json::json!(["5000", "last"]), &true.into()));
}

#[test]
fn a_cleared_screen_and_a_full_screen_program_are_followed_too() {
    let home = Home::new();
    let program = "echo one; echo two; read x; printf '\\033[H\\033[2J\\033[3J'; read x; echo new; read x; \
                   printf '\\033[?1049h\\033[Hdrawn\\n'; read x; printf '\\033[?1049l'; echo after; exit";
    home.done(&["run", "-n", "p", "--", "sh", "-c", &format!("stty -echo; {program}")]);
    home.done(&["wait", "p", "--pattern", "two"]);
    let mut tail = home.start(&["tail", "-f", "p"]);
    assert_eq!([tail.line(), tail.line()], ["one", "two"]);
    home.done(&["send", "--enter", "p", ""]);
    home.done(&["wait", "p", "--idle", "0.1"]);
    home.done(&["send", "--enter", "p", ""]);
    assert_eq!(tail.line(), "new");
    home.done(&["send", "--enter", "p", ""]);
    home.done(&["wait", "p", "--pattern", "drawn"]);
    assert_eq!(home.done(&["tail", "p", "--screen"]), "drawn");
    home.done(&["send", "--enter", "p", ""]);
    assert_eq!(tail.end(), (0, "after\n".to_owned()));
}

#[test]
fn a_reader_that_has_enough_ends_tail_without_a_complaint() {
    let home = Home::new();
    home.done(&["run", "-n", "p", "seq 1 3000; read x"]);
    home.done(&["wait", "p", "--pattern", "^3000"]);
    let mut sh = home.command("sh");
    let said = Said::of(sh.args(["-c", "$T tail -n 3000 p | head -n 1; $T ls | true"]).output().unwrap());
    assert_eq!((said.out.as_str(), said.err.as_str()), ("1\n", ""));
}

#[test]
fn wait_says_by_its_exit_code_what_came() {
    let home = Home::new();
    home.done(&["run", "-n", "p", "echo here; read x; kill -INT $$"]);
    assert_eq!(home.termi(&["wait", "p", "--timeout", "0.05"]).code, 124);
    assert_eq!(home.termi(&["wait", "p", "--pattern", "never", "--timeout", "50ms"]).code, 124);
    home.done(&["wait", "p", "--idle", "0.05"]);
    assert_eq!(home.json(&["wait", "p", "--pattern", "h(.)re", "--json"])["line"], "here");
    assert_eq!(home.termi(&["wait", "p", "--pattern", "here", "--after", "now", "--timeout", "50ms"]).code, 124);
    let why = home.refused(125, &["wait", "p", "--state", "blocked,dnoe"]);
    assert!(why.contains("state is \"dnoe\"") && why.contains("ready"), "{why}");
    assert!(home.refused(125, &["wait", "p", "--pattern", "x", "--after", "then"]).contains("neither `now` nor"));
    let (waits, ends) = (home.start(&["wait", "p"]), home.start(&["wait", "p", "--state", "done"]));
    home.done(&["send", "--enter", "p", ""]);
    assert_eq!(ends.end().0, 1);
    assert_eq!(waits.end().0, 128 + 2);
    let why = home.refused(125, &["wait", "nobody"]);
    assert!(why.contains("there is no session \"nobody\""), "{why}");
    let why = home.refused(125, &["wait", "p", "--pattern", "(open"]);
    assert!(why.contains("regular expression") && why.contains("unclosed group"), "{why}");
    let why = home.refused(125, &["wait", "p", "--idle=-1"]);
    assert!(why.contains("--idle") && why.contains("500ms"), "{why}");
    assert!(home.refused(125, &["wait", "p", "--timeout", "99999999999"]).contains("10 years"));
}

#[test]
fn a_target_that_fits_several_runs_is_refused_where_one_is_needed() {
    let home = Home::new();
    for name in ["one", "two"] {
        home.done(&["run", "-n", name, "-g", "both", "exec sleep 1000"]);
    }
    let why = home.refused(125, &["tail", "group:both"]);
    assert!(why.contains("one:") && why.contains("two:") && why.contains("name one of them"), "{why}");
    // Of a session's runs, the active one is meant.
    home.done(&["run", "-s", "one", "-w", "echo ended"]);
    home.done(&["run", "-s", "two", "echo later; exec sleep 1000"]);
    home.done(&["wait", "two", "--pattern", "later"]);
    assert_eq!(home.done(&["tail", "one"]), "");
    assert_eq!(home.done(&["tail", "two"]), "later");
}

/// An answer of more than half a million values was taken for a broken connection.
#[test]
fn all_lines_of_the_largest_transcript_can_be_printed() {
    let home = Home::new();
    home.done(&["run", "-n", "first", "sleep 1000"]);
    let client = home.daemon.connect();
    let cmd = "seq 1 1500000; echo done; sleep 1000";
    client.ask("run", serde_json::json!({"cmd": cmd, "name": "big", "transcript_bytes": 64_000_000}));
    home.done(&["wait", "big", "--pattern", "^done$"]);
    let lines = home.done(&["tail", "-n", "10000000", "big"]);
    assert!(lines.ends_with("\n1500000\ndone"));
    assert!(lines.lines().count() > 500_000, "{}", lines.lines().count());
}
