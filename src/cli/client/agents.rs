//! `termi agents`: which coding agents there are, what each is doing, and who says so.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    Failure, Outcome, candidates,
    connection::Connection,
    output::{self, Column, NAME_LEAST},
    print_error, target,
};
use crate::{
    client::Message,
    protocol::{
        AgentInfo, AgentKind, AgentSource, AgentState, Empty, Event, Evidence, RunId, RunInfo, RunTarget, SessionInfo,
        Sessions, SessionsReply, Status, Target,
    },
    units,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "States: blocked (it waits for an answer), error, done (your turn), working, ready, starting, \
    unknown. Those that have waited longest come first.")]
pub struct Args {
    /// Print a line for each change from now on; where no daemon is running yet, wait for it
    #[arg(long, short, conflicts_with = "explain")]
    watch: bool,
    /// Print what each source says of this run, since when, and which is believed
    #[arg(long, value_name = "TARGET", add = candidates::active_targets())]
    explain: Option<Target>,
    /// Print JSON: a list of {session_id, session_name, run_id, agent}; with --watch an event a line; with --explain
    /// {agent, evidence}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    if args.watch {
        let (connection, is_early) = daemon_to_watch().await?;
        return watch(connection, is_early, args.json).await;
    }
    let mut connection = match Connection::open().await {
        Ok(connection) => connection,
        // Where there is no daemon there are no agents.
        Err(Failure::NobodyThere(_)) if args.explain.is_none() => return list(&SessionsReply::new(), args.json),
        Err(error) => return Err(error),
    };
    match args.explain {
        Some(target) => explain(&mut connection, &target, args.json).await,
        None => list(&connection.read::<Sessions>(|| Empty {}).await?, args.json),
    }
}

/// Who is to be looked at first: whoever waits, and of these who has waited longest.
fn urgency(agent: &AgentInfo) -> (u8, u64) {
    let rank = match agent.state {
        AgentState::Blocked => 0,
        AgentState::Error => 1,
        AgentState::Done => 2,
        AgentState::Working => 3,
        AgentState::Ready => 4,
        AgentState::Starting => 5,
        AgentState::Unknown => 6,
    };
    (rank, agent.since)
}

