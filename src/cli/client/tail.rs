//! `termi tail`.

use std::process::ExitCode;

use super::{Outcome, connect, output, target::one_run};
use crate::protocol::{Lines, LinesParams, Snapshot, SnapshotFormat, SnapshotLine, SnapshotParams, Target};

/// How long one question for more lines waits; another follows it.
const WAIT_MS: u64 = 60_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Lines are as the program printed them, however wide its terminal is. What a full-screen program \
    draws is no line: --screen shows that."
)]
pub struct Args {
    /// Whose: a session's id, unique prefix or name, or SESSION:RUN; of a session with several runs, the last active one's
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
    let (client, _inbox) = connect().await?;
    let run_id = one_run(&client, &args.target).await?.run.run_id;
    if args.screen {
        let params = SnapshotParams { run_id, format: SnapshotFormat::Text, scrollback: 0 };
        let snapshot = client.call::<Snapshot>(params).await?;
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
    let mut wish = LinesParams {
        run_id,
        from: None,
        last: Some(args.lines),
        // What a program asks stands in an unfinished line. One that is followed is told once, when it is whole.
        partial: !args.follow,
        wait_ms: None,
    };
    loop {
        let reply = client.call::<Lines>(wish.clone()).await?;
        if reply.dropped > 0 {
            super::complain(&format!("{} lines are missing here: they came faster than they were read", reply.dropped));
        }
        if args.json {
            output::json(&reply)?;
        } else {
            output::lines(&reply.lines)?;
        }
        if !args.follow || reply.ended {
            return Ok(ExitCode::SUCCESS);
        }
        (wish.from, wish.last, wish.wait_ms) = (Some(reply.next), None, Some(WAIT_MS));
    }
}
