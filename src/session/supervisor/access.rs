//! Access control: who makes a call, and which sessions it may read or change.
//!
//! A call is authorized where its target is resolved: one job of the table looks up what the typed parameters name,
//! decides, and gives out the handles that the call then acts on. Nothing is looked up twice, so no rename, no end of
//! a session and no name that is taken again comes between check and act.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{
    Supervisor,
    table::{Session, Table},
};
use crate::{
    protocol::{Access, Code, CrossSession, Error, Method, Result, RunId, Scope, SessionId},
    session::{
        client::{
            Client,
            caller::{Caller, CallerPlace},
        },
        message::{RunHandle, RunMessage},
    },
};

/// From a program's first word to its run being known it is a matter of milliseconds.
const STARTING_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// What one call needs, and for whom: every lookup in the table takes one.
#[derive(Debug, Clone)]
pub struct Permit {
    caller: Caller,
    method: &'static str,
    needed: Access,
}

impl Permit {
    /// For a call of a method by a caller. What does not depend on the call's parameters is decided here.
    ///
    /// # Errors
    /// `forbidden`, when the caller may not call it with any parameters.
    pub fn new<M: Method>(caller: &Caller, policy: CrossSession) -> Result<Self> {
        let permit = Self { caller: caller.clone(), method: M::NAME, needed: M::ACCESS };
        if M::ACCESS == Access::Write && caller.access == Access::Read {
            let message = match caller.place {
                CallerPlace::Unknown => format!(
                    "{} changes sessions, and the host could not find out which session the calling process belongs \
                     to; call from a process that stays alive until the call returns",
                    M::NAME
                ),
                _ => format!(
                    "{} changes sessions; an editor's own host lets only its editor and what that started change them",
                    M::NAME
                ),
            };
            return Err(Error::new(Code::Forbidden, message));
        }
        if M::SCOPE == Scope::Host && caller.place != CallerPlace::Outside {
            permit.check_host(policy)?;
        }
        Ok(permit)
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// For what the host does by itself.
    pub(super) fn of_host() -> Self {
        Self { caller: Caller::outside(Access::Write), method: "the host", needed: Access::Write }
    }

    /// A call that concerns every session, those that have ended among them.
    fn check_host(&self, policy: CrossSession) -> Result<()> {
        match (policy, self.needed) {
            (CrossSession::Full, _) | (CrossSession::Read | CrossSession::Group, Access::Read) => Ok(()),
            _ => Err(self.refusal("every session", policy, self.enough())),
        }
    }

    /// The least policy under which it may have any session.
    fn enough(&self) -> CrossSession {
        if self.needed == Access::Read { CrossSession::Read } else { CrossSession::Full }
    }

    fn refusal(&self, what: &str, policy: CrossSession, enough: CrossSession) -> Error {
        let text = format!(
            "this program runs inside a session, and may not {} {what} (`{}`): the setting cross_session is {:?}; set \
             cross_session = {:?} to allow it",
            if self.needed == Access::Read { "read" } else { "change" },
            self.method,
            policy.name(),
            enough.name()
        );
        Error::new(Code::Forbidden, text)
            .with_data(serde_json::json!({ "setting": "cross_session", "is": policy.name(), "needed": enough.name() }))
    }

    /// The same call, as far as it changes something.
    fn to_write(&self) -> Self {
        Self { needed: Access::Write, ..self.clone() }
    }
}

impl Table {
    fn policy(&self) -> CrossSession {
        *self.cross_session.borrow()
    }

    /// Whether a lookup for this call may find the session at all. One that may not be read is not there.
    pub(super) fn finds(&self, permit: &Permit, session: &Session) -> bool {
        permit.caller.reads(self.policy(), &session.id)
    }

    /// Whether a lookup for this call finds every session.
    fn finds_all(&self, permit: &Permit) -> bool {
        permit.caller.place == CallerPlace::Outside || self.policy() != CrossSession::Off
    }

    /// The error of a lookup. Where some sessions are hidden, one that is hidden and one that is not there look alike.
    pub(super) fn hide(&self, permit: &Permit, what: &str, error: Error) -> Error {
        if self.finds_all(permit) {
            return error;
        }
        permit.refusal(&format!("{what:?}"), self.policy(), permit.enough())
    }

    /// Refuses to enumerate sessions where some are hidden: what came out would tell of them.
    pub(super) fn check_enumeration(&self, permit: &Permit) -> Result<()> {
        if self.finds_all(permit) {
            return Ok(());
        }
        Err(permit.refusal("other sessions", self.policy(), permit.enough()))
    }

