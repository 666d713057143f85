//! At a host's start: what hosts that were killed have left running is ended.

use std::{
    fs::{File, OpenOptions},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::signal::kill,
    unistd::Pid,
};
use tracing::warn;

use super::Supervisor;
use crate::{process, session::program::cgroup::Delegated};

impl Supervisor {
    /// Ends what hosts and daemons of this user that are gone have left, and says how many processes there were. Only
    /// those whose socket was beside this host's own are looked for.
    pub fn end_leftovers(&self) {
        let Some(own) = self.settings.socket.clone() else { return };
        let told = std::sync::Arc::clone(&self.services.leftovers);
        // To read of a process may mean to wait for its disk.
        tokio::task::spawn_blocking(move || {
            let daemon = own.with_file_name("daemon.sock");
            // Held meanwhile: no daemon begins whose programs could be taken for those of the last.
            let no_daemon = if own == daemon { None } else { lock(&daemon) };
            let is_daemon_gone = own == daemon || no_daemon.is_some();
            let is_gone = |socket: &Path| {
                socket.parent() == own.parent() && if socket == daemon { is_daemon_gone } else { is_host_gone(socket) }
            };
            let ended = process::end_leftovers(is_gone) + Delegated::find().map_or(0, |delegated| delegated.sweep());
            if ended > 0 {
                warn!("{ended} processes that a killed host has left were ended");
            }
            let _ = told.set(ended);
        });
    }
}

/// The lock of a daemon that does not live. One that has no file may live all the same.
fn lock(daemon: &Path) -> Option<Flock<File>> {
    let file = OpenOptions::new().read(true).write(true).open(daemon.with_extension("lock")).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// Whether the host is gone whose socket has this name: its process is in it.
fn is_host_gone(socket: &Path) -> bool {
    let name = socket.file_name().and_then(|name| name.to_str());
    let pid = name.and_then(|name| name.strip_prefix("host-")?.strip_suffix(".sock")?.parse::<i32>().ok());
    pid.is_some_and(|pid| pid > 1 && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}
