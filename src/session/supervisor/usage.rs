//! What the runs' process trees use, looked up while somebody looks.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Supervisor,
    table::{Sample, Table},
};
use crate::{
    process,
    protocol::{Result, RunId, SessionsReply},
    session::error::gone,
};

/// The least time between two looks at what processes use.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

impl Supervisor {
    /// Fills in what the runs' process trees use.
    pub(super) async fn add_usage(&self, sessions: &mut SessionsReply, shims: Vec<(RunId, i32)>) -> Result<()> {
        if shims.is_empty() {
            return Ok(());
        }
        let pids: Vec<i32> = shims.iter().map(|(_, shim)| *shim).collect();
        let look = move || (process::usage(&pids), Instant::now());
        let (used, at) = tokio::task::spawn_blocking(look).await.map_err(|_| gone())?;
        let used: Vec<_> = shims.into_iter().zip(used).collect();
        let usage = self
            .with(move |table| {
                used.into_iter()
                    .map(|((run, shim), used)| {
                        let percent = sample(table, &run, shim, used.ticks, at);
                        (run, (percent, used))
                    })
                    .collect::<HashMap<_, _>>()
            })
            .await?;
        let page_bytes = process::page_bytes();
        for session in sessions.values_mut() {
            for run in &mut session.processes {
                if let Some((percent, used)) = usage.get(&run.run_id) {
                    (run.cpu_percent, run.memory_bytes) = (Some(*percent), Some(used.pages * page_bytes));
                    run.process_count = Some(used.processes);
                }
            }
            session.memory_bytes = session.processes.iter().filter_map(|run| run.memory_bytes).reduce(|a, b| a + b);
            session.cpu_percent = session.processes.iter().filter_map(|run| run.cpu_percent).reduce(|a, b| a + b);
        }
        Ok(())
    }
}

/// Processor use since the last look, in percent of one core.
fn sample(table: &mut Table, run: &RunId, shim: i32, ticks: u64, at: Instant) -> f64 {
    let last = table.samples.get(run).copied().filter(|last| last.shim == shim);
    // Two looks may be noted in another order than they were made in.
    let since = last.map(|last| (last, at.saturating_duration_since(last.at)));
    if let Some((last, _)) = since.filter(|(_, since)| *since < SAMPLE_INTERVAL) {
        return last.percent;
    }
    let percent = since.map_or(0.0, |(last, since)| {
        let used = ticks.saturating_sub(last.ticks);
        #[allow(clippy::cast_precision_loss, reason = "ticks since the last look are few")]
        let seconds = used as f64 / process::ticks_a_second() as f64;
        (seconds / since.as_secs_f64() * 1000.0).round() / 10.0
    });
    // The time of a tree only grows; a look that missed a part of it is made good by the next.
    let ticks = ticks.max(last.map_or(0, |last| last.ticks));
    // It may have been dismissed meanwhile.
    if table.runs().any(|known| known.run_id == *run) {
        table.samples.insert(run.clone(), Sample { shim, ticks, at, percent });
    }
    percent
}
