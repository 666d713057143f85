//! Cases for the equivalence of views: what programs print, and what happens to those who look on.

use proptest::{collection::vec, prelude::*};

use super::Step;

const ODDITIES: &[&str] = &[
    "\x1b7",
    "\x1b8",
    "\x1bM",
    "\x1bD",
    "\x1bE",
    "\x1bc",
    "\x1b=",
    "\x1b>",
    "\x1b[5 q",
    "\x1b(0",
    "\x1b(B",
    "\t",
    "\x1bH",
    "\x1b[g",
    "\x1b[3g",
    "\x1b[Z",
    "\x1b[2b",
    "\x08",
    "\x1b#8",
    "\x1b[?2026h",
    "\x1b[?2026l",
    "\x1b[4h",
    "\x1b[4l",
    "\x1b[3J",
    "\x1b[2J",
    "\x07",
];

/// What programs print: text, and every kind of sequence that moves, erases, scrolls, colours or switches.
pub fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{1,40}".prop_map(String::into_bytes),
        3 => Just(b"\r\n".to_vec()),
        1 => "[\u{e9}\u{4f60}\u{597d}\u{1f600}\u{2714}e\u{301}\u{fe0f}\u{200d}]{1,8}".prop_map(String::into_bytes),
        2 => (0_u16..30, 0_u16..50).prop_map(|(row, col)| format!("\x1b[{row};{col}H").into_bytes()),
        3 => (0_u16..110, 0_u16..256).prop_map(|(code, n)| format!("\x1b[{code};48;5;{n}m").into_bytes()),
        2 => Just(b"\x1b[m".to_vec()),
        3 => (0_u8..12, 0_u16..12).prop_map(|(final_byte, n)| {
            format!("\x1b[{n}{}", b"ABCDJKLMPSTX@"[usize::from(final_byte)] as char).into_bytes()
        }),
        1 => (1_u16..10, 1_u16..30).prop_map(|(top, bottom)| format!("\x1b[{top};{bottom}r").into_bytes()),
        1 => (0_usize..12, any::<bool>()).prop_map(|(mode, on)| {
            let mode = [1, 3, 6, 7, 12, 25, 1000, 1002, 1003, 1004, 1049, 2004][mode];
            format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' }).into_bytes()
        }),
        1 => Just(b"\x1b]8;;http://example.org/\x1b\\link\x1b]8;;\x1b\\".to_vec()),
        1 => "\u{1b}\\][02];[a-z]{0,9}\u{7}".prop_map(String::into_bytes),
        1 => proptest::sample::select(ODDITIES).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..20),
    ];
    vec(piece, 1..40).prop_map(|pieces| pieces.concat())
}

/// Output as full-screen programs make it: parts of a screen of lines that move, and lines that change.
fn scrolling() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => (1_u16..14, "[a-z]{3,30}").prop_map(|(row, text)| format!("\x1b[{row}H{text}\x1b[K")),
        2 => (1_u16..12, 1_u16..14, 0_u8..4, 1_u16..6).prop_map(|(top, bottom, how, by)| {
            let scroll = match how {
                0 => format!("\x1b[{by}S"),
                1 => format!("\x1b[{by}T"),
                2 => format!("\x1b[{bottom}H{}", "\n".repeat(usize::from(by))),
                _ => format!("\x1b[{top}H{}", "\x1bM".repeat(usize::from(by))),
            };
            format!("\x1b[{top};{bottom}r{scroll}\x1b[r")
        }),
        1 => (1_u16..14, 0_u8..2, 1_u16..6).prop_map(|(row, how, by)| {
            format!("\x1b[{row}H\x1b[{by}{}", if how == 0 { 'L' } else { 'M' })
        }),
        1 => (0_u16..2).prop_map(|on| format!("\x1b[?1049{}", if on == 1 { 'h' } else { 'l' })),
        1 => (0_u16..20).prop_map(|n| (0..n).map(|n| format!("\r\nline {n} of some text")).collect()),
    ];
    vec(piece.prop_map(String::into_bytes), 1..12).prop_map(|pieces| pieces.concat())
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => output().prop_map(Step::Print),
        3 => scrolling().prop_map(Step::Print),
        5 => Just(Step::CatchUp),
        2 => Just(Step::OneFrame),
        1 => (1_u16..30, 2_u16..50).prop_map(|(rows, cols)| Step::Size(rows, cols)),
        1 => (1_usize..3000).prop_map(|lines| Step::Print(b"a line of a flood\r\n".repeat(lines))),
        1 => prop_oneof![Just(Step::Attach), Just(Step::StartOver), Just(Step::EndSync)],
    ];
    vec(step, 1..25)
}

/// Sizes from the least that a terminal can have to large ones; most are small, where more happens at the borders.
pub fn size() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![
        6 => (1_u16..16, 2_u16..40),
        1 => (1_u16..4, 2_u16..6),
        1 => (100_u16..=500, 100_u16..=1000),
    ]
}
