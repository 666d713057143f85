//! The real editors, as a person sees and uses them: Vim and Emacs with their clients, and the one scenario that
//! Neovim, Vim and Emacs all pass.
//!
//! The terminal that an editor runs in is a run of Termi's own: what it shows is read from a second emulator, and
//! keys are typed into it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/mod.rs"]
mod support;

mod documents;
mod emacs;
mod hostile;
mod pictures;
mod scenario;
mod vim;

use std::path::{Path, PathBuf};

use serde_json::json;
use support::{Home, Host, Run, TERMI};

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// An editor on a terminal.
struct Editor {
    host: Host,
    run: Run,
}

impl Editor {
    /// Starts it with its client loaded.
    fn start(command: &[String]) -> Self {
        Self::start_sized(command, (40, 120))
    }

    fn start_sized(command: &[String], size: (u16, u16)) -> Self {
        // Its own sessions are none of the host's that it runs in.
        Self::start_in(command, size, json!({"TERMI_SOCKET": null}))
    }

    /// The same on a screen of that size, with more in its environment.
    fn start_in(command: &[String], (rows, cols): (u16, u16), env: serde_json::Value) -> Self {
        let host = Home::new().host().env("TERM", "xterm-256color").start();
        let cwd = project("");
        let run = host.run(json!({"cmd": command, "cwd": cwd, "attach": "ansi",
            "size": {"rows": rows, "cols": cols}, "env": env}));
        Self { host, run }
    }

    fn vim() -> Self {
        Self::vim_sized((40, 120))
    }

    fn vim_sized(size: (u16, u16)) -> Self {
        let clients = project("clients/vim");
        let plugin = format!(
            "set nocompatible noruler noshowcmd laststatus=2 shortmess+=I rtp^={} termguicolors | let g:termi_binary = '{TERMI}'",
            clients.display()
        );
        let vim = ["vim", "-u", "NONE", "-i", "NONE", "-N", "--cmd", &plugin, "-c", "runtime plugin/termi.vim"];
        let editor = Self::start_sized(&vim.map(String::from), size);
        editor.sees("[No Name]");
        editor
    }

    fn emacs() -> Self {
        Self::emacs_sized((40, 120))
    }

    fn emacs_sized(size: (u16, u16)) -> Self {
        let clients = project("clients/emacs");
        let program = format!("(setq termi-program \"{TERMI}\")");
        let emacs = ["emacs", "-nw", "-Q", "-L", clients.to_str().unwrap(), "-l", "termi", "--eval", &program];
        let editor = Self::start_sized(&emacs.map(String::from), size);
        editor.sees("*scratch*");
        editor
    }

    fn press(&self, keys: &str) {
        self.host.input(&self.run.run_id, keys);
    }

    /// Waits until the screen is so.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let shown = std::cell::RefCell::new(Vec::new());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.host.wait_screen(&self.run.run_id, what, |screen| {
                *shown.borrow_mut() = screen.to_vec();
                is_so(screen)
            })
        }));
        outcome.unwrap_or_else(|_| panic!("in vain: {what}; the editor shows\n{}", shown.borrow().join("\n")))
    }

    #[track_caller]
    fn sees(&self, text: &str) -> Vec<String> {
        self.until(&format!("{text:?} is seen"), |screen| screen.iter().any(|row| row.contains(text)))
    }

    #[track_caller]
    fn sees_row(&self, text: &str) -> Vec<String> {
        self.until(&format!("a row {text:?} is seen"), |screen| screen.iter().any(|row| row.trim_end() == text))
    }

    /// The look of the first cell of a text on the screen.
    fn look(&self, text: &str) -> termi::protocol::Style {
        let state = self.host.state();
        for row in state.views[&self.run.run_id].terminal().rows() {
            if let Some(at) = row.text.find(text) {
                let span = row.spans.iter().find(|span| span.start <= at && at < span.end);
                return span.map(|span| span.style.clone()).unwrap_or_default();
            }
        }
        panic!("{text:?} is not on the screen");
    }

    /// Presses the keys that quit it, and waits until it is gone.
    fn quit(self, keys: &str) {
        self.press(keys);
        let exit = self.host.wait_exited(&self.run.run_id);
        assert_eq!(exit["exit"]["code"], 0, "{exit}");
    }
}
