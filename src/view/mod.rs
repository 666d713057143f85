//! One client's view of one run: what it has been sent, and the frame that brings it up to date.
//!
//! A view does no I/O: the run asks it for its next frame when the client has acknowledged the one before.
//!
//! ```text
//! View ── which rows left the screen, which rows changed ──▶ Update ──▶ ansi: sequences, for an emulator
//!                                                                  └──▶ spans: rows of text, for a plain buffer
//! ```

mod ansi;
mod backlog;
#[cfg(any(test, fuzzing))]
pub mod equivalence;
mod grapheme;
mod letterbox;
mod scrolling;
mod spans;

pub use ansi::{encode_line, encode_modes};

use std::ops::Range;

use crate::{
    protocol::{CursorInfo, Format, FrameBody, Size, SpanLine},
    term::{Modes, Terminal},
};
use backlog::BacklogSlice;

/// What a client has been sent of a run.
#[derive(Debug)]
pub struct View {
    format: Format,
    /// How large the client's own terminal is; none is as large as the run's.
    window: Option<Size>,
    /// Its client takes synchronized updates (mode 2026).
    synchronizes: bool,
    /// One is under way.
    in_sync: bool,
    /// How many of the transcript's rows it begins with at most.
    rows_at_start: u32,
    /// The transcript's row that comes next.
    next_row: u64,
    /// The first row that it has without a gap up to that one.
    unbroken_from: u64,
    /// Rows that were skipped and not yet marked.
    skipped: u64,
    /// It fell so far behind that rows were skipped.
    behind: bool,
    /// The next frame begins with an empty view.
    starts_over: bool,
    /// It has not caught up since it started over.
    filling: bool,
    /// The size of its screen.
    size: Size,
    /// The last frame was one of an update that goes on.
    unfinished: bool,
    /// The modes it has; none before the first frame.
    modes: Option<Modes>,
    /// The rows its screen has.
    rows: Vec<SpanLine>,
    /// The terminal's change up to which they are the terminal's; 0 when they are others.
    seen: u64,
    /// The rows of its primary screen, while it shows the alternate one.
    primary: Vec<SpanLine>,
    /// Its cursor; none before the first frame.
    cursor: Option<CursorInfo>,
    title: String,
    seq: u64,
}

/// What takes a client from what it has to what it is to have, in no format yet.
struct Update<'a> {
    /// It begins with nothing.
    reset: bool,
    /// The first of several frames of one update, and the last.
    begins_sync: bool,
    ends_sync: bool,
    modes_were: Option<Modes>,
    modes: Modes,
    /// The program cleared its scrollback.
    cleared: bool,
    /// Rows left out before those that are gone, and how many of them the transcript still has.
    skipped: Option<(u64, u64)>,
    /// Rows that leave the screen by its top, to enter the scrollback.
    gone: &'a [SpanLine],
    /// The rows the client's screen has, with the modes that it is to have.
    has: &'a [SpanLine],
    /// The rows that it is to have then.
    target: &'a [&'a SpanLine],
    cols: usize,
    cursor_was: Option<CursorInfo>,
    cursor: CursorInfo,
    /// The title, if it has changed.
    title: Option<&'a str>,
}

impl View {
    /// A view that has nothing yet; its first frames bring the transcript's last rows and the screen.
    #[must_use]
    pub fn new(format: Format, terminal: &Terminal) -> Self {
        Self::with_scrollback(format, backlog::ROWS_AT_START, terminal)
    }

    /// The same with at most so many of the transcript's rows.
    #[must_use]
    pub fn with_scrollback(format: Format, rows: u32, terminal: &Terminal) -> Self {
        let mut view = Self {
            format,
            rows_at_start: rows.min(backlog::ROWS_AT_START),
            window: None,
            synchronizes: false,
            in_sync: false,
            next_row: 0,
            unbroken_from: 0,
            skipped: 0,
            behind: false,
            starts_over: true,
            filling: true,
            unfinished: false,
            size: terminal.size(),
            modes: None,
            rows: Vec::new(),
            seen: 0,
            primary: Vec::new(),
            cursor: None,
            title: String::new(),
            seq: 0,
        };
        view.start_over(terminal);
        view
    }

    /// How its frames look.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Says whether the client's emulator takes synchronized updates: one that needs several frames is then put
    /// between brackets, so that it is shown at once. Without, it is shown frame by frame.
    pub fn set_synchronizes(&mut self, synchronizes: bool) {
        self.synchronizes = synchronizes;
    }

