//! The end of what the parser was given that is the beginning of something: an escape sequence or a character that
//! has not come whole. Given to a fresh parser, it puts that where the old one stood. Strings never get there.

/// Longer sequences than this are not followed: their end is then shown as text.
const MOST: usize = 64 << 10;

const ESC: u8 = 0x1b;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// Follows the output for its unfinished end.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// From the last escape character on while its sequence is unfinished, else the last few bytes.
    bytes: Vec<u8>,
}

impl Tail {
    /// More output was fed to the parser.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        // An escape character ends whatever was before it, so nothing older than the last one counts.
        match bytes.iter().rposition(|&byte| byte == ESC) {
            Some(at) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(&bytes[at..]);
            }
            None if self.bytes.first() == Some(&ESC) => self.bytes.extend_from_slice(bytes),
            None => self.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(3)..]),
        }
        let sequence = (self.bytes.first() == Some(&ESC)).then(|| without_executed(&self.bytes));
        match sequence.filter(|sequence| sequence.len() <= MOST && is_unfinished(sequence)) {
            Some(sequence) => self.bytes = sequence,
            None => _ = self.bytes.drain(..self.bytes.len().saturating_sub(3)),
        }
    }

    /// What is unfinished.
    pub(super) fn unfinished(&self) -> Vec<u8> {
        if self.bytes.first() == Some(&ESC) && is_unfinished(&self.bytes) {
            return self.bytes.clone();
        }
        match std::str::from_utf8(&self.bytes) {
            Err(error) if error.error_len().is_none() => self.bytes[error.valid_up_to()..].to_vec(),
            // The bytes may begin within a character: the last one's start decides.
            Err(_) => {
                let start = self.bytes.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(self.bytes.len());
                let end = &self.bytes[start..];
                if std::str::from_utf8(end).is_err_and(|error| error.error_len().is_none()) {
                    end.to_vec()
                } else {
                    vec![]
                }
            }
            Ok(_) => vec![],
        }
    }
}

/// A sequence without the control characters in it, which are carried out at once and are no part of it: not a second
/// time.
fn without_executed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte >= 0x20 || matches!(*byte, ESC | CAN | SUB)).collect()
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
        ] {
            for size in 1..=output.len() {
                let mut tail = Tail::default();
                output.as_bytes().chunks(size).for_each(|chunk| tail.note(chunk));
                assert_eq!(tail.unfinished(), unfinished.as_bytes(), "{output:?} by {size}");
            }
        }
        for (output, unfinished) in [
            (&b"ab\xe4\xbd"[..], &b"\xe4\xbd"[..]),
            (b"\xf0\x9f\x98", b"\xf0\x9f\x98"),
            (b"\xf0\x9f\x98\x80", b""),
            (b"\xe4\xbd\xa0\xe4", b"\xe4"),
            (b"\xff", b""),
            (b"\x1b[m\xc3", b"\xc3"),
        ] {
            for size in 1..=output.len() {
                let mut tail = Tail::default();
                output.chunks(size).for_each(|chunk| tail.note(chunk));
                assert_eq!(tail.unfinished(), unfinished, "{output:?} by {size}");
            }
        }
        let mut tail = Tail::default();
        tail.note(b"\x1b[");
        (0..100).for_each(|_| tail.note(&[b'1'; 4096]));
        assert!(tail.bytes.len() <= MOST + 4096, "it is bounded");
    }
}
