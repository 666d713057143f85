//! msgpack-RPC through nvim-rs. Nothing outside this directory knows nvim-rs.
//!
//! Two rules of that library shape it. A call that is dropped, or answered after it was given up, ends
//! the connection: every call to the client is awaited to its end in a task of its own. And it handles
//! requests concurrently but notifications in order: input and sizes are notifications.
//!
//! A guard stands before each direction of the stream: nvim-rs decodes whatever it is sent, however large or deep, and
//! gives up on the connection at the first message that is not as expected. The guard passes on whole messages that
//! are, within limits of size and depth; see the
//! [msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md) and
//! [msgpack-RPC](https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md) specifications.

mod peer;
mod reader;
mod skipper;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use nvim_rs::{Handler, Neovim, error::LoopError};
use rmpv::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};
use tracing::{Instrument, debug, info, warn};

pub use reader::GuardedReader;
pub use skipper::{MAX_BYTES, MAX_DEPTH, MAX_VALUES, Refusal, Skipper};
pub use writer::GuardedWriter;

use super::{
    Ended,
    dispatch::{CALLS_UNDER_WAY, Connection, Host, closed, while_open},
    drain::UnderWay,
    in_flight::{InFlight, OpenReply},
    intake::Intake,
    value::to_value,
};
use crate::{
    protocol::{CallOrder, CallRules, Code, Error, Frontend, Initialize, Method, ReplySize},
    session::{Caller, Client},
};
use peer::{Peer, Tag, Writer, send_all};

/// How a call by notification is named: `call {id, method, params}`; its answer comes as a `reply` message.
/// It is for clients that can only wait or not ask at all, such as Neovim's Lua.
const CALL: &str = "call";

/// Serves one client until its stream ends.
pub(super) async fn serve(
    host: Host,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    caller: Caller,
    intake: Intake,
) -> Ended {
    let in_flight = InFlight::default();
    // Dropped when this ends, which gives up what the client still waits for.
    let (_open, open) = watch::channel(());
    let reader = GuardedReader::new(reader, in_flight.clone()).within(intake).compat();
    let writer = GuardedWriter::new(writer, in_flight.clone()).compat_write();
    let (client, outbox) = Client::new();
    let known = client.clone();
    let connection = Connection::new(host.clone(), caller, client, in_flight.clone());
    let mut initialized = connection.frontend.subscribe();
    let tag = Tag::default();
    let places = Arc::new(Semaphore::new(CALLS_UNDER_WAY));
    let wish = Arc::new(watch::Sender::new(None));
    let served =
        Served { connection, in_flight: in_flight.clone(), tag: Arc::clone(&tag), wish, places, open: open.clone() };
    let (peer, io) = Neovim::new(reader, writer, served);
    let ours = in_flight.clone();
    let sender = tokio::spawn(async move {
        // Before it is initialized, a client has nothing to be told.
        let frontend = match initialized.wait_for(Option::is_some).await {
            Ok(frontend) => (*frontend).unwrap_or_default(),
            Err(_) => return,
        };
        send_all(Peer { peer, frontend, tag, open }, outbox, in_flight).await;
    });
    let ended = match io.await {
        Ok(()) => Ended::Closed,
        Err(error) => why(&error),
    };
    sender.abort();
    if matches!(ended, Ended::Broken(_)) {
        // What waits for the client to read would keep its stream open.
        ours.cut_off();
    }
    // The host may be ending itself.
    let _ = host.supervisor.unregister(&known).await;
    match &ended {
        Ended::Closed => info!("{ended}"),
        Ended::Broken(_) => warn!("{ended}"),
    }
    ended
}

fn why(error: &LoopError) -> Ended {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    let mut last = None;
    while let Some(next) = cause {
        last = Some(next.to_string());
        cause = next.source();
    }
    if let Some(last) = last {
        if last == "EOF" {
            return Ended::Closed;
        }
        text = last;
    }
    Ended::Broken(text)
}

#[derive(Clone)]
struct Served {
    connection: Connection,
    in_flight: InFlight,
    tag: Tag,
    /// The frontend of an `initialize` that was called by notification and may still be under way: the calls behind it
    /// are carried out beside it, and are answered the same way.
    wish: Arc<watch::Sender<Option<Frontend>>>,
    /// Places for calls under way.
    places: Arc<Semaphore>,
    /// Changes when the connection has ended.
    open: watch::Receiver<()>,
}

#[async_trait]
impl Handler for Served {
    type Writer = Writer;

    async fn handle_request(&self, name: String, args: Vec<Value>, _: Neovim<Writer>) -> Result<Value, Value> {
        // From here on it is carried out, whatever becomes of the connection.
        drop(self.in_flight.dequeue());
        debug!(method = name, "request");
        let (args, number) = if CallRules::of(&name).reply_first { numbered(args) } else { (args, None) };
        let answer = match one(args) {
            Ok(params) => self.within_limits(&name, params, number).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| {
            debug!(method = name, "refused: {:?}", error.code);
            error_value(&error)
        })
    }

