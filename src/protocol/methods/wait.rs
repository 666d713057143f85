//! Waiting for runs.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{AgentInfo, AgentState, Code, Error, Exit, OnClose, Result, RunId, Target};

method!(
    /// Waits until runs exit, print something, fall silent, or are agents in some state.
    Wait = "wait", Read Sessions, WaitParams => WaitReply {
        const ON_CLOSE: OnClose = OnClose::Cancel;
    }
);

/// What `wait` waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", into = "UntilOnWire")]
#[schemars(with = "UntilOnWire")]
pub enum Until {
    /// Every run of the target has ended.
    Exit,
    /// A line that a regular expression matches.
    Pattern(UntilPattern),
    /// This long without output.
    IdleMs(u64),
    /// A coding agent is in one of these states.
    State {
        /// Any of them.
        states: Vec<AgentState>,
        /// Only one that begins after the call.
        is_new: bool,
    },
}

/// What `wait` waits for: `"exit"`, until every run of the target has ended; or one of the maps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Until")]
enum UntilOnWire {
    /// The end.
    Exit(UntilExit),
    /// A line.
    Pattern(UntilPattern),
    /// Silence.
    Idle(UntilIdle),
    /// The state of a coding agent.
    State(UntilState),
}

/// Every run of the target has ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum UntilExit {
    Exit,
}

/// A line that the regular expression matches: Rust's regex syntax, at most 256 kB compiled. One that goes through the
/// output at less than 1 MB a second is given up with `resource_exhausted`, as is the 1,025th call that waits for one
/// run. A line of more than 8 kB is searched in pieces of that size that overlap by 1 kB: a match that is longer than the
/// overlap may be missed in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UntilPattern {
    /// The regular expression.
    pub pattern: String,
    /// From where on lines are searched. Default: from the oldest that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SearchFrom>,
}

/// This long without output.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UntilIdle {
    /// In milliseconds.
    idle_ms: u64,
}

/// A coding agent (`agent` of `sessions`) is in one of these states, now or later. A run that is no agent may become one;
/// when it ends first, the answer's reason is `exit`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UntilState {
    /// At least one of `starting`, `ready`, `working`, `blocked`, `done`, `error`, `unknown`.
    #[schemars(with = "Vec<AgentState>")]
    state: Vec<String>,
    /// With `now` the state that the agent is in at the call does not count, before it has left it or asks something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Now>,
}

/// Where a search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "until.after is \"now\", or the `seq` of an answer to `send` or the `next` of one to `lines`"
)]
pub enum SearchFrom {
    /// With what is printed from the call on. Of a full-screen program, its screen as it is counts.
    Now(Now),
    /// With the line that has this number: the `seq` of an answer to `send`, or the `next` of one to `lines`.
    Line(u64),
}

/// The moment of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Now {
    /// From then on.
    Now,
}

impl Until {
    /// A line that the regular expression matches, among all that is kept and what comes.
    #[must_use]
    pub fn pattern(pattern: impl Into<String>) -> Self {
        Self::Pattern(UntilPattern { pattern: pattern.into(), after: None })
    }
}

impl TryFrom<serde_json::Value> for Until {
    type Error = Error;

    fn try_from(value: serde_json::Value) -> Result<Self> {
        let until = UntilOnWire::deserialize(&value).map_err(|_| {
            let shown: String = value.to_string().chars().take(SHOWN_MAX).collect();
            let known =
                "\"exit\", {\"pattern\": …, \"after\": \"now\" or a number}, {\"idle_ms\": …} and {\"state\": […], \"after\": \"now\"}";
            Error::new(Code::InvalidParams, format!("{shown} is none of {known}"))
        })?;
        Ok(match until {
            UntilOnWire::Exit(UntilExit::Exit) => Self::Exit,
            UntilOnWire::Pattern(pattern) => Self::Pattern(pattern),
            UntilOnWire::Idle(UntilIdle { idle_ms }) => Self::IdleMs(idle_ms),
            UntilOnWire::State(UntilState { state, .. }) if state.is_empty() => {
                return Err(Error::invalid("state", state, "at least one state"));
            }
            UntilOnWire::State(UntilState { state, after }) => {
                let states: Result<_> = state.iter().map(|name| AgentState::of_name("state", name)).collect();
                Self::State { states: states?, is_new: after.is_some() }
            }
        })
    }
}

impl From<Until> for UntilOnWire {
    fn from(until: Until) -> Self {
        match until {
            Until::Exit => Self::Exit(UntilExit::Exit),
            Until::Pattern(pattern) => Self::Pattern(pattern),
            Until::IdleMs(idle_ms) => Self::Idle(UntilIdle { idle_ms }),
            Until::State { states, is_new } => Self::State(UntilState {
                state: states.into_iter().map(|state| state.name().to_owned()).collect(),
                after: is_new.then_some(Now::Now),
            }),
        }
    }
}

/// Parameters of `wait`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WaitParams {
    /// The target to wait for.
    pub target: Target,
    /// What for.
    pub until: Until,
    /// Gives up after this long; default never.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// Why a `wait` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The runs ended.
    Exit,
    /// A line matched.
    Pattern,
    /// There was no output for as long as asked.
    Idle,
    /// The agent was in one of the states.
    State,
    /// It timed out.
    Timeout,
}

/// Answer of `wait`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WaitReply {
    /// Why it ended.
    pub reason: WaitReason,
    /// How the (last) run ended, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// The line that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The agent that was in one of the states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentInfo>,
    /// Of a wait for the first of several runs: which it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl WaitReply {
    /// One with no details.
    #[must_use]
    pub fn new(reason: WaitReason) -> Self {
        Self { reason, exit: None, line: None, agent: None, run_id: None }
    }
}

/// As much of a wrong value as an error shows, in characters.
const SHOWN_MAX: usize = 200;

/// What a pattern may take once it is compiled, in bytes.
const PATTERN_BYTES: usize = 256 << 10;

/// Compiles a pattern, which parameters have under `key`.
///
/// # Errors
/// `invalid_params` when it is not a regular expression, or too large a one.
pub fn compile_pattern(key: &str, pattern: &str) -> Result<Regex> {
    let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
    compiled.map_err(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(limit) => format!(
                "too large: compiled it would take more than {limit} bytes; write fewer repetitions, or (?-u:\\w) where \
                 ASCII is enough"
            ),
            // The last line says what is wrong; those before it draw an arrow below the pattern.
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                format!("not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
            }
        };
        Error::invalid(key, pattern, &why)
    })
}
