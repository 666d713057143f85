//! What the host knows of a coding agent that a run is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// What a coding agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// It has not shown yet that it takes a prompt.
    Starting,
    /// It waits for a prompt, and has nothing to show.
    Ready,
    /// It works on a prompt.
    Working,
    /// It cannot go on before somebody answers it.
    Blocked,
    /// It has finished a prompt: it is the user's turn.
    Done,
    /// It stopped at an error.
    Error,
    /// Nothing says.
    Unknown,
}

impl AgentState {
    /// All of them, by their names on the wire.
    pub const ALL: [(&'static str, Self); 7] = [
        ("starting", Self::Starting),
        ("ready", Self::Ready),
        ("working", Self::Working),
        ("blocked", Self::Blocked),
        ("done", Self::Done),
        ("error", Self::Error),
        ("unknown", Self::Unknown),
    ];

    /// The state of that name.
    ///
    /// # Errors
    /// `invalid_params`, with the names there are, under `key`.
    pub fn of_name(key: &str, name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(its, _)| *its == name).map(|(_, state)| *state);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            Error::invalid(key, name, &format!("an agent is in none but {names}"))
        })
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, state)| *state == self).map_or("unknown", |(name, _)| name)
    }
}

/// What an agent that is blocked waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Leave to do something.
    Permission,
    /// An answer to a question.
    Question,
    /// A login.
    Auth,
    /// A dialog of its own, such as one about trust in a directory.
    Dialog,
}

/// Who says what an agent is doing; the earlier ones are believed before the later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentSource {
    /// Its own reports (OSC 7501).
    Osc,
    /// Its hooks.
    Hook,
    /// Its JSON lines.
    Json,
    /// What it shows on its screen.
    Screen,
    /// Its title.
    Title,
    /// A bell or a notification.
    Bell,
}

/// A coding agent, as the host believes it to be. All texts are free of control characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentInfo {
    /// Which agent it is, such as `claude`; at most 64 characters.
    pub app: String,
    /// What it is doing.
    pub state: AgentState,
    /// What it waits for; of a blocked one, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// What it asks, or why it stopped; at most 2048 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it says that it is about; at most 192 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How far it is, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// When this state began, in milliseconds since 1970.
    pub since: u64,
    /// Who says so; none while nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<AgentSource>,
    /// Whether a client has called `seen` since this state began.
    pub seen: bool,
    /// Its own id for the conversation, where it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_session: Option<String>,
}
