//! A home with a daemon in it, and commands of the binary under test.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use serde_json::Value as Json;

pub use crate::support::eventually;
use crate::support::{self, Daemon};

/// Where one test's commands run. Its daemon ends with it.
pub struct Home {
    pub daemon: Daemon,
    folders: Arc<support::Home>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new() -> Self {
        let folders = support::Home::new();
        Self { daemon: Daemon::of(&folders), folders }
    }

    pub fn path(&self) -> PathBuf {
        self.folders.path()
    }

    /// Where the daemon keeps what outlives it.
    pub fn state(&self) -> PathBuf {
        self.folders.state()
    }

    /// Processes that live here.
    pub fn processes(&self) -> Vec<i32> {
        self.folders.processes()
    }

    /// Another program in this home's environment, in which `$T` is the binary under test.
    pub fn command(&self, program: &str) -> Command {
        let termi = self.daemon.command(&[]);
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path());
        command.envs(termi.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("T", support::TERMI).env("PS1", "$ ");
        command
    }

    /// Runs `termi` with these arguments to its end.
    pub fn termi(&self, args: &[&str]) -> Said {
        Said::of(self.daemon.command(args).stdin(Stdio::null()).output().unwrap())
    }

    /// The same of a command that must do it; what it printed, without the last line's end.
    #[track_caller]
    pub fn done(&self, args: &[&str]) -> String {
        let said = self.termi(args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}: {said:?}");
        said.out.trim_end_matches('\n').to_owned()
    }

    /// The same with an answer in JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Json {
        serde_json::from_str(&self.done(args)).unwrap()
    }

    /// The same of a command that must not, with what it says of that.
    #[track_caller]
    pub fn refused(&self, code: i32, args: &[&str]) -> String {
        let said = self.termi(args);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{args:?}: {said:?}");
        said.err
    }

    /// Starts `termi` and lets it run.
    pub fn start(&self, args: &[&str]) -> Going {
        let mut command = self.daemon.command(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Going { child, lines }
    }
}

impl Said {
    pub fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self {
            code: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap()),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A command that runs.
pub struct Going {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Going {
    /// Its next line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// The next line of its standard error.
    pub fn error_line(&mut self) -> String {
        // Not buffered: what follows is left to be read.
        let (mut line, mut byte) = (Vec::new(), [0]);
        let stderr = self.child.stderr.as_mut().unwrap();
        while stderr.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Its exit code, and what it printed that was not yet read.
    pub fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }
}