fn list(sessions: &SessionsReply, json: bool) -> Outcome {
    let mut agents: Vec<(&SessionInfo, &RunInfo, &AgentInfo, String)> = Vec::new();
    for (id, session) in sessions {
        for run in &session.processes {
            // What one reported before its end is in `termi ls --json`; nobody waits there any more.
            let agent = run.agent.as_ref().filter(|_| run.status == Status::Active);
            agents.extend(agent.map(|agent| (session, run, agent, id.to_string())));
        }
    }
    agents.sort_by_key(|(_, _, agent, _)| urgency(agent));
    if json {
        let rows = agents.iter().map(|(session, run, agent, id)| {
            serde_json::json!({
                "session_id": id, "session_name": session.name, "run_id": run.run_id, "agent": agent,
            })
        });
        output::json(&rows.collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if agents.is_empty() {
        output::line("no coding agents are running")?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, units::millis);
    let rows: Vec<[String; 6]> = agents
        .into_iter()
        .map(|(session, run, agent, _)| {
            [
                output::one_line(&session.name),
                run.run_id.short().to_owned(),
                output::one_line(&agent.app),
                described(agent),
                units::age(now.saturating_sub(agent.since)),
                output::one_line(agent.message.as_deref().or(agent.title.as_deref()).unwrap_or_default()),
            ]
        })
        .collect();
    let columns = [
        Column::new("SESSION").cut_to(NAME_LEAST),
        Column::new("RUN"),
        Column::new("AGENT").cut_to(NAME_LEAST).dropped(1),
        Column::new("STATE"),
        Column::new("FOR"),
        Column::new("MESSAGE"),
    ];
    output::fitted_table(&columns, &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// `blocked (permission)`, `working 40%`.
fn described(agent: &AgentInfo) -> String {
    let mut text = agent.state.name().to_owned();
    if let Some(kind) = agent.kind.filter(|_| agent.state == AgentState::Blocked) {
        let kind = match kind {
            AgentKind::Permission => "permission",
            AgentKind::Question => "question",
            AgentKind::Auth => "login",
            AgentKind::Dialog => "dialog",
        };
        text.push_str(&format!(" ({kind})"));
    }
    if let Some(percent) = agent.progress.filter(|_| agent.state == AgentState::Working) {
        text.push_str(&format!(" {percent}%"));
    }
    text
}

/// What a run is doing, where it is a coding agent or reports its progress: `blocked (permission)`, `40%`. Of what has
/// ended nobody waits for an answer.
pub fn state_of(run: &RunInfo) -> Option<String> {
    let run = Some(run).filter(|run| run.status == Status::Active)?;
    match &run.agent {
        Some(agent) => Some(described(agent)),
        None => run.progress.and_then(|progress| progress.percent).map(|percent| format!("{percent}%")),
    }
}

/// How often a watch that began before the daemon looks for it.
const DAEMON_POLL: Duration = Duration::from_millis(250);

/// The daemon, which may not be there yet: a watch may begin with the login, and the first session starts the daemon.
/// Whether it was waited for.
async fn daemon_to_watch() -> Result<(Connection, bool), Failure> {
    let mut is_early = false;
    loop {
        match Connection::open().await {
            Ok(connection) => return Ok((connection, is_early)),
            Err(Failure::NobodyThere(_)) => {
                if !is_early {
                    print_error("no daemon is running; waiting until one starts, as by `termi run`");
                }
                is_early = true;
                tokio::time::sleep(DAEMON_POLL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Follows the states over replacements of the daemon; what was missed meanwhile is told from the list. `is_early`: the
/// watch began before the daemon, so that all it has is news.
async fn watch(mut connection: Connection, is_early: bool, json: bool) -> Outcome {
    let mut known: BTreeMap<RunId, (AgentState, Option<String>)> = BTreeMap::new();
    let mut is_first = !is_early;
    loop {
        let sessions = connection.read::<Sessions>(|| Empty {}).await?;
        let (client, mut inbox) = connection.into_parts();
        client.initialize("termi-agents").await?;
        for (session_id, session) in &sessions {
            for run in &session.processes {
                let now = run.agent.as_ref().map(|agent| (agent.state, agent.message.clone()));
                let was = known.get(&run.run_id).cloned();
                if !is_first && now != was {
                    let (session_id, session_name) = (session_id.clone(), session.name.clone());
                    let (run_id, agent) = (run.run_id.clone(), run.agent.clone());
                    let was = was.map(|(state, _)| state);
                    print_change(&Event::AgentState { session_id, session_name, run_id, agent, was }, json)?;
                }
                match now {
                    Some(now) => _ = known.insert(run.run_id.clone(), now),
                    None => _ = known.remove(&run.run_id),
                }
            }
        }
        is_first = false;
        while let Some(message) = inbox.next().await {
            match message {
                Message::Event(event @ Event::AgentState { .. }) => {
                    let Event::AgentState { run_id, agent, .. } = &event else { continue };
                    let now = agent.as_ref().map(|agent| (agent.state, agent.message.clone()));
                    let was = match now.clone() {
                        Some(now) => known.insert(run_id.clone(), now),
                        None => known.remove(run_id),
                    };
                    // That it was looked at, or its title, is no change that is shown.
                    if json || now != was {
                        print_change(&event, json)?;
                    }
                }
                // Some are missing: the list says what has become of them.
                Message::Event(Event::EventsLost { .. }) => break,
                Message::Event(_) | Message::Frame { .. } => {}
            }
        }
        drop((client, inbox));
        connection = match Connection::open().await {
            Ok(connection) => connection,
            Err(Failure::NobodyThere(_) | Failure::HostGone(_)) => return Err(Failure::HostEnded),
            Err(error) => return Err(error),
        };
    }
}

fn print_change(event: &Event, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(event);
    }
    let Event::AgentState { session_name, run_id, agent, was, .. } = event else { return Ok(()) };
    let (name, run) = (output::one_line(session_name), run_id.short());
    let was = was.map_or("", AgentState::name);
    let line = match agent {
        None => format!("{name}:{run}  {was} -> no agent"),
        Some(agent) => {
            let message = output::one_line(agent.message.as_deref().unwrap_or_default());
            format!("{name}:{run}  {}  {}  {message}", output::one_line(&agent.app), described(agent))
        }
    };
    output::line(line.trim_end())
}

async fn explain(connection: &mut Connection, target: &Target, json: bool) -> Outcome {
    let found = target::one_run(connection, target).await?;
    let run_id = found.run.run_id.clone();
    let reply = connection.read::<Evidence>(|| RunTarget { run_id: run_id.clone() }).await?;
    if json {
        output::json(&reply)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(why) = &reply.rules_error {
        print_error(&format!("your own rules cannot be used as they are: {}", output::one_line(why)));
    }
    let name = format!("{}:{}", output::one_line(&found.session.name), run_id.short());
    match &reply.agent {
        None if found.run.status != Status::Active => output::line(&format!("{name} has ended"))?,
        None => output::line(&format!("{name} is no coding agent that Termi knows"))?,
        Some(agent) => {
            output::line(&format!("{name} is {}: {}", output::one_line(&agent.app), described(agent)))?;
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, units::millis);
    let rows: Vec<[String; 6]> = reply
        .evidence
        .iter()
        .map(|evidence| {
            [
                if evidence.believed { "*" } else { "" }.to_owned(),
                source(evidence.source).to_owned(),
                evidence.state.name().to_owned(),
                units::age(now.saturating_sub(evidence.since)),
                output::one_line(&evidence.rule),
                output::one_line(evidence.message.as_deref().unwrap_or(&evidence.text)),
            ]
        })
        .collect();
    if rows.is_empty() {
        output::line(match reply.agent {
            Some(AgentInfo { state: AgentState::Done, .. }) => "it worked, and no source says so any more: it is done",
            _ => "no source says anything of it",
        })?;
    } else {
        output::table(["", "SOURCE", "STATE", "FOR", "RULE", "TEXT"], &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn source(source: AgentSource) -> &'static str {
    match source {
        AgentSource::Osc => "osc",
        AgentSource::Hook => "hook",
        AgentSource::Json => "json",
        AgentSource::Screen => "screen",
        AgentSource::Title => "title",
        AgentSource::Bell => "bell",
    }
}
