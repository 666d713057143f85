//! The started program: its terminal, the shim that watches over it, and when it began. A restart replaces it whole.

use std::time::{Instant, SystemTime};

use crate::{
    pty::{Master, ShimLink, Spawned},
    session::program::limits::Watch,
};

/// A program that was started, with the descriptors to it.
pub(super) struct Program {
    pub terminal_name: String,
    pub master: Option<Master>,
    pub link: Option<ShimLink>,
    pub pid: i32,
    pub shim_pid: i32,
    /// Its tree is watched for its limits.
    pub watch: Option<Watch>,
    pub started: Instant,
    pub started_at: SystemTime,
}

impl Program {
    /// One that has started just now.
    pub fn new(spawned: Spawned, terminal_name: String, watch: Option<Watch>) -> Self {
        Self {
            terminal_name,
            master: Some(spawned.master),
            link: Some(spawned.link),
            pid: spawned.pid,
            shim_pid: spawned.shim_pid,
            watch,
            started: Instant::now(),
            started_at: SystemTime::now(),
        }
    }
}
