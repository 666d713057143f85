//! Searching a run's text for a pattern, line by line, as it comes.
//!
//! The rows are those that `lines` joins to lines ([`Terminal::shown_from`]). What is in the transcript stays as it is
//! and is searched once; the screen may change, so its lines are searched again when it has. Of a line that goes on,
//! pieces that are full are searched once, wherever the output was cut.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use regex::Regex;
use unicode_width::UnicodeWidthChar;

use crate::term::Terminal;

/// So much of a line is searched before others have their turn.
const PIECE: usize = 8 << 10;

/// Pieces of a line overlap by so much: what matches is found whole if it is not longer.
const OVERLAP: usize = 1 << 10;

/// A pattern that has been searched for so long, at less than so many bytes a second, is given up: it would take all of
/// the run's time. Others go through a hundred times as much.
const SLOW_SEARCH_TIME: Duration = Duration::from_millis(200);
const MIN_BYTES_PER_SECOND: u128 = 1 << 20;

pub enum Found {
    Nothing,
    /// The first line that matches.
    Line(String),
    /// There is more to search, another time.
    NotYet,
    TooSlow,
}

/// What is searched for.
pub trait Matcher {
    /// Whether it is in a piece of a line.
    fn finds(&mut self, piece: Piece<'_>) -> bool;
}

/// A part of a line that is searched at once.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The row that the line begins with.
    pub line: u64,
    /// The line's text, from its beginning or from a row further down.
    pub text: &'a str,
    /// Whether it is from its beginning.
    pub is_first: bool,
    /// From there on it is searched.
    pub from: usize,
    /// A text that is not the line's last may go on: what matches only up to its end may not match with what is behind
    /// it, and is looked for in the next.
    pub is_last: bool,
}

impl Piece<'_> {
    /// Whether a pattern is in it.
    pub fn has(self, pattern: &Regex, after: Option<&After>) -> bool {
        let from = match after {
            None => self.from,
            Some(after) if self.line < after.line => return false,
            Some(after) if self.line > after.line || !self.is_first => self.from,
            // What stood there has been written over where it is not there any more.
            Some(after) if self.text.starts_with(&after.before) => self.from.max(after.before.len()),
            Some(_) => self.from,
        };
        pattern.shortest_match_at(self.text, from).is_some_and(|to| self.is_last || to < self.text.len())
    }
}

impl Matcher for &Regex {
    fn finds(&mut self, piece: Piece<'_>) -> bool {
        piece.has(self, None)
    }
}

/// Where a search begins that is not for what was printed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The row that its first line begins with.
    line: u64,
    /// What stands in that line already.
    before: String,
}

impl After {
    /// With what is printed from now on. A full-screen program draws wherever it wants: its whole screen counts.
    #[must_use]
    pub fn now(terminal: &Terminal) -> Self {
        let Some(row) = terminal.printed_end() else {
            return Self { line: terminal.transcript().end(), before: String::new() };
        };
        let line = terminal.line_start(row);
        let mut before = String::new();
        for (number, text, _) in terminal.shown_from(line).take_while(|(number, ..)| *number <= row) {
            if number < row {
                before.push_str(&text);
            } else {
                // What is behind the cursor, as a shell's suggestion, is no output before it.
                before.extend(up_to(&text, terminal.cursor().col.into()));
            }
        }
        Self { line, before }
    }

    /// With the line that a row belongs to.
    #[must_use]
    pub fn row(terminal: &Terminal, row: u64) -> Self {
        Self { line: terminal.line_start(row), before: String::new() }
    }

    /// The number of its first line.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// A screen that was cleared is written from its top again: what comes there is new.
    pub fn follow(&mut self, terminal: &Terminal) {
        if let Some(end) = terminal.printed_end().filter(|end| *end < self.line) {
            *self = Self::row(terminal, end);
        }
    }
}

/// The characters of a row up to a column.
fn up_to(text: &str, column: usize) -> impl Iterator<Item = char> {
    let mut width = 0;
    text.chars().take_while(move |letter| {
        width += letter.width().unwrap_or(0);
        width <= column
    })
}

/// How far a run's text has been searched.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Everything before it stays as it is.
    kept: Place,
    /// How far the terminal has been searched as it was when last seen.
    place: Place,
    seen: Option<Seen>,
    is_done: bool,
    /// What it took so far.
    spent: Duration,
    bytes: u128,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The row that the line begins with.
    line: u64,
    /// The row to read from, no later than one character before the next piece.
    row: u64,
    /// Where in the text from that row on the next piece begins.
    at: usize,
}

