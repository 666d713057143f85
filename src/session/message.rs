//! A run's mailbox: the messages that it takes, the handle that sends them, and the state that the table desires of it.

use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    protocol::{
        AgentEvidenceReply, AgentReportParams, AttachReply, LinesReply, LinkReply, PromptsReply, Result, RunId,
        RunInfo, SessionId, Size, SnapshotFormat, SnapshotReply, WaitReply,
    },
    pty::Spawn,
    session::{
        client::{Client, ClientId, caller::Caller, viewer::AttachOptions},
        program::{kill::Kill, limits::Limit},
        snapshot::{outline::RunOutline, state::SavedRun},
        waits::waiter::Condition,
    },
    term::Colors,
};

/// Messages that may wait for one run: the bound of its mailbox, and the backpressure on clients. The run handles one in
/// microseconds; a client that sends them faster waits.
pub const MAILBOX_CAPACITY: usize = 256;

/// What came of typing into an active run.
#[derive(Debug, Clone, Copy)]
pub struct Typed {
    /// False when the program does not read what waits for it already.
    pub taken: bool,
    /// The number of the line in which its output from then on begins.
    pub seq: u64,
}

/// The messages that a run takes, each with the channel for its reply.
pub enum RunMessage {
    Input {
        client: ClientId,
        data: Vec<u8>,
        paste: bool,
    },
    /// Answered with whether it was taken; not at all when the run has ended.
    Send {
        client: ClientId,
        data: Vec<u8>,
        paste: bool,
        enter: bool,
        reply: oneshot::Sender<Option<Typed>>,
    },
    /// Its tree has passed a limit.
    Passed {
        shim: i32,
        limit: Limit,
        reason: String,
    },
    Resize {
        client: ClientId,
        size: Size,
    },
    /// Not answered when the caller may no longer read the run.
    Attach {
        client: Client,
        caller: Caller,
        options: AttachOptions,
        reply: oneshot::Sender<AttachReply>,
    },
    /// The shim that watches over its program, while there is one.
    Shim(oneshot::Sender<Option<i32>>),
    Detach(ClientId),
    /// Sends a client its lines; answered with the number of the next, or nothing when it has no lines. Not answered
    /// when the caller may no longer read the run.
    Subscribe {
        client: Client,
        caller: Caller,
        reply: oneshot::Sender<Option<u64>>,
    },
    Unsubscribe(ClientId),
    Visible {
        client: ClientId,
        visible: bool,
    },
    Hold {
        client: ClientId,
        hold: bool,
    },
    Snapshot {
        format: SnapshotFormat,
        scrollback: usize,
        reply: oneshot::Sender<SnapshotReply>,
    },
    Lines(LinesRequest),
    Prompts {
        client: ClientId,
        reply: oneshot::Sender<PromptsReply>,
    },
    Link {
        client: ClientId,
        row: u64,
        col: u32,
        reply: oneshot::Sender<LinkReply>,
    },
    Clipboard {
        request: u64,
        data: Option<Vec<u8>>,
        reply: oneshot::Sender<Result<()>>,
    },
    /// A client has looked at its state as an agent.
    Seen(oneshot::Sender<()>),
    AgentEvidence(oneshot::Sender<AgentEvidenceReply>),
    /// A program of its tree reports what it does as an agent.
    AgentReport {
        params: AgentReportParams,
        reply: oneshot::Sender<Result<()>>,
    },
    /// The names of the program of a process group that is in its terminal's foreground.
    Foreground {
        group: i32,
        names: Vec<String>,
    },
    Kill {
        kill: Kill,
        reply: oneshot::Sender<KillOutcome>,
    },
    Wait {
        condition: Condition,
        reply: oneshot::Sender<Result<WaitReply>>,
    },
    Info(oneshot::Sender<Arc<Published>>),
    /// How many processes live on after its end, once that is known; 0 while it has not ended.
    LeftRunning(oneshot::Sender<usize>),
    /// What it starts, and how.
    Spawn(oneshot::Sender<Spawn>),
    Restart {
        terminal_name: String,
        /// Whether Claude gets hooks.
        agent_hooks: bool,
        reply: oneshot::Sender<Result<Restarted>>,
    },
    /// What is worth remembering of it, with so many of its last lines; nothing when it has ended.
    Outline {
        lines: Option<usize>,
        reply: oneshot::Sender<Option<RunOutline>>,
    },
    /// To put itself down, and do nothing more until the other end of `thaw` is dropped.
    Freeze {
        reply: oneshot::Sender<Box<SavedRun>>,
        thaw: watch::Receiver<()>,
    },
}

/// What became of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillOutcome {
    /// It was there to be killed.
    pub was_running: bool,
    /// Processes that ended.
    pub processes: usize,
    /// Processes that could not be ended.
    pub left: usize,
}

/// A run's program, started again.
pub struct Restarted {
    pub pid: u32,
    pub process_name: String,
}

/// A request for lines from a place on; `waits` is a long poll.
pub struct LinesRequest {
    pub from: Option<u64>,
    pub last: Option<usize>,
    pub partial: bool,
    /// An answer without lines can wait.
    pub waits: bool,
    pub reply: oneshot::Sender<LinesReply>,
}

/// What a run is, as it is listed.
#[derive(Debug, Clone)]
pub struct Published {
    pub info: RunInfo,
    /// The shim that watches over its program, while there is one.
    pub shim: Option<i32>,
}

/// A handle of a run: sends it messages. Clones reach the same run.
#[derive(Debug, Clone)]
pub struct RunHandle {
    pub run_id: RunId,
    pub session_id: SessionId,
    pub mailbox: mpsc::Sender<RunMessage>,
    pub desired: watch::Sender<Desired>,
    /// What it was when it was last asked.
    pub published: watch::Receiver<Option<Arc<Published>>>,
    /// The template it was started from.
    pub template: Option<String>,
}

impl RunHandle {
    /// Sends a message and waits for the reply; none when the run is gone.
    pub async fn call<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> RunMessage) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(message(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Sends a message without a reply: behind what waits for the run by now, and before what comes later.
    pub fn send_in_turn(&self, message: RunMessage) {
        let mailbox = self.mailbox.clone();
        let mut sending = Box::pin(async move { mailbox.send(message).await });
        // Polled once, it has its place in the queue, or among those who wait for one.
        if sending.as_mut().now_or_never().is_none() {
            tokio::spawn(sending);
        }
    }
}

/// The state that the table desires of a run. It replaces what it was before: however much waits in the mailbox, the
/// newest is there.
#[derive(Debug, Clone)]
pub struct Desired {
    /// Its session's name.
    pub session_name: String,
    /// The colors its terminal answers with; none for those that it has.
    pub colors: Option<Colors>,
    /// How many clients have gone: one of them may be the run's.
    pub departures: u64,
    /// Nobody is to find it any more, and it ends.
    pub is_dismissed: bool,
}

impl Desired {
    /// Of a run in a session of that name: both ends.
    pub fn new(session_name: String) -> (watch::Sender<Self>, watch::Receiver<Self>) {
        watch::channel(Self { session_name, colors: None, departures: 0, is_dismissed: false })
    }
}
