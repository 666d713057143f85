//! The guard of what is sent to a client: notes which requests and replies go out.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

use super::{reader::Part, skipper::Skipper};
use crate::rpc::{drain::UnderWay, in_flight::InFlight};

/// The way to a client: notes which requests went out.
pub struct GuardedWriter<W> {
    inner: W,
    skipper: Skipper,
    in_flight: InFlight,
    /// The start of the message going out: enough to see a request's id.
    head: Vec<u8>,
    /// Bytes at the start of the next write that were noted when it was tried before.
    noted: usize,
    /// Calls that are over when what was noted is written.
    answered: Vec<UnderWay>,
    /// Until nothing more is to be written; none from then on.
    open: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// An array's header, a kind and an id of eight bytes.
const HEAD_BYTES: usize = 11;

impl<W> GuardedWriter<W> {
    /// Guards the other direction of the connection that `in_flight` is shared with.
    pub fn new(inner: W, in_flight: InFlight) -> Self {
        let cut_off = Box::pin(in_flight.clone().until_cut_off());
        let open = Some(cut_off as Pin<Box<dyn Future<Output = ()> + Send>>);
        Self { inner, skipper: Skipper::unlimited(), in_flight, head: Vec::new(), noted: 0, answered: Vec::new(), open }
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // What the host itself writes is msgpack, and without a limit here nothing else can be wrong with it.
            let Ok((used, ends)) = self.skipper.take(bytes) else { return };
            let room = HEAD_BYTES.saturating_sub(self.head.len()).min(used);
            self.head.extend_from_slice(&bytes[..room]);
            bytes = &bytes[used..];
            if ends {
                if let [0x94, kind @ 0..=1, id @ ..] = self.head.as_slice()
                    && let Some(id) = Part::of(number(id)).number()
                {
                    match kind {
                        0 => self.in_flight.sent(id),
                        _ => self.answered.extend(self.in_flight.replied(id)),
                    }
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
        if result.is_pending() {
            if self.open.as_mut().is_some_and(|open| open.as_mut().poll(context).is_ready()) {
                self.open = None;
            }
            if self.open.is_none() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        if let Poll::Ready(Ok(count)) = &result {
            self.noted = self.noted.saturating_sub(*count);
            if self.noted == 0 {
                self.answered.clear();
            }
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
