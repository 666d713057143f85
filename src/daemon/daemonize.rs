//! Daemonizes: leaves the process, terminal and directory that a daemon was started from.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsRawFd,
};

use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
    unistd::{ForkResult, dup2, fork, pipe2, setsid},
};

use super::ClaimError;

/// What a started daemon says when clients can connect.
const READY: &[u8] = b"ready";

/// Which of the two processes this is now.
#[derive(Debug)]
pub enum Daemonized {
    /// The one that was called: what came of the daemon.
    Starter(Result<(), String>),
    /// The daemon.
    Daemon(Ready),
}

/// To be told once the daemon serves.
#[derive(Debug, Default)]
pub struct Ready(Option<File>);

impl Ready {
    /// Clients can connect.
    pub fn say(self) {
        self.tell(READY);
    }

    /// There will be no daemon. That there is another is as good.
    pub fn refuse(self, error: &ClaimError) {
        match error {
            ClaimError::AlreadyRunning(_) => self.say(),
            _ => self.tell(error.to_string().as_bytes()),
        }
    }

    fn tell(self, text: &[u8]) {
        if let Some(mut pipe) = self.0 {
            // Who started it may be gone.
            let _ = pipe.write_all(text);
        }
    }
}

/// Daemonizes: continues in a process of its own, with its own kernel session, no terminal, none of the starter's
/// descriptors, at `/`.
///
/// Must be called before anything has started a thread.
///
/// # Errors
/// When there is no process or pipe to be had.
pub fn daemonize() -> io::Result<Daemonized> {
    let (from, to) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: there is one thread, so the child may do anything the parent could.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => {
            drop(to);
            let mut said = Vec::new();
            File::from(from).read_to_end(&mut said)?;
            Ok(Daemonized::Starter(match said.as_slice() {
                READY => Ok(()),
                b"" => Err("the daemon ended before it could serve; its log says why".to_owned()),
                why => Err(String::from_utf8_lossy(why).into_owned()),
            }))
        }
        ForkResult::Child => {
            drop(from);
            setsid()?;
            std::env::set_current_dir("/")?;
            let to = keep_only(File::from(to))?;
            Ok(Daemonized::Daemon(Ready(Some(to))))
        }
    }
}

/// Closes every descriptor but one; the standard ones become `/dev/null`.
fn keep_only(pipe: File) -> io::Result<File> {
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    for fd in 0..=2 {
        dup2(null, fd)?;
    }
    let keep = u32::try_from(pipe.as_raw_fd()).unwrap_or(u32::MAX);
    for (first, last) in [(3, keep.saturating_sub(1)), (keep.saturating_add(1), u32::MAX)] {
        if first <= last {
            // SAFETY: nothing in this process uses the descriptors that were inherited, nor `null` any more.
            let _ = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
    Ok(pipe)
}
