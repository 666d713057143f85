//! The whole in a real terminal: Neovim with the plugin in a pane of tmux, typed into and looked at from outside.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and explain itself")]
#![allow(dead_code, reason = "what supports the tests is shared with other test binaries")]

#[path = "../neovim/home.rs"]
mod home;
#[path = "../support/tmux.rs"]
mod tmux;

use std::{path::PathBuf, time::Duration};

use home::Home;
use tmux::{Key, Tmux};

fn neovim(number: &str) -> PathBuf {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os(format!("TERMI_TEST_NVIM_{}", number.replace('.', "_")))
        .map_or_else(|| repository.join("target/neovim").join(number).join("bin/nvim"), PathBuf::from)
}

fn in_a_pane(number: &str, body: impl FnOnce(&Home, &Tmux)) {
    let home = Home::new();
    let init = home.write(
        "init.lua",
        format!(
            "vim.opt.rtp:prepend([[{}]])
             vim.o.termguicolors = true
             vim.o.swapfile = false
             require('termi').setup({{ binary = [[{}]] }})",
            env!("CARGO_MANIFEST_DIR"),
            env!("CARGO_BIN_EXE_termi"),
        ),
    );
    let command = format!("{} -i NONE -u {}", neovim(number).display(), init.display());
    {
        let tmux = Tmux::start(&home, 110, 36, &command);
        tmux.sees("[No Name]");
        body(&home, &tmux);
        tmux.press(&[Key::Control('\\'), Key::Control('n'), Key::Text(":qall!"), Key::Enter]);
        // With its only pane the server ends.
        home.assert_deserted_within(Duration::from_secs(3));
    }
}

fn command(tmux: &Tmux, text: &'static str) {
    tmux.press(&[Key::Control('\\'), Key::Control('n'), Key::Text(":"), Key::Text(text), Key::Enter]);
}

/// The row on which a text stands.
fn row_of(lines: &[String], text: &str) -> usize {
    lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text:?} in\n{}", lines.join("\n")))
}

fn a_session_from_its_start_to_its_end(number: &str) {
    in_a_pane(number, |home, tmux| {
        command(tmux, "TermiRun");
        tmux.sees("-- TERMINAL --");
        tmux.sees("$");
        tmux.press(&[Key::Text("echo $((6 * 7)) bottles"), Key::Enter]);
        tmux.sees("42 bottles");
        tmux.press(&[Key::Text("stty size; seq 1 100"), Key::Enter]);
        let lines = tmux.eventually("the end of the numbers", |lines| lines.iter().any(|line| line == "100"));
        assert!(!lines.iter().any(|line| line == "42 bottles"), "it has scrolled away");

        tmux.press(&[Key::Control('\\'), Key::Control('n'), Key::Text("gg")]);
        tmux.sees("42 bottles");
        tmux.sees("15 110");
        tmux.press(&[Key::Text("i")]);
        tmux.sees("-- TERMINAL --");

        command(tmux, "TermiSessions");
        let lines = tmux.eventually("the list", |lines| lines.iter().any(|line| line.contains("running")));
        let header = row_of(&lines, "Status");
        assert!(lines[header + 1].contains("running") && lines[header + 1].contains("bash"), "{}", lines.join("\n"));
        tmux.press(&[Key::Text("K")]);
        tmux.eventually("the list says so", |lines| lines.iter().any(|line| line.contains("killed")));
        tmux.sees("Killed 1/1 processes");
        home::eventually("the shell is gone", || !home.runs("/bin/bash"));
    });
}

fn colours_reach_the_real_terminal(number: &str) {
    in_a_pane(number, |_, tmux| {
        command(tmux, r"TermiRun printf '\033[1;38;2;1;2;3mtrue\033[m \033[3;48;5;196mback\033[m\n'; sleep 100");
        tmux.sees("true back");
        let colored = tmux.colored();
        let line = colored.lines().find(|line| line.contains("true") && line.contains("back")).unwrap();
        assert!(line.contains("38;2;1;2;3"), "{line:?}");
        assert!(line.contains("48;2;255;0;0") || line.contains("48;5;196"), "{line:?}");
        assert!(line.contains("\u{1b}[1m") || line.contains("[1;"), "bold: {line:?}");
    });
}

fn the_program_follows_the_terminals_size(number: &str) {
    in_a_pane(number, |_, tmux| {
        command(tmux, "TermiRun ++open=tab trap 'stty size' WINCH; stty size; while :; do sleep 100 & wait; done");
        tmux.sees("33 110");
        tmux.resize(90, 30);
        tmux.sees("27 90");
        tmux.resize(120, 40);
        tmux.sees("37 120");
    });
}

macro_rules! in_each_neovim {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[test]
            fn neovim_0_10() {
                super::$name("0.10");
            }

            #[test]
            fn neovim_0_12() {
                super::$name("0.12");
            }
        }
    )+ };
}

in_each_neovim!(
    a_session_from_its_start_to_its_end,
    colours_reach_the_real_terminal,
    the_program_follows_the_terminals_size
);
