//! `termi wait`.

use std::process::ExitCode;

use super::{Outcome, TIMED_OUT, connect, exit_code, output, run::seconds};
use crate::protocol::{Target, Until, Wait, WaitParams, WaitReason};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: the program's own when it ended (128 and the number for a signal), 0 when the \
    pattern came or the run fell silent, 124 when the time was up, 125 when Termi could not wait.")]
pub struct Args {
    /// Whom: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    target: Target,
    #[command(flatten)]
    until: For,
    /// Gives up after so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
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
    /// Until a line matches this regular expression, from the run's first line on
    #[arg(long, value_name = "RE")]
    pattern: Option<String>,
    /// Until there was no output for so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    idle: Option<u64>,
}

pub async fn run(args: Args) -> Outcome {
    let (client, _inbox) = connect().await?;
    let until = match args.until {
        For { pattern: Some(pattern), .. } => Until::Pattern(pattern),
        For { idle: Some(ms), .. } => Until::IdleMs(ms),
        For { .. } => Until::Exit,
    };
    let reply = client.call::<Wait>(WaitParams { target: args.target, until, timeout_ms: args.timeout }).await?;
    if args.json {
        output::json(&reply)?;
    } else if let Some(line) = &reply.line {
        output::line(line)?;
    }
    Ok(match reply.reason {
        WaitReason::Exit => exit_code(None, reply.exit),
        WaitReason::Pattern | WaitReason::Idle => ExitCode::SUCCESS,
        WaitReason::Timeout => TIMED_OUT.into(),
    })
}
