//! Calls about all runs that a target names: typing into them, starting them again.

use futures::future::join_all;

use super::{
    ClientId, Supervisor,
    access::Permit,
    run::{Ask, DEFAULT_GRACE, Kill},
    supervisor::{ask, run_gone},
    table::RunHandle,
};
use crate::protocol::{
    Bytes, Code, ConfigureParams, ConfigureReply, Error, RestartFailure, RestartReply, Result, RunId, RunReply,
    SendParams, SendReply, Target,
};

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
            ask(run, |reply| Ask::Send { client, data, paste, enter, reply })
        });
        let taken: Vec<bool> = join_all(sends).await.into_iter().flatten().flatten().collect();
        if taken.is_empty() {
            return Err(Error::new(
                Code::NotFound,
                format!("nothing of {text:?} runs any more; `restart` starts it again"),
            ));
        }
        let sent = taken.iter().filter(|taken| **taken).count();
        Ok(SendReply { sent, refused: taken.len() - sent })
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

    /// Starts again what the target names: one run, or of each session its active runs, else its newest.
    ///
    /// # Errors
    /// Why the first could not be started again, when none could.
    pub async fn restart(&self, target: Target, permit: &Permit) -> Result<RestartReply> {
        let (text, permit) = (target.to_string(), permit.clone());
        let runs = self.with(move |table| table.to_restart(&target, &permit)).await??;
        let ended: Vec<(RunHandle, Result<RunReply>)> = join_all(runs.into_iter().map(|run| async {
            let outcome = self.restart_one(&run).await;
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

    async fn restart_one(&self, run: &RunHandle) -> Result<RunReply> {
        self.kill_runs(std::slice::from_ref(run), Kill { signal: None, grace: DEFAULT_GRACE }).await?;
        let session_id = run.session_id.clone();
        let named = self
            .with(move |table| {
                let terminal_name = table.next_terminal_name(&session_id);
                let session = table.sessions.iter().find(|session| session.id == session_id);
                session.map(|session| (session.name.clone(), terminal_name))
            })
            .await?;
        let (session_name, terminal_name) = named.ok_or_else(run_gone)?;
        let given = terminal_name.clone();
        let restarted = ask(run, |reply| Ask::Restart { terminal_name: given, reply }).await.ok_or_else(run_gone)??;
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
}
