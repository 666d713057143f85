//! The law on arbitrary lives of terminals.

use proptest::{collection::vec, prelude::*};

use super::{Law, Step, cases};
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
        let mut law = Law::new(clamp_size(size.0.into(), size.1.into()), limit, synchronizes);
        for step in steps.into_iter().chain([Step::EndSync, Step::CatchUp]) {
            law.step(step).map_err(TestCaseError::fail)?;
        }
    }

    /// Whatever the moment: within a sequence, within a character, on the alternate screen.
    #[test]
    fn a_terminal_put_down_and_taken_up_by_another_process_goes_on_as_if_nothing_had_been(
        pieces in vec((cases::output(), any::<proptest::sample::Index>(), 0_u8..4), 1..12),
    ) {
        let size = Size { rows: 12, cols: 30 };
        let (mut one, mut other) = (Terminal::new(size, 500_000), Terminal::new(size, 500_000));
        for (bytes, cut, resize) in pieces {
            let (before, after) = bytes.split_at(cut.index(bytes.len() + 1));
            for part in [before, after] {
                // As a run does before it puts its terminal down.
                for terminal in [&mut one, &mut other] {
                    terminal.feed(part);
                    terminal.take_asked();
                }
                let put_down = serde_json::to_vec(&other.save()).unwrap();
                other = Terminal::restore(serde_json::from_slice(&put_down).unwrap());
            }
            if resize == 0 {
                let size = clamp_size(u32::from(cut.index(20) as u16) + 2, u32::from(cut.index(40) as u16) + 2);
                one.resize(size);
                other.resize(size);
            }
            one.take_asked();
            other.take_asked();
        }
        let rows = |terminal: &Terminal| terminal.rows().collect::<Vec<SpanLine>>();
        prop_assert_eq!(rows(&other), rows(&one));
        let scrolled = |terminal: &Terminal| {
            let transcript = terminal.transcript();
            transcript.rows_from(0).map(|row| row.line.clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(scrolled(&other), scrolled(&one));
        prop_assert_eq!(other.transcript().end(), one.transcript().end());
        prop_assert_eq!((other.cursor(), other.modes()), (one.cursor(), one.modes()));
        prop_assert_eq!(other.title(), one.title());
    }
}
