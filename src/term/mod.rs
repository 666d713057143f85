//! A run's emulated state: screen, modes, title, transcript. Pure: no I/O, no clock but for an update's patience.
//!
//! The way of a program's output: `parse` takes the strings out and reads them; the rest goes through the emulator's
//! parser to `screen`, which keeps in `transcript` what scrolls off. The emulator itself is behind
//! `screen`; nothing outside this folder knows which one it is. In a flood, lines wait in `skim` until
//! somebody looks: those that have scrolled off by then go to the transcript without having been drawn.

mod asked;
#[cfg(test)]
mod attacks;
mod colors;
mod damage;
mod line;
mod modes;
mod parse;
mod prompts;
mod saved;
mod screen;
mod skim;
#[cfg(test)]
mod skim_law;
mod text;
mod transcript;

use std::time::Instant;

pub use asked::{Asked, Copied, Cwd, Notification, PasteAsked, Progress, Selection};
pub use colors::Colors;
pub use line::columns;
pub use modes::{CursorShape, Modes, MouseReport};
pub use parse::CLIPBOARD_MAX;
pub use prompts::Prompt;
pub use saved::SavedTerminal;
pub use transcript::{Row, Transcript};

use crate::protocol::{CursorInfo, Size, SpanLine};
use parse::{Parser, Sink, StringFilter};
use screen::Screen;
use skim::{Settled, Skim};

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
    skim: Skim,
}

impl Terminal {
    /// An empty terminal. `transcript_limit` is in bytes.
    #[must_use]
    pub fn new(size: Size, transcript_limit: usize) -> Self {
        Self::with(Screen::new(size, Transcript::new(transcript_limit)))
    }

    fn with(screen: Screen) -> Self {
        Self { string_filter: StringFilter::new(), parser: Parser::new(), screen, skim: Skim::new() }
    }

