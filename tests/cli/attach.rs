//! `termi attach` in a real terminal: a shell in a pane of tmux, typed into and looked at from outside.

use nix::sys::signal::Signal;

use crate::{
    home::{Home, eventually},
    support::{TERMI, proc},
    tmux::{Key, Tmux},
};

/// A shell in a pane that has something on it and knows its terminal's settings.
fn shell(home: &Home) -> Tmux<'_> {
    let tmux = Tmux::start(home, 80, 24, "exec sh");
    tmux.sees("$");
    tmux.press(&[Key::Text("stty -g >settings; echo the 'shell'"), Key::Enter]);
    tmux.sees("the shell");
    tmux
}

fn type_line(tmux: &Tmux, line: &'static str) {
    tmux.press(&[Key::Text(line), Key::Enter]);
}

/// The terminal is the shell's again, with all that it had.
fn assert_given_back(tmux: &Tmux) {
    tmux.sees("the shell");
    tmux.eventually("modes are as before", |_| {
        tmux.told("#{alternate_on} #{mouse_any_flag} #{keypad_flag} #{keypad_cursor_flag} #{cursor_flag}")
            == "0 0 0 0 1"
    });
    type_line(tmux, "test $(stty -g) = $(cat settings) && echo settings 'as' before");
    tmux.sees("settings as before");
}

/// Everything that a program may switch on.
const MODES: &str = "\\033[?1h\\033=\\033[?1003h\\033[?1006h\\033[?2004h\\033[?25l\\033[31m";

fn attached(home: &Home) -> Vec<i32> {
    let is_client = |pid: &i32| proc::arguments(*pid).get(1).is_some_and(|word| word == "attach");
    home.processes().into_iter().filter(is_client).collect()
}

