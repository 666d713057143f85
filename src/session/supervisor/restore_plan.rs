//! What a supervisor's sessions are started again from when everything else is gone, as after a reboot.

use futures::future::join_all;

use super::{Supervisor, table::Session};
use crate::{
    protocol::Result,
    session::{
        message::{RunHandle, RunMessage},
        snapshot::outline::SessionOutline,
    },
};

impl Supervisor {
    /// All sessions with runs that have not ended; with the last `lines` lines of each run's text, if asked for.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn outline(&self, lines: Option<usize>) -> Result<Vec<SessionOutline>> {
        let sessions: Vec<(SessionOutline, Vec<RunHandle>)> = self
            .with(|table| {
                let outline = |session: &Session| SessionOutline {
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
            let told = join_all(runs.iter().map(|run| run.call(|reply| RunMessage::Outline { lines, reply }))).await;
            session.runs = told.into_iter().flatten().flatten().collect();
            if !session.runs.is_empty() {
                outlines.push(session);
            }
        }
        Ok(outlines)
    }
}
