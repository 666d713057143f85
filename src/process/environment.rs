//! The environment that a process was started with, by which it is known whose it is.

use std::{fs, os::unix::fs::MetadataExt};

use nix::unistd::Uid;

/// The environment of a process; none if it is gone or may not be read.
pub(super) struct Environment(Vec<u8>);

impl Environment {
    /// Of any process: for those that are known to be below this one.
    pub fn of(pid: i32) -> Option<Self> {
        fs::read(format!("/proc/{pid}/environ")).ok().map(Self)
    }

    /// Of a process of this user's: of another's, root could read it and be told anything by it.
    pub fn of_own(pid: i32) -> Option<Self> {
        let is_own = fs::metadata(format!("/proc/{pid}")).is_ok_and(|meta| meta.uid() == Uid::effective().as_raw());
        is_own.then(|| Self::of(pid)).flatten()
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        self.0.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }
}