impl Place {
    fn line(row: u64) -> Self {
        Self { line: row, row, at: 0 }
    }
}

/// A state of the terminal, to tell whether its text may be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    change: u64,
    /// Of the transcript.
    first: u64,
    end: u64,
}

impl Seen {
    fn of(terminal: &Terminal) -> Self {
        let transcript = terminal.transcript();
        Self { change: terminal.change(), first: transcript.first(), end: transcript.end() }
    }
}

/// The part of a line that is being searched.
#[derive(Default)]
struct Part {
    text: String,
    /// Its rows, and where each begins.
    rows: VecDeque<(u64, usize)>,
    /// How much of it is in the transcript.
    kept: usize,
}

impl Part {
    fn push(&mut self, row: u64, text: &str, is_kept: bool) {
        self.rows.push_back((row, self.text.len()));
        self.text.push_str(text);
        if is_kept {
            self.kept = self.text.len();
        }
    }

    /// Forgets the rows that end before the place.
    fn forget_before(&mut self, place: &mut Place) {
        let before = self.rows.iter().rposition(|(_, start)| *start < place.at).unwrap_or(0);
        self.rows.drain(..before);
        let Some(&(row, start)) = self.rows.front().filter(|_| before > 0) else { return };
        self.text.drain(..start);
        self.kept = self.kept.saturating_sub(start);
        self.rows.iter_mut().for_each(|(_, other)| *other -= start);
        (place.row, place.at) = (row, place.at - start);
    }

    fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.kept = 0;
    }
}

impl Search {
    /// One that begins there.
    pub fn after(after: &After) -> Self {
        Self { kept: Place::line(after.line), ..Self::default() }
    }

    /// Begins there, if that is further up.
    pub fn back_to(&mut self, after: &After) {
        if after.line < self.kept.line {
            self.kept = Place::line(after.line);
            (self.place, self.is_done) = (self.kept, false);
        }
    }

    /// Goes on with what has come.
    pub fn go_on(&mut self, pattern: &mut impl Matcher, terminal: &Terminal, until: Instant) -> Found {
        self.look(terminal);
        if self.is_done {
            return Found::Nothing;
        }
        let found = self.search(pattern, terminal, until);
        self.is_done = matches!(found, Found::Nothing);
        found
    }

    /// Whether all that is there has been searched.
    pub fn has_seen(&self, terminal: &Terminal) -> bool {
        self.is_done && self.seen == Some(Seen::of(terminal))
    }

    /// The one of two that have seen the same which looks further back when that changes.
    pub fn earlier(self, other: &Self) -> Self {
        if other.kept < self.kept { other.clone() } else { self }
    }

    /// The same place, for something else that is searched for.
    pub fn anew(self) -> Self {
        Self { spent: Duration::ZERO, bytes: 0, ..self }
    }

    /// Goes back to before what may have changed.
    fn look(&mut self, terminal: &Terminal) {
        let now = Seen::of(terminal);
        if self.seen.is_some_and(|seen| now.end < seen.end) {
            // A larger screen has taken rows back.
            let changed = terminal.line_start(now.end);
            if self.kept.line >= changed {
                self.kept = Place::line(changed);
            }
        }
        if self.kept.line < now.first {
            self.kept = Place::line(now.first);
        }
        if self.seen.replace(now) != Some(now) {
            (self.place, self.is_done) = (self.kept, false);
        }
    }

    fn search(&mut self, pattern: &mut impl Matcher, terminal: &Terminal, until: Instant) -> Found {
        let transcript = terminal.transcript();
        let end = transcript.end();
        // The transcript's last line may go on.
        let whole = end.checked_sub(1).filter(|last| terminal.goes_on(*last)).unwrap_or(end);
        let mut part = Part::default();
        let mut rows = terminal.shown_from(self.place.row).peekable();
        while let Some((row, text, wrapped)) = rows.next() {
            part.push(row, &text, row < end);
            let is_end = !wrapped || rows.peek().is_none();
            match self.pieces(pattern, &mut part, is_end, until) {
                Found::Nothing => {}
                Found::Line(_) => return Found::Line(line(terminal, self.place.line)),
                found => return found,
            }
            if is_end {
                self.place = Place::line(row + 1);
                if row < whole {
                    self.kept = self.place;
                }
                part.clear();
            }
        }
        Found::Nothing
    }

