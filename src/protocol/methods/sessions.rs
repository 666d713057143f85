//! What sessions and runs there are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{
    AgentInfo, CommandSpec, Empty, Limits, ProgressState, ReplySize, RunId, SessionId, Stream, Target,
};

method!(
    /// All sessions with their runs.
    Sessions = "sessions", Read Sessions, Empty => SessionsReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

method!(
    /// Gives a session another name.
    Rename = "rename", Write Sessions, RenameParams => RenameReply
);

method!(
    /// Dismisses ended runs and sessions. A run with processes that live on after its end is refused (`lives_on`), or
    /// with a group or `all` kept, unless `force` says to end them.
    Remove = "remove", Write Sessions, RemoveParams => RemoveReply
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
    /// The directory its runs start in.
    pub cwd: String,
    /// How many of its runs are active.
    pub active_processes: usize,
    /// When it was made, in unix milliseconds.
    pub created_at: u64,
    /// The limits of its runs that name none.
    pub limits: Limits,
    /// Bytes that its runs have printed.
    pub bytes: u64,
    /// Resident memory of its runs' process trees in bytes, while any runs.
    pub memory_bytes: Option<u64>,
    /// Processor use of its runs' process trees, in percent of one core, while any runs; that of processes that have
    /// ended meanwhile is in it.
    pub cpu_percent: Option<f64>,
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
    /// It was killed: by a call, or for passing one of its limits, which the reason then names.
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
    /// What is known of it as a coding agent; absent of what is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentInfo>,
    /// How far it is, while it reports that (OSC 9;4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<RunProgress>,
    /// Its working directory now, while it runs: the one that it reports (OSC 7), else the program's own.
    pub cwd: String,
    /// Resident memory of its process tree in bytes, while it runs.
    pub memory_bytes: Option<u64>,
    /// Processor use of its process tree since the last look, in percent of one core, while it runs.
    pub cpu_percent: Option<f64>,
    /// Processes of its tree, while it runs.
    pub process_count: Option<u64>,
    /// The limits that hold for it.
    pub limits: Limits,
    /// Its timeout.
    pub timeout_ms: Option<u64>,
    /// Its idle timeout.
    pub idle_timeout_ms: Option<u64>,
    /// Bytes that were typed into it and that it has not read.
    pub unread_input_bytes: usize,
    /// What its output is.
    pub stream: Stream,
    /// The file that keeps its whole output, if one does.
    pub output_path: Option<String>,
    /// The template it was started from.
    pub template: Option<String>,
    /// What starts its work again where it was, if its template says so.
    pub resume: Option<CommandSpec>,
    /// Processes that left its terminal and live on after its exit.
    pub left_running: usize,
    /// Whether any client has a view of it.
    pub attached: bool,
}

/// How far a program is, as it reports by itself (OSC 9;4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunProgress {
    /// How the work goes; never `none`.
    pub state: ProgressState,
    /// How much of it is done, from 0 to 100, where the state has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
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

/// Parameters of `remove`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RemoveParams {
    /// The runs.
    pub target: Target,
    /// Ends processes that live on after their run's end; without it, such runs are not dismissed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// Answer of `remove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveReply {
    /// Runs that were dismissed.
    pub removed: usize,
    /// Runs of a group, or of all, that have ended and are kept, because processes of theirs live on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: usize,
    /// Processes of ended runs that were ended with them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub processes: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
