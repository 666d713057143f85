//! Frames as escape sequences, for clients with a terminal emulator.
//!
//! A frame is the difference from the rows that the client has: rows that scrolled off are scrolled off on its
//! screen too, and so enter its own scrollback in order; of the others, what changed is rewritten. What is not
//! known, or has moved by more than a screen, is written from the top as one flow: what does not fit scrolls.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::{Part, View, letterbox::letterbox, skip_marker};
use crate::{
    protocol::{FrameBody, Paint, Span, SpanLine, Style, Underline},
    term::{CursorShape, Modes, MouseReport, Terminal},
};

/// The update, and the rows and the cursor's place that the client's screen has after it.
pub(super) fn frame(view: &View, terminal: &Terminal, part: &Part) -> (FrameBody, Vec<SpanLine>, (u16, u16)) {
    let modes = terminal.modes();
    let (window, at) = (view.letterbox(terminal), terminal.cursor());
    let (target, cursor) = match window {
        Some(window) => letterbox(terminal, window),
        None => (target_rows(terminal, part), (at.row, at.col)),
    };
    let mut data = String::new();
    if view.starts_over {
        data.push_str("\x1b[?1049l\x1b[m\x1b[H\x1b[2J\x1b[3J");
    }
    let was = view.modes.unwrap_or_default();
    let other_screen = modes.alternate_screen != was.alternate_screen;
    if other_screen {
        data.push_str(if modes.alternate_screen { "\x1b[?1049h" } else { "\x1b[?1049l" });
    }
    if part.cleared {
        data.push_str("\x1b[3J");
    }
    let known = (!view.starts_over && !other_screen && view.rows.len() == target.len()).then_some(&view.rows);
    let cols = usize::from(window.unwrap_or(terminal.size()).cols);
    match known {
        Some(rows) if part.skipped == 0 && part.len() <= rows.len() => change(&mut data, rows, &target, terminal, part),
        _ if part.skipped == 0 && part.len() == 0 => place(&mut data, &target, cols),
        _ => flow(&mut data, &target, terminal, part),
    }
    if !data.is_empty() || view.cursor != Some(cursor) {
        // Writing to a String cannot fail.
        let _ = write!(data, "\x1b[{};{}H", cursor.0 + 1, cursor.1 + 1);
    }
    mirror_modes(&mut data, view.modes, modes);
    if terminal.title() != view.title {
        let _ = write!(data, "\x1b]2;{}\x1b\\", terminal.title());
    }
    (FrameBody::Ansi { data }, target, cursor)
}

/// What is to stand on the client's screen: the terminal's, or on the way there the rows that follow those sent.
fn target_rows(terminal: &Terminal, part: &Part) -> Vec<SpanLine> {
    if part.current {
        return terminal.rows().collect();
    }
    let following = terminal.transcript().rows_from(part.end).map(|row| row.line.clone());
    following.chain(terminal.rows()).take(usize::from(terminal.size().rows)).collect()
}

/// The rows that scrolled off and the screen as one flow from the top left corner.
fn flow(data: &mut String, target: &[SpanLine], terminal: &Terminal, part: &Part) {
    let cols = usize::from(terminal.size().cols);
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
        let text: String = skip_marker(part.skipped, part.start - terminal.transcript().first().min(part.start))
            .chars()
            .take(cols)
            .collect();
        let spans = vec![Span { start: 0, end: text.len(), style }];
        put(&SpanLine { text, spans });
    }
    scrolled(terminal, part).for_each(&mut put);
    target.iter().for_each(put);
}

/// Each row in its place, whatever is there: nothing scrolls, and nothing can, whatever size the client has by now.
fn place(data: &mut String, target: &[SpanLine], cols: usize) {
    for (row, line) in target.iter().enumerate() {
        go_to(data, row, 0);
        write_line(data, line, cols);
    }
}

/// What differs from the rows that the client has. Rows that scrolled off are put right first, if they changed
/// before they did, then scrolled off on the client's screen too.
fn change(data: &mut String, has: &[SpanLine], target: &[SpanLine], terminal: &Terminal, part: &Part) {
    for (row, (old, new)) in has.iter().zip(scrolled(terminal, part)).enumerate() {
        change_line(data, row, old, new);
    }
    if part.len() > 0 {
        go_to(data, has.len() - 1, 0);
        data.extend(std::iter::repeat_n('\n', part.len()));
    }
    let blank = SpanLine::default();
    let moved = has[part.len()..].iter().chain(std::iter::repeat(&blank));
    for (row, (old, new)) in moved.zip(target).enumerate() {
        change_line(data, row, old, new);
    }
}

fn scrolled<'a>(terminal: &'a Terminal, part: &Part) -> impl Iterator<Item = &'a SpanLine> {
    terminal.transcript().rows_from(part.start).map(|row| &row.line).take(part.len())
}

fn go_to(data: &mut String, row: usize, col: usize) {
    // Writing to a String cannot fail.
    let _ = match col {
        0 => write!(data, "\x1b[{}H", row + 1),
        _ => write!(data, "\x1b[{};{}H", row + 1, col + 1),
    };
}

/// Rewrites a row from its first changed column to its last.
fn change_line(data: &mut String, row: usize, old: &SpanLine, new: &SpanLine) {
    if old == new {
        return;
    }
    let (before, after) = (clusters(old), clusters(new));
    let width = |all: &[Cluster]| all.iter().map(|cluster| cluster.width).sum::<usize>();
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[same..], &after[same..]);
    let (was, is) = (width(before), width(after));
    // The ends of two rows can be matched only where they stand in the same columns.
    let same_end =
        if was == is { before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count() } else { 0 };
    let changed = &after[..after.len() - same_end];
    let start = changed.first().map_or(new.text.len(), |cluster| cluster.start);
    let end = changed.last().map_or(start, |cluster| cluster.start + cluster.text.len());
    let col = new.text[..start].chars().filter_map(UnicodeWidthChar::width).sum();
    if start == end && is >= was {
        // Only blanks at the end differ, and those are the same to see.
        return;
    }
    go_to(data, row, col);
    write_text(data, &part_of(new, start, end), Some(col));
    if is < was {
        data.push_str("\x1b[K");
    }
}

