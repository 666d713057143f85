//! Throttles warnings: whoever can make the host warn could fill the disk with it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tracing::{Level, Metadata, callsite::Identifier};

/// So many of one kind are written at once, and one more each second.
const MAX_BURST: u64 = 100;

/// Counts warnings by the place in the code that they come from.
#[derive(Debug, Default)]
pub(super) struct RateLimit(Mutex<HashMap<Identifier, Kind>>);

#[derive(Debug)]
struct Kind {
    left: u64,
    /// When `left` was last right.
    at: Instant,
    left_out: u64,
}

/// What is to be said at the end of a line that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    left_out: u64,
    is_last: bool,
}

impl RateLimit {
    /// Whether an event is to be written; none if there were too many like it.
    pub fn admit(&self, metadata: &Metadata<'_>) -> Option<Note> {
        if *metadata.level() > Level::WARN {
            return Some(Note { left_out: 0, is_last: false });
        }
        let now = Instant::now();
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(metadata.callsite()).or_insert(Kind { left: MAX_BURST, at: now, left_out: 0 });
        kind.admit(now)
    }
}

impl Kind {
    fn admit(&mut self, now: Instant) -> Option<Note> {
        let earned = now.saturating_duration_since(self.at).as_secs();
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(MAX_BURST);
            self.at = now;
        }
        if self.left == 0 {
            self.left_out += 1;
            return None;
        }
        self.left -= 1;
        Some(Note { left_out: std::mem::take(&mut self.left_out), is_last: self.left == 0 })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left_out {
            0 => {}
            count => write!(f, " ({count} more like this were left out)")?,
        }
        if self.is_last {
            write!(f, " (what more like this comes now is left out, but for one a second)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EACH: Duration = Duration::from_secs(1);

    #[test]
    fn a_flood_of_warnings_is_counted_and_not_written() {
        let begun = Instant::now();
        let mut kind = Kind { left: MAX_BURST, at: begun, left_out: 0 };
        let written: Vec<String> = (0..1000).filter_map(|_| kind.admit(begun)).map(|note| note.to_string()).collect();
        assert_eq!(written.len(), 100);
        assert!(written[..99].iter().all(String::is_empty));
        assert_eq!(written[99], " (what more like this comes now is left out, but for one a second)");
        let later = begun + EACH;
        assert_eq!(kind.admit(later), Some(Note { left_out: 900, is_last: true }));
        assert_eq!(kind.admit(later), None);
        let much_later = later + EACH * 1000;
        assert_eq!(kind.admit(much_later).unwrap().to_string(), " (1 more like this were left out)");
        assert_eq!((1..1000).filter_map(|_| kind.admit(much_later)).count(), 99);
    }
}
