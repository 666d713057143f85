//! The client at the other end, as the host writes to it.

use std::sync::{Arc, OnceLock};

use nvim_rs::Neovim;
use rmpv::Value;
use tokio::{io::AsyncWrite, sync::watch};
use tokio_util::compat::Compat;
use tracing::{debug, warn};

use super::{GuardedWriter, error_value};
use crate::{
    protocol::{Error, Event, Frame, Frontend},
    rpc::{event_order::OrderedEvents, in_flight::InFlight, value::to_value},
    session::{FrameJob, Outbox},
};

/// What Neovim does with a message: Termi's Lua takes it, wherever in the editor it is. It goes along with every frame,
/// so it is short: up to 31 bytes take one byte to tell their length.
const NVIM_RECEIVE: &str = "return require'termi.host'(...)";

/// The way to a client, as nvim-rs writes to it.
pub(super) type Writer = Compat<GuardedWriter<Box<dyn AsyncWrite + Send + Unpin>>>;

/// What the client wants to find with each message: it tells an editor that has several hosts whose message it is.
pub(super) type Tag = Arc<OnceLock<Value>>;

/// A client that messages can be sent to.
#[derive(Clone)]
pub(super) struct Peer {
    pub peer: Neovim<Writer>,
    pub frontend: Frontend,
    pub tag: Tag,
    /// Changes when the connection has ended.
    pub open: watch::Receiver<()>,
}

impl Peer {
    /// Sends a message and waits for its answer; none when the connection is gone or the client refuses.
    async fn send(&self, kind: &str, params: Value) -> Option<Value> {
        let call = async {
            match self.frontend {
                Frontend::Nvim => {
                    let args = [kind.into(), params].into_iter().chain(self.tag.get().cloned());
                    let args = Value::Array(args.collect());
                    self.peer.call("nvim_exec_lua", vec![NVIM_RECEIVE.into(), args]).await
                }
                Frontend::Generic => self.peer.call(kind, vec![params]).await,
            }
        };
        // Of a connection that has ended no answer comes, and nobody says so.
        let mut open = self.open.clone();
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            _ = open.changed() => return None,
        };
        match answer {
            Ok(Ok(value)) => Some(value),
            Ok(Err(_)) => {
                warn!("the client answered a {kind} with an error");
                None
            }
            Err(error) => {
                debug!("a {kind} was not answered: {error}");
                None
            }
        }
    }

    async fn frame(&self, frame: &Frame) -> bool {
        match to_value(frame) {
            // Anything but a plain no is an acknowledgement: clients need not know what to answer.
            Ok(value) => self.send("frame", value).await.is_some_and(|answer| answer != Value::Boolean(false)),
            Err(error) => {
                warn!("a frame could not be written: {error}");
                false
            }
        }
    }

    async fn event(&self, event: &Event) {
        match to_value(event) {
            Ok(value) => _ = self.send("event", value).await,
            Err(error) => warn!("an event could not be written: {error}"),
        }
    }

    pub async fn reply(&self, id: Value, answer: Result<Value, Error>) {
        let (key, value) = match answer {
            Ok(value) => ("result", value),
            Err(error) => ("error", error_value(&error)),
        };
        self.send("reply", Value::Map(vec![("id".into(), id), (key.into(), value)])).await;
    }
}

/// Sends what there is for a client. Frames go out at once, each awaited by itself; an event goes out when
/// the one before is answered, so that they arrive in order and a client that does not read holds up none
/// but its own.
pub(super) async fn send_all(peer: Peer, outbox: Outbox, in_flight: InFlight) {
    let Outbox { mut frames, events } = outbox;
    if peer.frontend == Frontend::Nvim {
        introduce(&peer).await;
    }
    let event_peer = peer.clone();
    let mut events = OrderedEvents::new(events, in_flight.clone());
    let events = async move {
        while let Some(event) = events.next().await {
            event_peer.event(&event).await;
        }
    };
    let frames = async move {
        while let Some(FrameJob { frame, ack }) = frames.recv().await {
            let (peer, in_flight) = (peer.clone(), in_flight.clone());
            tokio::spawn(async move {
                if frame.seq == 1
                    && let Some(run) = &frame.run_id
                {
                    // The answer that tells the client of the view comes first, if one can come any more.
                    let mut open = peer.open.clone();
                    tokio::select! {
                        () = in_flight.view_is_introduced(run) => {}
                        _ = open.changed() => {}
                    }
                }
                let accepted = peer.frame(&frame).await;
                ack.answer(accepted);
            });
        }
    };
    tokio::join!(events, frames);
}

/// Tells Neovim who this is: a channel that answers out of order, as concurrent calls are, must say that it
/// is msgpack-RPC, and a reloaded plugin finds its host by the name.
async fn introduce(peer: &Peer) {
    let version = Value::Map(vec![("major".into(), 0.into())]);
    let empty = || Value::Map(Vec::new());
    let info: Vec<Value> = vec!["termi".into(), version, "msgpack-rpc".into(), empty(), empty()];
    if let Err(error) = peer.peer.call("nvim_set_client_info", info).await {
        debug!("nvim_set_client_info was not answered: {error}");
    }
}
