use serde::{Deserialize, Serialize};

use super::{Exit, RunId, SessionId, Status};

/// Something that happened to a session or run. Each carries the session it is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A session was made.
    SessionStarted {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
    },
    /// A session got another name.
    SessionRenamed {
        /// The session.
        session_id: SessionId,
        /// Its name now.
        session_name: String,
    },
    /// A session was dismissed.
    SessionRemoved {
        /// The session.
        session_id: SessionId,
        /// The name it had.
        session_name: String,
    },
    /// A program was started.
    RunStarted {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// The program's process id.
        pid: u32,
    },
    /// A run's program was started again.
    RunRestarted {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// The new program's process id.
        pid: u32,
    },
    /// A hidden view's run has changed; told once until the view is shown.
    Output {
        /// The session.
        session_id: SessionId,
        /// The run.
        run_id: RunId,
    },
    /// A run ended. All of its output has been delivered before.
    RunExited {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// What became of it.
        status: Status,
        /// How the program ended.
        exit: Exit,
        /// Why Termi ended it, if it did.
        reason: Option<String>,
        /// How long it ran.
        duration_ms: u64,
        /// Processes that left its terminal and live on.
        left_running: usize,
    },
    /// A run wants to be looked at.
    Attention {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// How it asked.
        kind: AttentionKind,
        /// What it said.
        message: Option<String>,
    },
    /// A program has stopped reading what is typed.
    InputStalled {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// Bytes that wait.
        pending_bytes: usize,
    },
    /// Input was refused: the program does not read, and the queue is full.
    InputDropped {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// Bytes that were refused.
        dropped_bytes: usize,
        /// How many may wait.
        limit_bytes: usize,
    },
    /// Another binary is being put in the daemon's place. What is typed now may be lost: a client holds it until it has
    /// joined again, or is told that nothing came of it.
    Replacing {
        /// It begins; else nothing came of it.
        begins: bool,
    },
    /// This client was too slow for its events: some are missing; ask for `sessions` again.
    EventsLost {
        /// How many.
        count: u64,
    },
}

/// How a run asked to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// BEL.
    Bell,
    /// A desktop notification (OSC 9, 99 or 777).
    Notification,
}
