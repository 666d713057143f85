//! Room for answers: what a client asks for and does not read is not made for it in advance.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::{Code, Error, ReplySize};

/// Answers that can be large are made so many at a time for one connection; the others wait.
const LARGE_AT_ONCE: usize = 8;

/// So many calls of `lines` may be under way on one connection, as they may wait for long.
const TAILS_AT_ONCE: usize = 64;

/// The room of one connection. A place is taken before an answer is made, and free when it is written.
#[derive(Debug, Clone)]
pub struct Room {
    large: Places,
    tails: Places,
}

#[derive(Debug, Clone)]
struct Places {
    free: Arc<Semaphore>,
    most: usize,
}

impl Places {
    fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), most }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { large: Places::new(LARGE_AT_ONCE), tails: Places::new(TAILS_AT_ONCE) }
    }
}

impl Room {
    /// Waits for places for the answers of so many calls; small ones need none.
    ///
    /// # Errors
    /// `resource_exhausted` when there will never be as many, or the wait has no end.
    pub async fn places(&self, size: ReplySize, count: usize) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Places { free, most } = match size {
            ReplySize::Small => return Ok(None),
            ReplySize::Large => &self.large,
            ReplySize::Lines => &self.tails,
        };
        let free = Arc::clone(free);
        let wanted = u32::try_from(count).ok().filter(|_| count <= *most);
        let (permit, what) = if size == ReplySize::Lines {
            let permit = wanted.and_then(|count| free.try_acquire_many_owned(count).ok());
            (permit, "calls of lines under way")
        } else {
            let permit = match wanted {
                Some(count) => free.acquire_many_owned(count).await.ok(),
                None => None,
            };
            (permit, "calls with large answers in one batch")
        };
        permit.map(Some).ok_or_else(|| {
            let advice = "wait for their answers, or use another connection";
            Error::new(Code::ResourceExhausted, format!("more than {most} {what} of this connection; {advice}"))
        })
    }
}
