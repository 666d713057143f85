//! `termi ls`.

use std::process::ExitCode;

use super::{Failure, Outcome, connection::Connection, output, status_text, target::matching};
use crate::{
    protocol::{Empty, Sessions, SessionsReply, Target},
    units,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these: a session's id, unique prefix or name, `group:NAME`, or `all`
    #[arg(add = super::candidates::targets())]
    target: Option<Target>,
    /// The whole answer as JSON
    #[arg(long)]
    json: bool,
}

/// How a run is, and what of it lives on: `exited 0, 2 live on`.
fn with_left(status: String, left: usize) -> String {
    match left {
        0 => status,
        1 => format!("{status}, 1 lives on"),
        _ => format!("{status}, {left} live on"),
    }
}

pub async fn run(args: Args) -> Outcome {
    let mut sessions = match Connection::open().await {
        Ok(mut connection) => connection.read::<Sessions>(|| Empty {}).await?,
        // Where there is no daemon there are no sessions.
        Err(Failure::NobodyThere(_)) => SessionsReply::new(),
        Err(error) => return Err(error),
    };
    if let Some(target) = &args.target {
        sessions = matching(sessions, target).into_iter().collect();
        if sessions.is_empty() && *target != Target::All {
            return Err(Failure::NotFound(format!("there is no session {:?}", target.to_string())));
        }
    }
    if args.json {
        output::json(&sessions)?;
        return Ok(ExitCode::SUCCESS);
    }
    if sessions.is_empty() {
        output::line("no sessions; `termi run COMMAND` starts one")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut runs = Vec::new();
    for (id, session) in &sessions {
        runs.extend(session.processes.iter().map(|run| ((session.created_at, id), session, run)));
    }
    // In the order in which sessions and their runs were made: what is started again stays in its place.
    runs.sort_by_key(|(order, ..)| *order);
    let rows: Vec<[String; 7]> = runs
        .into_iter()
        .map(|(_, session, run)| {
            [
                session.name.clone(),
                run.run_id.short().to_owned(),
                session.group.clone().unwrap_or_default(),
                with_left(status_text(run.status, run.exit), run.left_running),
                run.pid.to_string(),
                units::age(run.duration_ms),
                output::one_line(&run.command),
            ]
        })
        .collect();
    output::table(["SESSION", "RUN", "GROUP", "STATUS", "PID", "AGE", "COMMAND"], &rows)?;
    Ok(ExitCode::SUCCESS)
}
