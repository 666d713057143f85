//! Moments and durations in milliseconds, as the protocol writes them.

use std::time::{SystemTime, UNIX_EPOCH};

pub use crate::units::millis;

/// A moment as the protocol writes it.
pub fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map(millis).unwrap_or(0)
}
