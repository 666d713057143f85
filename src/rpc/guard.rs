//! What stands between a client's bytes and the msgpack-RPC library: limits on size and depth, and
//! messages that the library would end the connection for.
//!
//! nvim-rs decodes whatever it is sent, however large or deep, and gives up on the connection at the
//! first message that is not as expected. The guard passes on whole messages that are; see the
//! [msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md) and
//! [msgpack-RPC](https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md) specifications.

use std::{
    collections::HashSet,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::{debug, warn};

/// The largest message, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// How deep arrays and maps may be nested.
pub const MAX_DEPTH: usize = 64;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The message is, or says that it is, too large.
    #[error("a message of at least {0} bytes; the limit is {MAX_BYTES}")]
    TooLarge(u64),
    /// It is nested too deep.
    #[error("a message nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A byte that msgpack does not use.
    #[error("the byte 0xc1, which is never msgpack")]
    NotMsgpack,
    /// The stream ended within a message.
    #[error("the stream ended {0} bytes into a message")]
    Truncated(usize),
}

/// Finds where msgpack values end, as their bytes come in, in memory that does not grow with them.
#[derive(Debug, Default)]
pub struct Skipper {
    /// Values still to come at each level.
    open: Vec<u64>,
    /// Bytes of a string, binary or number still to come.
    skip: u64,
    /// The bytes of a header that has begun.
    header: Vec<u8>,
    consumed: u64,
}

impl Skipper {
    /// Takes the next bytes; returns how many of them belong to the value, and whether it ends with them.
    ///
    /// # Errors
    /// When the value breaks a limit or is not msgpack.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < bytes.len() {
            if self.skip > 0 {
                let step = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += step;
                self.skip -= step as u64;
                self.consumed += step as u64;
            } else {
                self.header.push(bytes[at]);
                at += 1;
                self.consumed += 1;
                let Some(shape) = Shape::read(&self.header)? else { continue };
                self.header.clear();
                self.begin(shape)?;
            }
            if self.skip == 0 && self.header.is_empty() && self.close() {
                *self = Self::default();
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn begin(&mut self, shape: Shape) -> Result<(), Refusal> {
        let (bytes, values) = match shape {
            Shape::Bytes(count) => (count, 0),
            Shape::Values(count) => (0, count),
        };
        // Each value takes at least a byte, so what cannot fit is known before it comes.
        let least = self.consumed + bytes + values;
        if least > MAX_BYTES as u64 {
            return Err(Refusal::TooLarge(least));
        }
        self.skip = bytes;
        if values > 0 {
            if self.open.len() == MAX_DEPTH {
                return Err(Refusal::TooDeep);
            }
            // The container itself counts off its parent when it closes.
            self.open.push(values + 1);
        }
        Ok(())
    }

    /// Counts off a value that has just ended; true when it was the outermost.
    fn close(&mut self) -> bool {
        loop {
            match self.open.last_mut() {
                None => return true,
                Some(left) => {
                    *left -= 1;
                    if *left > 0 {
                        return false;
                    }
                    self.open.pop();
                }
            }
        }
    }

    /// Bytes of an unfinished value so far.
    #[must_use]
    pub fn pending(&self) -> usize {
        usize::try_from(self.consumed).unwrap_or(usize::MAX)
    }
}

/// What follows a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bytes(u64),
    Values(u64),
}

impl Shape {
    /// Reads a header; none while it is not complete.
    fn read(header: &[u8]) -> Result<Option<Self>, Refusal> {
        let first = header[0];
        // Lengths are big-endian, in 1, 2 or 4 bytes.
        let sized = |bytes: usize| {
            header.get(1..=bytes).map(|digits| digits.iter().fold(0, |sum, &digit| sum << 8 | u64::from(digit)))
        };
        Ok(match first {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some(Self::Bytes(0)),
            0x80..=0x8f => Some(Self::Values(u64::from(first & 0x0f) * 2)),
            0x90..=0x9f => Some(Self::Values(u64::from(first & 0x0f))),
            0xa0..=0xbf => Some(Self::Bytes(u64::from(first & 0x1f))),
            0xc1 => return Err(Refusal::NotMsgpack),
            0xc4 | 0xd9 => sized(1).map(Self::Bytes),
            0xc5 | 0xda => sized(2).map(Self::Bytes),
            0xc6 | 0xdb => sized(4).map(Self::Bytes),
            0xc7 => sized(1).map(|count| Self::Bytes(count + 1)),
            0xc8 => sized(2).map(|count| Self::Bytes(count + 1)),
            0xc9 => sized(4).map(|count| Self::Bytes(count + 1)),
            0xca | 0xce | 0xd2 => Some(Self::Bytes(4)),
            0xcb | 0xcf | 0xd3 => Some(Self::Bytes(8)),
            0xcc | 0xd0 => Some(Self::Bytes(1)),
            0xcd | 0xd1 => Some(Self::Bytes(2)),
            0xd4..=0xd8 => Some(Self::Bytes((1 << (first - 0xd4)) + 1)),
            0xdc => sized(2).map(Self::Values),
            0xdd => sized(4).map(Self::Values),
            0xde => sized(2).map(|count| Self::Values(count * 2)),
            0xdf => sized(4).map(|count| Self::Values(count * 2)),
        })
    }
}

