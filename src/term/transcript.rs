//! The text that has left the screen, bounded in bytes.

use std::{collections::VecDeque, mem};

use super::saved::{SavedRow, SavedTranscript};
use crate::protocol::{Span, SpanLine};

/// What a row costs beside its text: the struct itself.
const ROW_BYTES: usize = mem::size_of::<Row>();
const SPAN_BYTES: usize = mem::size_of::<Span>();

/// One row that left the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its text and style runs.
    pub line: SpanLine,
    /// Its line goes on in the next row.
    pub wrapped: bool,
}

impl Row {
    fn cost(&self) -> usize {
        ROW_BYTES + self.line.text.capacity() + self.line.spans.capacity() * SPAN_BYTES
    }
}

/// The rows that left one terminal's screen, oldest first, numbered from 0 for the terminal's life.
#[derive(Debug)]
pub struct Transcript {
    rows: VecDeque<Row>,
    first: u64,
    bytes: usize,
    limit: usize,
    dropped_bytes: u64,
    cuts: u64,
    cleared_at: u64,
}

impl Transcript {
    /// An empty transcript. When it holds more than `limit` bytes it is cut to its last half, at a line's start.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { rows: VecDeque::new(), first: 0, bytes: 0, limit, dropped_bytes: 0, cuts: 0, cleared_at: 0 }
    }

    pub(super) fn save(&self) -> SavedTranscript {
        let rows = self.rows.iter().map(|row| SavedRow { line: row.line.clone(), wrapped: row.wrapped, filler: None });
        SavedTranscript {
            rows: rows.collect(),
            first: self.first,
            limit: self.limit,
            dropped_bytes: self.dropped_bytes,
            cuts: self.cuts,
            cleared_at: self.cleared_at,
        }
    }

    pub(super) fn restore(saved: SavedTranscript) -> Self {
        let mut transcript = Self::new(usize::MAX);
        saved.rows.into_iter().for_each(|SavedRow { line, wrapped, .. }| transcript.push(Row { line, wrapped }));
        (transcript.first, transcript.limit) = (saved.first, saved.limit);
        (transcript.dropped_bytes, transcript.cuts) = (saved.dropped_bytes, saved.cuts);
        transcript.cleared_at = saved.cleared_at;
        transcript
    }

    pub(super) fn push(&mut self, mut row: Row) {
        row.line.text.shrink_to_fit();
        row.line.spans.shrink_to_fit();
        self.bytes += row.cost();
        self.rows.push_back(row);
        if self.bytes > self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let keep = self.limit / 2;
        let mut inside_a_line = false;
        while (self.bytes > keep || inside_a_line)
            && let Some(row) = self.rows.pop_front()
        {
            self.bytes -= row.cost();
            self.dropped_bytes += row.line.text.len() as u64 + u64::from(!row.wrapped);
            inside_a_line = row.wrapped;
            self.first += 1;
        }
        self.cuts += 1;
    }

    /// Says of the newest row that its line goes on.
    pub(super) fn mark_last_wrapped(&mut self) {
        if let Some(row) = self.rows.back_mut() {
            row.wrapped = true;
        }
    }

    /// Takes the newest row back, if it is as asked.
    pub(super) fn pop_if(&mut self, is_fine: impl FnOnce(&Row) -> bool) -> Option<Row> {
        let row = self.rows.back().is_some_and(is_fine).then(|| self.rows.pop_back()).flatten()?;
        self.bytes -= row.cost();
        Some(row)
    }

    /// Forgets all rows, because the program cleared its scrollback.
    pub(super) fn clear(&mut self) {
        self.first = self.end();
        self.cleared_at = self.first;
        self.rows.clear();
        self.bytes = 0;
    }

    /// The number of the oldest row still held.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the number of the newest row.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    /// Rows before this number were cleared by the program itself.
    #[must_use]
    pub fn cleared_at(&self) -> u64 {
        self.cleared_at
    }

    /// Bytes of text that were dropped under the limit.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    /// How often the limit cut it.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The rows from number `from` (or the oldest that is held) on.
    pub fn rows_from(&self, from: u64) -> impl Iterator<Item = &Row> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.rows.range(skip.min(self.rows.len())..)
    }

    /// The same with soft-wrapped rows joined to lines.
    pub fn lines_from(&self, from: u64) -> impl Iterator<Item = SpanLine> {
        let mut rows = self.rows_from(from).peekable();
        std::iter::from_fn(move || {
            let mut line = SpanLine::default();
            rows.peek()?;
            for row in rows.by_ref() {
                append(&mut line, &row.line);
                if !row.wrapped {
                    break;
                }
            }
            Some(line)
        })
    }

    pub(super) fn last_text(&self) -> Option<String> {
        self.rows.iter().rev().map(|row| row.line.text.trim()).find(|text| !text.is_empty()).map(str::to_owned)
    }
}

fn append(line: &mut SpanLine, row: &SpanLine) {
    let shift = line.text.len();
    line.text.push_str(&row.text);
    line.spans.extend(row.spans.iter().map(|span| Span {
        start: span.start + shift,
        end: span.end + shift,
        style: span.style.clone(),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, wrapped: bool) -> Row {
        Row { line: SpanLine { text: text.to_owned(), spans: Vec::new() }, wrapped }
    }

    #[test]
    fn over_its_limit_it_keeps_the_last_half_from_a_lines_start() {
        let mut transcript = Transcript::new(20_000);
        for n in 0..1000 {
            transcript.push(row(&format!("start {n} "), true));
            transcript.push(row("end", false));
            assert!(transcript.bytes <= 20_000);
        }
        assert!(transcript.first() > 0);
        assert_eq!(transcript.end(), 2000);
        assert!(transcript.cuts() > 0 && transcript.dropped_bytes() > 0);
        let lines: Vec<_> = transcript.lines_from(0).map(|line| line.text).collect();
        assert!(lines.iter().all(|line| line.starts_with("start ") && line.ends_with("end")), "cut inside a line");
        assert_eq!(lines.last().map(String::as_str), Some("start 999 end"));
    }

    #[test]
    fn numbers_go_on_after_a_clear() {
        let mut transcript = Transcript::new(20_000);
        transcript.push(row("a", false));
        transcript.clear();
        transcript.push(row("b", false));
        assert_eq!((transcript.first(), transcript.end(), transcript.cleared_at()), (1, 2, 1));
        assert_eq!(transcript.rows_from(0).count(), 1);
    }
}
