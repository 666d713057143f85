//! The user's terminal: borrowed, and given back as it was.

use std::{
    io::{self, IsTerminal, Read, Write},
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use nix::sys::termios::{FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use crate::{cli::client::Failure, protocol::Size, term::clamp_size};

/// The title is kept (xterm's stack of them), and the alternate screen taken.
const ENTER: &str = "\x1b[22;0t\x1b[?1049h\x1b[H\x1b[2J";

/// Every mode that a frame may have set is as terminals have it at the start.
const LEAVE: &str = "\x1b[?2026l\x1b[r\x1b[m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[0 q\x1b[?25h\x1b[?1049l\x1b[23;0t";

/// Reads of keys that may wait to be passed on.
const KEYS_WAITING: usize = 16;

/// Whether both directions are a terminal.
pub fn is_one() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A terminal's size; none when it is no terminal, or does not know.
pub fn size(terminal: impl AsFd) -> Option<Size> {
    nix::ioctl_read_bad!(read_size, libc::TIOCGWINSZ, libc::winsize);
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open while it is borrowed, and the kernel fills the struct that it is given.
    unsafe { read_size(terminal.as_fd().as_raw_fd(), &raw mut size) }.ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then(|| clamp_size(size.ws_row.into(), size.ws_col.into()))
}

/// The terminal in raw mode, on its alternate screen. Dropping it, or a panic, gives it back.
pub struct Tty {
    loan: Arc<Loan>,
}

/// What is to be given back, once.
struct Loan {
    before: Mutex<Option<Termios>>,
    /// The terminal may be sending what nobody typed.
    reports: AtomicBool,
}

impl Tty {
    pub fn enter() -> Result<Self, Failure> {
        let failed = |errno: nix::Error| Failure::Io { what: "the terminal", source: errno.into() };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        let tty = Self { loan: Arc::new(Loan { before: Mutex::new(Some(before)), reports: AtomicBool::new(false) }) };
        // A panic's message is to be read where the user then is.
        let (loan, hook) = (Arc::clone(&tty.loan), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            loan.give_back();
            hook(panic);
        }));
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw).map_err(failed)?;
        tty.write(ENTER)?;
        Ok(tty)
    }

    /// What is typed, as it comes; closed with the terminal.
    pub fn keys(&self) -> mpsc::Receiver<Vec<u8>> {
        let (keys, receiver) = mpsc::channel(KEYS_WAITING);
        // A thread, as a descriptor that others share must not be made non-blocking.
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match io::stdin().lock().read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => return,
                    Ok(count) => {
                        if keys.blocking_send(buffer[..count].to_vec()).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        receiver
    }

    /// Writes to it, all of it.
    pub fn write(&self, data: &str) -> Result<(), Failure> {
        write(data).map_err(|source| Failure::Io { what: "the terminal", source })
    }

    /// Notes whether the terminal sends reports.
    pub fn note_mouse(&self, reports: bool) {
        self.loan.reports.store(reports, Ordering::Relaxed);
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.loan.give_back();
    }
}

impl Loan {
    fn give_back(&self) {
        let Some(before) = self.before.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Of a terminal that is gone there is nothing to put back.
        let _ = write(LEAVE);
        if self.reports.load(Ordering::Relaxed) {
            // They would be typed into the shell.
            let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
        }
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    }
}

fn write(data: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data.as_bytes()).and_then(|()| out.flush())
}
