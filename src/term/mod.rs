//! A run's emulated state: screen, modes, title, transcript. Pure: no I/O, no clock but for an update's patience.
//!
//! The way of a program's output: `parse` takes the strings out and reads them; the rest goes through the emulator's
//! parser to `screen`, which keeps in `transcript` what scrolls off. The emulator itself is behind
//! `screen`; nothing outside this folder knows which one it is. In a flood, lines wait in `bulk` until
//! the next frame: those that have scrolled off by then go to the transcript without having been drawn.

mod bulk;
mod colors;
mod damage;
mod effects;
mod line;
mod modes;
mod parse;
mod program_status;
mod prompts;
mod saved;
mod screen;
#[cfg(test)]
mod tests;
mod text;
mod transcript;

use std::time::Instant;

pub use colors::Colors;
pub use effects::{ClipboardLoad, ClipboardStore, Cwd, Effects, Notification, Progress, Selection};
pub use line::columns;
pub use modes::{CursorShape, Modes, MouseReport};
pub use parse::CLIPBOARD_MAX;
pub use program_status::{ProgramState, ProgramStatus, StatusRecord, StatusReport};
pub use prompts::Prompt;
pub use saved::SavedTerminal;
pub use transcript::{Row, Transcript};

use crate::protocol::{CursorInfo, Size, SpanLine};
use bulk::{BulkLines, Flushed};
use parse::{Parser, Sink, StringFilter};
use screen::Screen;

/// The smallest and largest terminal. The emulator needs two columns for a wide character; the upper
/// bounds keep a screen's memory (24 bytes a cell, two screens) under 24 MB.
const MIN: Size = Size { rows: 1, cols: 2 };
const MAX: Size = Size { rows: 500, cols: 1000 };

/// Brings any size a client may send to one a terminal can have.
#[must_use]
pub fn clamp_size(rows: u32, cols: u32) -> Size {
    let clamp = |value: u32, min: u16, max: u16| u16::try_from(value).unwrap_or(max).clamp(min, max);
    Size { rows: clamp(rows, MIN.rows, MAX.rows), cols: clamp(cols, MIN.cols, MAX.cols) }
}

/// One run's terminal.
pub struct Terminal {
    string_filter: StringFilter,
    parser: Parser,
    screen: Screen,
    bulk: BulkLines,
}

impl Terminal {
    /// An empty terminal. `transcript_limit` is in bytes.
    #[must_use]
    pub fn new(size: Size, transcript_limit: usize) -> Self {
        Self::with(Screen::new(size, Transcript::new(transcript_limit)))
    }

    fn with(screen: Screen) -> Self {
        Self { string_filter: StringFilter::new(), parser: Parser::new(), screen, bulk: BulkLines::new() }
    }

