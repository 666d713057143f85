//! Characters (UTF-8) that come in two pieces of output.

use std::str;

use serde::{Deserialize, Serialize};

/// The beginning of a character whose end has not come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartialCharacter(Vec<u8>);

impl PartialCharacter {
    /// Whether no character has begun.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A character begins with these bytes, or with none.
    pub fn begin(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Completes the character from the next output, and hands it on; returns how many bytes of that it took. A
    /// beginning that has no end is replaced by U+FFFD.
    pub fn complete(&mut self, bytes: &[u8], mut text: impl FnMut(&[u8])) -> usize {
        let mut at = 0;
        while !self.0.is_empty()
            && let Some(&byte) = bytes.get(at)
        {
            self.0.push(byte);
            match str::from_utf8(&self.0) {
                Ok(_) => text(&self.0),
                Err(error) if error.error_len().is_none() => {
                    at += 1;
                    continue;
                }
                Err(_) => {
                    text("\u{fffd}".as_bytes());
                    self.0.clear();
                    return at;
                }
            }
            at += 1;
            self.0.clear();
        }
        at
    }
}

/// How many bytes at the end begin a character and do not end it.
pub fn unfinished(bytes: &[u8]) -> usize {
    let is_lead = |byte: &u8| *byte >= 0xc0;
    let Some(length) = bytes.iter().rev().take(3).position(is_lead).map(|after| after + 1) else { return 0 };
    match str::from_utf8(&bytes[bytes.len() - length..]) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => length,
        _ => 0,
    }
}
