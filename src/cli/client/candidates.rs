//! Candidates for completion that only a host knows: sessions, runs, groups, templates. A host is asked that runs
//! already, for no longer than [`ANSWER_TIMEOUT`]; none is started.

use std::{collections::BTreeSet, ffi::OsStr, future::Future, time::Duration};

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use super::{connect, output, project, status_text};
use crate::{
    client::Client,
    protocol::{Empty, Restorable, RunInfo, SessionInfo, Sessions, SessionsReply, Status, Templates, TemplatesParams},
};

/// How long a host may take: who completes a word waits for it.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// Which runs a command is about.
#[derive(Debug, Clone, Copy)]
enum Runs {
    Any,
    Active,
    Ended,
}

impl Runs {
    fn has(self, run: &RunInfo) -> bool {
        let lives = run.status == Status::Active || run.left_running > 0;
        match self {
            Self::Any => true,
            Self::Active => lives,
            Self::Ended => !lives,
        }
    }
}

/// Targets: sessions, `SESSION:RUN`, `group:NAME` and `all`.
pub fn targets() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| complete(current, Runs::Any, true))
}

/// The same of what is active.
pub fn active_targets() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| complete(current, Runs::Active, true))
}

/// The same of what has ended.
pub fn ended_targets() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| complete(current, Runs::Ended, true))
}

/// One run: a session or `SESSION:RUN`.
pub fn run() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| complete(current, Runs::Any, false))
}

/// One run that is active.
pub fn active_run() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| complete(current, Runs::Active, false))
}

/// Names of sessions.
pub fn sessions() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        ask(all_sessions).into_values().map(|session| described(session.name.clone(), &summary(&session))).collect()
    })
}

/// Groups.
pub fn groups() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let groups: BTreeSet<String> = ask(all_sessions).into_values().filter_map(|session| session.group).collect();
        groups.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// Templates: those that the host knows, and those of the project here.
pub fn templates() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let params = || TemplatesParams { set: None, replace: false };
        let known = ask(async |client: Client| client.call::<Templates>(params()).await.ok());
        let mut names: BTreeSet<String> = known.into_iter().flat_map(|reply| reply.order).collect();
        names.extend(project::template_names());
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// Sessions that can be started again after a reboot.
pub fn restorable() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let known = ask(async |client: Client| client.call::<Restorable>(Empty {}).await.ok());
        let sessions = known.into_iter().flat_map(|reply| reply.sessions);
        sessions.map(|session| described(session.name, &session.commands.join("; "))).collect()
    })
}

/// Signals, by their usual names.
pub fn signals() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let names = ["HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2", "STOP", "CONT"];
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

async fn all_sessions(client: Client) -> SessionsReply {
    client.call::<Sessions>(Empty {}).await.unwrap_or_default()
}

/// Asks the host, if there is one that answers in time.
fn ask<T: Default, F: Future<Output = T>>(question: impl FnOnce(Client) -> F) -> T {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return T::default() };
    let answer = runtime.block_on(async {
        let answer = async {
            let (client, _inbox) = connect().await.ok()?;
            Some(question(client).await)
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await.ok().flatten()
    });
    runtime.shutdown_background();
    answer.unwrap_or_default()
}

fn complete(current: &OsStr, wanted: Runs, several: bool) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let mut sessions: Vec<SessionInfo> = ask(all_sessions).into_values().collect();
    sessions.retain(|session| session.processes.iter().any(|run| wanted.has(run)));
    sessions.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found = Vec::new();
    for session in &sessions {
        found.push(described(session.name.clone(), &summary(session)));
        // Each of several; of one, for who has begun to name it.
        if session.processes.len() > 1 || current.starts_with(&format!("{}:", session.name)) {
            let runs = session.processes.iter().filter(|run| wanted.has(run));
            found.extend(runs.map(|run| {
                let how = status_text(run.status, run.exit);
                described(format!("{}:{}", session.name, run.run_id.short()), &format!("{how}: {}", run.command))
            }));
        }
    }
    if several && !sessions.is_empty() {
        let groups: BTreeSet<&String> = sessions.iter().filter_map(|session| session.group.as_ref()).collect();
        found.extend(groups.into_iter().map(|group| described(format!("group:{group}"), "the sessions of this group")));
        found.push(described("all".to_owned(), "every session"));
    }
    found.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(&*current));
    found
}

/// A session in a few words.
fn summary(session: &SessionInfo) -> String {
    let Some(last) = session.processes.last() else { return String::new() };
    match session.active_processes {
        0 | 1 => format!("{}: {}", status_text(last.status, last.exit), last.command),
        count => format!("{count} active"),
    }
}

fn described(value: String, help: &str) -> CompletionCandidate {
    let help = output::one_line(help);
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into()))
}