    /// Takes in output of the program, and draws it.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.feed_update(bytes)..];
        }
        self.flush();
    }

    /// Takes in output up to the end of a synchronized update, if one ends in it, so that it can be shown before the
    /// next begins. Returns how many bytes it took.
    ///
    /// What is only more lines waits to be drawn (the fast path, `bulk.rs`): before the screen or the transcript is read, [`Self::flush`]
    /// is to be called.
    pub fn feed_update(&mut self, bytes: &[u8]) -> usize {
        let (mut at, mut ends) = (0, false);
        while at < bytes.len() && !ends {
            let taken;
            (taken, ends) = self.feed_some(&bytes[at..]);
            at += taken;
        }
        at
    }

    /// Takes in some of the output: how much, and whether an update ends there.
    fn feed_some(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut end = bytes.len();
        let worth_it = self.bulk.is_worth_trying(end) && self.string_filter.is_idle() && self.screen.scrolls_by_lines();
        if !self.bulk.is_empty() || worth_it && self.screen.is_at_empty_row() {
            let (taken, is_fine) = self.bulk.take(bytes, &mut self.screen);
            if !is_fine {
                self.flush();
            }
            if taken > 0 {
                return (taken, false);
            }
        } else if worth_it && let Some(newline) = memchr::memchr(b'\n', bytes) {
            // Lines can wait from the next one on.
            end = newline + 1;
        }
        let taken = self.draw(&bytes[..end]);
        self.bulk.drawn(taken);
        (taken, taken < end)
    }

    /// Draws what waits, so that everything can be read.
    pub fn flush(&mut self) {
        let Some(Flushed { bytes, replaces, last }) = self.bulk.flush() else { return };
        if let Some(last) = last {
            self.parser.set_last_printed(last);
        }
        if replaces {
            self.screen.empty();
            self.screen.note_damage();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            rest = &rest[self.draw(rest)..];
        }
    }

    /// The screen, for what bulk lines change: what it shows before they are flushed was never there.
    fn flushed(&self) -> &Screen {
        if cfg!(any(test, debug_assertions)) {
            assert!(self.bulk.is_empty(), "a terminal is flushed before it is read");
        }
        &self.screen
    }

    fn draw(&mut self, bytes: &[u8]) -> usize {
        let taken = self.string_filter.advance(bytes, &mut self.parser.with(&mut self.screen));
        self.screen.note_damage();
        taken
    }

    /// What the program's output had besides the screen since this was called last.
    pub fn take_effects(&mut self) -> Effects {
        self.screen.take_effects()
    }

    /// While the program is within a synchronized update (mode 2026), what is on the screen is half of it and not
    /// to be shown; until this moment, when it is to be shown even so.
    #[must_use]
    pub fn sync_deadline(&self) -> Option<Instant> {
        self.screen.update_deadline()
    }

    /// Shows a synchronized update as far as it has come.
    pub fn end_sync(&mut self) {
        self.flush();
        self.screen.end_update();
        self.screen.note_damage();
    }

    /// The prompts that a shell marked (OSC 133), by row as the transcript counts them; the screen's rows follow
    /// the transcript's.
    pub fn prompts(&self) -> impl DoubleEndedIterator<Item = Prompt> + '_ {
        self.flushed().prompts()
    }

    /// The link (OSC 8) in a cell of the screen.
    #[must_use]
    pub fn link(&self, row: u16, col: u16) -> Option<String> {
        self.flushed().link(row, col)
    }

    /// How often the transcript was cut. What waits to be drawn is part of it already.
    #[must_use]
    pub fn transcript_cuts(&self) -> u64 {
        self.screen.transcript().cuts()
    }

    /// The transcript's limit, in bytes.
    #[must_use]
    pub fn transcript_limit(&self) -> usize {
        self.screen.transcript().limit()
    }

    /// Gives the transcript another limit, in bytes.
    pub fn set_transcript_limit(&mut self, limit: usize) {
        self.screen.set_transcript_limit(limit);
    }

    /// Gives the terminal another size, reflowing the primary screen. Returns whether it changed.
    pub fn resize(&mut self, size: Size) -> bool {
        self.flush();
        self.screen.resize(size)
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.screen.size()
    }

    /// The screen's rows from the top, each without trailing blanks.
    pub fn rows(&self) -> impl Iterator<Item = SpanLine> + '_ {
        self.flushed().rows()
    }

    /// One of them; an empty one when the screen has no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> SpanLine {
        self.flushed().row(row)
    }

    /// The number of the newest change to the screen. It grows; nothing else may be read from it.
    #[must_use]
    pub fn change(&self) -> u64 {
        self.flushed().damage().now()
    }

    /// Rows that may have changed after the change of that number; after 0, every row.
    pub fn rows_changed_since(&self, change: u64) -> impl Iterator<Item = usize> {
        self.flushed().damage().rows_since(change)
    }

    /// Where the cursor is.
    #[must_use]
    pub fn cursor(&self) -> CursorInfo {
        self.flushed().cursor()
    }

    /// The modes that decide how keys are encoded and how the cursor looks.
    #[must_use]
    pub fn modes(&self) -> Modes {
        self.screen.modes()
    }

    /// What the program says that it is doing (OSC 7501).
    #[must_use]
    pub fn program_status(&self) -> &ProgramStatus {
        self.screen.program_status()
    }

    /// The program has ended: what it worked on, or waited for, it does no longer.
    pub fn end_program_status(&mut self) {
        self.screen.end_program_status();
    }

    /// The title the program set.
    #[must_use]
    pub fn title(&self) -> &str {
        self.screen.title()
    }

    /// What has left the screen.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        self.flushed().transcript()
    }

    /// The client's colours, for programs that ask.
    pub fn set_colors(&mut self, colors: Colors) {
        self.screen.set_colors(colors);
    }

    /// Puts the terminal down as data, for another process to go on with it. It is afterwards what it was before. What
    /// the program asked for is for the caller to take first.
    pub fn save(&mut self) -> SavedTerminal {
        self.flush();
        let saved = SavedTerminal {
            screen: self.screen.save(),
            string_filter: self.string_filter.clone(),
            unfinished: self.parser.unfinished(),
            last_printed: self.parser.last_printed(),
        };
        self.screen.note_damage();
        saved
    }

    /// Takes a terminal up where another process has put it down.
    #[must_use]
    pub fn restore(saved: SavedTerminal) -> Self {
        let mut terminal = Self::with(Screen::restore(saved.screen));
        if let Some(last) = saved.last_printed {
            terminal.parser.set_last_printed(last);
        }
        terminal.parser.with(&mut terminal.screen).pass(&saved.unfinished);
        terminal.string_filter = saved.string_filter;
        terminal.screen.note_damage();
        terminal
    }

    /// Puts a line of Termi's own above an empty screen, as before a restart: what was on the screen
    /// goes to the transcript, and every mode is as at the start.
    pub fn start_over(&mut self, line: &str) {
        self.flush();
        (self.string_filter, self.parser) = (StringFilter::new(), Parser::new());
        self.screen.start_over();
        self.feed(format!("\x1b[2m{line}\x1b[m\r\n").as_bytes());
    }
}
