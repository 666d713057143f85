//! The other end of a connection: calls by the protocol's own types, and what the host sends by itself.
//!
//! ```no_run
//! # async fn example() -> Result<(), termi::client::ClientError> {
//! use termi::{client::{self, Message}, protocol::{Attach, AttachParams, Format, Sessions, Empty}};
//!
//! let (client, mut inbox) = client::connect(&client::socket()?).await?;
//! client.initialize("termi ls").await?;
//! let sessions = client.call::<Sessions>(Empty {}).await?;
//! # let run_id = sessions.into_values().next().unwrap().run_ids.remove(0);
//! let (format, size, scrollback) = (Format::Ansi, None, Some(0));
//! client.call::<Attach>(AttachParams { run_id, format, size, read_only: true, scrollback }).await?;
//! while let Some(message) = inbox.next().await {
//!     match message {
//!         // Drawn first, then acknowledged: the next frame is not made before.
//!         Message::Frame { frame: _, ack } => ack.accept(),
//!         Message::Event(_) => {}
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Answers never wait for the inbox: who only calls need not read it. It cannot grow either, as the host sends no
//! second event before the first was taken out, and a view has one frame in flight.

mod inbox;
mod join;
mod stream;
mod wire;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rmpv::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};

pub use inbox::{FrameAck, Inbox, Message};
pub use join::{join, join_json, untold, whereabouts};
pub use stream::{Stream, connect, open, socket};

use crate::protocol::{self, Frontend, Initialize, InitializeParams, InitializeReply, Method, PROTOCOL, Peer};

