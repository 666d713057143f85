//! The client at the other end, as the host writes to it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{Mutex, oneshot, watch},
};
use tracing::{debug, warn};

use super::{framing::framed, message};
use crate::{
    protocol::Frame,
    rpc::{event_order::OrderedEvents, in_flight::InFlight},
    session::{FrameJob, Outbox},
};

/// Requests that the client has not answered yet, by id; none when nothing more comes from it.
type Waiting = Option<HashMap<u64, oneshot::Sender<bool>>>;

/// Where the ids of the host's requests begin: far from where clients begin with theirs. Vim's channels take a
/// request for the answer to the call that has the same id.
const FIRST_ID: u64 = 1_000_000_000;

/// A client that messages can be sent to.
#[derive(Clone)]
pub struct Peer {
    writer: Arc<Mutex<Box<dyn AsyncWrite + Send + Unpin>>>,
    waiting: Arc<StdMutex<Waiting>>,
    next_id: Arc<AtomicU64>,
    /// Set when nothing more can be written.
    broken: watch::Sender<bool>,
    /// Changes when the connection has ended.
    open: watch::Receiver<()>,
    /// Answers that tell of views, under way.
    pub in_flight: InFlight,
}

impl Peer {
    /// Writes to the client until `open` changes.
    pub fn new(writer: Box<dyn AsyncWrite + Send + Unpin>, open: watch::Receiver<()>) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            waiting: Arc::new(StdMutex::new(Some(HashMap::new()))),
            next_id: Arc::new(AtomicU64::new(FIRST_ID)),
            broken: watch::Sender::new(false),
            open,
            in_flight: InFlight::default(),
        }
    }

    /// Writes a whole message out, however long the client takes to read it.
    pub async fn write(&self, content: &[u8]) {
        let bytes = framed(content);
        let write = async {
            let mut writer = self.writer.lock().await;
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        let mut open = self.open.clone();
        let written = tokio::select! {
            biased;
            written = write => written,
            _ = open.changed() => return,
        };
        if let Err(error) = written {
            debug!("the client cannot be written to: {error}");
            self.broken.send_replace(true);
        }
    }

    /// Waits until the client cannot be written to any more.
    pub async fn is_broken(&self) {
        // The sender is this very struct's: it cannot be gone.
        let _ = self.broken.subscribe().wait_for(|broken| *broken).await;
    }

    /// Takes the client's answer to a request; whatever it is, unless it is a plain no, it acknowledges.
    pub fn answered(&self, id: &Value, result: Option<&Value>) {
        let asked = id.as_u64().and_then(|id| self.waiting().as_mut()?.remove(&id));
        match asked {
            Some(asked) => {
                if result.is_none() {
                    warn!("the client answered a frame with an error");
                }
                // Whoever asked may be gone.
                let _ = asked.send(result.is_some_and(|result| *result != Value::Bool(false)));
            }
            None => warn!("an answer was ignored: its request was not made, or was answered before"),
        }
    }

    /// Nothing more comes from the client: what it still owes will not be answered.
    pub fn close(&self) {
        *self.waiting() = None;
    }

    /// Sends what there is for the client. Each frame is a request and awaited by itself. Events go out one
    /// after the other, each when the one before is written: a client that does not read loses some, and is
    /// told so, but holds up none but its own.
    pub async fn send_all(&self, outbox: Outbox) {
        let Outbox { mut frames, events } = outbox;
        let mut events = OrderedEvents::new(events, self.in_flight.clone());
        let events = async {
            while let Some(event) = events.next().await {
                match message::outgoing(None, "event", &event) {
                    Ok(content) => self.write(&content).await,
                    Err(error) => warn!("an event could not be written: {error}"),
                }
            }
        };
        let frames = async {
            while let Some(FrameJob { frame, ack }) = frames.recv().await {
                let peer = self.clone();
                tokio::spawn(async move {
                    if frame.seq == 1
                        && let Some(run) = &frame.run_id
                    {
                        // The answer that tells the client of the view comes first.
                        peer.in_flight.view_is_introduced(run).await;
                    }
                    let accepted = peer.frame(&frame).await;
                    ack.answer(accepted);
                });
            }
        };
        tokio::join!(events, frames);
    }

    async fn frame(&self, frame: &Frame) -> bool {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let content = match message::outgoing(Some(id), "frame", frame) {
            Ok(content) => content,
            Err(error) => {
                warn!("a frame could not be written: {error}");
                return false;
            }
        };
        let (asked, answer) = oneshot::channel();
        match self.waiting().as_mut() {
            Some(waiting) => _ = waiting.insert(id, asked),
            None => return false,
        }
        self.write(&content).await;
        answer.await.unwrap_or(false)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
