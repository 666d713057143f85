//! Runs that have ended, as they are remembered on disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Exit, ReplySize, RunId, SessionId, Status};

method!(
    /// Runs that have ended, of this host and others, the newest first.
    History = "history", Read Host, HistoryParams => HistoryReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

method!(
    /// What commands took and how they ended, over the whole history.
    Stats = "stats", Read Host, StatsParams => StatsReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

/// One run that has ended: a line of the history. Values of variables and input are never in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryRecord {
    /// The session it was in.
    pub session_id: SessionId,
    /// That session's name.
    pub session_name: String,
    /// Its group.
    #[serde(default)]
    pub group: Option<String>,
    /// Its label.
    #[serde(default)]
    pub label: Option<String>,
    /// The run.
    pub run_id: RunId,
    /// The command as people write it; a very long one is cut.
    pub command: String,
    /// The program's name.
    pub program: String,
    /// The directory it started in.
    pub cwd: String,
    /// When it started, in unix milliseconds.
    pub started_at: u64,
    /// When it ended, in unix milliseconds.
    pub ended_at: u64,
    /// How long it ran, by a clock that does not jump.
    pub duration_ms: u64,
    /// What became of it.
    pub status: Status,
    /// How it ended.
    pub exit: Exit,
    /// Why Termi ended it, if it did.
    #[serde(default)]
    pub reason: Option<String>,
    /// Bytes it printed.
    pub bytes: u64,
    /// The template it was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The file that keeps its whole output, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_path: Option<String>,
    /// The host that ran it.
    pub host_pid: u32,
}

impl HistoryRecord {
    /// It did not end well: by itself with another code than 0, by a signal, by a timeout or a limit. A run that
    /// somebody killed has not failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        match self.status {
            Status::Active => false,
            Status::Exited => self.exit.code != Some(0),
            Status::Killed => self.reason.is_some(),
            Status::TimedOut | Status::Failed => true,
        }
    }
}

/// Parameters of `history`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct HistoryParams {
    /// Text that the command, session's name, label, group or reason holds, in any case.
    #[serde(default)]
    pub query: Option<String>,
    /// Only of this group.
    #[serde(default)]
    pub group: Option<String>,
    /// Only runs that started in this directory.
    #[serde(default)]
    pub cwd: Option<String>,
    /// How many to return; default 100, at most 1000.
    #[serde(default)]
    pub limit: Option<usize>,
    /// How many of the newest to skip.
    #[serde(default)]
    pub offset: usize,
}

/// Answer of `history`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HistoryReply {
    /// The runs, the newest first.
    pub records: Vec<HistoryRecord>,
    /// How many there are in all that fit.
    pub total: usize,
    /// The file, for people.
    pub path: Option<String>,
}

/// What runs are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatsBy {
    /// Their whole command.
    #[default]
    Command,
    /// Their program.
    Program,
    /// Their session's name.
    Session,
    /// Their group; runs without one are left out.
    Group,
    /// Their directory.
    Cwd,
}

/// Parameters of `stats`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct StatsParams {
    /// What runs are put together by.
    #[serde(default)]
    pub by: StatsBy,
    /// As in `history`.
    #[serde(default)]
    pub query: Option<String>,
    /// As in `history`.
    #[serde(default)]
    pub group: Option<String>,
    /// As in `history`.
    #[serde(default)]
    pub cwd: Option<String>,
    /// How many rows to return; default 100, at most 1000.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Answer of `stats`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StatsReply {
    /// What runs were put together by.
    pub by: StatsBy,
    /// A row for each, those of most runs first.
    pub rows: Vec<StatsRow>,
    /// How many rows there are in all.
    pub total: usize,
}

/// What runs with something in common took, and how they ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsRow {
    /// What they have in common.
    pub key: String,
    /// How many there were.
    pub count: usize,
    /// How many failed: ended by themselves with another code than 0, by a signal, by a timeout or a limit. A run
    /// that was killed on request does not count.
    pub failures: usize,
    /// Half of them took no longer.
    pub median_ms: u64,
    /// 95 of 100 took no longer.
    pub p95_ms: u64,
    /// When the last one ended, in unix milliseconds.
    pub last_ended_at: u64,
    /// What became of the last one.
    pub last_status: Status,
    /// How the last one ended.
    pub last_exit: Exit,
}
