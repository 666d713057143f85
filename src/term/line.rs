//! From the emulator's cells to text with style runs.

use alacritty_terminal::{
    grid::Row as GridRow,
    index::Column,
    term::{
        cell::{Cell, Flags},
        color::Colors as Palette,
    },
    vte::ansi::{Color, NamedColor},
};

use crate::protocol::{Paint, Span, SpanLine, Style, Underline};

/// What of a cell's flags is its look.
const LOOK: Flags = Flags::INVERSE
    .union(Flags::BOLD_ITALIC)
    .union(Flags::DIM)
    .union(Flags::HIDDEN)
    .union(Flags::STRIKEOUT)
    .union(Flags::ALL_UNDERLINES);

/// The row as text without trailing blanks, and its style runs.
pub fn read(row: &GridRow<Cell>, cols: usize, palette: &Palette) -> SpanLine {
    let mut line = SpanLine { text: String::with_capacity(cols), spans: Vec::new() };
    let end = (0..cols).rev().find(|&col| !is_blank(&row[Column(col)])).map_or(0, |col| col + 1);
    let mut last: Option<&Cell> = None;
    for col in 0..end {
        let cell = &row[Column(col)];
        if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
            continue;
        }
        let start = line.text.len();
        // A tab is a blank cell that remembers it was one.
        line.text.push(if cell.c == '\t' { ' ' } else { cell.c });
        line.text.extend(cell.zerowidth().into_iter().flatten());
        let end = line.text.len();
        if last.is_some_and(|last| same_look(last, cell)) {
            if let Some(span) = line.spans.last_mut().filter(|span| span.end == start) {
                span.end = end;
            }
        } else {
            let style = style(cell, palette);
            if style != Style::default() {
                line.spans.push(Span { start, end, style });
            }
        }
        last = Some(cell);
    }
    line
}

/// Whether a row ends in a soft wrap: its text goes on in the next.
pub fn is_wrapped(row: &GridRow<Cell>, cols: usize) -> bool {
    row[Column(cols - 1)].flags.contains(Flags::WRAPLINE)
}

fn is_blank(cell: &Cell) -> bool {
    matches!(cell.c, ' ' | '\t')
        && matches!(cell.bg, Color::Named(NamedColor::Background))
        && !cell.flags.intersects(LOOK.difference(Flags::BOLD_ITALIC.union(Flags::DIM)))
        && cell.extra.is_none()
}

fn same_look(a: &Cell, b: &Cell) -> bool {
    a.fg == b.fg
        && a.bg == b.bg
        && a.flags.intersection(LOOK) == b.flags.intersection(LOOK)
        && match (&a.extra, &b.extra) {
            (None, None) => true,
            _ => a.underline_color() == b.underline_color() && a.hyperlink() == b.hyperlink(),
        }
}

fn style(cell: &Cell, palette: &Palette) -> Style {
    let flags = cell.flags;
    Style {
        fg: paint(cell.fg, palette),
        bg: paint(cell.bg, palette),
        underline_color: cell.underline_color().map_or(Paint::Default, |color| paint(color, palette)),
        underline: if flags.contains(Flags::DOUBLE_UNDERLINE) {
            Underline::Double
        } else if flags.contains(Flags::UNDERCURL) {
            Underline::Curl
        } else if flags.contains(Flags::DOTTED_UNDERLINE) {
            Underline::Dotted
        } else if flags.contains(Flags::DASHED_UNDERLINE) {
            Underline::Dashed
        } else if flags.contains(Flags::UNDERLINE) {
            Underline::Single
        } else {
            Underline::None
        },
        bold: flags.contains(Flags::BOLD),
        dim: flags.contains(Flags::DIM),
        italic: flags.contains(Flags::ITALIC),
        inverse: flags.contains(Flags::INVERSE),
        hidden: flags.contains(Flags::HIDDEN),
        strikeout: flags.contains(Flags::STRIKEOUT),
        link: cell.hyperlink().map(|link| link.uri().into()),
    }
}

/// A colour; one that the program gave another value (OSC 4) is shown as that value.
fn paint(color: Color, palette: &Palette) -> Paint {
    let changed = |index: usize| palette[index].map(|rgb| Paint::Rgb(rgb.r, rgb.g, rgb.b));
    match color {
        Color::Spec(rgb) => Paint::Rgb(rgb.r, rgb.g, rgb.b),
        Color::Indexed(index) => changed(usize::from(index)).unwrap_or(Paint::Indexed(index)),
        Color::Named(name) => {
            let index = name as usize;
            let plain = u8::try_from(index).map_or(Paint::Default, Paint::Indexed);
            changed(index).unwrap_or(plain)
        }
    }
}
