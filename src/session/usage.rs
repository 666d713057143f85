//! What the runs' process trees use, looked up while somebody looks.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Supervisor,
    supervisor::gone,
    table::{Sample, Table},
};
use crate::{
    process,
    protocol::{Result, RunId, SessionsReply},
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
        let used = tokio::task::spawn_blocking(move || process::usage(&pids)).await.map_err(|_| gone())?;
        let used: Vec<_> = shims.into_iter().map(|(run, _)| run).zip(used).collect();
        let usage = self
            .with(move |table| {
                used.into_iter()
                    .map(|(run, used)| {
                        let percent = sample(table, &run, used.ticks);
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
fn sample(table: &mut Table, run: &RunId, ticks: u64) -> f64 {
    let now = Instant::now();
    let last = table.samples.get(run).copied();
    match last {
        Some(last) if now - last.at < SAMPLE_INTERVAL => return last.percent,
        _ => {}
    }
    let percent = last.map_or(0.0, |last| {
        // A tree that lost a process has used less in all than before: that is no use at all.
        let used = ticks.saturating_sub(last.ticks);
        #[allow(clippy::cast_precision_loss, reason = "ticks since the last look are few")]
        let seconds = used as f64 / ticks_a_second();
        (seconds / (now - last.at).as_secs_f64() * 1000.0).round() / 10.0
    });
    table.samples.insert(run.clone(), Sample { ticks, at: now, percent });
    percent
}

#[allow(clippy::cast_precision_loss, reason = "it is 100 on Linux")]
fn ticks_a_second() -> f64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64
}
