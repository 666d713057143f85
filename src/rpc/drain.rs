//! Draining: before another binary takes over, the calls under way that change something are answered, and no other
//! begins. A call that a client has no answer to was then not carried out, and may be made again.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// The calls under way that change something, over all connections. Clones count the same ones.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<watch::Sender<Calls>>);

#[derive(Debug, Default)]
struct Calls {
    under_way: usize,
    /// None begins.
    closed: bool,
}

/// A call that is under way until this is dropped.
#[derive(Debug)]
pub struct UnderWay(Drain);

/// No call begins until this is dropped.
#[derive(Debug)]
pub struct Closed(Drain);

impl Drain {
    /// Counts a call as under way, once calls may begin.
    pub async fn begin(&self) -> UnderWay {
        let mut calls = self.0.subscribe();
        loop {
            let begins = self.0.send_if_modified(|calls| {
                calls.under_way += usize::from(!calls.closed);
                !calls.closed
            });
            if begins {
                return UnderWay(self.clone());
            }
            // The sender is this very struct's: it cannot be gone.
            let _ = calls.wait_for(|calls| !calls.closed).await;
        }
    }

    /// Lets no call begin any more. Those under way go on.
    #[must_use]
    pub fn close(&self) -> Closed {
        self.0.send_modify(|calls| calls.closed = true);
        Closed(self.clone())
    }

    /// Whether no call is under way any more, at the latest after `patience`.
    pub async fn is_drained(&self, patience: Duration) -> bool {
        let mut calls = self.0.subscribe();
        tokio::time::timeout(patience, calls.wait_for(|calls| calls.under_way == 0)).await.is_ok()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|calls| calls.under_way -= 1);
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.0.send_modify(|calls| calls.closed = false);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn those_under_way_are_waited_for_and_the_next_begin_when_it_is_open_again() {
        let drain = Drain::default();
        let first = drain.begin().await;
        let closed = drain.close();
        let mut second = pin!(drain.begin());
        assert!(poll!(&mut second).is_pending());
        assert!(!drain.is_drained(Duration::ZERO).await);
        drop(first);
        assert!(drain.is_drained(Duration::from_secs(10)).await && poll!(&mut second).is_pending());
        drop(closed);
        let _second = second.await;
        assert!(!drain.is_drained(Duration::ZERO).await);
    }
}
