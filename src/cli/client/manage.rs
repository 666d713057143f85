//! `termi restart`, `rename`, `rm` and `restore`: what a script does to sessions that are there.

use std::process::ExitCode;

use serde::Serialize;

use super::{
    FAILED, Outcome, candidates,
    connection::Connection,
    output, print_error, status_text,
    target::{Refused, each},
};
use crate::protocol::{
    Code, Empty, Remove, RemoveParams, RemoveReply, Rename, RenameParams, Restart, RestartFailure, RestartParams,
    Restorable, Restore, RestoreParams, RunReply, SessionInfo, Status, Target,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "What has ended and has processes that live on is started again with --force alone.")]
pub struct RestartArgs {
    /// End processes that live on after their run's end, too
    #[arg(long, short)]
    force: bool,
    /// Targets: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all. Of a session its active runs,
    /// or its newest when none is active
    #[arg(required = true, add = candidates::targets())]
    targets: Vec<Target>,
    /// Print the answer as JSON: {restarted, failed}
    #[arg(long)]
    json: bool,
}

/// What came of all targets together.
#[derive(Debug, Serialize)]
struct Restarted {
    restarted: Vec<RunReply>,
    failed: Vec<NotRestarted>,
}

/// What could not be started again.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum NotRestarted {
    Run(RestartFailure),
    Target(Refused),
}

#[derive(Debug, clap::Args)]
pub struct RenameArgs {
    /// The session: its id, unique prefix or name
    #[arg(add = candidates::sessions())]
    session: Target,
    /// Its new name
    name: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Of one session all runs must have ended; of a group, or of all, those that have ended are \
    dismissed. `termi kill` ends runs. What has ended and has processes that live on is removed with --force alone.")]
pub struct RmArgs {
    /// End processes that live on after their run's end, too
    #[arg(long, short)]
    force: bool,
    /// Targets: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    #[arg(required = true, add = candidates::ended_targets())]
    targets: Vec<Target>,
}

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The sessions to start again, by name; default: all
    #[arg(add = candidates::restorable())]
    names: Vec<String>,
    /// List them instead
    #[arg(long, conflicts_with_all = ["forget", "names"])]
    list: bool,
    /// Forget them instead
    #[arg(long)]
    forget: bool,
    /// Print the answer as JSON: {restored, failed}, or with --list {sessions}
    #[arg(long)]
    json: bool,
}

pub async fn restart(args: RestartArgs) -> Outcome {
    let mut connection = Connection::open().await?;
    let each = each::<Restart>(
        &mut connection,
        args.targets,
        |target| RestartParams { target, force: args.force },
        |target, error| {
            (error.code == Code::LivesOn).then(|| {
                format!(
                    "{target} has ended, but processes that it started live on (`termi ls`); `termi restart --force \
                     {target}` ends them and starts it again"
                )
            })
        },
    )
    .await?;
    let mut sum = Restarted { restarted: Vec::new(), failed: Vec::new() };
    for reply in each.replies {
        sum.restarted.extend(reply.restarted);
        for failure in reply.failed {
            let why = match failure.error.code {
                Code::LivesOn => "has ended, but processes that it started live on; repeat the command with --force \
                     to end them and to start it again"
                    .to_owned(),
                _ => failure.error.to_string(),
            };
            print_error(&format!("run {}: {why}", failure.run_id.short()));
            sum.failed.push(NotRestarted::Run(failure));
        }
    }
    sum.failed.extend(each.failed.into_iter().map(NotRestarted::Target));
    if args.json {
        output::json(&sum)?;
    } else {
        for run in &sum.restarted {
            output::line(&output::run_name(run))?;
        }
    }
    Ok(if sum.failed.is_empty() { ExitCode::SUCCESS } else { FAILED.into() })
}

pub async fn rename(args: RenameArgs) -> Outcome {
    let params = || RenameParams { target: args.session.clone(), name: args.name.clone() };
    Connection::open().await?.change::<Rename>(params).await?;
    Ok(ExitCode::SUCCESS)
}

pub async fn rm(args: RmArgs) -> Outcome {
    let mut connection = Connection::open().await?;
    let each = each::<Remove>(
        &mut connection,
        args.targets,
        |target| RemoveParams { target, force: args.force },
        |target, error| match error.code {
            Code::StillRunning => Some(format!("{target} is still active; end it with `termi kill {target}` first")),
            Code::LivesOn => Some(format!(
                "{target} has ended, but processes that it started live on (`termi ls`); `termi rm --force {target}` \
                 ends them"
            )),
            _ => None,
        },
    )
    .await?;
    if !each.replies.is_empty() {
        let sum = |of: fn(&RemoveReply) -> usize| each.replies.iter().map(of).sum::<usize>();
        let (removed, kept, ended) =
            (sum(|reply| reply.removed), sum(|reply| reply.kept), sum(|reply| reply.processes));
        let runs = if removed == 1 { "run" } else { "runs" };
        let and_ended = match ended {
            0 => String::new(),
            1 => " and ended 1 process that lived on".to_owned(),
            ended => format!(" and ended {ended} processes that lived on"),
        };
        output::line(&format!("Removed {removed} {runs}{and_ended}"))?;
        if kept > 0 {
            print_error(&format!("kept {kept} that ended and have processes that live on; --force ends them"));
        }
    }
    Ok(if each.failed.is_empty() { ExitCode::SUCCESS } else { FAILED.into() })
}

pub async fn restore(args: RestoreArgs) -> Outcome {
    let mut connection = Connection::open_or_start().await?;
    if args.list {
        let reply = connection.read::<Restorable>(|| Empty {}).await?;
        if args.json {
            output::json(&reply)?;
            return Ok(ExitCode::SUCCESS);
        }
        let sessions = reply.sessions;
        let rows: Vec<[String; 3]> = sessions
            .into_iter()
            .map(|session| [session.name, session.cwd, session.commands.join("; ")].map(|text| output::one_line(&text)))
            .collect();
        if rows.is_empty() {
            print_error("there is nothing to restore");
        } else {
            output::table(["SESSION", "DIRECTORY", "COMMANDS"], &rows)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let names = (!args.names.is_empty()).then_some(args.names);
    let params = || RestoreParams { names: names.clone(), forget: args.forget };
    let reply = connection.change::<Restore>(params).await?;
    if args.json {
        output::json(&reply)?;
    } else {
        for run in &reply.restored {
            output::line(&output::run_name(run))?;
        }
    }
    for failure in &reply.failed {
        print_error(&format!("session {:?}: {}", failure.name, failure.message));
    }
    if reply.restored.is_empty() && reply.failed.is_empty() && !args.forget && !args.json {
        print_error("there is nothing to restore");
    }
    Ok(if reply.failed.is_empty() { ExitCode::SUCCESS } else { FAILED.into() })
}

/// Whether a session has ended and nothing of it lives on, and how its last run ended.
pub fn has_ended(session: &SessionInfo) -> Option<String> {
    let over = session.processes.iter().all(|run| run.status != Status::Active && run.left_running == 0);
    let last = session.processes.last()?;
    over.then(|| status_text(last.status, last.exit))
}