/// A character with what is drawn over it.
#[derive(Debug, PartialEq)]
struct Cluster<'a> {
    text: &'a str,
    width: usize,
    style: Option<&'a Style>,
    start: usize,
}

/// The line's clusters; blanks at its end that have no look of their own are left out.
fn clusters(line: &SpanLine) -> Vec<Cluster<'_>> {
    let mut all: Vec<Cluster> = Vec::with_capacity(line.text.len());
    let mut spans = line.spans.iter().peekable();
    for (at, c) in line.text.char_indices() {
        while spans.next_if(|span| span.end <= at).is_some() {}
        let style = spans.peek().filter(|span| span.start <= at).map(|span| &span.style);
        let (width, end) = (c.width().unwrap_or(0), at + c.len_utf8());
        match all.last_mut() {
            Some(last) if width == 0 => last.text = &line.text[last.start..end],
            _ => all.push(Cluster { text: &line.text[at..end], width, style, start: at }),
        }
    }
    while all.pop_if(|last| last.text == " " && last.style.is_none()).is_some() {}
    all
}

/// The bytes `start` to `end` of a line, with their looks.
fn part_of(line: &SpanLine, start: usize, end: usize) -> SpanLine {
    let inside = |span: &Span| span.start < end && span.end > start;
    SpanLine {
        text: line.text[start..end].to_owned(),
        spans: line
            .spans
            .iter()
            .filter(|span| inside(span))
            .map(|span| Span {
                start: span.start.max(start) - start,
                end: span.end.min(end) - start,
                style: span.style.clone(),
            })
            .collect(),
    }
}

/// One row: its text with its looks, the rest of the row erased.
fn write_line(data: &mut String, line: &SpanLine, cols: usize) {
    let width = write_text(data, line, Some(0));
    if width < cols {
        data.push_str("\x1b[K");
    }
}

/// A line's text with its looks, ending in the default look.
#[must_use]
pub fn encode_line(line: &SpanLine) -> String {
    let mut data = String::with_capacity(line.text.len() + line.spans.len() * 12);
    write_text(&mut data, line, None);
    data
}

/// Writes a line's text with its looks and returns the column after it. With the column it starts in, the cursor
/// is put right after clusters whose width terminals do not agree on.
fn write_text(data: &mut String, line: &SpanLine, from: Option<usize>) -> usize {
    let mut col = from.unwrap_or(0);
    let mut at = 0;
    for span in &line.spans {
        if at < span.start {
            col = write_run(data, &line.text[at..span.start], col, from.is_some());
        }
        write_style(data, &span.style);
        col = write_run(data, &line.text[span.start..span.end], col, from.is_some());
        data.push_str(if span.style.link.is_some() { "\x1b]8;;\x1b\\\x1b[m" } else { "\x1b[m" });
        at = span.end;
    }
    write_run(data, &line.text[at..], col, from.is_some())
}

fn write_run(data: &mut String, text: &str, mut col: usize, place: bool) -> usize {
    if text.is_ascii() {
        data.push_str(text);
        return col + text.len();
    }
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        data.push(c);
        let width = c.width().unwrap_or(0);
        col += width;
        let next_joins = chars.peek().is_some_and(|next| next.width() == Some(0));
        let disputed = width == 0 || (width > 1 && !is_plain_wide(c)) || is_symbol(c);
        if place && disputed && !next_joins {
            // Writing to a String cannot fail.
            let _ = write!(data, "\x1b[{}G", col + 1);
        }
    }
    col
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
        let Some(frame) = view.next_frame(terminal) else { return (String::new(), true) };
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
            // Each of these once gave a client another picture.
            "\x1b[3;5H\u{2714}\u{fe0f}\x1b[3;7Hab",
            "\u{4f60}\x1b[1;2H\x1b[@x\x1b[4h\u{597d}\x1b[Dy",
            "\x1b[90;48;5;0m\u{2714}\x1b[38;5;8m line\x1b[m",
            "\x1b]2;title\x07\x1bcafter",
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
        let marks: Vec<_> = everything(&client)
            .into_iter()
            .filter(|line| line.text.contains("49995 earlier lines") || line.text.contains("lines are not shown"))
            .collect();
        assert_eq!(marks.len(), 1);
        assert!(marks[0].text.contains("49995"), "{}", marks[0].text);
    }

    #[test]
    fn a_view_that_fell_behind_is_filled_from_the_transcript_when_it_starts_over() {
        let mut host = Terminal::new(SIZE, 5_000_000);
        let mut client = Terminal::new(SIZE, 5_000_000);
        let mut view = View::new(Format::Ansi, &host);
        catch_up(&mut view, &host, &mut client);
        for n in 0..8000 {
            host.feed(format!("{n}\r\n").as_bytes());
        }
        catch_up(&mut view, &host, &mut client);
        assert!(view.is_behind(&host));
        view.start_over(&host);
        catch_up(&mut view, &host, &mut client);
        assert!(!view.is_behind(&host));
        let text: Vec<_> = everything(&client).into_iter().map(|line| line.text).collect();
        assert!(text[0].contains("2995 lines are not shown"), "{}", text[0]);
        let numbers: Vec<_> = (2995..8000).map(|n| n.to_string()).chain([String::new()]).collect();
        assert_eq!(text[1..], numbers);
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
