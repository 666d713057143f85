//! What is in flight on a connection: requests without a response, in both directions, and messages between the stream
//! and those who carry them out. Its bounds are the backpressure on a client that does not read its replies.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task,
};

use crate::{
    protocol::{Event, RunId, SessionId},
    rpc::{drain::UnderWay, reply_limits::ReplyLimits},
};

/// What is in flight on a connection: shared by its reader and its writer.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<InFlightState>);

#[derive(Debug, Default)]
struct InFlightState {
    /// Requests sent to the client and not yet answered by it.
    unanswered: Mutex<HashSet<u64>>,
    /// The client's requests that open views and are not yet answered.
    opening: Mutex<HashMap<u64, OpenReply>>,
    /// The answers to those that are under way, and to calls by notification.
    replies: Arc<watch::Sender<Replies>>,
    /// Messages of the client that were passed on and that nobody has taken up yet.
    queue: watch::Sender<Queue>,
    /// How many replies the client is to get that are not written yet.
    pending: AtomicUsize,
    /// Permits of large replies, by the task that carries out the request.
    permits: Mutex<HashMap<task::Id, OwnedSemaphorePermit>>,
    /// Calls that are under way until their answers are written, by the task as well.
    under_way: Mutex<HashMap<task::Id, UnderWay>>,
    reply_limits: ReplyLimits,
    /// Nothing more is to be written.
    cut_off: watch::Sender<bool>,
}

/// Messages on their way from the stream to whoever carries them out: the library keeps as many as it is given.
#[derive(Debug, Default)]
struct Queue {
    /// The bytes of each, in the order in which they came and are taken up.
    sizes: VecDeque<usize>,
    bytes: usize,
}

impl Queue {
    const MAX_MESSAGES: usize = 256;
    const MAX_BYTES: usize = 1 << 20;

    fn has_capacity(&self) -> bool {
        self.sizes.len() < Self::MAX_MESSAGES && self.bytes < Self::MAX_BYTES
    }
}

/// Replies that something waits for, numbered as they began.
#[derive(Debug, Default)]
struct Replies {
    next: u64,
    /// With what each introduces, once that is there.
    under_way: BTreeMap<u64, Option<Introduced>>,
}

/// What the client learns of by an answer. What the host sends of it by itself comes after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introduced {
    /// A run that has been started, and the session that it may be the first of.
    Run {
        /// The session.
        session_id: SessionId,
        /// The run.
        run_id: RunId,
    },
    /// A view of a run that the client may know.
    View(RunId),
}

impl Introduced {
    /// An event of a run waits for the answer that introduces the run; one of a session for any that tells of the
    /// session. A run that is still being started has no events, so it holds up none.
    fn is_before_event(&self, event: &Event) -> bool {
        let Self::Run { session_id, run_id } = self else { return false };
        match event.about() {
            (_, Some(of)) => of == run_id,
            (of, None) => of == Some(session_id),
        }
    }

    fn is_before_view_of(&self, of: &RunId) -> bool {
        match self {
            Self::Run { run_id, .. } | Self::View(run_id) => of == run_id,
        }
    }
}

impl InFlight {
    pub(in crate::rpc) fn sent(&self, id: u64) {
        lock(&self.0.unanswered).insert(id);
    }

    pub(in crate::rpc) fn answered(&self, id: u64) -> bool {
        lock(&self.0.unanswered).remove(&id)
    }

    /// A request whose answer is waited for; gives the number of that answer.
    pub(in crate::rpc) fn open_reply_to(&self, id: u64) -> u64 {
        lock(&self.0.opening).entry(id).or_insert_with(|| self.open_reply()).number
    }

    /// A request of the client: its reply is pending.
    pub(in crate::rpc) fn asked(&self) {
        self.0.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a reply as pending until the result is dropped.
    #[must_use]
    pub fn pending_reply(&self) -> PendingReply {
        self.0.pending.fetch_add(1, Ordering::Relaxed);
        PendingReply(self.clone())
    }

    fn release(&self) {
        let _ = self.0.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pending| pending.checked_sub(1));
    }

