//! What tests across modules stand on: a real `termi host` of their own, a client of its protocol, the view a
//! person would have, and a look at the kernel's processes.
//!
//! ```text
//! Home      folders of a test's own; nothing of it is alive when it is dropped
//!  └ Host   one `termi host` over pipes
//!     └ Client   calls, answers, events in order, frames fed into a second emulator (`View`)
//! ```
//!
//! Nothing here decides anything by the clock: `eventually` and the client's waits end when what they wait
//! for is there, and fail with what was seen instead.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on panics and says what it saw")]

mod client;
mod daemon;
mod home;
mod host;
pub mod json_rpc;
mod lease;
pub mod proc;
mod skip;
mod value;
mod view;

use std::time::{Duration, Instant};

pub use client::{Client, Failure, Pending, Speech, State};
pub use daemon::Daemon;
pub use home::{Home, files_below};
pub use host::{Host, Run, Setup, TERMI};
pub use lease::Lease;
pub use skip::skipped;
pub use value::{from_json, to_json};
pub use view::View;

/// How long anything that must happen may take on a busy machine before a test gives up on it.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How often a condition is looked at that nobody reports.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until a condition holds; fails with `what` when it never does.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    eventually_some(what, || holds().then_some(()));
}

/// Waits until there is something; fails with `what` when there never is.
#[track_caller]
pub fn eventually_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, look)
}

/// The same with a bound of its own, where the bound itself is promised.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// An argument for `sleep` that no other process on this machine has: its processes can be told by it.
#[must_use]
pub fn unique_seconds() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("7000.{:07}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Compares long texts line by line: a failure shows the first difference, not both texts.
#[track_caller]
pub fn assert_same_lines(what: &str, is: &[String], should_be: &[String]) {
    for (number, (is, should_be)) in is.iter().zip(should_be).enumerate() {
        assert_eq!(is, should_be, "{what}: line {number}");
    }
    assert_eq!(is.len(), should_be.len(), "{what}: the number of lines");
}
