//! What is under way on a connection.

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
    rpc::{drain::UnderWay, room::Room},
};

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
    /// Places for large answers, by the task that carries out the request.
    places: Mutex<HashMap<task::Id, OwnedSemaphorePermit>>,
    /// Calls that are under way until their answers are written, by the task as well.
    under_way: Mutex<HashMap<task::Id, UnderWay>>,
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

impl Traffic {
    pub(super) fn sent(&self, id: u64) {
        lock(&self.0.unanswered).insert(id);
    }

    pub(super) fn answered(&self, id: u64) -> bool {
        lock(&self.0.unanswered).remove(&id)
    }

    /// A request whose answer is waited for; gives the number of that answer.
    pub(super) fn asked_to_open(&self, id: u64) -> u64 {
        lock(&self.0.opening).entry(id).or_insert_with(|| self.replying()).number
    }

    /// A request of the client: its answer is owed.
    pub(super) fn asked(&self) {
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

    /// Keeps the place of the answer that this task makes until the task has written it. The library carries out a
    /// request and writes its answer in one task of the request's own; ids are the client's, and may be used twice.
    pub fn keep_place(&self, place: OwnedSemaphorePermit) {
        if let Some(task) = task::try_id() {
            lock(&self.0.places).insert(task, place);
        }
    }

    /// Keeps the call that this task carries out under way until the task has written its answer.
    pub fn is_under_way(&self, call: UnderWay) {
        if let Some(task) = task::try_id() {
            lock(&self.0.under_way).insert(task, call);
        }
    }

    /// An answer is about to be written. Gives what is over once it is.
    pub(super) fn replied(&self, id: u64) -> Option<UnderWay> {
        self.paid();
        lock(&self.0.opening).remove(&id);
        let task = task::try_id()?;
        lock(&self.0.places).remove(&task);
        lock(&self.0.under_way).remove(&task)
    }

    /// Counts a reply as under way until the result is dropped.
    #[must_use]
    pub fn replying(&self) -> Replying {
        let mut number = 0;
        self.0.replies.send_modify(|replies| {
            number = replies.next;
            replies.next += 1;
            replies.under_way.insert(number, None);
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

/// A reply under way.
#[derive(Debug)]
pub struct Replying {
    of: Weak<watch::Sender<Replies>>,
    number: u64,
}

impl Replying {
    /// What [`Traffic::introduces`] knows it by.
    pub fn number(&self) -> u64 {
        self.number
    }
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

    #[tokio::test]
    async fn an_event_waits_for_the_answer_that_introduces_its_run_and_for_no_other() {
        let traffic = Traffic::default();
        let (session_id, run_id) = (SessionId::new(), RunId::new());
        let of = |session_id: &SessionId, run_id: &RunId| Event::RunStarted {
            session_id: session_id.clone(),
            session_name: "s".into(),
            run_id: run_id.clone(),
            pid: 1,
        };
        let of_session = Event::SessionRemoved { session_id: session_id.clone(), session_name: "s".into() };
        let starting = traffic.replying();
        let event = of(&session_id, &run_id);
        assert!(poll!(pin!(traffic.event_is_introduced(&event))).is_ready(), "a start that has told of nothing");
        traffic
            .introduces(starting.number(), Introduced::Run { session_id: session_id.clone(), run_id: run_id.clone() });
        let mut introduced = pin!(traffic.event_is_introduced(&event));
        assert!(poll!(&mut introduced).is_pending());
        assert!(poll!(pin!(traffic.event_is_introduced(&of_session))).is_pending());
        assert!(poll!(pin!(traffic.view_is_introduced(&run_id))).is_pending());
        assert!(poll!(pin!(traffic.event_is_introduced(&of(&session_id, &RunId::new())))).is_ready(), "another run");
        assert!(poll!(pin!(traffic.view_is_introduced(&RunId::new()))).is_ready());
        assert!(poll!(pin!(traffic.event_is_introduced(&Event::EventsLost { count: 1 }))).is_ready());
        drop(starting);
        assert!(poll!(&mut introduced).is_ready());
        let attaching = traffic.replying();
        traffic.introduces(attaching.number(), Introduced::View(run_id.clone()));
        assert!(poll!(pin!(traffic.view_is_introduced(&run_id))).is_pending());
        assert!(poll!(pin!(traffic.event_is_introduced(&event))).is_ready(), "the client has named the run itself");
    }
}
