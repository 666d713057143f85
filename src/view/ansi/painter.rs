//! Draws rows with escape sequences, and tracks the client's cursor and style.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::sgr;
use crate::{
    protocol::{Paint, SpanLine, Style},
    view::grapheme::{Grapheme, graphemes},
};

/// Unchanged columns between two changes that take no more bytes than this are written again: to step over them
/// takes as many.
const STEP_BYTES: usize = 5;

/// A coloured run of blanks to the end of a row that is longer than this is erased in its colour instead.
const ERASE_COLUMNS: usize = 4;

/// A client's emulator, as the sequences written so far leave it.
#[derive(Clone)]
pub struct Painter<'a> {
    pub data: String,
    cols: usize,
    /// Where its cursor is, as far as that is known: after the last column, and after characters whose width
    /// terminals do not agree on, the column is not.
    row: Option<usize>,
    col: Option<usize>,
    /// The default when none.
    style: Option<&'a Style>,
}

impl<'a> Painter<'a> {
    /// One that writes in the default style.
    pub fn new(cols: usize, cursor: Option<(usize, usize)>) -> Self {
        let (row, col) = cursor.unzip();
        Self { data: String::new(), cols, row, col, style: None }
    }

    /// Writes a sequence that neither moves the cursor nor changes the style.
    pub fn raw(&mut self, sequence: &str) {
        self.data.push_str(sequence);
    }

    /// The cursor may be anywhere now.
    pub fn forget_cursor(&mut self) {
        (self.row, self.col) = (None, None);
    }

    pub fn go_to(&mut self, row: usize, col: usize) {
        if self.row != Some(row) {
            // Writing to a String cannot fail.
            let _ = match (row, col) {
                (0, 0) => write!(self.data, "\x1b[H"),
                (row, 0) => write!(self.data, "\x1b[{}H", row + 1),
                (row, col) => write!(self.data, "\x1b[{};{}H", row + 1, col + 1),
            };
        } else if self.col != Some(col) {
            let _ = match self.col {
                _ if col == 0 => write!(self.data, "\r"),
                Some(from) if from + 1 == col => write!(self.data, "\x1b[C"),
                Some(from) if from < col => write!(self.data, "\x1b[{}C", col - from),
                _ => write!(self.data, "\x1b[{}G", col + 1),
            };
        }
        (self.row, self.col) = (Some(row), Some(col));
    }

    /// Goes to a row, whatever the column.
    pub fn go_to_row(&mut self, row: usize) {
        if self.row != Some(row) {
            self.go_to(row, 0);
        }
    }

    /// To the beginning of the next row. In the last row of a scrolling region that scrolls it.
    pub fn newline(&mut self, last_row: usize) {
        self.set_style(None);
        self.data.push_str(if self.col == Some(0) { "\n" } else { "\r\n" });
        self.row = self.row.map(|row| (row + 1).min(last_row));
        self.col = Some(0);
    }

    /// Sets the scrolling region to the rows from `top` to `bottom`, one past the last; all of them for none.
    pub fn region(&mut self, rows: Option<(usize, usize)>) {
        let _ = match rows {
            Some((top, bottom)) => write!(self.data, "\x1b[{};{bottom}r", top + 1),
            None => write!(self.data, "\x1b[r"),
        };
        self.forget_cursor();
    }

    /// Scrolls the region; blank rows come in.
    pub fn scroll(&mut self, by: usize, up: bool) {
        self.set_style(None);
        let letter = if up { 'S' } else { 'T' };
        let _ = match by {
            1 => write!(self.data, "\x1b[{letter}"),
            _ => write!(self.data, "\x1b[{by}{letter}"),
        };
    }

    /// Erases from the cursor to the end of its row, in the default style.
    fn erase_to_end(&mut self) {
        self.set_style(None);
        self.data.push_str("\x1b[K");
    }

    pub fn set_style(&mut self, style: Option<&'a Style>) {
        let plain = Style::default();
        sgr::change(&mut self.data, self.style.unwrap_or(&plain), style.unwrap_or(&plain));
        self.style = style;
    }

    /// Writes a line into a row that is blank.
    pub fn fill_row(&mut self, row: usize, line: &'a SpanLine) {
        self.change_row(row, &SpanLine::default(), line);
    }

    /// Rewrites what differs in a row.
    pub fn change_row(&mut self, row: usize, old: &SpanLine, new: &'a SpanLine) {
        if std::ptr::eq(old, new) || old == new {
            return;
        }
        let (before, after) = (graphemes(old), graphemes(new));
        let width = |all: &[Grapheme]| all.last().map_or(0, |last| last.col + last.width);
        let (was, is) = (width(&before), width(&after));
        let mut changes = Changes { before: &before, after: &after, at: 0, old: 0, was };
        while let Some((from, to)) = changes.next() {
            self.go_to(row, after[from].col);
            self.write(row, &after[from..to], to == after.len() && is == self.cols);
        }
        if is < was {
            self.go_to(row, is);
            self.erase_to_end();
        }
    }

