//! Restores the sessions of an earlier daemon that ended without a shutdown, as by a reboot.

use std::{collections::HashSet, sync::Arc};

use tokio::sync::{Mutex, watch};

use super::Serving;
use crate::{
    protocol::{
        Error, RestorableReply, RestorableSession, RestoreFailure, RestoreParams, RestoreReply, RunParams, RunReply,
    },
    rpc::ClientEnv,
    session::{RunOutline, SessionOutline, Supervisor},
};

/// Restores sessions, beside whatever else the daemon does: each program may take long to start.
#[derive(Clone)]
pub(super) struct Restorer {
    pub supervisor: Supervisor,
    pub restorable: watch::Sender<Vec<SessionOutline>>,
    /// Held while sessions are being restored: one by one, and not while another binary takes over.
    pub busy: Arc<Mutex<()>>,
    /// The names of sessions of which some runs were started again, and others could not be.
    pub begun: Arc<Mutex<HashSet<String>>>,
}

impl Serving {
    /// What could be started again.
    pub(super) fn restorable(&self) -> RestorableReply {
        let session = |session: &SessionOutline| RestorableSession {
            name: session.name.clone(),
            label: session.label.clone(),
            group: session.group.clone(),
            cwd: session.cwd.clone(),
            commands: session.runs.iter().map(|run| run.command.clone()).collect(),
        };
        RestorableReply { sessions: self.keeper.restorable.borrow().iter().map(session).collect() }
    }
}

impl Restorer {
    /// Starts the named ones, or all. One that cannot be started stays to be tried again.
    pub(super) async fn restore(&self, params: RestoreParams, client_env: &ClientEnv) -> RestoreReply {
        let _busy = self.busy.lock().await;
        let mut reply = RestoreReply { restored: Vec::new(), failed: Vec::new() };
        let mut wanted = self.restorable.borrow().clone();
        wanted.retain(|session| params.names.as_ref().is_none_or(|names| names.contains(&session.name)));
        for name in params.names.iter().flatten() {
            if !wanted.iter().any(|session| session.name == *name) {
                let message = "there is no such session to restore; list what there is first".to_owned();
                reply.failed.push(RestoreFailure { name: name.clone(), message });
            }
        }
        for session in wanted {
            let (runs, left) =
                if params.forget { (Vec::new(), Ok(())) } else { self.restore_session(&session, client_env).await };
            reply.restored.extend(runs.iter().map(|(_, run)| run.clone()));
            if let Err(error) = &left {
                reply.failed.push(RestoreFailure { name: session.name.clone(), message: error.message.clone() });
            }
            // What could not be started of it stays, to be tried again.
            let started: Vec<usize> = runs.iter().map(|(at, _)| *at).collect();
            self.restorable.send_modify(|all| {
                let Some(place) = all.iter().position(|other| *other == session) else { return };
                if left.is_ok() {
                    all.remove(place);
                } else {
                    let mut at = 0..;
                    all[place].runs.retain(|_| at.next().is_none_or(|at| !started.contains(&at)));
                }
            });
        }
        reply
    }

    /// Starts each run of a session that can be started, in the session of its name if some of it runs again already.
    /// Returns which those are, and why the first of the others could not be.
    async fn restore_session(
        &self,
        session: &SessionOutline,
        client_env: &ClientEnv,
    ) -> (Vec<(usize, RunReply)>, Result<(), Error>) {
        let mut runs: Vec<(usize, RunReply)> = Vec::new();
        let mut outcome = Ok(());
        // By its name: it may have been removed meanwhile, and is made anew then.
        let mut into = self.begun.lock().await.contains(&session.name).then(|| session.name.clone());
        for (at, run) in session.runs.iter().enumerate() {
            let mut params = RunParams {
                cmd: run.cmd.clone(),
                name: into.is_none().then(|| session.name.clone()),
                label: session.label.clone().filter(|_| into.is_none()),
                group: session.group.clone().filter(|_| into.is_none()),
                session: into.clone(),
                cwd: Some(run.cwd.clone()),
                timeout_ms: run.timeout_ms,
                idle_timeout_ms: run.idle_timeout_ms,
                limits: Some(run.limits.clone()),
                // A template's own command for coming back (`resume`) goes here, in `cmd`'s place.
                ..RunParams::default()
            };
            client_env.complete(&mut params);
            match self.supervisor.run_under(params, old_text(run)).await {
                Ok(reply) => {
                    into = Some(reply.session_id.as_str().to_owned());
                    runs.push((at, reply));
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        let mut begun = self.begun.lock().await;
        if outcome.is_ok() {
            begun.remove(&session.name);
        } else if !runs.is_empty() {
            begun.insert(session.name.clone());
        }
        (runs, outcome)
    }
}

/// What stands above the new program's first word.
fn old_text(run: &RunOutline) -> String {
    let mut text: String = run.text.iter().flatten().map(|line| format!("{line}\r\n")).collect();
    text.push_str(&format!("\x1b[2m── {} · started again ──\x1b[m\r\n", run.command));
    text
}
