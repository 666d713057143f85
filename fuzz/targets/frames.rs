//! Whatever a program prints, and whatever its clients do: views show what the terminal shows.
//!
//! The first three bytes choose the screen's rows and columns and the transcript's limit. The rest is printed, but
//! for a byte 0xFF, which with the byte after it is a step of another kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use termi::{
    term::clamp_size,
    view::equivalence::{Equivalence, Step},
};

fn steps(bytes: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut parts = bytes.split(|byte| *byte == 0xff);
    steps.extend(parts.next().map(|text| Step::Print(text.to_vec())));
    for part in parts {
        let Some((&kind, mut text)) = part.split_first() else { continue };
        steps.push(match kind % 7 {
            0 => Step::OneFrame,
            1 if text.len() >= 2 => {
                let (rows, cols) = (text[0] % 60, text[1]);
                text = &text[2..];
                Step::Size(rows.into(), cols.into())
            }
            2 => Step::Attach,
            3 => Step::StartOver,
            4 => Step::EndSync,
            5 => Step::Print(b"a line of a flood\r\n".repeat(usize::from(kind) * 8)),
            _ => Step::CatchUp,
        });
        steps.push(Step::Print(text.to_vec()));
    }
    steps
}

fuzz_target!(|data: &[u8]| {
    let [rows, cols, limit, bytes @ ..] = data else { return };
    let size = clamp_size(u32::from(rows % 40), u32::from(cols % 100));
    let limit = if limit % 4 == 0 { 4_000 } else { 500_000_000 };
    let mut equivalence = Equivalence::new(size, limit, limit > 4_000);
    for step in steps(bytes).into_iter().chain([Step::EndSync, Step::CatchUp]) {
        if let Err(against) = equivalence.step(step) {
            panic!("{against}");
        }
    }
});
