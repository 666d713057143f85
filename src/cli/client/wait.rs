//! `termi wait`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use super::{NO_MATCH, Outcome, TIMED_OUT, complain, connection::Connection, duration, exit_code, output};
use crate::protocol::{Target, Until, Wait, WaitParams, WaitReason};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: the program's own when it ended (128 plus the number of a signal); with \
    --pattern 0 when a line matched and 1 when the program ended without one; with --idle 0 when the run fell silent; \
    124 timed out; 125 Termi could not wait.")]
pub struct Args {
    /// Target: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    #[arg(add = super::candidates::targets())]
    target: Target,
    #[command(flatten)]
    until: For,
    /// Give up after this long: 30 (seconds), 500ms, 10m
    #[arg(long, value_name = duration::VALUE, value_parser = duration::parse)]
    timeout: Option<u64>,
    /// The answer as JSON: {reason, exit?, line?}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = false, multiple = false)]
struct For {
    /// Until every run of the target has ended (what is waited for by default)
    #[arg(long)]
    exit: bool,
    /// Until a line matches this regular expression, from the oldest line on that the host still holds
    #[arg(long, value_name = "RE")]
    pattern: Option<String>,
    /// Until there was no output for this long
    #[arg(long, value_name = duration::VALUE, value_parser = duration::parse)]
    idle: Option<u64>,
}

pub async fn run(args: Args) -> Outcome {
    let mut connection = Connection::open().await?;
    let until = match args.until {
        For { pattern: Some(pattern), .. } => Until::Pattern(pattern),
        For { idle: Some(ms), .. } => Until::IdleMs(ms),
        For { .. } => Until::Exit,
    };
    let for_pattern = matches!(until, Until::Pattern(_));
    let deadline = args.timeout.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
    let params = || WaitParams { target: args.target.clone(), until: until.clone(), timeout_ms: left(deadline) };
    let reply = connection.read::<Wait>(params).await?;
    if args.json {
        output::json(&reply)?;
    } else if let Some(line) = &reply.line {
        output::line(line)?;
    }
    Ok(match reply.reason {
        WaitReason::Exit if for_pattern => {
            complain(&format!("{} ended, and no line matched", args.target));
            NO_MATCH.into()
        }
        WaitReason::Exit => exit_code(None, reply.exit),
        WaitReason::Pattern | WaitReason::Idle => ExitCode::SUCCESS,
        WaitReason::Timeout => TIMED_OUT.into(),
    })
}

/// What is left until a moment, in milliseconds: at least one, as the host wants it.
fn left(deadline: Option<Instant>) -> Option<u64> {
    let left = deadline?.saturating_duration_since(Instant::now()).as_millis();
    Some(u64::try_from(left).unwrap_or(u64::MAX).max(1))
}
