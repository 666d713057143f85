//! The renderer's law: a second terminal fed with a view's frames equals the first.

use proptest::{collection::vec, prelude::*};

use super::View;
use crate::{
    protocol::{Format, FrameBody, Size, SpanLine},
    term::{Terminal, clamp_size},
};

/// A step in a terminal's life.
#[derive(Debug, Clone)]
enum Step {
    /// The program prints.
    Print(Vec<u8>),
    /// The client takes the frames there are.
    CatchUp,
    /// The client takes one frame only.
    OneFrame,
    /// The window is sized.
    Size(u16, u16),
}

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
fn output() -> impl Strategy<Value = Vec<u8>> {
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => output().prop_map(Step::Print),
        4 => Just(Step::CatchUp),
        2 => Just(Step::OneFrame),
        1 => (1_u16..30, 2_u16..50).prop_map(|(rows, cols)| Step::Size(rows, cols)),
        1 => (1_usize..3000).prop_map(|lines| Step::Print(b"a line of a flood\r\n".repeat(lines))),
    ];
    vec(step, 1..25)
}

struct Pair {
    host: Terminal,
    client: Terminal,
    view: View,
}

impl Pair {
    fn new() -> Self {
        let size = Size { rows: 12, cols: 30 };
        let host = Terminal::new(size, 500_000);
        let view = View::new(Format::Ansi, &host);
        Self { host, client: Terminal::new(size, 500_000), view }
    }

    /// Applies a frame; true when the client is up to date after it.
    fn frame(&mut self) -> bool {
        let Some(frame) = self.view.next_frame(&self.host) else { return true };
        if let FrameBody::Ansi { data } = &frame.body {
            self.client.feed(data.as_bytes());
        }
        assert!(self.client.take_asked().replies.is_empty(), "a frame asked something");
        frame.is_current
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Print(bytes) => {
                self.host.feed(&bytes);
                self.host.take_asked();
            }
            Step::CatchUp => while !self.frame() {},
            Step::OneFrame => _ = self.frame(),
            Step::Size(rows, cols) => {
                let size = clamp_size(rows.into(), cols.into());
                if self.host.resize(size) {
                    self.client.resize(size);
                    self.view.start_over(&self.host);
                }
            }
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.host.end_sync();
        self.host.take_asked();
        while !self.frame() {}
        let rows = |terminal: &Terminal| terminal.rows().collect::<Vec<SpanLine>>();
        prop_assert_eq!(rows(&self.client), rows(&self.host));
        let cursor = |terminal: &Terminal| (terminal.cursor().row, terminal.cursor().col);
        prop_assert_eq!(cursor(&self.client), cursor(&self.host));
        prop_assert_eq!(self.client.modes(), self.host.modes());
        prop_assert_eq!(self.client.title(), self.host.title());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the moment: within a sequence, within a character, on the alternate screen. Sizes stay, as after one
    /// the emulator leaves coloured blanks behind in rows that it clears, which a terminal taken up does not have.
    #[test]
    fn a_terminal_put_down_and_taken_up_by_another_process_goes_on_as_if_nothing_had_been(
        pieces in vec((output(), any::<proptest::sample::Index>()), 1..12),
    ) {
        let size = Size { rows: 12, cols: 30 };
        let (mut one, mut other) = (Terminal::new(size, 500_000), Terminal::new(size, 500_000));
        for (bytes, cut) in pieces {
            // Insert mode cuts wide characters in half, and a half is put down as the blank that it looks like.
            if bytes.windows(4).any(|window| window == b"\x1b[4h") {
                continue;
            }
            let (before, after) = bytes.split_at(cut.index(bytes.len() + 1));
            for part in [before, after] {
                // As a run does before it puts its terminal down.
                for terminal in [&mut one, &mut other] {
                    terminal.feed(part);
                    terminal.end_sync();
                    terminal.take_asked();
                }
                let put_down = serde_json::to_vec(&other.save()).unwrap();
                other = Terminal::restore(serde_json::from_slice(&put_down).unwrap());
            }
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

    #[test]
    fn a_second_terminal_fed_with_the_frames_equals_the_first(steps in steps()) {
        let mut pair = Pair::new();
        for step in steps {
            pair.step(step);
        }
        pair.check()?;
    }
}
