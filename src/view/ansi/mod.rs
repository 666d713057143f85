//! Writes frames as escape sequences, for clients with a terminal emulator.
//!
//! A frame is the difference from the rows that the client has. Rows that scrolled off are scrolled off on its
//! screen too, and so enter its own scrollback in order; of the others, what changed is rewritten, after rows that
//! have moved within the screen were moved there too. Of two ways to write the same, the shorter one is sent.

mod modes;
mod painter;
mod sgr;

pub use painter::encode_line;

/// Sequences that bring an emulator of which nothing is known to these modes; the alternate screen aside.
#[must_use]
pub fn encode_modes(now: Modes) -> String {
    let mut data = String::new();
    modes::mirror(&mut data, None, now);
    data
}

use painter::Painter;

use super::{Update, scrolling, skip_marker};
use crate::{
    protocol::{Span, SpanLine, Style},
    term::Modes,
};

/// The update as sequences; empty when there is nothing to tell.
pub(super) fn frame(update: &Update) -> String {
    let mark = update.skipped.map(|(rows, kept)| marker(&skip_marker(rows, kept), update.cols));
    let gone: Vec<&SpanLine> = mark.iter().chain(update.gone).collect();
    let cursor = update.cursor_was.map(|cursor| (usize::from(cursor.row), usize::from(cursor.col)));
    let mut painter = Painter::new(update.cols, cursor);
    if update.begins_sync {
        painter.raw("\x1b[?2026h");
    }
    if update.reset {
        painter.raw("\x1b[?1049l\x1b[m\x1b[r\x1b[H\x1b[2J\x1b[3J");
        painter.forget_cursor();
    }
    let was = update.modes_were.unwrap_or_default();
    if update.modes.alternate_screen != was.alternate_screen {
        painter.raw(if update.modes.alternate_screen { "\x1b[?1049h" } else { "\x1b[?1049l" });
        painter.forget_cursor();
    }
    if update.cleared {
        painter.raw("\x1b[3J");
    }
    let mut painter = if gone.is_empty() {
        within(painter, update.has, update.target, update.modes.alternate_screen)
    } else {
        off(painter, update.has, &gone, update.target)
    };
    painter.set_style(None);
    let cursor = update.cursor;
    painter.go_to(usize::from(cursor.row), usize::from(cursor.col));
    let mut data = painter.finish();
    modes::mirror(&mut data, update.modes_were, update.modes);
    if let Some(title) = update.title {
        data.push_str("\x1b]2;");
        data.push_str(title);
        data.push_str("\x1b\\");
    }
    if update.ends_sync {
        data.push_str("\x1b[?2026l");
    }
    data
}

/// A line of Termi's own.
fn marker(text: &str, cols: usize) -> SpanLine {
    let text: String = text.chars().take(cols).collect();
    let style = Style { dim: true, ..Style::default() };
    let spans = vec![Span { start: 0, end: text.len(), style }];
    SpanLine { text, spans }
}

/// No row leaves the screen: what has moved within it is moved, if that is shorter, and what differs rewritten.
fn within<'a>(painter: Painter<'a>, has: &'a [SpanLine], target: &[&'a SpanLine], is_alternate: bool) -> Painter<'a> {
    let mut rewritten = painter.clone();
    for (row, (old, new)) in has.iter().zip(target).enumerate() {
        rewritten.change_row(row, old, new);
    }
    // The alternate screen has no scrollback that a row moving off the top would enter.
    let Some(scroll) = scrolling::find(has, target, is_alternate) else { return rewritten };
    let mut moved = painter;
    let whole = scroll.top == 0 && scroll.bottom == has.len();
    if !whole {
        moved.region(Some((scroll.top, scroll.bottom)));
    }
    moved.scroll(scroll.by, scroll.up);
    if !whole {
        moved.region(None);
    }
    let blank = SpanLine::default();
    for (row, (old, new)) in scroll.apply(has).into_iter().zip(target).enumerate() {
        moved.change_row(row, old.unwrap_or(&blank), new);
    }
    shorter(moved, rewritten)
}

