//! The fast path for floods: complete lines that would scroll off before the next frame go straight to the transcript,
//! without having been cells of the grid.
//!
//! What is only lines of text and colors waits here until the terminal is read ([`super::Terminal::flush`]); by then
//! most of it has scrolled off. What comes out is the same as if each byte had been drawn at once, which a property of
//! arbitrary streams holds to (`tests/bulk_equivalence.rs`).

use std::collections::VecDeque;

use alacritty_terminal::vte::ansi::{Attr, Color, NamedColor};
use unicode_width::UnicodeWidthChar;

use super::{
    parse::{Sgr, Unread},
    screen::Screen,
};

/// Less output than this at once is no flood.
const MIN_BYTES: usize = 512;

/// A line that is longer, with its colours, is drawn as it comes.
const MAX_LINE_BYTES: usize = 8 << 10;

/// How much is drawn, at most, before it is tried again after output that was not lines alone.
const MAX_REST_BYTES: usize = 64 << 10;

/// Bytes of lines that are gone are given back together.
const MAX_GONE_BYTES: usize = 32 << 10;

/// Output that waits to be drawn: whole lines, and the beginning of the next.
#[derive(Debug)]
pub struct BulkLines {
    waiting: Vec<u8>,
    /// Where it begins: the lines before are in the transcript.
    start: usize,
    /// The whole lines of it.
    lines: VecDeque<Whole>,
    /// Their rows together.
    rows: usize,
    /// How much of it has been looked at: the whole lines, and of the next so much as is understood.
    seen: usize,
    next: Next,
    /// Nothing that was drawn is on the screen any more.
    replaced: bool,
    /// The last character of the lines that are gone.
    last: Option<char>,
    /// How much is to be drawn before it is tried again, and will be the next time.
    rest: usize,
    next_rest: usize,
}

/// What is to be drawn at last.
pub struct Flushed {
    pub bytes: Vec<u8>,
    /// Nothing of what is on the screen stays.
    pub replaces: bool,
    /// The last character of what came before it and is not drawn.
    pub last: Option<char>,
}

#[derive(Debug)]
struct Whole {
    bytes: usize,
    rows: usize,
}

/// The line that has not come whole.
#[derive(Debug, Clone, Copy, Default)]
struct Next {
    /// Where it begins.
    start: usize,
    /// Its columns.
    width: usize,
    /// There is a background that new rows would be filled with; there was one.
    background: bool,
    any_background: bool,
}

/// What stands next in the output.
enum Piece {
    /// Characters of one column each: bytes and columns.
    Text(usize, usize),
    Sgr(Sgr),
    /// CR LF.
    End,
    /// Its end has not come.
    Part,
    /// What moves more than lines do.
    Odd,
}

