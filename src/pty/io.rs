//! The master's end of a PTY.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use nix::{
    sys::termios::{FlushArg, LocalFlags, SetArg, tcflush, tcgetattr, tcsetattr},
    unistd::{read, tcgetpgrp, write},
};
use tokio::io::{Interest, unix::AsyncFd};
use tracing::warn;

use crate::{process::non_blocking, protocol::Size};

nix::ioctl_write_ptr_bad!(set_window_size, libc::TIOCSWINSZ, libc::winsize);

/// The master of a PTY. Dropping it hangs the terminal up.
///
/// portable-pty's own reader blocks, and its writer types a newline and an end of file when dropped,
/// which would execute a half-typed line: neither is used.
///
/// While a program floods, the runtime does not watch the descriptor. The kernel tells a watcher of every 4 kB, which
/// would wake a thread of the runtime 12,000 times for 50 MB, only to find that the run reads already.
#[derive(Debug)]
pub struct Master {
    /// None while there is always something to read. Before `fd`, so that it is dropped first.
    watched: Option<AsyncFd<RawFd>>,
    fd: OwnedFd,
    /// Reads since the last that brought nothing.
    reads: u32,
    /// The terminal did not take all that was written to it last.
    is_full: bool,
}

/// So many reads in a row are a flood: 64 kB, more than the kernel keeps.
const FLOOD_READS: u32 = 16;

/// How often a terminal is looked at that the runtime cannot watch, for want of memory in the kernel.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Empty,
    /// Nobody holds the other end any more, and everything they wrote has been read.
    End,
}

impl Master {
    /// Takes a descriptor of a PTY's master.
    ///
    /// # Errors
    /// When it cannot be made non-blocking or watched.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let fd = non_blocking(fd)?;
        Ok(Self { watched: Some(watch(&fd)?), fd, reads: 0, is_full: false })
    }

    /// The descriptor's number, for a process that takes this one's place.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Waits until there may be something to read.
    pub async fn readable(&self) {
        match &self.watched {
            // The runtime's driver is gone only when the host is.
            Some(watched) => _ = watched.readable().await,
            None if self.reads > 0 => {}
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }

    /// Waits until something can be written.
    pub async fn writable(&self) {
        match &self.watched {
            // As above.
            Some(watched) => _ = watched.writable().await,
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }

    /// Reads what is there.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Read {
        let outcome = match &self.watched {
            Some(watched) => outcome(|| watched.try_io(Interest::READABLE, |fd| Ok(read(*fd, buffer)?))),
            None => self.read_now(buffer),
        };
        match outcome {
            Read::Bytes(_) => {
                self.reads = self.reads.saturating_add(1);
                if self.reads >= FLOOD_READS && !self.is_full {
                    self.watched = None;
                }
            }
            Read::Empty | Read::End => {
                self.reads = 0;
                self.watch();
            }
        }
        outcome
    }

    /// Reads what is there without asking the readiness cache first: after an exit, the last word is the kernel's.
    pub fn read_now(&self, buffer: &mut [u8]) -> Read {
        outcome(|| Ok(read(self.fd.as_raw_fd(), buffer)?))
    }

    /// Writes as much as the terminal takes now; none when it takes nothing.
    pub fn try_write(&mut self, bytes: &[u8]) -> usize {
        let written = match &self.watched {
            Some(watched) => watched.try_io(Interest::WRITABLE, |_| Ok(write(&self.fd, bytes)?)),
            None => write(&self.fd, bytes).map_err(io::Error::from),
        };
        let count = written.unwrap_or(0);
        self.is_full = count < bytes.len();
        if self.is_full {
            self.watch();
        }
        count
    }

    /// Lets the runtime tell of what happens from now on; what is there already, it tells at once.
    fn watch(&mut self) {
        if self.watched.is_none() {
            self.watched = watch(&self.fd).inspect_err(|error| warn!("a PTY cannot be watched: {error}")).ok();
        }
    }

    /// Tells the program its terminal's size; it gets SIGWINCH when it changed.
    pub fn resize(&self, size: Size) {
        let size = libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open and the struct outlives the call.
        let _ = unsafe { set_window_size(self.fd.as_raw_fd(), &raw const size) };
    }

    /// Whether the terminal shows what is typed. A program may say otherwise later.
    pub fn set_echo(&self, echo: bool) {
        // A terminal that is gone shows nothing.
        let Ok(mut modes) = tcgetattr(self) else { return };
        modes.local_flags.set(LocalFlags::ECHO, echo);
        let _ = tcsetattr(self, SetArg::TCSANOW, &modes);
    }

    /// The process group that the terminal's keys go to.
    #[must_use]
    pub fn foreground(&self) -> Option<i32> {
        tcgetpgrp(self.as_fd()).ok().map(nix::unistd::Pid::as_raw).filter(|&group| group > 1)
    }

    /// Throws away what was written and not yet read by the program.
    pub fn discard_input(&self) {
        let _ = tcflush(self.as_fd(), FlushArg::TCOFLUSH);
    }
}

impl AsFd for Master {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn watch(fd: &OwnedFd) -> io::Result<AsyncFd<RawFd>> {
    // SAFETY: the descriptor stays the same and open for as long as the `Master`, which drops this before it.
    let watched = unsafe { AsyncFd::register_with_interest(fd.as_raw_fd(), Interest::READABLE | Interest::WRITABLE) };
    Ok(watched?)
}

/// Reads until it is clear what there is.
fn outcome(mut read: impl FnMut() -> io::Result<usize>) -> Read {
    loop {
        match read() {
            Ok(0) => return Read::End,
            Ok(count) => return Read::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Empty,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // EIO is how Linux says that the last slave is closed.
            Err(_) => return Read::End,
        }
    }
}
