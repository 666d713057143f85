//! Frames as escape sequences, for clients with a terminal emulator.
//!
//! Rows that scrolled off and the screen are written from the top as one flow: what does not fit
//! scrolls, and so enters the client's own scrollback in order.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::{Part, View, skip_marker};
use crate::{
    protocol::{FrameBody, Paint, SpanLine, Style, Underline},
    term::{CursorShape, Modes, MouseReport, Terminal},
};

pub(super) fn frame(view: &View, terminal: &Terminal, part: &Part) -> FrameBody {
    let size = terminal.size();
    let modes = terminal.modes();
    let mut data = String::with_capacity(usize::from(size.rows) * usize::from(size.cols) / 2);
    if view.starts_over {
        data.push_str("\x1b[?1049l\x1b[m\x1b[H\x1b[2J\x1b[3J");
    }
    let was = view.modes.unwrap_or_default();
    if modes.alternate_screen != was.alternate_screen {
        data.push_str(if modes.alternate_screen { "\x1b[?1049h" } else { "\x1b[?1049l" });
    }
    if part.cleared {
        data.push_str("\x1b[3J");
    }
    draw(&mut data, terminal, part);
    let cursor = terminal.cursor();
    // Writing to a String cannot fail.
    let _ = write!(data, "\x1b[{};{}H", cursor.row + 1, cursor.col + 1);
    mirror_modes(&mut data, view.modes, modes);
    if terminal.title() != view.title {
        let _ = write!(data, "\x1b]2;{}\x1b\\", terminal.title());
    }
    FrameBody::Ansi { data }
}

/// The rows that scrolled off and the screen as one flow from the top left corner.
fn draw(data: &mut String, terminal: &Terminal, part: &Part) {
    let size = terminal.size();
    let cols = usize::from(size.cols);
    if part.len() == 0 && part.skipped == 0 {
        // Nothing scrolls, and nothing can: each row is put in its place, whatever size the client has by now.
        for (row, line) in terminal.rows().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(data, "\x1b[{}H", row + 1);
            write_line(data, &line, cols);
        }
        return;
    }
    data.push_str("\x1b[H");
    let mut first = true;
    let mut put = |line: &SpanLine| {
        if !std::mem::take(&mut first) {
            data.push_str("\r\n");
        }
        write_line(data, line, cols);
    };
    if part.skipped > 0 {
        let style = Style { dim: true, ..Style::default() };
        let text: String = skip_marker(part.skipped).chars().take(cols).collect();
        let spans = vec![crate::protocol::Span { start: 0, end: text.len(), style }];
        put(&SpanLine { text, spans });
    }
    let mut rows = terminal.transcript().rows_from(part.start).map(|row| &row.line);
    rows.by_ref().take(part.len()).for_each(&mut put);
    if part.current {
        terminal.rows().for_each(|line| put(&line));
    } else {
        // A step of the way: the rows that follow stand where the screen will be.
        let mut left = usize::from(size.rows);
        for line in rows.take(left) {
            put(line);
            left -= 1;
        }
        terminal.rows().take(left).for_each(|line| put(&line));
    }
}

/// One row: its text with its looks, the rest of the row erased.
fn write_line(data: &mut String, line: &SpanLine, cols: usize) {
    let width = write_text(data, line, true);
    if width < cols {
        data.push_str("\x1b[K");
    }
}

/// A line's text with its looks, ending in the default look.
#[must_use]
pub fn encode_line(line: &SpanLine) -> String {
    let mut data = String::with_capacity(line.text.len() + line.spans.len() * 12);
    write_text(&mut data, line, false);
    data
}

/// Writes a line's text with its looks and returns its width. With `place`, the cursor is put right after
/// clusters whose width terminals do not agree on.
fn write_text(data: &mut String, line: &SpanLine, place: bool) -> usize {
    let mut width = 0;
    let mut at = 0;
    for span in &line.spans {
        if at < span.start {
            width = write_run(data, &line.text[at..span.start], width, place);
        }
        write_style(data, &span.style);
        width = write_run(data, &line.text[span.start..span.end], width, place);
        data.push_str(if span.style.link.is_some() { "\x1b]8;;\x1b\\\x1b[m" } else { "\x1b[m" });
        at = span.end;
    }
    write_run(data, &line.text[at..], width, place)
}

