//! Somebody waiting for a run to end, print something or fall silent.

use std::time::{Duration, Instant};

use regex::Regex;
use tokio::sync::oneshot;

use super::{
    Look,
    search::{Found, Search},
};
use crate::protocol::{Code, Error, Exit, Result, Until, WaitReason, WaitReply, compile_pattern};

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
    /// Checks the parameters of a wait.
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

/// One who waits.
pub struct Waiter {
    /// Which it is, in the order of their coming.
    pub id: u64,
    condition: Condition,
    /// How far it has searched by itself.
    pub search: Search,
    answer: Option<oneshot::Sender<Result<WaitReply>>>,
}

impl Waiter {
    pub fn new(id: u64, condition: Condition, answer: oneshot::Sender<Result<WaitReply>>) -> Self {
        Self { id, condition, search: Search::default(), answer: Some(answer) }
    }

    /// The same, with what was searched for it together with others.
    pub fn from(self, search: Search) -> Self {
        Self { search, ..self }
    }

    /// What it searches for, if for text.
    pub fn pattern(&self) -> Option<&Regex> {
        match &self.condition {
            Condition::Pattern(pattern) => Some(pattern),
            Condition::Exit | Condition::Idle(_) => None,
        }
    }

    /// It has its answer, or nobody waits for one any more.
    pub fn is_done(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn answer(&mut self, reply: Result<WaitReply>) {
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(reply);
        }
    }

    /// What it searches for is in a line.
    pub fn found(&mut self, line: String) {
        self.answer(Ok(WaitReply { reason: WaitReason::Pattern, exit: None, line: Some(line) }));
    }

    /// The program has ended without it.
    pub fn ended(&mut self, exit: Exit) {
        self.answer(Ok(WaitReply { reason: WaitReason::Exit, exit: Some(exit), line: None }));
    }

    /// Looks whether what is waited for has come. Returns false when the time was up before all was looked at.
    pub fn check(&mut self, look: Look<'_>) -> bool {
        if self.is_done() {
            return true;
        }
        match &self.condition {
            Condition::Exit => {}
            Condition::Pattern(pattern) => match self.search.go_on(&mut &*pattern, look.terminal, look.until) {
                Found::Nothing => {}
                Found::Line(line) => self.found(line),
                Found::NotYet => return false,
                Found::TooSlow => {
                    let why = format!(
                        "pattern is {:?}: searching the output for it takes too long; make it simpler, with fewer \
                         repetitions inside repetitions",
                        pattern.as_str()
                    );
                    self.answer(Err(Error::new(Code::ResourceExhausted, why)));
                }
            },
            Condition::Idle(silence) => {
                if look.ended.is_none() && look.last_output.elapsed() >= *silence {
                    self.answer(Ok(WaitReply { reason: WaitReason::Idle, exit: None, line: None }));
                }
            }
        }
        if let Some(exit) = look.ended {
            self.ended(exit);
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
