//! What is under way on a connection.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
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
    opening: Mutex<HashSet<u64>>,
    /// How many of those there are, calls by notification among them.
    replying: watch::Sender<usize>,
    /// Messages of the client that were passed on and that nobody has taken up yet.
    passed: watch::Sender<usize>,
    /// Answers that the client is to get, and that are not written yet.
    owed: AtomicUsize,
    /// The client's requests that hold places for large answers.
    large: Mutex<HashMap<u64, Kind>>,
    room: Room,
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
        if lock(&self.0.opening).insert(id) {
            self.0.replying.send_modify(|count| *count += 1);
        }
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
        if lock(&self.0.opening).remove(&id) {
            self.0.replying.send_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// Counts a reply as under way until the result is dropped.
    #[must_use]
    pub fn replying(&self) -> Replying {
        self.0.replying.send_modify(|count| *count += 1);
        Replying(self.clone())
    }

    pub(super) fn passed_on(&self) {
        self.0.passed.send_modify(|count| *count += 1);
    }

    /// Counts a message of the client as taken up when the result is dropped.
    #[must_use]
    pub fn taking(&self) -> Taking {
        Taking(self.clone())
    }

    /// Waits until everything that was passed on has been taken up.
    pub(super) async fn all_is_taken(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.passed.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Waits until no answer that tells of a view is under way.
    pub async fn replies_are_out(&self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.replying.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// A reply under way.
pub struct Replying(Traffic);

impl Drop for Replying {
    fn drop(&mut self) {
        self.0.0.replying.send_modify(|count| *count = count.saturating_sub(1));
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
        self.0.0.passed.send_modify(|count| *count = count.saturating_sub(1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
