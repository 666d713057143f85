//! What is believed of an agent: the evidence of each source, which of them counts, and since when.
//!
//! Sources in order of belief are those of [`AgentSource`]: a lower one never overrules a higher one that says something.
//! What a screen or a title shows must stand for a moment, since programs draw in pieces; reports and hooks count at once.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::rules::{Match, Rules};
use crate::{
    protocol::{AgentInfo, AgentKind, AgentSource, AgentState, acts},
    term::{ProgramState, ProgramStatus, StatusRecord},
};

/// How long a screen or a title must show a dialog until it counts.
const BLOCKED_AFTER: Duration = Duration::from_millis(300);
/// How long nothing must be shown of work, or of a dialog, until it counts as over.
const OVER_AFTER: Duration = Duration::from_millis(500);
/// The longest texts that are kept, in characters.
const APP_MAX: usize = 64;
const MESSAGE_MAX: usize = 500;

/// The time, as it is measured and as it is told.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For what must stand for a moment.
    pub instant: Instant,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// A report about an agent that is none of the terminal's: a hook's, or one of JSON lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which agent.
    pub app: String,
    /// What it is doing; none takes back what the source said before.
    pub state: Option<AgentState>,
    /// What it waits for.
    pub kind: Option<AgentKind>,
    /// What it asks or says.
    pub message: Option<String>,
    /// Its own id for the conversation.
    pub agent_session: Option<String>,
}

/// What one source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the agent is doing.
    pub state: AgentState,
    /// What it waits for.
    pub kind: Option<AgentKind>,
    /// What it asks or says.
    pub message: Option<String>,
    /// What it is about.
    pub title: Option<String>,
    /// How far it is.
    pub progress: Option<u8>,
    /// When the source began to say so, in milliseconds since 1970.
    pub since: u64,
    /// By which rule, or which report.
    pub rule: String,
    /// On which text.
    pub text: String,
}

impl Evidence {
    fn of_match(found: Match, now: Now) -> Self {
        let Match { state, kind, message, rule, text } = found;
        let text = cut(&text, MESSAGE_MAX);
        let message = message.map(|message| cut(&message, MESSAGE_MAX));
        Self { state, kind, message, title: None, progress: None, since: now.unix_ms, rule, text }
    }

    fn of_records(records: &[StatusRecord], now: Now) -> Option<Self> {
        // A run of several parts works as long as one of them does, and waits as soon as one of them does.
        let rank = |record: &&StatusRecord| match record.state {
            ProgramState::Blocked => 5,
            ProgramState::Working => 4,
            ProgramState::Error => 3,
            ProgramState::Done => 2,
            ProgramState::Idle => 1,
        };
        let first = records.iter().map(|record| rank(&record)).max()?;
        let record = records.iter().find(|record| rank(record) == first)?;
        let state = match record.state {
            ProgramState::Blocked => AgentState::Blocked,
            ProgramState::Working => AgentState::Working,
            ProgramState::Error => AgentState::Error,
            ProgramState::Done => AgentState::Done,
            ProgramState::Idle => AgentState::Ready,
        };
        Some(Self {
            state,
            kind: record.kind.filter(|_| state == AgentState::Blocked),
            message: record.message.clone(),
            title: record.title.clone(),
            progress: record.progress,
            since: now.unix_ms,
            rule: "OSC 7501".to_owned(),
            text: record.id.clone(),
        })
    }

    /// Whether it tells the same, whatever it rests on.
    fn is_like(&self, other: &Self) -> bool {
        (self.state, self.kind) == (other.state, other.kind)
    }
}

/// A state that is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Belief {
    state: AgentState,
    kind: Option<AgentKind>,
    message: Option<String>,
    source: Option<AgentSource>,
    since: u64,
    seen: bool,
}

/// What of an agent outlives the host's replacement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAgent {
    program: Option<String>,
    reported: Option<String>,
    evidence: BTreeMap<AgentSource, Evidence>,
    belief: Option<Belief>,
    worked: bool,
    agent_session: Option<String>,
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Who says it.
    pub source: AgentSource,
    /// What.
    pub evidence: Evidence,
    /// Whether this is what is believed.
    pub believed: bool,
}

