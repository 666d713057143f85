//! What of a session is worth remembering, to start it again when everything else is gone.

use serde::{Deserialize, Serialize};

use crate::protocol::{CommandSpec, Limits};

/// A session that has runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOutline {
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The folder its runs start in.
    pub cwd: String,
    /// Its runs that have not ended.
    pub runs: Vec<RunOutline>,
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutline {
    /// What was asked for; none is an interactive shell.
    pub cmd: Option<CommandSpec>,
    /// The same as people write it.
    pub command: String,
    /// The folder to start it in: an interactive shell's own by now, else the one it was started in.
    pub cwd: String,
    /// Its timeouts.
    pub timeout_ms: Option<u64>,
    /// The other of them.
    pub idle_timeout_ms: Option<u64>,
    /// Its limits.
    #[serde(default)]
    pub limits: Limits,
    /// The template it was started by, whose own command for coming back would then be used.
    #[serde(default)]
    pub template: Option<String>,
    /// Its last text with escape sequences for looks, if that is to be kept.
    #[serde(default)]
    pub text: Option<Vec<String>>,
}
