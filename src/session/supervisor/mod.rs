//! The supervisor: what can be done with sessions, for whatever serves clients.

pub mod access;
mod agents_check;
pub mod broadcast;
pub mod handover;
pub mod health;
pub mod history;
pub mod kill;
pub mod leftovers;
pub mod lifecycle;
pub mod list;
pub mod logout;
pub mod names;
pub mod resolve;
pub mod restore_plan;
pub mod retention;
pub mod settings;
pub mod start;
pub mod table;
pub mod templates;
pub mod usage;
pub mod wait;

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use access::Permit;
use resolve::ReadableRun;
use settings::Settings;
use table::Table;

use crate::{
    history::HistoryStore,
    protocol::{
        AgentEvidenceReply, AgentReportParams, AttachParams, AttachReply, Bytes, ClipboardParams, ColorsParams,
        CrossSession, Empty, Error, HoldParams, InputParams, LinesParams, LinesReply, LinkParams, LinkReply,
        PromptsReply, RenameParams, RenameReply, ResizeParams, Result, RunId, SnapshotParams, SnapshotReply,
        SubscribeReply, VisibleParams,
    },
    session::{
        client::{Client, ClientId, viewer::AttachOptions},
        deadline::sleep_until,
        error::{gone, run_gone},
        message::{LinesRequest, MAILBOX_CAPACITY, RunMessage},
        program::agent_rules::AgentRules,
        program::limits,
        services::{Announcement, Announcer, Services},
    },
    term::{Colors, clamp_size},
};

/// The longest time a client may name: what a clock can still add.
pub(super) const MAX_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// How long it may take after an end until it is known what lives on.
pub(super) const LEFT_RUNNING_TIMEOUT: Duration = Duration::from_secs(4);

type Job = Box<dyn FnOnce(&mut Table) + Send>;

/// A way to reach the table of sessions. Clones reach the same one.
#[derive(Clone)]
pub struct Supervisor {
    jobs: mpsc::Sender<Job>,
    pub(super) services: Services,
    pub(super) settings: std::sync::Arc<Settings>,
    pub(super) cross_session: watch::Sender<CrossSession>,
}