/// A run as an agent; of one that is none, nothing but that.
#[derive(Debug, Default)]
pub struct Agent {
    /// A user's rules; none for those in the binary.
    rules: Option<Arc<Rules>>,
    saved: SavedAgent,
    /// What is to be believed once it has stood for its time.
    pending: Option<(AgentState, Instant)>,
    /// How often anything may have changed.
    changes: u64,
}

impl Agent {
    /// One that another process has saved.
    #[must_use]
    pub fn restore(saved: SavedAgent) -> Self {
        Self { rules: None, saved, pending: None, changes: 0 }
    }

    /// What is to outlive this process.
    #[must_use]
    pub fn save(&self) -> SavedAgent {
        self.saved.clone()
    }

    /// Other rules hold from now on; with none those in the binary.
    pub fn set_rules(&mut self, rules: Option<Arc<Rules>>) {
        self.rules = rules;
    }

    fn rules(&self) -> &Rules {
        self.rules.as_deref().unwrap_or_else(|| Rules::built_in())
    }

    /// Which agent it is: its own reports say so, else its program's name.
    #[must_use]
    pub fn app(&self) -> Option<&str> {
        self.saved.reported.as_deref().or(self.saved.program.as_deref())
    }

    /// Whether its screen and its title are to be looked at.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.app().is_some()
    }

    /// The program in the terminal's foreground has these names.
    pub fn on_program(&mut self, names: &[String], now: Now) {
        let program = names.iter().find_map(|name| self.rules().agent_of_program(name)).map(str::to_owned);
        if program == self.saved.program {
            return;
        }
        // What another program showed says nothing of this one.
        for source in [AgentSource::Screen, AgentSource::Title, AgentSource::Bell] {
            self.saved.evidence.remove(&source);
        }
        self.saved.program = program;
        self.saved.worked = false;
        self.believe(now);
    }

    /// Its records (OSC 7501) have changed.
    pub fn on_status(&mut self, status: &ProgramStatus, now: Now) {
        let records = status.records();
        // The program's own record says which it is, before those of its parts.
        let apps = || records.iter().filter_map(|record| Some((record.id.len(), record.app.as_deref()?)));
        if let Some((_, app)) = apps().min_by_key(|(length, _)| *length) {
            let known = self.rules().agent_of_program(app).unwrap_or(app);
            self.saved.reported = Some(cut(known, APP_MAX));
        } else if records.is_empty() && !self.saved.evidence.contains_key(&AgentSource::Hook) {
            self.saved.reported = None;
        }
        self.set(AgentSource::Osc, Evidence::of_records(records, now), now);
    }

    /// A hook, or JSON lines, report.
    pub fn on_report(&mut self, source: AgentSource, report: Report, now: Now) {
        if report.state.is_some() {
            let known = self.rules().agent_of_program(&report.app).unwrap_or(&report.app);
            self.saved.reported = Some(cut(known, APP_MAX));
        } else if !self.reports_besides(source) {
            // What has taken its word back may have left a shell that it was started in.
            self.saved.reported = None;
        }
        if let Some(id) = report.agent_session {
            self.saved.agent_session = Some(cut(&id, APP_MAX));
        }
        let evidence = report.state.map(|state| Evidence {
            state,
            kind: report.kind,
            message: report.message.map(|text| cut(&text, MESSAGE_MAX)),
            title: None,
            progress: None,
            since: now.unix_ms,
            rule: "report".to_owned(),
            text: String::new(),
        });
        self.set(source, evidence, now);
    }

    /// Whether another source than this one is a report, which says which agent it is.
    fn reports_besides(&self, source: AgentSource) -> bool {
        let reports = [AgentSource::Osc, AgentSource::Hook, AgentSource::Json];
        reports.into_iter().any(|other| other != source && self.saved.evidence.contains_key(&other))
    }

    /// The program that reported has gone, in a shell that goes on: nothing that it said holds.
    pub fn on_reporter_gone(&mut self, now: Now) {
        for source in [AgentSource::Hook, AgentSource::Json] {
            self.saved.evidence.remove(&source);
        }
        if !self.saved.evidence.contains_key(&AgentSource::Osc) {
            self.saved.reported = None;
        }
        self.believe(now);
    }

    /// Its title is this one.
    pub fn on_title(&mut self, title: &str, now: Now) {
        let found = self.app().and_then(|app| self.rules().of_title(app, title));
        self.set(AgentSource::Title, found.map(|found| Evidence::of_match(found, now)), now);
    }

    /// Its screen ends in these lines.
    pub fn on_screen(&mut self, lines: &[String], now: Now) {
        let found = self.app().and_then(|app| self.rules().of_screen(app, lines));
        self.set(AgentSource::Screen, found.map(|found| Evidence::of_match(found, now)), now);
    }

    /// It rang the bell, or showed a notification with this text.
    pub fn on_attention(&mut self, message: Option<&str>, now: Now) {
        if !self.is_watched() {
            return;
        }
        let evidence = Evidence {
            state: AgentState::Blocked,
            kind: None,
            message: message.map(|text| cut(text, MESSAGE_MAX)),
            title: None,
            progress: None,
            since: now.unix_ms,
            rule: if message.is_some() { "notification" } else { "bell" }.to_owned(),
            text: String::new(),
        };
        self.set(AgentSource::Bell, Some(evidence), now);
    }

    /// Somebody typed: what it rang for has been seen, and what a hook said that it waits for may have been answered. If
    /// its screen still shows a dialog, that says so.
    pub fn on_input(&mut self, now: Now) {
        self.saved.evidence.remove(&AgentSource::Bell);
        let waits = |evidence: &Evidence| evidence.state == AgentState::Blocked;
        let shows = |source| self.saved.evidence.get(&source).is_some_and(waits);
        if shows(AgentSource::Hook) && !shows(AgentSource::Screen) && !shows(AgentSource::Title) {
            self.saved.evidence.remove(&AgentSource::Hook);
        }
        self.believe(now);
    }

    /// The program has ended: what it was doing it does no longer. What it reported of its end stays.
    pub fn on_exit(&mut self, status: &ProgramStatus, now: Now) {
        self.saved.evidence.clear();
        self.saved.program = None;
        self.on_status(status, now);
        if self.saved.evidence.is_empty() {
            self.saved.belief = None;
        }
        self.pending = None;
        self.changes += 1;
    }

    /// A client has looked at the state. Whether that is new.
    pub fn on_seen(&mut self) -> bool {
        let is_new = self.saved.belief.as_mut().is_some_and(|belief| !std::mem::replace(&mut belief.seen, true));
        self.changes += u64::from(is_new);
        is_new
    }

    /// When something has stood for its time.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.map(|(_, due)| due)
    }

    /// Believes what has stood for its time.
    pub fn on_deadline(&mut self, now: Now) {
        self.believe(now);
    }

    /// Another number when [`Self::info`] may be another.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many of a screen's last lines are looked at.
    #[must_use]
    pub fn screen_lines(&self) -> usize {
        self.app().map_or(0, |app| self.rules().screen_lines(app))
    }

    /// The state that is believed; none while it is no agent.
    #[must_use]
    pub fn state(&self) -> Option<AgentState> {
        self.saved.belief.as_ref().map(|belief| belief.state)
    }

    /// What is believed; none while it is no agent.
    #[must_use]
    pub fn info(&self) -> Option<AgentInfo> {
        let belief = self.saved.belief.as_ref()?;
        let reports = self.saved.evidence.get(&AgentSource::Osc);
        Some(AgentInfo {
            app: self.app().unwrap_or_default().to_owned(),
            state: belief.state,
            kind: belief.kind,
            message: belief.message.clone(),
            title: reports.and_then(|evidence| evidence.title.clone()),
            progress: reports.and_then(|evidence| evidence.progress),
            since: belief.since,
            source: belief.source,
            seen: belief.seen,
            agent_session: self.saved.agent_session.clone(),
        })
    }

    /// What each source says, the most believed first.
    #[must_use]
    pub fn explain(&self) -> Vec<Explained> {
        let source = self.saved.belief.as_ref().and_then(|belief| belief.source);
        let explained = self.saved.evidence.iter().map(|(its, evidence)| Explained {
            source: *its,
            evidence: evidence.clone(),
            believed: Some(*its) == source,
        });
        explained.collect()
    }

    fn set(&mut self, source: AgentSource, evidence: Option<Evidence>, now: Now) {
        match evidence {
            Some(mut evidence) => {
                if let Some(before) = self.saved.evidence.get(&source).filter(|before| before.is_like(&evidence)) {
                    evidence.since = before.since;
                }
                if evidence.state == AgentState::Working {
                    // It goes on: what it rang for is over.
                    self.saved.evidence.remove(&AgentSource::Bell);
                }
                self.saved.evidence.insert(source, evidence);
            }
            None => {
                self.saved.evidence.remove(&source);
            }
        }
        self.believe(now);
    }

    /// The source that counts.
    fn best(&self) -> Option<(AgentSource, &Evidence)> {
        let says = |source: AgentSource| self.saved.evidence.get(&source).map(|evidence| evidence.state);
        let title_is_busy = matches!(says(AgentSource::Title), Some(AgentState::Working | AgentState::Blocked));
        // A box to type in is there while some of them work, too.
        let is_weak = |source: AgentSource, evidence: &Evidence| {
            source == AgentSource::Screen && evidence.state == AgentState::Ready && title_is_busy
        };
        let mut found = self.saved.evidence.iter().filter(|(source, evidence)| !is_weak(**source, evidence));
        found.next().map(|(source, evidence)| (*source, evidence))
    }

    fn believe(&mut self, now: Now) {
        self.changes += 1;
        if !self.is_watched() {
            (self.saved.belief, self.pending) = (None, None);
            return;
        }
        let before = self.saved.belief.as_ref().map(|belief| belief.state);
        let (source, evidence) = match self.best() {
            Some((source, evidence)) => (Some(source), Some(evidence.clone())),
            None => (None, None),
        };
        let is_told = matches!(source, Some(AgentSource::Osc | AgentSource::Hook | AgentSource::Json));
        let state = match evidence.as_ref().map(|evidence| evidence.state) {
            // One that has worked and is idle again has finished; its own reports say themselves which it is.
            Some(AgentState::Ready) if !is_told && self.saved.worked => AgentState::Done,
            Some(state) => state,
            None if self.saved.worked => AgentState::Done,
            None => match before {
                None | Some(AgentState::Starting) => AgentState::Starting,
                Some(_) => AgentState::Ready,
            },
        };
        let delay = match (before, state) {
            _ if is_told => Duration::ZERO,
            (Some(before), state) if before == state => Duration::ZERO,
            (None | Some(AgentState::Starting), AgentState::Starting | AgentState::Ready | AgentState::Working) => {
                Duration::ZERO
            }
            (_, AgentState::Blocked) => BLOCKED_AFTER,
            (Some(AgentState::Working | AgentState::Blocked), AgentState::Ready | AgentState::Done) => OVER_AFTER,
            (Some(AgentState::Blocked), _) => BLOCKED_AFTER,
            _ => Duration::ZERO,
        };
        if delay > Duration::ZERO {
            match self.pending {
                Some((waits, due)) if waits == state && now.instant >= due => {}
                Some((waits, _)) if waits == state => return,
                _ => {
                    self.pending = Some((state, now.instant + delay));
                    return;
                }
            }
        }
        self.pending = None;
        match state {
            AgentState::Working => self.saved.worked = true,
            AgentState::Starting => self.saved.worked = false,
            _ => {}
        }
        let (kind, message) = evidence.map(|evidence| (evidence.kind, evidence.message)).unwrap_or_default();
        // One that says only that it waits may show what for.
        let message = message.or_else(|| {
            let mut others = self.saved.evidence.values().filter(|other| other.state == state);
            others.find_map(|other| other.message.clone()).filter(|_| state == AgentState::Blocked)
        });
        let is_same = self.saved.belief.as_ref().is_some_and(|belief| {
            // Another question is one that nobody has seen; one whose words come later is the same.
            let is_other = belief.message.is_some() && message.is_some() && belief.message != message;
            (belief.state, belief.kind) == (state, kind) && !(is_other && state == AgentState::Blocked)
        });
        let (since, seen) = match &self.saved.belief {
            Some(belief) if is_same => (belief.since, belief.seen),
            _ => (now.unix_ms, false),
        };
        self.saved.belief = Some(Belief { state, kind, message, source, since, seen });
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|letter| !acts(*letter)).take(most).collect()
}
