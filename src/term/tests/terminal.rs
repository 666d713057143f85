//! A terminal and its transcript, as programs print to them.

use crate::{protocol::Size, term::*};

fn terminal(rows: u16, cols: u16) -> Terminal {
    Terminal::new(Size { rows, cols }, 500_000)
}

fn text(term: &Terminal) -> Vec<String> {
    term.rows().map(|row| row.text).collect()
}

fn scrolled(term: &Terminal) -> Vec<String> {
    let transcript = term.transcript();
    transcript.rows_from(transcript.first()).map(|row| row.line.text).collect()
}

#[test]
fn rows_that_leave_the_screen_are_in_the_transcript_in_order() {
    let mut term = terminal(3, 20);
    for n in 0..10 {
        term.feed(format!("line {n}\r\n").as_bytes());
    }
    assert_eq!(text(&term), ["line 8", "line 9", ""]);
    assert_eq!(scrolled(&term), (0..8).map(|n| format!("line {n}")).collect::<Vec<_>>());
}

#[test]
fn the_last_line_is_whole_where_it_wraps() {
    let mut term = terminal(5, 5);
    term.feed(b"before\r\nabcdefghijkl\r\n");
    assert_eq!(term.last_line(), "abcdefghijkl");
    term.feed(b"  \r\n\r\n\r\n\r\n");
    assert_eq!(term.last_line(), "abcdefghijkl", "though its beginning has left the screen");
    term.feed(b"\r\n\r\n\r\n");
    assert_eq!(term.last_line(), "abcdefghijkl", "though all of it has");
    term.feed(b"\x1b[Habcdefghijklmnopqrstuvwxyz\x1b[?1049h\x1b[Hdrawn");
    assert_eq!(term.last_line(), "drawn");
    term.feed(&b"x".repeat(10_000));
    term.feed(b"\x1b[?1049l");
    term.feed(&b"y".repeat(10_000));
    assert!((4096..5000).contains(&term.last_line().len()), "it is bounded");
}

#[test]
fn a_wrapped_line_is_one_line_in_the_transcript() {
    let mut term = terminal(2, 5);
    term.feed(b"abcdefghijkl\r\nnext\r\nlast");
    let transcript = term.transcript();
    assert_eq!(scrolled(&term), ["abcde", "fghij", "kl"]);
    let lines: Vec<_> = transcript.lines_from(transcript.first()).map(|line| line.text).collect();
    assert_eq!(lines, ["abcdefghijkl"]);
}

#[test]
fn the_alternate_screen_leaves_nothing_in_the_transcript() {
    let mut term = terminal(3, 20);
    term.feed(b"before\r\n\x1b[?1049h");
    for _ in 0..50 {
        term.feed(b"full screen\r\n");
    }
    term.feed(b"\x1b[?1049lafter");
    assert_eq!(scrolled(&term), Vec::<String>::new());
    assert_eq!(text(&term), ["before", "after", ""]);
}

#[test]
fn a_cleared_screen_is_kept_in_the_transcript() {
    let mut term = terminal(4, 20);
    term.feed(b"one\r\ntwo\r\n\x1b[H\x1b[2Jthree");
    assert_eq!(scrolled(&term), ["one", "two"]);
    assert_eq!(text(&term), ["three", "", "", ""]);
}

#[test]
fn a_smaller_window_loses_no_line_even_under_a_full_screen_program() {
    for alternate in [false, true] {
        let mut term = terminal(6, 20);
        term.feed(b"a\r\nb\r\nc\r\nd\r\ne\r\nf");
        if alternate {
            term.feed(b"\x1b[?1049h\x1b[Hfull");
        }
        assert!(term.resize(Size { rows: 2, cols: 20 }));
        if alternate {
            assert_eq!(text(&term)[0], "full", "the alternate screen stays as it was");
            term.feed(b"\x1b[?1049l");
        }
        let mut all = scrolled(&term);
        all.extend(text(&term));
        assert_eq!(all, ["a", "b", "c", "d", "e", "f"], "alternate: {alternate}");
    }
}