    /// Takes in output of the program, and draws it.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.feed_update(bytes)..];
        }
        self.settle();
    }

    /// Takes in output up to the end of a synchronized update, if one ends in it, so that it can be shown before the
    /// next begins. Returns how many bytes it took.
    ///
    /// What is only more lines waits to be drawn: before the screen or the transcript is read, [`Self::settle`] is to
    /// be called. Most of a flood scrolls off before anybody looks.
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
        let worth_it = self.skim.is_worth_trying(end) && self.string_filter.is_idle() && self.screen.scrolls_by_lines();
        if !self.skim.is_empty() || worth_it && self.screen.is_at_empty_row() {
            let (taken, is_fine) = self.skim.take(bytes, &mut self.screen);
            if !is_fine {
                self.settle();
            }
            if taken > 0 {
                return (taken, false);
            }
        } else if worth_it && let Some(newline) = memchr::memchr(b'\n', bytes) {
            // Lines can wait from the next one on.
            end = newline + 1;
        }
        let taken = self.draw(&bytes[..end]);
        self.skim.drawn(taken);
        (taken, taken < end)
    }

    /// Draws what waits, so that everything can be read.
    pub fn settle(&mut self) {
        let Some(Settled { bytes, replaces, last }) = self.skim.settle() else { return };
        if let Some(last) = last {
            self.parser.passed_by(last);
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

    fn draw(&mut self, bytes: &[u8]) -> usize {
        let taken = self.string_filter.advance(bytes, &mut self.parser.with(&mut self.screen));
        self.screen.note_damage();
        taken
    }

    /// What the program asked for since this was called last.
    pub fn take_asked(&mut self) -> Asked {
        self.screen.take_asked()
    }

    /// While the program is within a synchronized update (mode 2026), what is on the screen is half of it and not
    /// to be shown; until this moment, when it is to be shown even so.
    #[must_use]
    pub fn sync_deadline(&self) -> Option<Instant> {
        self.screen.update_deadline()
    }

    /// Shows a synchronized update as far as it has come.
    pub fn end_sync(&mut self) {
        self.settle();
        self.screen.end_update();
        self.screen.note_damage();
    }

    /// The prompts that a shell marked (OSC 133), by row as the transcript counts them; the screen's rows follow
    /// the transcript's.
    pub fn prompts(&self) -> impl DoubleEndedIterator<Item = Prompt> + '_ {
        self.screen.prompts()
    }

    /// The link (OSC 8) in a cell of the screen.
    #[must_use]
    pub fn link(&self, row: u16, col: u16) -> Option<String> {
        self.screen.link(row, col)
    }

    /// Gives the transcript another limit, in bytes.
    pub fn set_transcript_limit(&mut self, limit: usize) {
        self.screen.set_transcript_limit(limit);
    }

    /// Gives the terminal another size, reflowing the primary screen. Returns whether it changed.
    pub fn resize(&mut self, size: Size) -> bool {
        self.settle();
        self.screen.resize(size)
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.screen.size()
    }

    /// The screen's rows from the top, each without trailing blanks.
    pub fn rows(&self) -> impl Iterator<Item = SpanLine> + '_ {
        self.screen.rows()
    }

    /// One of them; an empty one when the screen has no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> SpanLine {
        self.screen.row(row)
    }

    /// The number of the newest change to the screen. It grows; nothing else may be read from it.
    #[must_use]
    pub fn change(&self) -> u64 {
        self.screen.damage().now()
    }

    /// Rows that may have changed after the change of that number; after 0, every row.
    pub fn rows_changed_since(&self, change: u64) -> impl Iterator<Item = usize> {
        self.screen.damage().rows_since(change)
    }

    /// Where the cursor is.
    #[must_use]
    pub fn cursor(&self) -> CursorInfo {
        self.screen.cursor()
    }

    /// The modes that decide how keys are encoded and how the cursor looks.
    #[must_use]
    pub fn modes(&self) -> Modes {
        self.screen.modes()
    }

    /// The title the program set.
    #[must_use]
    pub fn title(&self) -> &str {
        self.screen.title()
    }

    /// What has left the screen.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        self.screen.transcript()
    }

    /// The client's colours, for programs that ask.
    pub fn set_colors(&mut self, colors: Colors) {
        self.screen.set_colors(colors);
    }

    /// Puts the terminal down as data, for another process to go on with it. It is afterwards what it was before. What
    /// the program asked for is for the caller to take first.
    pub fn save(&mut self) -> SavedTerminal {
        self.settle();
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
            terminal.parser.passed_by(last);
        }
        terminal.parser.with(&mut terminal.screen).pass(&saved.unfinished);
        terminal.string_filter = saved.string_filter;
        terminal.screen.note_damage();
        terminal
    }

    /// Puts a line of Termi's own above an empty screen, as before a restart: what was on the screen
    /// goes to the transcript, and every mode is as at the start.
    pub fn start_over(&mut self, line: &str) {
        self.settle();
        (self.string_filter, self.parser) = (StringFilter::new(), Parser::new());
        self.screen.start_over();
        self.feed(format!("\x1b[2m{line}\x1b[m\r\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(rows: u16, cols: u16) -> Terminal {
        Terminal::new(Size { rows, cols }, 500_000)
    }

    fn text(term: &Terminal) -> Vec<String> {
        term.rows().map(|row| row.text).collect()
    }

    fn scrolled(term: &Terminal) -> Vec<String> {
        let transcript = term.transcript();
        transcript.rows_from(transcript.first()).map(|row| row.line.text).collect()
    }

    #[test]
    fn rows_that_leave_the_screen_are_in_the_transcript_in_order() {
        let mut term = terminal(3, 20);
        for n in 0..10 {
            term.feed(format!("line {n}\r\n").as_bytes());
        }
        assert_eq!(text(&term), ["line 8", "line 9", ""]);
        assert_eq!(scrolled(&term), (0..8).map(|n| format!("line {n}")).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_line_is_whole_where_it_wraps() {
        let mut term = terminal(5, 5);
        term.feed(b"before\r\nabcdefghijkl\r\n");
        assert_eq!(term.last_line(), "abcdefghijkl");
        term.feed(b"  \r\n\r\n\r\n\r\n");
        assert_eq!(term.last_line(), "abcdefghijkl", "though its beginning has left the screen");
        term.feed(b"\r\n\r\n\r\n");
        assert_eq!(term.last_line(), "abcdefghijkl", "though all of it has");
        term.feed(b"\x1b[Habcdefghijklmnopqrstuvwxyz\x1b[?1049h\x1b[Hdrawn");
        assert_eq!(term.last_line(), "drawn");
        term.feed(&b"x".repeat(10_000));
        term.feed(b"\x1b[?1049l");
        term.feed(&b"y".repeat(10_000));
        assert!((4096..5000).contains(&term.last_line().len()), "it is bounded");
    }

    #[test]
    fn a_wrapped_line_is_one_line_in_the_transcript() {
        let mut term = terminal(2, 5);
        term.feed(b"abcdefghijkl\r\nnext\r\nlast");
        let transcript = term.transcript();
        assert_eq!(scrolled(&term), ["abcde", "fghij", "kl"]);
        let lines: Vec<_> = transcript.lines_from(transcript.first()).map(|line| line.text).collect();
        assert_eq!(lines, ["abcdefghijkl"]);
    }

    #[test]
    fn the_alternate_screen_leaves_nothing_in_the_transcript() {
        let mut term = terminal(3, 20);
        term.feed(b"before\r\n\x1b[?1049h");
        for _ in 0..50 {
            term.feed(b"full screen\r\n");
        }
        term.feed(b"\x1b[?1049lafter");
        assert_eq!(scrolled(&term), Vec::<String>::new());
        assert_eq!(text(&term), ["before", "after", ""]);
    }

    #[test]
    fn a_cleared_screen_is_kept_in_the_transcript() {
        let mut term = terminal(4, 20);
        term.feed(b"one\r\ntwo\r\n\x1b[H\x1b[2Jthree");
        assert_eq!(scrolled(&term), ["one", "two"]);
        assert_eq!(text(&term), ["three", "", "", ""]);
    }

    #[test]
    fn a_smaller_window_loses_no_line_even_under_a_full_screen_program() {
        for alternate in [false, true] {
            let mut term = terminal(6, 20);
            term.feed(b"a\r\nb\r\nc\r\nd\r\ne\r\nf");
            if alternate {
                term.feed(b"\x1b[?1049h\x1b[Hfull");
            }
            assert!(term.resize(Size { rows: 2, cols: 20 }));
            if alternate {
                assert_eq!(text(&term)[0], "full", "the alternate screen stays as it was");
                term.feed(b"\x1b[?1049l");
            }
            let mut all = scrolled(&term);
            all.extend(text(&term));
            assert_eq!(all, ["a", "b", "c", "d", "e", "f"], "alternate: {alternate}");
        }
    }

    #[test]
    fn the_narrowest_window_loses_nothing_of_the_largest() {
        for wide in [false, true] {
            let mut term = Terminal::new(Size { rows: 60, cols: 400 }, 64_000_000);
            // One line, as long as the whole screen, of which each word is another.
            let text: String = if wide {
                ('\u{4e00}'..).take(60 * 200).collect()
            } else {
                (0..60 * 400 / 6).map(|n| format!("{n:06}")).collect()
            };
            term.feed(text.as_bytes());
            assert!(term.resize(Size { rows: 2, cols: 2 }));
            let rows = term.transcript().rows_from(0).map(|row| row.line.text.clone());
            let all: String = rows.chain(term.rows().map(|row| row.text)).collect();
            assert_eq!(all.len(), text.len(), "of {} rows", term.transcript().end());
            assert!(all == text);
        }
    }

    #[test]
    fn a_larger_window_takes_its_lines_back_with_their_looks() {
        let mut term = terminal(4, 20);
        for n in 0..10 {
            term.feed(format!("\x1b[3{}mline {n}\x1b[m \u{4f60}e\u{301}\r\n", n % 8).as_bytes());
        }
        let before: Vec<_> = term.transcript().rows_from(0).map(|row| row.line).chain(term.rows()).collect();
        assert!(term.resize(Size { rows: 8, cols: 20 }));
        assert_eq!(term.cursor().row, 7, "the cursor stays with its line");
        let after: Vec<_> = term.transcript().rows_from(0).map(|row| row.line).chain(term.rows()).collect();
        assert_eq!(after, before, "no row is lost, doubled or changed");
        assert_eq!(text(&term)[0], "line 3 \u{4f60}e\u{301}");
        // And away again.
        assert!(term.resize(Size { rows: 4, cols: 20 }));
        let again: Vec<_> = term.transcript().rows_from(0).map(|row| row.line).chain(term.rows()).collect();
        assert_eq!(again, before);
    }

    #[test]
    fn blanks_at_a_soft_wrap_belong_to_the_line() {
        let mut term = terminal(2, 10);
        term.feed(b"word word word word\r\nx\r\ny\r\n");
        let transcript = term.transcript();
        let lines: Vec<_> = transcript.lines_from(0).map(|line| line.text).collect();
        assert_eq!(lines, ["word word word word", "x"]);
        let mut wide = terminal(2, 5);
        wide.feed("abcd\u{4f60}\u{597d}e\r\n\r\n".as_bytes());
        let lines: Vec<_> = wide.transcript().lines_from(0).map(|line| line.text).collect();
        assert_eq!(lines, ["abcd\u{4f60}\u{597d}e"]);
    }

    #[test]
    fn any_size_a_client_sends_becomes_one_a_terminal_can_have() {
        assert_eq!(clamp_size(0, 0), Size { rows: 1, cols: 2 });
        assert_eq!(clamp_size(1, 1), Size { rows: 1, cols: 2 });
        assert_eq!(clamp_size(65_535, 65_535), MAX);
        assert_eq!(clamp_size(u32::MAX, 80), Size { rows: 500, cols: 80 });
        let mut term = terminal(1, 2);
        term.feed("\u{4f60}\u{597d}x\r\n\u{1f600}".as_bytes());
    }

    #[test]
    fn queries_are_answered_with_the_clients_colours() {
        let mut term = terminal(5, 20);
        term.set_colors(Colors::new(Some("#102030"), Some("#ffffff")));
        term.feed(b"\x1b[6n\x1b]11;?\x07\x1b[c\x07");
        let asked = term.take_asked();
        let replies = String::from_utf8(asked.replies).unwrap();
        assert!(replies.starts_with("\x1b[1;1R\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?"), "{replies:?}");
        assert!(asked.bell);
        assert_eq!(term.take_asked(), Asked::default());
    }

    #[test]
    fn every_cut_of_a_stream_gives_the_same_screen() {
        let stream = "a\u{1b}[1;31mrot\u{1b}[m \u{4f60}\u{597d} e\u{301} \u{1b}]0;t\u{ef}tle\u{7}\u{1b}[2;3Hx\u{1b}[?1049h\u{1f600}\u{1b}[?1049l";
        let mut whole = terminal(4, 20);
        whole.feed(stream.as_bytes());
        for cut in 0..stream.len() {
            let mut split = terminal(4, 20);
            split.feed(&stream.as_bytes()[..cut]);
            split.feed(&stream.as_bytes()[cut..]);
            assert_eq!(split.rows().collect::<Vec<_>>(), whole.rows().collect::<Vec<_>>(), "cut at {cut}");
            assert_eq!(split.title(), whole.title());
            assert_eq!(split.cursor(), whole.cursor());
        }
    }
}
