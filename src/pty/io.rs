//! The master's end of a PTY.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::termios::{FlushArg, tcflush},
    unistd::{read, tcgetpgrp, write},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::protocol::Size;

nix::ioctl_write_ptr_bad!(set_window_size, libc::TIOCSWINSZ, libc::winsize);

/// The master of a PTY. Dropping it hangs the terminal up.
///
/// portable-pty's own reader blocks, and its writer types a newline and an end of file when dropped,
/// which would execute a half-typed line: neither is used.
#[derive(Debug)]
pub struct Master {
    fd: AsyncFd<OwnedFd>,
}

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
        let flags = OFlag::from_bits_truncate(fcntl(fd.as_raw_fd(), FcntlArg::F_GETFL)?);
        fcntl(fd.as_raw_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        // SAFETY: an OwnedFd's descriptor stays the same and open for as long as the OwnedFd lives.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE | Interest::WRITABLE) }?;
        Ok(Self { fd })
    }

    /// The descriptor's number, for a process that takes this one's place.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Waits until there may be something to read.
    pub async fn readable(&self) {
        // The runtime's driver is gone only when the host is.
        let _ = self.fd.readable().await;
    }

    /// Waits until something can be written.
    pub async fn writable(&self) {
        // As above.
        let _ = self.fd.writable().await;
    }

    /// Reads what is there.
    pub fn try_read(&self, buffer: &mut [u8]) -> Read {
        loop {
            let attempt = self.fd.try_io(Interest::READABLE, |fd| Ok(read(fd.as_raw_fd(), buffer)?));
            match attempt {
                Ok(0) => return Read::End,
                Ok(count) => return Read::Bytes(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Empty,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // EIO is how Linux says that the last slave is closed.
                Err(_) => return Read::End,
            }
        }
    }

    /// Reads what is there without asking the readiness cache first: after an exit, the last word is the kernel's.
    pub fn read_now(&self, buffer: &mut [u8]) -> Read {
        loop {
            match read(self.fd.as_raw_fd(), buffer) {
                Ok(0) => return Read::End,
                Ok(count) => return Read::Bytes(count),
                Err(Errno::EAGAIN) => return Read::Empty,
                Err(Errno::EINTR) => {}
                Err(_) => return Read::End,
            }
        }
    }

    /// Writes as much as the terminal takes now; none when it takes nothing.
    pub fn try_write(&self, bytes: &[u8]) -> usize {
        self.fd.try_io(Interest::WRITABLE, |fd| Ok(write(fd, bytes)?)).unwrap_or(0)
    }

    /// Tells the program its terminal's size; it gets SIGWINCH when it changed.
    pub fn resize(&self, size: Size) {
        let size = libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open and the struct outlives the call.
        let _ = unsafe { set_window_size(self.fd.as_raw_fd(), &raw const size) };
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
        self.fd.get_ref().as_fd()
    }
}
