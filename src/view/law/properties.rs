//! The law on arbitrary lives of terminals.

use proptest::prelude::*;

use super::{Law, Step, cases};
use crate::term::clamp_size;

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
}
