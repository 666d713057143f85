//! Draws a captured terminal screen, read with its escape sequences from standard input, as an SVG picture.
//!
//! `scripts/picture` makes the README's picture with it, from a real run of the demo.

use std::io::{self, Read, Write};

use termi::{
    protocol::{Paint, Size, SpanLine, Style, Underline},
    term::Terminal,
};
use unicode_width::UnicodeWidthStr;

const CELL: (f64, f64) = (8.4, 17.0);
const MARGIN: f64 = 12.0;
const FOREGROUND: &str = "#e0e2ea";
const BACKGROUND: &str = "#14161b";
const PALETTE: [&str; 16] = [
    "#07080d", "#ffc0b9", "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#eef1f8", "#4f5258", "#ffc0b9",
    "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#ffffff",
];

fn main() -> io::Result<()> {
    let mut capture = String::new();
    io::stdin().read_to_string(&mut capture)?;
    let rows: Vec<&str> = capture.trim_end_matches('\n').split('\n').collect();
    let cols = rows.iter().map(|row| width_of(row)).max().unwrap_or(80).max(80);
    let size = Size { rows: u16::try_from(rows.len()).unwrap_or(200), cols: u16::try_from(cols).unwrap_or(200) };
    let mut terminal = Terminal::new(size, 0);
    // Rows of a capture stand one below the other, each in a look that goes on from the one before.
    terminal.feed(rows.join("\r\n").as_bytes());
    io::stdout().write_all(draw(&terminal).as_bytes())
}

/// The cells a row takes, its escape sequences left out.
fn width_of(row: &str) -> usize {
    let mut terminal = Terminal::new(Size { rows: 1, cols: 1000 }, 0);
    terminal.feed(row.as_bytes());
    terminal.rows().next().map_or(0, |line| line.text.width())
}

fn draw(terminal: &Terminal) -> String {
    let size = terminal.size();
    let width = f64::from(size.cols) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(size.rows) * CELL.1 + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (row, line) in (0_u16..).zip(terminal.rows()) {
        draw_line(&mut svg, MARGIN + f64::from(row) * CELL.1, &line);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_line(svg: &mut String, top: f64, line: &SpanLine) {
    let plain = Style::default();
    let mut at = 0;
    let mut pieces = Vec::new();
    for span in &line.spans {
        pieces.push((&line.text[at..span.start], &plain));
        pieces.push((&line.text[span.start..span.end], &span.style));
        at = span.end;
    }
    pieces.push((&line.text[at..], &plain));
    let mut col = 0;
    for (text, style) in pieces {
        let cells = text.width();
        draw_piece(svg, (MARGIN + CELL.0 * as_f64(col), top), cells, text, style);
        col += cells;
    }
}

fn draw_piece(svg: &mut String, (left, top): (f64, f64), cells: usize, text: &str, style: &Style) {
    let (mut fg, mut bg) = (color(style.fg, FOREGROUND), color(style.bg, BACKGROUND));
    if style.inverse {
        std::mem::swap(&mut fg, &mut bg);
    }
    let width = CELL.0 * as_f64(cells);
    if bg != BACKGROUND && cells > 0 {
        svg.push_str(&format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{bg}\"/>\n",
            CELL.1
        ));
    }
    let mut looks = String::new();
    for (on, look) in [
        (style.bold, " font-weight=\"bold\""),
        (style.italic, " font-style=\"italic\""),
        (style.dim, " opacity=\"0.6\""),
        (style.underline != Underline::None, " text-decoration=\"underline\""),
    ] {
        if on {
            looks.push_str(look);
        }
    }
    // Each word has a place of its own, so that columns stay columns in whatever font it is shown.
    let mut col = 0;
    for word in text.split_inclusive(' ') {
        let shown = word.trim_end_matches(' ');
        if !shown.is_empty() {
            let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            svg.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fg}\"{looks}>{escaped}</text>\n",
                left + CELL.0 * as_f64(col),
                top + CELL.1 * 0.76,
                CELL.0 * as_f64(shown.width()),
            ));
        }
        col += word.width();
    }
}

#[allow(clippy::cast_precision_loss, reason = "a screen has few columns")]
fn as_f64(cells: usize) -> f64 {
    cells as f64
}

fn color(paint: Paint, default: &str) -> String {
    const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match paint {
        Paint::Default => default.to_owned(),
        Paint::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Paint::Indexed(index @ 0..16) => PALETTE[usize::from(index)].to_owned(),
        Paint::Indexed(index @ 16..232) => {
            let cube = usize::from(index - 16);
            format!("#{:02x}{:02x}{:02x}", CUBE[cube / 36], CUBE[cube / 6 % 6], CUBE[cube % 6])
        }
        Paint::Indexed(grey) => format!("#{0:02x}{0:02x}{0:02x}", 8 + (grey - 232) * 10),
    }
}
