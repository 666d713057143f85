//! Broadcasts to all runs that a target names: typing into them, restarting them.

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{mpsc::error::TrySendError, oneshot};

use super::{
    LEFT_RUNNING_TIMEOUT, Supervisor,
    access::Permit,
    lifecycle::{RunState, Transition},
    table::Table,
};
use crate::{
    protocol::{
        Bytes, Code, ConfigureParams, ConfigureReply, Error, RestartFailure, RestartParams, RestartReply, Result,
        RunId, RunReply, SendParams, SendReply, Target,
    },
    pty::check_start,
    session::{
        client::ClientId,
        error::{run_gone, start_error},
        message::{Restarted, RunHandle, RunMessage, Typed},
        program::kill::{DEFAULT_GRACE, Kill},
    },
};

/// How long a look at a program's directory and file may take, as on a disk that does not answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Until a run with a full queue of requests is tried again: it answers in microseconds.
const QUEUE_RETRY: Duration = Duration::from_millis(2);

/// A restart that a run has been told to do.
struct Ordered {
    answer: oneshot::Receiver<Result<Restarted>>,
    terminal_name: String,
    session_name: String,
}

impl Supervisor {
    /// Types into every active run that the target names.
    ///
    /// # Errors
    /// `not_found` when none of them is active; what `may_type` says of the first that it refuses.
    pub async fn send(
        &self,
        params: SendParams,
        client: ClientId,
        permit: &Permit,
        may_type: impl Fn(&RunId) -> Result<()>,
    ) -> Result<SendReply> {
        let text = params.target.to_string();
        let runs = self.resolve(params.target, permit).await?;
        runs.iter().try_for_each(|run| may_type(&run.run_id))?;
        let (Bytes(data), paste, enter) = (params.data, params.paste, params.enter);
        let sends = runs.iter().map(|run| {
            let data = data.clone();
            run.call(|reply| RunMessage::Send { client, data, paste, enter, reply })
        });
        let typed: Vec<Typed> = join_all(sends).await.into_iter().flatten().flatten().collect();
        if typed.is_empty() {
            return Err(Error::new(
                Code::NotFound,
                format!("nothing of {text:?} runs any more; `restart` starts it again"),
            ));
        }
        let sent = typed.iter().filter(|typed| typed.taken).count();
        let seq = if let [Typed { taken: true, seq }] = typed[..] { Some(seq) } else { None };
        Ok(SendReply { sent, refused: typed.len() - sent, seq })
    }

    /// Sets what holds for all sessions.
    ///
    /// # Errors
    /// `invalid_params` with the key and the rule; nothing is set then.
    pub async fn configure(&self, params: ConfigureParams) -> Result<ConfigureReply> {
        let set = self.with(move |table| table.configure(params)).await??;
        if let Some(disk) = &self.services.disk {
            disk.set_recording(set.history);
        }
        Ok(set)
    }

    /// Starts again what the target names: one run, or of each session its active runs, else its newest. One that has
    /// ended, with processes that live on, is left as it is, unless these are to be ended too.
    ///
    /// # Errors
    /// Why the first could not be started again, when none could.
    pub async fn restart(&self, params: RestartParams, permit: &Permit) -> Result<RestartReply> {
        let RestartParams { target, force } = params;
        let (text, permit) = (target.to_string(), permit.clone());
        if !force {
            let (target, permit) = (target.clone(), permit.clone());
            let runs = self.with(move |table| table.to_restart(&target, &permit)).await??;
            // What lives on after an end is known a moment later.
            let left = join_all(runs.iter().map(|run| run.call(RunMessage::LeftRunning)));
            let _ = tokio::time::timeout(LEFT_RUNNING_TIMEOUT, left).await;
        }
        let taken = self.with(move |table| table.begin_restart(&target, force, &permit)).await??;
        let ended: Vec<(RunHandle, Result<RunReply>)> = join_all(taken.into_iter().map(|(run, taken)| async {
            let outcome = match taken {
                Ok(()) => self.restart_one(&run).await,
                Err(refused) => Err(refused),
            };
            (run, outcome)
        }))
        .await;
        let (mut restarted, mut failed) = (Vec::new(), Vec::new());
        for (run, outcome) in ended {
            match outcome {
                Ok(reply) => restarted.push(reply),
                Err(error) => failed.push(RestartFailure { session_id: run.session_id, run_id: run.run_id, error }),
            }
        }
        match (restarted.first().cloned(), failed.first()) {
            (Some(first), _) => Ok(RestartReply { first, restarted, failed }),
            (None, Some(failure)) => Err(failure.error.clone()),
            (None, None) => Err(Error::new(Code::NotFound, format!("{text:?} has no runs"))),
        }
    }