/// The ids of requests sent to the client and not yet answered.
#[derive(Debug, Clone, Default)]
pub struct Unanswered(Arc<Mutex<HashSet<u64>>>);

impl Unanswered {
    fn edit<T>(&self, edit: impl FnOnce(&mut HashSet<u64>) -> T) -> T {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is done with a whole message.
enum Verdict {
    Pass,
    /// Passed with its parameters put into an array, which a map alone should have been in.
    Wrap(usize),
    Drop(&'static str),
}

/// A client's stream, message by message.
pub struct GuardedReader<R> {
    inner: R,
    skipper: Skipper,
    unanswered: Unanswered,
    /// Bytes read and not yet looked at.
    raw: Vec<u8>,
    /// The message that is coming in.
    message: Vec<u8>,
    /// A whole message on its way out.
    ready: Vec<u8>,
    sent: usize,
}

impl<R> GuardedReader<R> {
    /// Guards a stream; `unanswered` is shared with the writer of the same connection.
    pub fn new(inner: R, unanswered: Unanswered) -> Self {
        Self {
            inner,
            skipper: Skipper::default(),
            unanswered,
            raw: Vec::new(),
            message: Vec::new(),
            ready: Vec::new(),
            sent: 0,
        }
    }

    /// Moves the next whole message to `ready`, if `raw` has the rest of one.
    fn assemble(&mut self) -> Result<bool, Refusal> {
        while !self.raw.is_empty() {
            let (used, ends) = self.skipper.take(&self.raw)?;
            self.message.extend(self.raw.drain(..used));
            if !ends {
                return Ok(false);
            }
            let message = std::mem::take(&mut self.message);
            match self.judge(&message) {
                Verdict::Pass => self.ready = message,
                Verdict::Wrap(at) => {
                    self.ready = message;
                    self.ready.insert(at, 0x91);
                }
                Verdict::Drop(why) => {
                    warn!(bytes = message.len(), "a message was ignored: {why}");
                    continue;
                }
            }
            self.sent = 0;
            return Ok(true);
        }
        Ok(false)
    }

    fn judge(&self, message: &[u8]) -> Verdict {
        let Some(parts) = envelope(message) else {
            return Verdict::Drop("it is not a msgpack-RPC message (an array that starts with 0, 1 or 2)");
        };
        match parts.as_slice() {
            [kind, id, method, params] if kind.is(0) => {
                if id.number().is_none() {
                    return Verdict::Drop("its request id is not a number");
                }
                method_and_params(method, params)
            }
            [kind, method, params] if kind.is(2) => method_and_params(method, params),
            [kind, id, _, _] if kind.is(1) => match id.number() {
                Some(id) if self.unanswered.edit(|ids| ids.remove(&id)) => Verdict::Pass,
                _ => Verdict::Drop("it answers a request that was not made, or was answered before"),
            },
            _ => Verdict::Drop("it is not a msgpack-RPC message (an array that starts with 0, 1 or 2)"),
        }
    }
}

fn method_and_params(method: &Part, params: &Part) -> Verdict {
    if !method.is_text() {
        return Verdict::Drop("its method is not a string");
    }
    if params.is_array() { Verdict::Pass } else { Verdict::Wrap(params.start) }
}

/// One element of a message's outer array.
#[derive(Debug)]
struct Part<'a> {
    start: usize,
    bytes: &'a [u8],
}

impl Part<'_> {
    fn is(&self, small: u8) -> bool {
        self.number() == Some(u64::from(small))
    }

    fn number(&self) -> Option<u64> {
        let (first, rest) = self.bytes.split_first()?;
        match first {
            0x00..=0x7f => Some(u64::from(*first)),
            0xcc..=0xcf => Some(rest.iter().fold(0, |sum, &digit| sum << 8 | u64::from(digit))),
            _ => None,
        }
    }

    fn is_text(&self) -> bool {
        let text = match self.bytes.first() {
            Some(0xa0..=0xbf) => self.bytes.get(1..),
            Some(0xd9) => self.bytes.get(2..),
            Some(0xda) => self.bytes.get(3..),
            Some(0xdb) => self.bytes.get(5..),
            _ => None,
        };
        text.is_some_and(|text| std::str::from_utf8(text).is_ok())
    }

    fn is_array(&self) -> bool {
        matches!(self.bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
    }
}

/// The elements of a message's outer array; none if it is no array of three or four.
fn envelope(message: &[u8]) -> Option<Vec<Part<'_>>> {
    let (first, mut start) = (*message.first()?, 1);
    let count = match first {
        0x93 | 0x94 => usize::from(first & 0x0f),
        0xdc => {
            start = 3;
            usize::from(*message.get(1)?) << 8 | usize::from(*message.get(2)?)
        }
        _ => return None,
    };
    if !(3..=4).contains(&count) {
        return None;
    }
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (used, ends) = Skipper::default().take(message.get(start..)?).ok()?;
        if !ends {
            return None;
        }
        parts.push(Part { start, bytes: &message[start..start + used] });
        start += used;
    }
    Some(parts)
}

