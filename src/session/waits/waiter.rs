//! Somebody waiting for a run to end, print something or fall silent.

use std::time::{Duration, Instant};

use regex::Regex;
use tokio::sync::oneshot;

use super::{
    Look,
    search::{After, Found, Matcher, Piece, Search},
};
use crate::{
    protocol::{
        AgentInfo, AgentState, Code, Error, Exit, Now, Result, SearchFrom, Until, WaitReason, WaitReply,
        compile_pattern,
    },
    term::Terminal,
};

/// What is waited for, checked.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The run's end.
    Exit,
    /// A line that matches, from there on.
    Pattern(Regex, Option<SearchFrom>),
    /// This long without output.
    Idle(Duration),
    /// An agent in one of these states; `is_new`: not in the one that it is in already.
    State { states: Vec<AgentState>, is_new: bool },
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
            Until::Pattern(until) => Self::Pattern(compile_pattern("pattern", &until.pattern)?, until.after),
            Until::State { states, is_new } => Self::State { states: states.clone(), is_new: *is_new },
        })
    }
}

impl Matcher for &Waiter {
    fn finds(&mut self, piece: Piece<'_>) -> bool {
        Waiter::finds(self, piece)
    }
}

/// One who waits.
pub struct Waiter {
    /// Which it is, in the order of their coming.
    pub id: u64,
    condition: Condition,
    /// Nothing before it counts.
    after: Option<After>,
    /// The state of the agent at the beginning, and since when.
    before: Option<(AgentState, u64)>,
    /// How far it has searched by itself.
    pub search: Search,
    answer: Option<oneshot::Sender<Result<WaitReply>>>,
}

impl Waiter {
    pub fn new(id: u64, condition: Condition, answer: oneshot::Sender<Result<WaitReply>>, look: Look<'_>) -> Self {
        let terminal = look.terminal;
        let after = match &condition {
            Condition::Pattern(_, Some(SearchFrom::Now(Now::Now))) => Some(After::now(terminal)),
            Condition::Pattern(_, Some(SearchFrom::Line(line))) => Some(After::row(terminal, *line)),
            _ => None,
        };
        let search = after.as_ref().map_or_else(Search::default, Search::after);
        let before = look.agent.map(|agent| (agent.state, agent.since));
        Self { id, condition, after, before, search, answer: Some(answer) }
    }

    /// The same, with what was searched for it together with others.
    pub fn from(self, search: Search) -> Self {
        Self { search, ..self }
    }

    /// What it searches for, if for text.
    pub fn pattern(&self) -> Option<&Regex> {
        match &self.condition {
            Condition::Pattern(pattern, _) => Some(pattern),
            Condition::Exit | Condition::Idle(_) | Condition::State { .. } => None,
        }
    }

    /// Whether a piece of a line has what it searches for.
    pub fn finds(&self, piece: Piece<'_>) -> bool {
        self.pattern().is_some_and(|pattern| piece.has(pattern, self.after.as_ref()))
    }

    /// Goes back with a search where the screen was cleared.
    pub fn follow(&mut self, terminal: &Terminal, search: &mut Search) {
        if let Some(after) = &mut self.after {
            after.follow(terminal);
            search.back_to(after);
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
        self.answer(Ok(WaitReply { line: Some(line), ..WaitReply::new(WaitReason::Pattern) }));
    }

    /// The program has ended without it.
    pub fn ended(&mut self, exit: Exit) {
        self.answer(Ok(WaitReply { exit: Some(exit), ..WaitReply::new(WaitReason::Exit) }));
    }

    fn search_on(&mut self, look: Look<'_>) -> Found {
        let mut search = std::mem::take(&mut self.search);
        self.follow(look.terminal, &mut search);
        let found = search.go_on(&mut &*self, look.terminal, look.until);
        self.search = search;
        found
    }

    /// Looks whether what is waited for has come. Returns false when the time was up before all was looked at.
    pub fn check(&mut self, look: Look<'_>) -> bool {
        if self.is_done() {
            return true;
        }
        match &self.condition {
            Condition::Exit => {}
            Condition::State { states, is_new } => {
                let is_other = |agent: &&AgentInfo| !is_new || self.before != Some((agent.state, agent.since));
                if let Some(agent) = look.agent.filter(|agent| states.contains(&agent.state)).filter(is_other) {
                    self.answer(Ok(WaitReply { agent: Some(agent.clone()), ..WaitReply::new(WaitReason::State) }));
                }
            }
            Condition::Pattern(..) => match self.search_on(look) {
                Found::Nothing => {}
                Found::Line(line) => self.found(line),
                Found::NotYet => return false,
                Found::TooSlow => {
                    let pattern = self.pattern().map_or("", Regex::as_str);
                    let why = format!(
                        "pattern is {pattern:?}: searching the output for it takes too long; make it simpler, with fewer \
                         repetitions inside repetitions"
                    );
                    self.answer(Err(Error::new(Code::ResourceExhausted, why)));
                }
            },
            Condition::Idle(silence) => {
                if look.ended.is_none() && look.last_output.elapsed() >= *silence {
                    self.answer(Ok(WaitReply::new(WaitReason::Idle)));
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
