//! One client's picture of one run: what it has been sent, and the frame that brings it up to date.
//!
//! A view does no I/O: the run asks it for a [`FrameBody`] when the client has acknowledged the one before.

mod ansi;
mod spans;

pub use ansi::encode_line;

use crate::{
    protocol::{Format, FrameBody},
    term::{Modes, Terminal},
};

/// Rows of the transcript that go into one frame. Neovim takes about 10 µs a row: 250 are not felt.
const ROWS_A_FRAME: u64 = 250;

/// A view that is this many rows behind is not sent them any more: what is skipped is marked.
const MAX_BEHIND: u64 = 2000;

/// What a client has been sent of a run.
#[derive(Debug)]
pub struct View {
    format: Format,
    /// The transcript's row that comes next.
    next_row: u64,
    /// Rows that were skipped and not yet marked.
    skipped: u64,
    /// The modes it has; none before the first frame.
    modes: Option<Modes>,
    title: String,
    seq: u64,
}

impl View {
    /// A view that has nothing yet; its first frames bring the transcript's last rows and the screen.
    #[must_use]
    pub fn new(format: Format, terminal: &Terminal) -> Self {
        let transcript = terminal.transcript();
        let next_row = transcript.first().max(transcript.end().saturating_sub(MAX_BEHIND));
        Self { format, next_row, skipped: 0, modes: None, title: String::new(), seq: 0 }
    }

    /// The next frame's number and content, and whether it leaves the view up to date.
    pub fn next_frame(&mut self, terminal: &Terminal) -> (u64, FrameBody, bool) {
        self.seq += 1;
        let part = self.choose(terminal);
        let body = match self.format {
            Format::Ansi => ansi::frame(self, terminal, &part),
            Format::Spans => spans::frame(self, terminal, &part),
        };
        self.next_row = part.end;
        self.modes = Some(terminal.modes());
        terminal.title().clone_into(&mut self.title);
        (self.seq, body, part.current)
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
        // The primary screen is out of sight, and with it what scrolls off: it is sent when it is back.
        if terminal.modes().alternate_screen {
            return Part { start: self.next_row, end: self.next_row, skipped: 0, cleared, current: true };
        }
        if end - self.next_row > MAX_BEHIND || self.next_row < transcript.first() {
            self.skipped += end - self.next_row;
            self.next_row = end;
        }
        if self.next_row == end {
            // Under a flood a marker in each frame would be a flood of its own: it waits for the next rows.
            return Part { start: end, end, skipped: 0, cleared, current: true };
        }
        let stop = end.min(self.next_row + ROWS_A_FRAME);
        Part {
            start: self.next_row,
            end: stop,
            skipped: std::mem::take(&mut self.skipped),
            cleared,
            current: stop == end,
        }
    }
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

/// What stands where rows were skipped.
fn skip_marker(rows: u64) -> String {
    format!("── {rows} lines came too fast to be shown here; the transcript has the last of them ──")
}
