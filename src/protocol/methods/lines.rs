//! A run's output as lines of text, from a place on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{OnClose, ReplySize, RunId};

method!(
    /// The lines that a run has printed, from a place on, and waits for the next if it is asked to. A line counts once
    /// the cursor has left it, or the run has ended; rows that were wrapped are one line. What a full-screen program
    /// draws is no line.
    Lines = "lines", Read Sessions, LinesParams => LinesReply {
        const REPLY_SIZE: ReplySize = ReplySize::Lines;
        const ON_CLOSE: OnClose = OnClose::Cancel;
    }
);

/// Parameters of `lines`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LinesParams {
    /// The run.
    pub run_id: RunId,
    /// Where to go on: the `next` of an earlier answer. Default: the oldest line that is kept.
    #[serde(default)]
    pub from: Option<u64>,
    /// How many to return, at most: the last ones.
    #[serde(default)]
    pub last: Option<usize>,
    /// The line that the cursor is in too, as far as it has come.
    #[serde(default)]
    pub partial: bool,
    /// When there is none yet, waits so long for one, or for the run's end.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

/// Answer of `lines`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinesReply {
    /// The lines.
    pub lines: Vec<String>,
    /// Where to go on.
    pub next: u64,
    /// Rows between `from` and the first line that are no longer kept.
    pub dropped: u64,
    /// The run has ended: no line will follow.
    pub ended: bool,
}