impl BulkLines {
    pub fn new() -> Self {
        Self {
            waiting: Vec::new(),
            start: 0,
            lines: VecDeque::new(),
            rows: 0,
            seen: 0,
            next: Next::default(),
            replaced: false,
            last: None,
            rest: 0,
            next_rest: MIN_BYTES,
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.replaced
    }

    /// Whether all that was drawn has scrolled off.
    #[cfg(test)]
    pub fn replaces(&self) -> bool {
        self.replaced
    }

    /// Whether so much output is to be tried.
    pub fn is_worth_trying(&self, bytes: usize) -> bool {
        bytes >= MIN_BYTES && self.rest == 0
    }

    /// So much was drawn as it came.
    pub fn drawn(&mut self, bytes: usize) {
        self.rest = self.rest.saturating_sub(bytes);
    }

    /// Takes lines from the beginning of the output, which begins where they may wait: at the start of an empty bottom
    /// row, or after what waits. Returns how many bytes that was. False with it: what waits is to be drawn now.
    pub fn take(&mut self, bytes: &[u8], screen: &mut Screen) -> (usize, bool) {
        let before = self.waiting.len();
        self.waiting.extend_from_slice(bytes);
        let is_fine = self.look(screen.columns());
        self.let_go(screen);
        let given_back = self.give_back();
        if is_fine {
            let is_short = self.waiting.len() - self.next.start <= MAX_LINE_BYTES;
            return (bytes.len(), is_short);
        }
        self.rest = self.next_rest;
        self.next_rest = (self.next_rest * 2).min(MAX_REST_BYTES);
        // Up to the line that is not one; of that line, what waited before.
        let end = (self.next.start + given_back).max(before);
        self.waiting.truncate(end - given_back);
        (end - before, false)
    }

    /// What is to be drawn now, if anything waits.
    pub fn flush(&mut self) -> Option<Flushed> {
        let anything = !self.is_empty();
        let (rest, next_rest) = (self.rest, self.next_rest);
        let Self { mut waiting, start, replaced, last, .. } =
            std::mem::replace(self, Self { rest, next_rest, ..Self::new() });
        waiting.drain(..start);
        anything.then_some(Flushed { bytes: waiting, replaces: replaced, last })
    }

    /// Looks at what has come; false when some of it is not lines alone.
    fn look(&mut self, columns: usize) -> bool {
        loop {
            match piece(&self.waiting[self.seen..]) {
                Piece::Text(bytes, width) => {
                    self.seen += bytes;
                    self.next.width += width;
                }
                Piece::Sgr(sgr) => {
                    for attribute in sgr.attributes() {
                        match attribute {
                            None => return false,
                            Some(Attr::Reset | Attr::Background(Color::Named(NamedColor::Background))) => {
                                self.next.background = false;
                            }
                            Some(Attr::Background(_)) => {
                                (self.next.background, self.next.any_background) = (true, true);
                            }
                            Some(_) => {}
                        }
                    }
                    self.seen += sgr.length();
                }
                Piece::End => {
                    let rows = self.next.width.div_ceil(columns).max(1);
                    if self.next.background || self.next.any_background && rows > 1 {
                        return false;
                    }
                    self.seen += 2;
                    self.lines.push_back(Whole { bytes: self.seen - self.next.start, rows });
                    self.rows += rows;
                    self.next = Next { start: self.seen, ..Next::default() };
                }
                Piece::Part => return true,
                Piece::Odd => return false,
            }
        }
    }

    /// Lines that have scrolled off go to the transcript.
    fn let_go(&mut self, screen: &mut Screen) {
        // The cursor's row is below them.
        let above = usize::from(screen.size().rows) - 1;
        while let Some(first) = self.lines.front()
            && self.rows - first.rows >= above
        {
            if !std::mem::replace(&mut self.replaced, true) {
                screen.keep_above_bottom();
                self.next_rest = MIN_BYTES;
            }
            let end = self.start + first.bytes;
            self.last = screen.commit_to_transcript(&self.waiting[self.start..end]).or(self.last);
            self.start = end;
            self.rows -= first.rows;
            self.lines.pop_front();
        }
    }

    /// Gives lines that are gone back, once they are many. Returns how many bytes that was.
    fn give_back(&mut self) -> usize {
        if self.start <= MAX_GONE_BYTES {
            return 0;
        }
        self.waiting.drain(..self.start);
        self.seen -= self.start;
        self.next.start -= self.start;
        std::mem::take(&mut self.start)
    }
}

fn piece(bytes: &[u8]) -> Piece {
    match bytes {
        [] | [b'\r'] => Piece::Part,
        [b' '..=b'~', ..] => {
            let count = bytes.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(bytes.len());
            Piece::Text(count, count)
        }
        [b'\r', b'\n', ..] => Piece::End,
        [0x1b, ..] => match Sgr::read(bytes) {
            Ok(sgr) => Piece::Sgr(sgr),
            Err(Unread::Incomplete) => Piece::Part,
            Err(Unread::Other) => Piece::Odd,
        },
        [0xc2..=0xff, ..] => other_text(bytes),
        _ => Piece::Odd,
    }
}

/// Text that does not begin with ASCII.
fn other_text(bytes: &[u8]) -> Piece {
    let end = bytes.iter().position(u8::is_ascii).unwrap_or(bytes.len());
    let (text, is_part) = match str::from_utf8(&bytes[..end]) {
        Ok(text) => (text, false),
        Err(error) if error.error_len().is_none() && end == bytes.len() => {
            // What is valid is text.
            (str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), true)
        }
        Err(_) => return Piece::Odd,
    };
    let count = text.chars().take_while(|c| c.width() == Some(1)).count();
    let length: usize = text.chars().take(count).map(char::len_utf8).sum();
    match (length, length == text.len() && is_part) {
        (0, true) => Piece::Part,
        (0, false) => Piece::Odd,
        _ => Piece::Text(length, count),
    }
}
