//! Converts the emulator's cells to text with style runs.

use alacritty_terminal::{
    grid::{GridCell, Row as GridRow},
    index::Column,
    term::{
        cell::{Cell, Flags, Hyperlink},
        color::Colors as Palette,
    },
    vte::ansi::{Color, NamedColor, Rgb},
};
use unicode_width::UnicodeWidthChar;

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
    read_into(&mut line, row, cols, false, palette);
    line
}

/// The same into a line that is there. If the row's line goes on in the next, the blanks at its end are its own.
pub fn read_into(line: &mut SpanLine, row: &GridRow<Cell>, cols: usize, wrapped: bool, palette: &Palette) {
    line.text.clear();
    line.spans.clear();
    if wrapped {
        let filler = row[Column(cols - 1)].flags.contains(Flags::LEADING_WIDE_CHAR_SPACER);
        read_cells(line, row, cols - usize::from(filler), palette);
    } else {
        let end = row[..Column(cols)].iter().rposition(|cell| !is_blank(cell)).map_or(0, |col| col + 1);
        read_cells(line, row, end, palette);
        // What stood there may have been half a character.
        let styled = line.spans.last().map_or(0, |span| span.end);
        line.text.truncate(line.text.trim_end_matches(' ').len().max(styled));
    }
}

/// The same with every cell that is not empty to the emulator, seen or not, for [`write()`] to put back.
pub fn read_whole(row: &GridRow<Cell>, cols: usize, palette: &Palette) -> SpanLine {
    let mut line = SpanLine::default();
    // A blank with a link, or a coloured underline to come, is empty to the emulator.
    let is_empty = |cell: &Cell| cell.is_empty() && cell.extra.is_none();
    let end = row[..Column(cols)].iter().rposition(|cell| !is_empty(cell)).map_or(0, |col| col + 1);
    read_cells(&mut line, row, end, palette);
    line
}

/// Reads the cells before `end`, and the other half of a wide character that it would cut.
fn read_cells(line: &mut SpanLine, row: &GridRow<Cell>, mut end: usize, palette: &Palette) {
    let is_spacer = |cell: &Cell| cell.flags.contains(Flags::WIDE_CHAR_SPACER);
    let cuts = end > 0 && end < row.len() && row[Column(end - 1)].flags.contains(Flags::WIDE_CHAR);
    end += usize::from(cuts);
    let mut last: Option<&Cell> = None;
    // The last span goes on to wherever the text has come.
    let mut open = false;
    let mut cells = row[..Column(end)].iter().peekable();
    while let Some(cell) = cells.next() {
        if let Some(last) = last
            && is_plain(cell)
            && (cell.fg, cell.bg, cell.flags) == (last.fg, last.bg, last.flags)
            && last.extra.is_none()
        {
            line.text.push(cell.c);
            continue;
        }
        let start = line.text.len();
        if !last.is_some_and(|last| same_look(last, cell)) {
            let style = style(cell, palette);
            let before = line.spans.last_mut().filter(|_| open);
            // Colours can go by several names: cells that do not look the same to the emulator may still be.
            if before.as_ref().is_none_or(|before| before.style != style) {
                if let Some(before) = before {
                    before.end = start;
                }
                open = style != Style::default();
                if open {
                    line.spans.push(Span { start, end: start, style });
                }
            }
        }
        let is_whole = !cell.flags.contains(Flags::WIDE_CHAR) || cells.next_if(|next| is_spacer(next)).is_some();
        if cell.c == '\t' || !is_whole || is_spacer(cell) {
            // A tab is a blank cell that remembers it was one; half a wide character, as insertions into one
            // leave it, is a blank too.
            line.text.push(' ');
        } else {
            line.text.push(cell.c);
            line.text.extend(cell.zerowidth().into_iter().flatten());
        }
        last = Some(cell);
    }
    if open && let Some(span) = line.spans.last_mut() {
        span.end = line.text.len();
    }
}

/// One character of ASCII and nothing over it.
fn is_plain(cell: &Cell) -> bool {
    matches!(cell.c, ' '..='~')
        && cell.extra.is_none()
        && !cell.flags.intersects(Flags::WIDE_CHAR.union(Flags::WIDE_CHAR_SPACER))
}

