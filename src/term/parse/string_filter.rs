//! Filters string sequences (OSC, DCS, APC, PM, SOS) out of a program's output before the emulator reads it.
//!
//! The emulator's parser keeps a string until its end, however long it is, and drops most of what programs say
//! in them. Here an OSC is kept up to a bound and handed on whole; of the others nothing is kept at all, as the
//! emulator knows none of them. A string ends with ST (`ESC \`), an OSC also with BEL; CAN, SUB and any other
//! escape sequence abort it (ECMA-48, DEC's state machine). C1 controls of one byte are no part of it: in UTF-8
//! they are halves of characters. What does not belong to a string passes through untouched, in slices.

use memchr::{memchr, memchr3};
use serde::{Deserialize, Serialize};

use super::{
    sgr::Sgr,
    utf8::{self, PartialCharacter},
};

const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// The end of a synchronized update (mode 2026), after its ESC.
const UPDATE_ENDS: &[u8] = b"[?2026l";

/// The longest OSC that is looked at: a title, a path, a link, a notification's text.
const OSC_MAX: usize = 8 << 10;

/// The same of an OSC 52: a megabyte of clipboard in base64, and what stands before it.
const CLIPBOARD_OSC_MAX: usize = CLIPBOARD_MAX.div_ceil(3) * 4 + 64;

/// The most that a program may copy, in bytes.
pub const CLIPBOARD_MAX: usize = 1 << 20;

/// A buffer of this size stays for the next string; a larger one is given back.
const BUFFER_KEPT: usize = 512;

/// How an OSC ended: answers to it end the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// BEL.
    Bell,
    /// ST.
    St,
}

impl End {
    /// Its bytes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bell => "\x07",
            Self::St => "\x1b\\",
        }
    }
}

/// Aborts a sequence, and is nothing by itself.
pub const ABORT: &[u8] = &[CAN];

/// Where output goes to.
pub trait Sink {
    /// Text and control characters, whole characters only.
    fn text(&mut self, bytes: &[u8]);
    /// Bytes of a sequence for the emulator.
    fn pass(&mut self, bytes: &[u8]);
    /// Colours and attributes (SGR). False when it does not know all of them: they are then passed as bytes.
    fn sgr(&mut self, sgr: &Sgr) -> bool;
    /// A whole OSC: its content without control characters.
    fn osc(&mut self, content: &[u8], end: End);
    /// An OSC that was too long; `start` is how it began.
    fn refused(&mut self, start: &[u8]);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Outside of all sequences (DEC's state "ground").
    Text,
    /// After an ESC ("escape").
    Escape,
    /// The same after what only chooses a set of escapes ("escape_intermediate").
    Intermediate,
    /// In a control sequence ("csi_entry", "csi_param", "csi_intermediate").
    Csi,
    /// In an OSC ("osc_string").
    Osc,
    /// After an ESC in an OSC.
    OscEscape,
    /// In a string of which nothing is kept ("dcs_passthrough", "sos_pm_apc_string").
    Ignored,
    /// After an ESC in such a string.
    IgnoredEscape,
}

/// Takes strings out of a program's output. It keeps its state between two pieces of output: every cut of a stream gives
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StringFilter {
    state: State,
    osc: Vec<u8>,
    /// The OSC was longer than it may be: the rest of it is dropped.
    too_long: bool,
    /// The emulator's parser, given a character in two parts, loses what follows it (vte 0.15).
    part: PartialCharacter,
}

impl StringFilter {
    pub fn new() -> Self {
        Self { state: State::Text, osc: Vec::new(), too_long: false, part: PartialCharacter::default() }
    }

    /// Whether it is within no sequence and no character.
    pub fn is_idle(&self) -> bool {
        self.state == State::Text && self.part.is_empty()
    }

