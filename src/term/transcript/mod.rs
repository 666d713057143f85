//! The text that has left the screen, bounded in bytes.

mod packed;

use std::{collections::VecDeque, mem};

use crate::{
    protocol::SpanLine,
    term::{
        columns,
        saved::{SavedRow, SavedTranscript},
    },
};
use packed::Packed;

/// Rows are kept in pieces of this size, so that old ones can be given back without moving the others.
const CHUNK_MAX: usize = 16 << 10;

/// One row that left the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its text and style runs.
    pub line: SpanLine,
    /// Its line goes on in the next row.
    pub wrapped: bool,
}

/// Some rows in one piece of memory.
#[derive(Debug)]
struct Chunk {
    /// The number of its first row.
    first: u64,
    bytes: Vec<u8>,
    /// Where each row begins.
    starts: Vec<u32>,
}

impl Chunk {
    fn row(&self, at: usize) -> &[u8] {
        &self.bytes[self.starts[at] as usize..self.end_of(at)]
    }

    fn end_of(&self, at: usize) -> usize {
        self.starts.get(at + 1).map_or(self.bytes.len(), |start| *start as usize)
    }

    /// What it takes of memory.
    fn cost(&self) -> usize {
        mem::size_of::<Self>() + self.bytes.capacity() + self.starts.capacity() * mem::size_of::<u32>()
    }
}

/// The rows that left one terminal's screen, oldest first, numbered from 0 for the terminal's life.
#[derive(Debug)]
pub struct Transcript {
    chunks: VecDeque<Chunk>,
    first: u64,
    end: u64,
    /// What all chunks take, and what of it is rows that are still held.
    bytes: usize,
    held: usize,
    limit: usize,
    dropped_bytes: u64,
    cuts: u64,
    cleared_at: u64,
    /// Room to pack a row in.
    runs: Vec<u8>,
    packed: Vec<u8>,
}

