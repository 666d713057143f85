//! `termi kill`.

use std::process::ExitCode;

use serde::Serialize;

use super::{
    FAILED, Outcome,
    connection::Connection,
    output,
    target::{Refused, each},
};
use crate::protocol::{Kill, KillParams, KillReply, SignalSpec, Target};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Target: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    #[arg(required = true, add = super::candidates::active_targets())]
    targets: Vec<Target>,
    /// The first signal, by name or number (default: HUP, then TERM)
    #[arg(long, short, add = super::candidates::signals())]
    signal: Option<String>,
    /// How long processes have before SIGKILL: 2 (seconds, the default), 500ms, 0 (none)
    #[arg(long, value_name = super::duration::VALUE, value_parser = super::duration::parse_or_zero)]
    grace: Option<u64>,
    /// Print the answer as JSON: {killed, total, processes, failed}
    #[arg(long)]
    json: bool,
}

/// What came of all targets together.
#[derive(Debug, Serialize)]
struct Sum {
    #[serde(flatten)]
    killed: KillReply,
    failed: Vec<Refused>,
}

pub async fn run(args: Args) -> Outcome {
    let mut connection = Connection::open().await?;
    let signal = args.signal.map(|text| text.parse().map_or(SignalSpec::Name(text), SignalSpec::Number));
    let params = |target| KillParams { target, signal: signal.clone(), grace_ms: args.grace };
    let each = each::<Kill>(&mut connection, args.targets, params, |_, _| None).await?;
    let mut sum = KillReply::default();
    for KillReply { killed, total, processes } in &each.replies {
        sum.killed += killed;
        sum.total += total;
        sum.processes += processes;
    }
    let all = sum.killed == sum.total && each.failed.is_empty();
    if args.json {
        output::json(&Sum { killed: sum, failed: each.failed })?;
    } else if !each.replies.is_empty() {
        // Of a run that has ended it may have ended what lived on.
        let of_ended = if sum.total == 0 && sum.processes > 0 {
            format!("; ended {} that lived on", sum.processes)
        } else {
            String::new()
        };
        output::line(&format!("Killed {}/{} processes{of_ended}", sum.killed, sum.total))?;
    }
    Ok(if all { ExitCode::SUCCESS } else { FAILED.into() })
}
