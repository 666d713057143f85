//! Room for answers: what a client asks for and does not read is not made for it in advance.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::{
    Code, Error, Health, History, Lines, Method, ParseTemplates, Sessions, Snapshot, Stats, Templates,
};

/// Answers that can be large are made so many at a time for one connection; the others wait.
const LARGE_AT_ONCE: usize = 8;

/// So many calls of `lines` may be under way on one connection, as they may wait for long.
const TAILS_AT_ONCE: usize = 64;

/// What an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As large as what there is.
    Large,
    /// Lines, when there are any.
    Tail,
}

impl Kind {
    /// Of a method's answer; none for one that is small whatever there is.
    pub fn of(method: &str) -> Option<Self> {
        const LARGE: [&str; 7] = [
            Sessions::NAME,
            Snapshot::NAME,
            Health::NAME,
            History::NAME,
            Stats::NAME,
            Templates::NAME,
            ParseTemplates::NAME,
        ];
        if method == Lines::NAME { Some(Self::Tail) } else { LARGE.contains(&method).then_some(Self::Large) }
    }
}

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
    fn of(&self, kind: Kind) -> &Places {
        match kind {
            Kind::Large => &self.large,
            Kind::Tail => &self.tails,
        }
    }

    /// Waits for places for the answers of so many calls.
    ///
    /// # Errors
    /// `resource_exhausted` when there will never be as many, or the wait has no end.
    pub async fn places(&self, kind: Kind, count: usize) -> Result<OwnedSemaphorePermit, Error> {
        let Places { free, most } = self.of(kind);
        let free = Arc::clone(free);
        let wanted = u32::try_from(count).ok().filter(|_| count <= *most);
        let (permit, what) = match kind {
            Kind::Large => {
                let permit = match wanted {
                    Some(count) => free.acquire_many_owned(count).await.ok(),
                    None => None,
                };
                (permit, "calls with large answers in one batch")
            }
            Kind::Tail => {
                let permit = wanted.and_then(|count| free.try_acquire_many_owned(count).ok());
                (permit, "calls of lines under way")
            }
        };
        permit.ok_or_else(|| {
            let advice = "wait for their answers, or use another connection";
            Error::new(Code::ResourceExhausted, format!("more than {most} {what} of this connection; {advice}"))
        })
    }
}
