//! Retention of ended runs, by count and by age, and the caps on all sessions together.

use std::time::{Duration, Instant};

use super::{
    lifecycle::{EndedRun, Transition},
    table::Table,
};
use crate::protocol::{Code, ConfigureParams, ConfigureReply, Error, Keep, Result, SessionId};

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
        self.lifecycle.evictable().iter().filter_map(|ended| self.expiry_of(ended)).min()
    }

    /// Dismisses the ended runs that are not to be kept any longer. One of which something lives on is kept.
    pub fn dismiss_old(&mut self) {
        let now = Instant::now();
        let excess = self.lifecycle.evictable().len().saturating_sub(self.settings.keep_ended);
        let mut newer_of_session: std::collections::HashMap<&SessionId, usize> = std::collections::HashMap::new();
        let mut goes = Vec::new();
        for (at, ended) in self.lifecycle.evictable().iter().enumerate().rev() {
            let newer = newer_of_session.entry(&ended.session).or_default();
            let too_many = self.keep_of(&ended.session).count.is_some_and(|count| *newer >= count);
            *newer += 1;
            if at < excess || too_many || self.expiry_of(ended).is_some_and(|expiry| now >= expiry) {
                goes.push(ended.run.clone());
            }
        }
        for run in goes.into_iter().rev() {
            // Of its state alone it was chosen.
            let _ = self.take_out(&run, Transition::Dismissed);
        }
    }

    /// Sets what holds for all sessions.
    pub fn configure(&mut self, params: ConfigureParams) -> Result<ConfigureReply> {
        self.settings.set(params)?;
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
            let oldest = self.lifecycle.evictable().iter().find(|ended| wanted.as_ref() != Some(&ended.session));
            match oldest.map(|ended| ended.run.clone()) {
                Some(oldest) if full.gives_way && self.take_out(&oldest, Transition::Dismissed).is_ok() => {}
                _ => return Err(full.error),
            }
        }
    }

    /// Whether one more run may be active.
    pub fn check_active(&self) -> Result<()> {
        let (active, limit) = (self.lifecycle.unended(), self.settings.max_runs);
        if active < limit {
            return Ok(());
        }
        let ended = self.runs().filter(|run| self.lifecycle.has_ended(&run.run_id)).count();
        let of_ended = match ended.saturating_sub(self.lifecycle.evictable().len()) {
            0 => String::new(),
            1 => " (1 of them has ended, with processes that live on)".to_owned(),
            living => format!(" ({living} of them have ended, with processes that live on)"),
        };
        let message =
            format!("{active} runs are active{of_ended}, the most that max_runs allows; end some, or raise max_runs");
        Err(full(message, "max_runs", limit))
    }

    fn has_room(&self, session: Option<&SessionId>, bytes: usize) -> std::result::Result<(), Full> {
        let exhausted = |message: String, setting: &str, limit: usize| {
            Err(Full { gives_way: true, error: full(message, setting, limit) })
        };
        let settings = &self.settings;
        self.check_active().map_err(|error| Full { gives_way: false, error })?;
        if session.is_none() && self.sessions.len() >= settings.max_sessions {
            let (count, limit) = (self.sessions.len(), settings.max_sessions);
            let message = format!(
                "there are {count} sessions, the most that max_sessions allows; end some, or raise max_sessions"
            );
            return exhausted(message, "max_sessions", limit);
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
            return exhausted(message, "max_transcripts_bytes", limit);
        }
        Ok(())
    }
}

fn full(message: String, setting: &str, limit: usize) -> Error {
    let data = serde_json::json!({ "setting": setting, "limit": limit });
    Error::new(Code::ResourceExhausted, message).with_data(data)
}

/// A cap has been reached.
struct Full {
    /// Dismissing ended runs may help.
    gives_way: bool,
    error: Error,
}