    /// Restarts a run that is in the state for it, and takes it out of that whatever comes of it.
    async fn restart_one(&self, run: &RunHandle) -> Result<RunReply> {
        let outcome = self.end_and_start(run).await;
        if outcome.is_err() {
            let run_id = run.run_id.clone();
            self.with(move |table| {
                let _ = table.lifecycle.apply(&run_id, Transition::RestartEnds);
                // It may be one that was not to be kept.
                table.dismiss_old();
            })
            .await?;
        }
        // Of one that succeeded the run has told by itself, before its answer: by now it may have ended again, or
        // another restart may have it.
        outcome
    }

    async fn end_and_start(&self, run: &RunHandle) -> Result<RunReply> {
        // A program that could not be started again is not ended for it.
        let what = run.call(RunMessage::Spawn).await.ok_or_else(run_gone)?;
        let check = tokio::task::spawn_blocking(move || check_start(&what).map_err(|error| start_error(&error, &what)));
        if let Ok(Ok(checked)) = tokio::time::timeout(CHECK_TIMEOUT, check).await {
            checked?;
        }
        self.kill_runs(std::slice::from_ref(run), Kill { signal: None, grace: DEFAULT_GRACE }).await?;
        let Ordered { answer, terminal_name, session_name } = self.order_restart(run).await?;
        let restarted = answer.await.map_err(|_| run_gone())??;
        Ok(RunReply {
            session_id: run.session_id.clone(),
            run_id: run.run_id.clone(),
            pid: restarted.pid,
            terminal_name,
            process_name: restarted.process_name,
            session_name,
            view_id: None,
        })
    }

    /// Tells a run to start its program, unless it was killed meanwhile or the host ends: a kill from here on comes
    /// behind the order, and ends what that has started.
    async fn order_restart(&self, run: &RunHandle) -> Result<Ordered> {
        loop {
            let run = run.clone();
            let ordered = self.with(move |table| table.order_restart(&run)).await??;
            if let Some(ordered) = ordered {
                return Ok(ordered);
            }
            // Its queue is full.
            tokio::time::sleep(QUEUE_RETRY).await;
        }
    }
}

impl Table {
    /// Takes the runs of a target for a restart; those that cannot be had come with the reason.
    fn begin_restart(&mut self, target: &Target, force: bool, permit: &Permit) -> Result<Vec<(RunHandle, Result<()>)>> {
        self.check_open()?;
        let runs = self.to_restart(target, permit)?;
        let take = |run: RunHandle| {
            // One that has ended is one more that is active.
            let room = if self.lifecycle.is_over(&run.run_id) { self.check_active() } else { Ok(()) };
            let taken =
                room.and_then(|()| Ok(self.lifecycle.apply(&run.run_id, Transition::RestartBegins { force })?));
            (run, taken)
        };
        Ok(runs.into_iter().map(take).collect())
    }

    /// Sends a run the order to start its program again; none when its queue is full.
    fn order_restart(&mut self, run: &RunHandle) -> Result<Option<Ordered>> {
        if self.closing {
            return Err(Error::new(Code::ShuttingDown, "the host is ending; start another"));
        }
        if let Some(RunState::Restarting { killed: true, .. }) = self.lifecycle.state(&run.run_id) {
            return Err(Error::new(Code::StartFailed, "the run was killed while it was being restarted"));
        }
        let session = self.sessions.iter().find(|session| session.id == run.session_id);
        let session_name = session.map(|session| session.name.clone()).ok_or_else(run_gone)?;
        let terminal_name = self.next_terminal_name(&run.session_id);
        let (reply, answer) = oneshot::channel();
        let (its, agent_hooks) = (terminal_name.clone(), self.settings.agent_hooks);
        match run.mailbox.try_send(RunMessage::Restart { terminal_name: its, agent_hooks, reply }) {
            Ok(()) => Ok(Some(Ordered { answer, terminal_name, session_name })),
            Err(TrySendError::Full(_)) => Ok(None),
            Err(TrySendError::Closed(_)) => Err(run_gone()),
        }
    }
}
