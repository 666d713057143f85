//! The fast path for floods gives what drawing each byte gives.

use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{
    protocol::{CursorInfo, Size, SpanLine},
    term::{Prompt, Row, Terminal},
};

const LIMIT: usize = 30_000;

/// What a line may hold; most of it can wait.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => "[ -~]{0,30}",
        6 => "[a-z]{0,3} {1,9}",
        3 => "[ -~]{100,200}",
        8 => (0_u8..110).prop_map(|number| format!("\x1b[{number}m")),
        3 => (0_u8..9, 0_u8..=255).prop_map(|(first, second)| format!("\x1b[{first};38;5;{second}m")),
        3 => Just("\x1b[m".to_owned()),
        3 => "[éà→─█α\u{ad}]{1,9}",
        1 => "[\u{4f60}\u{597d}\u{1f600}]{1,4}",
        1 => Just("e\u{301}".to_owned()),
        1 => proptest::sample::select(vec!["\t", "\r", "\x08", "\n", "\x07", "\x1b[K", "\x1b[3G", "\x1b[4:3m", "\x7f"])
            .prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    vec(part(), 0..5).prop_map(|parts| (parts.concat() + "\r\n").into_bytes())
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(line(), 1..60).prop_map(|lines| lines.concat()),
        // A flood of nothing odd, as long as several screens.
        ("[ -~]{0,50}", "[ -~]{0,50}", 10_usize..80).prop_map(|(one, other, count)| {
            format!("{one}\r\n\x1b[3{}m{other}\x1b[m\r\n", count % 8).repeat(count).into_bytes()
        }),
    ]
}

fn odd() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::sample::select(vec![
            "\x1b[?1049h",
            "\x1b[?1049l",
            "\x1b[2;4r",
            "\x1b[r",
            "\x1b[4h",
            "\x1b[4l",
            "\x1b[?7l",
            "\x1b[?7h",
            "\x1b(0",
            "\x1b(B",
            "\x1b[H",
            "\x1b[2J",
            "\x1b[99;1H",
            "\x1b[5b",
            "\x1b[?2026h",
            "\x1b[?2026l",
            "\x1b]133;A\x1b\\",
            "\x1b]8;;http://x\x1b\\",
            "\x1b]8;;\x1b\\",
            "\x1b]4;1;#102030\x1b\\",
            "\x1b]11;#405060\x1b\\",
            "\x1b[44m",
            "\x1b[m",
            "\x1b[3J",
            "\x1bc",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 1..6),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![4 => lines(), 1 => odd()], 1..12).prop_map(|pieces| pieces.concat())
}

#[derive(Debug, PartialEq)]
struct Look {
    rows: Vec<SpanLine>,
    transcript: Vec<Row>,
    /// Its first and last rows, what was dropped, and where it was cleared.
    numbers: [u64; 4],
    cursor: CursorInfo,
    prompts: Vec<Prompt>,
    title: String,
}

fn look(terminal: &Terminal) -> Look {
    let transcript = terminal.transcript();
    Look {
        rows: terminal.rows().collect(),
        transcript: transcript.rows_from(0).collect(),
        numbers: [transcript.first(), transcript.end(), transcript.dropped_bytes(), transcript.cleared_at()],
        cursor: terminal.cursor(),
        prompts: terminal.prompts().collect(),
        title: terminal.title().to_owned(),
    }
}

/// Says where they differ, and not all that they hold.
fn same(lazy: &Terminal, drawn: &Terminal) -> Result<(), TestCaseError> {
    let (lazy, drawn) = (look(lazy), look(drawn));
    for (row, (one, other)) in lazy.transcript.iter().zip(&drawn.transcript).enumerate() {
        prop_assert_eq!(one, other, "row {} of the transcript", row);
    }
    for (row, (one, other)) in lazy.rows.iter().zip(&drawn.rows).enumerate() {
        prop_assert_eq!(one, other, "row {} of the screen", row);
    }
    prop_assert_eq!(lazy.transcript.len(), drawn.transcript.len());
    prop_assert_eq!(lazy, drawn);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_never_drawn_makes_no_difference(
        stream in stream(),
        cuts in vec((any::<Index>(), any::<bool>()), 0..8),
        rows in 1_u16..12,
        cols in 2_u16..60,
        sizes in vec((1_u16..12, 2_u16..60), 2),
    ) {
        let (mut lazy, mut drawn) = (Terminal::new(Size { rows, cols }, LIMIT), Terminal::new(Size { rows, cols }, LIMIT));
        let mut cuts: Vec<_> = cuts.iter().map(|(at, settles)| (at.index(stream.len()), *settles)).collect();
        cuts.sort_unstable();
        cuts.push((stream.len(), true));
        let mut begin = 0;
        for (at, (end, settles)) in cuts.into_iter().enumerate() {
            let mut rest = &stream[begin..end];
            while !rest.is_empty() {
                rest = &rest[lazy.feed_update(rest)..];
            }
            let mut rest = &stream[begin..end];
            while !rest.is_empty() {
                rest = &rest[drawn.draw(rest)..];
            }
            begin = end;
            if settles {
                lazy.flush();
                same(&lazy, &drawn)?;
                let has_changed = lazy.rows_changed_since(0).count();
                prop_assert_eq!(has_changed, usize::from(lazy.size().rows));
            }
            if let Some(&(rows, cols)) = sizes.get(at / 3).filter(|_| at % 3 == 2) {
                prop_assert_eq!(lazy.resize(Size { rows, cols }), drawn.resize(Size { rows, cols }));
                same(&lazy, &drawn)?;
            }
        }
        // How the next character looks, and which is repeated.
        for terminal in [&mut lazy, &mut drawn] {
            terminal.feed(b"\x1b[2bx\r\ny");
        }
        same(&lazy, &drawn)?;
    }
}

/// The property would hold were nothing ever skipped.
#[test]
fn of_a_flood_only_the_last_screen_is_drawn() {
    let mut terminal = Terminal::new(Size { rows: 5, cols: 20 }, LIMIT);
    for piece in "\x1b[32msome line\x1b[m\r\nanother\r\n".repeat(500).into_bytes().chunks(1000) {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = &rest[terminal.feed_update(rest)..];
        }
    }
    assert!(terminal.bulk.replaces());
    let waiting = terminal.bulk.flush().unwrap().bytes;
    assert!(waiting.len() < 200, "{} bytes wait", waiting.len());
}
