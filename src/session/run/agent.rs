//! A run as a coding agent: when its program, its title and its screen are looked at, and who is sent its state.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime},
};

use nix::{errno::Errno, sys::signal::killpg, unistd::Pid};

use super::Run;
use crate::{
    agent::{Agent, Now, Report, SavedAgent},
    process::{self, ProgramNames},
    protocol::{
        AgentEvidence, AgentEvidenceReply, AgentInfo, AgentReportParams, AgentSource, AgentState, Code, Error, Event,
        ReportedState, Result, acts,
    },
    pty::Master,
    session::{message::RunMessage, snapshot::time::unix_ms},
    term::Effects,
};

/// A screen that changes is looked at this often. Most of what agents draw are spinners.
const SCREEN_INTERVAL: Duration = Duration::from_millis(150);

/// After so long without output, what came last is looked at: more than lies between two pictures of a spinner.
const SCREEN_PAUSE: Duration = Duration::from_millis(60);

/// The program in the foreground is looked for this often at first, and then, while there is output, this often: what
/// a shell starts without a group of its own is seen by that alone.
const PROGRAM_INTERVAL: Duration = Duration::from_millis(500);
const PROGRAM_INTERVAL_LATER: Duration = Duration::from_secs(10);
const PROGRAM_LOOKS: u32 = 4;

/// A state is sent at most this often; the last always is.
const EVENT_THROTTLE: Duration = Duration::from_millis(100);

/// What is known of a run as an agent, and when to look again.
pub(super) struct WatchedAgent {
    agent: Agent,
    title: String,
    /// The change of the screen that was looked at last, and when that was.
    looked: (u64, Option<Instant>),
    /// Its screen has changed since, and when it did last.
    is_changed: bool,
    printed: Option<Instant>,
    /// The group in the foreground, how often its program was looked for, and when that was last.
    group: Option<i32>,
    looks: u32,
    looked_for: Option<Instant>,
    /// When the group in the foreground was looked at, and whether there was output since.
    looked_at_group: Option<Instant>,
    has_printed: bool,
    /// Held while a command line is being read.
    reading: Weak<()>,
    /// The group that was in the foreground when it last reported.
    reporter: Option<i32>,
    /// What clients were sent last, and when.
    sent: Option<AgentInfo>,
    sent_at: Option<Instant>,
    /// The changes of the agent at which that was compared with what it is.
    compared: Option<u64>,
    /// Of the rules.
    version: u64,
    /// What those who wait for a state have seen last.
    waited: Option<AgentState>,
}

impl WatchedAgent {
    pub(super) fn new(agent: Agent) -> Self {
        let is_changed = agent.is_watched();
        Self {
            sent: agent.info(),
            agent,
            title: String::new(),
            looked: (0, None),
            // What had not stood for its time when it was saved is looked at again.
            is_changed,
            printed: None,
            group: None,
            looks: 0,
            looked_for: None,
            looked_at_group: None,
            has_printed: false,
            reading: Weak::new(),
            reporter: None,
            sent_at: None,
            compared: None,
            version: 0,
            waited: None,
        }
    }

    /// Whether its state is another than at the last call.
    pub(super) fn changes_state(&mut self) -> bool {
        let state = self.agent.state();
        std::mem::replace(&mut self.waited, state) != state
    }

    pub(super) fn save(&self) -> SavedAgent {
        self.agent.save()
    }

    pub(super) fn info(&self) -> Option<AgentInfo> {
        self.agent.info()
    }

    /// `whole`: no synchronized update is under way, so that the screen can be looked at.
    pub(super) fn deadline(&self, whole: bool) -> Option<Instant> {
        // One that goes on printing is looked at as it prints: no clock wakes the run for it.
        let look = (self.is_changed && whole).then(|| {
            let due = self.looked.1.map_or_else(Instant::now, |last| last + SCREEN_INTERVAL);
            self.printed.map_or(due, |last| due.max(last + SCREEN_PAUSE))
        });
        let send = (Some(self.agent.changes()) != self.compared)
            .then(|| self.sent_at.map_or_else(Instant::now, |last| last + EVENT_THROTTLE));
        let foreground =
            self.has_printed.then(|| self.looked_at_group.map_or_else(Instant::now, |last| last + PROGRAM_INTERVAL));
        [look, send, foreground, self.agent.deadline()].into_iter().flatten().min()
    }

    /// Whether it is time to look which group is in the foreground.
    fn looks_at_group(&mut self, now: Instant) -> bool {
        let is_due = self.looked_at_group.is_none_or(|last| now >= last + PROGRAM_INTERVAL);
        if is_due {
            self.looked_at_group = Some(now);
        }
        is_due
    }

