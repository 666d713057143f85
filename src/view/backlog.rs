//! Which rows of the transcript a frame takes along: at most 250 (2.5 ms in Neovim), so all of them while the view
//! keeps up, and up to 1,000 in a resync, which fills a window that was just opened or sized.

use super::View;
use crate::term::Terminal;

/// Rows of the transcript that go into one frame. Neovim takes about 10 µs a row: 250 are not felt.
const ROWS_A_FRAME: u64 = 250;

/// The same while a view starts over: its window has just been opened or sized, and the rows are soon there.
const ROWS_A_FRAME_AT_START: u64 = 1000;

/// A view that is this many rows behind is not sent them any more; it starts over when the output settles.
pub(super) const MAX_BEHIND: u64 = 2000;

/// Rows of the transcript that a view gets when it starts over: what came before is marked as left out.
pub(super) const ROWS_AT_START: u32 = 5000;

/// The rows of the transcript that a frame takes along.
#[derive(Debug, Clone, Copy)]
pub(super) struct BacklogSlice {
    pub start: u64,
    pub end: u64,
    /// Rows that were left out before them.
    pub skipped: u64,
    /// The program cleared its scrollback.
    pub cleared: bool,
    /// The terminal's screen follows; else the rows after these stand in for it.
    pub current: bool,
}

impl BacklogSlice {
    pub fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }
}

impl View {
    /// Which rows of the transcript the next frame takes along.
    pub(super) fn next_backlog(&mut self, terminal: &Terminal) -> BacklogSlice {
        let transcript = terminal.transcript();
        let cleared = self.next_row < transcript.cleared_at();
        if cleared {
            self.next_row = transcript.cleared_at();
            self.unbroken_from = self.next_row;
            self.skipped = 0;
        }
        let end = transcript.end();
        // Rows that a larger screen took back are to be sent again when they leave it.
        self.next_row = self.next_row.min(end);
        // The primary screen is out of sight, and with it what scrolls off: it is sent when it is back.
        // A part of the screen is all that a client of another size has.
        if terminal.modes().alternate_screen || self.letterbox(terminal).is_some() {
            return BacklogSlice { start: self.next_row, end: self.next_row, skipped: 0, cleared, current: true };
        }
        let max_behind = if self.filling { u64::from(ROWS_AT_START) + MAX_BEHIND } else { MAX_BEHIND };
        if end - self.next_row > max_behind || self.next_row < transcript.first() {
            self.skipped += end - self.next_row;
            self.next_row = end;
            self.unbroken_from = end;
            self.behind = true;
        }
        if self.next_row == end {
            // Under a flood a marker in each frame would be a flood of its own: it waits for the next rows.
            return BacklogSlice { start: end, end, skipped: 0, cleared, current: true };
        }
        let stop = end.min(self.next_row + if self.filling { ROWS_A_FRAME_AT_START } else { ROWS_A_FRAME });
        BacklogSlice {
            start: self.next_row,
            end: stop,
            skipped: std::mem::take(&mut self.skipped),
            cleared,
            current: stop == end,
        }
    }
}
