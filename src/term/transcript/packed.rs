//! A row of the transcript as bytes: text, and style runs of a few bytes each.
//!
//! ```text
//! row   flags: wrapped 1, runs 2 · text's length · [runs' length · run …] · text
//! run   blanks before it · length · looks (two bytes) · colours · [link]
//! link  its place in the row; a new one is followed by its length and its bytes
//! ```
//! Numbers are in groups of seven bits, the lowest first (LEB128). Looks hold a bit an attribute and, for each
//! colour, whether it is the default (0), one of the palette (1, one byte follows) or a true one (2, three bytes).

use std::sync::Arc;

use crate::protocol::{Paint, Span, SpanLine, Style, Underline};

const WRAPPED: u8 = 1;
const RUNS: u8 = 2;

const BOLD: u16 = 1;
const DIM: u16 = 1 << 1;
const ITALIC: u16 = 1 << 2;
const INVERSE: u16 = 1 << 3;
const HIDDEN: u16 = 1 << 4;
const STRIKEOUT: u16 = 1 << 5;
const LINK: u16 = 1 << 6;
const UNDERLINE_AT: u32 = 7;
const FG_AT: u32 = 10;
const BG_AT: u32 = 12;
const UNDERLINE_COLOR_AT: u32 = 14;

/// How many of a row's links are compared to find one again. A link of several looks is one; whoever mixes more
/// than this pays for it in bytes.
const LINKS_COMPARED: usize = 8;

/// Appends a row; `runs` is room to work in.
pub fn write(line: &SpanLine, wrapped: bool, runs: &mut Vec<u8>, out: &mut Vec<u8>) {
    runs.clear();
    let mut links: Vec<&Arc<str>> = Vec::new();
    let mut at = 0;
    for Span { start, end, style } in &line.spans {
        write_number(runs, start - at);
        write_number(runs, end - start);
        at = *end;
        write_style(runs, style);
        if let Some(link) = &style.link {
            let compared = links.len().saturating_sub(LINKS_COMPARED);
            let known = links[compared..].iter().position(|known| *known == link);
            write_number(runs, known.map_or(links.len(), |at| compared + at));
            if known.is_none() {
                write_number(runs, link.len());
                runs.extend_from_slice(link.as_bytes());
                links.push(link);
            }
        }
    }
    out.push(if wrapped { WRAPPED } else { 0 } | if runs.is_empty() { 0 } else { RUNS });
    write_number(out, line.text.len());
    if !runs.is_empty() {
        write_number(out, runs.len());
        out.extend_from_slice(runs);
    }
    out.extend_from_slice(line.text.as_bytes());
}

/// A row's parts.
pub struct Packed<'a> {
    pub text: &'a str,
    pub wrapped: bool,
    runs: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Reads what [`write`] wrote. Of other bytes it makes an empty row: a transcript has no other.
    pub fn read(mut row: &'a [u8]) -> Self {
        let flags = read_byte(&mut row);
        let text = read_number(&mut row);
        let runs = if flags & RUNS == 0 { 0 } else { read_number(&mut row) };
        let runs = take(&mut row, runs);
        let text = std::str::from_utf8(take(&mut row, text)).unwrap_or_default();
        Self { text, wrapped: flags & WRAPPED != 0, runs }
    }

    /// The row as others know it, appended to a line.
    pub fn append_to(&self, line: &mut SpanLine) {
        let shift = line.text.len();
        line.text.push_str(self.text);
        let mut runs = self.runs;
        let mut links: Vec<Arc<str>> = Vec::new();
        let mut at = shift;
        while !runs.is_empty() {
            let start = at + read_number(&mut runs);
            let end = start + read_number(&mut runs);
            let (mut style, has_link) = read_style(&mut runs);
            if has_link {
                let place = read_number(&mut runs);
                if place == links.len() {
                    let length = read_number(&mut runs);
                    let uri = std::str::from_utf8(take(&mut runs, length)).unwrap_or_default();
                    links.push(uri.into());
                }
                style.link = links.get(place).cloned();
            }
            line.spans.push(Span { start, end, style });
            at = end;
        }
    }

    /// The row by itself.
    pub fn line(&self) -> SpanLine {
        let mut line = SpanLine::default();
        self.append_to(&mut line);
        line
    }
}

fn write_style(out: &mut Vec<u8>, style: &Style) {
    let underline = match style.underline {
        Underline::None => 0,
        Underline::Single => 1,
        Underline::Double => 2,
        Underline::Curl => 3,
        Underline::Dotted => 4,
        Underline::Dashed => 5,
    };
    let kind = |paint: Paint| match paint {
        Paint::Default => 0,
        Paint::Indexed(_) => 1,
        Paint::Rgb(..) => 2,
    };
    let mut looks: u16 = underline << UNDERLINE_AT
        | kind(style.fg) << FG_AT
        | kind(style.bg) << BG_AT
        | kind(style.underline_color) << UNDERLINE_COLOR_AT;
    for (on, bit) in [
        (style.bold, BOLD),
        (style.dim, DIM),
        (style.italic, ITALIC),
        (style.inverse, INVERSE),
        (style.hidden, HIDDEN),
        (style.strikeout, STRIKEOUT),
        (style.link.is_some(), LINK),
    ] {
        if on {
            looks |= bit;
        }
    }
    out.extend_from_slice(&looks.to_le_bytes());
    for paint in [style.fg, style.bg, style.underline_color] {
        match paint {
            Paint::Default => {}
            Paint::Indexed(index) => out.push(index),
            Paint::Rgb(r, g, b) => out.extend_from_slice(&[r, g, b]),
        }
    }
}