impl Supervisor {
    /// Starts the task that owns the table.
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let (jobs, mut jobs_in) = mpsc::channel::<Job>(MAILBOX_CAPACITY);
        let (announcements, mut announced) = mpsc::unbounded_channel::<Announcement>();
        let cross_session = watch::Sender::new(CrossSession::default());
        let mut table = Table::new(settings.clone(), cross_session.clone());
        tokio::spawn(async move {
            loop {
                let expiry = table.next_expiry();
                tokio::select! {
                    Some(announcement) = announced.recv() => table.tell(&announcement),
                    job = jobs_in.recv() => {
                        let Some(job) = job else { return };
                        // What a run has told comes before what its answers have led to: an end and a restart that are
                        // known to whoever asks are known here.
                        while let Ok(announcement) = announced.try_recv() {
                            table.tell(&announcement);
                        }
                        job(&mut table);
                        if let Some(mut thaw) = table.frozen.take() {
                            // Nothing is ever sent: it ends with an error when the process goes on after all.
                            let _ = thaw.changed().await;
                        }
                    },
                    () = sleep_until(expiry) => table.dismiss_old(),
                }
            }
        });
        let services = Services {
            announcer: Announcer(announcements),
            agent_rules: AgentRules::new(settings.agent_rules.clone()),
            watcher: limits::Watcher::start(),
            floods: crate::session::program::output_gate::OutputGate::new(),
            heap_trim: crate::session::program::heap_trim::HeapTrim::new(),
            cross_session: cross_session.subscribe(),
            disk: settings.state.clone().map(HistoryStore::start),
            leftovers: std::sync::Arc::default(),
            started: Instant::now(),
        };
        // They are to be there when the first program prints.
        let _ = services.agent_rules.other_than(0);
        Self { jobs, services, settings: std::sync::Arc::new(settings), cross_session }
    }

    /// Where programs reach this host.
    #[must_use]
    pub fn socket(&self) -> Option<&std::path::Path> {
        self.settings.socket.as_deref()
    }

    /// Has something done by the table's owner.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Table) -> T + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |table| _ = reply.send(job(table)));
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Forgets a client and its views.
    pub async fn unregister(&self, client: &Client) -> Result<()> {
        client.leave();
        self.services.heap_trim.note_freed();
        let client = client.id();
        self.with(move |table| table.forget_client(client)).await
    }

    /// Tells all terminals a client's colours.
    pub async fn set_colors(&self, params: ColorsParams) -> Result<Empty> {
        let colors = Colors::new(params.foreground.as_deref(), params.background.as_deref());
        self.with(move |table| {
            table.colors = colors;
            for run in table.runs() {
                run.desired.send_modify(|desired| desired.colors = Some(colors));
            }
            Empty {}
        })
        .await
    }

    /// Types into a run.
    pub async fn input(&self, params: InputParams, client: ClientId, permit: &Permit) -> Result<Empty> {
        let InputParams { run_id, data: Bytes(data), paste } = params;
        self.send_to(run_id, RunMessage::Input { client, data, paste }, permit).await
    }

    /// Sizes a client's view of a run, and with it the run's terminal if that is the client's to size.
    pub async fn resize(&self, params: ResizeParams, client: ClientId, permit: &Permit) -> Result<Empty> {
        self.send_to(params.run_id, RunMessage::Resize { client, size: clamp_size(params.rows, params.cols) }, permit)
            .await
    }

    /// Closes a client's view of a run.
    pub async fn detach(&self, run_id: RunId, client: ClientId, permit: &Permit) -> Result<Empty> {
        self.send_to(run_id, RunMessage::Detach(client), permit).await
    }

    /// Says whether a client's view can be seen.
    pub async fn visible(&self, params: VisibleParams, client: ClientId, permit: &Permit) -> Result<Empty> {
        self.send_to(params.run_id, RunMessage::Visible { client, visible: params.visible }, permit).await
    }

    /// Says whether a client's view of a run is to stay as it is, because someone reads in it.
    pub async fn hold(&self, params: HoldParams, client: ClientId, permit: &Permit) -> Result<Empty> {
        self.send_to(params.run_id, RunMessage::Hold { client, hold: params.hold }, permit).await
    }

    async fn send_to(&self, run_id: RunId, message: RunMessage, permit: &Permit) -> Result<Empty> {
        self.one(run_id, permit).await?.mailbox.send(message).await.map_err(|_| run_gone())?;
        Ok(Empty {})
    }

    /// Opens a client's view of a run. Who may only read it gets one that changes nothing, the run's size neither.
    pub async fn attach(&self, params: AttachParams, client: &Client, permit: &Permit) -> Result<AttachReply> {
        let AttachParams { run_id, format, size, read_only, scrollback } = params;
        let ReadableRun { handle: run, writable } = self.readable(run_id.clone(), permit).await?;
        let read_only = read_only || !writable;
        let options = AttachOptions { format, size, read_only, scrollback };
        let (client, caller) = (client.clone(), permit.caller().clone());
        match run.call(|reply| RunMessage::Attach { client, caller, options, reply }).await {
            Some(reply) => Ok(reply),
            None => Err(self.why_not(run_id, permit).await),
        }
    }

    /// Why a run did not open a view: the policy has changed since the call was authorized, or the run is gone.
    async fn why_not(&self, run_id: RunId, permit: &Permit) -> Error {
        self.readable(run_id, permit).await.err().unwrap_or_else(run_gone)
    }

    /// Sends a client a run's lines.
    ///
    /// # Errors
    /// `invalid_params` when its output is not JSON lines.
    pub async fn subscribe(&self, run_id: RunId, client: &Client, permit: &Permit) -> Result<SubscribeReply> {
        let run = self.one(run_id.clone(), permit).await?;
        let (client, caller) = (client.clone(), permit.caller().clone());
        let Some(next_seq) = run.call(|reply| RunMessage::Subscribe { client, caller, reply }).await else {
            return Err(self.why_not(run_id, permit).await);
        };
        let next_seq = next_seq.ok_or_else(|| {
            Error::invalid(
                "run_id",
                run_id.as_str(),
                "the output of this run is for a terminal; start it with stream = \"json\"",
            )
        })?;
        Ok(SubscribeReply { run_id, next_seq })
    }

    /// Sends a client no more of a run's lines.
    pub async fn unsubscribe(&self, run_id: RunId, client: ClientId, permit: &Permit) -> Result<Empty> {
        self.send_to(run_id, RunMessage::Unsubscribe(client), permit).await
    }

    /// A run's screen and transcript.
    pub async fn snapshot(&self, params: SnapshotParams, permit: &Permit) -> Result<SnapshotReply> {
        let run = self.one(params.run_id, permit).await?;
        let (format, scrollback) = (params.format, params.scrollback);
        run.call(|reply| RunMessage::Snapshot { format, scrollback, reply }).await.ok_or_else(run_gone)
    }

    /// What a run has printed, as lines.
    pub async fn lines(&self, params: LinesParams, permit: &Permit) -> Result<LinesReply> {
        let LinesParams { run_id, from, last, partial, wait_ms } = params;
        let run = self.one(run_id, permit).await?;
        let request =
            |waits| run.call(move |reply| RunMessage::Lines(LinesRequest { from, last, partial, waits, reply }));
        let patience = Duration::from_millis(wait_ms.unwrap_or(0).min(MAX_MS));
        let waited = if patience.is_zero() { None } else { tokio::time::timeout(patience, request(true)).await.ok() };
        match waited {
            Some(answer) => answer,
            None => request(false).await,
        }
        .ok_or_else(run_gone)
    }

    /// Where the prompts are in a client's view of a run.
    pub async fn prompts(&self, run_id: RunId, client: ClientId, permit: &Permit) -> Result<PromptsReply> {
        let run = self.one(run_id, permit).await?;
        run.call(|reply| RunMessage::Prompts { client, reply }).await.ok_or_else(run_gone)
    }

    /// Notes that a client has looked at an agent's state.
    pub async fn seen(&self, run_id: RunId, permit: &Permit) -> Result<Empty> {
        let run = self.one(run_id, permit).await?;
        run.call(RunMessage::Seen).await.ok_or_else(run_gone).map(|()| Empty {})
    }

    /// What each source says of a run as an agent.
    pub async fn agent_evidence(&self, run_id: RunId, permit: &Permit) -> Result<AgentEvidenceReply> {
        let run = self.one(run_id, permit).await?;
        self.services.agent_rules.refresh().await;
        run.call(RunMessage::AgentEvidence).await.ok_or_else(run_gone)
    }

    /// A program reports what it does as an agent, on its own run.
    pub async fn agent_report(&self, params: AgentReportParams, permit: &Permit) -> Result<Empty> {
        let (named, permit) = (params.run_id.clone(), permit.clone());
        let run = self.with(move |table| table.own_run(named.as_ref(), &permit)).await??;
        run.call(|reply| RunMessage::AgentReport { params, reply }).await.ok_or_else(run_gone)??;
        Ok(Empty {})
    }

    /// The link in a cell of a client's view of a run.
    pub async fn link(&self, params: LinkParams, client: ClientId, permit: &Permit) -> Result<LinkReply> {
        let run = self.one(params.run_id, permit).await?;
        let (row, col) = (params.row, params.col);
        run.call(|reply| RunMessage::Link { client, row, col, reply }).await.ok_or_else(run_gone)
    }

    /// Answers a program's question for a clipboard.
    pub async fn clipboard(&self, params: ClipboardParams, permit: &Permit) -> Result<Empty> {
        let run = self.one(params.run_id, permit).await?;
        let (request, data) = (params.request, params.data.map(|Bytes(data)| data));
        run.call(|reply| RunMessage::Clipboard { request, data, reply }).await.ok_or_else(run_gone)??;
        Ok(Empty {})
    }

    /// Renames a session.
    pub async fn rename(&self, params: RenameParams, permit: &Permit) -> Result<RenameReply> {
        let RenameParams { target, name } = params;
        let (given, permit) = (name.clone(), permit.clone());
        let session_id = self.with(move |table| table.rename(&target, given, &permit)).await??;
        Ok(RenameReply { session_id, name })
    }
}
