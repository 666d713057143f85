//! The equivalence of views over arbitrary lives of terminals.

use proptest::{collection::vec, prelude::*};

use super::{Equivalence, Step, cases};
use crate::{
    protocol::{Size, SpanLine},
    term::{Terminal, clamp_size},
};

/// How many cases each property is tried on: few enough for every run of the tests; `TERMI_TEST_CASES` says another
/// number.
fn number_of_cases() -> u32 {
    std::env::var("TERMI_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number_of_cases(),
        failure_persistence: None,
        max_shrink_iters: 4096,
        ..ProptestConfig::default()
    })]

    #[test]
    fn clients_that_are_up_to_date_have_what_the_terminal_has(
        size in cases::size(),
        // Of few bytes much is cut, of none nothing.
        limit in prop_oneof![Just(4_000), Just(60_000), Just(500_000_000)],
        synchronizes in any::<bool>(),
        steps in cases::steps(),
    ) {
        let mut equivalence = Equivalence::new(clamp_size(size.0.into(), size.1.into()), limit, synchronizes);
        for step in steps.into_iter().chain([Step::EndSync, Step::CatchUp]) {
            equivalence.step(step).map_err(TestCaseError::fail)?;
        }
    }

    /// Whatever the moment: within a sequence, within a character, on the alternate screen.
    #[test]
    fn a_terminal_put_down_and_taken_up_by_another_process_goes_on_as_if_nothing_had_been(
        pieces in vec((cases::output(), any::<proptest::sample::Index>(), 0_u8..4), 1..12),
    ) {
        carried_over(&pieces.iter().map(|(bytes, cut, resize)| {
            let to = (*resize == 0).then(|| (cut.index(20) as u32 + 2, cut.index(40) as u32 + 2));
            (&bytes[..], cut.index(bytes.len() + 1), to)
        }).collect::<Vec<_>>()).map_err(TestCaseError::fail)?;
    }
}

/// Some output, where it is cut, and the size that the terminal has afterwards.
type Piece<'a> = (&'a [u8], usize, Option<(u32, u32)>);

/// What one process printed whole, another carried on from wherever it was cut.
fn carried_over(pieces: &[Piece]) -> Result<(), String> {
    let size = Size { rows: 12, cols: 30 };
    let (mut one, mut other) = (Terminal::new(size, 500_000), Terminal::new(size, 500_000));
    for (bytes, cut, resize) in pieces {
        let (before, after) = bytes.split_at(*cut);
        for part in [before, after] {
            // As a run does before it puts its terminal down.
            for terminal in [&mut one, &mut other] {
                terminal.feed(part);
                terminal.take_effects();
            }
            let put_down = serde_json::to_vec(&other.save()).unwrap();
            other = Terminal::restore(serde_json::from_slice(&put_down).unwrap());
        }
        if let Some((rows, cols)) = resize {
            let size = clamp_size(*rows, *cols);
            one.resize(size);
            other.resize(size);
        }
        one.take_effects();
        other.take_effects();
    }
    let rows = |terminal: &Terminal| terminal.rows().collect::<Vec<SpanLine>>();
    let scrolled = |terminal: &Terminal| {
        let transcript = terminal.transcript();
        transcript.rows_from(0).map(|row| row.line.clone()).collect::<Vec<_>>()
    };
    same("rows", &rows(&other), &rows(&one))?;
    same("what scrolled off", &scrolled(&other), &scrolled(&one))?;
    same("the end", &other.transcript().end(), &one.transcript().end())?;
    same("cursor and modes", &(other.cursor(), other.modes()), &(one.cursor(), one.modes()))?;
    same("title", &other.title(), &one.title())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, carried: &T, whole: &T) -> Result<(), String> {
    if carried == whole { Ok(()) } else { Err(format!("{what}, carried over: {carried:?}\nwhole: {whole:?}")) }
}

#[test]
fn what_a_terminal_does_not_show_is_carried_over_too() {
    for pieces in [
        // Cells that the emulator left on its alternate screen when that became wider.
        &[(&b"\x1b[48;5;1m\x1b[?1049h\x1b[?1049l\x1b[m"[..], 0, Some((12, 40))), (b"\x1b[?1049ha", 0, None)][..],
        // The tab stop in the first column, and one in the last.
        &[(b"A\x1b[0;0H \x1b[Z", 0, None)],
        &[(b"\x1b[1;30H\x1bH\r", 0, Some((12, 40))), (b"\x1b[25G\tx", 0, None)],
        // The cursor that was saved on the alternate screen.
        &[(b"\x1b[?1049h\x1b[5;7H\x1b7\x1b[?1049l", 0, None), (b"\x1b[?1049h", 0, None), (b"\x1b8x", 0, None)],
        // What is passed over within a sequence.
        &[(b"\x1b\x7f[", 3, None), (b"a", 0, None)],
        // A blank with a link, in a line's last column.
        &[(b"\x1b]8;;http://example.org/\x1b\\ \x1b]8;;\x1b\\", 0, None)],
        // A mark over a tab.
        &[(b"\x1b[1;26H\t\x1b[D\t\xef\xb8\x8f\x1b[1;0H", 0, Some((2, 2)))],
        // The character that is to be repeated.
        &[(b"ab", 2, None), (b"\x1b[3b", 0, None)],
        &[("a\u{e9}\x1b[".as_bytes(), 5, None), (b"3b", 0, None)],
        // One that the field counts as three columns wide, and the emulator as two.
        &[(b"\r\n\xe1\x9f\x98", 0, Some((4, 6))), (b"\x1b[0;48;5;0m", 0, None), (b"\x0e ", 0, None)],
    ] {
        let written: Vec<_> = pieces.iter().map(|(bytes, ..)| String::from_utf8_lossy(bytes)).collect();
        if let Err(different) = carried_over(pieces) {
            panic!("{written:?}: {different}");
        }
    }
}
