//! From what the guard lets through to the screen: by the emulator's own parser, and past it where that is quicker.
//!
//! Most output is lines of ASCII and colours. The emulator's parser hands text on character by character, and reads
//! a colour byte by byte; here runs of ASCII are written into a row at once, and colours are set by their numbers.
//! What comes out is the same, which a property of arbitrary streams holds to.

use std::time::Duration;

use alacritty_terminal::vte::ansi::{Attr, Color, Handler, NamedColor, Processor, Rgb, Timeout};

use super::{
    guard::{ABORT, End, Sink, unfinished},
    osc::{self, Osc},
    screen::Screen,
    tail::Tail,
};

/// The parser's own way to hold back synchronized updates, switched off: it would copy up to 2 MiB of them. Here
/// an update is taken in as it comes, and it is views that wait for its end (see [`Terminal::sync_deadline`]).
/// The room that the parser reserves for it is never touched, so that the kernel never provides it.
#[derive(Debug, Default)]
struct NeverHeld;

impl Timeout for NeverHeld {
    fn set_timeout(&mut self, _: Duration) {}
    fn clear_timeout(&mut self) {}
    fn pending_timeout(&self) -> bool {
        false
    }
}

/// The emulator's parser, and what it has not seen.
pub struct Parser {
    processor: Processor<NeverHeld>,
    /// The last character, if the parser does not know it: a sequence may ask for it again (REP).
    unseen: Option<u8>,
    /// The end of what the parser was given, where that is the beginning of a sequence.
    tail: Tail,
}

/// A parser and the screen that it writes to.
pub struct Writing<'a> {
    parser: &'a mut Parser,
    screen: &'a mut Screen,
}

/// Takes what the parser is only to remember.
struct Nobody;

impl Handler for Nobody {}

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
        Self { processor: Processor::new(), unseen: None, tail: Tail::default() }
    }

    /// What the parser was given of a sequence that has not come whole.
    pub fn unfinished(&self) -> Vec<u8> {
        self.tail.unfinished()
    }

    /// The character that was printed last. The parser tells it only by repeating it, which ends the sequence that it is
    /// in: it is given that anew.
    pub fn last_printed(&mut self) -> Option<char> {
        if let Some(unseen) = self.unseen {
            return Some(char::from(unseen));
        }
        let mut repeated = Repeated::default();
        self.processor.advance(&mut repeated, b"\x1b[b");
        self.processor.advance(&mut Nobody, &self.tail.unfinished());
        repeated.0
    }

    /// A character was printed past it, and may be asked for again (REP).
    pub fn passed_by(&mut self, last: char) {
        self.unseen = u8::try_from(last).ok().filter(u8::is_ascii);
        if self.unseen.is_none() {
            self.processor.advance(&mut Nobody, last.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    pub fn with<'a>(&'a mut self, screen: &'a mut Screen) -> Writing<'a> {
        Writing { parser: self, screen }
    }
}

impl Writing<'_> {
    fn advance(&mut self, bytes: &[u8]) {
        self.parser.processor.advance(self.screen, bytes);
    }

    /// Has the parser know the last character.
    fn show_unseen(&mut self) {
        if let Some(unseen) = self.parser.unseen.take() {
            self.parser.processor.advance(&mut Nobody, &[unseen]);
        }
    }
}

impl Sink for Writing<'_> {
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
        self.parser.tail.note(bytes);
        self.advance(bytes);
    }

    fn sgr(&mut self, numbers: &[u16]) -> bool {
        if attributes(numbers).any(|attribute| attribute.is_none()) {
            return false;
        }
        for attribute in attributes(numbers).flatten() {
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
            said => self.screen.said(said),
        }
    }

    fn refused(&mut self, start: &[u8]) {
        self.screen.said(osc::refused(start));
    }
}

/// What the numbers of SGR say, one after another; none, and nothing after it, for what the parser knows better.
#[inline]
pub fn attributes(numbers: &[u16]) -> impl Iterator<Item = Option<Attr>> {
    let mut numbers = numbers.iter().copied();
    let mut is_known = true;
    std::iter::from_fn(move || {
        let number = numbers.next().filter(|_| is_known)?;
        let attribute = attribute(number, &mut numbers);
        is_known = attribute.is_some();
        Some(attribute)
    })
}

/// What a number of SGR says, with those after it that belong to it; none for what the parser knows better.
#[inline]
fn attribute(number: u16, more: &mut impl Iterator<Item = u16>) -> Option<Attr> {
    let mut byte = || u8::try_from(more.next()?).ok();
    Some(match number {
        0 => Attr::Reset,
        1 => Attr::Bold,
        2 => Attr::Dim,
        3 => Attr::Italic,
        4 => Attr::Underline,
        7 => Attr::Reverse,
        9 => Attr::Strike,
        22 => Attr::CancelBoldDim,
        23 => Attr::CancelItalic,
        24 => Attr::CancelUnderline,
        27 => Attr::CancelReverse,
        29 => Attr::CancelStrike,
        30..=37 => Attr::Foreground(named(number - 30)),
        39 => Attr::Foreground(Color::Named(NamedColor::Foreground)),
        40..=47 => Attr::Background(named(number - 40)),
        49 => Attr::Background(Color::Named(NamedColor::Background)),
        90..=97 => Attr::Foreground(named(number - 90 + 8)),
        100..=107 => Attr::Background(named(number - 100 + 8)),
        38 | 48 => {
            let color = match byte()? {
                5 => Color::Indexed(byte()?),
                2 => Color::Spec(Rgb { r: byte()?, g: byte()?, b: byte()? }),
                _ => return None,
            };
            if number == 38 { Attr::Foreground(color) } else { Attr::Background(color) }
        }
        _ => return None,
    })
}

/// One of the sixteen colours that have names.
fn named(index: u16) -> Color {
    const NAMES: [NamedColor; 16] = [
        NamedColor::Black,
        NamedColor::Red,
        NamedColor::Green,
        NamedColor::Yellow,
        NamedColor::Blue,
        NamedColor::Magenta,
        NamedColor::Cyan,
        NamedColor::White,
        NamedColor::BrightBlack,
        NamedColor::BrightRed,
        NamedColor::BrightGreen,
        NamedColor::BrightYellow,
        NamedColor::BrightBlue,
        NamedColor::BrightMagenta,
        NamedColor::BrightCyan,
        NamedColor::BrightWhite,
    ];
    Color::Named(NAMES[usize::from(index) % NAMES.len()])
}

/// The emulator's parser alone, to be compared with.
#[cfg(test)]
pub struct Plain<'a>(pub Writing<'a>);

#[cfg(test)]
impl Sink for Plain<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.0.advance(bytes);
        if unfinished(bytes) > 0 {
            self.0.advance(ABORT);
        }
    }
    fn pass(&mut self, bytes: &[u8]) {
        self.0.advance(bytes);
    }
    fn sgr(&mut self, _: &[u16]) -> bool {
        false
    }
    fn osc(&mut self, content: &[u8], end: End) {
        self.0.osc(content, end);
    }
    fn refused(&mut self, start: &[u8]) {
        self.0.refused(start);
    }
}
