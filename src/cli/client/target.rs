//! The runs that a target names, among those that a client knows of.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Failure, connection::Connection, print_error};
use crate::{
    client::ClientError,
    protocol::{
        Empty, Error, Method, RunInfo, SessionId, SessionInfo, Sessions, SessionsReply, Status, Target, is_id_prefix,
    },
};

/// What became of a command with several targets.
pub struct Each<R> {
    /// The answers, in the targets' order.
    pub replies: Vec<R>,
    /// The targets that were refused, each of which has been reported.
    pub failed: Vec<Refused>,
}

/// A target that was refused.
#[derive(Debug, Serialize)]
pub struct Refused {
    target: Target,
    error: Error,
}

/// Calls a method for each target in turn. A refusal is one target's own: it is reported, in the words that `explain`
/// has for it, and the others go on.
///
/// # Errors
/// When the host is gone.
pub async fn each<M: Method>(
    connection: &mut Connection,
    targets: Vec<Target>,
    params: impl Fn(Target) -> M::Params,
    explain: impl Fn(&Target, &Error) -> Option<String>,
) -> Result<Each<M::Reply>, Failure> {
    let mut each = Each { replies: Vec::new(), failed: Vec::new() };
    for target in targets {
        match connection.attempt::<M>(|| params(target.clone())).await? {
            Ok(reply) => each.replies.push(reply),
            Err(error) => {
                let why = explain(&target, &error);
                print_error(&why.unwrap_or_else(|| Failure::from(ClientError::Refused(error.clone())).to_string()));
                each.failed.push(Refused { target, error });
            }
        }
    }
    Ok(each)
}

/// A run and the session it is in.
pub struct Found {
    pub session_id: SessionId,
    pub session: SessionInfo,
    pub run: RunInfo,
}

/// The runs that a target names.
pub fn runs(sessions: SessionsReply, target: &Target) -> impl Iterator<Item = Found> {
    matching(sessions, target)
        .into_iter()
        .flat_map(|(session_id, session)| {
            let runs = session.processes.clone();
            runs.into_iter().map(move |run| Found { session_id: session_id.clone(), session: session.clone(), run })
        })
        .filter(|found| is_run(found, target))
}

/// The one run a target names: of a session with several, the last that is active, else the last.
pub async fn one_run(connection: &mut Connection, target: &Target) -> Result<Found, Failure> {
    let sessions = connection.read::<Sessions>(|| Empty {}).await?;
    let mut found: Vec<Found> = runs(sessions, target).collect();
    let distinct = found.iter().map(|found| &found.session_id).collect::<BTreeSet<_>>().len();
    if distinct > 1 {
        let names: Vec<String> =
            found.iter().map(|found| format!("{}:{}", found.session.name, found.run.run_id.short())).collect();
        return Err(Failure::Asked(format!("{target} fits {}; name one of them", names.join(", "))));
    }
    let active = found.iter().rposition(|found| found.run.status == Status::Active);
    match active.or(found.len().checked_sub(1)) {
        Some(at) => Ok(found.swap_remove(at)),
        None => Err(Failure::NotFound(format!("there is no session or run {:?}", target.to_string()))),
    }
}

/// The active run that was started last.
pub async fn newest_active(connection: &mut Connection) -> Result<Found, Failure> {
    let sessions = connection.read::<Sessions>(|| Empty {}).await?;
    let runs = sessions.into_iter().flat_map(|(session_id, session)| {
        let runs = session.processes.clone();
        runs.into_iter().map(move |run| Found { session_id: session_id.clone(), session: session.clone(), run })
    });
    let active = runs.filter(|found| found.run.status == Status::Active);
    let newest = active.max_by_key(|found| found.run.started_at);
    newest.ok_or_else(|| Failure::Asked("no run is active; `termi run --attach` starts one".to_owned()))
}

/// The sessions that a target may mean: by id, prefix or name; one that is meant exactly hides the others.
pub fn matching(sessions: SessionsReply, target: &Target) -> Vec<(SessionId, SessionInfo)> {
    let wanted = match target {
        Target::All => return sessions.into_iter().collect(),
        Target::Group(group) => {
            return sessions.into_iter().filter(|(_, session)| session.group.as_ref() == Some(group)).collect();
        }
        Target::Run { session, .. } | Target::Session(session) => session,
    };
    let exact = |id: &SessionId, session: &SessionInfo| id.as_str() == wanted || session.name == *wanted;
    let is_exact = sessions.iter().any(|(id, session)| exact(id, session));
    let begins = |id: &str| is_id_prefix(wanted) && id.starts_with(wanted.as_str());
    let has_run = |session: &SessionInfo| session.run_ids.iter().any(|run| begins(run.as_str()));
    let is_session = |id: &SessionId| begins(id.as_str());
    let is_prefix = !is_exact && sessions.keys().any(is_session);
    sessions
        .into_iter()
        .filter(|(id, session)| {
            if is_exact {
                exact(id, session)
            } else if is_prefix {
                is_session(id)
            } else {
                matches!(target, Target::Session(_)) && has_run(session)
            }
        })
        .collect()
}

fn is_run(found: &Found, target: &Target) -> bool {
    let id = found.run.run_id.as_str();
    match target {
        Target::Run { run, .. } => id.starts_with(run.as_str()),
        Target::Session(text) => {
            let begins = |id: &str| is_id_prefix(text) && id.starts_with(text.as_str());
            found.session.name == *text || begins(found.session_id.as_str()) || begins(id)
        }
        Target::All | Target::Group(_) => true,
    }
}
