//! What is typed and not yet taken by the program's terminal.

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

/// Text as a terminal pastes it: line ends as the Return key sends them, within brackets if the program
/// asked for them. An end bracket in the text itself is taken out: what follows it would count as typed.
pub fn pasted(text: &[u8], bracketed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + PASTE_BEGINS.len() + PASTE_ENDS.len());
    if bracketed {
        out.extend_from_slice(PASTE_BEGINS);
    }
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'\r' => {
                out.push(b'\r');
                after.strip_prefix(b"\n").unwrap_or(after)
            }
            b'\n' => {
                out.push(b'\r');
                after
            }
            0x1b if bracketed && rest.starts_with(PASTE_ENDS) => &rest[PASTE_ENDS.len()..],
            _ => {
                out.push(byte);
                after
            }
        };
    }
    if bracketed {
        out.extend_from_slice(PASTE_ENDS);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_cannot_end_its_own_bracket() {
        assert_eq!(pasted(b"a\nb\r\nc\x1b[201~rm x\r", true), b"\x1b[200~a\rb\rcrm x\r\x1b[201~");
        assert_eq!(pasted(b"a\nb", false), b"a\rb");
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
