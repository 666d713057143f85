//! Waiting for runs.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Error, Exit, OnClose, Result, Target};

method!(
    /// Waits until runs exit, print something, or fall silent.
    Wait = "wait", Read Sessions, WaitParams => WaitReply {
        const ON_CLOSE: OnClose = OnClose::Cancel;
    }
);

/// What `wait` waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Every run of the target has ended.
    Exit,
    /// A line that the regular expression matches, from the run's first line on: Rust's regex syntax, at most 256 kB
    /// compiled. One that goes through the output at less than 1 MB a second is given up with `resource_exhausted`, as
    /// is the 1,025th call that waits for one run. A line of more than 8 kB is searched in pieces of that size that
    /// overlap by 1 kB: a match that is longer than the overlap may be missed in it.
    Pattern(String),
    /// This long without output.
    IdleMs(u64),
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
}

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
