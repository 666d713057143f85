//! Somebody waiting for a run to end, print something or fall silent.

use std::time::{Duration, Instant};

use regex::Regex;
use tokio::sync::oneshot;

use super::search::{Found, Search};
use crate::{
    protocol::{Code, Error, Exit, Result, Until, WaitReason, WaitReply, compile_pattern},
    term::Terminal,
};

/// What is waited for, checked.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The run's end.
    Exit,
    /// A line that matches.
    Pattern(Regex),
    /// This long without output.
    Idle(Duration),
}

impl Condition {
    /// Checks a wish.
    ///
    /// # Errors
    /// `invalid_params` when the pattern is not a regular expression, or too large a one.
    pub fn new(until: &Until) -> Result<Self> {
        Ok(match until {
            Until::Exit => Self::Exit,
            Until::IdleMs(ms) => Self::Idle(Duration::from_millis(*ms)),
            Until::Pattern(pattern) => Self::Pattern(compile_pattern("pattern", pattern)?),
        })
    }
}

pub struct Waiter {
    condition: Condition,
    search: Search,
    answer: Option<oneshot::Sender<Result<WaitReply>>>,
}

impl Waiter {
    pub fn new(condition: Condition, answer: oneshot::Sender<Result<WaitReply>>) -> Self {
        Self { condition, search: Search::default(), answer: Some(answer) }
    }

    /// It has its answer, or nobody waits for one any more.
    pub fn is_done(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Looks whether what is waited for has come. Returns false when the time was up before all was looked at.
    pub fn check(&mut self, terminal: &Terminal, last_output: Instant, ended: Option<Exit>, until: Instant) -> bool {
        if self.is_done() {
            return true;
        }
        let found = match &self.condition {
            Condition::Exit => None,
            Condition::Pattern(pattern) => match self.search.go_on(pattern, terminal, until) {
                Found::Nothing => None,
                Found::Line(line) => Some(Ok(WaitReply { reason: WaitReason::Pattern, exit: None, line: Some(line) })),
                Found::NotYet => return false,
                Found::TooSlow => Some(Err(Error::new(
                    Code::ResourceExhausted,
                    format!(
                        "pattern is {:?}: searching the output for it takes too long; make it simpler, with fewer \
                         repetitions inside repetitions",
                        pattern.as_str()
                    ),
                ))),
            },
            Condition::Idle(silence) => (ended.is_none() && last_output.elapsed() >= *silence)
                .then_some(Ok(WaitReply { reason: WaitReason::Idle, exit: None, line: None })),
        };
        let end = || ended.map(|exit| Ok(WaitReply { reason: WaitReason::Exit, exit: Some(exit), line: None }));
        if let Some(reply) = found.or_else(end)
            && let Some(answer) = self.answer.take()
        {
            let _ = answer.send(reply);
        }
        true
    }

    /// When the clock alone may bring what is waited for.
    pub fn deadline(&self, last_output: Instant) -> Option<Instant> {
        match self.condition {
            Condition::Idle(silence) if !self.is_done() => Some(last_output + silence),
            _ => None,
        }
    }
}