fn write_run(data: &mut String, text: &str, mut width: usize, place: bool) -> usize {
    if text.is_ascii() {
        data.push_str(text);
        return width + text.len();
    }
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        data.push(c);
        width += c.width().unwrap_or(0);
        let next_joins = chars.peek().is_some_and(|next| next.width() == Some(0));
        let disputed =
            c.width() == Some(0) || (!c.is_ascii() && !is_plain_wide(c) && c.width() != Some(1)) || is_symbol(c);
        if place && disputed && !next_joins {
            // Writing to a String cannot fail.
            let _ = write!(data, "\x1b[{}G", width + 1);
        }
    }
    width
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

fn write_style(data: &mut String, style: &Style) {
    // Writing to a String cannot fail.
    if let Some(link) = &style.link {
        let _ = write!(data, "\x1b]8;;{link}\x1b\\");
    }
    let mut sgr = String::new();
    for (on, code) in [
        (style.bold, ";1"),
        (style.dim, ";2"),
        (style.italic, ";3"),
        (style.inverse, ";7"),
        (style.hidden, ";8"),
        (style.strikeout, ";9"),
    ] {
        if on {
            sgr.push_str(code);
        }
    }
    sgr.push_str(match style.underline {
        Underline::None => "",
        Underline::Single => ";4",
        Underline::Double => ";4:2",
        Underline::Curl => ";4:3",
        Underline::Dotted => ";4:4",
        Underline::Dashed => ";4:5",
    });
    write_paint(&mut sgr, style.fg, 30);
    write_paint(&mut sgr, style.bg, 40);
    match style.underline_color {
        Paint::Default => {}
        Paint::Indexed(index) => _ = write!(sgr, ";58:5:{index}"),
        Paint::Rgb(r, g, b) => _ = write!(sgr, ";58:2::{r}:{g}:{b}"),
    }
    if let Some(codes) = sgr.strip_prefix(';') {
        let _ = write!(data, "\x1b[{codes}m");
    }
}

/// The codes of a foreground (`base` 30) or background (40).
fn write_paint(sgr: &mut String, paint: Paint, base: u8) {
    let _ = match paint {
        Paint::Default => Ok(()),
        Paint::Indexed(index @ 0..8) => write!(sgr, ";{}", base + index),
        Paint::Indexed(index @ 8..16) => write!(sgr, ";{}", base + 60 + index - 8),
        Paint::Indexed(index) => write!(sgr, ";{};5;{index}", base + 8),
        Paint::Rgb(r, g, b) => write!(sgr, ";{};2;{r};{g};{b}", base + 8),
    };
}

