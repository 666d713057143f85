//! What holds for all sessions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Keep, Limits};

method!(
    /// Changes the settings of all sessions, and answers with all of them. What is left out stays unchanged.
    Configure = "configure", Write Host, ConfigureParams => ConfigureReply
);

/// Parameters of `configure`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigureParams {
    /// The limits of runs that name none, and whose session does not.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// The most sessions there may be.
    #[serde(default)]
    pub max_sessions: Option<usize>,
    /// The most runs that may be active at once.
    #[serde(default)]
    pub max_runs: Option<usize>,
    /// The most that a run's transcript may take from now on, in bytes.
    #[serde(default)]
    pub transcript_bytes: Option<usize>,
    /// The most that all transcripts together may take, in bytes.
    #[serde(default)]
    pub max_transcripts_bytes: Option<usize>,
    /// How many ended runs are kept in all.
    #[serde(default)]
    pub keep_ended: Option<usize>,
    /// Which ended runs are kept of each session that has no rule of its own.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// Whether runs that end are written to the history.
    #[serde(default)]
    pub history: Option<bool>,
    /// Whether runs of `claude` are started with hooks that report their states (`agent_report`).
    #[serde(default)]
    pub agent_hooks: Option<bool>,
}

/// Answer of `configure`: what holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigureReply {
    /// The limits of runs that name none.
    pub limits: Limits,
    /// The most sessions.
    pub max_sessions: usize,
    /// The most active runs.
    pub max_runs: usize,
    /// The most bytes of a transcript.
    pub transcript_bytes: usize,
    /// The most bytes of all transcripts together.
    pub max_transcripts_bytes: usize,
    /// How many ended runs are kept in all.
    pub keep_ended: usize,
    /// Which ended runs are kept of each session.
    pub keep: Keep,
    /// Whether runs that end are written to the history.
    pub history: bool,
    /// Whether runs of `claude` are started with hooks.
    #[serde(default)]
    pub agent_hooks: bool,
}
