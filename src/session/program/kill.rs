//! Kill orders: the first signal, and the grace until SIGKILL.

use std::time::Duration;

/// The grace of a kill that Termi itself decides on.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(2);

/// How a kill is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    pub signal: Option<i32>,
    pub grace: Duration,
}
