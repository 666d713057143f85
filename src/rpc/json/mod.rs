//! JSON-RPC 2.0 behind `Content-Length` headers, as language servers speak it.
//!
//! What the standard leaves open: parameters are an object; a batch is carried out at once and its answers
//! go out together; notifications whose method begins with `$/` are ignored, as in language servers. A
//! `frame` is a request of the host, an `event` a notification.

mod framing;
mod message;
mod peer;

pub use framing::framed;

use std::sync::Arc;

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tracing::{Instrument, debug, info, warn};

use self::{
    framing::Messages,
    message::{Content, Message},
    peer::Peer,
};
use super::{
    Ended,
    dispatch::{ANSWERS_WAITING, CALLS_UNDER_WAY, Connection, Host, while_open},
    drain::UnderWay,
    in_flight::OpenReply,
    intake::Intake,
};
use crate::{
    protocol::{CallOrder, CallRules, Code, Error, Initialize, Method, ReplySize},
    session::{Caller, Client},
};

/// Serves one client until its stream ends.
pub(super) async fn serve(
    host: Host,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    caller: Caller,
    intake: Intake,
) -> Ended {
    // Dropped when this ends, which gives up what the client still waits for.
    let (_open, open) = watch::channel(());
    let (client, outbox) = Client::new();
    let known = client.clone();
    let peer = Peer::new(writer, open.clone());
    let connection = Connection::new(host.clone(), caller, client, peer.in_flight.clone());
    let mut initialized = connection.frontend.subscribe();
    let served = Served {
        connection,
        peer: peer.clone(),
        places: Arc::new(Semaphore::new(CALLS_UNDER_WAY)),
        answers: Arc::new(Semaphore::new(ANSWERS_WAITING)),
        open,
    };
    let sender = tokio::spawn({
        let peer = peer.clone();
        async move {
            // Before it is initialized, a client has nothing to be told.
            if initialized.wait_for(Option::is_some).await.is_ok() {
                peer.send_all(outbox).await;
            }
        }
    });
    let ended = tokio::select! {
        ended = served.read_all(Messages::new(reader).within(intake)) => ended,
        () = peer.is_broken() => Ended::Closed,
    };
    sender.abort();
    peer.close();
    // The host may be ending itself.
    let _ = host.supervisor.unregister(&known).await;
    match &ended {
        Ended::Closed => info!("{ended}"),
        Ended::Broken(_) => warn!("{ended}"),
    }
    ended
}

#[derive(Clone)]
struct Served {
    connection: Connection,
    peer: Peer,
    /// Places for calls under way.
    places: Arc<Semaphore>,
    /// Places for answers on their way.
    answers: Arc<Semaphore>,
    /// Changes when the connection has ended.
    open: watch::Receiver<()>,
}

/// A call that has been made, and what keeps frames (or the host's end) behind its answer.
struct Call {
    id: Value,
    method: String,
    params: Value,
    rules: CallRules,
    open_reply: Option<OpenReply>,
}

/// What is to be answered.
enum Due {
    /// A call is to be carried out.
    Call(Call),
    /// The reply is there.
    Answer(String),
}

impl Served {
    async fn read_all(&self, mut messages: Messages<impl AsyncRead + Unpin>) -> Ended {
        loop {
            let content = match messages.next().await {
                Ok(Some(content)) => content,
                Ok(None) => return Ended::Closed,
                Err(refusal) => {
                    let why = refusal.to_string();
                    // Said once, if the client reads: what it sends after this is not understood.
                    let answer = message::invalid(&Value::Null, &why);
                    let patience = std::time::Duration::from_millis(100);
                    let _ = tokio::time::timeout(patience, self.peer.write(answer.as_bytes())).await;
                    return Ended::Broken(why);
                }
            };
            let due = match message::parse(&content) {
                Ok(Content::One(message)) => (self.take(message).await.into_iter().collect(), false),
                Ok(Content::Batch(batch)) => {
                    let mut due = Vec::new();
                    for message in batch {
                        due.extend(self.take(message).await);
                    }
                    (due, true)
                }
                Err(answer) => {
                    warn!(bytes = content.len(), "a message was refused: it is no JSON-RPC");
                    (vec![Due::Answer(answer)], false)
                }
            };
            if due.0.is_empty() {
                continue;
            }
            let Ok(place) = Arc::clone(&self.answers).try_acquire_owned() else {
                return Ended::Broken(format!("{ANSWERS_WAITING} answers wait, and the client does not read them"));
            };
            let served = self.clone();
            tokio::spawn(async move { served.answer(due.0, due.1, place).await }.in_current_span());
        }
    }