    /// The client's own terminal has this size; returns whether that is news. The caller then starts it over.
    pub fn fit(&mut self, window: Option<Size>) -> bool {
        std::mem::replace(&mut self.window, window) != window
    }

    /// The client's size, if it shows only a part of the terminal. Who has rows of text can cut them itself.
    fn letterbox(&self, terminal: &Terminal) -> Option<Size> {
        self.window.filter(|window| self.format == Format::Ansi && *window != terminal.size())
    }

    /// How large the screen is that the client shows.
    fn screen_size(&self, terminal: &Terminal) -> Size {
        self.letterbox(terminal).unwrap_or(terminal.size())
    }

    /// The rows of the terminal's screen that a client of another size shows; it has nothing above them.
    #[must_use]
    pub fn rows_shown(&self, terminal: &Terminal) -> Option<Range<u64>> {
        let window = self.letterbox(terminal)?;
        let first = u64::from(letterbox::first_row(terminal, window));
        Some(first..first + u64::from(window.rows))
    }

    /// Resync: begins again with nothing. The client's emulator has reflowed by rules of its own, or lost track.
    pub fn start_over(&mut self, terminal: &Terminal) {
        let transcript = terminal.transcript();
        let oldest = transcript.first().max(transcript.cleared_at());
        self.next_row = oldest.max(transcript.end().saturating_sub(self.rows_at_start.into()));
        self.unbroken_from = self.next_row;
        // Who wants none is not told of them.
        self.skipped = if self.rows_at_start > 0 { self.next_row - transcript.cleared_at() } else { 0 };
        self.behind = false;
        self.size = self.screen_size(terminal);
        (self.starts_over, self.filling, self.modes, self.cursor) = (true, true, None, None);
        self.rows.clear();
        self.primary.clear();
    }

    /// Rows were skipped, and can be had by starting over.
    #[must_use]
    pub fn is_behind(&self, terminal: &Terminal) -> bool {
        self.behind && !terminal.modes().alternate_screen && self.letterbox(terminal).is_none()
    }

    /// The rows of the transcript that it has without a gap, down to its screen.
    #[must_use]
    pub fn rows_held(&self) -> Range<u64> {
        self.unbroken_from.min(self.next_row)..self.next_row
    }

    /// Rows that were skipped between what has left its screen and its screen, without a mark yet.
    #[must_use]
    pub fn rows_skipped(&self) -> u64 {
        self.skipped
    }

    /// So far behind that starting over is less than catching up row by row, or rows it misses are no longer held.
    #[must_use]
    pub fn is_far_behind(&self, terminal: &Terminal) -> bool {
        let transcript = terminal.transcript();
        let missing = self.next_row < transcript.first();
        let waiting = transcript.end().saturating_sub(self.next_row);
        self.behind || self.letterbox(terminal).is_none() && (missing || waiting > backlog::MAX_BEHIND)
    }

    /// The next frame; none when there is nothing to tell.
    pub fn next_frame(&mut self, terminal: &Terminal) -> Option<NextFrame> {
        if self.size != self.screen_size(terminal) {
            self.start_over(terminal);
        }
        let slice = self.next_backlog(terminal);
        let reset = std::mem::take(&mut self.starts_over);
        let modes = terminal.modes();
        let has = self.take_rows(reset, modes.alternate_screen);
        let (gone, read) = self.read(terminal, &slice, &has);
        let mut target: Vec<&SpanLine> = has.iter().collect();
        for (row, line) in &read {
            target[*row] = line;
        }
        let (begins_sync, ends_sync) = self.brackets(&slice);
        let cursor = self.letterbox(terminal).map_or(terminal.cursor(), |window| letterbox::cursor(terminal, window));
        let update = Update {
            reset,
            begins_sync,
            ends_sync,
            modes_were: self.modes,
            modes,
            cleared: slice.cleared,
            skipped: (slice.skipped > 0)
                .then(|| (slice.skipped, slice.start - terminal.transcript().first().min(slice.start))),
            gone: &gone,
            has: &has,
            target: &target,
            cols: usize::from(self.size.cols),
            cursor_was: self.cursor,
            cursor,
            title: (terminal.title() != self.title).then_some(terminal.title()),
        };
        let (body, is_empty) = match self.format {
            Format::Ansi => {
                let data = ansi::frame(&update);
                let is_empty = data.is_empty();
                (FrameBody::Ansi { data }, is_empty)
            }
            Format::Spans => {
                let update = spans::frame(&update);
                let is_empty = update.is_empty();
                (FrameBody::Spans(update), is_empty)
            }
        };
        let mut rows = has;
        for (row, line) in read {
            rows[row] = line;
        }
        self.rows = rows;
        self.seen = if slice.current { terminal.change() } else { 0 };
        self.cursor = Some(cursor);
        // Behind the alternate screen what left the primary one still waits.
        self.filling &= !slice.current || modes.alternate_screen;
        self.next_row = slice.end;
        self.modes = Some(modes);
        terminal.title().clone_into(&mut self.title);
        // Who was told that more follows is told when it has, even if that changes nothing.
        let was_unfinished = std::mem::replace(&mut self.unfinished, !slice.current);
        if is_empty && !reset && !was_unfinished {
            return None;
        }
        self.seq += 1;
        Some(NextFrame {
            seq: self.seq,
            reset,
            body,
            is_current: slice.current,
            next_row: slice.end,
            is_filling: self.filling,
        })
    }

