//! What sessions and runs there are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Empty, RunId, SessionId, Target, TargetParams};

method!(
    /// All sessions with their runs.
    Sessions = "sessions", Read, Empty => SessionsReply
);

method!(
    /// Gives a session another name.
    Rename = "rename", Write, RenameParams => RenameReply
);

method!(
    /// Dismisses ended runs and sessions.
    Remove = "remove", Write, TargetParams => RemoveReply
);

/// Answer of `sessions`: by session id.
pub type SessionsReply = BTreeMap<SessionId, SessionInfo>;

/// A session as others see it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SessionInfo {
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The folder its runs start in.
    pub cwd: String,
    /// How many of its runs are active.
    pub active_processes: usize,
    /// Its runs, oldest first.
    pub run_ids: Vec<RunId>,
    /// The same with details.
    pub processes: Vec<RunInfo>,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It runs.
    Active,
    /// It ended by itself.
    Exited,
    /// It was killed by a call.
    Killed,
    /// One of its timeouts ended it.
    TimedOut,
    /// Termi lost it: the reason says how.
    Failed,
}

/// How a program ended: with a code, or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The exit code, when it exited.
    pub code: Option<i32>,
    /// The signal's number, when one ended it.
    pub signal: Option<i32>,
}

/// A run as others see it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Its id.
    pub run_id: RunId,
    /// The program's process id.
    pub pid: u32,
    /// What became of it.
    pub status: Status,
    /// `{program}:Session {session id, first 8}:{run id, first 8}`.
    pub process_name: String,
    /// The unique name of its terminal.
    pub terminal_name: String,
    /// The command as people write it.
    pub command: String,
    /// The program's name.
    pub program: String,
    /// When it started, in unix milliseconds.
    pub started_at: u64,
    /// When it ended, in unix milliseconds.
    pub ended_at: Option<u64>,
    /// How long it has run, or ran, by a clock that does not jump.
    pub duration_ms: u64,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Why Termi ended it, if it did.
    pub reason: Option<String>,
    /// Bytes it has printed.
    pub bytes: u64,
    /// The last line with text on its screen.
    pub last_line: String,
    /// The title it set.
    pub title: String,
    /// Its working folder now, while it runs.
    pub cwd: String,
    /// Resident memory of its process tree in bytes, while it runs.
    pub memory_bytes: Option<u64>,
    /// Processor use of its process tree since the last look, in percent of one core, while it runs.
    pub cpu_percent: Option<f64>,
    /// Processes that left its terminal and live on after its exit.
    pub left_running: usize,
    /// Whether any client has a view of it.
    pub attached: bool,
}

/// Parameters of `rename`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RenameParams {
    /// The session.
    pub target: Target,
    /// Its new name.
    pub name: String,
}

/// Answer of `rename`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RenameReply {
    /// The session.
    pub session_id: SessionId,
    /// Its name now.
    pub name: String,
}

/// Answer of `remove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveReply {
    /// Runs that were dismissed.
    pub removed: usize,
}