    /// Decides whether the call may have the session.
    ///
    /// # Errors
    /// `forbidden`, with the policy that would allow it.
    pub(super) fn check(&self, permit: &Permit, session: &Session) -> Result<()> {
        if permit.caller.place == CallerPlace::Outside || permit.caller.own() == Some(&session.id) {
            return Ok(());
        }
        let policy = self.policy();
        let same_group = session.group.is_some() && session.group == self.own_group(permit);
        let enough = match (permit.needed, same_group) {
            (Access::Read, _) => CrossSession::Read,
            (Access::Write, true) => CrossSession::Group,
            (Access::Write, false) => CrossSession::Full,
        };
        let allowed = match policy {
            CrossSession::Off => false,
            CrossSession::Read => permit.needed == Access::Read,
            CrossSession::Group => permit.needed == Access::Read || same_group,
            CrossSession::Full => true,
        };
        if allowed { Ok(()) } else { Err(permit.refusal(&format!("session {:?}", session.name), policy, enough)) }
    }

    /// Decides whether the call may make a session, in that group if in one. Programs of a group may write to all of
    /// it under the policy `group`, so that joining one needs what writing to its sessions needs.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn check_new(&self, permit: &Permit, group: Option<&String>) -> Result<()> {
        if permit.caller.place == CallerPlace::Outside {
            return Ok(());
        }
        let policy = self.policy();
        if policy == CrossSession::Off {
            return Err(permit.refusal("a new session", policy, CrossSession::Read));
        }
        let Some(group) = group else { return Ok(()) };
        for session in self.sessions.iter().filter(|session| session.group.as_ref() == Some(group)) {
            self.check(&permit.to_write(), session)?;
        }
        // One that is empty now may be the group of others later.
        if policy == CrossSession::Group && self.own_group(permit).as_ref() != Some(group) {
            return Err(permit.refusal(&format!("group {group:?}"), policy, CrossSession::Full));
        }
        Ok(())
    }

    /// The run that the caller is a program of: what it may report on. `named` is the run that it takes for its own.
    ///
    /// # Errors
    /// `forbidden`, when it is a program of another run, or of none.
    pub(super) fn own_run(&self, named: Option<&RunId>, permit: &Permit) -> Result<RunHandle> {
        let method = permit.method;
        let Some(own) = permit.caller.own_run() else {
            let why = format!("{method} is for programs inside a session, which report on their own run alone");
            return Err(Error::new(Code::Forbidden, why));
        };
        if let Some(named) = named.filter(|named| *named != own) {
            let (named, own) = (named.as_str(), own.short());
            let why = format!("this program is in run {own:?}, and may not report on run {named:?} (`{method}`)");
            return Err(Error::new(Code::Forbidden, why));
        }
        Ok(self.run(own, permit)?.handle)
    }

    /// Whether the caller may write to the session, whatever the call itself needs.
    pub(super) fn may_write(&self, permit: &Permit, session: &Session) -> bool {
        permit.caller.access == Access::Write && self.check(&permit.to_write(), session).is_ok()
    }

    fn own_group(&self, permit: &Permit) -> Option<String> {
        let own = permit.caller.own()?;
        self.sessions.iter().find(|session| session.id == *own)?.group.clone()
    }

    /// Closes the views of those who may no longer read what they look at.
    fn close_hidden_views(&self) {
        let policy = self.policy();
        for (client, caller) in &self.clients {
            for run in self.runs().filter(|run| !caller.reads(policy, &run.session_id)) {
                Self::detach(run, client.id());
            }
        }
    }
}

impl Supervisor {
    /// Sets what programs inside a session may do to others. Views that are hidden by it are closed; a call that is
    /// under way ends as it began.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn set_cross_session(&self, policy: CrossSession) -> Result<()> {
        self.with(move |table| {
            table.cross_session.send_replace(policy);
            table.close_hidden_views();
        })
        .await
    }

    /// What programs inside a session may do to others.
    #[must_use]
    pub fn cross_session(&self) -> CrossSession {
        *self.cross_session.borrow()
    }

    /// Makes a client known: it gets the events that its caller may know of from now on.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn register(&self, client: Client, caller: Caller) -> Result<()> {
        self.with(|table| table.add_client(client, caller)).await
    }

    /// The run whose program a shim watches over, and its session.
    pub async fn run_of_shim(&self, shim: i32) -> Option<(SessionId, RunId)> {
        let until = Instant::now() + STARTING_TIMEOUT;
        loop {
            let (runs, starting) = self
                .with(|table| {
                    let starting = table.lifecycle.is_under_way();
                    (table.runs().cloned().collect::<Vec<_>>(), starting)
                })
                .await
                .ok()?;
            let shims = join_all(runs.iter().map(|run| run.call(RunMessage::Shim))).await;
            let found = shims.into_iter().zip(&runs).find(|(pid, _)| pid.flatten() == Some(shim));
            // A program may be quicker to call than its run is to be known.
            if found.is_some() || !starting || Instant::now() > until {
                return found.map(|(_, run)| (run.session_id.clone(), run.run_id.clone()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// How many sessions there are, and how many of their runs have not ended, or have processes that live on.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn counts(&self) -> Result<(usize, usize)> {
        self.with(|table| {
            let active = table.runs().filter(|run| !table.lifecycle.is_over(&run.run_id)).count();
            (table.sessions.len(), active)
        })
        .await
    }
}
