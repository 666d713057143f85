//! What a tree takes with shared pages counted once: measured no more often than is worth its cost.

use std::time::{Duration, Instant};

use crate::process;

/// A measurement costs milliseconds for each process: so many times what the last one took there is none, but for this
/// long at the most.
const SHARE: u32 = 50;
const MAX_AGE: Duration = Duration::from_secs(2);

/// A measurement of one tree.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    at: Instant,
    took: Duration,
    pub memory: u64,
    /// The same with shared pages counted for each process.
    resident: u64,
}

impl Measured {
    /// Measures the tree below a shim.
    pub fn new(shim: i32, page_bytes: u64, resident: u64) -> Self {
        let begun = Instant::now();
        let memory = process::proportional_memory(shim, page_bytes);
        let at = Instant::now();
        Self { at, took: at - begun, memory, resident }
    }

    /// What the tree takes by now, if that needs no other measurement: what has come since is its own.
    pub fn still(&self, now: Instant, resident: u64, limit: u64) -> Option<u64> {
        let rest = (self.took * SHARE).min(MAX_AGE);
        let memory = self.memory.saturating_add(resident.saturating_sub(self.resident));
        (now.saturating_duration_since(self.at) < rest && memory <= limit).then_some(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_measurement_has_found_holds_for_as_long_as_it_costs() {
        let at = Instant::now();
        let took = Duration::from_millis(10);
        let measured = Measured { at, took, memory: 150, resident: 2000 };
        let still = |after_ms, resident| measured.still(at + Duration::from_millis(after_ms), resident, 1000);
        assert_eq!(still(400, 2000), Some(150));
        assert_eq!(still(400, 1900), Some(150), "what has gone may have been shared");
        assert_eq!(still(400, 2100), Some(250), "what has come is its own");
        assert_eq!(still(400, 2900), None, "it may have passed its limit");
        assert_eq!(still(500, 2000), None, "pages that were shared may have been written to");
        let costly = Measured { took: Duration::from_secs(1), ..measured };
        assert_eq!(costly.still(at + MAX_AGE, 2000, 1000), None);
    }
}