/// Whether a row ends in a soft wrap: its text goes on in the next.
pub fn is_wrapped(row: &GridRow<Cell>, cols: usize) -> bool {
    row[Column(cols - 1)].flags.contains(Flags::WRAPLINE)
}

/// How many columns a character takes: the emulator gives none more than two (U+17D8 has a width of three).
pub fn columns(c: char) -> usize {
    c.width().unwrap_or(0).min(2)
}

/// Whether a line fits into so many columns, counted character by character as the emulator does.
pub fn fits(line: &SpanLine, cols: usize) -> bool {
    line.text.chars().map(columns).sum::<usize>() <= cols
}

/// Puts a line back into a row of the screen; `wrapped` as [`is_wrapped`] read it.
pub fn write(row: &mut GridRow<Cell>, cols: usize, line: &SpanLine, wrapped: bool) {
    for col in 0..cols {
        row[Column(col)] = Cell::default();
    }
    let mut next = 0;
    let mut spans = line.spans.iter().peekable();
    for (at, c) in line.text.char_indices() {
        while spans.next_if(|span| span.end <= at).is_some() {}
        let style = spans.peek().filter(|span| span.start <= at).map(|span| &span.style);
        match columns(c) {
            0 if next > 0 => {
                let wide = row[Column(next - 1)].flags.contains(Flags::WIDE_CHAR_SPACER);
                row[Column(next - 1 - usize::from(wide))].push_zerowidth(c);
            }
            width if width > 0 && next + width <= cols => {
                row[Column(next)] = cell(c, style);
                if width > 1 {
                    row[Column(next)].flags.insert(Flags::WIDE_CHAR);
                    row[Column(next + 1)] = cell(' ', style);
                    row[Column(next + 1)].flags.insert(Flags::WIDE_CHAR_SPACER);
                }
                next += width;
            }
            _ => {}
        }
    }
    if wrapped && next > 0 && next + 1 >= cols {
        if next < cols {
            row[Column(next)].flags.insert(Flags::LEADING_WIDE_CHAR_SPACER);
        }
        row[Column(cols - 1)].flags.insert(Flags::WRAPLINE);
    }
}

/// A cell that looks so.
pub fn cell(c: char, style: Option<&Style>) -> Cell {
    let mut cell = Cell { c, ..Cell::default() };
    let Some(style) = style else { return cell };
    if let Some(color) = color(style.fg) {
        cell.fg = color;
    }
    if let Some(color) = color(style.bg) {
        cell.bg = color;
    }
    for (on, flag) in [
        (style.bold, Flags::BOLD),
        (style.dim, Flags::DIM),
        (style.italic, Flags::ITALIC),
        (style.inverse, Flags::INVERSE),
        (style.hidden, Flags::HIDDEN),
        (style.strikeout, Flags::STRIKEOUT),
        (style.underline == Underline::Single, Flags::UNDERLINE),
        (style.underline == Underline::Double, Flags::DOUBLE_UNDERLINE),
        (style.underline == Underline::Curl, Flags::UNDERCURL),
        (style.underline == Underline::Dotted, Flags::DOTTED_UNDERLINE),
        (style.underline == Underline::Dashed, Flags::DASHED_UNDERLINE),
    ] {
        cell.flags.set(flag, on);
    }
    if let Some(color) = color(style.underline_color) {
        cell.set_underline_color(Some(color));
    }
    if let Some(link) = &style.link {
        cell.set_hyperlink(Some(Hyperlink::new(None::<String>, link.to_string())));
    }
    cell
}

/// The emulator's colour; none for the default.
fn color(paint: Paint) -> Option<Color> {
    match paint {
        Paint::Default => None,
        Paint::Indexed(index) => Some(Color::Indexed(index)),
        Paint::Rgb(r, g, b) => Some(Color::Spec(Rgb { r, g, b })),
    }
}

pub fn is_blank(cell: &Cell) -> bool {
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
            _ => {
                // The emulator numbers links that have no id: by their target they are the same.
                let (a_link, b_link) = (a.hyperlink(), b.hyperlink());
                a.underline_color() == b.underline_color()
                    && a_link.as_ref().map(|link| link.uri()) == b_link.as_ref().map(|link| link.uri())
            }
        }
}

/// How a cell looks.
pub fn style(cell: &Cell, palette: &Palette) -> Style {
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
