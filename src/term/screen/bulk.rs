//! The screen's part of the fast path for floods (see [`crate::term::bulk`]).

use alacritty_terminal::{
    grid::Dimensions,
    index::{Column, Line},
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{Color, Handler, NamedColor, StandardCharset},
};

use super::Screen;
use crate::{
    protocol::{Span, SpanLine, Style},
    term::{columns, line, parse::Sgr},
};

/// A row that is made from output.
struct Making<'a> {
    line: &'a mut SpanLine,
    /// Its columns, and where its text ends that is not blank.
    width: usize,
    end: usize,
    /// The last span goes on.
    is_open: bool,
    /// What comes next looks as what came last.
    looks_as_before: bool,
}

impl Screen {
    pub fn columns(&self) -> usize {
        self.term.columns()
    }

    /// Whether each further line scrolls the whole primary screen by its rows and changes nothing else.
    pub fn scrolls_by_lines(&self) -> bool {
        let (mode, cursor) = (self.term.mode(), &self.term.grid().cursor);
        let plain = cursor.template.extra.is_none()
            && matches!(cursor.template.bg, Color::Named(NamedColor::Background))
            && cursor.charsets[self.charset] == StandardCharset::Ascii;
        mode.contains(TermMode::LINE_WRAP)
            && !mode.intersects(TermMode::ALT_SCREEN | TermMode::INSERT)
            && self.update.is_none()
            && self.region == (0, self.lines())
            && cursor.point.line.0 + 1 == self.lines()
            && plain
    }

    /// Whether the cursor is at the start of an empty row.
    pub fn is_at_empty_row(&self) -> bool {
        let grid = self.term.grid();
        let (point, empty) = (grid.cursor.point, Cell::default());
        let row = &grid[point.line];
        point.column == 0 && !grid.cursor.input_needs_wrap && (0..self.columns()).all(|col| row[Column(col)] == empty)
    }

    /// All rows but the last scroll off.
    pub fn keep_above_bottom(&mut self) {
        (0..self.lines() - 1).for_each(|row| self.keep(row));
    }

    /// The rows that were on it have scrolled off, and the cursor is at the top of an empty screen.
    pub fn empty(&mut self) {
        let (lines, cols) = (self.lines(), self.columns());
        let grid = self.term.grid_mut();
        for line in (0..lines).map(Line) {
            for col in (0..cols).map(Column) {
                grid[line][col] = Cell::default();
            }
        }
        grid.cursor.point.line = Line(0);
        grid.cursor.point.column = Column(0);
        grid.cursor.input_needs_wrap = false;
        self.damage.all();
    }

    /// Puts a line of text and colours, with its end, into the transcript, as if it had been drawn and had scrolled
    /// off. Returns its last character, if it has one.
    pub fn commit_to_transcript(&mut self, mut bytes: &[u8]) -> Option<char> {
        let cols = self.columns();
        let mut line = std::mem::take(&mut self.scratch);
        let mut making = Making::begin(&mut line);
        let (mut look, mut last) = (self.look(), None);
        loop {
            let end = bytes.iter().position(|byte| matches!(byte, 0x1b | b'\r'));
            let (text, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            // It has been looked at, and is text.
            let mut text = str::from_utf8(text).unwrap_or_default();
            last = text.chars().next_back().or(last);
            while !text.is_empty() {
                if making.width == cols {
                    making.finish_wrapped();
                    self.transcript.push(making.line, true);
                    making = Making::begin(making.line);
                }
                let room = cols - making.width;
                let (fits, more) = text.split_at(if text.is_ascii() {
                    text.len().min(room)
                } else {
                    text.char_indices().nth(room).map_or(text.len(), |(at, _)| at)
                });
                making.add(fits, &look);
                text = more;
            }
            let Ok(sgr) = Sgr::read(rest) else { break };
            let before = self.attributes();
            for attribute in sgr.attributes().flatten() {
                self.term.terminal_attribute(attribute);
            }
            if self.attributes() != before {
                look = self.look();
                making.looks_as_before = false;
            }
            bytes = &rest[sgr.length()..];
        }
        making.finish();
        self.transcript.push(making.line, false);
        self.scratch = line;
        last
    }

    /// All that decides how the next character will look, since there is nothing else in lines that pass by.
    fn attributes(&self) -> (Color, Color, Flags) {
        let template = &self.term.grid().cursor.template;
        (template.fg, template.bg, template.flags)
    }

    /// How the next character will look, and whether a blank can be seen.
    fn look(&self) -> (Style, bool) {
        let template = &self.term.grid().cursor.template;
        (line::style(template, self.term.colors()), !line::is_blank(template))
    }
}

impl<'a> Making<'a> {
    fn begin(line: &'a mut SpanLine) -> Self {
        line.text.clear();
        line.spans.clear();
        Self { line, width: 0, end: 0, is_open: false, looks_as_before: false }
    }

    fn add(&mut self, text: &str, (style, blanks_show): &(Style, bool)) {
        let start = self.line.text.len();
        if !std::mem::replace(&mut self.looks_as_before, true) {
            self.begin_span(start, style);
        }
        self.line.text.push_str(text);
        self.width += if text.is_ascii() { text.len() } else { text.chars().map(columns).sum() };
        let seen = if *blanks_show { text.len() } else { text.trim_end_matches(' ').len() };
        if seen > 0 {
            self.end = start + seen;
        }
    }

    fn begin_span(&mut self, start: usize, style: &Style) {
        let before = self.line.spans.last_mut().filter(|_| self.is_open);
        if before.as_ref().is_some_and(|before| before.style == *style) {
            return;
        }
        if let Some(before) = before {
            before.end = start;
        }
        self.is_open = *style != Style::default();
        if self.is_open {
            self.line.spans.push(Span { start, end: start, style: style.clone() });
        }
    }

    /// It goes on in the next row: the blanks at its end are its own.
    fn finish_wrapped(&mut self) {
        self.end = self.line.text.len();
        self.finish();
    }

    fn finish(&mut self) {
        let Self { line, end, is_open, .. } = self;
        if *is_open && let Some(last) = line.spans.last_mut() {
            last.end = line.text.len();
        }
        line.text.truncate(*end);
        while line.spans.pop_if(|span| span.start >= *end).is_some() {}
        if let Some(last) = line.spans.last_mut() {
            last.end = last.end.min(*end);
        }
    }
}
