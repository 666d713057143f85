//! The wire to an embedded Neovim, read by the thread that measures: no other thread and no queue in between, and
//! texts are looked at where they were received, so that the measuring costs the machine little.

use std::{
    io::{ErrorKind, Read, Write},
    os::fd::AsFd,
    process::{ChildStdin, ChildStdout},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rmpv::{Value, ValueRef, decode::read_value_ref};

pub struct Wire {
    to: ChildStdin,
    from: ChildStdout,
    /// Received, and from `parsed` on not yet a whole message.
    received: Vec<u8>,
    parsed: usize,
    last_id: u64,
}

impl Wire {
    pub fn new(to: ChildStdin, from: ChildStdout) -> Self {
        Self { to, from, received: Vec::new(), parsed: 0, last_id: 0 }
    }

    /// Sends a request and returns the id that its reply will have.
    pub fn send(&mut self, method: &str, params: Vec<Value>) -> u64 {
        self.last_id += 1;
        let request = Value::Array(vec![0.into(), self.last_id.into(), method.into(), Value::Array(params)]);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &request).unwrap();
        self.to.write_all(&bytes).and_then(|()| self.to.flush()).expect("Neovim listens");
        self.last_id
    }

    /// Waits at most until then for something to come, and hands on what is whole of it; false when nothing came.
    pub fn receive(&mut self, until: Instant, mut take: impl FnMut(&[ValueRef])) -> bool {
        // Rounded up: a wait of no milliseconds would spin until a deadline that is a part of one away.
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(self.from.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return false,
            Ok(_) => {}
            Err(error) => panic!("waiting for Neovim: {error}"),
        }
        self.received.drain(..self.parsed);
        self.parsed = 0;
        let whole = self.received.len();
        self.received.resize(whole + (64 << 10), 0);
        let count = self.from.read(&mut self.received[whole..]).expect("Neovim's output can be read");
        assert!(count > 0, "Neovim has gone");
        self.received.truncate(whole + count);
        loop {
            let mut rest = &self.received[self.parsed..];
            match read_value_ref(&mut rest) {
                Ok(ValueRef::Array(message)) => take(&message),
                Ok(other) => panic!("not a message: {other}"),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return true,
                Err(error) => panic!("Neovim's output cannot be read: {error}"),
            }
            self.parsed = self.received.len() - rest.len();
        }
    }
}