impl Transcript {
    /// An empty transcript. When it takes more than `limit` bytes of memory, text, style runs, links and what holds
    /// them together, it is cut to its last half, at a line's start.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            first: 0,
            end: 0,
            bytes: 0,
            held: 0,
            limit,
            dropped_bytes: 0,
            cuts: 0,
            cleared_at: 0,
            runs: Vec::new(),
            packed: Vec::new(),
        }
    }

    pub(super) fn save(&self) -> SavedTranscript {
        SavedTranscript {
            rows: self.rows_from(self.first).map(|Row { line, wrapped }| SavedRow { line, wrapped }).collect(),
            first: self.first,
            limit: self.limit,
            dropped_bytes: self.dropped_bytes,
            cuts: self.cuts,
            cleared_at: self.cleared_at,
        }
    }

    pub(super) fn restore(saved: SavedTranscript) -> Self {
        let mut transcript = Self::new(saved.limit);
        (transcript.first, transcript.end) = (saved.first, saved.first);
        // Packed anew it may take a little more than it did, which is no reason to cut it.
        saved.rows.iter().for_each(|SavedRow { line, wrapped }| transcript.append(line, *wrapped));
        (transcript.dropped_bytes, transcript.cuts) = (saved.dropped_bytes, saved.cuts);
        transcript.cleared_at = saved.cleared_at;
        transcript
    }

    /// Takes a row in.
    pub fn push(&mut self, line: &SpanLine, wrapped: bool) {
        self.append(line, wrapped);
        if self.bytes > self.limit {
            self.cut();
        }
    }

    fn append(&mut self, line: &SpanLine, wrapped: bool) {
        self.packed.clear();
        packed::write(line, wrapped, &mut self.runs, &mut self.packed);
        let length = self.packed.len();
        if self.chunks.back().is_none_or(|chunk| chunk.bytes.len() + length > self.chunk_size()) {
            self.add_chunk(length);
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        let cost = chunk.cost();
        // A chunk is at most its size or one row, and a row a screen's width of characters and looks.
        chunk.starts.push(u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX));
        chunk.bytes.extend_from_slice(&self.packed);
        self.bytes += chunk.cost() - cost;
        self.held += held_by(length);
        self.end += 1;
    }

    fn chunk_size(&self) -> usize {
        (self.limit / 16).clamp(256, CHUNK_MAX)
    }

    /// Begins a piece of memory, and gives back what the one before has too much.
    fn add_chunk(&mut self, least: usize) {
        if let Some(full) = self.chunks.back_mut() {
            let cost = full.cost();
            full.starts.shrink_to_fit();
            self.bytes -= cost - full.cost();
        }
        // The first grows as it is needed: most sessions print little.
        let size = if self.chunks.is_empty() { 0 } else { self.chunk_size().max(least) };
        let chunk = Chunk { first: self.end, bytes: Vec::with_capacity(size), starts: Vec::new() };
        self.bytes += chunk.cost();
        self.chunks.push_back(chunk);
    }

    /// Cuts to the last half, at a line's start; within a line that alone is longer than a quarter.
    fn cut(&mut self) {
        let keep = self.limit / 2;
        let mut inside_a_line = false;
        while self.first < self.end && (self.held > keep || inside_a_line && self.held > keep / 2) {
            inside_a_line = self.drop_first();
        }
        while let Some(chunk) = self.chunks.front()
            && chunk.first + chunk.starts.len() as u64 <= self.first
        {
            self.bytes -= chunk.cost();
            self.chunks.pop_front();
        }
        self.runs.shrink_to(CHUNK_MAX);
        self.packed.shrink_to(CHUNK_MAX);
        self.cuts += 1;
    }

    /// Lets go of the oldest row; whether its line goes on.
    fn drop_first(&mut self) -> bool {
        let row = self.bytes_of(self.first).unwrap_or_default();
        let (length, Packed { text, wrapped, .. }) = (row.len(), Packed::read(row));
        self.dropped_bytes += text.len() as u64 + u64::from(!wrapped);
        self.held -= held_by(length);
        self.first += 1;
        wrapped
    }

    /// Gives it another limit; what is over it goes.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        if self.bytes > limit {
            self.cut();
        }
    }

    fn place(&self, number: u64) -> Option<(usize, usize)> {
        let chunk = self.chunks.partition_point(|chunk| chunk.first <= number).checked_sub(1)?;
        let row = usize::try_from(number - self.chunks[chunk].first).ok()?;
        (row < self.chunks[chunk].starts.len()).then_some((chunk, row))
    }

    fn bytes_of(&self, number: u64) -> Option<&[u8]> {
        self.place(number).map(|(chunk, row)| self.chunks[chunk].row(row))
    }

    /// Takes the newest row back, if it is as asked.
    pub(super) fn pop_if(&mut self, is_fine: impl FnOnce(&Row) -> bool) -> Option<Row> {
        let row = (self.first < self.end).then(|| self.row(self.end - 1)).flatten().filter(is_fine)?;
        let chunk = self.chunks.back_mut()?;
        let start = chunk.starts.pop()? as usize;
        self.held -= held_by(chunk.bytes.len() - start);
        chunk.bytes.truncate(start);
        self.end -= 1;
        if chunk.starts.is_empty() {
            self.bytes -= chunk.cost();
            self.chunks.pop_back();
        }
        Some(row)
    }

    /// Forgets all rows, because the program cleared its scrollback.
    pub(super) fn clear(&mut self) {
        self.first = self.end;
        self.cleared_at = self.end;
        self.chunks = VecDeque::new();
        (self.bytes, self.held) = (0, 0);
    }

    /// The number of the oldest row still held.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the number of the newest row.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
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

    /// What it takes of memory, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// One row, while it is held.
    #[must_use]
    pub fn row(&self, number: u64) -> Option<Row> {
        let packed = Packed::read(self.bytes_of(number).filter(|_| number >= self.first)?);
        Some(Row { line: packed.line(), wrapped: packed.wrapped })
    }

    /// The link in a row at a column in cells, from 0.
    #[must_use]
    pub fn link(&self, number: u64, col: usize) -> Option<String> {
        let line = self.row(number)?.line;
        let mut next = 0;
        let (at, _) = line.text.char_indices().find(|(_, c)| {
            next += columns(*c);
            next > col
        })?;
        let span = line.spans.iter().find(|span| span.start <= at && at < span.end)?;
        span.style.link.as_deref().map(str::to_owned)
    }

    /// Whether a row's line goes on in the next.
    pub(super) fn is_wrapped(&self, number: u64) -> bool {
        number >= self.first && self.bytes_of(number).is_some_and(|row| Packed::read(row).wrapped)
    }

    fn packed_from(&self, from: u64) -> impl Iterator<Item = Packed<'_>> {
        let (chunk, mut row) = self.place(from.max(self.first)).unwrap_or((self.chunks.len(), 0));
        self.chunks.range(chunk..).flat_map(move |chunk| {
            let rows = mem::take(&mut row)..chunk.starts.len();
            rows.map(|row| Packed::read(chunk.row(row)))
        })
    }

    /// The rows from number `from` (or the oldest that is held) on.
    pub fn rows_from(&self, from: u64) -> impl Iterator<Item = Row> + '_ {
        self.packed_from(from).map(|packed| Row { line: packed.line(), wrapped: packed.wrapped })
    }

    /// The same as text alone, each with whether its line goes on in the next.
    pub fn texts_from(&self, from: u64) -> impl Iterator<Item = (&str, bool)> {
        self.packed_from(from).map(|packed| (packed.text, packed.wrapped))
    }

    /// The rows with soft-wrapped ones joined to lines.
    pub fn lines_from(&self, from: u64) -> impl Iterator<Item = SpanLine> + '_ {
        let mut rows = self.packed_from(from).peekable();
        std::iter::from_fn(move || {
            let mut line = SpanLine::default();
            rows.peek()?;
            for row in rows.by_ref() {
                row.append_to(&mut line);
                if !row.wrapped {
                    break;
                }
            }
            Some(line)
        })
    }
}

