//! Heap trim (malloc_trim): a while after much was freed, memory goes back to the system.
//!
//! The allocator keeps what was freed for whoever comes next, in a heap for each thread that works: after a flood, or
//! after many sessions, that is more than what the sessions take which are left.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::debug;

/// Debounce: the heap is trimmed when nothing was freed for so long.
const TRIM_DEBOUNCE: Duration = Duration::from_secs(2);

/// And at last so long after the first was, whatever goes on.
const MAX_TRIM_DELAY: Duration = Duration::from_secs(30);

/// Output of so many bytes has left behind what it was kept and shown in.
const TRIM_BYTES: usize = 1 << 20;

/// Trims the heap, a while after memory was freed.
#[derive(Debug, Clone)]
pub struct HeapTrim(Arc<State>);

#[derive(Debug)]
struct State {
    started: Instant,
    /// When memory was freed last, in milliseconds since the start.
    last_freed_ms: AtomicU64,
    /// Output since then.
    passed: AtomicUsize,
    /// Somebody waits to give it back.
    is_due: AtomicBool,
}

impl HeapTrim {
    pub fn new() -> Self {
        Self(Arc::new(State {
            started: Instant::now(),
            last_freed_ms: AtomicU64::new(0),
            passed: AtomicUsize::new(0),
            is_due: AtomicBool::new(false),
        }))
    }

    /// So much output has been taken in.
    pub fn note_output(&self, bytes: usize) {
        if self.0.passed.fetch_add(bytes, Ordering::Relaxed) + bytes >= TRIM_BYTES {
            self.0.passed.store(0, Ordering::Relaxed);
            self.note_freed();
        }
    }

    /// Much memory has been freed, or is about to be.
    pub fn note_freed(&self) {
        self.0.last_freed_ms.store(self.0.now_ms(), Ordering::Release);
        if !self.0.is_due.swap(true, Ordering::AcqRel) {
            tokio::spawn(Arc::clone(&self.0).trim());
        }
    }
}

impl State {
    fn now_ms(&self) -> u64 {
        crate::units::millis(self.started.elapsed())
    }

    /// How long nothing was freed.
    fn quiet(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.last_freed_ms.load(Ordering::Acquire)))
    }

    async fn trim(self: Arc<Self>) {
        let first = Instant::now();
        while first.elapsed() < MAX_TRIM_DELAY
            && let Some(rest) = TRIM_DEBOUNCE.checked_sub(self.quiet()).filter(|rest| !rest.is_zero())
        {
            tokio::time::sleep(rest).await;
        }
        self.is_due.store(false, Ordering::Release);
        // It takes milliseconds, which no run is to wait for.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
}

fn trim() {
    let begun = Instant::now();
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time from any thread.
    let any = unsafe { libc::malloc_trim(0) } != 0;
    // Other allocators give back what they do by themselves.
    #[cfg(not(target_env = "gnu"))]
    let any = false;
    debug!(any, took = ?begun.elapsed(), "memory given back");
}