    /// Searches the pieces that there are of a line: the full ones, and the last one when there is nothing behind it.
    fn pieces(&mut self, pattern: &mut impl Matcher, part: &mut Part, is_end: bool, until: Instant) -> Found {
        loop {
            let at = self.place.at;
            let end = boundary(&part.text, at.saturating_add(PIECE));
            let is_last = end == part.text.len();
            if is_last && !is_end {
                return Found::Nothing;
            }
            let begun = Instant::now();
            if begun >= until {
                return Found::NotYet;
            }
            let is_found = pattern.finds(Piece {
                line: self.place.line,
                text: &part.text[..end],
                is_first: self.place.row == self.place.line,
                from: at,
                is_last,
            });
            self.spent += begun.elapsed();
            self.bytes += (end - at) as u128;
            if is_found {
                return Found::Line(String::new());
            }
            if self.spent > SLOW_SEARCH_TIME && self.bytes * 1_000_000 < MIN_BYTES_PER_SECOND * self.spent.as_micros() {
                return Found::TooSlow;
            }
            if is_last {
                return Found::Nothing;
            }
            self.place.at = boundary(&part.text, end - OVERLAP);
            let is_kept = end <= part.kept;
            part.forget_before(&mut self.place);
            if is_kept {
                self.kept = self.place;
            }
        }
    }
}

/// The whole line that begins with a row.
fn line(terminal: &Terminal, row: u64) -> String {
    let mut line = String::new();
    for (_, text, wrapped) in terminal.shown_from(row) {
        line.push_str(&text);
        if !wrapped {
            break;
        }
    }
    line
}