    /// Writes graphemes from where the cursor is. `to_the_end`: the last of them is in the row's last column.
    fn write(&mut self, row: usize, all: &[Grapheme<'a>], to_the_end: bool) {
        let blanks = if to_the_end { blanks_at_end(all) } else { 0 };
        let (text, blanks) = all.split_at(all.len() - blanks);
        for (n, grapheme) in text.iter().enumerate() {
            self.set_style(grapheme.style);
            self.data.push_str(grapheme.text);
            let next = grapheme.col + grapheme.width;
            self.col = (next < self.cols && !is_disputed(grapheme)).then_some(next);
            if self.col.is_none() && next < self.cols && n + 1 < all.len() {
                let _ = write!(self.data, "\x1b[{}G", next + 1);
                self.col = Some(next);
            }
        }
        if let Some(first) = blanks.first() {
            self.set_style(first.style);
            self.data.push_str("\x1b[K");
        }
        self.row = Some(row);
    }

    /// What has been written, ending in the default style.
    pub fn finish(mut self) -> String {
        self.set_style(None);
        self.data
    }
}

/// How many blanks at the end have a background and nothing else: as many as erasing makes. None when too few.
fn blanks_at_end(all: &[Grapheme]) -> usize {
    let Some(style) = all.last().and_then(|last| last.style) else { return 0 };
    if (Style { bg: Paint::Default, ..style.clone() }) != Style::default() {
        return 0;
    }
    let blanks = all.iter().rev().take_while(|grapheme| grapheme.text == " " && grapheme.style == Some(style)).count();
    if blanks > ERASE_COLUMNS { blanks } else { 0 }
}

/// The stretches of a row that are to be written, by their first and the one past their last grapheme.
struct Changes<'a> {
    before: &'a [Grapheme<'a>],
    after: &'a [Grapheme<'a>],
    at: usize,
    old: usize,
    /// How many columns the row had.
    was: usize,
}

impl Changes<'_> {
    /// Whether the client has this grapheme in this place already.
    fn is_there(&mut self, grapheme: &Grapheme) -> bool {
        while self.before.get(self.old).is_some_and(|old| old.col < grapheme.col) {
            self.old += 1;
        }
        match self.before.get(self.old) {
            Some(old) if old.col == grapheme.col => old.looks_like(grapheme),
            // Within a wide character, or past the end of what was there.
            _ => grapheme.col >= self.was && grapheme.is_plain_blank(),
        }
    }

    fn next(&mut self) -> Option<(usize, usize)> {
        let all = self.after;
        while self.at < all.len() && self.is_there(&all[self.at]) {
            self.at += 1;
        }
        let from = self.at;
        let mut to = from;
        let mut same_bytes = 0;
        while self.at < all.len() && same_bytes <= STEP_BYTES {
            let grapheme = &all[self.at];
            if self.is_there(grapheme) {
                // Another style costs as much as stepping over it.
                same_bytes += if grapheme.style == all[from].style { grapheme.text.len() } else { STEP_BYTES + 1 };
            } else {
                (to, same_bytes) = (self.at + 1, 0);
            }
            self.at += 1;
        }
        (from < to).then_some((from, to))
    }
}

/// Whether terminals do not agree on the grapheme's width.
fn is_disputed(grapheme: &Grapheme) -> bool {
    if grapheme.text.is_ascii() {
        return false;
    }
    let mut chars = grapheme.text.chars();
    let Some(c) = chars.next() else { return false };
    chars.next().is_some() || (grapheme.width > 1 && !is_plain_wide(c)) || is_symbol(c) || c.width() == Some(0)
}

/// Wide in every terminal: CJK, Hangul, kana, full-width forms.
fn is_plain_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}')
}

/// Symbols that some terminals show as wide emoji, others as narrow text, and private-use icons.
fn is_symbol(c: char) -> bool {
    matches!(c, '\u{203c}' | '\u{2049}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}' |
        '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '\u{e000}'..='\u{f8ff}' | '\u{1f000}'..='\u{1faff}' | '\u{f0000}'..)
}

/// A line's text with its looks, ending in the default look.
#[must_use]
pub fn encode_line(line: &SpanLine) -> String {
    let mut data = String::with_capacity(line.text.len() + line.spans.len() * 12);
    let plain = Style::default();
    let mut style = &plain;
    let mut at = 0;
    for span in &line.spans {
        if at < span.start {
            sgr::change(&mut data, style, &plain);
            style = &plain;
            data.push_str(&line.text[at..span.start]);
        }
        sgr::change(&mut data, style, &span.style);
        style = &span.style;
        data.push_str(&line.text[span.start..span.end]);
        at = span.end;
    }
    sgr::change(&mut data, style, &plain);
    data.push_str(&line.text[at..]);
    data
}
