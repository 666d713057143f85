//! The input queue: what is typed and not yet taken by the program's terminal. Its bound is the backpressure on whoever
//! types.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::pty::Master;

/// Bytes that may wait. A paste of a megabyte into a program that reads must fit; one that never reads
/// must not cost more than this.
pub const LIMIT: usize = 4 << 20;

/// A program that has taken nothing for so long is said to have stalled.
const STALL: Duration = Duration::from_secs(2);

/// Input on its way to a program, in order.
#[derive(Debug)]
pub struct InputQueue {
    chunks: VecDeque<Vec<u8>>,
    /// How much of the first chunk is written.
    written: usize,
    bytes: usize,
    progress: Instant,
    told: bool,
}

impl InputQueue {
    pub fn new() -> Self {
        Self { chunks: VecDeque::new(), written: 0, bytes: 0, progress: Instant::now(), told: false }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes bytes in; false when there is no room for them. All or nothing: half a paste would be worse.
    #[must_use]
    pub fn push(&mut self, bytes: Vec<u8>) -> bool {
        if self.bytes + bytes.len() > LIMIT {
            return false;
        }
        if self.is_empty() {
            self.progress = Instant::now();
        }
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.chunks.push_back(bytes);
        }
        true
    }

    /// Writes what the terminal takes now.
    pub fn write_to(&mut self, master: &mut Master) {
        while let Some(chunk) = self.chunks.front() {
            let count = master.try_write(&chunk[self.written..]);
            if count == 0 {
                return;
            }
            self.bytes -= count;
            self.written += count;
            self.progress = Instant::now();
            self.told = false;
            if self.written == chunk.len() {
                self.chunks.pop_front();
                self.written = 0;
            }
        }
    }

    /// What waits.
    pub fn waiting(&self) -> Vec<u8> {
        let mut all = self.chunks.iter().flatten().copied().collect::<Vec<_>>();
        all.drain(..self.written);
        all
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// When to ask [`stalled`](Self::stalled) again.
    pub fn stall_deadline(&self) -> Option<Instant> {
        (!self.is_empty() && !self.told).then(|| self.progress + STALL)
    }

    /// How many bytes wait, if the program has just been found not to read; told once a stall.
    pub fn stalled(&mut self) -> Option<usize> {
        let due = self.stall_deadline().is_some_and(|deadline| Instant::now() >= deadline);
        self.told |= due;
        due.then_some(self.bytes)
    }
}

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Text as a terminal pastes it: line ends as the Return key sends them, within brackets if the program asked for them.
///
/// No control character of the text gets through but tabs, bracketed or not: it could end the paste, or be a key of the
/// line discipline or the program (interrupt, end of file). Without an escape or a C1 control what is left cannot make
/// a bracket, however it was nested. A byte of a C1 control counts as one wherever it is no part of a UTF-8 character:
/// programs that take eight-bit controls act on it, while text that is no UTF-8 (ISO 8859) has none there.
pub fn pasted(text: &[u8], bracketed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + PASTE_BEGINS.len() + PASTE_ENDS.len());
    if bracketed {
        out.extend_from_slice(PASTE_BEGINS);
    }
    for chunk in text.utf8_chunks() {
        paste_valid(chunk.valid(), &mut out);
        out.extend(chunk.invalid().iter().filter(|byte| !(0x80..0xa0).contains(*byte)));
    }
    if bracketed {
        out.extend_from_slice(PASTE_ENDS);
    }
    out
}

