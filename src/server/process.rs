//! Prepares a server's process: limits and attributes that are set before it does anything.

use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    stat::{Mode, umask},
};

/// What programs get of the state the process was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inherited {
    /// The umask.
    pub umask: u32,
    /// The soft limit of open files.
    pub open_files: u64,
}

/// Prepares this process: files are for their owner alone, as many descriptors as allowed, and whatever daemonizes
/// below a run comes back here. Programs get what is returned.
#[must_use]
pub fn prepare() -> Inherited {
    let umask = umask(Mode::from_bits_truncate(0o077)).bits();
    let open_files = raise_open_files();
    let _ = nix::sys::prctl::set_child_subreaper(true);
    crate::process::note_inherited();
    Inherited { umask, open_files }
}

/// Each run takes four descriptors: as many as the hard limit allows. Returns the soft limit from before.
fn raise_open_files() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
            soft
        }
        Err(_) => 1024,
    }
}
