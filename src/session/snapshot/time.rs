//! Moments and durations in milliseconds, as the protocol writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A duration as the protocol writes it.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as the protocol writes it.
pub fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map(millis).unwrap_or(0)
}
