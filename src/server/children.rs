//! Reaping. Nothing else in a server waits for children.

use std::{io, time::Duration};

use nix::sys::{
    signal::{Signal, kill},
    wait::{WaitPidFlag, WaitStatus, waitpid},
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
            while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
                match status {
                    WaitStatus::StillAlive => break,
                    WaitStatus::Stopped(pid, _) => _ = kill(pid, Signal::SIGCONT),
                    _ => {}
                }
            }
            if children.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(())
}

/// Waits for the shims, which end right after their last report: whoever inherits the server's children may never
/// reap them.
pub async fn reap_last() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let until = tokio::time::Instant::now() + PATIENCE;
    while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok() && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
