//! What of a session is worth remembering, to start it again when everything else is gone.

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    protocol::{CommandSpec, Limits, Result},
    session::{
        run::Ask,
        supervisor::{Supervisor, ask},
        table::RunHandle,
    },
};

/// A session that has runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOutline {
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The folder its runs start in.
    pub cwd: String,
    /// Its runs that have not ended.
    pub runs: Vec<RunOutline>,
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutline {
    /// What was asked for; none is an interactive shell.
    pub cmd: Option<CommandSpec>,
    /// The same as people write it.
    pub command: String,
    /// The folder to start it in: an interactive shell's own by now, else the one it was started in.
    pub cwd: String,
    /// Its timeouts.
    pub timeout_ms: Option<u64>,
    /// The other of them.
    pub idle_timeout_ms: Option<u64>,
    /// Its limits.
    #[serde(default)]
    pub limits: Limits,
    /// The template it was started by, whose own command for coming back would then be used.
    #[serde(default)]
    pub template: Option<String>,
    /// Its last text with escape sequences for looks, if that is to be kept.
    #[serde(default)]
    pub text: Option<Vec<String>>,
}

impl Supervisor {
    /// All sessions with runs that have not ended; with the last `lines` lines of each run's text, if asked for.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn outline(&self, lines: Option<usize>) -> Result<Vec<SessionOutline>> {
        let sessions: Vec<(SessionOutline, Vec<RunHandle>)> = self
            .with(|table| {
                let outline = |session: &super::table::Session| SessionOutline {
                    name: session.name.clone(),
                    label: session.label.clone(),
                    group: session.group.clone(),
                    cwd: session.cwd.to_string_lossy().into_owned(),
                    runs: Vec::new(),
                };
                table.sessions.iter().map(|session| (outline(session), session.runs.clone())).collect()
            })
            .await?;
        let mut outlines = Vec::new();
        for (mut session, runs) in sessions {
            let told = join_all(runs.iter().map(|run| ask(run, |reply| Ask::Outline { lines, reply }))).await;
            session.runs = told.into_iter().flatten().flatten().collect();
            if !session.runs.is_empty() {
                outlines.push(session);
            }
        }
        Ok(outlines)
    }
}
