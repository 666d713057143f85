//! Arbitrary and hostile streams: no panic, no hang, bounded memory, and every cut of a stream is the same stream.

use proptest::{collection::vec, prelude::*};

use crate::{
    protocol::{Size, SpanLine},
    term::{Effects, Terminal, parse::ReferenceParser},
};

const SIZE: Size = Size { rows: 6, cols: 20 };
const LIMIT: usize = 20_000;

/// All that can be known of a terminal.
#[derive(Debug, PartialEq)]
struct Look {
    transcript: Vec<SpanLine>,
    rows: Vec<SpanLine>,
    title: String,
    prompts: Vec<(u64, Option<i32>)>,
    effects: Effects,
}

fn look(terminal: &mut Terminal) -> Look {
    Look {
        transcript: terminal.transcript().rows_from(0).map(|row| row.line).collect(),
        rows: terminal.rows().collect(),
        title: terminal.title().to_owned(),
        prompts: terminal.prompts().map(|prompt| (prompt.row, prompt.exit)).collect(),
        effects: terminal.take_effects(),
    }
}

fn whole(stream: &[u8]) -> Look {
    let mut terminal = Terminal::new(SIZE, LIMIT);
    terminal.feed(stream);
    look(&mut terminal)
}

/// Pieces of every kind of sequence, whole, broken off and broken into.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let text = |strategy: &'static str| strategy.prop_map(String::into_bytes);
    prop_oneof![
        4 => text("[ -~]{1,30}"),
        2 => text("(\r\n|\n|\t|\u{8}|\u{7}|\u{18}|\u{1a}|\u{1b}|\u{0})"),
        2 => text("[\u{e9}\u{4f60}\u{1f600}e\u{301}\u{fe0f}\u{200d}\u{300}]{1,20}"),
        4 => text("\u{1b}\\[(0|1|2|3|4|7|9|22|24|31|39|42|95|104|38;5;[0-9]{1,3}|48;2;[0-9]{1,3};2;3|;|)(;[0-9]{1,2})?m"),
        2 => text("[a-z]{1,40}\u{1b}\\[[0-9]{0,2}b"),
        1 => text("(\u{e}|\u{f}|\u{1b}[()][0B]|\u{1b}\\[4[hl])"),
        4 => text("\u{1b}\\[[?>=!]?[0-9;:]{0,9}[ -/]?[@-~]"),
        2 => text("\u{1b}\\[\\?(1049|2026|1004|7|6|3|69)[hl]"),
        2 => text("\u{1b}\\[[0-9]{1,6}[ABCDEFGHIJKLMPSTXZ@b`d]"),
        1 => text("\u{1b}\\[(22|23);?[012]?t"),
        3 => text("\u{1b}\\](0|2|4|7|8|9|10|11|50|52|99|104|133|777)(;[ -~]{0,20}){0,3}(\u{7}|\u{1b}\\\\|\u{18}|)"),
        2 => text("\u{1b}\\](133;[ABCD](;[0-9]{1,3})?|9;4;[0-5];[0-9]{1,3}|7;file:///[a-z%0-9]{0,9}|52;[cp];(\\?|aGk=))\u{7}"),
        2 => text("\u{1b}[PX^_][ -~]{0,20}(\u{1b}\\\\|\u{7}|\u{1a}|)"),
        2 => text("\u{1b}[ -/]{0,3}[0-~]"),
        2 => vec(any::<u8>(), 1..20),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 1..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ten_thousand_streams_end_and_stay_within_their_memory(stream in stream(), rows in 1_u16..9, cols in 4_u16..30) {
        let mut terminal = Terminal::new(SIZE, LIMIT);
        terminal.feed(&stream);
        terminal.resize(Size { rows, cols });
        terminal.feed(&stream);
        prop_assert!(terminal.transcript().bytes() <= LIMIT + 4096);
        let rows = terminal.rows().collect::<Vec<_>>();
        prop_assert_eq!(rows.len(), usize::from(terminal.size().rows));
        // Whatever came before, it finds its way back.
        terminal.feed(b"\x18\x1bc\x1b]0;fine\x07back");
        let first = terminal.rows().next().unwrap().text;
        prop_assert_eq!(first.trim_end(), "back");
        prop_assert_eq!(terminal.title(), "fine");
        terminal.take_effects();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_quick_way_past_the_parser_gives_the_same(streams in vec(stream(), 1..20)) {
        let mut quick = Terminal::new(SIZE, LIMIT);
        let mut plain = Terminal::new(SIZE, LIMIT);
        for stream in streams {
            quick.feed(&stream);
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let mut sink = ReferenceParser(plain.parser.with(&mut plain.screen));
                rest = &rest[plain.string_filter.advance(rest, &mut sink)..];
            }
            prop_assert_eq!(quick.cursor(), plain.cursor());
        }
        prop_assert_eq!(look(&mut quick), look(&mut plain));
    }

    #[test]
    fn every_cut_of_any_stream_gives_the_same(stream in stream()) {
        let whole = whole(&stream);
        for cut in 0..stream.len() {
            let mut split = Terminal::new(SIZE, LIMIT);
            split.feed(&stream[..cut]);
            split.feed(&stream[cut..]);
            prop_assert_eq!(&look(&mut split), &whole, "cut at {}", cut);
        }
        let mut bytewise = Terminal::new(SIZE, LIMIT);
        stream.iter().for_each(|byte| bytewise.feed(&[*byte]));
        prop_assert_eq!(&look(&mut bytewise), &whole);
    }
}