    /// Takes output in, and returns how much of it: less than all only if a synchronized update has just ended,
    /// so that it can be shown before the next begins.
    pub fn advance(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let mut at = self.part.complete(bytes, |character| sink.text(character));
        let mut passed = at;
        while at < bytes.len() {
            let byte = bytes[at];
            match self.state {
                State::Text => {
                    at = memchr(ESC, &bytes[at..]).map_or(bytes.len(), |before| at + before);
                    if at == bytes.len() {
                        break;
                    }
                    text(sink, &bytes[passed..at]);
                    passed = at;
                    if let Some(length) = sgr(&bytes[at..], sink) {
                        at += length;
                        passed = at;
                    } else {
                        self.state = State::Escape;
                        at += 1;
                    }
                }
                State::Escape if byte == b'[' && bytes[at..].starts_with(UPDATE_ENDS) => {
                    at += UPDATE_ENDS.len();
                    self.state = State::Text;
                    sink.pass(&bytes[passed..at]);
                    return at;
                }
                State::Escape if matches!(byte, b']' | b'P' | b'X' | b'^' | b'_') => {
                    pass(sink, &bytes[passed..at]);
                    // The emulator's parser has seen the ESC and is to forget it.
                    sink.pass(&[CAN]);
                    self.state = if byte == b']' { State::Osc } else { State::Ignored };
                    at += 1;
                    passed = at;
                }
                // Within ESC (escape), its intermediates (escape_intermediate) and CSI (csi_param, csi_intermediate),
                // control characters are carried out where they stand, and do not end the sequence.
                State::Escape | State::Intermediate | State::Csi => {
                    at += 1;
                    self.state = match (self.state, byte) {
                        (_, ESC) => State::Escape,
                        (_, CAN | SUB) | (State::Csi, 0x40..=0x7e) | (State::Intermediate, 0x30..=0x7e) => State::Text,
                        (State::Escape, b'[') => State::Csi,
                        (State::Escape, 0x20..=0x2f) => State::Intermediate,
                        (State::Escape, 0x30..=0x7e) => State::Text,
                        (same, _) => same,
                    };
                    if self.state == State::Text {
                        sink.pass(&bytes[passed..at]);
                        passed = at;
                    }
                }
                State::Osc => {
                    let rest = &bytes[at..];
                    let ends = |byte: &u8| matches!(*byte, BEL | CAN | SUB | ESC);
                    let length = rest.iter().position(ends).unwrap_or(rest.len());
                    self.collect(&rest[..length]);
                    at += length;
                    if let Some(&end) = rest.get(length) {
                        at += 1;
                        self.state = if end == ESC { State::OscEscape } else { State::Text };
                        if end == BEL {
                            self.finish(End::Bell, sink);
                        } else if end != ESC {
                            self.forget();
                        }
                    }
                    passed = at;
                }
                State::Ignored => {
                    at = match memchr3(ESC, CAN, SUB, &bytes[at..]) {
                        Some(length) => {
                            at += length;
                            self.state = if bytes[at] == ESC { State::IgnoredEscape } else { State::Text };
                            at + 1
                        }
                        None => bytes.len(),
                    };
                    passed = at;
                }
                State::OscEscape | State::IgnoredEscape if byte == b'\\' => {
                    if self.state == State::OscEscape {
                        self.finish(End::St, sink);
                    }
                    self.state = State::Text;
                    at += 1;
                    passed = at;
                }
                // Another sequence: it aborts the string, and is itself as good as any.
                State::OscEscape | State::IgnoredEscape => {
                    self.forget();
                    sink.pass(&[ESC]);
                    self.state = State::Escape;
                }
            }
        }
        let rest = &bytes[passed..];
        if self.state == State::Text {
            let whole = rest.len() - utf8::unfinished(rest);
            self.part.begin(&rest[whole..]);
            text(sink, &rest[..whole]);
        } else {
            pass(sink, rest);
        }
        at
    }

    fn collect(&mut self, bytes: &[u8]) {
        if self.too_long {
            return;
        }
        // A pure function of what came before, so that no cut of the stream changes it.
        for &byte in bytes.iter().filter(|byte| **byte >= b' ') {
            let max = if self.osc.starts_with(b"52;") { CLIPBOARD_OSC_MAX } else { OSC_MAX };
            if self.osc.len() == max {
                self.too_long = true;
                self.osc.truncate(16);
                self.osc.shrink_to_fit();
                return;
            }
            self.osc.push(byte);
        }
    }

