//! Whoever looks at sessions, as the core knows them: somewhere to send frames and events to.

pub mod caller;
pub mod json_lines;
pub mod pacing;
pub mod viewer;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{
    mpsc::{self, error::TrySendError},
    watch,
};

use crate::protocol::{Event, Frame, ViewId};

/// Events that may wait for a client. One that is slower than this loses some, and is told how many.
const EVENT_CAPACITY: usize = 1024;

/// Names a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(u64);

/// The core's end of a connection.
#[derive(Debug, Clone)]
pub struct Client {
    id: ClientId,
    /// Unbounded, but never long: a view has at most one frame in flight.
    frames: mpsc::UnboundedSender<FrameJob>,
    events: mpsc::Sender<(Event, Option<Receipt>)>,
    lost: Arc<AtomicU64>,
    synchronized_output: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    pace: Arc<Mutex<Pace>>,
}

/// How much of a client's time frames may take that can wait: many views that each leave it the time they need would
/// leave it none together.
#[derive(Debug)]
struct Pace {
    /// When the next such frame may be sent.
    next: Instant,
    /// What the client needs for one: an average that follows.
    needs: Duration,
}

impl Pace {
    /// Between two of them there is the time that the client needs for so many.
    const SHARE: u32 = 2;
    const MIN_INTERVAL: Duration = Duration::from_millis(4);
    const MAX_INTERVAL: Duration = Duration::from_millis(50);
}

/// The connection's end: what is to be sent.
#[derive(Debug)]
pub struct Outbox {
    /// Frames, each to be acknowledged.
    pub frames: mpsc::UnboundedReceiver<FrameJob>,
    /// Events, in order.
    pub events: Events,
}

/// Events on their way to one client.
#[derive(Debug)]
pub struct Events {
    waiting: mpsc::Receiver<(Event, Option<Receipt>)>,
    lost: Arc<AtomicU64>,
    /// Of the event that was given out last.
    taken: Option<Receipt>,
}

/// What is told when the client has taken an event, or is gone.
#[derive(Debug)]
enum Receipt {
    /// The run, of a line.
    Line(Ack),
    /// Whoever holds the sender, by the drop.
    Notice { _taken: watch::Receiver<()> },
}

impl Events {
    /// The next event; none when nobody can send one any more. To ask for it says that the client has the one
    /// before.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(Receipt::Line(ack)) = self.taken.take() {
            ack.answer(true);
        }
        match self.lost.swap(0, Ordering::Relaxed) {
            0 => {
                let (event, receipt) = self.waiting.recv().await?;
                self.taken = receipt;
                Some(event)
            }
            count => Some(Event::EventsLost { count }),
        }
    }
}

/// One frame on its way to a client.
#[derive(Debug)]
pub struct FrameJob {
    /// What to send.
    pub frame: Frame,
    /// To be told what came of it.
    pub ack: Ack,
}

/// What came of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// The view it was for.
    pub view: ViewId,
    /// Its number.
    pub seq: u64,
    /// The client has it; false when the client is gone or has no such view.
    pub accepted: bool,
}

/// Tells a run what came of a frame. Dropped untold, it tells that the client is gone.
#[derive(Debug)]
pub struct Ack {
    to: mpsc::UnboundedSender<Acked>,
    acked: Acked,
}

impl Ack {
    pub(super) fn new(to: mpsc::UnboundedSender<Acked>, view: ViewId, seq: u64) -> Self {
        Self { to, acked: Acked { view, seq, accepted: false } }
    }

    /// The client has the frame, or has said that it has no such view.
    pub fn answer(mut self, accepted: bool) {
        self.acked.accepted = accepted;
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        // A run that is gone needs no answer.
        let _ = self.to.send(self.acked);
    }
}

impl Client {
    /// A new connection's two ends.
    #[must_use]
    pub fn new() -> (Self, Outbox) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (frames, frames_out) = mpsc::unbounded_channel();
        let (events, waiting) = mpsc::channel(EVENT_CAPACITY);
        let lost = Arc::new(AtomicU64::new(0));
        let id = ClientId(NEXT.fetch_add(1, Ordering::Relaxed));
        let outbox = Outbox { frames: frames_out, events: Events { waiting, lost: Arc::clone(&lost), taken: None } };
        let pace = Arc::new(Mutex::new(Pace { next: Instant::now(), needs: Duration::ZERO }));
        (Self { id, frames, events, lost, synchronized_output: Arc::default(), gone: Arc::default(), pace }, outbox)
    }

    /// Throttles the frames of all the client's views together: reserves the slot of one that can wait, and says when it is.
    pub(super) fn reserve_slot(&self, now: Instant) -> Instant {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = pace.next.max(now);
        pace.next = slot + (pace.needs * Pace::SHARE).clamp(Pace::MIN_INTERVAL, Pace::MAX_INTERVAL);
        slot
    }

    /// Takes the latency of an acknowledgement of a frame that had a slot into the moving average.
    pub(super) fn record_latency(&self, latency: Duration) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.needs = (pace.needs * 7 + latency) / 8;
    }

    /// Which connection it is.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Its connection has ended: no run gives it a view any more.
    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Notes whether its emulator holds back what is written between CSI ? 2026 h and l.
    pub fn set_synchronized_output(&self, knows: bool) {
        self.synchronized_output.store(knows, Ordering::Relaxed);
    }

    pub(super) fn has_synchronized_output(&self) -> bool {
        self.synchronized_output.load(Ordering::Relaxed)
    }

    pub(super) fn frame(&self, job: FrameJob) {
        // To a connection that is gone: the job's drop tells the run.
        let _ = self.frames.send(job);
    }

    pub(super) fn event(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.events.try_send((event, None)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends an event, and drops `taken` once the client has taken it and what it had sent before is carried out, or
    /// when it is gone or loses the event.
    pub(super) fn notice(&self, event: Event, taken: watch::Receiver<()>) {
        if let Err(TrySendError::Full(_)) = self.events.try_send((event, Some(Receipt::Notice { _taken: taken }))) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends an event that is acknowledged once the client has taken it, or is gone. False when so many others wait
    /// that there is no room for it.
    pub(super) fn line(&self, event: Event, ack: impl FnOnce() -> Ack) -> bool {
        match self.events.try_reserve() {
            Ok(place) => place.send((event, Some(Receipt::Line(ack())))),
            Err(TrySendError::Full(())) => return false,
            // The drop tells the run.
            Err(TrySendError::Closed(())) => drop(ack()),
        }
        true
    }
}