    /// Takes one message; what must be done in order is done when this returns.
    async fn take(&self, message: Message) -> Option<Due> {
        match message {
            Message::Answer { id, result } => {
                self.peer.answered(&id, result.as_ref());
                None
            }
            Message::Invalid { id, why } => {
                warn!("a message was refused: {why}");
                Some(Due::Answer(message::invalid(&id, &why)))
            }
            Message::Request { id, method, params } => {
                debug!(method, "request");
                let rules = CallRules::of(&method);
                if rules.order == CallOrder::InOrder {
                    // A replacement of the daemon waits for none of these.
                    let (answer, _) = self.carry_out(&method, params, None).await;
                    return Some(Due::Answer(message::answer(&id, answer)));
                }
                let open_reply = rules.reply_first.then(|| self.peer.in_flight.open_reply());
                Some(Due::Call(Call { id, method, params, rules, open_reply }))
            }
            Message::Notification { method, .. } if method.starts_with("$/") => None,
            Message::Notification { method, params } => {
                debug!(method, "notification");
                let in_order = CallRules::of(&method).order == CallOrder::InOrder;
                let served = self.clone();
                let call = async move {
                    if let (Err(error), _) = served.carry_out(&method, params, None).await {
                        // Its message may quote what was sent, and that may be a secret.
                        warn!("{method} was refused: {:?}", error.code);
                    }
                };
                if in_order {
                    call.await;
                } else {
                    tokio::spawn(call.in_current_span());
                }
                None
            }
        }
    }

    /// Carries out what is due, all at once, and writes the answer, or the answers as one.
    async fn answer(&self, due: Vec<Due>, is_batch: bool, _place: OwnedSemaphorePermit) {
        let mut open_replies = Vec::new();
        // All at once: two batches with half of what each needs would wait for each other.
        let mut permits = Vec::new();
        for size in [ReplySize::Large, ReplySize::Lines] {
            let is_one = |due: &&Due| matches!(due, Due::Call(call) if call.rules.reply_size == size);
            let count = due.iter().filter(is_one).count();
            permits.push((size, self.peer.in_flight.reply_limits().permits(size, count).await));
        }
        let calls = due.into_iter().map(|due| match due {
            Due::Answer(answer) => futures::future::Either::Left(std::future::ready((answer, None))),
            Due::Call(call) => {
                let number = call.open_reply.as_ref().map(OpenReply::number);
                open_replies.extend(call.open_reply);
                let size = call.rules.reply_size;
                let refusal = permits.iter().find_map(|(of, permit)| permit.as_ref().err().filter(|_| *of == size));
                let refusal = refusal.cloned();
                futures::future::Either::Right(async move {
                    let (answer, under_way) = match refusal {
                        Some(error) => (Err(error), None),
                        None => self.carry_out(&call.method, call.params, number).await,
                    };
                    (message::answer(&call.id, answer), under_way)
                })
            }
        });
        let (answers, under_way): (Vec<String>, Vec<_>) = futures::future::join_all(calls).await.into_iter().unzip();
        let content = if is_batch { format!("[{}]", answers.join(",")) } else { answers.concat() };
        self.peer.write(content.as_bytes()).await;
        // Frames of the views that it tells of may go out now, or the host end, or another binary take over.
        drop((open_replies, permits, under_way));
    }

    /// Carries out a call, if there is a place for it. A client's waits end with its connection; what changes
    /// sessions is seen through, and is under way until its answer is written.
    async fn carry_out(
        &self,
        method: &str,
        params: Value,
        number: Option<u64>,
    ) -> (Result<Value, Error>, Option<UnderWay>) {
        let Ok(_place) = self.places.try_acquire() else {
            let why = format!(
                "{CALLS_UNDER_WAY} calls of this connection are under way; wait for answers before calling {method}"
            );
            return (Err(Error::new(Code::ResourceExhausted, why)), None);
        };
        if method == Initialize::NAME && params.get("frontend").is_some_and(|frontend| frontend == "nvim") {
            let why = "initialize: frontend is \"nvim\", but Neovim's API is called over msgpack-RPC; \
                       leave it out, or start the host with --rpc msgpack";
            return (Err(Error::new(Code::InvalidParams, why)), None);
        }
        let under_way = self.connection.begins(method).await;
        // Apart: what a call takes, a thousand that wait for their places are not to take in advance.
        let call = self.connection.call(method, params, number);
        let answer = Box::pin(while_open(method, self.open.clone(), call)).await;
        (answer.inspect_err(|error| debug!(method, "refused: {:?}", error.code)), under_way)
    }
}
