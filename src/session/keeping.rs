//! What is kept, and for how long: ended runs by count and by age, and the caps on all sessions together.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::table::Table;
use crate::protocol::{Code, ConfigureParams, ConfigureReply, Error, Keep, Result, RunId, SessionId};

/// Runs that have ended, the oldest first.
#[derive(Debug, Default)]
pub struct Ended(VecDeque<EndedRun>);

#[derive(Debug)]
struct EndedRun {
    session: SessionId,
    run: RunId,
    at: Instant,
}

impl Ended {
    pub fn add(&mut self, session: &SessionId, run: &RunId) {
        self.remove(run);
        self.0.push_back(EndedRun { session: session.clone(), run: run.clone(), at: Instant::now() });
    }

    /// All of them with how long ago they ended, for another process.
    pub fn put_down(&self) -> Vec<(SessionId, RunId, Duration)> {
        self.0.iter().map(|ended| (ended.session.clone(), ended.run.clone(), ended.at.elapsed())).collect()
    }

    /// Takes up what another process has put down.
    pub fn take_up(ended: Vec<(SessionId, RunId, Duration)>) -> Self {
        let now = Instant::now();
        let one = |(session, run, ago)| EndedRun { session, run, at: now.checked_sub(ago).unwrap_or(now) };
        Self(ended.into_iter().map(one).collect())
    }

    pub fn remove(&mut self, run: &RunId) {
        self.0.retain(|ended| ended.run != *run);
    }

    pub fn contains(&self, run: &RunId) -> bool {
        self.0.iter().any(|ended| ended.run == *run)
    }

    /// How many of them there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Table {
    fn keep_of(&self, session: &SessionId) -> Keep {
        let told = self.sessions.iter().find(|other| other.id == *session).and_then(|session| session.keep);
        told.unwrap_or(self.settings.keep)
    }

    fn expiry_of(&self, ended: &EndedRun) -> Option<Instant> {
        ended.at.checked_add(Duration::from_millis(self.keep_of(&ended.session).age_ms?))
    }

    /// When the next ended run is too old to be kept; none when there is none that could be.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.ended.0.iter().filter_map(|ended| self.expiry_of(ended)).min()
    }

    /// Dismisses the ended runs that are not to be kept any longer.
    pub fn dismiss_old(&mut self) {
        let now = Instant::now();
        let excess = self.ended.0.len().saturating_sub(self.settings.keep_ended);
        let mut newer_of_session: std::collections::HashMap<&SessionId, usize> = std::collections::HashMap::new();
        let mut goes = Vec::new();
        for (at, ended) in self.ended.0.iter().enumerate().rev() {
            let newer = newer_of_session.entry(&ended.session).or_default();
            let too_many = self.keep_of(&ended.session).count.is_some_and(|count| *newer >= count);
            *newer += 1;
            if at < excess || too_many || self.expiry_of(ended).is_some_and(|expiry| now >= expiry) {
                goes.push(ended.run.clone());
            }
        }
        for run in goes.into_iter().rev() {
            self.forget(&run);
        }
    }

    /// Sets what holds for all sessions.
    pub fn configure(&mut self, wish: ConfigureParams) -> Result<ConfigureReply> {
        self.settings.set(wish)?;
        self.dismiss_old();
        Ok(self.settings.told())
    }

    /// Looks whether one more run fits into the caps, in the session given or in a new one. Ended runs give way,
    /// the oldest first. The session may be another place in the table afterwards, or gone.
    pub fn make_room(&mut self, session: Option<usize>, bytes: usize) -> Result<Option<usize>> {
        let wanted = session.map(|at| self.sessions[at].id.clone());
        loop {
            let Err(full) = self.has_room(wanted.as_ref(), bytes) else {
                return Ok(wanted.and_then(|id| self.sessions.iter().position(|session| session.id == id)));
            };
            // What would not help stays: active runs are not made fewer by dismissing ended ones.
            let oldest = self.ended.0.iter().find(|ended| wanted.as_ref() != Some(&ended.session));
            match oldest.map(|ended| ended.run.clone()) {
                Some(oldest) if full.gives_way => self.forget(&oldest),
                _ => return Err(full.error),
            }
        }
    }

    fn has_room(&self, session: Option<&SessionId>, bytes: usize) -> std::result::Result<(), Full> {
        let exhausted = |gives_way: bool, message: String, setting: &str, limit: usize| {
            let data = serde_json::json!({ "setting": setting, "limit": limit });
            Err(Full { gives_way, error: Error::new(Code::ResourceExhausted, message).with_data(data) })
        };
        let settings = &self.settings;
        let starting: usize = self.sessions.iter().map(|session| session.starting).sum();
        let runs = self.runs().count() + starting;
        let active = runs.saturating_sub(self.ended.len());
        if active >= settings.max_runs {
            let limit = settings.max_runs;
            let message =
                format!("{active} runs are active, the most that max_runs allows; end some, or raise max_runs");
            return exhausted(false, message, "max_runs", limit);
        }
        if session.is_none() && self.sessions.len() >= settings.max_sessions {
            let (count, limit) = (self.sessions.len(), settings.max_sessions);
            let message = format!(
                "there are {count} sessions, the most that max_sessions allows; end some, or raise max_sessions"
            );
            return exhausted(true, message, "max_sessions", limit);
        }
        // The runs of a session share what its transcripts may take.
        let held: usize = self.sessions.iter().map(|session| session.transcript_limit).sum();
        let held = held + if session.is_none() { bytes } else { 0 };
        if held > settings.max_transcripts_bytes {
            let limit = settings.max_transcripts_bytes;
            let message = format!(
                "with one more session, transcripts could take {held} bytes, more than max_transcripts_bytes ({limit}); \
                 end and dismiss some sessions, raise it, or lower transcript_bytes ({bytes})"
            );
            return exhausted(true, message, "max_transcripts_bytes", limit);
        }
        Ok(())
    }
}

/// A cap has been reached.
struct Full {
    /// Dismissing ended runs may help.
    gives_way: bool,
    error: Error,
}
