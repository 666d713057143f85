//! What a server must know of its sessions to judge who calls.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures::future::join_all;

use super::{Supervisor, run::Ask, supervisor::ask};
use crate::protocol::{Result, RunId, SessionId, Target};

/// From a program's first word to its run being known it is a matter of milliseconds.
const STARTING_PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A session that a call is about, seen from the session that the caller runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Its name.
    pub name: String,
    /// It is the caller's own.
    pub is_own: bool,
    /// It is in the caller's group.
    pub same_group: bool,
}

/// How a call names what it is about.
#[derive(Debug, Clone)]
pub enum Named {
    /// By a target.
    Target(Target),
    /// By a run's whole id.
    Run(RunId),
}

impl Supervisor {
    /// The session whose program a shim watches over.
    pub async fn session_of_shim(&self, shim: i32) -> Option<SessionId> {
        let until = Instant::now() + STARTING_PATIENCE;
        loop {
            let (runs, starting) = self
                .with(|table| {
                    let starting = table.sessions.iter().any(|session| session.starting > 0);
                    (table.runs().cloned().collect::<Vec<_>>(), starting)
                })
                .await
                .ok()?;
            let shims = join_all(runs.iter().map(|run| ask(run, Ask::Shim))).await;
            let found = shims.into_iter().zip(&runs).find(|(pid, _)| pid.flatten() == Some(shim));
            // A program may be quicker to call than its run is to be known.
            if found.is_some() || !starting || Instant::now() > until {
                return found.map(|(_, run)| run.session_id.clone());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The sessions that a call is about, for a caller in session `own`.
    ///
    /// # Errors
    /// When there is no such session or run, or several.
    pub async fn touched_by(&self, named: Named, own: SessionId) -> Result<Vec<Touched>> {
        self.with(move |table| {
            let group = table.sessions.iter().find(|session| session.id == own).and_then(|own| own.group.clone());
            let runs = match &named {
                Named::Target(target) => table.resolve(target)?,
                Named::Run(run) => vec![table.run(run)?],
            };
            let named = table.sessions.iter().filter(|session| runs.iter().any(|run| run.session_id == session.id));
            Ok(named
                .map(|session| Touched {
                    name: session.name.clone(),
                    is_own: session.id == own,
                    same_group: group.is_some() && session.group == group,
                })
                .collect())
        })
        .await?
    }

    /// Which of these runs a target names, if one.
    ///
    /// # Errors
    /// When there is no such session or run, or several.
    pub async fn named_among(&self, target: &Target, runs: HashSet<RunId>) -> Result<Option<RunId>> {
        if runs.is_empty() {
            return Ok(None);
        }
        let named = self.resolve(target.clone()).await?;
        Ok(named.into_iter().map(|run| run.run_id).find(|run| runs.contains(run)))
    }

    /// How many sessions there are, and how many of their runs have not ended.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn counts(&self) -> Result<(usize, usize)> {
        self.with(|table| {
            let active = table.runs().filter(|run| !table.ended.contains(&run.run_id)).count();
            (table.sessions.len(), active)
        })
        .await
    }
}
