//! The table of sessions. One task owns it; see [`super::Supervisor`].

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio::sync::watch;

use super::{
    access::Permit,
    lifecycle::{Lifecycle, Refusal, Transition},
    names,
    settings::Settings,
};
use crate::{
    protocol::{
        Code, CrossSession, Error, Event, Keep, Limits, Result, RunId, SessionId, Target, Template, check_session_name,
        is_id_prefix,
    },
    session::{
        client::{Client, ClientId, caller::Caller},
        message::{RunHandle, RunMessage},
        services::Announcement,
    },
    term::Colors,
};

/// One session.
pub struct Session {
    pub id: SessionId,
    pub name: String,
    pub label: Option<String>,
    pub group: Option<String>,
    pub cwd: PathBuf,
    pub runs: Vec<RunHandle>,
    /// What the transcripts of its runs may take together, in bytes.
    pub transcript_limit: usize,
    /// Each run's share of it.
    pub transcript_share: watch::Sender<usize>,
    /// Clients have been told of it.
    pub announced: bool,
    pub created_at: SystemTime,
    /// The limits of its runs that name none.
    pub limits: Limits,
    /// Which of its ended runs are kept, where it was told.
    pub keep: Option<Keep>,
}

impl Session {
    /// Every run that is there holds text, the ended ones too until they are dismissed: each gets the same share.
    pub fn share_transcript(&mut self) {
        let share = self.transcript_limit / self.runs.len().max(1);
        self.transcript_share.send_if_modified(|told| std::mem::replace(told, share) != share);
    }
}

/// Processor time at the last look, to tell how much was used since.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Whose tree it is the time of: another life of the run begins at none.
    pub shim: i32,
    pub ticks: u64,
    pub at: Instant,
    pub percent: f64,
}

/// All that the supervisor's task owns.
pub struct Table {
    /// In the order they were made.
    pub sessions: Vec<Session>,
    /// Those who get events, and for whom.
    pub clients: Vec<(Client, Caller)>,
    /// What programs inside a session may do to others.
    pub cross_session: watch::Sender<CrossSession>,
    pub samples: HashMap<RunId, Sample>,
    pub settings: Settings,
    pub colors: Colors,
    /// The host is ending: nothing is started any more.
    pub closing: bool,
    /// Named settings of runs.
    pub templates: BTreeMap<String, Template>,
    /// Another binary is being put in this one's place: nothing is started for the moment.
    pub paused: bool,
    /// The daemon is about to be replaced, and clients are to wait with what is typed: has a receiver for each that was
    /// told and has not yet taken note.
    pub holding: Option<Arc<watch::Sender<()>>>,
    /// It stands still until the other end is dropped.
    pub frozen: Option<watch::Receiver<()>>,
    /// One more holder for each call that starts or ends runs one after another: a replacement waits for it.
    pub sequences: Arc<()>,
    /// The state of each run.
    pub lifecycle: Lifecycle,
    pub last_terminal: u128,
}

/// What is fixed for a run before it is started.
pub struct Reserved {
    pub session_id: SessionId,
    pub session_name: String,
    pub run_id: RunId,
    pub terminal_name: String,
    pub cwd: PathBuf,
    pub group: Option<String>,
    pub label: Option<String>,
    pub colors: Colors,
    pub env: Vec<(OsString, OsString)>,
    pub transcript_share: watch::Receiver<usize>,
    pub limits: Limits,
    /// Whether Claude gets hooks.
    pub agent_hooks: bool,
}

/// What the parameters of `run` say of its session.
#[derive(Debug, Clone, Default)]
pub struct SessionSpec {
    pub session: Option<String>,
    pub name: Option<String>,
    pub label: Option<String>,
    pub group: Option<String>,
    pub cwd: Option<PathBuf>,
    /// The directory of a new session, when the parameters name none.
    pub new_session_cwd: Option<PathBuf>,
    pub program: String,
    pub transcript_limit: Option<usize>,
    pub limits: Limits,
    pub keep: Option<Keep>,
}

