//! What is under way on a connection.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use crate::rpc::room::{Kind, Room};

/// What is under way on a connection, in both directions: shared by its reader and its writer.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<TrafficState>);

#[derive(Debug, Default)]
struct TrafficState {
    /// Requests sent to the client and not yet answered by it.
    unanswered: Mutex<HashSet<u64>>,
    /// The client's requests that open views and are not yet answered.
    opening: Mutex<HashMap<u64, Replying>>,
    /// The answers to those that are under way, and to calls by notification.
    replies: Arc<watch::Sender<Replies>>,
    /// Messages of the client that were passed on and that nobody has taken up yet.
    passed: watch::Sender<Passed>,
    /// Answers that the client is to get, and that are not written yet.
    owed: AtomicUsize,
    /// The client's requests that hold places for large answers.
    large: Mutex<HashMap<u64, Kind>>,
    room: Room,
    /// Nothing more is to be written.
    cut_off: watch::Sender<bool>,
}

/// Messages on their way from the stream to whoever carries them out: the library keeps as many as it is given.
#[derive(Debug, Default)]
struct Passed {
    /// The bytes of each, in the order in which they came and are taken up.
    sizes: VecDeque<usize>,
    bytes: usize,
}

impl Passed {
    const MOST: usize = 256;
    const MOST_BYTES: usize = 1 << 20;

    fn has_room(&self) -> bool {
        self.sizes.len() < Self::MOST && self.bytes < Self::MOST_BYTES
    }
}

/// Answers under way, numbered as they began.
#[derive(Debug, Default)]
struct Replies {
    next: u64,
    under_way: BTreeSet<u64>,
}

/// Methods whose answer something must wait for: the first frame of the view that it tells of, or the host's end.
pub(super) const OPENING: [&[u8]; 3] = [b"run", b"attach", b"shutdown"];

impl Traffic {
    pub(super) fn sent(&self, id: u64) {
        lock(&self.0.unanswered).insert(id);
    }

    pub(super) fn answered(&self, id: u64) -> bool {
        lock(&self.0.unanswered).remove(&id)
    }

    pub(super) fn asked_to_open(&self, id: u64) {
        lock(&self.0.opening).entry(id).or_insert_with(|| self.replying());
    }

    /// A request of the client: its answer is owed.
    pub(super) fn asked(&self, id: u64, method: &str) {
        if let Some(kind) = Kind::of(method) {
            lock(&self.0.large).insert(id, kind);
        }
        self.0.owed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer as owed until the result is dropped.
    #[must_use]
    pub fn owing(&self) -> Owing {
        self.0.owed.fetch_add(1, Ordering::Relaxed);
        Owing(self.clone())
    }

    fn paid(&self) {
        let _ = self.0.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| owed.checked_sub(1));
    }

    /// How many answers are owed.
    pub(super) fn owed(&self) -> usize {
        self.0.owed.load(Ordering::Relaxed)
    }

    /// Room for large answers.
    pub fn room(&self) -> &Room {
        &self.0.room
    }

    pub(super) fn replied(&self, id: u64) {
        self.paid();
        if let Some(kind) = lock(&self.0.large).remove(&id) {
            self.0.room.is_free_again(kind);
        }
        lock(&self.0.opening).remove(&id);
    }

    /// Counts a reply as under way until the result is dropped.
    #[must_use]
    pub fn replying(&self) -> Replying {
        let mut number = 0;
        self.0.replies.send_modify(|replies| {
            number = replies.next;
            replies.next += 1;
            replies.under_way.insert(number);
        });
        Replying { of: Arc::downgrade(&self.0.replies), number }
    }

    /// Nothing more is written from now on, even where the client is waited for to read what is under way.
    pub fn cut_off(&self) {
        self.0.cut_off.send_replace(true);
    }

    /// Waits until nothing more is to be written.
    pub(super) async fn until_cut_off(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.cut_off.subscribe().wait_for(|cut_off| *cut_off).await;
    }

    /// A message of so many bytes is passed on.
    pub(super) fn passed_on(&self, bytes: usize) {
        self.0.passed.send_modify(|passed| {
            passed.sizes.push_back(bytes);
            passed.bytes += bytes;
        });
    }

    /// Whether another message may be passed on.
    pub(super) fn has_room(&self) -> bool {
        self.0.passed.borrow().has_room()
    }

    /// Waits until another message may be passed on.
    pub(super) async fn until_there_is_room(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.passed.subscribe().wait_for(Passed::has_room).await;
    }

    /// Counts a message of the client as taken up when the result is dropped.
    #[must_use]
    pub fn taking(&self) -> Taking {
        Taking(self.clone())
    }

    /// Waits until everything that was passed on has been taken up.
    pub(super) async fn all_is_taken(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.passed.subscribe().wait_for(|passed| passed.sizes.is_empty()).await;
    }

    /// Waits until no answer that tells of a view and is under way now is so any more. Those that begin meanwhile
    /// are not waited for: a client that always asks for more would otherwise never hear of what it has.
    pub async fn replies_are_out(&self) {
        let mut replies = self.0.replies.subscribe();
        let next = replies.borrow().next;
        // The sender is this very struct's: it cannot be gone.
        let _ = replies.wait_for(|replies| replies.under_way.first().is_none_or(|first| *first >= next)).await;
    }
}

/// A reply under way.
#[derive(Debug)]
pub struct Replying {
    of: Weak<watch::Sender<Replies>>,
    number: u64,
}

impl Drop for Replying {
    fn drop(&mut self) {
        if let Some(replies) = self.of.upgrade() {
            replies.send_modify(|replies| _ = replies.under_way.remove(&self.number));
        }
    }
}

/// An answer that is owed.
pub struct Owing(Traffic);

impl Drop for Owing {
    fn drop(&mut self) {
        self.0.paid();
    }
}

/// A message being taken up.
pub struct Taking(Traffic);

impl Drop for Taking {
    fn drop(&mut self) {
        self.0.0.passed.send_modify(|passed| passed.bytes -= passed.sizes.pop_front().unwrap_or(0));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn answers_that_begin_later_are_not_waited_for() {
        let traffic = Traffic::default();
        traffic.asked_to_open(1);
        let mut out = pin!(traffic.replies_are_out());
        assert!(poll!(&mut out).is_pending());
        traffic.asked_to_open(2);
        let _by_notification = traffic.replying();
        assert!(poll!(&mut out).is_pending());
        traffic.replied(1);
        assert!(poll!(&mut out).is_ready());
        assert!(poll!(pin!(traffic.replies_are_out())).is_pending(), "what is under way by now");
    }
}
