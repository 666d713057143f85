//! Limits how many large replies of a connection are built before the client has read earlier ones.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::{Code, Error, ReplySize};

/// Large replies that are built at a time for one connection; the others wait.
const MAX_LARGE: usize = 8;

/// So many calls of `lines` may be under way on one connection, as they may wait for long.
const MAX_LINES_CALLS: usize = 64;

/// The limits of one connection. A permit is taken before a reply is built, and given back when it is written.
#[derive(Debug, Clone)]
pub struct ReplyLimits {
    large: Limit,
    lines: Limit,
}

#[derive(Debug, Clone)]
struct Limit {
    free: Arc<Semaphore>,
    max: usize,
}

impl Limit {
    fn new(max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(max)), max }
    }
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self { large: Limit::new(MAX_LARGE), lines: Limit::new(MAX_LINES_CALLS) }
    }
}

impl ReplyLimits {
    /// Waits for permits for the replies to so many calls; small ones need none.
    ///
    /// # Errors
    /// `resource_exhausted` when there will never be as many, or the wait has no end.
    pub async fn permits(&self, size: ReplySize, count: usize) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Limit { free, max } = match size {
            ReplySize::Small => return Ok(None),
            ReplySize::Large => &self.large,
            ReplySize::Lines => &self.lines,
        };
        let free = Arc::clone(free);
        let wanted = u32::try_from(count).ok().filter(|_| count <= *max);
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
            Error::new(Code::ResourceExhausted, format!("more than {max} {what} of this connection; {advice}"))
        })
    }
}