/// The modes that differ from those the view has.
fn mirror_modes(data: &mut String, was: Option<Modes>, now: Modes) {
    // Of a client that starts over nothing is known: it is told everything.
    let all = was.is_none();
    let was = was.unwrap_or_default();
    let mut private = |before: bool, after: bool, code: &str| {
        if all || before != after {
            let _ = write!(data, "\x1b[?{code}{}", if after { 'h' } else { 'l' });
        }
    };
    private(was.app_cursor, now.app_cursor, "1");
    private(was.bracketed_paste, now.bracketed_paste, "2004");
    private(was.focus, now.focus, "1004");
    private(was.mouse_sgr, now.mouse_sgr, "1006");
    private(was.cursor_visible, now.cursor_visible, "25");
    if all {
        for code in ["1000", "1002", "1003"] {
            private(true, false, code);
        }
    }
    if was.mouse != now.mouse {
        // Setting one replaces the others in some emulators and adds to them in others: the old goes first.
        for (mouse, on) in [(was.mouse, false), (now.mouse, true)] {
            let (before, after) = (!on, on);
            match mouse {
                MouseReport::Off => {}
                MouseReport::Click => private(before, after, "1000"),
                MouseReport::Drag => private(before, after, "1002"),
                MouseReport::Motion => private(before, after, "1003"),
            }
        }
    }
    if all || was.app_keypad != now.app_keypad {
        data.push_str(if now.app_keypad { "\x1b=" } else { "\x1b>" });
    }
    if all || (was.cursor_shape, was.cursor_blinks) != (now.cursor_shape, now.cursor_blinks) {
        let code = match now.cursor_shape {
            CursorShape::Block => 2,
            CursorShape::Underline => 4,
            CursorShape::Beam => 6,
        };
        let _ = write!(data, "\x1b[{} q", code - u8::from(now.cursor_blinks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Format, Size};

    const SIZE: Size = Size { rows: 6, cols: 30 };

    fn ansi(view: &mut View, terminal: &Terminal) -> (String, bool) {
        let frame = view.next_frame(terminal);
        match frame.body {
            FrameBody::Ansi { data } => (data, frame.is_current),
            other @ FrameBody::Spans { .. } => panic!("{other:?}"),
        }
    }

    /// Feeds every frame to a second emulator until the view is up to date.
    fn catch_up(view: &mut View, from: &Terminal, to: &mut Terminal) {
        loop {
            let (data, current) = ansi(view, from);
            to.feed(data.as_bytes());
            assert!(to.take_asked().replies.is_empty(), "a frame must ask nothing");
            if current {
                return;
            }
        }
    }

    fn everything(terminal: &Terminal) -> Vec<SpanLine> {
        let transcript = terminal.transcript();
        transcript.rows_from(0).map(|row| row.line.clone()).chain(terminal.rows()).collect()
    }

    #[test]
    fn a_second_emulator_fed_with_the_frames_has_the_same_cells_cursor_modes_and_title() {
        let streams = [
            "plain\r\nlines\r\n",
            "\x1b[1;31mbold red\x1b[m \x1b[4:3;58:2::255:0:0mcurl\x1b[m \x1b[48;5;200mbg to the end\x1b[K\x1b[m",
            "\u{4f60}\u{597d} wide e\u{301} \u{1f600}\u{fe0f} end \u{2714} x",
            "\x1b]8;;http://example.org/\x1b\\link\x1b]8;;\x1b\\ \x1b]2;t\u{ef}tle\x07",
            "\x1b[?1049h\x1b[2J\x1b[3;4Hfull screen\x1b[?1h\x1b=\x1b[?1002h\x1b[?1006h\x1b[?2004h\x1b[5 q",
            "\x1b[?1049h\x1b[Hgone\x1b[?1049lback\x1b[?25l\x1b[?1004h",
            "123456789012345678901234567890exactly one row and more of it",
        ];
        for stream in streams {
            let mut host = Terminal::new(SIZE, 500_000);
            let mut client = Terminal::new(SIZE, 500_000);
            let mut view = View::new(Format::Ansi, &host);
            catch_up(&mut view, &host, &mut client);
            for chunk in stream.as_bytes().chunks(7) {
                host.feed(chunk);
                host.take_asked();
                catch_up(&mut view, &host, &mut client);
                assert_eq!(client.rows().collect::<Vec<_>>(), host.rows().collect::<Vec<_>>(), "{stream:?}");
                assert_eq!((client.cursor(), client.modes()), (host.cursor(), host.modes()), "{stream:?}");
                assert_eq!(client.title(), host.title());
            }
        }
    }

    #[test]
    fn scrolled_lines_enter_the_clients_scrollback_in_order_whatever_the_pace() {
        for lines_a_frame in [1, 5, 6, 7, 100, 1500] {
            let mut host = Terminal::new(SIZE, 5_000_000);
            let mut client = Terminal::new(SIZE, 5_000_000);
            let mut view = View::new(Format::Ansi, &host);
            for n in 0..3000 {
                host.feed(format!("\x1b[3{}mline {n}\x1b[m\r\n", n % 8).as_bytes());
                if n % lines_a_frame == 0 {
                    catch_up(&mut view, &host, &mut client);
                }
            }
            catch_up(&mut view, &host, &mut client);
            assert_eq!(everything(&client), everything(&host), "{lines_a_frame} lines a frame");
        }
    }

    #[test]
    fn what_is_skipped_is_marked_once_with_its_number() {
        let mut host = Terminal::new(SIZE, 500_000);
        let mut client = Terminal::new(SIZE, 500_000);
        let mut view = View::new(Format::Ansi, &host);
        catch_up(&mut view, &host, &mut client);
        for n in 0..50_000 {
            host.feed(format!("{n}\r\n").as_bytes());
        }
        catch_up(&mut view, &host, &mut client);
        assert_eq!(client.rows().collect::<Vec<_>>(), host.rows().collect::<Vec<_>>());
        host.feed(b"after\r\n");
        catch_up(&mut view, &host, &mut client);
        let marks: Vec<_> =
            everything(&client).into_iter().filter(|line| line.text.contains("lines are not shown")).collect();
        assert_eq!(marks.len(), 1);
        assert!(marks[0].text.contains("49995"), "{}", marks[0].text);
    }

    #[test]
    fn a_line_encoded_for_a_snapshot_shows_the_same_when_printed() {
        let mut host = Terminal::new(SIZE, 1000);
        host.feed(b"a \x1b[1;32mgreen\x1b[m \x1b[7minverse\x1b[m z");
        let line = host.rows().next().unwrap();
        let mut other = Terminal::new(SIZE, 1000);
        other.feed(encode_line(&line).as_bytes());
        assert_eq!(other.rows().next().unwrap(), line);
    }
}
