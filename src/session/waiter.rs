//! Somebody waiting for a run to end, print something or fall silent.

use std::time::{Duration, Instant};

use regex::Regex;
use tokio::sync::oneshot;

use crate::{
    protocol::{Error, Exit, Result, SpanLine, Until, WaitReason, WaitReply},
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
    /// `invalid_params` when the pattern is not a regular expression.
    pub fn new(until: &Until) -> Result<Self> {
        Ok(match until {
            Until::Exit => Self::Exit,
            Until::IdleMs(ms) => Self::Idle(Duration::from_millis(*ms)),
            Until::Pattern(pattern) => {
                Self::Pattern(Regex::new(pattern).map_err(|error| {
                    Error::invalid("pattern", pattern, &format!("not a regular expression: {error}"))
                })?)
            }
        })
    }
}

pub struct Waiter {
    condition: Condition,
    /// The transcript's row to go on searching from.
    next_row: u64,
    answer: Option<oneshot::Sender<WaitReply>>,
}

impl Waiter {
    pub fn new(condition: Condition, answer: oneshot::Sender<WaitReply>) -> Self {
        Self { condition, next_row: 0, answer: Some(answer) }
    }

    /// It has its answer, or nobody waits for one any more.
    pub fn is_done(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Looks whether what is waited for has come.
    pub fn check(&mut self, terminal: &Terminal, last_output: Instant, ended: Option<Exit>) {
        let found =
            match &self.condition {
                Condition::Exit => None,
                Condition::Pattern(pattern) => {
                    let line = search(pattern, terminal, &mut self.next_row);
                    line.map(|line| WaitReply { reason: WaitReason::Pattern, exit: None, line: Some(line) })
                }
                Condition::Idle(silence) => (ended.is_none() && last_output.elapsed() >= *silence)
                    .then_some(WaitReply { reason: WaitReason::Idle, exit: None, line: None }),
            };
        let reply = found.or(ended.map(|exit| WaitReply { reason: WaitReason::Exit, exit: Some(exit), line: None }));
        if let Some(reply) = reply
            && let Some(answer) = self.answer.take()
        {
            let _ = answer.send(reply);
        }
    }

    /// When the clock alone may bring what is waited for.
    pub fn deadline(&self, last_output: Instant) -> Option<Instant> {
        match self.condition {
            Condition::Idle(silence) if !self.is_done() => Some(last_output + silence),
            _ => None,
        }
    }
}

/// The first line that matches, in the transcript from `next_row` on or on the screen.
fn search(pattern: &Regex, terminal: &Terminal, next_row: &mut u64) -> Option<String> {
    let transcript = terminal.transcript();
    let matching = |line: SpanLine| pattern.is_match(&line.text).then_some(line.text);
    let found = transcript.lines_from(*next_row).find_map(matching);
    *next_row = transcript.end();
    found.or_else(|| terminal.rows().find_map(matching))
}
