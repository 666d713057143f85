//! `termi doctor`.

use std::process::ExitCode;

use super::{Failure, Outcome, connection::Connection, output};
use crate::{
    protocol::{Empty, Health, HealthCheck, HealthStatus},
    session,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 when everything works, 1 when something does not.")]
pub struct Args {
    /// The answer as JSON: {status, checks: [{name, status, detail, advice?}]}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    let report = match Connection::open().await {
        Ok(mut connection) => connection.read::<Health>(|| Empty {}).await?,
        // What there is to see without one.
        Err(Failure::NobodyThere(socket)) => session::health_without_host(&socket),
        Err(error) => return Err(error),
    };
    if args.json {
        output::json(&report)?;
    } else {
        output::lines(&report.checks.iter().map(line).collect::<Vec<_>>())?;
    }
    Ok(if report.status == HealthStatus::Error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(check: &HealthCheck) -> String {
    let status = match check.status {
        HealthStatus::Ok => "ok",
        HealthStatus::Warn => "warn",
        HealthStatus::Error => "error",
    };
    let whom = check.session_name.as_deref().unwrap_or(&check.name);
    let advice = check.advice.as_ref().map(|advice| format!("\n       {}", output::one_line(advice)));
    let detail = output::one_line(&check.detail);
    format!("{status:<6} {whom}: {detail}{}", advice.unwrap_or_default())
}
