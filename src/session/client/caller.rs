//! Who makes a call, and which sessions it may read.

use crate::protocol::{Access, CrossSession, Event, RunId, SessionId};

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The most that it may do, wherever it runs.
    pub access: Access,
    /// Where it runs.
    pub place: CallerPlace,
}

/// Where a caller runs, seen from the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerPlace {
    /// Outside of all sessions: the setting `cross_session` does not concern it.
    Outside,
    /// A program of a session: within that it may do everything, with others what `cross_session` says.
    Inside {
        /// Its session.
        session: SessionId,
        /// The run whose process tree it is in.
        run: RunId,
    },
    /// It could not be placed, so it may be a program of any session: to it, each session is another's.
    Unknown,
}

impl Caller {
    /// A caller outside of all sessions.
    #[must_use]
    pub fn outside(access: Access) -> Self {
        Self { access, place: CallerPlace::Outside }
    }

    /// A program inside a session, in the process tree of a run.
    #[must_use]
    pub fn program(session: SessionId, run: RunId) -> Self {
        Self { access: Access::Write, place: CallerPlace::Inside { session, run } }
    }

    /// A caller that could not be placed: it may look only, and that only as the least of programs.
    #[must_use]
    pub fn unknown() -> Self {
        Self { access: Access::Read, place: CallerPlace::Unknown }
    }

    pub(in crate::session) fn own(&self) -> Option<&SessionId> {
        match &self.place {
            CallerPlace::Inside { session, .. } => Some(session),
            CallerPlace::Outside | CallerPlace::Unknown => None,
        }
    }

    pub(in crate::session) fn own_run(&self) -> Option<&RunId> {
        match &self.place {
            CallerPlace::Inside { run, .. } => Some(run),
            CallerPlace::Outside | CallerPlace::Unknown => None,
        }
    }

    /// Whether it may read a session under a policy.
    pub(in crate::session) fn reads(&self, policy: CrossSession, session: &SessionId) -> bool {
        self.place == CallerPlace::Outside || self.own() == Some(session) || policy != CrossSession::Off
    }

    /// Whether it is sent an event; those that concern no session go to every caller.
    pub(in crate::session) fn receives(&self, policy: CrossSession, event: &Event) -> bool {
        event.session_id().is_none_or(|session| self.reads(policy, session))
    }
}

impl From<Access> for Caller {
    fn from(access: Access) -> Self {
        Self::outside(access)
    }
}
