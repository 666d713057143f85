//! Sessions and their runs. Knows no editor and no transport.
//!
//! The [`Supervisor`] alone owns the table of sessions; each run is a task of its own that owns all of its
//! state. They speak through bounded channels; nothing is shared and nothing is locked.

mod access;
mod cgroup;
mod client;
mod command;
mod flood;
mod health;
mod input;
mod json;
mod keeping;
mod leftovers;
mod lifecycle;
mod limits;
mod logout;
mod memory;
mod names;
mod outline;
mod past;
mod pattern_set;
mod processor_time;
mod proportional;
mod replacing;
mod resolve;
mod run;
mod search;
#[cfg(test)]
mod search_law;
mod sending;
mod settings;
mod starting;
mod state;
mod supervisor;
mod table;
mod templates;
mod tempo;
mod usage;
mod viewer;
mod waiter;
mod waits;

use std::time::Duration;

use tokio::sync::mpsc;

pub use access::{Caller, CallerPlace, Permit};
pub use client::{Ack, Client, ClientId, Events, FrameJob, Outbox};
pub use command::is_inherited;
pub use health::health_without_host;
pub use outline::{RunOutline, SessionOutline};
pub use replacing::Frozen;
pub use settings::Settings;
pub use state::{FORMAT, State, StateError};
pub use supervisor::Supervisor;

#[cfg(test)]
pub(crate) use starting::check_template;

use crate::{
    history::Disk,
    protocol::{Code, Error, Event, RunId},
    pty::{Spawn, SpawnError},
    shim::{StartError, Step},
};

/// How long programs have when their owner is gone, before SIGKILL: all must be over within three seconds.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1000);

/// What a run tells the table.
#[derive(Debug)]
enum Announcement {
    /// An event for every client but some.
    Event { event: Event, except: Vec<ClientId> },
    /// The same, of the run's end: whether processes that its program started may live on.
    Ended { event: Event, except: Vec<ClientId>, lives_on: bool },
    /// Whether any does, once that is known and whenever it changes.
    Settled { run_id: RunId, lives_on: bool },
}

/// A run's way to tell every client something.
#[derive(Debug, Clone)]
struct Announcer(mpsc::UnboundedSender<Announcement>);

impl Announcer {
    fn announce(&self, announcement: Announcement) {
        // When the supervisor is gone, so are the clients.
        let _ = self.0.send(announcement);
    }
}

/// What every run reaches beside its own state.
#[derive(Debug, Clone)]
struct Services {
    announcer: Announcer,
    watcher: limits::Watcher,
    floods: flood::Gate,
    memory: memory::Memory,
    /// What programs inside a session may do to others.
    cross_session: tokio::sync::watch::Receiver<crate::protocol::CrossSession>,
    /// What is kept on disk; none where nothing is.
    disk: Option<Disk>,
    /// How many processes of hosts that were killed were ended, once that is known.
    leftovers: std::sync::Arc<std::sync::OnceLock<usize>>,
    /// When the host began.
    started: std::time::Instant,
}

/// What helps when the kernel has nothing left.
const WHAT_TO_DO: &str = "end some sessions, or raise the limit (`ulimit -n`, /proc/sys/kernel/pty/max)";

/// Why nothing was started, for a person.
fn start_error(error: &SpawnError, what: &Spawn) -> Error {
    let kernel = |errno: i32| std::io::Error::from_raw_os_error(errno).to_string();
    match error {
        SpawnError::Program(start) => program_error(start, what),
        SpawnError::Resources { what, source } => {
            let reason = source.raw_os_error().map_or_else(|| source.to_string(), kernel);
            Error::new(Code::ResourceExhausted, format!("{what} failed: {reason}; {WHAT_TO_DO}"))
        }
        SpawnError::Pty { what, reason } => {
            Error::new(Code::ResourceExhausted, format!("{what} failed: {reason}; {WHAT_TO_DO}"))
        }
        SpawnError::Shim => Error::new(Code::StartFailed, format!("{error}; was it killed, or is /proc not mounted?")),
        SpawnError::Slow(_) => Error::new(
            Code::StartFailed,
            format!("{error}; does the file system of its file or of its directory {} answer?", what.cwd.display()),
        ),
    }
}

fn program_error(start: &StartError, what: &Spawn) -> Error {
    let path = start.path();
    let kernel = std::io::Error::from_raw_os_error(start.errno).to_string();
    let (code, message) = match (start.step, start.errno) {
        (Step::Cwd, _) => (Code::BadCwd, format!("the working directory {path} cannot be entered: {kernel}")),
        (Step::Find, libc::EACCES) | (Step::Exec, libc::EACCES) => {
            (Code::NotExecutable, format!("{path} cannot be executed: {kernel}; is its execute bit set (chmod +x)?"))
        }
        (Step::Find, libc::EISDIR) => (Code::NotExecutable, format!("{path} is a directory, not a program")),
        (Step::Find, libc::EINVAL) => {
            (Code::NotExecutable, format!("{path} is not a regular file, so it cannot be a program"))
        }
        (Step::Find, _) if path.contains('/') => {
            (Code::ProgramNotFound, format!("there is no program at {path}: {kernel}"))
        }
        (Step::Find, _) => (Code::ProgramNotFound, format!("there is no program {path:?} on $PATH")),
        (Step::Interpreter, _) => (
            Code::BadInterpreter,
            format!(
                "{} cannot be executed: its interpreter {path}, named in its first line, failed: {kernel}",
                what.argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
            ),
        ),
        (Step::Exec, libc::ENOEXEC) => (
            Code::NotExecutable,
            format!("{path} is neither a binary for this machine nor a script with a first line such as #!/bin/sh"),
        ),
        (Step::Exec, libc::E2BIG) => {
            (Code::InvalidParams, format!("{path}: its arguments and environment are too long for the kernel"))
        }
        (Step::Exec, _) => (Code::StartFailed, format!("{path} could not be executed: {kernel}")),
        (Step::Fork, _) => (Code::ResourceExhausted, format!("no process could be made: {kernel}; end some sessions")),
        (Step::Ended, signal) => (
            Code::StartFailed,
            format!("{path} was ended by {} before it could run", crate::process::signal_name(signal)),
        ),
        (Step::Terminal, _) => {
            (Code::StartFailed, format!("the PTY could not become the program's terminal: {kernel}"))
        }
    };
    Error::new(code, message).with_data(serde_json::json!({ "path": path, "errno": start.errno }))
}