impl Table {
    pub fn new(settings: Settings, cross_session: watch::Sender<CrossSession>) -> Self {
        Self {
            sessions: Vec::new(),
            clients: Vec::new(),
            cross_session,
            samples: HashMap::new(),
            settings,
            colors: Colors::default(),
            closing: false,
            templates: BTreeMap::new(),
            paused: false,
            holding: None,
            frozen: None,
            sequences: Arc::default(),
            lifecycle: Lifecycle::default(),
            last_terminal: 0,
        }
    }

    pub fn tell(&mut self, announcement: &Announcement) {
        // Of a run that was dismissed there is nothing more to note.
        match announcement {
            Announcement::Event { event, except } => {
                self.send_event(event, except);
                if let Event::RunRestarted { run_id, .. } = event {
                    let _ = self.lifecycle.apply(run_id, Transition::Restarted);
                }
            }
            Announcement::Ended { event, except, lives_on } => {
                self.send_event(event, except);
                if let (_, Some(run_id)) = event.about() {
                    let _ = self.lifecycle.apply(run_id, Transition::Exited { lives_on: *lives_on });
                }
                self.dismiss_old();
            }
            Announcement::Settled { run_id, lives_on } => {
                let _ = self.lifecycle.apply(run_id, Transition::Settled { lives_on: *lives_on });
                self.dismiss_old();
            }
        }
    }

    fn send_event(&self, event: &Event, except: &[ClientId]) {
        let policy = *self.cross_session.borrow();
        let hears =
            |(client, caller): &&(Client, Caller)| !except.contains(&client.id()) && caller.receives(policy, event);
        for (client, _) in self.clients.iter().filter(hears) {
            client.event(event.clone());
        }
    }

    fn event(&mut self, event: Event) {
        self.tell(&Announcement::Event { event, except: Vec::new() });
    }

    /// Clients are to wait with what is typed, those that come meanwhile too.
    pub fn hold_input(&mut self) -> Arc<watch::Sender<()>> {
        let holding = Arc::new(watch::Sender::new(()));
        for (client, _) in &self.clients {
            client.notice(Event::Replacing { begins: true }, holding.subscribe());
        }
        self.holding = Some(Arc::clone(&holding));
        holding
    }

    /// What is typed may come again.
    pub fn release_input(&mut self) {
        if self.holding.take().is_some() {
            self.event(Event::Replacing { begins: false });
        }
    }

    pub fn add_client(&mut self, client: Client, caller: Caller) {
        if let Some(holding) = &self.holding {
            client.notice(Event::Replacing { begins: true }, holding.subscribe());
        }
        self.clients.push((client, caller));
    }

    pub fn forget_client(&mut self, client: ClientId) {
        self.clients.retain(|(other, _)| other.id() != client);
        for run in self.runs() {
            run.desired.send_modify(|desired| desired.departures += 1);
        }
    }

    /// Closes a client's view of a run and what it follows of it.
    pub fn detach(run: &RunHandle, client: ClientId) {
        run.send_in_turn(RunMessage::Detach(client));
        run.send_in_turn(RunMessage::Unsubscribe(client));
    }

    /// Whether programs are started at all.
    pub fn check_open(&self) -> Result<()> {
        if self.closing {
            return Err(Error::new(Code::ShuttingDown, "the host is ending; start another"));
        }
        if self.paused {
            return Err(Error::new(Code::ShuttingDown, "the daemon is just being replaced; try again in a moment"));
        }
        Ok(())
    }

