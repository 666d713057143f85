//! Sends `join`, which introduces a client's environment, before anything else on its connection.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Client, ClientError, Inbox, Stream, wire};
use crate::{
    paths,
    protocol::{Code, Error, Join, JoinParams, JoinReply, Method, PROTOCOL, Peer},
    rpc::{
        json::framed,
        msgpack::{MAX_BYTES, Skipper},
    },
};

/// The answer that is waited for has this id; calls of whoever gets the stream afterwards may have it again.
const ID: u64 = 1;

/// More headers than this no server sends.
const MAX_HEADER_BYTES: usize = 4096;

/// This process's directory, environment, umask and nice value, as `name`. A variable that is not UTF-8 cannot be told.
#[must_use]
pub fn whereabouts(name: &str) -> JoinParams {
    JoinParams {
        protocol: PROTOCOL,
        client: Peer { name: name.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        cwd: Some(directory()),
        env: Some(
            std::env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        ),
        umask: umask(),
        // SAFETY: a plain system call on numbers.
        nice: Some(unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }),
    }
}

/// This process's umask, looked at and not set: for a moment all threads' files would have another.
fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// This process's directory. One that is gone, or that is not UTF-8, is named by what cannot be entered, so that runs in
/// it are refused: they must not start elsewhere in silence.
fn directory() -> String {
    paths::current_directory().map_or_else(|_| "/proc/self/cwd".to_owned(), |path| path.to_string_lossy().into_owned())
}

/// Which variables of this process's environment programs will not have, as they cannot be told; none: all are.
#[must_use]
pub fn untold() -> Option<String> {
    let untold = std::env::vars_os().filter(|(key, value)| key.to_str().is_none() || value.to_str().is_none());
    let names: Vec<String> = untold.map(|(key, _)| key.to_string_lossy().into_owned()).collect();
    let said = || format!("the program will not have {}: not UTF-8, as the protocol's variables are", names.join(", "));
    (!names.is_empty()).then(said)
}

/// Joins over a fresh stream, which is then free for any protocol's bytes. A server from before `join` goes on
/// without.
///
/// # Errors
/// [`ClientError::Closed`] when the server was just ending: another may be started. `protocol_mismatch` says what to
/// do.
pub async fn join(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    params: &JoinParams,
) -> Result<JoinReply, ClientError> {
    let closed = |_| ClientError::Closed;
    stream.write_all(&wire::request(ID, Join::NAME, params)?).await.map_err(closed)?;
    stream.flush().await.map_err(closed)?;
    let (mut skipper, mut message) = (Skipper::default(), Vec::new());
    loop {
        // Byte by byte: what follows the answer is not for here.
        let byte = stream.read_u8().await.map_err(closed)?;
        message.push(byte);
        match skipper.take(&[byte]) {
            Ok((_, true)) => break,
            Ok(_) => {}
            Err(refusal) => return Err(ClientError::Garbled(refusal.to_string())),
        }
    }
    match wire::answer_to(ID, &message)? {
        Ok(reply) => wire::from_value(&reply),
        Err(error) => without_reply(error),
    }
}

/// The same over a stream that is then free for JSON-RPC.
///
/// # Errors
/// As for [`join`].
pub async fn join_json(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    params: &JoinParams,
) -> Result<JoinReply, ClientError> {
    let closed = |_| ClientError::Closed;
    let garbled = |why: &str| ClientError::Garbled(why.to_owned());
    let request = serde_json::json!({ "jsonrpc": "2.0", "id": ID, "method": Join::NAME, "params": params });
    stream.write_all(&framed(request.to_string().as_bytes())).await.map_err(closed)?;
    stream.flush().await.map_err(closed)?;
    let mut headers = Vec::new();
    while !headers.ends_with(b"\r\n\r\n") {
        if headers.len() > MAX_HEADER_BYTES {
            return Err(garbled("its headers have no end"));
        }
        headers.push(stream.read_u8().await.map_err(closed)?);
    }
    let headers = String::from_utf8_lossy(&headers);
    let length = headers.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let length =
        length.filter(|&length: &usize| length <= MAX_BYTES).ok_or_else(|| garbled("its length is missing"))?;
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await.map_err(closed)?;
    let mut answer: Value = serde_json::from_slice(&content).map_err(|error| garbled(&error.to_string()))?;
    match answer.pointer_mut("/error/data").map(Value::take) {
        None => serde_json::from_value(answer["result"].take()).map_err(|error| garbled(&error.to_string())),
        Some(error) => without_reply(serde_json::from_value(error).map_err(|error| garbled(&error.to_string()))?),
    }
}

fn without_reply(error: Error) -> Result<JoinReply, ClientError> {
    match error {
        Error { code: Code::UnknownMethod, .. } => {
            let server = Peer::default();
            let (pid, generation, persistent, answered_since) = (0, 0, false, None);
            Ok(JoinReply { protocol: PROTOCOL, server, pid, generation, persistent, answered_since })
        }
        Error { code: Code::ShuttingDown, .. } => Err(ClientError::Closed),
        error => Err(error.into()),
    }
}

impl Client {
    /// Speaks over a stream that has joined.
    #[must_use]
    pub fn over(stream: Stream) -> (Self, Inbox) {
        let (reader, writer) = stream.into_split();
        Self::new(reader, writer)
    }
}
