//! `termi history`.

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Failure, Outcome, connection::Connection, output, status_text};
use crate::{
    history, paths,
    protocol::{History, HistoryParams, HistoryRecord},
    units,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Text that the command, session's name, label, group or reason holds
    query: Option<String>,
    /// Only of this group
    #[arg(long, short, add = super::candidates::groups())]
    group: Option<String>,
    /// Only runs that started in this directory
    #[arg(long, short = 'C', value_hint = clap::ValueHint::DirPath)]
    cwd: Option<String>,
    /// Show at most this many, the newest
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    /// The answer as JSON: {records, total, path}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    let params = HistoryParams {
        query: args.query,
        group: args.group,
        cwd: args.cwd,
        limit: Some(args.limit),
        ..HistoryParams::default()
    };
    let reply = match Connection::open().await {
        Ok(mut connection) => connection.read::<History>(|| params.clone()).await?,
        // It is a file: whoever wrote it need not run.
        Err(Failure::NobodyThere(_)) => history::search(&paths::state_path(), &params),
        Err(error) => return Err(error),
    };
    if args.json {
        output::json(&reply)?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let row = |record: &HistoryRecord| {
        [
            format!("{} ago", units::age(now.saturating_sub(record.ended_at))),
            output::one_line(&record.session_name),
            status_text(record.status, Some(record.exit)),
            units::duration(record.duration_ms),
            output::one_line(&record.command),
        ]
    };
    let rows: Vec<_> = reply.records.iter().map(row).collect();
    if rows.is_empty() {
        let is_filtered = params.query.is_some() || params.group.is_some() || params.cwd.is_some();
        output::line(if is_filtered { "no run in the history matches" } else { "no run has ended yet" })?;
        return Ok(ExitCode::SUCCESS);
    }
    output::table(["ENDED", "SESSION", "STATUS", "TOOK", "COMMAND"], &rows)?;
    Ok(ExitCode::SUCCESS)
}
