//! Views of runs: what is typed into them, how large they are, the frames that keep them up to date.

use serde::{Deserialize, Serialize};

use crate::protocol::{Bytes, Empty, Event, Exit, RunId, RunTarget, SessionId, SpanLine, Status, ViewId};

method!(
    /// Types into a run.
    Input = "input", Write, InputParams => Empty
);

method!(
    /// Tells a run the size of its terminal.
    Resize = "resize", Write, ResizeParams => Empty
);

method!(
    /// Opens this client's view of a run; frames follow. A second attach replaces the first.
    Attach = "attach", Read, AttachParams => AttachReply
);

method!(
    /// Closes this client's view of a run.
    Detach = "detach", Read, RunTarget => Empty
);

method!(
    /// Says whether this client's view of a run can be seen; a hidden view gets no frames.
    Visible = "visible", Read, VisibleParams => Empty
);

/// A terminal's size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// How a view's frames look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Escape sequences, for a client with a terminal emulator.
    Ansi,
    /// Rows of text with style runs, for a client with plain buffers.
    Spans,
}

/// Parameters of `input`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InputParams {
    /// The run.
    pub run_id: RunId,
    /// The bytes.
    pub data: Bytes,
    /// They are pasted text: line ends become what the Return key sends, and the whole is bracketed if the
    /// program has asked for that (mode 2004), so that no line is executed as if it had been typed.
    #[serde(default)]
    pub paste: bool,
}

/// Parameters of `resize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResizeParams {
    /// The run.
    pub run_id: RunId,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub cols: u32,
}

/// Parameters of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttachParams {
    /// The run.
    pub run_id: RunId,
    /// The frames' format.
    pub format: Format,
    /// The terminal's new size, if the client has one to tell.
    #[serde(default)]
    pub size: Option<Size>,
    /// This client only looks: what it types into the run is refused, and its sizes are not taken.
    #[serde(default)]
    pub read_only: bool,
}

/// Answer of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttachReply {
    /// The view.
    pub view_id: ViewId,
    /// The run's session.
    pub session_id: SessionId,
    /// The run.
    pub run_id: RunId,
    /// The session's name.
    pub session_name: String,
    /// What became of the run.
    pub status: Status,
    /// The terminal's size.
    pub size: Size,
    /// The title it set.
    pub title: String,
    /// How it ended.
    pub exit: Option<Exit>,
}

/// Parameters of `visible`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VisibleParams {
    /// The run.
    pub run_id: RunId,
    /// Whether its view can be seen.
    pub visible: bool,
}

/// A cursor's place, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorInfo {
    /// Its row on the screen.
    pub row: u16,
    /// Its column.
    pub col: u16,
    /// Whether it is shown.
    pub visible: bool,
}

/// What takes a view from what it has to what the terminal is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    /// The run.
    pub run_id: RunId,
    /// The view.
    pub view_id: ViewId,
    /// Counts the view's frames, from 1.
    pub seq: u64,
    /// Rows of the terminal.
    pub rows: u16,
    /// Columns of the terminal.
    pub cols: u16,
    /// The view starts over, as after a new size: the client drops what it has of it, scrollback and all. An
    /// `ansi` frame's own sequences do that, where the client's emulator knows CSI 3 J.
    pub reset: bool,
    /// The update itself.
    #[serde(flatten)]
    pub body: FrameBody,
}

/// A frame's content in the view's format.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum FrameBody {
    /// Escape sequences.
    Ansi {
        /// To be written to the client's emulator as it is.
        data: String,
    },
    /// Text with style runs.
    Spans {
        /// Lines that left the screen since the last frame, to be put above it.
        scrolled: Vec<SpanLine>,
        /// Lines that left the screen but are not sent.
        skipped: u64,
        /// Every row of the screen.
        lines: Vec<SpanLine>,
        /// The cursor.
        cursor: CursorInfo,
        /// The title.
        title: String,
    },
}

/// What the host sends a client of its own accord.
#[derive(Debug, Clone)]
pub enum Message {
    /// An update of a view; the answer acknowledges it.
    Frame(Frame),
    /// Something happened.
    Event(Event),
}