/// What a row takes: its bytes, and where it begins.
fn held_by(length: usize) -> usize {
    length + mem::size_of::<u32>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::{Paint, Span, Style};

    fn line(text: &str) -> SpanLine {
        SpanLine { text: text.to_owned(), spans: Vec::new() }
    }

    #[test]
    fn over_its_limit_it_keeps_the_last_half_from_a_lines_start() {
        let mut transcript = Transcript::new(20_000);
        for n in 0..1000 {
            let cuts = transcript.cuts();
            transcript.push(&line(&format!("start {n} ")), true);
            transcript.push(&line("end"), false);
            assert!(transcript.bytes() <= 20_000);
            if transcript.cuts() > cuts {
                assert!((9_000..=13_000).contains(&transcript.bytes()), "{} after a cut", transcript.bytes());
            }
        }
        assert!(transcript.first() > 0);
        assert_eq!(transcript.end(), 2000);
        assert!(transcript.cuts() > 0 && transcript.dropped_bytes() > 0);
        let lines: Vec<_> = transcript.lines_from(0).map(|line| line.text).collect();
        assert!(lines.iter().all(|line| line.starts_with("start ") && line.ends_with("end")), "cut inside a line");
        assert_eq!(lines.last().map(String::as_str), Some("start 999 end"));
        assert_eq!(transcript.rows_from(transcript.first()).count() as u64, transcript.end() - transcript.first());
    }

    #[test]
    fn everything_a_row_holds_counts() {
        let link: Arc<str> = "x".repeat(1000).into();
        let linked = SpanLine {
            text: "a".to_owned(),
            spans: vec![Span { start: 0, end: 1, style: Style { link: Some(link), ..Style::default() } }],
        };
        let mut coloured = line(&"ab".repeat(50));
        for at in 0..50 {
            let style = Style { fg: Paint::Rgb(1, 2, at), ..Style::default() };
            coloured.spans.push(Span { start: usize::from(at) * 2, end: usize::from(at) * 2 + 1, style });
        }
        for (what, fewest, most) in [(linked, 200, 500), (coloured, 500, 1200), (line(""), 50_000, 100_000)] {
            let mut transcript = Transcript::new(500_000);
            while transcript.cuts() == 0 {
                transcript.push(&what, false);
            }
            assert!((fewest..most).contains(&transcript.end()), "{} rows", transcript.end());
            assert_eq!(transcript.rows_from(0).next().unwrap().line, what);
        }
    }

    #[test]
    fn a_line_without_end_is_cut_inside() {
        let mut transcript = Transcript::new(20_000);
        for _ in 0..10_000 {
            transcript.push(&line("0123456789"), true);
            assert!(transcript.bytes() <= 20_000);
        }
        let kept = transcript.lines_from(0).next().unwrap().text.len();
        assert!(kept > 2_000, "{kept} bytes of it are kept");
    }

    #[test]
    fn numbers_go_on_after_a_clear() {
        let mut transcript = Transcript::new(20_000);
        transcript.push(&line("a"), false);
        transcript.clear();
        transcript.push(&line("b"), false);
        assert_eq!((transcript.first(), transcript.end(), transcript.cleared_at()), (1, 2, 1));
        assert_eq!(transcript.rows_from(0).count(), 1);
        assert_eq!(transcript.row(0), None);
    }

    #[test]
    fn rows_can_be_taken_back_down_to_the_oldest() {
        let mut transcript = Transcript::new(20_000);
        for n in 0..3000 {
            transcript.push(&line(&n.to_string()), false);
        }
        let (first, empty) = (transcript.first(), Transcript::new(0).bytes());
        for n in (first..3000).rev() {
            assert_eq!(transcript.pop_if(|_| true).unwrap().line.text, n.to_string());
        }
        assert_eq!(transcript.pop_if(|_| true), None);
        assert!(transcript.bytes() <= empty + 3000, "{} bytes for nothing", transcript.bytes());
        transcript.push(&line("again"), false);
        assert_eq!(transcript.row(first).unwrap().line.text, "again");
    }

    #[test]
    fn a_smaller_limit_cuts_at_once() {
        let mut transcript = Transcript::new(100_000);
        for n in 0..5000 {
            transcript.push(&line(&n.to_string()), false);
        }
        transcript.set_limit(10_000);
        // A piece is given back as a whole: at most the one that holds the oldest row is only half of use.
        assert!(transcript.bytes() <= 5_000 + 2 * CHUNK_MAX);
        assert_eq!(transcript.lines_from(0).last().unwrap().text, "4999");
    }
}
