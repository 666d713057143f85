//! The identity of a run: what is fixed for its life, and what it is started from again.

use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use crate::{
    protocol::{CommandSpec, Limits, RunId, SessionId, Stream},
    pty::Spawn,
    session::program::{cgroup::Cgroup, command::Command},
};

/// What a run is, fixed for its life.
pub struct Identity {
    pub run_id: RunId,
    pub session_id: SessionId,
    pub process_name: String,
    pub command: Command,
    /// How it was started, to start it again.
    pub spawn: Spawn,
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    /// What its transcript may take, as the session's runs share what theirs may.
    pub transcript_limit: watch::Receiver<usize>,
    pub limits: Limits,
    /// The control group it was started in, where there is one.
    pub cgroup: Option<Cgroup>,
    pub stream: Stream,
    pub group: Option<String>,
    pub label: Option<String>,
    pub template: Option<String>,
    /// What takes its work up where it was.
    pub resume: Option<CommandSpec>,
    /// What the file that keeps its whole output may take; none for no such file.
    pub output_limit: Option<u64>,
}

impl Identity {
    /// A control group that its program is not in holds and counts nothing.
    pub fn leave_cgroup(&mut self, errno: Option<i32>) {
        let Some(errno) = errno else { return };
        if let Some(group) = self.cgroup.take() {
            let why = std::io::Error::from_raw_os_error(errno);
            warn!("{} is not used: {why}; limits are watched from /proc alone", group.folder().display());
        }
        self.spawn.cgroup = std::path::PathBuf::new();
    }
}
