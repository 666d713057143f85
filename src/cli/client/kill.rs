//! `termi kill`.

use std::process::ExitCode;

use super::{FAILED, Outcome, connect, output};
use crate::protocol::{Kill, KillParams, KillReply, SignalSpec, Target};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whom: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    #[arg(required = true)]
    targets: Vec<Target>,
    /// The first signal, by name or number (default: HUP, then TERM)
    #[arg(long, short)]
    signal: Option<String>,
    /// How long processes have before SIGKILL: 2 (seconds, the default), 500ms
    #[arg(long, value_name = super::duration::VALUE, value_parser = super::duration::parse)]
    grace: Option<u64>,
    /// The answer as JSON: {killed, total, processes}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    let (client, _inbox) = connect().await?;
    let signal = args.signal.map(|text| text.parse().map_or(SignalSpec::Name(text), SignalSpec::Number));
    let mut sum = KillReply::default();
    for target in args.targets {
        let params = KillParams { target, signal: signal.clone(), grace_ms: args.grace };
        let KillReply { killed, total, processes } = client.call::<Kill>(params).await?;
        sum.killed += killed;
        sum.total += total;
        sum.processes += processes;
    }
    if args.json {
        output::json(&sum)?;
    } else {
        output::line(&format!("Killed {}/{} processes", sum.killed, sum.total))?;
    }
    Ok(if sum.killed == sum.total { ExitCode::SUCCESS } else { FAILED.into() })
}
