//! msgpack-RPC through nvim-rs. Nothing outside this file knows nvim-rs.
//!
//! Two rules of that library shape it. A call that is dropped, or answered after it was given up, ends
//! the connection: every call to the client is awaited to its end in a task of its own. And it handles
//! requests concurrently but notifications in order: input and sizes are notifications.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use nvim_rs::{Handler, Neovim, error::LoopError};
use rmpv::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};
use tracing::{Instrument, debug, info, warn};

use super::{
    Ended,
    dispatch::{CALLS_UNDER_WAY, Connection, Host, closed, while_open},
    drain::UnderWay,
    guard::{GuardedReader, GuardedWriter, Replying, Traffic},
    intake::Intake,
    telling::Telling,
    value::to_value,
};
use crate::{
    protocol::{CallOrder, CallRules, Code, Error, Event, Frame, Frontend, Initialize, Method, ReplySize},
    session::{Caller, Client, FrameJob, Outbox},
};

/// How a call by notification is named: `call {id, method, params}`; its answer comes as a `reply` message.
/// It is for clients that can only wait or not ask at all, such as Neovim's Lua.
const CALL: &str = "call";

/// What Neovim does with a message: Termi's Lua takes it, wherever in the editor it is. It goes along with every frame,
/// so it is short: up to 31 bytes take one byte to tell their length.
const NVIM_RECEIVE: &str = "return require'termi.host'(...)";

type Writer = Compat<GuardedWriter<Box<dyn AsyncWrite + Send + Unpin>>>;

/// Serves one client until its stream ends.
pub async fn serve(
    host: Host,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    caller: Caller,
    intake: Intake,
) -> Ended {
    let traffic = Traffic::default();
    // Dropped when this ends, which gives up what the client still waits for.
    let (_open, open) = watch::channel(());
    let reader = GuardedReader::new(reader, traffic.clone()).within(intake).compat();
    let writer = GuardedWriter::new(writer, traffic.clone()).compat_write();
    let (client, outbox) = Client::new();
    let known = client.clone();
    let connection = Connection::new(host.clone(), caller, client, traffic.clone());
    let mut initialized = connection.frontend.subscribe();
    let tag = Tag::default();
    let places = Arc::new(Semaphore::new(CALLS_UNDER_WAY));
    let wish = Arc::new(watch::Sender::new(None));
    let served =
        Served { connection, traffic: traffic.clone(), tag: Arc::clone(&tag), wish, places, open: open.clone() };
    let (peer, io) = Neovim::new(reader, writer, served);
    let ours = traffic.clone();
    let sender = tokio::spawn(async move {
        // Before it is initialized, a client has nothing to be told.
        let frontend = match initialized.wait_for(Option::is_some).await {
            Ok(frontend) => (*frontend).unwrap_or_default(),
            Err(_) => return,
        };
        send_all(Peer { peer, frontend, tag, open }, outbox, traffic).await;
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

/// What the client wants to find with each message: it tells an editor that has several hosts whose message it is.
type Tag = Arc<OnceLock<Value>>;

/// A client that messages can be sent to.
#[derive(Clone)]
struct Peer {
    peer: Neovim<Writer>,
    frontend: Frontend,
    tag: Tag,
    /// Changes when the connection has ended.
    open: watch::Receiver<()>,
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

    async fn reply(&self, id: Value, answer: Result<Value, Error>) {
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
async fn send_all(peer: Peer, outbox: Outbox, traffic: Traffic) {
    let Outbox { mut frames, events } = outbox;
    if peer.frontend == Frontend::Nvim {
        introduce(&peer).await;
    }
    let event_peer = peer.clone();
    let mut telling = Telling::new(events, traffic.clone());
    let events = async move {
        while let Some(event) = telling.next().await {
            event_peer.event(&event).await;
        }
    };
    let frames = async move {
        while let Some(FrameJob { frame, ack }) = frames.recv().await {
            let (peer, traffic) = (peer.clone(), traffic.clone());
            tokio::spawn(async move {
                if frame.seq == 1
                    && let Some(run) = &frame.run_id
                {
                    // The answer that tells the client of the view comes first, if one can come any more.
                    let mut open = peer.open.clone();
                    tokio::select! {
                        () = traffic.view_is_introduced(run) => {}
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

#[derive(Clone)]
struct Served {
    connection: Connection,
    traffic: Traffic,
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
        drop(self.traffic.taking());
        debug!(method = name, "request");
        let (args, number) = if CallRules::of(&name).reply_first { numbered(args) } else { (args, None) };
        let answer = match one(args) {
            Ok(params) => self.in_its_place(&name, params, number).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| {
            debug!(method = name, "refused: {:?}", error.code);
            error_value(&error)
        })
    }

    async fn handle_notify(&self, name: String, args: Vec<Value>, peer: Neovim<Writer>) {
        let _taking = self.traffic.taking();
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
    /// Carries out a request. If its answer can be large, its place is free when that is written.
    async fn in_its_place(&self, name: &str, params: Value, answer: Option<u64>) -> Result<Value, Error> {
        let size = CallRules::of(name).reply_size;
        if size != ReplySize::Small {
            let mut open = self.open.clone();
            tokio::select! {
                place = self.traffic.room().places(size, 1) => if let Some(place) = place? {
                    self.traffic.keep_place(place);
                },
                _ = open.changed() => return Err(closed()),
            }
        }
        let (answer, under_way) = self.carry_out(name, params, answer).await;
        if let Some(call) = under_way {
            self.traffic.is_under_way(call);
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
        let until_it_is_out = (rules.reply_first.then(|| self.traffic.replying()), self.traffic.owing());
        tokio::spawn(async move {
            let (replying, _owing) = until_it_is_out;
            let number = replying.as_ref().map(Replying::number);
            let room = served.traffic.room().places(rules.reply_size, 1).await;
            let (answer, under_way) = match method.as_str() {
                Some(method) if room.is_ok() => served.carry_out(method, params, number).await,
                Some(_) => (Err(room.as_ref().err().cloned().unwrap_or_else(closed)), None),
                None => {
                    let why = "call: it must be {id, method, params}, with method a string";
                    (Err(Error::new(Code::InvalidParams, why)), None)
                }
            };
            peer.reply(id, answer).await;
            drop((replying, under_way));
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
