//! The messages that a client receives unasked: frames and events.

use tokio::sync::mpsc;

use super::wire;
use crate::protocol::{Event, Frame};

/// One message of the host.
#[derive(Debug)]
pub enum Message {
    /// An update of a view.
    Frame {
        /// The update.
        frame: Frame,
        /// To be used once it is drawn.
        ack: FrameAck,
    },
    /// Something happened. It has been acknowledged.
    Event(Event),
}

/// Tells the host that a frame is drawn. Dropped unused, it tells that there is no such view any more, and the host
/// closes it.
#[derive(Debug)]
pub struct FrameAck(Ack);

impl FrameAck {
    /// The frame is drawn; the next may come.
    pub fn accept(mut self) {
        self.0.answer(true);
    }
}

impl Drop for FrameAck {
    fn drop(&mut self) {
        self.0.answer(false);
    }
}

/// A request of the host that waits for its answer.
#[derive(Debug)]
pub(super) struct Ack {
    id: u64,
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
}

impl Ack {
    pub(super) fn new(id: u64, to: mpsc::UnboundedSender<Vec<u8>>) -> Self {
        Self { id, to: Some(to) }
    }

    /// Answers, once.
    pub(super) fn answer(&mut self, accepted: bool) {
        if let Some(to) = self.to.take() {
            // To a connection that is gone there is nothing to say.
            let _ = to.send(wire::answer(self.id, accepted));
        }
    }
}

/// A message that came, with its answer still to be given.
#[derive(Debug)]
pub(super) enum Arrival {
    Frame(Frame, Ack),
    Event(Event, Ack),
}

/// What came and was not yet looked at.
#[derive(Debug)]
pub struct Inbox(mpsc::UnboundedReceiver<Arrival>);

impl Inbox {
    pub(super) fn new(arrivals: mpsc::UnboundedReceiver<Arrival>) -> Self {
        Self(arrivals)
    }

    /// The next message; none when the connection is closed. Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Message> {
        Some(match self.0.recv().await? {
            Arrival::Frame(frame, ack) => Message::Frame { frame, ack: FrameAck(ack) },
            Arrival::Event(event, mut ack) => {
                ack.answer(true);
                Message::Event(event)
            }
        })
    }
}
