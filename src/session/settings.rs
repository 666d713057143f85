//! What a supervisor is given.

use std::{ffi::OsString, path::PathBuf};

use super::command;

/// What a supervisor is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder sessions start in when they are told none.
    pub cwd: PathBuf,
    /// What every program's environment begins with.
    pub env: Vec<(OsString, OsString)>,
    /// The socket programs can reach this host by.
    pub socket: Option<PathBuf>,
    /// The umask programs get.
    pub umask: u32,
    /// The soft limit of open files programs get.
    pub open_files: u64,
    /// The most that the transcripts of a session's runs may take together, in bytes. Each run gets an equal share.
    pub transcript_limit: usize,
    /// How many ended runs are kept to be looked at.
    pub keep_ended: usize,
}

impl Settings {
    /// For a host with the given umask and limit of open files: the environment is its own, less what would
    /// mislead programs.
    #[must_use]
    pub fn new(umask: u32, open_files: u64) -> Self {
        let mut env = command::inherited_env();
        let own = [
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("TERM_PROGRAM", "termi"),
            ("TERM_PROGRAM_VERSION", env!("CARGO_PKG_VERSION")),
        ];
        env.extend(own.map(|(key, value)| (key.into(), value.into())));
        Self {
            cwd: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            env,
            socket: None,
            umask,
            open_files,
            transcript_limit: 500_000,
            keep_ended: 200,
        }
    }
}