#[test]
fn the_narrowest_window_loses_nothing_of_the_largest() {
    for wide in [false, true] {
        let mut term = Terminal::new(Size { rows: 60, cols: 400 }, 64_000_000);
        // One line, as long as the whole screen, of which each word is another.
        let text: String = if wide {
            ('\u{4e00}'..).take(60 * 200).collect()
        } else {
            (0..60 * 400 / 6).map(|n| format!("{n:06}")).collect()
        };
        term.feed(text.as_bytes());
        assert!(term.resize(Size { rows: 2, cols: 2 }));
        let rows = term.transcript().rows_from(0).map(|row| row.line.text.clone());
        let all: String = rows.chain(term.rows().map(|row| row.text)).collect();
        assert_eq!(all.len(), text.len(), "of {} rows", term.transcript().end());
        assert!(all == text);
    }
}

#[test]
fn a_larger_window_takes_its_lines_back_with_their_looks() {
    let mut term = terminal(4, 20);
    for n in 0..10 {
        term.feed(format!("\x1b[3{}mline {n}\x1b[m \u{4f60}e\u{301}\r\n", n % 8).as_bytes());
    }
    let before: Vec<_> = term.transcript().rows_from(0).map(|row| row.line).chain(term.rows()).collect();
    assert!(term.resize(Size { rows: 8, cols: 20 }));
    assert_eq!(term.cursor().row, 7, "the cursor stays with its line");
    let after: Vec<_> = term.transcript().rows_from(0).map(|row| row.line).chain(term.rows()).collect();
    assert_eq!(after, before, "no row is lost, doubled or changed");
    assert_eq!(text(&term)[0], "line 3 \u{4f60}e\u{301}");
    // And away again.
    assert!(term.resize(Size { rows: 4, cols: 20 }));
    let again: Vec<_> = term.transcript().rows_from(0).map(|row| row.line).chain(term.rows()).collect();
    assert_eq!(again, before);
}

#[test]
fn blanks_at_a_soft_wrap_belong_to_the_line() {
    let mut term = terminal(2, 10);
    term.feed(b"word word word word\r\nx\r\ny\r\n");
    let transcript = term.transcript();
    let lines: Vec<_> = transcript.lines_from(0).map(|line| line.text).collect();
    assert_eq!(lines, ["word word word word", "x"]);
    let mut wide = terminal(2, 5);
    wide.feed("abcd\u{4f60}\u{597d}e\r\n\r\n".as_bytes());
    let lines: Vec<_> = wide.transcript().lines_from(0).map(|line| line.text).collect();
    assert_eq!(lines, ["abcd\u{4f60}\u{597d}e"]);
}

#[test]
fn any_size_a_client_sends_becomes_one_a_terminal_can_have() {
    assert_eq!(clamp_size(0, 0), Size { rows: 1, cols: 2 });
    assert_eq!(clamp_size(1, 1), Size { rows: 1, cols: 2 });
    assert_eq!(clamp_size(65_535, 65_535), MAX);
    assert_eq!(clamp_size(u32::MAX, 80), Size { rows: 500, cols: 80 });
    let mut term = terminal(1, 2);
    term.feed("\u{4f60}\u{597d}x\r\n\u{1f600}".as_bytes());
}

#[test]
fn queries_are_answered_with_the_clients_colours() {
    let mut term = terminal(5, 20);
    term.set_colors(Colors::new(Some("#102030"), Some("#ffffff")));
    term.feed(b"\x1b[6n\x1b]11;?\x07\x1b[c\x07");
    let effects = term.take_effects();
    let replies = String::from_utf8(effects.replies).unwrap();
    assert!(replies.starts_with("\x1b[1;1R\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?"), "{replies:?}");
    assert!(effects.bell);
    assert_eq!(term.take_effects(), Effects::default());
}

#[test]
fn every_cut_of_a_stream_gives_the_same_screen() {
    let stream = "a\u{1b}[1;31mrot\u{1b}[m \u{4f60}\u{597d} e\u{301} \u{1b}]0;t\u{ef}tle\u{7}\u{1b}[2;3Hx\u{1b}[?1049h\u{1f600}\u{1b}[?1049l";
    let mut whole = terminal(4, 20);
    whole.feed(stream.as_bytes());
    for cut in 0..stream.len() {
        let mut split = terminal(4, 20);
        split.feed(&stream.as_bytes()[..cut]);
        split.feed(&stream.as_bytes()[cut..]);
        assert_eq!(split.rows().collect::<Vec<_>>(), whole.rows().collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(split.title(), whole.title());
        assert_eq!(split.cursor(), whole.cursor());
    }
}
