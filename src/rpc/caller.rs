//! What a connection's other end may do.

use super::{dispatch::Connection, value::Wire};
use crate::{
    protocol::{
        Access, Code, CrossSession, Error, Health, History, Initialize, Join, Method, Result, Run, RunId, SessionId,
        SessionsReply, Stats, Target,
    },
    session::{Named, Touched},
};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What it may do at all.
    pub access: Access,
    /// The session that it is a program of: within its own it may do everything, with others what the setting
    /// `cross_session` says.
    pub session: Option<SessionId>,
}

impl Caller {
    /// One outside of all sessions.
    #[must_use]
    pub fn of(access: Access) -> Self {
        Self { access, session: None }
    }

    /// A program inside a session.
    #[must_use]
    pub fn program(session: SessionId) -> Self {
        Self { access: Access::Write, session: Some(session) }
    }
}

impl From<Access> for Caller {
    fn from(access: Access) -> Self {
        Self::of(access)
    }
}

/// Refuses what the caller may not do.
///
/// Whom a call is about is read from its parameters by the names that all methods share: `target`, `run_id` and
/// `session`; a method may ignore one of them, so all that are there must be allowed. A run of a template is about the
/// session that its template names. What is about nobody in particular and changes something needs the setting "full",
/// but for a session of one's own making.
pub(super) async fn check(connection: &Connection, needed: Access, name: &str, params: &impl Wire) -> Result<()> {
    let caller = &connection.caller;
    if needed == Access::Write && caller.access == Access::Read {
        return Err(Error::new(
            Code::Forbidden,
            format!("{name} changes sessions; an editor's own host lets others than its editor look only"),
        ));
    }
    let Some(own) = &caller.session else { return Ok(()) };
    let policy = *connection.host.cross_session.borrow();
    if policy == CrossSession::Full || [Initialize::NAME, Join::NAME].contains(&name) {
        return Ok(());
    }
    let named = named_by(connection, name, params).await;
    let mut is_about_some = !named.is_empty() && name != Run::NAME;
    for named in named {
        // What cannot be found is for the method itself to refuse, with its own words; a run makes it.
        let Ok(touched) = connection.host.supervisor.touched_by(named, own.clone()).await else { continue };
        is_about_some = true;
        let not_allowed = |session: &Touched| !session.is_own && !allows(policy, needed, session.same_group);
        if let Some(session) = touched.into_iter().find(not_allowed) {
            let enough = match (needed, session.same_group) {
                (Access::Read, _) => "read",
                (Access::Write, true) => "group",
                (Access::Write, false) => "full",
            };
            return Err(refusal(name, &format!("session {:?}", session.name), policy, enough));
        }
    }
    if is_about_some {
        return Ok(());
    }
    // What has ended, and how all are, is about others too. A session of one's own making takes nothing from them.
    let tells_of_all = [History::NAME, Stats::NAME, Health::NAME].contains(&name);
    let harmless = match policy {
        CrossSession::Off => needed == Access::Read && !tells_of_all,
        _ => needed == Access::Read || name == Run::NAME,
    };
    let enough = if needed == Access::Read || name == Run::NAME { "read" } else { "full" };
    if harmless { Ok(()) } else { Err(refusal(name, "every session", policy, enough)) }
}

/// Whom a call names.
async fn named_by(connection: &Connection, name: &str, params: &impl Wire) -> Vec<Named> {
    let mut targets: Vec<String> = ["target", "session"].into_iter().filter_map(|key| params.text(key)).collect();
    // What is given wins over the template.
    let has_own = ["session", "name"].into_iter().any(|key| params.text(key).is_some());
    if let Some(template) = params.text("template").filter(|_| name == Run::NAME && !has_own) {
        targets.extend(connection.host.supervisor.session_of_template(template).await);
    }
    // A run's id is taken for nothing else: a session may be named like it.
    let run = params.text("run_id").map(|id| Named::Run(RunId::from(id)));
    targets.into_iter().map(|text| Named::Target(Target::from(text))).chain(run).collect()
}

fn allows(policy: CrossSession, needed: Access, same_group: bool) -> bool {
    match policy {
        CrossSession::Off => false,
        CrossSession::Read => needed == Access::Read,
        CrossSession::Group => needed == Access::Read || same_group,
        CrossSession::Full => true,
    }
}

fn refusal(name: &str, whom: &str, policy: CrossSession, enough: &str) -> Error {
    let text = format!(
        "{name} is about {whom}, and this program runs inside another session: the setting cross_session is {:?}; \
         set cross_session = {enough:?} to allow it",
        policy.name()
    );
    Error::new(Code::Forbidden, text)
        .with_data(serde_json::json!({ "setting": "cross_session", "is": policy.name(), "needed": enough }))
}

/// Of all sessions those that the caller may know of.
pub(super) fn visible(connection: &Connection, mut all: SessionsReply) -> SessionsReply {
    if let Some(own) = &connection.caller.session
        && *connection.host.cross_session.borrow() == CrossSession::Off
    {
        all.retain(|id, _| id == own);
    }
    all
}

/// Whether the caller is told of what happens to sessions.
pub(super) fn hears_events(connection: &Connection) -> bool {
    connection.caller.session.is_none() || *connection.host.cross_session.borrow() != CrossSession::Off
}
