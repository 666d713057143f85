//! Ending runs: kills, the removal of ended runs, and shutdown.

use std::time::Duration;

use futures::future::join_all;
use tracing::info;

use super::{
    LEFT_RUNNING_TIMEOUT, MAX_MS, Supervisor,
    access::Permit,
    lifecycle::{Refusal, Transition},
};
use crate::{
    process,
    protocol::{Error, KillParams, KillReply, RemoveParams, RemoveReply, Result, SignalSpec, Target},
    session::{
        message::{KillOutcome, RunHandle, RunMessage},
        program::kill::{DEFAULT_GRACE, Kill},
    },
};

impl Supervisor {
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

fn signal_of(spec: &SignalSpec) -> Result<i32> {
    let rule = "a signal's number from 1 to 64, or its name (TERM, SIGINT)";
    match spec {
        SignalSpec::Number(number @ 1..=64) => Ok(*number),
        SignalSpec::Number(number) => Err(Error::invalid("signal", number, rule)),
        SignalSpec::Name(name) => process::signal_number(name).ok_or_else(|| Error::invalid("signal", name, rule)),
    }
}