    /// How many replies are pending.
    pub(in crate::rpc) fn pending_replies(&self) -> usize {
        self.0.pending.load(Ordering::Relaxed)
    }

    /// The limits of large replies.
    pub fn reply_limits(&self) -> &ReplyLimits {
        &self.0.reply_limits
    }

    /// Keeps the permit of the reply that this task makes until the task has written it. The library carries out a
    /// request and writes its answer in one task of the request's own; ids are the client's, and may be used twice.
    pub fn keep_permit(&self, permit: OwnedSemaphorePermit) {
        if let Some(task) = task::try_id() {
            lock(&self.0.permits).insert(task, permit);
        }
    }

    /// Keeps the call that this task carries out under way until the task has written its answer.
    pub fn is_under_way(&self, call: UnderWay) {
        if let Some(task) = task::try_id() {
            lock(&self.0.under_way).insert(task, call);
        }
    }

    /// An answer is about to be written. Gives what is over once it is.
    pub(in crate::rpc) fn replied(&self, id: u64) -> Option<UnderWay> {
        self.release();
        lock(&self.0.opening).remove(&id);
        let task = task::try_id()?;
        lock(&self.0.permits).remove(&task);
        lock(&self.0.under_way).remove(&task)
    }

    /// A reply that something waits for until the result is dropped.
    #[must_use]
    pub fn open_reply(&self) -> OpenReply {
        let mut number = 0;
        self.0.replies.send_modify(|replies| {
            number = replies.next;
            replies.next += 1;
            replies.under_way.insert(number, None);
        });
        OpenReply { of: Arc::downgrade(&self.0.replies), number }
    }

    /// Nothing more is written from now on, even where the client is waited for to read what is under way.
    pub fn cut_off(&self) {
        self.0.cut_off.send_replace(true);
    }

    /// Waits until nothing more is to be written.
    pub(in crate::rpc) async fn until_cut_off(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.cut_off.subscribe().wait_for(|cut_off| *cut_off).await;
    }

    /// A message of so many bytes is passed on.
    pub(in crate::rpc) fn enqueue(&self, bytes: usize) {
        self.0.queue.send_modify(|queue| {
            queue.sizes.push_back(bytes);
            queue.bytes += bytes;
        });
    }

    /// Whether another message may be passed on.
    pub(in crate::rpc) fn has_capacity(&self) -> bool {
        self.0.queue.borrow().has_capacity()
    }

    /// Waits until another message may be passed on.
    pub(in crate::rpc) async fn until_capacity(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.queue.subscribe().wait_for(Queue::has_capacity).await;
    }

    /// Takes a message of the client out of the queue when the result is dropped.
    #[must_use]
    pub fn dequeue(&self) -> Dequeued {
        Dequeued(self.clone())
    }

    /// Waits until everything that was passed on has been taken up.
    pub(in crate::rpc) async fn until_empty(self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.0.queue.subscribe().wait_for(|queue| queue.sizes.is_empty()).await;
    }

    /// Notes what the answer of that number introduces, before anything is sent of it.
    pub fn introduces(&self, number: u64, what: Introduced) {
        self.0.replies.send_modify(|replies| {
            // Gone: its client is.
            if let Some(introduced) = replies.under_way.get_mut(&number) {
                *introduced = Some(what);
            }
        });
    }

    /// Waits until no answer that is waited for and is under way now is so any more.
    pub async fn replies_are_out(&self) {
        self.are_out(|_| true).await;
    }

    /// Waits until the answers that introduce what an event is about are out: a start that takes long holds up no
    /// other run's events.
    pub async fn event_is_introduced(&self, event: &Event) {
        self.are_out(|introduced| introduced.is_some_and(|what| what.is_before_event(event))).await;
    }

    /// Waits until the answers that introduce a view of that run are out.
    pub async fn view_is_introduced(&self, run: &RunId) {
        self.are_out(|introduced| introduced.is_some_and(|what| what.is_before_view_of(run))).await;
    }