/// Rows leave the screen by its top: they and the rows after them are one flow of lines, of which the client has the
/// first screenful. What differs there is put right, the rest follows below, and the screen scrolls.
fn off<'a>(painter: Painter<'a>, has: &'a [SpanLine], gone: &[&'a SpanLine], target: &[&'a SpanLine]) -> Painter<'a> {
    // Rows at the bottom that stay as they are, such as a status line, may lie outside of what scrolls; a scrolling
    // region has at least two rows.
    let same = has.iter().zip(target).rev().take_while(|(old, new)| old == *new).count();
    let same = same.min(has.len().saturating_sub(2));
    let stays = (1..=same).any(|row| !has[has.len() - row].text.is_empty());
    let all = scroll_off(painter.clone(), has, gone, target, has.len());
    if stays { shorter(scroll_off(painter, has, gone, target, has.len() - same), all) } else { all }
}

/// The same with the rows from `bottom` on outside of what scrolls.
fn scroll_off<'a>(
    mut painter: Painter<'a>,
    has: &'a [SpanLine],
    gone: &[&'a SpanLine],
    target: &[&'a SpanLine],
    bottom: usize,
) -> Painter<'a> {
    let (scrolling, fixed) = target.split_at(bottom);
    let mut flow = gone.iter().chain(scrolling);
    for (row, (old, new)) in has[..bottom].iter().zip(flow.by_ref()).enumerate() {
        painter.change_row(row, old, new);
    }
    if bottom < has.len() {
        painter.set_style(None);
        painter.region(Some((0, bottom)));
    }
    painter.go_to_row(bottom - 1);
    for line in flow {
        painter.newline(bottom - 1);
        painter.fill_row(bottom - 1, line);
    }
    if bottom < has.len() {
        painter.region(None);
        for (row, (old, new)) in (bottom..).zip(has[bottom..].iter().zip(fixed)) {
            painter.change_row(row, old, new);
        }
    }
    painter
}

fn shorter<'a>(a: Painter<'a>, b: Painter<'a>) -> Painter<'a> {
    // Both are to end in the default style.
    if a.data.len() < b.data.len() { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{Format, FrameBody, Size},
        term::Terminal,
        view::View,
    };

    const SIZE: Size = Size { rows: 6, cols: 30 };

    fn ansi(view: &mut View, terminal: &Terminal) -> (String, bool) {
        let Some(frame) = view.next_frame(terminal) else { return (String::new(), true) };
        match frame.body {
            FrameBody::Ansi { data } => (data, frame.is_current),
            other @ FrameBody::Spans(_) => panic!("{other:?}"),
        }
    }

    /// Feeds every frame to a second emulator until the view is up to date.
    fn catch_up(view: &mut View, from: &Terminal, to: &mut Terminal) {
        loop {
            let (data, current) = ansi(view, from);
            to.feed(data.as_bytes());
            assert!(to.take_effects().replies.is_empty(), "a frame must ask nothing");
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
                host.take_effects();
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

    /// The sequences for what is printed on a screen that the client has.
    fn update(host: &mut Terminal, client: &mut Terminal, view: &mut View, print: &str) -> String {
        catch_up(view, host, client);
        host.feed(print.as_bytes());
        let (data, current) = ansi(view, host);
        client.feed(data.as_bytes());
        assert!(current);
        assert_eq!(client.rows().collect::<Vec<_>>(), host.rows().collect::<Vec<_>>(), "{data:?}");
        data
    }

    #[test]
    fn an_update_holds_what_differs_and_little_else() {
        let mut host = Terminal::new(SIZE, 500_000);
        let mut client = Terminal::new(SIZE, 500_000);
        let mut view = View::new(Format::Ansi, &host);
        let mut now = |print: &str| update(&mut host, &mut client, &mut view, print);
        assert_eq!(now("$ "), "$\x1b[C");
        assert_eq!(now("l"), "l", "a key's echo");
        assert_eq!(now("s\r\n"), "s\x1b[2H");
        assert_eq!(now("\x1b[1;31mone two three"), "\x1b[1;31mone two three\x1b[m");
        assert_eq!(now("\x1b[2;5HTWO"), "\x1b[5G\x1b[1;31mTWO\x1b[m", "in the middle of a row");
        assert_eq!(now("\x1b[2;5H\x1b[K"), "\x1b[4G\x1b[K\x1b[C", "to the end of a row");
        assert_eq!(now("\x1b[m\x1b[6H\x1b[44mstatus\x1b[K\x1b[m"), "\x1b[6H\x1b[44mstatus\x1b[K\x1b[m");
        assert_eq!(now("\x1b[?1049h\x1b[2J\x1b[Hvim"), "\x1b[?1049h\x1b[Hvim");
        assert_eq!(now("\x1b[?1049l"), "\x1b[?1049l\x1b[6;7H", "what was below is still there");
        assert_eq!(now(""), "");
    }

    #[test]
    fn what_moved_within_the_screen_is_moved() {
        let mut host = Terminal::new(SIZE, 500_000);
        let mut client = Terminal::new(SIZE, 500_000);
        let mut view = View::new(Format::Ansi, &host);
        let mut now = |print: &str| update(&mut host, &mut client, &mut view, print);
        now("a title\x1b[2Hfirst line of text\x1b[3Hsecond line of text\x1b[4Hthird line of text\x1b[6Hstatus");
        assert_eq!(now("\x1b[2;5r\x1b[2H\x1bM\x1b[r\x1b[2Hnew"), "\x1b[2;5r\x1b[T\x1b[r\x1b[2Hnew");
        assert_eq!(now("\x1b[2;5r\x1b[5H\n\x1b[r\x1b[5Hend"), "\x1b[2;5r\x1b[S\x1b[r\x1b[5Hend");
        // Where lines leave by the top, the status line below stays.
        let data = now("\x1b[1;5r\x1b[5H\r\nlast\x1b[r\x1b[5;5H");
        assert_eq!(data, "\x1b[1;5r\x1b[5H\nlast\x1b[r\x1b[5;5H");
        assert_eq!(everything(&client)[0].text, "a title");
    }

    #[test]
    fn an_update_of_several_frames_is_put_between_brackets_for_who_takes_them() {
        let mut host = Terminal::new(SIZE, 5_000_000);
        host.feed("a line\r\n".repeat(2500).as_bytes());
        let mut view = View::new(Format::Ansi, &host);
        view.set_synchronizes(true);
        let frames: Vec<_> = std::iter::from_fn(|| view.next_frame(&host)).collect();
        let data = |frame: &crate::view::NextFrame| match &frame.body {
            FrameBody::Ansi { data } => data.clone(),
            FrameBody::Spans(_) => String::new(),
        };
        let (first, last) = (data(&frames[0]), data(&frames[frames.len() - 1]));
        assert_eq!(frames.len(), 3);
        assert!(first.starts_with("\x1b[?2026h") && last.ends_with("\x1b[?2026l"));
        let all: String = frames.iter().map(data).collect();
        assert_eq!(all.matches("\x1b[?2026").count(), 2);
        // One frame is whole by itself.
        host.feed(b"one more\r\n");
        assert!(!data(&view.next_frame(&host).unwrap()).contains("2026"));
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
