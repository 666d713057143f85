//! Somebody waiting for a run to end, print something or fall silent.

use std::time::{Duration, Instant};

use regex::Regex;
use tokio::sync::oneshot;

use crate::{
    protocol::{Code, Error, Exit, Result, Until, WaitReason, WaitReply, compile_pattern},
    term::Terminal,
};

/// So much of a line is searched before others have their turn.
const PIECE: usize = 8 << 10;

/// Pieces of a line overlap by so much: what matches is found whole if it is not longer.
const OVERLAP: usize = 1 << 10;

/// A pattern that has been searched for so long, at less than so many bytes a second, is given up: it would take all of
/// the run's time. Others go through a hundred times as much.
const PATIENCE: Duration = Duration::from_millis(200);
const LEAST_BYTES_A_SECOND: u128 = 1 << 20;

/// What is waited for, checked.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The run's end.
    Exit,
    /// A line that matches.
    Pattern(Regex),
    /// This long without output.
    Idle(Duration),
}

impl Condition {
    /// Checks a wish.
    ///
    /// # Errors
    /// `invalid_params` when the pattern is not a regular expression, or too large a one.
    pub fn new(until: &Until) -> Result<Self> {
        Ok(match until {
            Until::Exit => Self::Exit,
            Until::IdleMs(ms) => Self::Idle(Duration::from_millis(*ms)),
            Until::Pattern(pattern) => Self::Pattern(compile_pattern("pattern", pattern)?),
        })
    }
}

pub struct Waiter {
    condition: Condition,
    search: Search,
    answer: Option<oneshot::Sender<Result<WaitReply>>>,
}

impl Waiter {
    pub fn new(condition: Condition, answer: oneshot::Sender<Result<WaitReply>>) -> Self {
        Self { condition, search: Search::default(), answer: Some(answer) }
    }

    /// It has its answer, or nobody waits for one any more.
    pub fn is_done(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Looks whether what is waited for has come. Returns false when the time was up before all was looked at.
    pub fn check(&mut self, terminal: &Terminal, last_output: Instant, ended: Option<Exit>, until: Instant) -> bool {
        if self.is_done() {
            return true;
        }
        let found = match &self.condition {
            Condition::Exit => None,
            Condition::Pattern(pattern) => match self.search.go_on(pattern, terminal, until) {
                Found::Nothing => None,
                Found::Line(line) => Some(Ok(WaitReply { reason: WaitReason::Pattern, exit: None, line: Some(line) })),
                Found::NotYet => return false,
                Found::TooSlow => Some(Err(Error::new(
                    Code::ResourceExhausted,
                    format!(
                        "pattern is {:?}: searching the output for it takes too long; make it simpler, with fewer \
                         repetitions inside repetitions",
                        pattern.as_str()
                    ),
                ))),
            },
            Condition::Idle(silence) => (ended.is_none() && last_output.elapsed() >= *silence)
                .then_some(Ok(WaitReply { reason: WaitReason::Idle, exit: None, line: None })),
        };
        let end = || ended.map(|exit| Ok(WaitReply { reason: WaitReason::Exit, exit: Some(exit), line: None }));
        if let Some(reply) = found.or_else(end)
            && let Some(answer) = self.answer.take()
        {
            let _ = answer.send(reply);
        }
        true
    }

    /// When the clock alone may bring what is waited for.
    pub fn deadline(&self, last_output: Instant) -> Option<Instant> {
        match self.condition {
            Condition::Idle(silence) if !self.is_done() => Some(last_output + silence),
            _ => None,
        }
    }
}

enum Found {
    Nothing,
    /// The first line that matches.
    Line(String),
    /// There is more to search, another time.
    NotYet,
    TooSlow,
}

/// How far a run's output has been searched.
#[derive(Debug, Default)]
struct Search {
    /// The transcript's row to go on from, and where in the line that begins there.
    next_row: u64,
    at: usize,
    /// What it took so far.
    spent: Duration,
    bytes: u128,
}

impl Search {
    /// Goes on in the transcript, and then on the screen.
    fn go_on(&mut self, pattern: &Regex, terminal: &Terminal, until: Instant) -> Found {
        let transcript = terminal.transcript();
        if self.next_row < transcript.first() {
            (self.next_row, self.at) = (transcript.first(), 0);
        }
        let (mut line, mut next) = (String::new(), self.next_row);
        for row in transcript.rows_from(self.next_row) {
            line.push_str(&row.line.text);
            next += 1;
            if row.wrapped && next < transcript.end() {
                continue;
            }
            match self.line(pattern, &line, until) {
                Found::Nothing => (self.next_row, self.at) = (next, 0),
                Found::Line(_) => return Found::Line(line),
                found => return found,
            }
            line.clear();
        }
        for row in terminal.rows() {
            match self.line(pattern, &row.text, until) {
                Found::Nothing => self.at = 0,
                Found::NotYet => {
                    // The screen changes: it is searched from its top again.
                    self.at = 0;
                    return Found::NotYet;
                }
                found => return found,
            }
        }
        Found::Nothing
    }

    /// Goes on in a line.
    fn line(&mut self, pattern: &Regex, line: &str, until: Instant) -> Found {
        loop {
            let begun = Instant::now();
            if begun >= until {
                return Found::NotYet;
            }
            let end = boundary(line, self.at.saturating_add(PIECE));
            // Before the line's end, what reaches to the end of the piece may go on behind it, and is found in the next.
            let fits = |found: regex::Match<'_>| end == line.len() || found.end() < end;
            let is_found = pattern.find_at(&line[..end], self.at).is_some_and(fits);
            self.spent += begun.elapsed();
            self.bytes += (end - self.at) as u128;
            if is_found {
                return Found::Line(line.to_owned());
            }
            if self.spent > PATIENCE && self.bytes * 1_000_000 < LEAST_BYTES_A_SECOND * self.spent.as_micros() {
                return Found::TooSlow;
            }
            if end == line.len() {
                return Found::Nothing;
            }
            self.at = boundary(line, end - OVERLAP);
        }
    }
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
        match Search::default().go_on(&Regex::new(pattern).unwrap(), terminal, later()) {
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
            }
        }
    }

    #[test]
    fn a_search_that_is_interrupted_goes_on_where_it_was() {
        let mut terminal = Terminal::new(Size { rows: 3, cols: 80 }, 1 << 20);
        terminal.feed(format!("{}needle\r\n\r\n\r\n\r\n", "x".repeat(20 * PIECE)).as_bytes());
        let (pattern, mut search) = (Regex::new("needle").unwrap(), Search::default());
        assert!(matches!(search.go_on(&pattern, &terminal, Instant::now()), Found::NotYet));
        search.at = 19 * PIECE;
        assert!(matches!(search.go_on(&pattern, &terminal, later()), Found::Line(_)));
        assert!(search.bytes < 3 * PIECE as u128, "it began where it had come to");
    }

    #[test]
    fn a_pattern_that_takes_too_long_is_given_up() {
        let mut terminal = Terminal::new(Size { rows: 3, cols: 80 }, 1 << 20);
        terminal.feed("a".repeat(400_000).as_bytes());
        let pattern = Regex::new("(a{1,100}){1,100}c").unwrap();
        assert!(matches!(Search::default().go_on(&pattern, &terminal, later()), Found::TooSlow));
    }
}
