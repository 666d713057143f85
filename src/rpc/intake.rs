//! Bounds the memory of messages that have come in part, over all connections together: one that never comes in whole
//! costs nobody else anything.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So much of a message is any connection's own: what people type and editors ask always gets through.
const OWN_BYTES: usize = 64 << 10;

/// Beyond that, messages take memory in steps of so much,
const STEP_BYTES: usize = 64 << 10;

/// and at most so much together: four of the largest messages.
const MAX_SHARED_BYTES: usize = 64 << 20;

/// What the connections of a host share.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_SHARED_BYTES / STEP_BYTES)))
    }
}

/// There is no memory for more of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} bytes of a message, and messages that are still coming over other connections: together the limit is \
     {MAX_SHARED_BYTES}"
)]
pub struct Exhausted(usize);

/// One connection's part of it.
#[derive(Debug, Default)]
pub struct Intake {
    /// None where there is no bound but a message's own: the editor's own connection is not to be cut off by others.
    budget: Option<Budget>,
    held: Option<OwnedSemaphorePermit>,
}

impl Intake {
    /// A part of what others have theirs of.
    #[must_use]
    pub fn of(budget: Budget) -> Self {
        Self { budget: Some(budget), held: None }
    }

    /// Takes what a message of so many bytes so far needs. Of none so far, everything is given back.
    ///
    /// # Errors
    /// When the others leave too little.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let needed = bytes.saturating_sub(OWN_BYTES).div_ceil(STEP_BYTES);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if needed == 0 {
            self.held = None;
        } else if let Some(Budget(budget)) = self.budget.as_ref().filter(|_| needed > held) {
            let more = u32::try_from(needed - held).map_err(|_| Exhausted(bytes))?;
            let more = Arc::clone(budget).try_acquire_many_owned(more).map_err(|_| Exhausted(bytes))?;
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_another_has_not_and_what_is_given_back_it_has() {
        let budget = Budget::default();
        let intake = || Intake::of(budget.clone());
        let (mut one, mut other, mut small) = (intake(), intake(), intake());
        for step in 1..=60 {
            one.hold(step << 20).unwrap();
        }
        assert!(other.hold(10 << 20).is_err());
        small.hold(OWN_BYTES).unwrap();
        Intake::default().hold(100 << 20).unwrap();
        one.hold(0).unwrap();
        other.hold(60 << 20).unwrap();
        drop(other);
        one.hold(64 << 20).unwrap();
    }
}
