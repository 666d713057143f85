//! Handover of all sessions to the process that takes this one's place (re-exec).

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{Instrument, info_span};

use super::{
    Supervisor,
    lifecycle::Lifecycle,
    table::{Session, Table},
};
use crate::{
    protocol::{Code, Error, Result},
    session::{
        message::{Desired, MAILBOX_CAPACITY, RunHandle, RunMessage},
        run::Run,
        snapshot::{
            state::{SavedSession, State},
            time::unix_ms,
        },
    },
};

/// How long a program that is just being started or restarted may hold the freeze up: one that is restarted has its
/// grace to end first.
const STARTING_TIMEOUT: Duration = Duration::from_secs(8);
/// A run stops between two of its turns; one that just starts its program again takes longer.
const FREEZE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Every run stands still: nothing is read, nothing is written. They go on when this is dropped.
pub struct Frozen {
    /// What they were when they stopped.
    pub state: State,
    supervisor: Supervisor,
    _thaw: watch::Sender<()>,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let supervisor = self.supervisor.clone();
        tokio::spawn(async move {
            // A supervisor that is gone has nothing to go on with.
            let _ = supervisor.with(|table| table.paused = false).await;
        });
    }
}

/// Clients wait with what is typed until this is dropped.
pub struct InputHold {
    /// Has a receiver for each client that has not taken note.
    untold: Arc<watch::Sender<()>>,
    supervisor: Supervisor,
}

impl InputHold {
    /// Waits until all clients have taken note, those that came meanwhile too, and what they had sent before is with
    /// its runs; at the latest for `patience`. False when one has not.
    pub async fn is_noted(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.untold.closed()).await.is_ok()
    }
}

impl Drop for InputHold {
    fn drop(&mut self) {
        let supervisor = self.supervisor.clone();
        tokio::spawn(async move {
            // Clients of a supervisor that is gone are gone too.
            let _ = supervisor.with(Table::release_input).await;
        });
    }
}

/// Waits a moment, unless it is too late.
async fn wait_until(until: Instant, why: &str) -> Result<()> {
    if Instant::now() > until {
        return Err(Error::new(Code::StartFailed, why));
    }
    tokio::time::sleep(POLL_INTERVAL).await;
    Ok(())
}

