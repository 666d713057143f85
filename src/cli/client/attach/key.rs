//! The detach key.

use std::str::FromStr;

/// A key held with Ctrl, as the byte that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetachKey(u8);

/// Ctrl-C.
const INTERRUPT: u8 = 3;

impl Default for DetachKey {
    /// Ctrl-\.
    fn default() -> Self {
        Self(0x1c)
    }
}

impl DetachKey {
    /// What was typed before the detach key; none when it was not typed. Who only looks may press Ctrl-C as well.
    pub fn before(self, keys: &[u8], read_only: bool) -> Option<&[u8]> {
        let at = keys.iter().position(|&byte| byte == self.0 || read_only && byte == INTERRUPT)?;
        Some(&keys[..at])
    }
}

impl FromStr for DetachKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = || r"ctrl- and a letter or one of @ \ ] ^ _, as ctrl-\ or ctrl-b".to_owned();
        let lower = text.to_ascii_lowercase();
        let key = ["ctrl-", "c-", "^"].iter().find_map(|prefix| lower.strip_prefix(prefix)).ok_or_else(rule)?;
        match key.as_bytes() {
            // As letters are small here; `i`, `j` and `m` are Tab, and what the Return key sends.
            [letter @ b'a'..=b'z'] if !matches!(letter, b'i' | b'j' | b'm') => Ok(Self(letter & 0x1f)),
            [sign @ (b'@' | b'\\' | b']' | b'^' | b'_')] => Ok(Self(sign & 0x1f)),
            _ => Err(rule()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_people_write_them_and_refused_with_the_rule() {
        for (text, byte) in [("ctrl-\\", 0x1c), ("Ctrl-B", 2), ("c-]", 0x1d), ("^_", 0x1f), ("^^", 0x1e)] {
            assert_eq!(text.parse(), Ok(DetachKey(byte)), "{text}");
        }
        for bad in ["", "x", "ctrl-", "ctrl-m", "ctrl-[", "ctrl-ab", "alt-x", "ctrl-é"] {
            assert!(bad.parse::<DetachKey>().unwrap_err().contains("ctrl-b"), "{bad}");
        }
    }

    #[test]
    fn what_is_typed_before_the_key_is_still_the_programs() {
        let key = DetachKey::default();
        assert_eq!(key.before(b"ls\x1crest", false), Some(&b"ls"[..]));
        assert_eq!(key.before(b"ls\x03", false), None);
        assert_eq!(key.before(b"\x03", true), Some(&b""[..]));
    }
}