/// The first character's start from there on.
fn boundary(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Size;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn find(pattern: &str, terminal: &Terminal) -> Option<String> {
        match Search::default().go_on(&mut &Regex::new(pattern).unwrap(), terminal, later()) {
            Found::Line(line) => Some(line),
            Found::Nothing => None,
            Found::NotYet | Found::TooSlow => panic!("it was given up"),
        }
    }

    #[test]
    fn a_long_line_is_searched_whole_and_its_ends_are_where_they_are() {
        let mut terminal = Terminal::new(Size { rows: 3, cols: 80 }, 1 << 20);
        for middle in ["needle", "\u{4f60}needle\u{597d}"] {
            for before in [0, 10, PIECE - 3, PIECE, 3 * PIECE - OVERLAP - 2, 5 * PIECE] {
                let line = format!("{}{middle}{}", "x".repeat(before), "y".repeat(PIECE + 7));
                terminal.feed(format!("\x1b[2J\x1b[3J\x1b[H{line}\r\nnext\r\nlast\r\n\r\n").as_bytes());
                assert_eq!(find("needle", &terminal).as_deref(), Some(line.as_str()), "after {before}");
                assert_eq!(find("^needle", &terminal).is_some(), before == 0 && middle == "needle");
                assert_eq!(find("x$", &terminal), None, "a piece's end is not the line's");
                assert!(find("y$", &terminal).is_some());
                assert_eq!(find("^y", &terminal), None);
                assert!(find("needle.*", &terminal).is_some(), "however far a match may go on");
            }
        }
    }

    #[test]
    fn a_search_that_is_interrupted_goes_on_where_it_was() {
        let mut terminal = Terminal::new(Size { rows: 3, cols: 80 }, 1 << 20);
        terminal.feed(format!("{}needle\r\n\r\n\r\n\r\n", "x".repeat(20 * PIECE)).as_bytes());
        let (pattern, mut search) = (Regex::new("needle").unwrap(), Search::default());
        assert!(matches!(search.go_on(&mut &pattern, &terminal, Instant::now()), Found::NotYet));
        search.place.at = 19 * PIECE;
        assert!(matches!(search.go_on(&mut &pattern, &terminal, later()), Found::Line(_)));
        assert!(search.bytes < 3 * PIECE as u128, "it began where it had come to");
    }

    #[test]
    fn a_line_that_grows_is_searched_piece_by_piece() {
        let mut terminal = Terminal::new(Size { rows: 5, cols: 80 }, 1 << 20);
        let (pattern, mut search) = (Regex::new("needle").unwrap(), Search::default());
        let (step, count) = (100, 2000_u128);
        for _ in 0..count {
            terminal.feed("x".repeat(step).as_bytes());
            assert!(matches!(search.go_on(&mut &pattern, &terminal, later()), Found::Nothing));
            assert!(matches!(search.go_on(&mut &pattern, &terminal, later()), Found::Nothing));
        }
        assert!(search.bytes <= count * PIECE as u128, "{} bytes", search.bytes);
        terminal.feed(b"needle");
        assert!(matches!(search.go_on(&mut &pattern, &terminal, later()), Found::Line(line) if line.len() == 200_006));
    }

    #[test]
    fn a_terminal_that_has_not_changed_is_not_searched_again() {
        let mut terminal = Terminal::new(Size { rows: 50, cols: 80 }, 1 << 20);
        terminal.feed(&b"some text\r\n".repeat(30));
        let (pattern, mut search) = (Regex::new("needle").unwrap(), Search::default());
        assert!(matches!(search.go_on(&mut &pattern, &terminal, later()), Found::Nothing));
        let bytes = search.bytes;
        assert!(
            matches!(search.go_on(&mut &pattern, &terminal, Instant::now()), Found::Nothing),
            "there is nothing to do"
        );
        assert_eq!(search.bytes, bytes);
    }

    #[test]
    fn a_pattern_that_takes_too_long_is_given_up() {
        let mut terminal = Terminal::new(Size { rows: 3, cols: 80 }, 1 << 20);
        terminal.feed("a".repeat(400_000).as_bytes());
        let pattern = Regex::new("(a{1,100}){1,100}c").unwrap();
        assert!(matches!(Search::default().go_on(&mut &pattern, &terminal, later()), Found::TooSlow));
    }

    /// What a waiter finds that waits for what comes after a moment, as its run goes on.
    fn finds_after(pattern: &str, terminal: &Terminal, after: &mut After, search: &mut Search) -> Option<String> {
        struct One<'a>(Regex, &'a After);
        impl Matcher for One<'_> {
            fn finds(&mut self, piece: Piece<'_>) -> bool {
                piece.has(&self.0, Some(self.1))
            }
        }
        after.follow(terminal);
        search.back_to(after);
        match search.go_on(&mut One(Regex::new(pattern).unwrap(), after), terminal, later()) {
            Found::Line(line) => Some(line),
            Found::Nothing | Found::NotYet | Found::TooSlow => None,
        }
    }

    #[test]
    fn what_was_there_before_is_not_found_and_what_is_written_over_it_is() {
        for (before, then, pattern, found) in [
            ("ready\r\n$ ", "make\r\n", "ready", None),
            ("ready\r\n$ ", "make\r\nready again\r\n", "ready", Some("ready again")),
            ("ready\r\n$ ", "ready\r\n", "ready$", Some("$ ready")),
            // A prompt that is there is no new one.
            ("$ ", "", r"\$", None),
            ("$ ", "ls\r\n$ ", r"^\$ ?$", Some("$")),
            // A progress bar is drawn over itself, a cleared screen from its top.
            ("done 10%", "\rdone 100%", "^done 100%", Some("done 100%")),
            ("one\r\ntwo\r\nthree\r\n", "\x1b[2J\x1b[Hagain\r\n", "again", Some("again")),
            ("\u{4f60}\u{597d}> ", "\u{4f60}\r\n", "\u{4f60}$", Some("\u{4f60}\u{597d}> \u{4f60}")),
            // A line that has wrapped.
            (&"x".repeat(45), "yes\r\n", "x", None),
            (&"x".repeat(45), "yes\r\n", "yes", Some(&format!("{}yes", "x".repeat(45)))),
        ] {
            for history in [0, 40] {
                let mut terminal = Terminal::new(Size { rows: 5, cols: 20 }, 1 << 20);
                terminal.feed("ready ok done 100% again yes\r\n".repeat(history).as_bytes());
                terminal.feed(before.as_bytes());
                let mut after = After::now(&terminal);
                let mut search = Search::after(&after);
                assert_eq!(finds_after(pattern, &terminal, &mut after, &mut search), None, "{before:?}");
                terminal.feed(then.as_bytes());
                let line = finds_after(pattern, &terminal, &mut after, &mut search);
                assert_eq!(line.as_deref(), found, "{before:?}, then {then:?}");
            }
        }
    }
}
