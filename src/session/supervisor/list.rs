//! The list of sessions and their runs, as `sessions` replies it.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;

use super::{Supervisor, access::Permit};
use crate::{
    protocol::{Result, SessionId, SessionInfo, SessionsReply, Status},
    session::{
        message::{Published, RunHandle, RunMessage},
        snapshot::time::unix_ms,
    },
};

/// How long a list waits for a run, which answers in microseconds unless it stands still.
const LIST_TIMEOUT: Duration = Duration::from_millis(250);

impl Supervisor {
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
}

/// What a run is. One that does not answer in time is as it was when it last did.
async fn listed(run: &RunHandle) -> Option<Arc<Published>> {
    match tokio::time::timeout(LIST_TIMEOUT, run.call(RunMessage::Info)).await {
        Ok(told) => told,
        Err(_) => run.published.borrow().clone(),
    }
}