    fn finish(&mut self, end: End, sink: &mut impl Sink) {
        if self.too_long {
            sink.refused(&self.osc);
        } else {
            sink.osc(&self.osc, end);
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.too_long = false;
        self.osc.clear();
        self.osc.shrink_to(BUFFER_KEPT);
    }
}

fn text(sink: &mut impl Sink, bytes: &[u8]) {
    if !bytes.is_empty() {
        sink.text(bytes);
    }
}

/// Hands on the commonest sequence, colours and attributes, if it stands whole at the beginning and is of few numbers;
/// returns its length.
fn sgr(bytes: &[u8], sink: &mut impl Sink) -> Option<usize> {
    let sgr = Sgr::read(bytes).ok()?;
    sink.sgr(&sgr).then_some(sgr.length())
}

fn pass(sink: &mut impl Sink, bytes: &[u8]) {
    if !bytes.is_empty() {
        sink.pass(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        text: Vec<u8>,
        strings: Vec<(String, End)>,
        refused: Vec<String>,
    }

    impl Sink for Seen {
        fn text(&mut self, bytes: &[u8]) {
            assert!(!bytes.contains(&ESC));
            self.text.extend_from_slice(bytes);
        }
        fn pass(&mut self, bytes: &[u8]) {
            self.text.extend_from_slice(bytes);
        }
        fn sgr(&mut self, _: &Sgr) -> bool {
            false
        }
        fn osc(&mut self, content: &[u8], end: End) {
            self.strings.push((String::from_utf8_lossy(content).into_owned(), end));
        }
        fn refused(&mut self, start: &[u8]) {
            self.refused.push(String::from_utf8_lossy(start).into_owned());
        }
    }

    fn feed(filter: &mut StringFilter, mut bytes: &[u8], seen: &mut Seen) {
        while !bytes.is_empty() {
            let taken = filter.advance(bytes, seen);
            bytes = &bytes[taken..];
        }
    }

    fn see(pieces: &[&[u8]]) -> Seen {
        let (mut filter, mut seen) = (StringFilter::new(), Seen::default());
        for piece in pieces {
            feed(&mut filter, piece, &mut seen);
        }
        seen
    }

    /// Without the escapes that were opened and called off again.
    fn text(seen: &Seen) -> String {
        String::from_utf8_lossy(&seen.text).replace("\x1b\x18", "")
    }

    #[test]
    fn strings_are_taken_out_and_the_text_around_them_stays() {
        let seen =
            see(&[b"a\x1b]9;hi\x07b\x1b]0;t\x1b\\c\x1bPq#0\x1b\\d\x1b_Gx\x1b\\e\x1b^p\x07q\x1b\\f\x1bXs\x1b\\g"]);
        assert_eq!(text(&seen), "abcdefg");
        assert_eq!(seen.strings, [("9;hi".to_owned(), End::Bell), ("0;t".to_owned(), End::St)]);
    }

    #[test]
    fn what_aborts_a_string_leaves_nothing_of_it() {
        for abort in ["\x18", "\x1a"] {
            assert_eq!(text(&see(&[format!("\x1b]9;a{abort}b\x1bPx{abort}c").as_bytes()])), "bc");
        }
        let seen = see(&[b"\x1b]9;a\x1b[1mb\x1b]0;c\x1b]0;d\x07\x1bPx\x1b[2mz"]);
        assert_eq!(text(&seen), "\x1b[1mb\x1b[2mz");
        assert_eq!(seen.strings, [("0;d".to_owned(), End::Bell)]);
    }

    #[test]
    fn a_string_without_an_end_costs_nothing_and_ends_with_its_terminator() {
        for (opener, end) in [("\x1b]", "\x07"), ("\x1b]52;c;", "\x1b\\"), ("\x1bP", "\x1b\\"), ("\x1b_", "\x18")] {
            let (mut filter, mut seen) = (StringFilter::new(), Seen::default());
            feed(&mut filter, opener.as_bytes(), &mut seen);
            for _ in 0..4000 {
                feed(&mut filter, &[b'x'; 1024], &mut seen);
                assert!(filter.osc.capacity() <= 2 * CLIPBOARD_OSC_MAX);
            }
            assert!(filter.osc.capacity() < 100, "{opener:?}");
            feed(&mut filter, format!("{end}after").as_bytes(), &mut seen);
            assert_eq!(text(&seen), "after", "{opener:?}");
            assert_eq!(seen.refused.len(), usize::from(opener.contains(']')));
            assert!(seen.strings.is_empty());
        }
    }

    #[test]
    fn control_characters_after_an_escape_do_not_hide_a_string() {
        let seen = see(&["\x1b\n\u{e9}\x1b\x00]0;t\x07x".as_bytes()]);
        assert_eq!(seen.strings, [("0;t".to_owned(), End::Bell)]);
        let seen = see(&[b"\x1b(]0;not\x07"]);
        assert_eq!(seen.strings, []);
    }

    #[test]
    fn an_update_that_ends_is_shown_before_the_next() {
        let (mut filter, mut seen) = (StringFilter::new(), Seen::default());
        let bytes = b"\x1b[?2026hone\x1b[?2026l\x1b[?2026htwo";
        assert_eq!(filter.advance(bytes, &mut seen), 19);
        assert_eq!(filter.advance(&bytes[19..], &mut seen), bytes.len() - 19);
        assert_eq!(seen.text, bytes);
    }

    #[test]
    fn every_cut_gives_the_same() {
        let stream = "a\x1b]9;h\u{ef}\x01 \x07b\x1b[1;31mc\x1b]7;file:///x\x1b\\d\x1bPq\x1bX\x1b\\\x1b]0;n\x1b]0;o\x07\
            \x1b\x1b]2;x\x07\x1b[?2026l\u{1f600}\x1b]52;c;aGk=\x07\x1b_x\x18e";
        let whole = see(&[stream.as_bytes()]);
        for cut in 0..stream.len() {
            assert_eq!(see(&[&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]]), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(see(&single), whole);
    }
}
