//! Three sessions: one floods, one is typed into, one is killed. The same in each editor.

use crate::{Editor, project, support::TERMI};

/// How a person does it in one editor.
struct Hands {
    editor: Editor,
    /// The keys that carry out a command line of the client.
    run: fn(name: &str, command: &str) -> String,
    /// Types a line into the session that was started last, and leaves it.
    type_line: fn(line: &str) -> String,
    kill: fn(name: &str) -> String,
    list: &'static str,
    quit: &'static str,
}

fn play(hands: Hands) {
    let Hands { editor, run, type_line, kill, list, quit } = hands;
    editor.press(&run("flood", "while :; do seq 1000; done"));
    editor.until("the flood", |screen| screen.iter().filter(|row| row.trim().parse::<u32>().is_ok()).count() > 5);
    editor.press(&run("doomed", "echo I am doomed; exec sleep 1000"));
    editor.sees_row("I am doomed");
    editor.press(&run("typed", "while read line; do echo \"got $line\"; done"));
    for n in 0..5 {
        editor.press(&type_line(&format!("line {n}")));
        editor.sees_row(&format!("got line {n}"));
    }
    editor.press(&kill("doomed"));
    editor.sees("Killed 1/1 processes");
    editor.press(list);
    editor.until("the list tells of all three", |screen| {
        let told = |name: &str, status: &[&str]| {
            screen.iter().any(|row| row.contains(name) && status.iter().any(|status| row.contains(status)))
        };
        let lives = ["active", "running"];
        told("flood", &lives) && told("typed", &lives) && told("doomed", &["killed"])
    });
    // The editor goes while the flood pours: its host goes with it, and all that it started.
    editor.quit(quit);
}

#[test]
fn in_vim() {
    play(Hands {
        editor: Editor::vim(),
        run: |name, command| format!("\x1b:TermiRun! ++name={name} {command}\r"),
        // The last line is one to type in.
        type_line: |line| format!("\x1bGi{line}\r"),
        kill: |name| format!("\x1b:TermiKill {name}\r"),
        list: "\x1b:TermiSessions\r",
        quit: "\x1b:qall!\r",
    });
}

#[test]
fn in_emacs() {
    play(Hands {
        editor: Editor::emacs(),
        run: |name, command| format!("\x1bxtermi-run\r++name={name} {command}\r"),
        type_line: |line| format!("\x1b>{line}\r"),
        kill: |name| format!("\x1bxtermi-kill\r{name}\r"),
        list: "\x1bxtermi-sessions\r",
        quit: "\x18\x03",
    });
}

#[test]
fn in_neovim() {
    let nvim = std::env::var("TERMI_TEST_NVIM_0_12")
        .unwrap_or_else(|_| project("target/neovim/0.12/bin/nvim").to_str().unwrap().to_owned());
    let plugin = format!("set noruler noshowcmd shortmess+=I rtp^={}", project("").display());
    let setup = format!("lua require('termi').setup({{ binary = [[{TERMI}]] }})");
    let command = [&nvim, "--clean", "-n", "--cmd", &plugin, "-c", &setup].map(|part| part.to_owned());
    let editor = Editor::start(&command);
    editor.sees("[No Name]");
    play(Hands {
        editor,
        run: |name, command| format!("\x1c\x0e:TermiRun! ++name={name} {command}\r"),
        type_line: |line| format!("\x1c\x0e:Termi send typed {line}\r"),
        kill: |name| format!("\x1c\x0e:TermiKill {name}\r"),
        list: "\x1c\x0e:TermiSessions\r",
        quit: "\x1c\x0e:qall!\r",
    });
}
