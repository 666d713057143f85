//! `termi ls`.

use std::process::ExitCode;

use super::{
    Failure, Outcome, agents,
    connection::Connection,
    output::{self, Column, NAME_LEAST},
    status_text,
    target::matching,
};
use crate::{
    protocol::{Empty, Sessions, SessionsReply, Target},
    units,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Where a coding agent runs, the column STATE says what it is doing, as in `termi agents`; of \
    other programs it says how far they are, if they report that. On a terminal that is too narrow, names are cut and \
    columns left out; what is piped is whole.")]
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
    // After the columns that are always there, where scripts find them; absent where nothing has a state.
    let has_states = runs.iter().any(|(.., run)| agents::state_of(run).is_some());
    let rows: Vec<Vec<String>> = runs
        .into_iter()
        .map(|(_, session, run)| {
            let mut row = vec![
                output::one_line(&session.name),
                run.run_id.short().to_owned(),
                output::one_line(session.group.as_deref().unwrap_or_default()),
                with_left(status_text(run.status, run.exit), run.left_running),
                run.pid.to_string(),
                units::age(run.duration_ms),
            ];
            if has_states {
                row.push(agents::state_of(run).unwrap_or_default());
            }
            row.push(output::one_line(&run.command));
            row
        })
        .collect();
    let mut columns = vec![
        Column::new("SESSION").cut_to(NAME_LEAST),
        Column::new("RUN"),
        Column::new("GROUP").cut_to(NAME_LEAST / 2).dropped(2),
        Column::new("STATUS"),
        Column::new("PID").dropped(1),
        Column::new("AGE").dropped(3),
    ];
    if has_states {
        columns.push(Column::new("STATE"));
    }
    columns.push(Column::new("COMMAND"));
    output::fitted_table(&columns, &rows)?;
    Ok(ExitCode::SUCCESS)
}
