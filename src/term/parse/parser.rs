//! Feeds the emulator with what the string filter passes: through its own parser, and past that where it is quicker.
//!
//! Most output is lines of ASCII and colours. The emulator's parser hands text on character by character, and reads
//! a colour byte by byte; here runs of ASCII are written into a row at once, and colours are set by their numbers.
//! What comes out is the same, which a property of arbitrary streams holds to.

use std::time::Duration;

use alacritty_terminal::vte::ansi::{Handler, Processor, Timeout};

use super::{
    osc::{self, Osc},
    pending::PendingSequence,
    sgr::Sgr,
    string_filter::{ABORT, End, Sink},
    utf8::unfinished,
};
use crate::term::screen::Screen;

/// The parser's own way to hold back synchronized updates, switched off: it would copy up to 2 MiB of them. Here
/// an update is taken in as it comes, and it is views that wait for its end (see [`crate::term::Terminal::sync_deadline`]).
/// The room that the parser reserves for it is never touched, so that the kernel never provides it.
#[derive(Debug, Default)]
struct NoSyncTimeout;

impl Timeout for NoSyncTimeout {
    fn set_timeout(&mut self, _: Duration) {}
    fn clear_timeout(&mut self) {}
    fn pending_timeout(&self) -> bool {
        false
    }
}

/// The emulator's parser, and what it has not seen.
pub struct Parser {
    processor: Processor<NoSyncTimeout>,
    /// The last character, if the parser does not know it: a sequence may ask for it again (REP).
    unseen: Option<u8>,
    /// The end of what the parser was given, where that is the beginning of a sequence.
    pending: PendingSequence,
}

/// A parser and the screen that it writes to.
pub struct ParserSink<'a> {
    parser: &'a mut Parser,
    screen: &'a mut Screen,
}

/// Takes what the parser is only to remember.
struct NullHandler;

impl Handler for NullHandler {}

/// Takes the character that the parser is asked to repeat.
#[derive(Default)]
struct Repeated(Option<char>);

impl Handler for Repeated {
    fn input(&mut self, c: char) {
        self.0 = Some(c);
    }
}

impl Parser {
    pub fn new() -> Self {
        Self { processor: Processor::new(), unseen: None, pending: PendingSequence::default() }
    }

    /// What the parser was given of a sequence that has not come whole.
    pub fn unfinished(&self) -> Vec<u8> {
        self.pending.unfinished()
    }

    /// The character that was printed last. The parser tells it only by repeating it, which ends the sequence that it is
    /// in: it is given that anew.
    pub fn last_printed(&mut self) -> Option<char> {
        if let Some(unseen) = self.unseen {
            return Some(char::from(unseen));
        }
        let mut repeated = Repeated::default();
        self.processor.advance(&mut repeated, b"\x1b[b");
        self.processor.advance(&mut NullHandler, &self.pending.unfinished());
        repeated.0
    }

    /// A character was printed past it, and may be asked for again (REP).
    pub fn set_last_printed(&mut self, last: char) {
        self.unseen = u8::try_from(last).ok().filter(u8::is_ascii);
        if self.unseen.is_none() {
            self.processor.advance(&mut NullHandler, last.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    pub fn with<'a>(&'a mut self, screen: &'a mut Screen) -> ParserSink<'a> {
        ParserSink { parser: self, screen }
    }
}

impl ParserSink<'_> {
    fn advance(&mut self, bytes: &[u8]) {
        self.parser.processor.advance(self.screen, bytes);
    }

    /// Has the parser know the last character.
    fn show_unseen(&mut self) {
        if let Some(unseen) = self.parser.unseen.take() {
            self.parser.processor.advance(&mut NullHandler, &[unseen]);
        }
    }
}

impl Sink for ParserSink<'_> {
    fn text(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            let taken = match first {
                b' '..=b'~' => {
                    let written = self.screen.write_ascii(rest);
                    if written == 0 {
                        self.screen.input(char::from(first));
                    }
                    let taken = written.max(1);
                    self.parser.unseen = Some(rest[taken - 1]);
                    taken
                }
                b'\n' => {
                    self.screen.linefeed();
                    1
                }
                b'\r' => {
                    self.screen.carriage_return();
                    1
                }
                _ => {
                    let other = |byte: &u8| !matches!(byte, b' '..=b'~' | b'\n' | b'\r');
                    let taken = rest.iter().take_while(|byte| other(byte)).count();
                    if rest[..taken].iter().any(|byte| *byte >= 0x7f) {
                        self.show_unseen();
                    }
                    self.advance(&rest[..taken]);
                    if unfinished(&rest[..taken]) > 0 {
                        // What follows is no end of this character: it is to wait for none.
                        self.advance(ABORT);
                    }
                    taken
                }
            };
            rest = &rest[taken..];
        }
    }

    fn pass(&mut self, bytes: &[u8]) {
        // The sequence that repeats ends in `b`; of one that is not whole, as one that has come up to its `[`, nobody
        // knows.
        let may_repeat = bytes.len() < 3 || !matches!(bytes.last(), Some(b'@'..=b'Z' | b'\\'..=b'a' | b'c'..=b'~'));
        if may_repeat && bytes.first() == Some(&0x1b) {
            self.show_unseen();
        }
        self.parser.pending.note(bytes);
        self.advance(bytes);
    }

    fn sgr(&mut self, sgr: &Sgr) -> bool {
        if sgr.attributes().any(|attribute| attribute.is_none()) {
            return false;
        }
        for attribute in sgr.attributes().flatten() {
            self.screen.terminal_attribute(attribute);
        }
        true
    }

    fn osc(&mut self, content: &[u8], end: End) {
        match osc::read(content, end) {
            Osc::Emulator => {
                for part in [b"\x1b]", content, end.as_str().as_bytes()] {
                    self.advance(part);
                }
            }
            command => self.screen.osc_dispatch(command),
        }
    }

    fn refused(&mut self, start: &[u8]) {
        self.screen.osc_dispatch(osc::refused(start));
    }
}

/// The emulator's parser alone, to be compared with.
#[cfg(test)]
pub struct ReferenceParser<'a>(pub ParserSink<'a>);

#[cfg(test)]
impl Sink for ReferenceParser<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.0.advance(bytes);
        if unfinished(bytes) > 0 {
            self.0.advance(ABORT);
        }
    }
    fn pass(&mut self, bytes: &[u8]) {
        self.0.advance(bytes);
    }
    fn sgr(&mut self, _: &Sgr) -> bool {
        false
    }
    fn osc(&mut self, content: &[u8], end: End) {
        self.0.osc(content, end);
    }
    fn refused(&mut self, start: &[u8]) {
        self.0.refused(start);
    }
}
