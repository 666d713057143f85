//! `termi tail`.

use std::process::ExitCode;

use super::{Failure, Outcome, connection::Connection, output, target::one_run};
use crate::protocol::{
    Lines, LinesParams, LinesReply, RunId, Snapshot, SnapshotFormat, SnapshotLine, SnapshotParams, Target,
};

/// How long one question for more lines waits; another follows it.
const WAIT_MS: u64 = 60_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Lines are as the program printed them, however wide its terminal is. What a full-screen program \
    draws is no line: --screen shows that."
)]
pub struct Args {
    /// Target: a session's id, unique prefix or name, or SESSION:RUN; of a session with several runs, the last active one's
    #[arg(add = super::candidates::run())]
    target: Target,
    /// How many of the last lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Goes on with what is printed, until the run ends
    #[arg(long, short)]
    follow: bool,
    /// The screen as it is now instead
    #[arg(long, conflicts_with_all = ["follow", "lines"])]
    screen: bool,
    /// Each answer as JSON on a line: {lines, next, dropped, ended}, or with --screen {lines, cursor, size, title, …}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    let mut connection = Connection::open().await?;
    let run_id = one_run(&mut connection, &args.target).await?.run.run_id;
    if args.screen {
        let params = || SnapshotParams { run_id: run_id.clone(), format: SnapshotFormat::Text, scrollback: 0 };
        let snapshot = connection.read::<Snapshot>(params).await?;
        if args.json {
            output::json(&snapshot)?;
            return Ok(ExitCode::SUCCESS);
        }
        let text = |line| match line {
            SnapshotLine::Text(text) => text,
            SnapshotLine::Spans(line) => line.text,
        };
        let rows: Vec<String> = snapshot.lines.into_iter().map(text).collect();
        let end = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        output::lines(&rows[..end])?;
        return Ok(ExitCode::SUCCESS);
    }
    let print = |reply: &LinesReply| if args.json { output::json(reply) } else { output::lines(&reply.lines) };
    if args.follow {
        follow(&mut connection, run_id, Some(args.lines), print).await?;
    } else {
        // What a program asks stands in an unfinished line.
        let params = LinesParams { run_id, from: None, last: Some(args.lines), partial: true, wait_ms: None };
        print(&connection.read::<Lines>(|| params.clone()).await?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives the lines of a run to `print`, the `last` ones or all that are kept, until it ends. A line is given once, when
/// it is whole. A re-exec of the daemon makes no gap.
pub async fn follow(
    connection: &mut Connection,
    run_id: RunId,
    last: Option<usize>,
    print: impl Fn(&LinesReply) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut params = LinesParams { run_id, from: None, last, partial: false, wait_ms: None };
    loop {
        let reply = connection.read::<Lines>(|| params.clone()).await?;
        if reply.dropped > 0 {
            super::print_error(&format!(
                "{} lines are missing here: they came faster than they were read",
                reply.dropped
            ));
        }
        print(&reply)?;
        if reply.ended {
            return Ok(());
        }
        (params.from, params.last, params.wait_ms) = (Some(reply.next), None, Some(WAIT_MS));
    }
}