    /// Whether the program of that group is to be looked for.
    fn looks_for_program(&mut self, group: i32, now: Instant) -> bool {
        if self.group != Some(group) {
            (self.group, self.looks) = (Some(group), 0);
        }
        if self.looks >= PROGRAM_LOOKS && self.looked_for.is_some_and(|last| now < last + PROGRAM_INTERVAL_LATER) {
            return false;
        }
        self.looks += 1;
        self.looked_for = Some(now);
        true
    }
}

/// Whether no process of a group is left.
fn is_gone(group: i32) -> bool {
    killpg(Pid::from_raw(group), None) == Err(Errno::ESRCH)
}

fn now() -> Now {
    Now { instant: Instant::now(), unix_ms: unix_ms(SystemTime::now()) }
}

impl Run {
    /// Uses the newest rules. By others its program, its title and its screen are looked at again.
    fn follow_rules(&mut self) {
        let Some(rules) = self.services.agent_rules.other_than(self.agent.version) else { return };
        self.agent.version = rules.version;
        self.agent.agent.set_rules(rules.rules);
        (self.agent.looks, self.agent.looked_for, self.agent.looked_at_group) = (0, None, None);
        (self.agent.has_printed, self.agent.is_changed, self.agent.looked) = (true, true, (0, None));
        if self.agent.agent.is_watched() {
            self.agent.agent.on_title(self.terminal.title(), now());
        }
    }

    /// Takes in what output brought about.
    pub(super) fn agent_prints(&mut self, effects: &Effects) {
        let now = now();
        self.agent.has_printed = true;
        self.look_at_foreground(now.instant);
        if effects.status_changed {
            self.agent.reporter = self.program.master.as_ref().and_then(Master::foreground);
            self.agent.agent.on_status(self.terminal.program_status(), now);
        }
        if !self.agent.agent.is_watched() {
            return;
        }
        if self.agent.title != self.terminal.title() {
            self.terminal.title().clone_into(&mut self.agent.title);
            self.agent.agent.on_title(&self.agent.title, now);
        }
        if let Some(notification) = effects.notifications.last() {
            self.agent.agent.on_attention(Some(&notification.text()), now);
        } else if effects.bell {
            self.agent.agent.on_attention(None, now);
        }
        (self.agent.is_changed, self.agent.printed) = (true, Some(now.instant));
    }

    /// Looks which group is in the foreground, if there was output since the last look and that is long enough ago.
    fn look_at_foreground(&mut self, now: Instant) {
        if !self.agent.has_printed || !self.agent.looks_at_group(now) {
            return;
        }
        self.follow_rules();
        // Of a shell's program that has gone without a word nothing is worked on, nor waited for.
        if self.agent.reporter.is_some_and(is_gone) {
            self.agent.reporter = None;
            self.terminal.end_program_status();
            self.agent.agent.on_status(self.terminal.program_status(), self::now());
            self.agent.agent.on_reporter_gone(self::now());
        }
        let Some(group) = self.program.master.as_ref().and_then(Master::foreground) else {
            self.agent.has_printed = false;
            return;
        };
        // One that comes too early is made later.
        self.agent.has_printed = !self.agent.looks_for_program(group, now);
        if !self.agent.has_printed {
            let found = process::program_names(group);
            if found.interpreters.is_empty() {
                self.agent_is(group, &found.names);
            } else {
                self.look_for_script(group, found);
            }
        }
    }

    /// To read a command line may mean to wait with a process that waits for a disk.
    fn look_for_script(&mut self, group: i32, found: ProgramNames) {
        if self.agent.reading.strong_count() > 0 {
            return;
        }
        let reading = Arc::new(());
        self.agent.reading = Arc::downgrade(&reading);
        let own = self.own.clone();
        tokio::task::spawn_blocking(move || {
            let _reading = reading;
            let mut names = process::script_names(&found.interpreters);
            names.extend(found.names);
            if let Some(own) = own.upgrade() {
                // A mailbox that is full is one that a later look finds empty.
                let _ = own.try_send(RunMessage::Foreground { group, names });
            }
        });
    }

    /// The program of a group that is, or was, in the foreground has these names.
    pub(super) fn agent_is(&mut self, group: i32, names: &[String]) {
        if self.agent.group != Some(group) || self.exit().is_some() {
            return;
        }
        let (was, now) = (self.agent.agent.is_watched(), now());
        self.agent.agent.on_program(names, now);
        self.agent_may_be_new(was, now);
    }