impl<R: AsyncRead + Unpin> AsyncRead for GuardedReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let refuse = |refusal: Refusal| Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)));
        loop {
            let this = &mut *self;
            if this.sent < this.ready.len() {
                let count = buffer.remaining().min(this.ready.len() - this.sent);
                buffer.put_slice(&this.ready[this.sent..this.sent + count]);
                this.sent += count;
                return Poll::Ready(Ok(()));
            }
            match this.assemble() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(refusal) => return refuse(refusal),
            }
            let mut chunk = [0; 64 << 10];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                return match this.skipper.pending() {
                    0 => Poll::Ready(Ok(())),
                    count => refuse(Refusal::Truncated(count)),
                };
            }
            this.raw.extend_from_slice(chunk.filled());
        }
    }
}

/// The way to a client: notes which requests went out.
pub struct GuardedWriter<W> {
    inner: W,
    skipper: Skipper,
    unanswered: Unanswered,
    /// The start of the message going out: enough to see a request's id.
    head: Vec<u8>,
    /// Bytes at the start of the next write that were noted when it was tried before.
    noted: usize,
}

/// An array's header, a kind and an id of eight bytes.
const HEAD_BYTES: usize = 11;

impl<W> GuardedWriter<W> {
    /// Guards the other direction of the connection that `unanswered` is shared with.
    pub fn new(inner: W, unanswered: Unanswered) -> Self {
        Self { inner, skipper: Skipper::default(), unanswered, head: Vec::new(), noted: 0 }
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Ok((used, ends)) = self.skipper.take(bytes) else {
                debug!("a message larger than the limit goes out");
                return;
            };
            let room = HEAD_BYTES.saturating_sub(self.head.len()).min(used);
            self.head.extend_from_slice(&bytes[..room]);
            bytes = &bytes[used..];
            if ends {
                if let [0x94, 0x00, id @ ..] = self.head.as_slice()
                    && let Some(id) = (Part { start: 0, bytes: number(id) }).number()
                {
                    self.unanswered.edit(|ids| ids.insert(id));
                }
                self.head.clear();
            }
        }
    }
}

/// The bytes of the number that some bytes begin with.
fn number(bytes: &[u8]) -> &[u8] {
    let length = match bytes.first() {
        Some(0xcc) => 2,
        Some(0xcd) => 3,
        Some(0xce) => 5,
        Some(0xcf) => 9,
        _ => 1,
    };
    &bytes[..length.min(bytes.len())]
}

