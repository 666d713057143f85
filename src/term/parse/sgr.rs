//! Colors and attributes (SGR, Select Graphic Rendition): the commonest sequence, read here where it stands whole and is
//! of few numbers. The emulator's parser reads every other.

use alacritty_terminal::vte::ansi::{Attr, Color, NamedColor, Rgb};

const ESC: u8 = 0x1b;

/// Longer sequences are left to the parser, in bytes after `ESC [`.
const MAX_BYTES: usize = 32;

/// More numbers in one too.
const MAX_NUMBERS: usize = 8;

/// A digit after a larger number than this makes one that nothing has.
const MAX_NUMBER: u16 = 999;

/// One such sequence.
pub struct Sgr {
    numbers: [u16; MAX_NUMBERS],
    count: usize,
    length: usize,
}

/// Why output does not begin with such a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It may yet become one.
    Incomplete,
    /// It is something else.
    Other,
}

impl Sgr {
    /// Reads the sequence that the output begins with.
    ///
    /// # Errors
    /// When it begins with none, or with a part of one.
    pub fn read(bytes: &[u8]) -> Result<Self, Unread> {
        let Some(rest) = bytes.strip_prefix(b"\x1b[") else {
            return Err(if bytes == [ESC] { Unread::Incomplete } else { Unread::Other });
        };
        let (mut numbers, mut count, mut number) = ([0_u16; MAX_NUMBERS], 0, 0_u16);
        for (at, byte) in rest.iter().take(MAX_BYTES).enumerate() {
            match byte {
                b'0'..=b'9' if number <= MAX_NUMBER => number = number * 10 + u16::from(byte - b'0'),
                b';' | b'm' => {
                    *numbers.get_mut(count).ok_or(Unread::Other)? = std::mem::take(&mut number);
                    count += 1;
                    if *byte == b'm' {
                        return Ok(Self { numbers, count, length: at + 3 });
                    }
                }
                _ => return Err(Unread::Other),
            }
        }
        Err(if rest.len() < MAX_BYTES { Unread::Incomplete } else { Unread::Other })
    }

    /// Its length in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What it sets, one after another; none, and nothing after it, for what the parser knows better.
    #[inline]
    pub fn attributes(&self) -> impl Iterator<Item = Option<Attr>> {
        let mut numbers = self.numbers[..self.count].iter().copied();
        let mut is_known = true;
        std::iter::from_fn(move || {
            let number = numbers.next().filter(|_| is_known)?;
            let attribute = attribute(number, &mut numbers);
            is_known = attribute.is_some();
            Some(attribute)
        })
    }
}

/// What a number says, with those after it that belong to it; none for what the parser knows better.
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