    /// The rows that the client's screen has once it shows the right one of the two: a blank one when it starts over
    /// or enters the alternate screen; the primary one comes back as it was left.
    fn take_rows(&mut self, reset: bool, is_alternate: bool) -> Vec<SpanLine> {
        let blank = || vec![SpanLine::default(); usize::from(self.size.rows)];
        let was_alternate = !reset && self.modes.is_some_and(|modes| modes.alternate_screen);
        if reset {
            self.rows = blank();
        }
        if was_alternate == is_alternate {
            if reset {
                self.seen = 0;
            }
            return std::mem::take(&mut self.rows);
        }
        self.seen = 0;
        if self.format == Format::Spans {
            // Rows of text have one screen only, and it changes.
            std::mem::take(&mut self.rows)
        } else if is_alternate {
            self.primary = std::mem::take(&mut self.rows);
            blank()
        } else {
            std::mem::take(&mut self.primary)
        }
    }

    /// The rows that leave the screen, and those that are to differ from what the client has.
    fn read(
        &self,
        terminal: &Terminal,
        slice: &BacklogSlice,
        has: &[SpanLine],
    ) -> (Vec<SpanLine>, Vec<(usize, SpanLine)>) {
        let cols = usize::from(self.size.cols);
        let mut gone = Vec::with_capacity(slice.len());
        let mut left = terminal.transcript().rows_from(slice.start);
        for row in left.by_ref().take(slice.len()) {
            grapheme::fold(row.line.clone(), cols, |line| gone.push(line));
        }
        let mut read = Vec::new();
        let mut put = |row: usize, line: SpanLine| {
            if has.get(row).is_some_and(|old| *old != line) {
                read.push((row, line));
            }
        };
        if let Some(window) = self.letterbox(terminal) {
            let blank = std::iter::repeat(SpanLine::default());
            letterbox::rows(terminal, window)
                .chain(blank)
                .take(has.len())
                .enumerate()
                .for_each(|(row, line)| put(row, line));
        } else if slice.current {
            // What scrolls off moves every row; else what the terminal has not touched is as it was.
            let seen = if gone.is_empty() { self.seen } else { 0 };
            terminal.rows_changed_since(seen).for_each(|row| put(row, terminal.row(row)));
        } else {
            // On the way there the rows that follow stand in for the screen.
            let mut row = 0;
            for line in left.map(|row| row.line.clone()).chain(terminal.rows()) {
                grapheme::fold(line, cols, |line| {
                    put(row, line);
                    row += 1;
                });
                if row >= has.len() {
                    break;
                }
            }
        }
        (gone, read)
    }

    /// Whether this frame begins a synchronized update, and whether it ends one.
    fn brackets(&mut self, slice: &BacklogSlice) -> (bool, bool) {
        // One that only catches up is shown as it goes.
        let begins = self.synchronizes && self.filling && !slice.current && !self.in_sync;
        let ends = self.in_sync && slice.current;
        self.in_sync = (self.in_sync || begins) && !ends;
        (begins, ends)
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
    /// The transcript's row that comes next.
    pub next_row: u64,
    /// The view has started over, and is not filled yet.
    pub is_filling: bool,
}

/// What stands where rows were skipped; the transcript still has the last `kept` of them.
fn skip_marker(rows: u64, kept: u64) -> String {
    match kept.min(rows) {
        0 => format!("── {rows} earlier lines are no longer kept ──"),
        kept => format!("── {rows} lines are not shown here; the transcript has the last {kept} of them ──"),
    }
}
