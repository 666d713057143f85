//! The supervisor: what can be done with sessions, for whatever serves clients.

pub mod access;
pub mod broadcast;
pub mod handover;
pub mod health;
pub mod history;
pub mod leftovers;
pub mod lifecycle;
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

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::{join_all, select_all};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::info;

use access::Permit;
use lifecycle::{Refusal, Transition};
use resolve::ReadableRun;
use settings::Settings;
use table::Table;

use crate::{
    history::HistoryStore,
    process,
    protocol::{
        AgentEvidenceReply, AttachParams, AttachReply, Bytes, ClipboardParams, Code, ColorsParams, CrossSession, Empty,
        Error, Event, HoldParams, InputParams, KillParams, KillReply, LinesParams, LinesReply, LinkParams, LinkReply,
        PromptsReply, RemoveParams, RemoveReply, RenameParams, RenameReply, ResizeParams, Result, RunId, SessionId,
        SessionInfo, SessionsReply, SignalSpec, SnapshotParams, SnapshotReply, Status, SubscribeReply, Target,
        VisibleParams, WaitParams, WaitReason, WaitReply,
    },
    session::{
        client::{Client, ClientId, viewer::AttachOptions},
        deadline::sleep_until,
        error::{gone, run_gone},
        message::{KillOutcome, LinesRequest, MAILBOX_CAPACITY, Published, RunHandle, RunMessage},
        program::{
            kill::{DEFAULT_GRACE, Kill},
            limits,
        },
        services::{Announcement, Announcer, Services},
        snapshot::time::unix_ms,
        waits::waiter::Condition,
    },
    term::{Colors, clamp_size},
};