impl<W: AsyncWrite + Unpin> AsyncWrite for GuardedWriter<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Noted before it goes out: the answer may be back before this returns.
        if let Some(fresh) = bytes.get(self.noted..) {
            self.note(fresh);
            self.noted = bytes.len();
        }
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &result {
            self.noted = self.noted.saturating_sub(*count);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmpv::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pack(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    fn request(params: Value) -> Vec<u8> {
        pack(&Value::Array(vec![0.into(), 7.into(), "run".into(), params]))
    }

    async fn through(bytes: &[u8], unanswered: Unanswered) -> (Vec<u8>, io::Result<usize>) {
        let mut out = Vec::new();
        let result = GuardedReader::new(bytes, unanswered).read_to_end(&mut out).await;
        (out, result)
    }

    #[test]
    fn every_kind_of_value_ends_where_the_library_says_it_does() {
        let long = "x".repeat(70_000);
        let values = [
            Value::Nil,
            true.into(),
            5.into(),
            (-5).into(),
            300.into(),
            70_000.into(),
            u64::MAX.into(),
            i64::MIN.into(),
            1.5f32.into(),
            2.5f64.into(),
            "short".into(),
            "y".repeat(40).into(),
            "z".repeat(300).into(),
            long.into(),
            Value::Binary(vec![1; 10]),
            Value::Binary(vec![1; 300]),
            Value::Binary(vec![1; 70_000]),
            Value::Ext(1, vec![0; 1]),
            Value::Ext(1, vec![0; 16]),
            Value::Ext(1, vec![0; 17]),
            Value::Ext(1, vec![0; 300]),
            Value::Array(vec![]),
            Value::Array(vec![1.into(); 20]),
            Value::Array(vec![Value::Array(vec![]); 70_000]),
            Value::Map(vec![]),
            Value::Map(vec![("a".into(), Value::Map(vec![(1.into(), Value::Array(vec![2.into()]))]))]),
        ];
        for value in &values {
            let mut bytes = pack(value);
            let length = bytes.len();
            bytes.push(0xc0);
            assert_eq!(Skipper::default().take(&bytes), Ok((length, true)), "{value:.60}");
            let mut skipper = Skipper::default();
            for (at, byte) in bytes[..length].iter().enumerate() {
                assert_eq!(skipper.take(&[*byte]), Ok((1, at + 1 == length)), "{value:.60} split at {at}");
            }
        }
    }

    #[tokio::test]
    async fn a_claim_of_four_gigabytes_is_refused_before_it_comes() {
        for header in [
            &[0xc6, 0xff, 0xff, 0xff, 0xff][..],
            &[0xdb, 0xff, 0xff, 0xff, 0xff],
            &[0xdd, 0xff, 0xff, 0xff, 0xff],
            &[0xdf, 0x80, 0, 0, 0],
        ] {
            let (_, result) = through(header, Unanswered::default()).await;
            let error = result.unwrap_err().to_string();
            assert!(error.contains("the limit is 16777216"), "{error}");
        }
    }

    #[tokio::test]
    async fn nesting_and_truncation_are_refused_with_the_reason() {
        let (_, deep) = through(&vec![0x91; 200_000], Unanswered::default()).await;
        assert_eq!(deep.unwrap_err().to_string(), Refusal::TooDeep.to_string());
        let whole = request(Value::Array(vec!["abc".into()]));
        let (_, cut) = through(&whole[..whole.len() - 1], Unanswered::default()).await;
        assert!(cut.unwrap_err().to_string().contains("ended"));
        let (_, not) = through(&[0xc1], Unanswered::default()).await;
        assert_eq!(not.unwrap_err().to_string(), Refusal::NotMsgpack.to_string());
    }

    #[tokio::test]
    async fn what_is_no_message_is_dropped_and_the_next_one_read() {
        let good = request(Value::Array(vec![]));
        let mut bytes = Vec::new();
        for junk in [
            pack(&5.into()),
            pack(&Value::Array(vec![])),
            pack(&Value::Array(vec![9.into(), 1.into(), "x".into(), Value::Array(vec![])])),
            pack(&Value::Array(vec![0.into(), "id".into(), "x".into(), Value::Array(vec![])])),
            pack(&Value::Array(vec![0.into(), 1.into(), 2.into(), Value::Array(vec![])])),
            pack(&Value::Array(vec![1.into(), 99.into(), Value::Nil, Value::Nil])),
            pack(&Value::Map(vec![(1.into(), 2.into())])),
        ] {
            bytes.extend(junk);
        }
        bytes.extend(&good);
        let (out, result) = through(&bytes, Unanswered::default()).await;
        assert!(result.is_ok());
        assert_eq!(out, good);
    }

    #[tokio::test]
    async fn parameters_without_an_array_are_put_into_one() {
        let map = Value::Map(vec![("a".into(), 1.into())]);
        let (out, _) = through(&request(map.clone()), Unanswered::default()).await;
        assert_eq!(out, request(Value::Array(vec![map])));
    }

    #[tokio::test]
    async fn an_answer_passes_once_and_only_to_a_request_that_went_out() {
        let unanswered = Unanswered::default();
        let mut writer = GuardedWriter::new(Vec::new(), unanswered.clone());
        for id in [3_u64, 300, 70_000, 5_000_000_000] {
            let out = pack(&Value::Array(vec![
                0.into(),
                id.into(),
                "frame".into(),
                Value::Array(vec!["x".repeat(50).into()]),
            ]));
            for byte in out {
                writer.write_all(&[byte]).await.unwrap();
            }
        }
        let answer = |id: u64| pack(&Value::Array(vec![1.into(), id.into(), Value::Nil, true.into()]));
        let stream =
            [answer(70_000), answer(70_000), answer(4), answer(3), answer(5_000_000_000), answer(300)].concat();
        let (out, _) = through(&stream, unanswered).await;
        assert_eq!(out, [answer(70_000), answer(3), answer(5_000_000_000), answer(300)].concat());
    }
}