#[test]
fn a_character_is_repeated_wherever_the_sequence_for_it_is_cut() {
    for stream in [&b"a\x1b[1b"[..], b"a\x1b\x1b[1b", b"a\x1b(\x1b[1b", b"a\x1b[3\x1b[1b"] {
        for cut in 0..stream.len() {
            let mut split = Terminal::new(SIZE, LIMIT);
            split.feed(&stream[..cut]);
            split.feed(&stream[cut..]);
            assert_eq!(split.row(0).text, "aa", "{stream:?} cut at {cut}");
        }
    }
}

/// Feeds a beginning, then a piece again and again.
fn flood(begin: &str, piece: &str, times: usize) -> Terminal {
    let mut terminal = Terminal::new(SIZE, LIMIT);
    terminal.feed(begin.as_bytes());
    for _ in 0..times {
        terminal.feed(piece.as_bytes());
    }
    terminal
}

#[test]
fn marks_over_a_character_are_few() {
    let terminal = flood("a", "\u{301}", 10_000);
    assert_eq!(terminal.rows().next().unwrap().text.chars().count(), 1 + 16);
    let wide = flood("\u{4f60}", "\u{301}", 10_000);
    assert_eq!(wide.rows().next().unwrap().text.chars().count(), 1 + 16);
    // At the last column the cursor stands on the character itself.
    let last = flood("01234567890123456789", "\u{301}", 10_000);
    assert_eq!(last.rows().next().unwrap().text.chars().count(), 20 + 16);
}

#[test]
fn titles_that_are_put_by_are_few_and_come_back_in_order() {
    let mut terminal = flood("", "\x1b[22t", 100_000);
    for n in 0..20 {
        terminal.feed(format!("\x1b]2;title {n}\x07\x1b[22;0t").as_bytes());
    }
    terminal.feed(b"\x1b]2;another\x07");
    for n in (10..20).rev() {
        terminal.feed(b"\x1b[23;0t");
        assert_eq!(terminal.title(), format!("title {n}"));
    }
    terminal.feed(b"\x1b[23;0t");
    assert_eq!(terminal.title(), "title 10");
    terminal.feed(format!("\x1b]0;{}\x07", "x".repeat(5000)).as_bytes());
    assert_eq!(terminal.title().len(), 500);
}

#[test]
fn kitty_keyboard_modes_are_not_kept() {
    // The emulator's own stack panics when it is full and no title is put by: it must never be in use.
    let mut terminal = flood("", "\x1b[>1u\x1b[>31u", 10_000);
    terminal.feed(b"\x1b[<20000uok");
    assert_eq!(terminal.rows().next().unwrap().text, "ok");
}

