//! Starting programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Error, Format, RunId, SessionId, Size, Target, ViewId};

method!(
    /// Starts a program on a PTY of its own.
    Run = "run", Write Sessions, RunParams => RunReply {
        const REPLY_FIRST: bool = true;
    }
);

method!(
    /// Ends a run if it still runs and starts its command again, under the same run id. An ended run with processes that
    /// live on is refused (`lives_on`), unless `force` says to end them.
    Restart = "restart", Write Sessions, RestartParams => RestartReply
);

/// A command: a line for the user's shell, or an argument vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a command is a string, or an array of strings")]
pub enum CommandSpec {
    /// Given to the user's shell.
    Line(String),
    /// Executed as it is.
    Argv(Vec<String>),
}

/// Limits on a run's process tree. What a run names not is its session's, and what that names not the host's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Memory of the whole tree, in bytes: what is shared between its processes counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processor time of the whole tree, in seconds: of its processes and of those that have ended. A child that its
    /// parent does not wait for, because that ignores SIGCHLD, counts only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// Number of processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Open files of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
}

impl Limits {
    /// These, and where they say nothing, the others.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.or(others.memory_bytes),
            cpu_seconds: self.cpu_seconds.or(others.cpu_seconds),
            processes: self.processes.or(others.processes),
            open_files: self.open_files.or(others.open_files),
        }
    }
}

/// Which of a session's ended runs are kept to be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keep {
    /// How many to keep, at most: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Each for so long after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// What a run's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Text and escape sequences for a terminal.
    #[default]
    Terminal,
    /// JSON, one object a line.
    Json,
}

/// Parameters of `run`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunParams {
    /// What to run; none is an interactive shell.
    #[serde(default)]
    pub cmd: Option<CommandSpec>,
    /// The session to run it in, by id, prefix or name; a name that no session has makes a new one of that name.
    #[serde(default)]
    pub session: Option<String>,
    /// The name of a new session; default: the program's.
    #[serde(default)]
    pub name: Option<String>,
    /// A line for people, shown beside the name.
    #[serde(default)]
    pub label: Option<String>,
    /// The group of a new session.
    #[serde(default)]
    pub group: Option<String>,
    /// The working directory; `~` is the home directory. Default: the session's, else the host's.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Variables to set, or with null to unset.
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    /// The terminal's size; default 24 rows by 80 columns.
    #[serde(default)]
    pub size: Option<Size>,
    /// Ends the run this long after its start.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Ends the run after this long without output and input.
    #[serde(default)]
    pub idle_timeout_ms: Option<u64>,
    /// What the transcripts of a new session's runs may take together, in bytes: from 64 kB to 64 MB; default
    /// 500,000. Over it they are cut to their last half.
    #[serde(default)]
    pub transcript_bytes: Option<u64>,
    /// Limits on its process tree.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// A template's name.
    #[serde(default)]
    pub template: Option<String>,
    /// What its output is.
    #[serde(default)]
    pub stream: Stream,
    /// Whether the terminal shows what is typed, until the program says otherwise; default true. Text that is piped into a
    /// program is better not shown among what it prints.
    #[serde(default)]
    pub echo: Option<bool>,
    /// Opens this client's view in the same step.
    #[serde(default)]
    pub attach: Option<Format>,
    /// Keeps its whole output in a file, as the program wrote it.
    #[serde(default)]
    pub log: Option<bool>,
    /// The most that this file may hold, in bytes; default 16 MiB.
    #[serde(default)]
    pub log_bytes: Option<u64>,
    /// Which ended runs of a new session are kept; default: as the host is set.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// The directory of a new session that is given none: the client's, from its `join`.
    #[serde(skip)]
    pub origin_cwd: Option<String>,
    /// The umask of programs: the client's, from its `join`.
    #[serde(skip)]
    pub origin_umask: Option<u32>,
    /// The nice value of programs: the client's, from its `join`.
    #[serde(skip)]
    pub origin_nice: Option<i32>,
}

/// Answer of `run`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunReply {
    /// The session.
    pub session_id: SessionId,
    /// The run.
    pub run_id: RunId,
    /// The program's process id.
    pub pid: u32,
    /// The unique name of its terminal.
    pub terminal_name: String,
    /// `{program}:Session {session id, first 8}:{run id, first 8}`.
    pub process_name: String,
    /// The session's name.
    pub session_name: String,
    /// The view that was attached, if `attach` asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_id: Option<ViewId>,
}

/// Parameters of `restart`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RestartParams {
    /// The runs.
    pub target: Target,
    /// Ends processes that live on after their run's end; without it, such runs are not started again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// Answer of `restart`: each run that was started again. Of a session, or of each session of a group, these are its
/// active runs, or when none is active its newest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RestartReply {
    /// The first of them.
    #[serde(flatten)]
    pub first: RunReply,
    /// All of them.
    pub restarted: Vec<RunReply>,
    /// Those that could not be started again.
    pub failed: Vec<RestartFailure>,
}

/// A run that could not be started again, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestartFailure {
    /// The session.
    pub session_id: SessionId,
    /// The run.
    pub run_id: RunId,
    /// Why.
    pub error: Error,
}