    /// One that is an agent only now is looked at whole.
    fn agent_may_be_new(&mut self, was: bool, now: Now) {
        if !was && self.agent.agent.is_watched() {
            self.agent.agent.on_title(self.terminal.title(), now);
            self.terminal.title().clone_into(&mut self.agent.title);
            // Whatever a look has found before it was an agent, this is its first.
            (self.agent.is_changed, self.agent.looked) = (true, (0, None));
        }
    }

    /// A program of its tree reports what it does as an agent, as from a hook.
    pub(super) fn agent_reports(&mut self, params: AgentReportParams) -> Result<()> {
        if self.exit().is_some() {
            return Err(Error::new(Code::NotFound, "the run has ended: what lives on of it is no agent any more"));
        }
        let AgentReportParams { app, state, kind, message, agent_session, run_id: _ } = params;
        let known = || self.agent.agent.app().map(str::to_owned);
        let Some(app) = app.filter(|app| app.chars().any(|letter| !acts(letter))).or_else(known) else {
            return Err(Error::invalid(
                "app",
                "",
                "missing: the run is no agent that Termi knows; name it, as \"claude\"",
            ));
        };
        let state = state.and_then(ReportedState::state);
        let kind = kind.filter(|_| state == Some(AgentState::Blocked));
        let (was, now) = (self.agent.agent.is_watched(), now());
        let report = Report { app, state, kind, message, agent_session };
        self.agent.reporter = self.program.master.as_ref().and_then(Master::foreground);
        self.agent.agent.on_report(AgentSource::Hook, report, now);
        self.agent_may_be_new(was, now);
        Ok(())
    }

    /// Somebody typed.
    pub(super) fn agent_is_typed_to(&mut self) {
        if self.agent.agent.is_watched() {
            self.agent.agent.on_input(now());
        }
    }

    /// A client has looked at its state.
    pub(super) fn agent_is_seen(&mut self) {
        if self.agent.agent.on_seen() {
            self.send_agent();
        }
    }

    /// What time alone brings about: looks, what has stood for its time, and events that were held back.
    pub(super) fn check_agent(&mut self) {
        let now = now();
        self.look_at_foreground(now.instant);
        let is_due = self.agent.looked.1.is_none_or(|last| now.instant >= last + SCREEN_INTERVAL);
        // Half of a synchronized update is not to be seen.
        if self.agent.is_changed && is_due && self.terminal.sync_deadline().is_none() {
            self.terminal.flush();
            let change = self.terminal.change();
            if change != self.agent.looked.0 || self.agent.looked.1.is_none() {
                self.agent.agent.on_screen(&self.terminal.bottom_lines(self.agent.agent.screen_lines()), now);
            }
            self.agent.looked = (change, Some(now.instant));
            self.agent.is_changed = false;
        }
        if self.agent.agent.deadline().is_some_and(|due| now.instant >= due) {
            self.agent.agent.on_deadline(now);
        }
        if self.agent.sent_at.is_none_or(|last| now.instant >= last + EVENT_THROTTLE) {
            self.send_agent();
        }
    }

    fn send_agent(&mut self) {
        let changes = self.agent.agent.changes();
        if self.agent.compared.replace(changes) == Some(changes) {
            return;
        }
        let agent = self.agent.agent.info();
        if agent == self.agent.sent {
            return;
        }
        let was = self.agent.sent.take().map(|info| info.state);
        self.agent.sent.clone_from(&agent);
        self.agent.sent_at = Some(Instant::now());
        let (session_id, session_name, run_id) = self.ids();
        self.announce(Event::AgentState { session_id, session_name, run_id, agent, was });
    }

    /// The program has ended: what it reported of that stays.
    pub(super) fn agent_ends(&mut self) {
        self.terminal.end_program_status();
        self.agent.agent.on_exit(self.terminal.program_status(), now());
        self.agent.is_changed = false;
        self.send_agent();
    }

    /// Another program begins in its place.
    pub(super) fn agent_begins(&mut self) {
        let agent = Agent::default();
        let sent = self.agent.sent.take();
        self.agent = WatchedAgent { sent, ..WatchedAgent::new(agent) };
        self.send_agent();
    }

    /// What each source says of it.
    pub(super) fn agent_evidence(&mut self) -> AgentEvidenceReply {
        self.follow_rules();
        self.check_agent();
        let explained = self.agent.agent.explain().into_iter();
        let evidence = explained.map(|explained| AgentEvidence {
            source: explained.source,
            state: explained.evidence.state,
            kind: explained.evidence.kind,
            message: explained.evidence.message,
            since: explained.evidence.since,
            rule: explained.evidence.rule,
            text: explained.evidence.text,
            believed: explained.believed,
        });
        AgentEvidenceReply {
            agent: self.agent.info(),
            evidence: evidence.collect(),
            rules_error: self.services.agent_rules.error(),
        }
    }
}