    /// Finds or makes the session for a run that is about to be started, if the call may have it.
    pub fn reserve(&mut self, spec: SessionSpec, permit: &Permit) -> Result<Reserved> {
        self.check_open()?;
        let found = match &spec.session {
            None => None,
            Some(named) => match self.find_session(named, permit) {
                Ok(at) => {
                    self.check(permit, &self.sessions[at])?;
                    Some(at)
                }
                Err(error) if error.code == Code::Ambiguous => return Err(error),
                Err(_) => None,
            },
        };
        if found.is_none() {
            self.check_new(permit, spec.group.as_ref())?;
            spec.session.as_ref().map_or(Ok(()), |named| check_session_name("session", named))?;
        }
        let bytes = spec.transcript_limit.unwrap_or(self.settings.transcript_limit);
        let found = self.make_room(found, bytes)?;
        let at = match found {
            Some(at) => at,
            None => self.make_session(&spec)?,
        };
        let defaults = self.settings.limits.clone();
        let session = &mut self.sessions[at];
        if let Some(bytes) = spec.transcript_limit.filter(|_| found.is_some()) {
            let rule =
                format!("a run in session {:?} shares that session's limit; leave transcript_bytes out", session.name);
            return Err(Error::invalid("transcript_bytes", bytes, &rule));
        }
        let limits = spec.limits.or(&session.limits).or(&defaults);
        let run_id = self.new_id(RunId::new, RunId::as_str);
        let session = &self.sessions[at];
        self.lifecycle.reserve(&session.id, &run_id);
        Ok(Reserved {
            session_id: session.id.clone(),
            session_name: session.name.clone(),
            terminal_name: names::terminal_name(&session.id, &mut self.last_terminal),
            cwd: spec.cwd.unwrap_or_else(|| session.cwd.clone()),
            group: session.group.clone(),
            label: session.label.clone(),
            colors: self.colors,
            transcript_share: session.transcript_share.subscribe(),
            env: self.env_of(&session_env(&self.sessions[at].id, &run_id)),
            limits,
            agent_hooks: self.settings.agent_hooks,
            run_id,
        })
    }

    /// Whether a session, other than this one, may take a name: no session has it, and no id begins with it.
    ///
    /// # Errors
    /// `name_taken`.
    fn check_free(&self, name: &str, except: Option<usize>) -> Result<()> {
        if self.sessions.iter().enumerate().any(|(other, session)| Some(other) != except && session.name == name) {
            // A session that is there keeps its place when it is renamed: to run in the other one is no choice then.
            let instead = if except.is_some() { "" } else { ", or run in that session" };
            return Err(Error::new(
                Code::NameTaken,
                format!("another session is named {name:?}; choose another name{instead}"),
            ));
        }
        let ids = || {
            self.sessions.iter().map(|session| session.id.as_str()).chain(self.runs().map(|run| run.run_id.as_str()))
        };
        if is_id_prefix(name) && ids().any(|id| id.starts_with(name)) {
            let why = format!("an id begins with {name:?}, so that it would mean two things; choose another name");
            return Err(Error::new(Code::NameTaken, why));
        }
        Ok(())
    }

    /// A new id, which begins with no name: with those of sessions that are words of an id's digits.
    fn new_id<T>(&self, new: impl Fn() -> T, text: impl Fn(&T) -> &str) -> T {
        let mut id = new();
        // A name of that kind is the beginning of one id in 65,536.
        for _ in 0..100 {
            let begins = |session: &Session| is_id_prefix(&session.name) && text(&id).starts_with(&session.name);
            if !self.sessions.iter().any(begins) {
                break;
            }
            id = new();
        }
        id
    }

    fn make_session(&mut self, spec: &SessionSpec) -> Result<usize> {
        let name = match spec.name.as_ref().or(spec.session.as_ref()) {
            None => names::session_name(&spec.program, |name| self.check_free(name, None).is_err()),
            Some(name) => {
                self.check_free(name, None)?;
                name.clone()
            }
        };
        let transcript_limit = spec.transcript_limit.unwrap_or(self.settings.transcript_limit);
        self.sessions.push(Session {
            id: self.new_id(SessionId::new, SessionId::as_str),
            name,
            label: spec.label.clone(),
            group: spec.group.clone(),
            cwd: spec.cwd.as_ref().or(spec.new_session_cwd.as_ref()).unwrap_or(&self.settings.cwd).clone(),
            transcript_limit,
            transcript_share: watch::Sender::new(transcript_limit),
            runs: Vec::new(),
            announced: false,
            created_at: SystemTime::now(),
            limits: spec.limits.clone(),
            keep: spec.keep,
        });
        Ok(self.sessions.len() - 1)
    }

    pub fn next_terminal_name(&mut self, session: &SessionId) -> String {
        names::terminal_name(session, &mut self.last_terminal)
    }