    /// Waits until none of those answers that are under way now is so any more. Those that begin meanwhile are not
    /// waited for: a client that always asks for more would otherwise never hear of what it has.
    async fn are_out(&self, those: impl Fn(Option<&Introduced>) -> bool) {
        let mut replies = self.0.replies.subscribe();
        let next = replies.borrow().next;
        let none = |replies: &Replies| !replies.under_way.range(..next).any(|(_, what)| those(what.as_ref()));
        // The sender is this very struct's: it cannot be gone.
        let _ = replies.wait_for(none).await;
    }
}

/// A reply that something waits for, until this is dropped.
#[derive(Debug)]
pub struct OpenReply {
    of: Weak<watch::Sender<Replies>>,
    number: u64,
}

impl OpenReply {
    /// What [`InFlight::introduces`] knows it by.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for OpenReply {
    fn drop(&mut self) {
        if let Some(replies) = self.of.upgrade() {
            replies.send_modify(|replies| _ = replies.under_way.remove(&self.number));
        }
    }
}

/// A reply that the client is to get, and that is not written yet.
pub struct PendingReply(InFlight);

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A message that was taken out of the queue.
pub struct Dequeued(InFlight);

impl Drop for Dequeued {
    fn drop(&mut self) {
        self.0.0.queue.send_modify(|queue| queue.bytes -= queue.sizes.pop_front().unwrap_or(0));
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
        let in_flight = InFlight::default();
        in_flight.open_reply_to(1);
        let mut out = pin!(in_flight.replies_are_out());
        assert!(poll!(&mut out).is_pending());
        in_flight.open_reply_to(2);
        let _by_notification = in_flight.open_reply();
        assert!(poll!(&mut out).is_pending());
        in_flight.replied(1);
        assert!(poll!(&mut out).is_ready());
        assert!(poll!(pin!(in_flight.replies_are_out())).is_pending(), "what is under way by now");
    }

    #[tokio::test]
    async fn an_event_waits_for_the_answer_that_introduces_its_run_and_for_no_other() {
        let in_flight = InFlight::default();
        let (session_id, run_id) = (SessionId::new(), RunId::new());
        let of = |session_id: &SessionId, run_id: &RunId| Event::RunStarted {
            session_id: session_id.clone(),
            session_name: "s".into(),
            run_id: run_id.clone(),
            pid: 1,
        };
        let of_session = Event::SessionRemoved { session_id: session_id.clone(), session_name: "s".into() };
        let starting = in_flight.open_reply();
        let event = of(&session_id, &run_id);
        assert!(poll!(pin!(in_flight.event_is_introduced(&event))).is_ready(), "a start that has told of nothing");
        in_flight
            .introduces(starting.number(), Introduced::Run { session_id: session_id.clone(), run_id: run_id.clone() });
        let mut introduced = pin!(in_flight.event_is_introduced(&event));
        assert!(poll!(&mut introduced).is_pending());
        assert!(poll!(pin!(in_flight.event_is_introduced(&of_session))).is_pending());
        assert!(poll!(pin!(in_flight.view_is_introduced(&run_id))).is_pending());
        assert!(poll!(pin!(in_flight.event_is_introduced(&of(&session_id, &RunId::new())))).is_ready(), "another run");
        assert!(poll!(pin!(in_flight.view_is_introduced(&RunId::new()))).is_ready());
        assert!(poll!(pin!(in_flight.event_is_introduced(&Event::EventsLost { count: 1 }))).is_ready());
        drop(starting);
        assert!(poll!(&mut introduced).is_ready());
        let attaching = in_flight.open_reply();
        in_flight.introduces(attaching.number(), Introduced::View(run_id.clone()));
        assert!(poll!(pin!(in_flight.view_is_introduced(&run_id))).is_pending());
        assert!(poll!(pin!(in_flight.event_is_introduced(&event))).is_ready(), "the client has named the run itself");
    }
}