fn paste_valid(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character.is_control() && character != '\t') {
        let (before, found) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        rest = if let Some(after) = found.strip_prefix("\r\n").or_else(|| found.strip_prefix(['\r', '\n'])) {
            out.push(b'\r');
            after
        } else {
            // Of a bracket, its text goes too: it would only be in the way.
            let bracket = ["\x1b[200~", "\x1b[201~"].iter().find_map(|bracket| found.strip_prefix(bracket));
            bracket.unwrap_or_else(|| {
                let mut after = found.chars();
                after.next();
                after.as_str()
            })
        };
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_paste_cannot_end_its_own_bracket() {
        let end = "\x1b[201~";
        for (text, wanted) in [
            ("a\nb\r\nc\x1b[201~rm x\r", "a\rb\rcrm x\r"),
            // What is left when an end bracket is taken out is none either.
            ("a\x1b[20\x1b[201~1~\rtouch x\r", "a[201~\rtouch x\r"),
            // The keys of the line discipline and of a line editor.
            ("a\x03b\x04c\x0fd\x15e\x16f\x1ag\x7f", "abcdefg"),
            // The same as one character, U+009B; what makes one when a character between is gone; a raw byte.
            ("a\u{9b}201~\tb", "a201~\tb"),
        ] {
            let brackets = format!("\x1b[200~{wanted}{end}");
            assert_eq!(String::from_utf8(pasted(text.as_bytes(), true)).unwrap(), brackets);
            assert_eq!(String::from_utf8(pasted(text.as_bytes(), false)).unwrap(), wanted);
        }
        assert_eq!(pasted(b"\xc2\x07\x9b201~ \xc2\xc2\x9b\x9b \xe9", false), b"\xc2201~ \xc2 \xe9");
    }

    /// Bytes that attack: brackets, cut and nested, controls in all their forms, and text.
    fn attack() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\x1b[201~".to_vec()),
            Just(b"\x1b[200~".to_vec()),
            Just(b"\x9b201~".to_vec()),
            Just("\u{9b}201~".as_bytes().to_vec()),
            (0_usize..6).prop_map(|cut| PASTE_ENDS[..cut].to_vec()),
            (0_usize..6).prop_map(|cut| PASTE_ENDS[cut..].to_vec()),
            (0_u8..0x20).prop_map(|control| vec![control]),
            Just(vec![0x7f]),
            Just(vec![0xc2]),
            (0x80_u8..0xc0).prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|text| text.to_string().into_bytes()),
            vec(any::<u8>(), 0..8),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn without_brackets(paste: &[u8]) -> &[u8] {
        paste.strip_prefix(PASTE_BEGINS).and_then(|rest| rest.strip_suffix(PASTE_ENDS)).unwrap()
    }

    /// Whether nothing in it can be a key: no C0 but tab and Return, no DEL, no C1 in either form.
    fn is_inert(text: &[u8]) -> bool {
        text.utf8_chunks().all(|chunk| {
            chunk.valid().chars().all(|text| matches!(text, '\t' | '\r') || !text.is_control())
                && chunk.invalid().iter().all(|byte| *byte >= 0xa0)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_paste_ends_or_acts(text in attack(), at in any::<proptest::sample::Index>()) {
            let plain = pasted(&text, false);
            prop_assert!(is_inert(&plain), "{plain:?}");
            let bracketed = pasted(&text, true);
            prop_assert_eq!(without_brackets(&bracketed), plain.as_slice());
            // In two pastes, one after the other.
            let (first, second) = text.split_at(at.index(text.len() + 1));
            let both = [pasted(first, false), pasted(second, false)].concat();
            prop_assert!(is_inert(&both), "{both:?}");
            // What was pasted is pasted unchanged.
            prop_assert_eq!(pasted(&plain, false), plain);
        }

        #[test]
        fn text_is_pasted_as_it_is(text in any::<String>()) {
            let text: String = text.chars().filter(|text| matches!(text, '\t' | '\r') || !text.is_control()).collect();
            prop_assert_eq!(pasted(text.as_bytes(), false), text.as_bytes());
        }
    }

    #[test]
    fn a_full_queue_takes_nothing_more_until_it_is_cleared() {
        let mut queue = InputQueue::new();
        assert!(queue.push(vec![0; LIMIT]));
        assert!(!queue.push(vec![0]));
        queue.clear();
        assert!(queue.push(vec![0]));
        assert_eq!(queue.bytes(), 1);
    }
}
