//! The saved state of a terminal, with which another process restores it.
//!
//! Not kept: a notification of which only some parts have come (OSC 99).

use serde::{Deserialize, Serialize};

use super::{ProgramStatus, Prompt, parse::StringFilter};
use crate::protocol::{Size, SpanLine, Style};

/// A whole terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTerminal {
    pub(super) screen: SavedScreen,
    /// A string that has not come whole.
    #[serde(rename = "guard")]
    pub(super) string_filter: StringFilter,
    /// The beginning of anything else that has not.
    pub(super) unfinished: Vec<u8>,
    /// The character that was printed last: a sequence may ask for it again (REP).
    #[serde(default)]
    pub(super) last_printed: Option<char>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedScreen {
    pub size: Size,
    pub title: String,
    /// Titles that were put by, the oldest first.
    pub titles: Vec<String>,
    pub prompts: Vec<Prompt>,
    #[serde(default)]
    pub program_status: ProgramStatus,
    /// Within a synchronized update.
    pub updating: bool,
    pub transcript: SavedTranscript,
    pub primary: SavedGrid,
    /// There while it is shown.
    pub alternate: Option<SavedGrid>,
    /// The cursor that was saved on the alternate screen (DECSC), while the primary one is shown: it is there again
    /// when a program comes back.
    #[serde(default)]
    pub alternate_cursor: Option<SavedCursor>,
    /// The modes that are on, as DECSET counts them.
    pub private_modes: Vec<u16>,
    pub insert: bool,
    pub linefeed_newline: bool,
    pub app_keypad: bool,
    /// DECSCUSR's number, where the program set a shape.
    pub cursor_style: Option<u8>,
    pub region: (i32, i32),
    pub tabs: Vec<usize>,
    pub charset: u8,
    /// Colours the program gave another value.
    pub palette: Vec<(usize, [u8; 3])>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedGrid {
    pub rows: Vec<SavedRow>,
    /// Cells that the rows do not tell of exactly, as halves of wide characters and tabs: row, column, character and
    /// the emulator's flags.
    pub oddities: Vec<(i32, usize, char, u16)>,
    /// Marks over such cells: row, column, marks.
    #[serde(default)]
    pub marks: Vec<(i32, usize, String)>,
    pub cursor: SavedCursor,
    pub saved_cursor: SavedCursor,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedRow {
    pub line: SpanLine,
    pub wrapped: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedCursor {
    pub row: i32,
    pub col: usize,
    pub wraps: bool,
    pub style: Style,
    /// Which of the four charsets draw lines.
    pub drawing: [bool; 4],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedTranscript {
    pub rows: Vec<SavedRow>,
    pub first: u64,
    pub limit: usize,
    pub dropped_bytes: u64,
    pub cuts: u64,
    pub cleared_at: u64,
}
