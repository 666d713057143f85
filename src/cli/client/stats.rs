//! `termi stats`.

use std::process::ExitCode;

use clap::ValueEnum;

use super::{Failure, Outcome, connection::Connection, output, status_text};
use crate::{
    history, paths,
    protocol::{Stats, StatsBy, StatsParams, StatsRow},
    units,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Text that the command, session's name, label, group or reason holds
    query: Option<String>,
    /// What runs are put together by
    #[arg(long, value_enum, default_value = "command")]
    by: By,
    /// Only of this group
    #[arg(long, short, add = super::candidates::groups())]
    group: Option<String>,
    /// Only runs that started in this directory
    #[arg(long, short = 'C', value_hint = clap::ValueHint::DirPath)]
    cwd: Option<String>,
    /// Show at most this many rows
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    /// The answer as JSON: {by, rows, total}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// The whole command
    Command,
    /// The program
    Program,
    /// The session's name
    Session,
    /// The group
    Group,
    /// The directory
    Cwd,
}

impl From<By> for StatsBy {
    fn from(by: By) -> Self {
        match by {
            By::Command => Self::Command,
            By::Program => Self::Program,
            By::Session => Self::Session,
            By::Group => Self::Group,
            By::Cwd => Self::Cwd,
        }
    }
}

pub async fn run(args: Args) -> Outcome {
    let params = StatsParams {
        by: args.by.into(),
        query: args.query,
        group: args.group,
        cwd: args.cwd,
        limit: Some(args.limit),
    };
    let reply = match Connection::open().await {
        Ok(mut connection) => connection.read::<Stats>(|| params.clone()).await?,
        // They are made from a file: whoever wrote it need not run.
        Err(Failure::NobodyThere(_)) => history::stats(&paths::state_path(), &params),
        Err(error) => return Err(error),
    };
    if args.json {
        output::json(&reply)?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |row: &StatsRow| {
        [
            row.count.to_string(),
            row.failures.to_string(),
            units::duration(row.median_ms),
            units::duration(row.p95_ms),
            status_text(row.last_status, Some(row.last_exit)),
            output::one_line(&row.key),
        ]
    };
    let rows: Vec<_> = reply.rows.iter().map(row).collect();
    if rows.is_empty() {
        let is_filtered = params.query.is_some() || params.group.is_some() || params.cwd.is_some();
        output::line(if is_filtered { "no run in the history matches" } else { "no run has ended yet" })?;
        return Ok(ExitCode::SUCCESS);
    }
    let key = match args.by {
        By::Command => "COMMAND",
        By::Program => "PROGRAM",
        By::Session => "SESSION",
        By::Group => "GROUP",
        By::Cwd => "DIRECTORY",
    };
    output::table(["RUNS", "FAILED", "MEDIAN", "95%", "LAST", key], &rows)?;
    Ok(ExitCode::SUCCESS)
}