    async fn handle_notify(&self, name: String, args: Vec<Value>, peer: Neovim<Writer>) {
        let _dequeued = self.in_flight.dequeue();
        debug!(method = name, "notification");
        let params = match one(args) {
            Ok(params) => params,
            Err(error) => return warn!("{name} was refused: {:?}", error.code),
        };
        if name == CALL {
            let frontend = self.frontend_of(&params);
            let (tag, open) = (Arc::clone(&self.tag), self.open.clone());
            return self.call(Peer { peer, frontend, tag, open }, params).await;
        }
        let in_order = CallRules::of(&name).order == CallOrder::InOrder;
        let served = self.clone();
        let call = async move {
            if let (Err(error), _) = served.carry_out(&name, params, None).await {
                // Its message may quote what was sent, and that may be a secret.
                warn!("{name} was refused: {:?}", error.code);
            }
        };
        if in_order {
            call.await;
        } else {
            tokio::spawn(call.in_current_span());
        }
    }
}

impl Served {
    /// Carries out a request. If its reply can be large, it keeps a permit until that is written.
    async fn within_limits(&self, name: &str, params: Value, answer: Option<u64>) -> Result<Value, Error> {
        let size = CallRules::of(name).reply_size;
        if size != ReplySize::Small {
            let mut open = self.open.clone();
            tokio::select! {
                permit = self.in_flight.reply_limits().permits(size, 1) => if let Some(permit) = permit? {
                    self.in_flight.keep_permit(permit);
                },
                _ = open.changed() => return Err(closed()),
            }
        }
        let (answer, under_way) = self.carry_out(name, params, answer).await;
        if let Some(call) = under_way {
            self.in_flight.is_under_way(call);
        }
        answer
    }

    /// Carries out a call, if there is a place for it. A client's waits end with its connection; what changes
    /// sessions is seen through, and is under way until its answer is written.
    async fn carry_out(
        &self,
        name: &str,
        params: Value,
        answer: Option<u64>,
    ) -> (Result<Value, Error>, Option<UnderWay>) {
        let Ok(_place) = self.places.try_acquire() else {
            let why = format!(
                "{CALLS_UNDER_WAY} calls of this connection are under way; wait for answers before calling {name}"
            );
            return (Err(Error::new(Code::ResourceExhausted, why)), None);
        };
        if name == Initialize::NAME {
            self.take_tag(&params);
        }
        let under_way = self.connection.begins(name).await;
        // Apart: what a call takes, a thousand that wait for their places are not to take in advance.
        let call = self.connection.call(name, params, answer);
        (Box::pin(while_open(name, self.open.clone(), call)).await, under_way)
    }

    /// How the answer to a call by notification travels: as `initialize` has said, or says in this call or in one before
    /// it that is not carried out yet.
    fn frontend_of(&self, call: &Value) -> Frontend {
        if take_key(call, "method").as_str() == Some(Initialize::NAME) {
            let params = take_key(call, "params");
            self.take_tag(&params);
            let wish = match take_key(&params, "frontend").as_str() {
                Some("nvim") => Frontend::Nvim,
                _ => Frontend::Generic,
            };
            self.wish.send_replace(Some(wish));
        }
        let agreed = *self.connection.frontend.borrow();
        agreed.or_else(|| *self.wish.borrow()).unwrap_or_default()
    }

    /// The first tag stays: what is under way already travels with it.
    fn take_tag(&self, params: &Value) {
        if let tag @ Value::String(_) = take_key(params, "tag") {
            let _ = self.tag.set(tag);
        }
    }

    /// A call by notification.
    async fn call(&self, peer: Peer, call: Value) {
        let [id, method, params] = ["id", "method", "params"].map(|key| take_key(&call, key));
        let served = self.clone();
        let rules = CallRules::of(method.as_str().unwrap_or_default());
        let until_written = (rules.reply_first.then(|| self.in_flight.open_reply()), self.in_flight.pending_reply());
        tokio::spawn(async move {
            let (open_reply, _pending) = until_written;
            let number = open_reply.as_ref().map(OpenReply::number);
            let permits = served.in_flight.reply_limits().permits(rules.reply_size, 1).await;
            let (answer, under_way) = match method.as_str() {
                Some(method) if permits.is_ok() => served.carry_out(method, params, number).await,
                Some(_) => (Err(permits.as_ref().err().cloned().unwrap_or_else(closed)), None),
                None => {
                    let why = "call: it must be {id, method, params}, with method a string";
                    (Err(Error::new(Code::InvalidParams, why)), None)
                }
            };
            peer.reply(id, answer).await;
            drop((open_reply, under_way));
        });
    }
}

fn take_key(map: &Value, key: &str) -> Value {
    let entry = map.as_map().and_then(|entries| entries.iter().find(|(name, _)| name.as_str() == Some(key)));
    entry.map_or(Value::Nil, |(_, value)| value.clone())
}

/// Parameters as the guard passes those of such a request on, and the number of its answer before them.
fn numbered(mut args: Vec<Value>) -> (Vec<Value>, Option<u64>) {
    let (own, number) = (args.pop(), args.pop());
    let own = match own {
        Some(Value::Array(own)) => own,
        own => own.into_iter().collect(),
    };
    (own, number.and_then(|number| number.as_u64()))
}

/// The one map that parameters are.
fn one(mut args: Vec<Value>) -> Result<Value, Error> {
    match args.len() {
        0 => Ok(Value::Nil),
        1 => Ok(args.swap_remove(0)),
        count => Err(Error::new(
            Code::InvalidParams,
            format!("{count} parameters were sent; the parameters must be an array that holds one map"),
        )),
    }
}

fn error_value(error: &Error) -> Value {
    to_value(error).unwrap_or_else(|_| Value::from(error.message.as_str()))
}