#[test]
fn it_shows_the_program_types_into_it_and_gives_the_terminal_back() {
    let home = Home::new();
    let program =
        format!("echo hello; while read x; do printf '{MODES}'; echo \"got $x\"; test \"$x\" != end || exit 4; done");
    home.done(&["run", "-n", "one", &program]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach one");
    let lines = tmux.sees("hello");
    assert!(!lines.iter().any(|line| line.contains("the shell")), "it has the whole screen: {lines:?}");
    type_line(&tmux, "a word");
    tmux.sees("got a word");
    tmux.eventually("its modes are the terminal's", |_| {
        tmux.told("#{mouse_all_flag} #{keypad_flag} #{keypad_cursor_flag} #{cursor_flag}") == "1 1 1 0"
    });
    tmux.press(&[Key::Text("half a "), Key::Control('\\')]);
    tmux.sees("[detached from one]");
    assert_given_back(&tmux);
    // It has gone on, and what was typed last has arrived.
    type_line(&tmux, "clear; echo the 'shell'; $T attach one");
    tmux.sees("half a");
    type_line(&tmux, "line");
    tmux.sees("got half a line");
    type_line(&tmux, "end");
    tmux.sees("[one exited 4]");
    type_line(&tmux, "echo code $?");
    tmux.sees("code 4");
    assert_given_back(&tmux);
    // Nothing is left to show, and its code is still told.
    type_line(&tmux, "clear; $T attach one; echo 'again' $?");
    tmux.sees("again 4");
}

#[test]
fn a_full_screen_program_leaves_what_was_below_it() {
    let home = Home::new();
    let program =
        "echo below; read x; printf '\\033[?1049h\\033[2J\\033[5;10Hdrawn'; read x; printf '\\033[?1049l'; read x";
    home.done(&["run", "-n", "one", program]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach --detach-key ctrl-b one");
    tmux.sees("below");
    tmux.press(&[Key::Enter]);
    tmux.eventually("only what it draws", |lines| lines[4] == "         drawn" && lines[0].is_empty());
    tmux.press(&[Key::Enter]);
    tmux.eventually("what was below", |lines| lines[0] == "below" && !lines[4].contains("drawn"));
    assert_eq!(tmux.told("#{alternate_on}"), "1", "and still not the shell's");
    // The usual key is the program's where another one detaches.
    tmux.press(&[Key::Control('b')]);
    tmux.sees("[detached from one]");
    assert_given_back(&tmux);
}

#[test]
fn the_program_follows_the_terminals_size() {
    let home = Home::new();
    home.done(&["run", "-n", "one", "trap 'stty size' WINCH; stty size; while :; do sleep 100 & wait; done"]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach one");
    tmux.sees("24 80");
    tmux.resize(60, 15);
    tmux.sees("15 60");
    tmux.resize(100, 30);
    tmux.sees("30 100");
    tmux.press(&[Key::Control('\\')]);
    tmux.sees("[detached from one]");
    assert_given_back(&tmux);
}

#[test]
fn who_only_looks_types_nothing_and_sees_as_much_as_fits() {
    let home = Home::new();
    home.done(&[
        "run",
        "-n",
        "one",
        "stty size; echo 'a long line that ends far to the right of here'; while read x; do echo \"got $x\"; done",
    ]);
    let tmux = shell(&home);
    tmux.resize(30, 8);
    type_line(&tmux, "$T attach --read-only one");
    let lines = tmux.sees("24 80");
    assert!(lines.iter().any(|line| line == "a long line that ends far to t"), "{lines:?}");
    type_line(&tmux, "typed");
    home.done(&["send", "--enter", "one", "sent"]);
    tmux.sees("got sent");
    tmux.press(&[Key::Control('c')]);
    tmux.sees("[detached from one]");
    assert_given_back(&tmux);
    let text = home.done(&["tail", "one"]);
    assert!(!text.contains("typed"), "{text}");
}

#[test]
fn told_to_end_it_gives_the_terminal_back_and_leaves_the_program_alone() {
    let home = Home::new();
    home.done(&["run", "-n", "one", &format!("printf '{MODES}'; echo shown; read x")]);
    let tmux = shell(&home);
    for (signal, code) in [(Signal::SIGTERM, "code 143"), (Signal::SIGHUP, "code 129"), (Signal::SIGINT, "code 130")] {
        type_line(&tmux, "clear; echo the 'shell'; $T attach one; echo code $?");
        tmux.sees("shown");
        let client = attached(&home);
        assert_eq!(client.len(), 1);
        proc::signal(client[0], signal);
        tmux.sees(code);
        assert_given_back(&tmux);
    }
    home.done(&["send", "--enter", "one", ""]);
    assert_eq!(home.termi(&["wait", "one"]).code, 0);
}

#[test]
fn a_daemon_that_is_replaced_or_killed_is_joined_again_or_missed() {
    let home = Home::new();
    home.done(&["run", "-n", "one", "echo begun; while read x; do echo \"got $x\"; done"]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach one; echo code $?");
    tmux.sees("begun");
    home.done(&["daemon", "--replace"]);
    type_line(&tmux, "a word");
    tmux.sees("got a word");
    home.daemon.kill_9();
    tmux.sees("code 125");
    tmux.sees("was lost");
    assert_given_back(&tmux);
}

#[test]
fn its_terminals_end_is_its_own() {
    let home = Home::new();
    home.done(&["run", "-n", "one", "echo shown; read x"]);
    {
        let tmux = shell(&home);
        type_line(&tmux, "$T attach one");
        tmux.sees("shown");
        assert_eq!(attached(&home).len(), 1);
    }
    eventually("the client is gone with its terminal", || attached(&home).is_empty());
    assert!(home.done(&["ls", "one"]).contains("active"));
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let home = Home::new();
    home.done(&["run", "-n", "one", "read x"]);
    let why = home.refused(125, &["attach", "one"]);
    assert!(why.contains("not a terminal") && why.contains("termi tail"), "{why}");
    // Nothing is started that could not be shown.
    let why = home.refused(125, &["run", "-n", "two", "--attach", "read x"]);
    assert!(why.contains("not a terminal"), "{why}");
    assert!(!home.done(&["ls"]).contains("two"));
}

#[test]
fn where_it_may_not_type_it_says_so_before_it_shows_anything() {
    let home = Home::new();
    home.done(&["run", "-n", "other", "echo of another; read x"]);
    home.done(&["run", "-n", "me", "--env", &format!("T={TERMI}"), "--env", "PS1=$ ", "--", "sh"]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach me");
    tmux.eventually("the session's shell", |lines| lines[0].starts_with(['$', '#']));
    type_line(&tmux, "$T attach other; echo code $?");
    let lines = tmux.sees("code 125");
    let said: String = lines.concat();
    assert!(said.contains("cross_session") && said.contains("termi attach --read-only"), "{said}");
    type_line(&tmux, "$T attach --read-only other");
    tmux.sees("of another");
    tmux.press(&[Key::Control('c')]);
    tmux.sees("[detached from other]");
    tmux.press(&[Key::Control('\\')]);
    tmux.sees("[detached from me]");
    assert_given_back(&tmux);
}

#[test]
fn a_run_can_be_shown_at_once() {
    let home = Home::new();
    let tmux = shell(&home);
    type_line(&tmux, "$T run --attach -n one 'stty size; read x; exit 9'; echo code $?");
    tmux.sees("24 80");
    tmux.press(&[Key::Enter]);
    tmux.sees("[one exited 9]");
    tmux.sees("code 9");
    assert_given_back(&tmux);
}

/// The terminal is the user's: it comes back at once, and the host is told if it answers.
#[test]
fn it_can_be_left_while_the_daemon_does_not_answer() {
    for (way, code) in [("key", "code 0"), ("signal", "code 143")] {
        let home = Home::new();
        home.done(&["run", "-n", "one", "echo ready; exec cat"]);
        let tmux = shell(&home);
        type_line(&tmux, "$T attach one; echo code $?");
        tmux.sees("ready");
        let daemon = home.daemon.pid();
        proc::signal(daemon, Signal::SIGSTOP);
        // More than waits to be sent.
        match way {
            "key" => {
                (0..100).for_each(|_| tmux.press(&[Key::Text("x")]));
                tmux.press(&[Key::Control('\\')]);
            }
            _ => proc::signal(attached(&home)[0], Signal::SIGTERM),
        }
        tmux.sees("the host does not answer; the last keys may not have arrived");
        tmux.sees(code);
        assert_given_back(&tmux);
        proc::signal(daemon, Signal::SIGCONT);
    }
}

#[test]
fn without_a_target_it_shows_the_run_that_was_started_last_and_never_the_one_it_is_in() {
    let home = Home::new();
    home.done(&["run", "-n", "old", "echo the old one; read x"]);
    home.done(&["run", "-n", "new", "echo the new one; read x"]);
    home.done(&["wait", "new", "--pattern", "new one"]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach");
    tmux.sees("the new one");
    tmux.press(&[Key::Control('\\')]);
    tmux.sees("[detached from new]");
    home.done(&[
        "run",
        "-n",
        "self",
        "--env",
        &format!("T={TERMI}"),
        "$T attach self; $T attach; echo code $?; read x",
    ]);
    assert_eq!(home.done(&["wait", "self", "--pattern", "^code"]), "code 125");
    assert!(home.done(&["tail", "self"]).contains("self is the run that this terminal is in"));
}

/// Of 789 lines that were typed while the daemon was replaced 15 times, 35 had not arrived.
#[test]
fn what_is_typed_while_the_daemon_is_replaced_arrives_in_order() {
    let home = Home::new();
    home.done(&["run", "-n", "taker", "stty -echo; echo begun; cat >taken"]);
    let tmux = shell(&home);
    type_line(&tmux, "$T attach taker");
    tmux.sees("begun");
    let (replaced, mut typed) = (std::sync::atomic::AtomicBool::new(false), String::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..6 {
                home.done(&["daemon", "--replace"]);
            }
            replaced.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        for number in 0.. {
            let line = format!("line {number}");
            tmux.press(&[Key::Text(line.clone().leak()), Key::Enter]);
            typed += &(line + "\n");
            if replaced.load(std::sync::atomic::Ordering::SeqCst) {
                break;
            }
        }
    });
    let taken = || std::fs::read_to_string(home.path().join("taken")).unwrap_or_default();
    eventually("the last line has arrived", || taken().lines().last() == typed.lines().last());
    assert_eq!(taken(), typed);
}
