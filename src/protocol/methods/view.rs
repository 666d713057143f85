//! Views of runs: what is typed into them, how large they are, the frames that keep them up to date.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Bytes, CallOrder, Empty, Event, Exit, RunId, RunTarget, SessionId, SpanLine, Status, ViewId};

method!(
    /// Types into a run.
    Input = "input", Write Sessions, InputParams => Empty {
        const ORDER: CallOrder = CallOrder::InOrder;
        const DRAINED: bool = false;
    }
);

method!(
    /// Sets the size of a run's terminal.
    Resize = "resize", Write Sessions, ResizeParams => Empty {
        const ORDER: CallOrder = CallOrder::InOrder;
        const DRAINED: bool = false;
    }
);

method!(
    /// Opens this client's view of a run; frames follow. A second attach replaces the first.
    Attach = "attach", Read Sessions, AttachParams => AttachReply {
        const REPLY_FIRST: bool = true;
    }
);

method!(
    /// Closes this client's view of a run.
    Detach = "detach", Read Sessions, RunTarget => Empty
);

method!(
    /// Sets whether this client's view of a run is visible; a hidden view gets no frames.
    Visible = "visible", Read Sessions, VisibleParams => Empty {
        const ORDER: CallOrder = CallOrder::InOrder;
    }
);

method!(
    /// Holds or releases this client's view of a run, while a person reads in it above its end. On the primary screen a
    /// held view gets no frames; `output` events with `waiting_rows` count the rows that wait. Once it is released, it
    /// is brought up to date.
    Hold = "hold", Read Sessions, HoldParams => Empty {
        const ORDER: CallOrder = CallOrder::InOrder;
    }
);

/// A terminal's size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Size {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// How a view's frames look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Escape sequences, for a client with a terminal emulator.
    Ansi,
    /// Rows of text with style runs, for a client with plain buffers.
    Spans,
}

/// Parameters of `input`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct InputParams {
    /// The run.
    pub run_id: RunId,
    /// The bytes.
    pub data: Bytes,
    /// They are pasted text: line ends become what the Return key sends, and the whole is bracketed if the
    /// program has asked for that (mode 2004), so that no line is executed as if it had been typed. All control
    /// characters but tabs and line ends are left out, bracketed or not: C0, DEL, and C1 as U+0080 to U+009F or as a
    /// byte that is no part of a UTF-8 character.
    #[serde(default)]
    pub paste: bool,
}

/// Parameters of `resize`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ResizeParams {
    /// The run.
    pub run_id: RunId,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub cols: u32,
}

/// Parameters of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AttachParams {
    /// The run.
    pub run_id: RunId,
    /// The frames' format.
    pub format: Format,
    /// The terminal's new size, if the client has one.
    #[serde(default)]
    pub size: Option<Size>,
    /// This client only looks: what it types into the run is refused, and its sizes are not taken.
    #[serde(default)]
    pub read_only: bool,
    /// How many rows that have left the screen are sent before it, at most; default 5000. 0 for a client that shows
    /// the screen alone.
    #[serde(default)]
    pub scrollback: Option<u32>,
}

/// Answer of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VisibleParams {
    /// The run.
    pub run_id: RunId,
    /// Whether its view can be seen.
    pub visible: bool,
}

/// Parameters of `hold`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HoldParams {
    /// The run.
    pub run_id: RunId,
    /// True to hold its view, false to release it.
    pub hold: bool,
}

/// A cursor's place, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CursorInfo {
    /// Its row on the screen.
    pub row: u16,
    /// Its column.
    pub col: u16,
    /// Whether it is shown.
    pub visible: bool,
}

