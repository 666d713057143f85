//! Reaps children (SIGCHLD). Nothing else in a server waits for them.

use std::{io, time::Duration};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

/// Every shim that exits is reaped from now on, and whatever the server inherits as a subreaper.
///
/// A shim that was stopped goes on at once: a program can stop its parent (`kill -STOP $PPID`) even before the
/// shim has told of the start, and a stopped shim would neither tell nor kill.
///
/// # Errors
/// When signals cannot be watched.
pub fn reap_children() -> io::Result<()> {
    let mut children = signal(SignalKind::child())?;
    tokio::spawn(async move {
        loop {
            // First of all what has ended before anybody watched, as while another binary took this process over.
            while let Reaped::Changed { pid, stopped } = reap(libc::WUNTRACED) {
                if stopped {
                    let _ = kill(pid, Signal::SIGCONT);
                }
            }
            if children.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(())
}

/// What a look at the children has shown.
enum Reaped {
    /// This one has ended, or was stopped.
    Changed { pid: Pid, stopped: bool },
    /// None of them has.
    Nothing,
    /// There is none.
    NoChild,
}

/// libc's own call: nix has no names for real-time signals and takes a child that one of them has ended for an error.
fn reap(flags: i32) -> Reaped {
    let mut status = 0;
    loop {
        // SAFETY: the status outlives the call.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | flags) } {
            0 => return Reaped::Nothing,
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Reaped::NoChild,
            pid => return Reaped::Changed { pid: Pid::from_raw(pid), stopped: libc::WIFSTOPPED(status) },
        }
    }
}

/// Waits for the shims, which end right after their last report: whoever inherits the server's children may never
/// reap them.
pub async fn reap_last() {
    const REAP_TIMEOUT: Duration = Duration::from_millis(300);
    let until = tokio::time::Instant::now() + REAP_TIMEOUT;
    while tokio::time::Instant::now() < until {
        match reap(0) {
            Reaped::Changed { .. } => {}
            Reaped::Nothing => tokio::time::sleep(Duration::from_millis(1)).await,
            Reaped::NoChild => return,
        }
    }
}
