//! Completion in real shells on a real terminal: bash, zsh and fish load the script as the help says, and `Tab` is
//! pressed.

use nix::sys::signal::Signal;

use crate::{
    home::Home,
    support::{TERMI, proc, skipped},
    tmux::{Key, Tmux},
};

const TAB: Key = Key::Control('i');

/// Until `Tab` is pressed again: more than the completion's own bound.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// A shell without anyone's settings, and how its startup file loads the completions.
const SHELLS: [(&str, &str, &str); 3] = [
    ("bash", "exec bash --norc --noprofile -i", "bind 'set bell-style none'; eval \"$(termi completions bash)\""),
    ("zsh", "exec zsh -f -i", "autoload -Uz compinit; compinit -D; source <(termi completions zsh)"),
    ("fish", "exec fish --no-config -i", "termi completions fish | source"),
];

/// A home whose `$PATH` begins with the binary under test.
fn home() -> Home {
    let home = Home::new();
    std::fs::create_dir(home.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(TERMI, home.path().join("bin/termi")).unwrap();
    home
}

/// A shell in a pane, with the completions loaded; none where it is not installed.
fn shell<'a>(home: &'a Home, name: &str, start: &str, setup: &'static str) -> Option<Tmux<'a>> {
    if !home.command("sh").args(["-c", &format!("command -v {name} >/dev/null")]).status().unwrap().success() {
        skipped(&format!("{name} is missing: scripts/setup installs it"));
        return None;
    }
    let path = home.path().join("bin");
    // Wide: what one says of a candidate is on its line.
    let tmux = Tmux::start(home, 150, 40, &format!("PATH={}:$PATH; export PATH; {start}", path.display()));
    line(&tmux, setup);
    line(&tmux, "echo 'it is' ready");
    tmux.sees("it is ready");
    Some(tmux)
}

fn line(tmux: &Tmux, text: &'static str) {
    tmux.press(&[Key::Text(text), Key::Enter]);
}

/// Types the beginning of a line and completes it; the line is then as it should be, and is thrown away.
fn completes(tmux: &Tmux, typed: &'static str, whole: &str) {
    line(tmux, "clear; echo 'a new' line");
    tmux.sees("a new line");
    tmux.press(&[Key::Text(typed)]);
    press_tab_until(tmux, &format!("{whole} is completed"), |lines| lines.iter().any(|line| line.contains(whole)));
    tmux.press(&[Key::Control('u')]);
}

/// Presses Tab, again where nothing comes of it: a daemon that has not answered within half a second is not waited for,
/// as on a busy machine.
fn press_tab_until(tmux: &Tmux, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
    let pressed = std::cell::Cell::new(std::time::Instant::now());
    tmux.press(&[TAB]);
    tmux.eventually(what, |lines| {
        let done = is_so(lines);
        if !done && pressed.get().elapsed() > PATIENCE {
            tmux.press(&[TAB]);
            pressed.set(std::time::Instant::now());
        }
        done
    })
}

/// The same where there are several: all of them are shown.
fn offers(tmux: &Tmux, typed: &'static str, all: &[&str], none: &[&str]) {
    line(tmux, "clear; echo 'a new' line");
    tmux.sees("a new line");
    tmux.press(&[Key::Text(typed), TAB]);
    let lines = press_tab_until(tmux, &format!("{all:?} are offered"), |lines| {
        all.iter().all(|word| lines.iter().any(|line| line.split_whitespace().any(|other| other == *word)))
    });
    for word in none {
        assert!(!lines.iter().any(|line| line.contains(word)), "{word}: {lines:?}");
    }
    // What interrupts a completion that was asked for once more leaves the line.
    tmux.press(&[Key::Control('c'), Key::Control('u')]);
}

#[test]
fn sessions_runs_groups_and_templates_are_completed_in_each_shell() {
    for (name, start, setup) in SHELLS {
        let home = home();
        let run = |args: &[&str]| home.done(&[&["run"], args].concat());
        run(&["-n", "webserver", "-g", "development", "exec sleep 1000"]);
        run(&["-n", "two words", "exec sleep 1000"]);
        let first = run(&["-n", "many", "exec sleep 1000"]);
        let second = run(&["-s", "many", "exec sleep 1000"]);
        run(&["-n", "endedone", "--wait", "true"]);
        home.daemon.connect().ask("templates", serde_json::json!({"set": {"tests": {"cmd": "true"}}}));
        std::fs::write(home.path().join(".termi.json"), r#"{"templates": {"frontend": {"cmd": "true"}}}"#).unwrap();
        let Some(tmux) = shell(&home, name, start, setup) else { continue };
        completes(&tmux, "termi att", "termi attach");
        completes(&tmux, "termi attach webs", "termi attach webserver");
        completes(&tmux, "termi kill --signal TERM webs", "termi kill --signal TERM webserver");
        completes(&tmux, "termi kill webserver group:d", "termi kill webserver group:development");
        completes(&tmux, "termi run --group=d", "termi run --group=development");
        completes(&tmux, "termi run -g d", "termi run -g development");
        completes(&tmux, "termi send tw", "termi send two\\ words");
        completes(&tmux, "termi rm end", "termi rm endedone");
        completes(&tmux, "termi up fr", "termi up frontend");
        completes(&tmux, "termi run -t te", "termi run -t tests");
        completes(&tmux, "termi wait --pat", "termi wait --pattern");
        offers(
            &tmux,
            "termi tail many:",
            &[&first, &second].map(|run| match name {
                // It breaks words at colons.
                "bash" => run.strip_prefix("many:").unwrap(),
                _ => run.as_str(),
            }),
            &["webserver"],
        );
        // What has ended is not typed into, and what is active not dismissed.
        offers(&tmux, "termi send ", &["webserver"], &["endedone"]);
        offers(&tmux, "termi rm ", &["endedone", "all"], &["webserver"]);
    }
}

#[test]
fn no_daemon_is_started_and_none_that_hangs_is_waited_for() {
    let home = home();
    let complete = |words: &[&str]| home.done(&[&["__complete", "fish", "termi"], words].concat());
    assert_eq!(complete(&["kill", ""]), "");
    assert!(complete(&["ki"]).starts_with("kill\t"));
    assert!(home.daemon.processes().is_empty(), "none was started");
    home.done(&["run", "-n", "one", "exec sleep 1000"]);
    assert_eq!(complete(&["kill", "o"]), "one\tactive: exec sleep 1000");
    let pid = home.daemon.pid();
    proc::signal(pid, Signal::SIGSTOP);
    // It comes to an end, which is what is looked at: the harness would wait for the one of a daemon that never answers.
    assert_eq!(complete(&["kill", "o"]), "");
    proc::signal(pid, Signal::SIGCONT);
    // Where a socket is that nobody listens at.
    home.daemon.kill_9();
    assert_eq!(complete(&["kill", "o"]), "");
    assert!(home.daemon.processes().is_empty());
}
