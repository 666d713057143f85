//! `termi wait`.

use std::{
    cell::Cell,
    collections::HashMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Failure, NO_MATCH, Outcome, TIMED_OUT, connection::Connection, duration, exit_code, output, print_error,
    target::runs,
};
use crate::{
    protocol::{
        AgentState, Empty, Lines, LinesParams, Now, RunId, SearchFrom, Sessions, Snapshot, SnapshotFormat,
        SnapshotParams, Target, Until, UntilPattern, Wait, WaitParams, WaitReason, WaitReply,
    },
    units,
};

/// Of so many runs it is asked what they have lost; who waits for more is told of these.
const MAX_RUNS: usize = 64;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: the program's own when it ended (128 plus the number of a signal); with \
    --pattern 0 when a line matched and 1 when the program ended without one; with --idle 0 when the run fell silent; \
    with --state 0 when the agent was in it and 1 when the program ended before; \
    124 timed out; 125 Termi could not wait.")]
pub struct Args {
    /// Target: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    #[arg(add = super::candidates::targets())]
    target: Target,
    #[command(flatten)]
    until: For,
    /// With --pattern: search only what is printed from `now` on, or from the line with this number on (the `seq` of
    /// `send --json`). With --state: `now` leaves out the state that the agent is in already
    #[arg(long, value_name = "now|SEQ", value_parser = after, conflicts_with_all = ["exit", "idle"])]
    after: Option<SearchFrom>,
    /// Give up after this long: 30 (seconds), 500ms, 10m
    #[arg(long, value_name = duration::VALUE, value_parser = duration::parse)]
    timeout: Option<u64>,
    /// Print the answer as JSON: {reason, exit?, line?, agent?, run_id?, unsearched_bytes?}
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
    /// Until a coding agent of the target, the first of several, is in one of these states, now or later: blocked,done
    #[arg(long, value_name = "STATES", value_delimiter = ',', value_parser = state)]
    state: Option<Vec<AgentState>>,
    /// Until there was no output for this long
    #[arg(long, value_name = duration::VALUE, value_parser = duration::parse)]
    idle: Option<u64>,
}

/// The answer, and how much of the text could not be searched.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    reply: WaitReply,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsearched_bytes: Option<u64>,
}

pub async fn run(args: Args) -> Outcome {
    let mut connection = Connection::open().await?;
    let until = match args.until {
        For { pattern: Some(pattern), .. } => Until::Pattern(UntilPattern { pattern, after: args.after }),
        For { state: Some(states), .. } => match args.after {
            Some(SearchFrom::Line(line)) => {
                let why = format!("--after {line} is for --pattern; with --state, `now` leaves out the present state");
                return Err(Failure::Asked(why));
            }
            after => Until::State { states, is_new: after.is_some() },
        },
        For { idle: Some(ms), .. } => Until::IdleMs(ms),
        For { .. } => Until::Exit,
    };
    let searches_all = matches!(until, Until::Pattern(_)) && args.after.is_none();
    let mut again = Again { until, now: None, has_begun: Cell::new(false) };
    if args.after == Some(SearchFrom::Now(Now::Now)) && matches!(again.until, Until::Pattern(_)) {
        again.now = next_line(&mut connection, &args.target).await?;
    }
    let cut = if searches_all { cut_bytes(&mut connection, &args.target).await? } else { 0 };
    let several = match again.until {
        Until::State { .. } => names(&mut connection, &args.target).await?,
        _ => HashMap::new(),
    };
    let deadline = args.timeout.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
    let params = || WaitParams { target: args.target.clone(), until: again.next(), timeout_ms: left(deadline) };
    let reply = connection.read::<Wait>(params).await?;
    let unsearched_bytes = Some(cut).filter(|&cut| cut > 0 && reply.reason != WaitReason::Pattern);
    if let Some(bytes) = unsearched_bytes {
        print_error(&format!(
            "the first {} that {} printed are not kept any more, and were not searched",
            units::bytes(bytes),
            args.target
        ));
    }
    if args.json {
        output::json(&Answer { reply: reply.clone(), unsearched_bytes })?;
    } else if let Some(line) = &reply.line {
        output::line(line)?;
    } else if let Some(agent) = &reply.agent {
        let message = output::one_line(agent.message.as_deref().unwrap_or_default());
        let name = reply.run_id.as_ref().and_then(|run_id| several.get(run_id)).map(|name| format!("{name}  "));
        let line = format!("{}{}  {message}", name.unwrap_or_default(), agent.state.name());
        output::line(line.trim_end())?;
    }
    Ok(match reply.reason {
        WaitReason::Exit if matches!(again.until, Until::Pattern(_)) => {
            print_error(&format!("{} ended, and no line matched", args.target));
            NO_MATCH.into()
        }
        WaitReason::Exit if matches!(again.until, Until::State { .. }) => {
            print_error(&format!("{} ended before it was in that state", args.target));
            NO_MATCH.into()
        }
        WaitReason::Exit => exit_code(None, reply.exit),
        WaitReason::Pattern | WaitReason::Idle | WaitReason::State => ExitCode::SUCCESS,
        WaitReason::Timeout => TIMED_OUT.into(),
    })
}