/// What takes a view from what it has to what the terminal is now. Its answer acknowledges it: the next frame comes
/// after that. An answer of `false` says that the client has no such view any more; the view is closed.
///
/// Fields that are optional are left out when they have nothing new: the client goes on with what the last frame
/// that had them said. A view's first frame has `run_id`, `format`, `rows` and `cols`; so has each with `reset`. An `ansi`
/// frame has `data`; a `spans` frame has instead what is under `SpansUpdate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// The view, as the answer to `attach` or `run` named it. That answer comes before the first frame.
    pub view_id: ViewId,
    /// Counts the view's frames, from 1.
    pub seq: u64,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// How the view's frames look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Rows of the terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Columns of the terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// The view starts over, as after a new size: before anything else, the client drops what it has of it,
    /// scrollback and all. An `ansi` frame's own sequences do that, where the client's emulator knows CSI 3 J.
    /// Absent is false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reset: bool,
    /// It leaves the view up to date; left out when true. Where it is false, more frames of the same update follow.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub current: bool,
    /// The update itself.
    #[serde(flatten)]
    pub body: FrameBody,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_true(flag: &bool) -> bool {
    *flag
}

/// A frame's content in the view's format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FrameBody {
    /// `ansi`: escape sequences.
    Ansi {
        /// To be written to the client's emulator as it is.
        data: String,
    },
    /// `spans`: text with style runs.
    Spans(SpansUpdate),
}

/// The content of a `spans` frame, for a client that shows rows of text instead of running an emulator.
///
/// Such a client keeps `rows` lines of the screen, at first and after `reset` all empty, and a scrollback, empty too.
/// A frame's fields are applied in this order: `cleared`, `skipped`, `scrolled`, `lines`, `cursor`, `modes`, `title`.
/// Absent ones change nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpansUpdate {
    /// The scrollback is emptied: the program cleared it.
    #[serde(skip_serializing_if = "is_false")]
    pub cleared: bool,
    /// How many lines are missing from the scrollback here; a client may put a mark in their place.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Lines that left the screen by its top, in order, each whole: they are added to the end of the scrollback. The
    /// screen moves up by as many rows (its own top rows are dropped, whatever they held), and empty ones follow from
    /// below; more lines than the screen has rows leave it empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scrolled: Vec<SpanLine>,
    /// Rows of the screen that are now these, each replaced as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RowUpdate>,
    /// The cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorInfo>,
    /// The modes that decide how keys are to be encoded and how the cursor looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modes: Option<ModesInfo>,
    /// The title; empty when the program took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

impl SpansUpdate {
    /// It changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One row of a screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowUpdate {
    /// Which, from 0 at the top.
    pub row: u16,
    /// Its text without trailing blanks, and its style runs: offsets are in bytes of the text's UTF-8.
    #[serde(flatten)]
    pub line: SpanLine,
}

/// A terminal's modes, for a client that encodes keys itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::struct_excessive_bools, reason = "these are the terminal's independent modes")]
pub struct ModesInfo {
    /// The alternate screen is shown (1049): nothing enters the scrollback.
    pub alternate_screen: bool,
    /// Cursor keys send application codes (1).
    pub app_cursor: bool,
    /// The keypad sends application codes (DECKPAM).
    pub app_keypad: bool,
    /// Pastes are bracketed (2004); the host does that for `input` with `paste`.
    pub bracketed_paste: bool,
    /// Focus changes are reported (1004).
    pub focus: bool,
    /// Mouse reports: none, buttons (1000), motion while one is held too (1002), all motion (1003).
    pub mouse: MouseMode,
    /// Mouse reports are in SGR form (1006).
    pub mouse_sgr: bool,
    /// The cursor's shape.
    pub cursor_shape: CursorLook,
    /// The cursor blinks.
    pub cursor_blinks: bool,
}

/// Which mouse events a program wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MouseMode {
    /// None.
    Off,
    /// Buttons.
    Click,
    /// Buttons, and motion while one is held.
    Drag,
    /// Buttons and all motion.
    Motion,
}

/// A cursor's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CursorLook {
    /// A block.
    Block,
    /// A line below.
    Underline,
    /// A line at the left.
    Beam,
}

/// What the host sends a client of its own accord.
#[derive(Debug, Clone)]
pub enum Message {
    /// An update of a view; the answer acknowledges it.
    Frame(Frame),
    /// Something happened.
    Event(Event),
}