impl Supervisor {
    /// Tells every client to wait with what is typed until the result is dropped.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn hold_input(&self) -> Result<InputHold> {
        let untold = self.with(Table::hold_input).await?;
        Ok(InputHold { untold, supervisor: self.clone() })
    }

    /// Stops every run where it is, and puts everything down. `drained` is waited for just before: it ends when no call
    /// that changes something is under way.
    ///
    /// # Errors
    /// When the host is ending, or a program takes too long to start; everything goes on then.
    pub async fn freeze(&self, drained: impl Future<Output = ()>) -> Result<Frozen> {
        let until = Instant::now() + STARTING_TIMEOUT;
        // What is started or ended one after another is begun and over on one side.
        let paused = |table: &mut Table| {
            table.paused |= Arc::strong_count(&table.sequences) == 1;
            table.paused
        };
        while !self.with(paused).await? {
            let why = "an `up` or `down` is still under way; try again when it has returned";
            wait_until(until, why).await?;
        }
        let (thaw, frozen) = watch::channel(());
        let mut frozen_state = Frozen {
            state: State {
                sessions: Vec::new(),
                settings: self.settings.told(),
                templates: std::collections::BTreeMap::new(),
                ended: Vec::new(),
                last_terminal_ms: 0,
            },
            supervisor: self.clone(),
            _thaw: thaw,
        };
        self.until_none_starts(until).await?;
        drained.await;
        // One that had begun by then.
        self.until_none_starts(until).await?;
        let table_thaw = frozen.clone();
        let (sessions, settings, templates, ended, last_terminal) = self
            .with(|table| {
                // What changes it from here on waits: nobody is to be told of a change that the next process has not.
                table.frozen = Some(table_thaw);
                let sessions = table.sessions.iter().map(|session| {
                    let saved = SavedSession {
                        id: session.id.clone(),
                        name: session.name.clone(),
                        label: session.label.clone(),
                        group: session.group.clone(),
                        cwd: session.cwd.clone().into_os_string(),
                        transcript_limit: session.transcript_limit,
                        created_at_ms: unix_ms(session.created_at),
                        limits: session.limits.clone(),
                        keep: session.keep,
                        runs: Vec::new(),
                    };
                    (saved, session.runs.clone())
                });
                (
                    sessions.collect::<Vec<_>>(),
                    table.settings.told(),
                    table.templates.clone(),
                    table.lifecycle.put_down(),
                    table.last_terminal,
                )
            })
            .await?;
        (frozen_state.state.settings, frozen_state.state.ended) = (settings, ended);
        frozen_state.state.templates = templates;
        frozen_state.state.last_terminal_ms = u64::try_from(last_terminal).unwrap_or(u64::MAX);
        for (mut session, runs) in sessions {
            for run in runs {
                let (reply, saved) = oneshot::channel();
                let freeze = RunMessage::Freeze { reply, thaw: frozen.clone() };
                // A run that was dismissed meanwhile is not there to be carried over.
                if run.mailbox.send(freeze).await.is_err() {
                    continue;
                }
                match tokio::time::timeout(FREEZE_TIMEOUT, saved).await {
                    Ok(Ok(saved)) => session.runs.push(*saved),
                    Ok(Err(_)) => {}
                    Err(_) => {
                        let why = format!("run {} does not stop where it is; try again", run.run_id.short());
                        return Err(Error::new(Code::StillRunning, why));
                    }
                }
            }
            if !session.runs.is_empty() {
                frozen_state.state.sessions.push(session);
            }
        }
        frozen_state.state.add_late_ends();
        // What waits for the disk would go with this process.
        if let Some(disk) = &self.services.disk {
            disk.flush().await;
        }
        Ok(frozen_state)
    }

    /// Waits until no program is being started or restarted.
    async fn until_none_starts(&self, until: Instant) -> Result<()> {
        while self.with(|table| table.lifecycle.is_under_way()).await? {
            wait_until(until, "a program is still being started or restarted; try again when it runs").await?;
        }
        Ok(())
    }

    /// Takes up what another process put down.
    ///
    /// # Errors
    /// When a descriptor cannot be watched.
    pub async fn take_over(&self, state: State) -> std::io::Result<()> {
        let mut sessions: Vec<Session> = Vec::new();
        let mut carried_over = Vec::new();
        let mut lives_on = HashSet::new();
        for saved in state.sessions {
            let mut session = Session {
                id: saved.id,
                name: saved.name,
                label: saved.label,
                group: saved.group,
                cwd: saved.cwd.into(),
                transcript_limit: saved.transcript_limit,
                transcript_share: watch::Sender::new(saved.transcript_limit / saved.runs.len().max(1)),
                runs: Vec::new(),
                announced: true,
                created_at: UNIX_EPOCH + Duration::from_millis(saved.created_at_ms),
                limits: saved.limits,
                keep: saved.keep,
            };
            for run in saved.runs {
                let (run_id, template) = (run.run_id.clone(), run.template.clone());
                // As long as it has a shim, something may.
                if run.shim.is_some() && !run.settled {
                    lives_on.insert(run_id.clone());
                }
                let (mailbox, messages) = mpsc::channel(MAILBOX_CAPACITY);
                let (services, own) = (self.services.clone(), mailbox.downgrade());
                let (desired, desires) = Desired::new(session.name.clone());
                let share = session.transcript_share.subscribe();
                let run = Run::restore(run, session.id.clone(), desires, services, own, share)?;
                let (session_id, published) = (session.id.clone(), run.published());
                session.runs.push(RunHandle { run_id, session_id, mailbox, desired, published, template });
                let span = info_span!("session", id = session.id.short());
                carried_over.push(run.serve(messages).instrument(span));
            }
            sessions.push(session);
        }
        let mut lifecycle = Lifecycle::default();
        for (session, run) in sessions.iter().flat_map(|session| session.runs.iter().map(move |run| (session, run))) {
            let ended = state.ended.iter().find(|(_, ended, _)| *ended == run.run_id).map(|(.., ago)| *ago);
            lifecycle.take_up(&session.id, &run.run_id, ended, lives_on.contains(&run.run_id));
        }
        let gone = |_| std::io::Error::other("the supervisor is gone");
        self.with(move |table| {
            table.sessions = sessions;
            table.templates = state.templates;
            table.settings.take_up(state.settings);
            table.lifecycle = lifecycle;
            table.last_terminal = state.last_terminal_ms.into();
        })
        .await
        .map_err(gone)?;
        // An end that one of them tells of is that of a run which the table has.
        for run in carried_over {
            tokio::spawn(run);
        }
        Ok(())
    }
}
