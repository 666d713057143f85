//! The guard of what a client sends: passes whole, well-formed messages on to nvim-rs.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};
use tracing::warn;

use crate::{
    protocol::CallRules,
    rpc::{dispatch::ANSWERS_WAITING, in_flight::InFlight, intake::Intake},
};

use super::skipper::{Refusal, Skipper};

/// What is done with a whole message.
enum Verdict {
    Pass,
    /// Passed with its parameters put into an array, which a map alone should have been in.
    Wrap(usize),
    /// Passed with its parameters in an array behind the number of the answer: the library tells who carries a request
    /// out nothing of its id.
    Number(usize, u64),
    Drop(&'static str),
}

/// A client's stream, message by message.
pub struct GuardedReader<R> {
    inner: R,
    skipper: Skipper,
    in_flight: InFlight,
    /// What of the message that is coming in the connection may hold.
    intake: Intake,
    /// Bytes read and not yet looked at.
    raw: Vec<u8>,
    /// The message that is coming in.
    message: Vec<u8>,
    /// A whole message on its way out.
    ready: Vec<u8>,
    sent: usize,
    /// Until what was passed on is taken up: a client that sends faster waits, in its own memory.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The stream has ended, and what came before is still to be taken up.
    ending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<R> GuardedReader<R> {
    /// Guards a stream; `in_flight` is shared with the writer of the same connection.
    pub fn new(inner: R, in_flight: InFlight) -> Self {
        Self {
            inner,
            skipper: Skipper::default(),
            in_flight,
            intake: Intake::default(),
            raw: Vec::new(),
            message: Vec::new(),
            ready: Vec::new(),
            sent: 0,
            waiting: None,
            ending: None,
        }
    }

    /// The same, with what its messages may take while they come in.
    pub(in crate::rpc) fn within(self, intake: Intake) -> Self {
        Self { intake, ..self }
    }

    /// Moves the next whole message to `ready`, if `raw` has the rest of one.
    fn assemble(&mut self) -> Result<bool, Refusal> {
        while !self.raw.is_empty() {
            let (used, ends) = self.skipper.take(&self.raw)?;
            self.message.extend(self.raw.drain(..used));
            self.intake.hold(if ends { 0 } else { self.message.len() })?;
            if !ends {
                return Ok(false);
            }
            let message = std::mem::take(&mut self.message);
            let pending_replies = self.in_flight.pending_replies();
            if pending_replies >= ANSWERS_WAITING {
                return Err(Refusal::Unread(pending_replies));
            }
            match self.judge(&message) {
                Verdict::Pass => {
                    self.note(&message);
                    self.ready = message;
                }
                Verdict::Wrap(at) => {
                    self.note(&message);
                    self.ready = message;
                    self.ready.insert(at, 0x91);
                }
                Verdict::Number(at, number) => {
                    self.note(&message);
                    self.ready = message;
                    let header = [0x92, 0xcf].into_iter().chain(number.to_be_bytes());
                    self.ready.splice(at..at, header);
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

    /// Calls are counted until they are taken up; answers find who waits for them at once.
    fn note(&self, message: &[u8]) {
        if envelope(message).is_some_and(|parts| !parts.first().is_some_and(|kind| kind.is(1))) {
            self.in_flight.enqueue(message.len());
        }
    }

    fn judge(&self, message: &[u8]) -> Verdict {
        let Some(parts) = envelope(message) else {
            return Verdict::Drop("it is not a msgpack-RPC message (an array that starts with 0, 1 or 2)");
        };
        match parts.as_slice() {
            [kind, id, method, params] if kind.is(0) => {
                let Some(id) = id.number() else {
                    return Verdict::Drop("its request id is not a number");
                };
                let verdict = method_and_params(method, params);
                if matches!(verdict, Verdict::Drop(_)) {
                    return verdict;
                }
                let name = method.text().unwrap_or_default();
                self.in_flight.asked();
                if CallRules::of(name).reply_first {
                    return Verdict::Number(params.start, self.in_flight.open_reply_to(id));
                }
                verdict
            }
            [kind, method, params] if kind.is(2) => method_and_params(method, params),
            [kind, id, _, _] if kind.is(1) => match id.number() {
                Some(id) if self.in_flight.answered(id) => Verdict::Pass,
                _ => Verdict::Drop("it answers a request that was not made, or was answered before"),
            },
            _ => Verdict::Drop("it is not a msgpack-RPC message (an array that starts with 0, 1 or 2)"),
        }
    }
}

fn method_and_params(method: &Part, params: &Part) -> Verdict {
    if method.text().is_none() {
        return Verdict::Drop("its method is not a string");
    }
    if params.is_array() { Verdict::Pass } else { Verdict::Wrap(params.start) }
}

/// One element of a message's outer array.
#[derive(Debug)]
pub(super) struct Part<'a> {
    start: usize,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// The value that some bytes begin with.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { start: 0, bytes }
    }

    fn is(&self, small: u8) -> bool {
        self.number() == Some(u64::from(small))
    }

    pub(super) fn number(&self) -> Option<u64> {
        let (first, rest) = self.bytes.split_first()?;
        match first {
            0x00..=0x7f => Some(u64::from(*first)),
            0xcc..=0xcf => Some(rest.iter().fold(0, |sum, &digit| sum << 8 | u64::from(digit))),
            _ => None,
        }
    }

    /// A string that is UTF-8.
    fn text(&self) -> Option<&str> {
        let text = match self.bytes.first() {
            Some(0xa0..=0xbf) => self.bytes.get(1..),
            Some(0xd9) => self.bytes.get(2..),
            Some(0xda) => self.bytes.get(3..),
            Some(0xdb) => self.bytes.get(5..),
            _ => None,
        };
        text.and_then(|text| std::str::from_utf8(text).ok())
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
        0xdd => {
            start = 5;
            let count = message.get(1..5)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(count)).ok()?
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
            if let Some(ending) = &mut this.ending {
                return ending.as_mut().poll(context).map(Ok);
            }
            if this.waiting.is_none() && !this.in_flight.has_capacity() {
                this.waiting = Some(Box::pin(this.in_flight.clone().until_capacity()));
            }
            if let Some(waiting) = &mut this.waiting {
                ready!(waiting.as_mut().poll(context));
                this.waiting = None;
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
                    0 => {
                        this.ending = Some(Box::pin(this.in_flight.clone().until_empty()));
                        continue;
                    }
                    count => refuse(Refusal::Truncated(count)),
                };
            }
            this.raw.extend_from_slice(chunk.filled());
        }
    }
}
