//! Resolving what calls name: targets, runs and sessions, each for a caller that may have it.

use serde_json::json;

use super::{
    Supervisor,
    access::Permit,
    table::{Session, Table},
};
use crate::{
    protocol::{Code, Error, Result, RunId, Target, is_id_prefix},
    session::message::RunHandle,
};

/// A run that a call may read.
pub struct ReadableRun {
    pub handle: RunHandle,
    /// The caller may change it too.
    pub writable: bool,
}

impl Table {
    /// The runs a target names, all of which the call may have.
    pub fn resolve(&self, target: &Target, permit: &Permit) -> Result<Vec<RunHandle>> {
        if matches!(target, Target::All | Target::Group(_)) {
            self.check_enumeration(permit)?;
        }
        let runs = self.lookup(target, permit).map_err(|error| self.hide(permit, &target.to_string(), error))?;
        for session in self.sessions.iter().filter(|session| runs.iter().any(|run| run.session_id == session.id)) {
            self.check(permit, session)?;
        }
        Ok(runs)
    }

    fn lookup(&self, target: &Target, permit: &Permit) -> Result<Vec<RunHandle>> {
        let all_of = |sessions: Vec<&Session>| sessions.into_iter().flat_map(|session| session.runs.clone()).collect();
        let found = || self.sessions.iter().filter(|session| self.finds(permit, session));
        match target {
            Target::All => Ok(all_of(found().collect())),
            Target::Group(name) => {
                let members: Vec<_> = found().filter(|session| session.group.as_ref() == Some(name)).collect();
                if members.is_empty() {
                    return Err(Error::new(Code::NotFound, format!("no session is in a group {name:?}"))
                        .with_data(json!({ "kind": "group", "name": name })));
                }
                Ok(all_of(members))
            }
            Target::Run { session, run } => {
                let session = &self.sessions[self.find_session(session, permit)?];
                one(session.runs.iter(), run, |handle| handle.run_id.as_str(), "run").map(|handle| vec![handle.clone()])
            }
            Target::Session(named) => match self.find_session(named, permit) {
                Ok(at) => Ok(self.sessions[at].runs.clone()),
                Err(error) if error.code == Code::Ambiguous => Err(error),
                Err(error) => {
                    let runs = found().flat_map(|session| &session.runs).filter(|_| is_id_prefix(named));
                    one(runs, named, |handle| handle.run_id.as_str(), "run")
                        .map(|handle| vec![handle.clone()])
                        .map_err(|second| if second.code == Code::Ambiguous { second } else { error })
                }
            },
        }
    }

    /// The runs a restart of the target is about.
    pub fn to_restart(&self, target: &Target, permit: &Permit) -> Result<Vec<RunHandle>> {
        let named = self.resolve(target, permit)?;
        if named.len() == 1 {
            return Ok(named);
        }
        let mut chosen: Vec<RunHandle> = Vec::new();
        for of_session in named.chunk_by(|a, b| a.session_id == b.session_id) {
            let before = chosen.len();
            chosen.extend(of_session.iter().filter(|run| !self.lifecycle.has_ended(&run.run_id)).cloned());
            if chosen.len() == before {
                chosen.extend(of_session.last().cloned());
            }
        }
        Ok(chosen)
    }

    /// The run of a whole id, which the call may have.
    pub fn run(&self, run_id: &RunId, permit: &Permit) -> Result<ReadableRun> {
        let of = |session: &Session| session.runs.iter().find(|run| run.run_id == *run_id).cloned();
        let mut found = self.sessions.iter().filter(|session| self.finds(permit, session));
        let found = found.find_map(|session| Some((session, of(session)?)));
        let (session, handle) = found.ok_or_else(|| {
            let error = Error::new(Code::NotFound, format!("there is no run {:?}", run_id.as_str()))
                .with_data(json!({ "kind": "run", "name": run_id.as_str() }));
            self.hide(permit, run_id.as_str(), error)
        })?;
        self.check(permit, session)?;
        Ok(ReadableRun { handle, writable: self.may_write(permit, session) })
    }

    pub fn runs(&self) -> impl Iterator<Item = &RunHandle> {
        self.sessions.iter().flat_map(|session| &session.runs)
    }

    /// Where the session is that a name means: a whole id wins over a name, and a name over a prefix of an id. Whether
    /// the call may have it is still to be checked.
    pub(super) fn find_session(&self, named: &str, permit: &Permit) -> Result<usize> {
        let found = || self.sessions.iter().enumerate().filter(|(_, session)| self.finds(permit, session));
        if let Some((at, _)) = found().find(|(_, session)| session.id.as_str() == named) {
            return Ok(at);
        }
        if let Some((at, _)) = found().find(|(_, session)| session.name == named) {
            return Ok(at);
        }
        one(found().filter(|_| is_id_prefix(named)), named, |(_, session)| session.id.as_str(), "session")
            .map(|(at, _)| at)
    }
}

impl Supervisor {
    pub(super) async fn resolve(&self, target: Target, permit: &Permit) -> Result<Vec<RunHandle>> {
        let permit = permit.clone();
        self.with(move |table| table.resolve(&target, &permit)).await?
    }

    pub(super) async fn one(&self, run_id: RunId, permit: &Permit) -> Result<RunHandle> {
        Ok(self.readable(run_id, permit).await?.handle)
    }

    pub(super) async fn readable(&self, run_id: RunId, permit: &Permit) -> Result<ReadableRun> {
        let permit = permit.clone();
        self.with(move |table| table.run(&run_id, &permit)).await?
    }
}

/// The one item whose id is or starts with `named`.
fn one<'a, T: 'a>(items: impl Iterator<Item = T>, named: &str, id: impl Fn(&T) -> &str, kind: &str) -> Result<T> {
    let not_found = || {
        Error::new(Code::NotFound, format!("there is no {kind} {named:?}"))
            .with_data(json!({ "kind": kind, "name": named }))
    };
    if named.is_empty() {
        return Err(not_found());
    }
    let mut found: Vec<T> = items.filter(|item| id(item).starts_with(named)).collect();
    if let Some(at) = found.iter().position(|item| id(item) == named) {
        return Ok(found.swap_remove(at));
    }
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|item| id(item).get(..12).unwrap_or(id(item))).collect();
        return Err(Error::new(
            Code::Ambiguous,
            format!("{named:?} begins several {kind}s: {}; write more of it", ids.join(", ")),
        ));
    }
    found.pop().ok_or_else(not_found)
}
