//! What is known of coding agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{AgentInfo, AgentKind, AgentSource, AgentState, Empty, RunId, RunTarget};

method!(
    /// Notes that a person has looked at an agent's state: `seen` is true until it changes.
    Seen = "seen", Write Sessions, RunTarget => Empty
);

method!(
    /// What each source says of an agent, and which is believed.
    Evidence = "agent_evidence", Read Sessions, RunTarget => AgentEvidenceReply
);

method!(
    /// A program inside a session reports what it does as a coding agent, as from a hook: on its own run alone. The
    /// report replaces its last one, and counts less than OSC 7501 and more than what is on the screen.
    AgentReport = "agent_report", Write Sessions, AgentReportParams => Empty
);

/// What an agent reports that it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedState {
    /// It waits for a prompt, and has nothing to show.
    Ready,
    /// It works on a prompt.
    Working,
    /// It cannot go on before somebody answers it.
    Blocked,
    /// It has finished a prompt.
    Done,
    /// It stopped at an error.
    Error,
    /// Nothing: its last report is withdrawn.
    Clear,
}

impl ReportedState {
    /// The state, unless the report is withdrawn.
    #[must_use]
    pub fn state(self) -> Option<AgentState> {
        match self {
            Self::Ready => Some(AgentState::Ready),
            Self::Working => Some(AgentState::Working),
            Self::Blocked => Some(AgentState::Blocked),
            Self::Done => Some(AgentState::Done),
            Self::Error => Some(AgentState::Error),
            Self::Clear => None,
        }
    }
}

/// Parameters of `agent_report`. Control characters in texts are removed, and what is longer is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentReportParams {
    /// Which agent it is, such as `claude`; at most 64 characters. Default: the agent that the run is known to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// What it is doing; none is `clear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ReportedState>,
    /// What it waits for; of `blocked` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// What it asks, or why it stopped; at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its own id for the conversation; at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_session: Option<String>,
    /// The run that it takes for its own, as `TERMI_RUN` says; refused when the calling process belongs to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

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
