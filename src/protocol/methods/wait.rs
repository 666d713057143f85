//! Waiting for runs.

use serde::{Deserialize, Serialize};

use crate::protocol::{Exit, Target};

method!(
    /// Waits until runs exit, print something, or fall silent.
    Wait = "wait", Read, WaitParams => WaitReply
);

/// What `wait` waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Every run of the target has ended.
    Exit,
    /// A line that the regular expression matches, from the run's first line on.
    Pattern(String),
    /// This long without output.
    IdleMs(u64),
}

/// Parameters of `wait`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WaitParams {
    /// Whom to wait for.
    pub target: Target,
    /// What for.
    pub until: Until,
    /// Gives up after this long; default never.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// Why a `wait` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The runs ended.
    Exit,
    /// A line matched.
    Pattern,
    /// There was no output for as long as asked.
    Idle,
    /// The time was up.
    Timeout,
}

/// Answer of `wait`.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