fn read_style(bytes: &mut &[u8]) -> (Style, bool) {
    let looks = u16::from_le_bytes([read_byte(bytes), read_byte(bytes)]);
    let mut paint = |at: u32| match looks >> at & 3 {
        1 => Paint::Indexed(read_byte(bytes)),
        2 => Paint::Rgb(read_byte(bytes), read_byte(bytes), read_byte(bytes)),
        _ => Paint::Default,
    };
    let style = Style {
        fg: paint(FG_AT),
        bg: paint(BG_AT),
        underline_color: paint(UNDERLINE_COLOR_AT),
        underline: match looks >> UNDERLINE_AT & 7 {
            1 => Underline::Single,
            2 => Underline::Double,
            3 => Underline::Curl,
            4 => Underline::Dotted,
            5 => Underline::Dashed,
            _ => Underline::None,
        },
        bold: looks & BOLD != 0,
        dim: looks & DIM != 0,
        italic: looks & ITALIC != 0,
        inverse: looks & INVERSE != 0,
        hidden: looks & HIDDEN != 0,
        strikeout: looks & STRIKEOUT != 0,
        link: None,
    };
    (style, looks & LINK != 0)
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        #[allow(clippy::cast_possible_truncation, reason = "seven bits and a mark fit into a byte")]
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    #[allow(clippy::cast_possible_truncation, reason = "what is left is at most 0x7f")]
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> usize {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = read_byte(bytes);
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn read_byte(bytes: &mut &[u8]) -> u8 {
    take(bytes, 1).first().copied().unwrap_or(0)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count.min(bytes.len()));
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn paint() -> impl Strategy<Value = Paint> {
        prop_oneof![
            Just(Paint::Default),
            any::<u8>().prop_map(Paint::Indexed),
            any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Paint::Rgb(r, g, b)),
        ]
    }

    fn style() -> impl Strategy<Value = Style> {
        let underline = proptest::sample::select(vec![
            Underline::None,
            Underline::Single,
            Underline::Double,
            Underline::Curl,
            Underline::Dotted,
            Underline::Dashed,
        ]);
        let link = proptest::option::of("[a-z]{0,3}".prop_map(|uri| Arc::from(uri.as_str())));
        (paint(), paint(), paint(), underline, any::<[bool; 6]>(), link).prop_map(
            |(fg, bg, underline_color, underline, [bold, dim, italic, inverse, hidden, strikeout], link)| Style {
                fg,
                bg,
                underline_color,
                underline,
                bold,
                dim,
                italic,
                inverse,
                hidden,
                strikeout,
                link,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pieces in vec((".{0,9}", proptest::option::of(style())), 0..40), wrapped: bool) {
            let mut line = SpanLine::default();
            for (text, style) in pieces {
                let start = line.text.len();
                line.text.push_str(&text);
                if let Some(style) = style {
                    line.spans.push(Span { start, end: line.text.len(), style });
                }
            }
            let (mut runs, mut row) = (Vec::new(), Vec::new());
            write(&line, wrapped, &mut runs, &mut row);
            let packed = Packed::read(&row);
            prop_assert_eq!((packed.text, packed.wrapped), (line.text.as_str(), wrapped));
            prop_assert_eq!(packed.line(), line);
        }

        #[test]
        fn any_bytes_are_some_row(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Packed::read(&bytes).line();
        }
    }

    #[test]
    fn a_coloured_run_takes_five_bytes_and_a_link_its_length_once() {
        let red = Style { fg: Paint::Indexed(1), ..Style::default() };
        let uri: Arc<str> = "http://example.org/".into();
        let link = |style: &Style| Style { link: Some(Arc::clone(&uri)), ..style.clone() };
        let size = |spans: Vec<Span>| {
            let mut row = Vec::new();
            write(&SpanLine { text: "0123456789".into(), spans }, false, &mut Vec::new(), &mut row);
            row.len()
        };
        let span = |start, style: Style| Span { start, end: start + 2, style };
        assert_eq!(size(vec![]), 12);
        assert_eq!(size(vec![span(0, red.clone())]), 12 + 1 + 5);
        let linked = vec![span(0, link(&red)), span(2, link(&Style::default())), span(4, link(&red))];
        assert_eq!(size(linked), 12 + 1 + (6 + 1 + uri.len()) + 5 + 6);
    }
}
