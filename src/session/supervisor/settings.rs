//! What a supervisor is given.

use std::{ffi::OsString, path::PathBuf};

use crate::{
    paths,
    protocol::{ConfigureParams, ConfigureReply, Error, Keep, Limits, Result},
    session::program::command,
};

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
    /// How many ended runs are kept to be looked at, of all sessions together.
    pub keep_ended: usize,
    /// Which ended runs are kept of a session that was not told.
    pub keep: Keep,
    /// The limits of runs that name none, and whose session does not.
    pub limits: Limits,
    /// The most sessions there may be.
    pub max_sessions: usize,
    /// The most runs that may be active at once.
    pub max_runs: usize,
    /// The most that all transcripts together may take, in bytes: a run that could take them beyond is not started.
    pub max_transcripts_bytes: usize,
    /// Whether runs that end are written to the history.
    pub history: bool,
    /// Whether runs of `claude` are started with hooks.
    pub agent_hooks: bool,
    /// The folder that history and outputs are in; none where nothing is kept.
    pub state: Option<PathBuf>,
    /// The file with a user's rules for coding agents.
    pub agent_rules: PathBuf,
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
            cwd: paths::current_directory().unwrap_or_else(|_| "/".into()),
            env,
            socket: None,
            umask,
            open_files,
            transcript_limit: 500_000,
            keep_ended: 200,
            keep: Keep::default(),
            limits: Limits::default(),
            max_sessions: 1000,
            max_runs: 1000,
            max_transcripts_bytes: 1 << 30,
            history: true,
            agent_hooks: false,
            state: Some(paths::state_path()),
            agent_rules: paths::agent_rules(),
        }
    }

    /// What of it clients may know.
    #[must_use]
    pub fn told(&self) -> ConfigureReply {
        ConfigureReply {
            limits: self.limits.clone(),
            max_sessions: self.max_sessions,
            max_runs: self.max_runs,
            transcript_bytes: self.transcript_limit,
            max_transcripts_bytes: self.max_transcripts_bytes,
            keep_ended: self.keep_ended,
            keep: self.keep,
            history: self.history,
            agent_hooks: self.agent_hooks,
        }
    }

    /// Takes up what another process had been told by clients.
    pub fn take_up(&mut self, told: ConfigureReply) {
        self.limits = told.limits;
        self.max_sessions = told.max_sessions;
        self.max_runs = told.max_runs;
        self.transcript_limit = told.transcript_bytes;
        self.max_transcripts_bytes = told.max_transcripts_bytes;
        self.keep_ended = told.keep_ended;
        self.keep = told.keep;
        self.history = told.history;
        self.agent_hooks = told.agent_hooks;
    }

    /// Applies the parameters of `configure`: all of them or none.
    ///
    /// # Errors
    /// `invalid_params` with the key and the rule.
    pub fn set(&mut self, params: ConfigureParams) -> Result<()> {
        /// Less than a few lines is no transcript; more than this is no bound.
        const TRANSCRIPT: std::ops::RangeInclusive<usize> = 10_000..=1 << 30;
        for (key, value) in [("max_sessions", params.max_sessions), ("max_runs", params.max_runs)] {
            if value == Some(0) {
                return Err(Error::invalid(key, 0, "at least 1"));
            }
        }
        if let Some(bytes) = params.transcript_bytes.filter(|bytes| !TRANSCRIPT.contains(bytes)) {
            return Err(Error::invalid("transcript_bytes", bytes, "from 10000 bytes to 1 GiB"));
        }
        if let Some(limits) = &params.limits {
            crate::session::program::limits::check(limits)?;
        }
        let transcript = params.transcript_bytes.unwrap_or(self.transcript_limit);
        let all = params.max_transcripts_bytes.unwrap_or(self.max_transcripts_bytes);
        if all < transcript {
            let rule = format!("at least transcript_bytes ({transcript}), or no run could be started");
            return Err(Error::invalid("max_transcripts_bytes", all, &rule));
        }
        self.limits = params.limits.unwrap_or(std::mem::take(&mut self.limits));
        self.max_sessions = params.max_sessions.unwrap_or(self.max_sessions);
        self.max_runs = params.max_runs.unwrap_or(self.max_runs);
        self.transcript_limit = transcript;
        self.max_transcripts_bytes = all;
        self.keep_ended = params.keep_ended.unwrap_or(self.keep_ended);
        self.keep = params.keep.unwrap_or(self.keep);
        self.history = params.history.unwrap_or(self.history);
        self.agent_hooks = params.agent_hooks.unwrap_or(self.agent_hooks);
        Ok(())
    }
}
