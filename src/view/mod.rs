//! One client's picture of one run: what it has been sent, and the frame that brings it up to date.
//!
//! A view does no I/O: the run asks it for a [`FrameBody`] when the client has acknowledged the one before.

mod ansi;
#[cfg(test)]
mod law;
mod letterbox;
mod spans;

pub use ansi::encode_line;

use crate::{
    protocol::{Format, FrameBody, Size, SpanLine},
    term::{Modes, Terminal},
};

/// Rows of the transcript that go into one frame. Neovim takes about 10 µs a row: 250 are not felt.
const ROWS_A_FRAME: u64 = 250;

/// The same while a view starts over: its window has just been opened or sized, and the rows are soon there.
const ROWS_A_FRAME_AT_START: u64 = 1000;

/// A view that is this many rows behind is not sent them any more; it starts over when the output settles.
const MAX_BEHIND: u64 = 2000;

/// Rows of the transcript that a view gets when it starts over: what came before is marked as left out.
const ROWS_AT_START: u64 = 5000;

/// What a client has been sent of a run.
#[derive(Debug)]
pub struct View {
    format: Format,
    /// How large the client's own terminal is; none is as large as the run's.
    window: Option<Size>,
    /// The transcript's row that comes next.
    next_row: u64,
    /// Rows that were skipped and not yet marked.
    skipped: u64,
    /// It fell so far behind that rows were skipped.
    behind: bool,
    /// The next frame begins with an empty view.
    starts_over: bool,
    /// It has not caught up since it started over.
    filling: bool,
    /// The modes it has; none before the first frame.
    modes: Option<Modes>,
    /// The rows its screen has, as far as they are known.
    rows: Vec<SpanLine>,
    /// Where its cursor is, in row and column.
    cursor: Option<(u16, u16)>,
    title: String,
    seq: u64,
}

impl View {
    /// A view that has nothing yet; its first frames bring the transcript's last rows and the screen.
    #[must_use]
    pub fn new(format: Format, terminal: &Terminal) -> Self {
        let mut view = Self {
            format,
            window: None,
            next_row: 0,
            skipped: 0,
            behind: false,
            starts_over: true,
            filling: true,
            modes: None,
            rows: Vec::new(),
            cursor: None,
            title: String::new(),
            seq: 0,
        };
        view.start_over(terminal);
        view
    }

    /// The client's own terminal has this size; returns whether that is news. The caller then starts it over.
    pub fn fit(&mut self, window: Option<Size>) -> bool {
        std::mem::replace(&mut self.window, window) != window
    }

    /// The client's size, if it shows only a part of the terminal. Who has rows of text can cut them itself.
    fn letterbox(&self, terminal: &Terminal) -> Option<Size> {
        self.window.filter(|window| self.format == Format::Ansi && *window != terminal.size())
    }

    /// Begins again with nothing: the client's emulator has reflowed by rules of its own, or lost track.
    pub fn start_over(&mut self, terminal: &Terminal) {
        let transcript = terminal.transcript();
        let oldest = transcript.first().max(transcript.cleared_at());
        self.next_row = oldest.max(transcript.end().saturating_sub(ROWS_AT_START));
        self.skipped = self.next_row - transcript.cleared_at();
        self.behind = false;
        (self.starts_over, self.filling, self.modes, self.cursor) = (true, true, None, None);
        self.rows.clear();
    }

    /// Rows were skipped, and can be had by starting over.
    #[must_use]
    pub fn is_behind(&self, terminal: &Terminal) -> bool {
        self.behind && !terminal.modes().alternate_screen && self.letterbox(terminal).is_none()
    }

    /// The next frame; none when there is nothing to tell.
    pub fn next_frame(&mut self, terminal: &Terminal) -> Option<NextFrame> {
        let part = self.choose(terminal);
        let cursor = terminal.cursor();
        let at = (cursor.row, cursor.col);
        let (body, rows, cursor) = match self.format {
            Format::Ansi => ansi::frame(self, terminal, &part),
            Format::Spans => (spans::frame(terminal, &part), Vec::new(), at),
        };
        self.rows = rows;
        self.cursor = Some(cursor);
        let reset = std::mem::take(&mut self.starts_over);
        self.filling &= !part.current;
        self.next_row = part.end;
        self.modes = Some(terminal.modes());
        terminal.title().clone_into(&mut self.title);
        if !reset && matches!(&body, FrameBody::Ansi { data } if data.is_empty()) {
            return None;
        }
        self.seq += 1;
        Some(NextFrame { seq: self.seq, reset, body, is_current: part.current })
    }

    /// Which rows of the transcript the next frame takes along.
    fn choose(&mut self, terminal: &Terminal) -> Part {
        let transcript = terminal.transcript();
        let cleared = self.next_row < transcript.cleared_at();
        if cleared {
            self.next_row = transcript.cleared_at();
            self.skipped = 0;
        }
        let end = transcript.end();
        // Rows that a larger screen took back are to be sent again when they leave it.
        self.next_row = self.next_row.min(end);
        // The primary screen is out of sight, and with it what scrolls off: it is sent when it is back.
        // A part of the screen is all that a client of another size has.
        if terminal.modes().alternate_screen || self.letterbox(terminal).is_some() {
            return Part { start: self.next_row, end: self.next_row, skipped: 0, cleared, current: true };
        }
        let most = if self.filling { ROWS_AT_START + MAX_BEHIND } else { MAX_BEHIND };
        if end - self.next_row > most || self.next_row < transcript.first() {
            self.skipped += end - self.next_row;
            self.next_row = end;
            self.behind = true;
        }
        if self.next_row == end {
            // Under a flood a marker in each frame would be a flood of its own: it waits for the next rows.
            return Part { start: end, end, skipped: 0, cleared, current: true };
        }
        let stop = end.min(self.next_row + if self.filling { ROWS_A_FRAME_AT_START } else { ROWS_A_FRAME });
        Part {
            start: self.next_row,
            end: stop,
            skipped: std::mem::take(&mut self.skipped),
            cleared,
            current: stop == end,
        }
    }
}

/// A frame, before it is addressed.
#[derive(Debug)]
pub struct NextFrame {
    /// Counts the view's frames, from 1.
    pub seq: u64,
    /// It begins with an empty view.
    pub reset: bool,
    /// The update.
    pub body: FrameBody,
    /// It leaves the view up to date.
    pub is_current: bool,
}

/// The rows of the transcript that a frame takes along.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: u64,
    end: u64,
    /// Rows that were left out before them.
    skipped: u64,
    /// The program cleared its scrollback.
    cleared: bool,
    /// The terminal's screen follows; else the rows after these stand in for it.
    current: bool,
}

impl Part {
    fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }
}

/// What stands where rows were skipped; the transcript still has the last `kept` of them.
fn skip_marker(rows: u64, kept: u64) -> String {
    match kept.min(rows) {
        0 => format!("── {rows} earlier lines are no longer kept ──"),
        kept => format!("── {rows} lines are not shown here; the transcript has the last {kept} of them ──"),
    }
}
