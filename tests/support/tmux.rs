//! A real terminal to look into: tmux on a socket of its own, without anyone's configuration.

use std::process::Command;

use crate::home::{Home, eventually};

/// One tmux server with one window of one pane.
pub struct Tmux<'a> {
    home: &'a Home,
    columns: u16,
    rows: u16,
}

/// A key that is typed: the same for tmux and, in its own notation, for Neovim.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Text(&'static str),
    Enter,
    Escape,
    /// With the control key held.
    Control(char),
    Up,
    Down,
}

impl Key {
    /// As Neovim's mappings write it.
    pub fn for_neovim(self) -> String {
        match self {
            Self::Text(text) => text.replace('<', "<lt>"),
            Self::Enter => "<CR>".to_owned(),
            Self::Escape => "<Esc>".to_owned(),
            Self::Control(letter) => format!("<C-{letter}>"),
            Self::Up => "<Up>".to_owned(),
            Self::Down => "<Down>".to_owned(),
        }
    }
}

impl<'a> Tmux<'a> {
    /// Starts a command in a pane of that size.
    pub fn start(home: &'a Home, columns: u16, rows: u16, command: &str) -> Self {
        let tmux = Self { home, columns, rows };
        let (x, y) = (columns.to_string(), rows.to_string());
        let settings = ["set", "-g", "status", "off", ";", "set", "-g", "default-terminal", "tmux-256color", ";"];
        let colors = ["set", "-s", "escape-time", "0", ";", "set", "-sa", "terminal-features", "*:RGB", ";"];
        let session = ["new-session", "-d", "-x", &x, "-y", &y, command];
        let all: Vec<&str> =
            ["start-server", ";"].iter().chain(&settings).chain(&colors).chain(&session).copied().collect();
        tmux.command(&all);
        tmux
    }

    pub fn press(&self, keys: &[Key]) {
        for key in keys {
            match key {
                Key::Text(text) => self.command(&["send-keys", "-l", text]),
                Key::Enter => self.command(&["send-keys", "Enter"]),
                Key::Escape => self.command(&["send-keys", "Escape"]),
                Key::Control(letter) => self.command(&["send-keys", &format!("C-{letter}")]),
                Key::Up => self.command(&["send-keys", "Up"]),
                Key::Down => self.command(&["send-keys", "Down"]),
            };
        }
    }

    /// Gives the window another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.command(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// The pane's rows, without the spaces at their ends.
    pub fn lines(&self) -> Vec<String> {
        self.command(&["capture-pane", "-p"]).lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The pane's text with the escape sequences of its colours.
    pub fn colored(&self) -> String {
        self.command(&["capture-pane", "-p", "-e"])
    }

    /// What tmux says of the pane, in its own format language.
    pub fn told(&self, format: &str) -> String {
        self.command(&["display-message", "-p", format]).trim().to_owned()
    }

    /// Row and column.
    pub fn cursor(&self) -> (usize, usize) {
        let said = self.told("#{cursor_y} #{cursor_x}");
        let (row, column) = said.trim().split_once(' ').unwrap();
        (row.parse().unwrap(), column.parse().unwrap())
    }

    /// Waits until the pane is so, and gives its rows.
    pub fn eventually(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, || {
                lines = self.lines();
                is_so(&lines)
            });
        }));
        assert!(
            shown.is_ok(),
            "in vain: {what}; a pane of {}x{} showed\n{}",
            self.columns,
            self.rows,
            lines.join("\n")
        );
        lines
    }

    /// Waits until the pane shows a text.
    pub fn sees(&self, text: &str) -> Vec<String> {
        self.eventually(&format!("{text:?} is seen"), |lines| lines.iter().any(|line| line.contains(text)))
    }

    fn command(&self, arguments: &[&str]) -> String {
        let socket = self.home.path().join("tmux.socket");
        let mut tmux: Command = self.home.command("tmux");
        let output = tmux.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let socket = self.home.path().join("tmux.socket");
        let _ = self.home.command("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}