    pub fn env_of(&self, own: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
        let mut env = self.settings.env.clone();
        if let Some(socket) = &self.settings.socket {
            env.push(("TERMI_SOCKET".into(), socket.clone().into_os_string()));
        }
        env.extend(own.iter().cloned());
        env
    }

    /// The run has started: it is one of its session's from now on. Returns the name that the session has by now.
    pub fn insert(&mut self, run: RunHandle, pid: u32) -> Result<String> {
        let closing = self.closing;
        let Some(session) = self.sessions.iter_mut().find(|session| session.id == run.session_id) else {
            return Err(Error::new(Code::NotFound, "the session was removed while its run started"));
        };
        if closing {
            return Err(Error::new(Code::ShuttingDown, "the host is ending; start another"));
        }
        let run_id = run.run_id.clone();
        self.lifecycle.apply(&run_id, Transition::Started)?;
        // Both may be others by now than when its start began.
        let (name, colors) = (session.name.clone(), self.colors);
        run.desired.send_modify(|desired| (desired.session_name, desired.colors) = (name, Some(colors)));
        session.runs.push(run);
        session.share_transcript();
        let is_first = !std::mem::replace(&mut session.announced, true);
        let (session_id, session_name) = (session.id.clone(), session.name.clone());
        if is_first {
            self.event(Event::SessionStarted { session_id: session_id.clone(), session_name: session_name.clone() });
        }
        self.event(Event::RunStarted { session_id, session_name: session_name.clone(), run_id, pid });
        Ok(session_name)
    }

    /// The run was not started: nothing of it stays.
    pub fn release(&mut self, run_id: &RunId) {
        // One that was inserted is active by now, and stays.
        let _ = self.lifecycle.apply(run_id, Transition::NotStarted);
        self.remove_empty();
    }

    fn remove_empty(&mut self) {
        let starting = self.lifecycle.starting();
        let (gone, kept) = std::mem::take(&mut self.sessions)
            .into_iter()
            .partition::<Vec<_>, _>(|session| session.runs.is_empty() && !starting.contains(&session.id));
        self.sessions = kept;
        for session in gone.into_iter().filter(|session| session.announced) {
            self.event(Event::SessionRemoved { session_id: session.id, session_name: session.name });
        }
    }

    /// Takes a run out of the table that has ended: [`Transition::Dismissed`] or [`Transition::Discarded`].
    ///
    /// # Errors
    /// When it has not ended, or is being restarted, or something of it lives on: it stays as it is then.
    pub fn take_out(&mut self, run_id: &RunId, how: Transition) -> std::result::Result<(), Refusal> {
        self.lifecycle.apply(run_id, how)?;
        for session in &mut self.sessions {
            for run in session.runs.extract_if(.., |run| run.run_id == *run_id) {
                run.desired.send_modify(|desired| desired.is_dismissed = true);
            }
        }
        self.sessions.iter_mut().for_each(Session::share_transcript);
        self.samples.remove(run_id);
        self.remove_empty();
        Ok(())
    }

    pub fn rename(&mut self, target: &Target, name: String, permit: &Permit) -> Result<SessionId> {
        check_session_name("name", &name)?;
        let Target::Session(named) = target else {
            return Err(Error::invalid("target", target.to_string(), "one session, by its id, prefix or name"));
        };
        let at = self.find_session(named, permit).map_err(|error| self.hide(permit, named, error))?;
        self.check(permit, &self.sessions[at])?;
        self.check_free(&name, Some(at))?;
        let session = &mut self.sessions[at];
        session.name.clone_from(&name);
        for run in &session.runs {
            run.desired.send_modify(|desired| desired.session_name.clone_from(&name));
        }
        let (session_id, announced) = (session.id.clone(), session.announced);
        // Of one whose first run is still being started nobody has been told: its start tells the name it has then.
        if announced {
            self.event(Event::SessionRenamed { session_id: session_id.clone(), session_name: name });
        }
        Ok(session_id)
    }
}

/// What tells a program where it runs.
pub fn session_env(session: &SessionId, run: &RunId) -> Vec<(OsString, OsString)> {
    vec![("TERMI_SESSION".into(), session.as_str().into()), ("TERMI_RUN".into(), run.as_str().into())]
}
