//! Whether all is well, and what to do where it is not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Empty, ReplySize, RunId, SessionId};

method!(
    /// Looks after the host and each session.
    Health = "health", Read Host, Empty => HealthReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// It works, but deserves a look.
    Warn,
    /// It does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheck {
    /// What it is: `log`, `history`, `runtime_folder`, `ptys`, …, or `session`.
    pub name: String,
    /// How it is.
    pub status: HealthStatus,
    /// What was found.
    pub detail: String,
    /// What to do, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The session it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// That session's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// The run it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

/// Answer of `health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReply {
    /// The worst of all checks.
    pub status: HealthStatus,
    /// The host's, then each session's.
    pub checks: Vec<HealthCheck>,
}
