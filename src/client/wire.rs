//! msgpack-RPC from the client's side.

use rmpv::Value;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use tracing::debug;

use super::{
    ClientError, Waiting,
    inbox::{Ack, Arrival},
    lock,
};
use crate::{
    protocol::{Code, Error},
    rpc::msgpack::Skipper,
};

const REQUEST: u64 = 0;
const RESPONSE: u64 = 1;
const NOTIFICATION: u64 = 2;

pub(super) fn request(id: u64, method: &str, params: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    pack(&(REQUEST, id, method, (params,)))
}

pub(super) fn notification(method: &str, params: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    pack(&(NOTIFICATION, method, (params,)))
}

/// The answer to a request of the host's.
pub(super) fn answer(id: u64, accepted: bool) -> Vec<u8> {
    // Numbers and a boolean can always be packed.
    pack(&(RESPONSE, id, (), accepted)).unwrap_or_default()
}

fn unknown_method(id: u64, method: &str) -> Vec<u8> {
    let error = Error::new(Code::UnknownMethod, format!("this client has no method {method:?}"));
    pack(&(RESPONSE, id, error, ())).unwrap_or_default()
}

fn pack(message: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    rmp_serde::to_vec_named(message).map_err(|error| ClientError::Garbled(error.to_string()))
}

pub(super) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, ClientError> {
    let mut bytes = Vec::new();
    let garbled = |reason: String| ClientError::Garbled(reason);
    rmpv::encode::write_value(&mut bytes, value).map_err(|error| garbled(error.to_string()))?;
    rmp_serde::from_slice(&bytes).map_err(|error| garbled(error.to_string()))
}

/// The answer to one's own request, as a whole message.
pub(super) fn answer_to(id: u64, mut message: &[u8]) -> Result<Result<Value, Error>, ClientError> {
    let garbled = || ClientError::Garbled("it is no answer".into());
    let Ok(Value::Array(parts)) = rmpv::decode::read_value(&mut message) else { return Err(garbled()) };
    match <[Value; 4]>::try_from(parts) {
        Ok([kind, of, error, result]) if kind.as_u64() == Some(RESPONSE) && of.as_u64() == Some(id) => {
            Ok(if error.is_nil() { Ok(result) } else { Err(from_value(&error)?) })
        }
        _ => Err(garbled()),
    }
}

/// Writes what there is until nobody has anything to say any more, or the stream is closed.
pub(super) async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut calls: mpsc::Receiver<Vec<u8>>,
    mut acks: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    loop {
        let message = tokio::select! {
            Some(ack) = acks.recv() => {
                // What was sent before the host's message was taken arrives before its answer.
                let mut before = Vec::new();
                for _ in 0..calls.len() {
                    before.extend(calls.try_recv().unwrap_or_default());
                }
                before.extend(ack);
                before
            }
            Some(call) = calls.recv() => call,
            else => break,
        };
        if writer.write_all(&message).await.is_err() || writer.flush().await.is_err() {
            break;
        }
    }
    let _ = writer.shutdown().await;
}

/// Reads until the stream ends, and hands out what came.
pub(super) async fn read_all(
    mut reader: impl AsyncRead + Unpin,
    waiting: &Waiting,
    messages: &mpsc::UnboundedSender<Arrival>,
    acks: &mpsc::UnboundedSender<Vec<u8>>,
) {
    // The limits are for clients of a host. This host is the user's own, and a transcript may hold millions of lines.
    let mut skipper = Skipper::unlimited();
    let (mut unread, mut message) = (Vec::new(), Vec::new());
    loop {
        if unread.is_empty() && !matches!(reader.read_buf(&mut unread).await, Ok(1..)) {
            return;
        }
        let Ok((used, ends)) = skipper.take(&unread) else { return };
        message.extend(unread.drain(..used));
        if !ends {
            continue;
        }
        let Ok(Value::Array(parts)) = rmpv::decode::read_value(&mut message.as_slice()) else { return };
        message.clear();
        if take(parts, waiting, messages, acks).is_none() {
            debug!("a message of the host was not understood");
        }
    }
}

fn take(
    parts: Vec<Value>,
    waiting: &Waiting,
    messages: &mpsc::UnboundedSender<Arrival>,
    acks: &mpsc::UnboundedSender<Vec<u8>>,
) -> Option<()> {
    let [kind, id, third, fourth] = <[Value; 4]>::try_from(parts).ok()?;
    let id = id.as_u64()?;
    if kind.as_u64()? == RESPONSE {
        let reply = lock(waiting).as_mut()?.remove(&id)?;
        let answer = if third.is_nil() {
            Ok(fourth)
        } else {
            Err(from_value(&third).unwrap_or_else(|_| Error::new(Code::Internal, third.to_string())))
        };
        // Who asked may not want to know any more.
        let _ = reply.send(answer);
        return Some(());
    }
    let method = third.as_str()?;
    let params = fourth.as_array()?.first().unwrap_or(&Value::Nil);
    let arrival = match method {
        "frame" => from_value(params).ok().map(|frame| Arrival::Frame(frame, Ack::new(id, acks.clone()))),
        "event" => from_value(params).ok().map(|event| Arrival::Event(event, Ack::new(id, acks.clone()))),
        _ => None,
    };
    match arrival {
        Some(arrival) => _ = messages.send(arrival),
        // An event of a newer host, or another message: it must have its answer, or no other comes.
        None => _ = acks.send(unknown_method(id, method)),
    }
    Some(())
}
