//! A line as its grapheme clusters, each in the columns that it takes up.

use crate::{
    protocol::{Span, SpanLine, Style},
    term::columns,
};

/// A grapheme cluster: a character with the combining marks over it.
#[derive(Debug, Clone, Copy)]
pub struct Grapheme<'a> {
    pub text: &'a str,
    /// None is the default style.
    pub style: Option<&'a Style>,
    /// Its first column, and how many it takes.
    pub col: usize,
    pub width: usize,
}

impl Grapheme<'_> {
    /// Whether two look the same, wherever they are.
    pub fn looks_like(&self, other: &Grapheme) -> bool {
        self.text == other.text && self.style == other.style
    }

    /// A blank without a look of its own: what an erased column holds.
    pub fn is_plain_blank(&self) -> bool {
        self.text == " " && self.style.is_none()
    }
}

/// The line's graphemes; blanks at its end that have no look of their own are left out.
pub fn graphemes(line: &SpanLine) -> Vec<Grapheme<'_>> {
    let mut all: Vec<Grapheme> = Vec::with_capacity(line.text.len());
    let mut spans = line.spans.iter().peekable();
    let (mut col, mut start) = (0, 0);
    for (at, c) in line.text.char_indices() {
        while spans.next_if(|span| span.end <= at).is_some() {}
        let style = spans.peek().filter(|span| span.start <= at).map(|span| &span.style);
        let width = if c.is_ascii() { 1 } else { columns(c) };
        let end = at + c.len_utf8();
        match all.last_mut() {
            Some(last) if width == 0 => last.text = &line.text[start..end],
            _ => {
                start = at;
                all.push(Grapheme { text: &line.text[at..end], style, col, width });
                col += width;
            }
        }
    }
    while all.pop_if(|last| last.is_plain_blank()).is_some() {}
    all
}

/// How many columns a line takes.
pub fn width(line: &SpanLine) -> usize {
    line.text.chars().map(|c| if c.is_ascii() { 1 } else { columns(c) }).sum()
}

/// A line in as many rows as it takes on a screen of `cols` columns. Lines may be older than the screen's width.
pub fn fold(line: SpanLine, cols: usize, mut take: impl FnMut(SpanLine)) {
    // A character has at least as many bytes as columns.
    if line.text.len() <= cols || width(&line) <= cols {
        return take(line);
    }
    let (mut start, mut col) = (0, 0);
    for (at, c) in line.text.char_indices() {
        let width = columns(c);
        if col + width > cols {
            take(part_of(&line, start, at));
            (start, col) = (at, 0);
        }
        col += width;
    }
    take(part_of(&line, start, line.text.len()));
}

/// The bytes `start` to `end` of a line, with their looks.
fn part_of(line: &SpanLine, start: usize, end: usize) -> SpanLine {
    let inside = |span: &&Span| span.start < end && span.end > start;
    SpanLine {
        text: line.text[start..end].to_owned(),
        spans: line
            .spans
            .iter()
            .filter(inside)
            .map(|span| Span {
                start: span.start.max(start) - start,
                end: span.end.min(end) - start,
                style: span.style.clone(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> SpanLine {
        SpanLine { text: text.to_owned(), spans: Vec::new() }
    }

    #[test]
    fn a_line_wider_than_the_screen_is_folded_between_characters() {
        let styled = SpanLine {
            text: "ab\u{4f60}cde\u{301}f".to_owned(),
            spans: vec![Span { start: 1, end: 6, style: Style { bold: true, ..Style::default() } }],
        };
        let mut rows = Vec::new();
        fold(styled, 3, |row| rows.push(row));
        let texts: Vec<_> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["ab", "\u{4f60}c", "de\u{301}f"]);
        let bold: Vec<Vec<_>> = rows.iter().map(|row| row.spans.iter().map(|s| (s.start, s.end)).collect()).collect();
        assert_eq!(bold, [vec![(1, 2)], vec![(0, 4)], vec![]]);
        let mut rows = 0;
        fold(line(""), 3, |_| rows += 1);
        assert_eq!(rows, 1, "an empty line is a row too");
    }

    #[test]
    fn marks_belong_to_the_character_before_them() {
        let line = line("e\u{301}\u{302}\u{4f60}x  ");
        let all: Vec<_> =
            graphemes(&line).iter().map(|grapheme| (grapheme.text, grapheme.col, grapheme.width)).collect();
        assert_eq!(all, [("e\u{301}\u{302}", 0, 1), ("\u{4f60}", 1, 2), ("x", 3, 1)]);
    }
}