/// What is waited for. When the daemon is replaced meanwhile the wait is begun anew: from where it had begun, not from
/// that moment on.
struct Again {
    until: Until,
    /// Where a search from now on had begun.
    now: Option<u64>,
    has_begun: Cell<bool>,
}

impl Again {
    fn next(&self) -> Until {
        let mut until = self.until.clone();
        if let (Until::Pattern(pattern), Some(line), true) = (&mut until, self.now, self.has_begun.replace(true)) {
            pattern.after = Some(SearchFrom::Line(line));
        }
        until
    }
}

/// The names of a target's runs, where it has several.
async fn names(connection: &mut Connection, target: &Target) -> Result<HashMap<RunId, String>, Failure> {
    let sessions = connection.read::<Sessions>(|| Empty {}).await?;
    let named = runs(sessions, target).map(|found| {
        let name = format!("{}:{}", output::one_line(&found.session.name), found.run.run_id.short());
        (found.run.run_id, name)
    });
    let named: HashMap<_, _> = named.collect();
    Ok(if named.len() > 1 { named } else { HashMap::new() })
}

/// The line that the target's only run prints next; none of several.
async fn next_line(connection: &mut Connection, target: &Target) -> Result<Option<u64>, Failure> {
    let sessions = connection.read::<Sessions>(|| Empty {}).await?;
    let mut found = runs(sessions, target);
    let (Some(only), None) = (found.next(), found.next()) else { return Ok(None) };
    let run_id = only.run.run_id;
    let params = || LinesParams { run_id: run_id.clone(), from: None, last: Some(0), partial: false, wait_ms: None };
    // One that was dismissed meanwhile is the wait's business.
    Ok(connection.read::<Lines>(params).await.ok().map(|reply| reply.next))
}

fn state(name: &str) -> Result<AgentState, String> {
    AgentState::of_name("state", name).map_err(|error| error.message)
}

fn after(text: &str) -> Result<SearchFrom, String> {
    match text {
        "now" => Ok(SearchFrom::Now(Now::Now)),
        number => number
            .parse()
            .map(SearchFrom::Line)
            .map_err(|_| format!("{number:?} is neither `now` nor a number, such as the `seq` of `termi send --json`")),
    }
}

/// How much of what the target's runs have printed fell out of their transcripts before anyone could search it.
async fn cut_bytes(connection: &mut Connection, target: &Target) -> Result<u64, Failure> {
    let sessions = connection.read::<Sessions>(|| Empty {}).await?;
    let mut cut = 0;
    for found in runs(sessions, target).take(MAX_RUNS) {
        let params =
            || SnapshotParams { run_id: found.run.run_id.clone(), format: SnapshotFormat::Text, scrollback: 0 };
        // One that was dismissed meanwhile is the wait's business.
        cut += connection.read::<Snapshot>(params).await.map_or(0, |snapshot| snapshot.truncated_bytes);
    }
    Ok(cut)
}

/// What is left until a moment, in milliseconds: at least one, as the host wants it.
fn left(deadline: Option<Instant>) -> Option<u64> {
    let left = deadline?.saturating_duration_since(Instant::now()).as_millis();
    Some(u64::try_from(left).unwrap_or(u64::MAX).max(1))
}
