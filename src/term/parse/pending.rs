//! The escape sequence that has begun and not ended, as the parser was given it. Given to a fresh parser, it puts that
//! where the old one stood. Strings never get there, nor does a part of a character: the string filter has those.

/// Longer sequences than this are not followed: their end is then shown as text.
const MAX_BYTES: usize = 64 << 10;

const ESC: u8 = 0x1b;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// Follows the sequences for their unfinished end.
#[derive(Debug, Default)]
pub(super) struct PendingSequence {
    /// From the last escape character on while its sequence is unfinished, else nothing.
    bytes: Vec<u8>,
}

impl PendingSequence {
    /// More of a sequence was fed to the parser.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        // An escape character ends whatever was before it, so nothing older than the last one counts.
        let bytes = match bytes.iter().rposition(|&byte| byte == ESC) {
            Some(at) => {
                self.bytes.clear();
                &bytes[at..]
            }
            None if self.bytes.is_empty() => return,
            None => bytes,
        };
        self.bytes.extend(bytes.iter().filter(|byte| is_part(**byte)));
        if self.bytes.len() > MAX_BYTES || !is_unfinished(&self.bytes) {
            self.bytes.clear();
        }
    }

    /// What is unfinished.
    pub(super) fn unfinished(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// Whether a byte is part of the sequence that it stands in. Other control characters are carried out at once, not a
/// second time; DEL and what is no ASCII are passed over.
fn is_part(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e | ESC | CAN | SUB)
}

/// Whether a sequence, from its escape character on, wants more bytes (ECMA-48).
fn is_unfinished(bytes: &[u8]) -> bool {
    let rest = &bytes[1..];
    let ended = |byte: &u8| matches!(*byte, CAN | SUB);
    match rest.first() {
        None => true,
        Some(b'[') => !rest[1..].iter().any(|byte| ended(byte) || (0x40..=0x7e).contains(byte)),
        // Intermediate bytes, then one that ends it.
        Some(_) => !rest.iter().any(|byte| ended(byte) || (0x30..=0x7e).contains(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfinished_is_found_however_it_was_cut() {
        for (output, unfinished) in [
            ("plain", ""),
            ("a\x1b[1;3", "\x1b[1;3"),
            ("a\x1b[1;3m", ""),
            ("\x1b", "\x1b"),
            ("\x1b(", "\x1b("),
            ("\x1b(0", ""),
            ("\x1bM", ""),
            ("\x1b\x18text", ""),
            ("\x1b[1;\n3", "\x1b[1;3"),
            ("\x1b[1\x1b[2", "\x1b[2"),
            ("\x1b[1\x18", ""),
            ("\x1b\t", "\x1b"),
            ("\x1b\t[1\r\x07;3", "\x1b[1;3"),
            ("\x1b\x7f[", "\x1b["),
            ("\x1b[\u{e9}1\x7f", "\x1b[1"),
            ("\x1b[mplain", ""),
        ] {
            for size in 1..=output.len() {
                let mut pending = PendingSequence::default();
                output.as_bytes().chunks(size).for_each(|chunk| pending.note(chunk));
                assert_eq!(pending.unfinished(), unfinished.as_bytes(), "{output:?} by {size}");
            }
        }
        let mut pending = PendingSequence::default();
        pending.note(b"\x1b[");
        (0..100).for_each(|_| pending.note(&[b'1'; 4096]));
        assert!(pending.bytes.len() <= MAX_BYTES + 4096, "it is bounded");
    }
}
