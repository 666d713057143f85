//! All that a supervisor owns, put down as data: for a process that takes this one's place, descriptors and all.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::time::unix_ms;
use crate::{
    agent::SavedAgent,
    history::SavedOutput,
    protocol::{CommandSpec, ConfigureReply, Exit, Keep, Limits, RunId, SessionId, Size, Status, Stream, Template},
    session::{client::json_lines::LineSplitter, program::command::Command},
    shim::KernelLimits,
    term::{SavedTerminal, Terminal},
};

/// Which form of the state this version writes and reads: an older daemon's is read by a newer one. A new field has a
/// `serde(default)` and changes nothing here; another meaning of an old one would be another form.
pub const FORMAT: u32 = 1;

/// Why a state cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is of another form.
    #[error(
        "the state is of form {0}, this version of termi reads form {FORMAT}; end the daemon and start the new one"
    )]
    Form(u32),
    /// It is not whole.
    #[error("the state cannot be read: {0}")]
    Garbled(String),
}

/// The state, with its form in front.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    pub(in crate::session) sessions: Vec<SavedSession>,
    /// What holds for all sessions.
    pub(in crate::session) settings: ConfigureReply,
    /// Templates, by name.
    pub(in crate::session) templates: BTreeMap<String, Template>,
    /// Runs that have ended, the oldest first, and how long ago.
    pub(in crate::session) ended: Vec<(SessionId, RunId, Duration)>,
    /// The last terminal's time.
    pub(in crate::session) last_terminal_ms: u64,
}

impl State {
    /// Reads what [`write`](Self::write) wrote, and makes sure that all of it can be gone on with.
    ///
    /// # Errors
    /// When it is of another form, or not whole.
    pub fn read(bytes: &[u8]) -> Result<Self, StateError> {
        let garbled = |error: rmp_serde::decode::Error| StateError::Garbled(error.to_string());
        let (form, body) = bytes.split_first_chunk().ok_or_else(|| StateError::Garbled("it is empty".into()))?;
        match u32::from_be_bytes(*form) {
            FORMAT => {}
            other => return Err(StateError::Form(other)),
        }
        let state: Self = rmp_serde::from_slice(body).map_err(garbled)?;
        // Whatever could fail does so now, while the process that wrote it can still go on.
        for run in state.runs() {
            drop(Terminal::restore(run.terminal.clone()));
        }
        Ok(state)
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When it cannot be put into bytes, which is a fault of Termi's own.
    pub fn write(&self) -> Result<Vec<u8>, StateError> {
        let mut bytes = FORMAT.to_be_bytes().to_vec();
        rmp_serde::encode::write_named(&mut bytes, self).map_err(|error| StateError::Garbled(error.to_string()))?;
        Ok(bytes)
    }

    /// The descriptors that the state goes on with.
    pub fn descriptors(&self) -> impl Iterator<Item = i32> + '_ {
        self.runs().flat_map(|run| run.master.into_iter().chain(run.shim.into_iter().flat_map(|(a, b)| [a, b])))
    }

    /// Adds the runs that ended after the table's list of ended ones was made, and before they stood still.
    pub(in crate::session) fn add_late_ends(&mut self) {
        let now = unix_ms(SystemTime::now());
        for session in &self.sessions {
            for run in &session.runs {
                let known = self.ended.iter().any(|(_, ended, _)| *ended == run.run_id);
                if let (SavedLife::Ended { at_ms, .. }, false) = (&run.life, known) {
                    let ago = Duration::from_millis(now.saturating_sub(*at_ms));
                    self.ended.push((session.id.clone(), run.run_id.clone(), ago));
                }
            }
        }
    }

    fn runs(&self) -> impl Iterator<Item = &SavedRun> {
        self.sessions.iter().flat_map(|session| &session.runs)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SavedSession {
    pub id: SessionId,
    pub name: String,
    pub label: Option<String>,
    pub group: Option<String>,
    pub cwd: OsString,
    pub transcript_limit: usize,
    pub created_at_ms: u64,
    pub limits: Limits,
    pub keep: Option<Keep>,
    pub runs: Vec<SavedRun>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SavedRun {
    pub run_id: RunId,
    pub process_name: String,
    pub command: Command,
    pub spawn: SavedSpawn,
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub limits: Limits,
    /// The folder of its control group.
    pub cgroup: Option<OsString>,
    pub stream: Stream,
    pub group: Option<String>,
    pub label: Option<String>,
    pub template: Option<String>,
    pub resume: Option<CommandSpec>,
    pub output_limit: Option<u64>,
    /// Its whole output, while it is kept.
    pub output: Option<SavedOutput>,
    pub output_path: Option<String>,
    /// The line under way, of a run whose output is lines.
    pub lines: Option<LineSplitter>,
    pub settled: bool,
    pub terminal_name: String,
    pub terminal: SavedTerminal,
    pub master: Option<i32>,
    /// Orders and reports.
    pub shim: Option<(i32, i32)>,
    pub pid: i32,
    pub shim_pid: i32,
    pub life: SavedLife,
    pub status: Status,
    pub reason: Option<String>,
    pub rest_goes: bool,
    pub left_running: usize,
    /// Read from the program, and not yet taken in.
    pub unfed: Vec<u8>,
    /// Typed, and not yet taken by the program.
    pub input: Vec<u8>,
    /// Times are told by how long ago they were, on a clock that does not jump.
    pub started: Duration,
    pub started_at_ms: u64,
    pub last_output: Duration,
    pub last_activity: Duration,
    /// What is known of it as a coding agent.
    #[serde(default)]
    pub agent: SavedAgent,
    /// Where its program says that it works.
    pub cwd: Option<OsString>,
    pub focus: Focus,
    pub bytes: u64,
    pub cuts: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum SavedLife {
    Active,
    Draining { exit: Exit, left: Duration },
    Ended { exit: Exit, at_ms: u64, lasted: Duration },
}

/// What a program that asked for focus reports (DEC 1004) was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Focus {
    /// Nothing since it asked.
    #[default]
    Untold,
    /// It has the focus.
    In,
    /// It lost it, as a client's emulator told.
    Out,
    /// It lost it, as no view of it can be seen.
    Hidden,
}

#[derive(Serialize, Deserialize)]
pub struct SavedSpawn {
    pub argv: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub cwd: OsString,
    pub size: Size,
    pub process_name: String,
    pub umask: u32,
    #[serde(default)]
    pub nice: Option<i32>,
    pub open_files: u64,
    pub limits: KernelLimits,
    pub raw: bool,
    pub cgroup: OsString,
}

/// Its environment may hold secrets: it is not shown.
impl std::fmt::Debug for SavedSpawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} in {:?}", self.argv, self.cwd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_form_or_cut_short_is_refused() {
        let state = State {
            sessions: Vec::new(),
            settings: crate::session::Settings::new(0o22, 1024).told(),
            templates: BTreeMap::new(),
            ended: vec![(SessionId::new(), RunId::new(), Duration::ZERO)],
            last_terminal_ms: 7,
        };
        let bytes = state.write().unwrap();
        assert_eq!(State::read(&bytes).unwrap().ended, state.ended);
        let mut other = bytes.clone();
        other[3] += 1;
        let said = State::read(&other).unwrap_err().to_string();
        assert!(said.contains("form 2") && said.contains("end the daemon"), "{said}");
        for length in 0..bytes.len() {
            assert!(State::read(&bytes[..length]).is_err());
        }
    }
}
