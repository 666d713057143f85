//! What is known of coding agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{AgentInfo, AgentKind, AgentSource, AgentState, Empty, RunTarget};

method!(
    /// Notes that a person has looked at an agent's state: `seen` is true until it changes.
    Seen = "seen", Write Sessions, RunTarget => Empty
);

method!(
    /// What each source says of an agent, and which is believed.
    Evidence = "agent_evidence", Read Sessions, RunTarget => AgentEvidenceReply
);

/// Answer of `agent_evidence`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentEvidenceReply {
    /// What is believed; none of a run that is no agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentInfo>,
    /// What each source says now, those first that are believed before the others.
    pub evidence: Vec<AgentEvidence>,
    /// Why the user's own rules (`agents.toml` beside the configuration) cannot be used as they are, with the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_error: Option<String>,
}

/// What one source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentEvidence {
    /// Who.
    pub source: AgentSource,
    /// What the agent is doing.
    pub state: AgentState,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// What it asks or says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when the source says so, in milliseconds since 1970.
    pub since: u64,
    /// The rule that matched, or the kind of report.
    pub rule: String,
    /// The text that it matched; of a report, its id.
    pub text: String,
    /// Whether this is what is believed.
    pub believed: bool,
}
