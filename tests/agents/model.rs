//! The model server of a test: `model.py`, which answers each request when it is let to.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::support::LIMIT;

/// A running server. It ends with this.
pub struct Model {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    pub port: u16,
}

impl Model {
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/model.py");
        let mut command = Command::new("python3");
        let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let port = lines.recv_timeout(LIMIT).expect("the model server names its port").parse().unwrap();
        Self { child, stdin, lines, port }
    }

    /// Waits until the agent has sent it this: `prompt`, or the `output` of a command.
    #[track_caller]
    pub fn wait_asked(&self, what: &str) {
        let line = self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("the model is not sent: {what}"));
        assert_eq!(line, what, "what the model is sent");
    }

    /// The same, which may take a while: whether it came within it.
    pub fn is_asked_within(&self, limit: Duration, what: &str) -> bool {
        self.lines.recv_timeout(limit).is_ok_and(|line| line == what)
    }

    /// Lets it answer.
    pub fn answer(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
        self.stdin.flush().unwrap();
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
