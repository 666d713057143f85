//! Waits for a moment that there may not be.

use std::time::Instant;

/// Sleeps until a moment; forever when there is none.
pub(super) async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