#[test]
fn answers_that_nobody_takes_are_bounded() {
    let mut terminal = flood("", "\x1b[c\x1b[6n\x1b]11;?\x07\x1b[18t\x1b]52;c;?\x07\x1b]9;x\x07\x07", 20_000);
    let effects = terminal.take_effects();
    assert!(effects.replies.len() <= 64 << 10, "{}", effects.replies.len());
    assert!(effects.bell && effects.notifications.len() == 8 && effects.pastes.len() == 4);
}

#[test]
fn links_are_bounded_on_the_screen() {
    let mut terminal = Terminal::new(Size { rows: 100, cols: 200 }, LIMIT);
    for n in 0..20_000 {
        terminal.feed(format!("\x1b]8;;http://{n:01900}/\x07x").as_bytes());
    }
    let linked = (0..100).flat_map(|row| (0..200).map(move |col| (row, col)));
    let bytes: usize = linked.filter_map(|(row, col)| terminal.link(row, col)).map(|link| link.len()).sum();
    assert!((1 << 20..3 << 20).contains(&bytes), "{bytes} bytes of links on one screen");
    // Once they are off the screen there is room again.
    terminal.feed("\x1b[2J\x1b[H".as_bytes());
    for n in 0..400 {
        terminal.feed(format!("\x1b]8;;http://{n:0900}/\x07x").as_bytes());
    }
    assert!(terminal.link(1, 190).is_some());
    terminal.feed(format!("\x1b[H\x1b]8;;{}\x07x", "x".repeat(3000)).as_bytes());
    assert_eq!(terminal.link(0, 0), None, "a link that is too long ends the one before");
}

#[test]
fn an_update_is_taken_in_as_it_comes_and_says_that_it_is_none_yet() {
    let mut terminal = Terminal::new(SIZE, LIMIT);
    terminal.feed(b"\x1b[?2026hhalf");
    let deadline = terminal.sync_deadline().unwrap();
    terminal.feed(b"\x1b[?2026h");
    assert_eq!(terminal.sync_deadline(), Some(deadline), "the patience is not renewed");
    assert_eq!(terminal.rows().next().unwrap().text, "half");
    terminal.feed(b"\x1b[?2026l");
    assert_eq!(terminal.sync_deadline(), None);
}

#[test]
fn prompts_stay_with_their_rows() {
    let mut terminal = Terminal::new(SIZE, 500_000);
    let prompts = |terminal: &Terminal| terminal.prompts().map(|prompt| prompt.row).collect::<Vec<_>>();
    terminal.feed(b"\x1b]133;A\x07$ a long command that wraps over rows\r\nout\r\n\x1b]133;D;1\x07\x1b]133;A\x07$ two");
    assert_eq!(prompts(&terminal), [0, 3]);
    terminal.resize(Size { rows: 6, cols: 10 });
    assert_eq!(prompts(&terminal), [0, 5]);
    terminal.resize(Size { rows: 2, cols: 60 });
    assert_eq!(prompts(&terminal).len(), 2);
    let text = |terminal: &Terminal, row: u64| {
        let transcript = terminal.transcript();
        let rows: Vec<_> =
            transcript.rows_from(0).map(|row| row.line.text).chain(terminal.rows().map(|row| row.text)).collect();
        rows[usize::try_from(row - transcript.first()).unwrap()].clone()
    };
    for row in prompts(&terminal) {
        assert!(text(&terminal, row).starts_with('$'), "{:?}", text(&terminal, row));
    }
    assert_eq!(terminal.prompts().next().unwrap().exit, Some(1));
    // A scrolling region above a line that stays: the marks below it stay too.
    let mut status = Terminal::new(SIZE, 500_000);
    status.feed(b"\x1b[6;1H\x1b]133;A\x07$\x1b[1;5r\x1b[5;1Ha\r\nb\r\nc");
    assert_eq!(prompts(&status), [status.transcript().end() + 5]);
    // A prompt that is drawn again is the same; what is wiped is gone.
    status.feed(b"\x1b[r\x1b[6;1H\x1b]133;A\x07$\x1b[H\x1b[J");
    assert_eq!(prompts(&status), Vec::<u64>::new());
}
