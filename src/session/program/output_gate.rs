//! The output gate, a throttle: limits how many flooding runs are read at a time, and measures the rate of output that tells them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So much in so short a time is a flood: 6 MB a second.
const FLOOD_BYTES: usize = 64 << 10;
const FLOOD_WINDOW: Duration = Duration::from_millis(10);

/// Limits the floods that are read concurrently to half of the processors. The other half is left to the editor, and to
/// sessions whose output somebody waits for. A program whose output is not taken in waits.
#[derive(Debug, Clone)]
pub struct OutputGate(Arc<Semaphore>);

/// A permit to read a flood, given back when it is dropped.
pub type FloodPermit = Option<OwnedSemaphorePermit>;

impl OutputGate {
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }

    /// Waits for a place, in the order of coming.
    pub async fn enter(&self) -> FloodPermit {
        // It is never closed.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

/// How fast output comes.
#[derive(Debug, Default)]
pub struct RateMeter {
    since: Option<Instant>,
    bytes: usize,
    is_flood: bool,
}

impl RateMeter {
    /// So much has come.
    pub fn add(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes;
        let since = *self.since.get_or_insert(now);
        let time = now - since;
        if time >= FLOOD_WINDOW {
            // What waits for its place comes more slowly than it would.
            self.is_flood = self.bytes >= if self.is_flood { FLOOD_BYTES / 8 } else { FLOOD_BYTES };
            (self.since, self.bytes) = (Some(now), 0);
        } else if self.bytes >= FLOOD_BYTES {
            self.is_flood = true;
        }
    }

    pub fn is_flood(&self) -> bool {
        self.is_flood
    }
}