/// Calls and notifications that may wait to be written.
const WRITES_WAITING: usize = 64;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens at the socket, or it cannot be reached.
    #[error("{path}: {source}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said: `NotFound` and `ConnectionRefused` mean that nobody listens.
        source: io::Error,
    },
    /// What is at the socket's path, or listens there, is not the user's own.
    #[error("{path} {why}; remove it and try again")]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The folder that sockets are in cannot be used.
    #[error(transparent)]
    Folder(#[from] crate::paths::FolderError),
    /// The host says no, and why.
    #[error(transparent)]
    Refused(#[from] protocol::Error),
    /// The connection ended before the answer came.
    #[error("the connection was closed")]
    Closed,
    /// What came is not what the protocol says.
    #[error("what the host sent could not be read ({0}); its version may differ: see `termi --version`")]
    Garbled(String),
}

impl ClientError {
    /// Nobody listens there: a daemon may be started.
    #[must_use]
    pub fn is_nobody_there(&self) -> bool {
        matches!(self, Self::Connect { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused))
    }
}

type Answer = Result<Value, protocol::Error>;

/// Calls that wait for their answers; none once the connection is closed.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>>;

/// A connection to a host. Clones share it; it is closed when the last of them and the [`Inbox`] are dropped.
#[derive(Debug, Clone)]
pub struct Client {
    writes: mpsc::Sender<Vec<u8>>,
    waiting: Waiting,
    next_id: Arc<AtomicU64>,
}

impl Client {
    /// Speaks over a stream's two ends.
    pub fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, Inbox) {
        let (writes, to_write) = mpsc::channel(WRITES_WAITING);
        // Acknowledgements do not wait behind calls, and there are no more of them than messages of the host.
        let (acks, acks_to_write) = mpsc::unbounded_channel();
        let (messages, inbox) = mpsc::unbounded_channel();
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(wire::write_all(writer, to_write, acks_to_write));
        let answers = Arc::clone(&waiting);
        tokio::spawn(async move {
            wire::read_all(reader, &answers, &messages, &acks).await;
            // Whoever waits is told by the drop.
            *lock(&answers) = None;
        });
        (Self { writes, waiting, next_id: Arc::new(AtomicU64::new(1)) }, Inbox::new(inbox))
    }

    /// Introduces this client as `name`, the first call of a connection that wants frames and events.
    ///
    /// # Errors
    /// `protocol_mismatch` when the host speaks another version; its message says what to do.
    pub async fn initialize(&self, name: &str) -> Result<InitializeReply, ClientError> {
        self.call::<Initialize>(InitializeParams {
            protocol: PROTOCOL,
            client: Peer { name: name.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            frontend: Frontend::Generic,
            ..InitializeParams::default()
        })
        .await
    }

    /// Calls a method and waits for its answer. May be dropped: the answer is then thrown away.
    ///
    /// # Errors
    /// When the host refuses, or the connection ends.
    pub async fn call<M: Method>(&self, params: M::Params) -> Result<M::Reply, ClientError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let message = wire::request(id, M::NAME, &params)?;
        let (reply, answer) = oneshot::channel();
        lock(&self.waiting).as_mut().ok_or(ClientError::Closed)?.insert(id, reply);
        self.writes.send(message).await.map_err(|_| ClientError::Closed)?;
        let value = answer.await.map_err(|_| ClientError::Closed)??;
        wire::from_value(&value)
    }

    /// Waits until a message can be sent without waiting.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.writes.reserve().await.map(drop).map_err(|_| ClientError::Closed)
    }

    /// Calls a method whose answer nobody wants. Those of one client are carried out in order: for `input`, `resize`
    /// and `visible`.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn notify<M: Method>(&self, params: M::Params) -> Result<(), ClientError> {
        let message = wire::notification(M::NAME, &params)?;
        self.writes.send(message).await.map_err(|_| ClientError::Closed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Code, Empty, Event, Sessions};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn read(stream: &mut tokio::io::DuplexStream) -> Vec<Value> {
        let mut bytes = Vec::new();
        loop {
            bytes.push(stream.read_u8().await.unwrap());
            if let Ok(Value::Array(parts)) = rmpv::decode::read_value(&mut bytes.as_slice()) {
                return parts;
            }
        }
    }

    async fn send(stream: &mut tokio::io::DuplexStream, parts: Vec<Value>) {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &Value::Array(parts)).unwrap();
        for byte in bytes {
            stream.write_all(&[byte]).await.unwrap();
        }
    }

    fn pair() -> (Client, Inbox, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(ours);
        let (client, inbox) = Client::new(reader, writer);
        (client, inbox, theirs)
    }

    #[tokio::test]
    async fn answers_find_their_calls_in_any_order_and_an_end_ends_them_all() {
        let (client, _inbox, mut host) = pair();
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.call::<Sessions>(Empty {}).await })
            })
            .collect();
        let mut ids = Vec::new();
        for _ in 0..3 {
            let request = read(&mut host).await;
            assert_eq!(request[2], Value::from("sessions"));
            ids.push(request[1].clone());
        }
        let error = Value::Map(vec![("code".into(), "forbidden".into()), ("message".into(), "no".into())]);
        send(&mut host, vec![1.into(), ids[2].clone(), error, Value::Nil]).await;
        send(&mut host, vec![1.into(), ids[0].clone(), Value::Nil, Value::Map(vec![])]).await;
        drop(host);
        let mut kinds = Vec::new();
        for call in calls {
            kinds.push(match call.await.unwrap() {
                Ok(sessions) => format!("{} sessions", sessions.len()),
                Err(ClientError::Refused(error)) => format!("{:?}", error.code),
                Err(error) => error.to_string(),
            });
        }
        kinds.sort();
        assert_eq!(kinds, ["0 sessions", &format!("{:?}", Code::Forbidden), "the connection was closed"]);
    }

    #[tokio::test]
    async fn an_event_is_acknowledged_when_it_is_taken_and_a_frame_when_it_is_drawn() {
        let (client, mut inbox, mut host) = pair();
        let event = Value::Map(vec![("type".into(), "events_lost".into()), ("count".into(), 3.into())]);
        send(&mut host, vec![0.into(), 7.into(), "event".into(), Value::Array(vec![event])]).await;
        let frame = rmp_serde::to_vec_named(&serde_json::json!({
            "run_id": "r", "view_id": 1, "seq": 1, "rows": 2, "cols": 3, "reset": true, "format": "ansi", "data": "x",
        }))
        .unwrap();
        let frame = rmpv::decode::read_value(&mut frame.as_slice()).unwrap();
        for id in [8, 9] {
            send(&mut host, vec![0.into(), id.into(), "frame".into(), Value::Array(vec![frame.clone()])]).await;
        }
        send(&mut host, vec![0.into(), 10.into(), "dance".into(), Value::Array(vec![])]).await;
        assert_eq!(read(&mut host).await[1], 10.into(), "what is not known is answered at once, with an error");
        assert!(matches!(inbox.next().await, Some(Message::Event(Event::EventsLost { count: 3 }))));
        assert_eq!(read(&mut host).await, [1.into(), 7.into(), Value::Nil, true.into()]);
        let Some(Message::Frame { frame, ack }) = inbox.next().await else { panic!("no frame") };
        assert_eq!((frame.seq, frame.cols), (1, Some(3)));
        ack.accept();
        assert_eq!(read(&mut host).await, [1.into(), 8.into(), Value::Nil, true.into()]);
        // One that is dropped has no view any more.
        drop(inbox.next().await);
        assert_eq!(read(&mut host).await, [1.into(), 9.into(), Value::Nil, false.into()]);
        drop(client);
    }
}
