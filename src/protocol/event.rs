use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AgentInfo, AgentState, Exit, JsonLine, RunId, Secret, SessionId, Status};

/// Something that happened, most often to a session or run: then it carries the session's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// A run has changed whose view gets no frames. For a hidden view this comes once until the view is shown; for a
    /// held one a few times a second, while the number of rows that wait changes.
    Output {
        /// The session.
        session_id: SessionId,
        /// The run.
        run_id: RunId,
        /// Rows that were added at the end since the view was held; 0 when only what was there has changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waiting_rows: Option<u64>,
        /// Of a held view that had fallen behind: rows that it was not sent, between what has left its screen and its
        /// screen. Let go, it is filled again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        skipped_rows: Option<u64>,
    },
    /// A run ended. All of its output has been delivered before, but for rows that left the primary screen of a program
    /// that ended on the alternate one: `snapshot` and `lines` have them.
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
    /// After a run's end: how many processes that it started live on. Sent when that number has changed.
    LeftRunning {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// Processes that live on.
        left_running: usize,
    },
    /// A line of a run with `stream: "json"`, to those who subscribed. The next comes when the client has taken this
    /// one.
    Json {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// The line.
        #[serde(flatten)]
        line: JsonLine,
        /// Lines right before this one that were dropped, because this client was too slow for them.
        lost_lines: u64,
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
        /// The text of the notification.
        message: Option<String>,
    },
    /// What a coding agent is doing has changed. Sent at most ten times a second for a run; the last
    /// state always is, unless `events_lost` says that events are missing.
    AgentState {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// The agent; none when the run is no agent any more.
        agent: Option<AgentInfo>,
        /// What it was doing before; none when it was no agent.
        was: Option<AgentState>,
    },
    /// A program reports its progress (OSC 9;4). Sent when it changes, at most ten times a second.
    Progress {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// How the work goes.
        state: ProgressState,
        /// How much of it is done, from 0 to 100, where the state has that.
        percent: Option<u8>,
    },
    /// A program copied text (OSC 52). Only clients with a view of the run get this.
    Clipboard {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// Where to.
        selection: Selection,
        /// The text, at most a megabyte.
        data: Secret,
    },
    /// A program asks what is on a clipboard (OSC 52) and waits for the method `clipboard`. Only clients with a view of
    /// the run get this; the first answer counts.
    ClipboardRequest {
        /// The session.
        session_id: SessionId,
        /// Its name.
        session_name: String,
        /// The run.
        run_id: RunId,
        /// The request's number within the run.
        request: u64,
        /// Which clipboard.
        selection: Selection,
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
    /// joined again, or until this event says that the replacement failed.
    Replacing {
        /// True when it begins; false when it failed and this daemon goes on.
        begins: bool,
    },
    /// This client was too slow for its events: some are missing; ask for `sessions` again.
    EventsLost {
        /// How many.
        count: u64,
    },
}

impl Event {
    /// The session that it concerns; none when it concerns the host or the client.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        self.about().0
    }

    /// The session and the run that it is about, if it is.
    #[must_use]
    pub fn about(&self) -> (Option<&SessionId>, Option<&RunId>) {
        match self {
            Self::SessionStarted { session_id, .. }
            | Self::SessionRenamed { session_id, .. }
            | Self::SessionRemoved { session_id, .. } => (Some(session_id), None),
            Self::RunStarted { session_id, run_id, .. }
            | Self::RunRestarted { session_id, run_id, .. }
            | Self::Output { session_id, run_id, .. }
            | Self::RunExited { session_id, run_id, .. }
            | Self::LeftRunning { session_id, run_id, .. }
            | Self::Json { session_id, run_id, .. }
            | Self::Attention { session_id, run_id, .. }
            | Self::AgentState { session_id, run_id, .. }
            | Self::Progress { session_id, run_id, .. }
            | Self::Clipboard { session_id, run_id, .. }
            | Self::ClipboardRequest { session_id, run_id, .. }
            | Self::InputStalled { session_id, run_id, .. }
            | Self::InputDropped { session_id, run_id, .. } => (Some(session_id), Some(run_id)),
            Self::Replacing { .. } | Self::EventsLost { .. } => (None, None),
        }
    }
}

/// How a run asked to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// BEL.
    Bell,
    /// A desktop notification (OSC 9, 99 or 777).
    Notification,
}

/// The progress that a program reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgressState {
    /// There is none to show, or no longer.
    None,
    /// It goes on.
    Normal,
    /// It failed.
    Error,
    /// It goes on, without a percentage.
    Indeterminate,
    /// It waits.
    Paused,
}

/// Which clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// What copy and paste use.
    Clipboard,
    /// The selected text (X11).
    Primary,
}
