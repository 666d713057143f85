//! A run's screen and transcript, asked for once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{CursorInfo, ReplySize, RunId, Size, SpanLine};

method!(
    /// A run's screen, and as much of its transcript as asked for.
    Snapshot = "snapshot", Read Sessions, SnapshotParams => SnapshotReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

/// How a snapshot's lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotFormat {
    /// Strings.
    #[default]
    Text,
    /// Strings with escape sequences for colors and attributes.
    Ansi,
    /// Text with style runs.
    Spans,
}

/// Parameters of `snapshot`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotParams {
    /// The run.
    pub run_id: RunId,
    /// How the lines are to look.
    #[serde(default)]
    pub format: SnapshotFormat,
    /// How many lines of the transcript come before the screen; default none.
    #[serde(default)]
    pub scrollback: usize,
}

/// One line of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SnapshotLine {
    /// Text, with or without escape sequences.
    Text(String),
    /// Text with style runs.
    Spans(SpanLine),
}

/// Answer of `snapshot`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotReply {
    /// The transcript's last lines as asked for, then each row of the screen, without trailing blanks.
    pub lines: Vec<SnapshotLine>,
    /// How many of the lines are the transcript's.
    pub scrollback_lines: usize,
    /// The cursor.
    pub cursor: CursorInfo,
    /// The terminal's size.
    pub size: Size,
    /// The title the program set.
    pub title: String,
    /// Bytes of older transcript that were dropped under the session's limit.
    pub truncated_bytes: u64,
    /// Whether the program is on the alternate screen.
    pub alternate_screen: bool,
}