/// How long a list waits for a run, which answers in microseconds unless it stands still.
const LIST_TIMEOUT: Duration = Duration::from_millis(250);

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
            watcher: limits::Watcher::start(),
            floods: crate::session::program::output_gate::OutputGate::new(),
            heap_trim: crate::session::program::heap_trim::HeapTrim::new(),
            cross_session: cross_session.subscribe(),
            disk: settings.state.clone().map(HistoryStore::start),
            leftovers: std::sync::Arc::default(),
            started: Instant::now(),
        };
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

    /// Tells every client something.
    pub fn announce(&self, event: Event) {
        self.services.announcer.announce(Announcement::Event { event, except: Vec::new() });
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

    /// The sessions that the caller may know of, and their runs.
    pub async fn sessions(&self, permit: &Permit) -> Result<SessionsReply> {
        struct Skeleton {
            id: SessionId,
            info: SessionInfo,
            runs: Vec<RunHandle>,
        }
        let permit = permit.clone();
        let skeletons = self
            .with(move |table| {
                table
                    .sessions
                    .iter()
                    .filter(|session| session.announced && table.finds(&permit, session))
                    .map(|session| Skeleton {
                        id: session.id.clone(),
                        info: SessionInfo {
                            name: session.name.clone(),
                            label: session.label.clone(),
                            group: session.group.clone(),
                            cwd: session.cwd.to_string_lossy().into_owned(),
                            active_processes: 0,
                            created_at: unix_ms(session.created_at),
                            limits: session.limits.clone(),
                            bytes: 0,
                            memory_bytes: None,
                            cpu_percent: None,
                            run_ids: Vec::new(),
                            processes: Vec::new(),
                        },
                        runs: session.runs.clone(),
                    })
                    .collect::<Vec<_>>()
            })
            .await?;
        let mut sessions = SessionsReply::new();
        let mut shims = Vec::new();
        // All are asked at once: hundreds of sessions cost one round, and one that does not answer holds up none.
        let asked = skeletons.iter().map(|skeleton| join_all(skeleton.runs.iter().map(listed)));
        let told = join_all(asked).await;
        for (Skeleton { id, mut info, .. }, runs) in skeletons.into_iter().zip(told) {
            for copy in runs.into_iter().flatten() {
                let Published { info: run, shim } = Arc::unwrap_or_clone(copy);
                info.bytes += run.bytes;
                info.active_processes += usize::from(run.status == Status::Active);
                info.run_ids.push(run.run_id.clone());
                if let Some(shim) = shim.filter(|_| run.status == Status::Active) {
                    shims.push((run.run_id.clone(), shim));
                }
                info.processes.push(run);
            }
            sessions.insert(id, info);
        }
        self.add_usage(&mut sessions, shims).await?;
        Ok(sessions)
    }

    /// Ends what the target names and answers once it is gone.
    pub async fn kill(&self, params: KillParams, permit: &Permit) -> Result<KillReply> {
        let signal = params.signal.as_ref().map(signal_of).transpose()?;
        let grace = params.grace_ms.map_or(DEFAULT_GRACE, |ms| Duration::from_millis(ms.min(MAX_MS)));
        let runs = self.resolve(params.target, permit).await?;
        let marked = runs.clone();
        // One that is being restarted is not started again.
        self.with(move |table| {
            for run in marked {
                let _ = table.lifecycle.apply(&run.run_id, Transition::Killed);
            }
        })
        .await?;
        self.kill_runs(&runs, Kill { signal, grace }).await
    }

    pub(super) async fn kill_runs(&self, runs: &[RunHandle], kill: Kill) -> Result<KillReply> {
        let outcomes = join_all(runs.iter().map(|run| run.call(|reply| RunMessage::Kill { kill, reply }))).await;
        let mut answer = KillReply::default();
        for KillOutcome { was_running, processes, left } in outcomes.into_iter().flatten() {
            answer.total += usize::from(was_running);
            answer.killed += usize::from(was_running && left == 0);
            answer.processes += processes;
        }
        Ok(answer)
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
        run.call(RunMessage::AgentEvidence).await.ok_or_else(run_gone)
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

    /// Waits until all runs of the target have ended, or the first of them prints or is silent as asked.
    pub async fn wait(&self, params: WaitParams, permit: &Permit) -> Result<WaitReply> {
        let WaitParams { target, until, timeout_ms } = params;
        let condition = Condition::new(&until)?;
        let runs = self.resolve(target, permit).await?;
        self.wait_for_runs(&runs, condition, timeout_ms).await
    }

    pub(super) async fn wait_for_runs(
        &self,
        runs: &[RunHandle],
        condition: Condition,
        timeout_ms: Option<u64>,
    ) -> Result<WaitReply> {
        let all = matches!(condition, Condition::Exit);
        let waits: Vec<_> = runs
            .iter()
            .map(|run| {
                let condition = condition.clone();
                Box::pin(run.call(|reply| RunMessage::Wait { condition, reply }))
            })
            .collect();
        if waits.is_empty() {
            return Err(Error::new(Code::NotFound, "there is no run to wait for"));
        }
        let done =
            async { if all { join_all(waits).await.into_iter().flatten().last() } else { first_answer(waits).await } };
        let timeout = timeout_ms.map_or(MAX_MS, |ms| ms.min(MAX_MS));
        match tokio::time::timeout(Duration::from_millis(timeout), done).await {
            Ok(Some(reply)) => reply,
            Ok(None) => Err(run_gone()),
            Err(_) => Ok(WaitReply { reason: WaitReason::Timeout, exit: None, line: None }),
        }
    }

    /// Renames a session.
    pub async fn rename(&self, params: RenameParams, permit: &Permit) -> Result<RenameReply> {
        let RenameParams { target, name } = params;
        let (given, permit) = (name.clone(), permit.clone());
        let session_id = self.with(move |table| table.rename(&target, given, &permit)).await??;
        Ok(RenameReply { session_id, name })
    }

    /// Dismisses runs that have ended. One with processes that live on stays, unless these are to be ended too.
    pub async fn remove(&self, params: RemoveParams, permit: &Permit) -> Result<RemoveReply> {
        let RemoveParams { target, force } = params;
        let explicit = !matches!(target, Target::All | Target::Group(_));
        let runs = self.resolve(target, permit).await?;
        // What lives on after an end is known a moment later.
        let left = join_all(runs.iter().map(|run| run.call(RunMessage::LeftRunning)));
        let left = tokio::time::timeout(LEFT_RUNNING_TIMEOUT, left).await.unwrap_or_default();
        let how = if force { Transition::Discarded } else { Transition::Dismissed };
        let (ids, check) = (runs.iter().map(|run| run.run_id.clone()).collect::<Vec<_>>(), how);
        if explicit {
            self.with(move |table| ids.iter().find_map(|run| table.lifecycle.refuses(run, check)))
                .await?
                .map_or(Ok(()), |refusal| Err(Error::from(refusal)))?;
        }
        let living = runs.iter().zip(left).filter(|(_, left)| left.is_some_and(|left| left > 0));
        let living: Vec<RunHandle> = living.map(|(run, _)| run.clone()).filter(|_| force).collect();
        let ended = self.kill_runs(&living, Kill { signal: None, grace: DEFAULT_GRACE }).await?.processes;
        self.with(move |table| {
            // Of one that was ended here, its end may have been the last thing that kept it.
            let was_ended = |run: &RunHandle| living.iter().any(|living| living.run_id == run.run_id);
            let outcomes: Vec<_> = runs
                .iter()
                .map(|run| match table.take_out(&run.run_id, how) {
                    Err(Refusal::Unknown) if was_ended(run) => Ok(()),
                    outcome => outcome,
                })
                .collect();
            // It may have been started again meanwhile.
            if let Some(Err(refusal)) = outcomes.iter().find(|outcome| outcome.is_err())
                && explicit
            {
                return Err((*refusal).into());
            }
            let removed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let kept = outcomes.iter().filter(|outcome| **outcome == Err(Refusal::LivesOn)).count();
            Ok(RemoveReply { removed, kept, processes: ended })
        })
        .await?
    }

    /// Ends every run and starts none any more. Answers once all are gone, or `grace` and a little are over.
    pub async fn shutdown(&self, grace: Duration) -> Result<KillReply> {
        let runs = self
            .with(|table| {
                table.closing = true;
                table.runs().cloned().collect::<Vec<_>>()
            })
            .await?;
        info!(runs = runs.len(), "ending every session");
        let killed = self.kill_runs(&runs, Kill { signal: None, grace }).await;
        if let Some(disk) = &self.services.disk {
            disk.flush().await;
        }
        killed
    }
}

/// The first answer of several that may come; none when none can come any more, as of runs that are gone.
async fn first_answer<T>(mut waits: Vec<impl Future<Output = Option<T>> + Unpin>) -> Option<T> {
    while !waits.is_empty() {
        let (answer, _, others) = select_all(waits).await;
        if answer.is_some() {
            return answer;
        }
        waits = others;
    }
    None
}

/// What a run is. One that does not answer in time is as it was when it last did.
async fn listed(run: &RunHandle) -> Option<Arc<Published>> {
    match tokio::time::timeout(LIST_TIMEOUT, run.call(RunMessage::Info)).await {
        Ok(told) => told,
        Err(_) => run.published.borrow().clone(),
    }
}

fn signal_of(spec: &SignalSpec) -> Result<i32> {
    let rule = "a signal's number from 1 to 64, or its name (TERM, SIGINT)";
    match spec {
        SignalSpec::Number(number @ 1..=64) => Ok(*number),
        SignalSpec::Number(number) => Err(Error::invalid("signal", number, rule)),
        SignalSpec::Name(name) => process::signal_number(name).ok_or_else(|| Error::invalid("signal", name, rule)),
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future};

    use super::*;

    #[test]
    fn a_run_that_is_gone_answers_for_none_of_the_others() {
        let wait = |answer: Option<Option<u8>>| match answer {
            Some(answer) => future::ready(answer).boxed(),
            None => future::pending().boxed(),
        };
        let first =
            |answers: Vec<Option<Option<u8>>>| first_answer(answers.into_iter().map(wait).collect()).now_or_never();
        assert_eq!(first(vec![Some(None), None]), None, "the other may still answer");
        assert_eq!(first(vec![Some(None), Some(Some(7)), None]), Some(Some(7)));
        assert_eq!(first(vec![Some(None), Some(None)]), Some(None), "all are gone");
    }
}
