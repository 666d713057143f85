//! What only the daemon does: joining it, putting another binary in its place, starting again what a reboot ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Peer, RunReply};

method!(
    /// Introduces the process that connects, before anything else on its connection. Runs that it starts get its
    /// environment and, unless they have one of their own, its working directory.
    Join = "join", Read Connection, JoinParams => JoinReply
);

method!(
    /// Puts another binary in the daemon's place, with every session. There is no answer when it is done: the
    /// connection ends, and a client that joins again finds the same process id and the next generation.
    Replace = "replace", Write Host, ReplaceParams => crate::protocol::Empty {
        const DRAINED: bool = false;
    }
);

method!(
    /// The sessions that ran when an earlier daemon ended without a shutdown, as by a reboot.
    Restorable = "restorable", Read Host, crate::protocol::Empty => RestorableReply
);

method!(
    /// Starts such sessions again, each under its old text.
    Restore = "restore", Write Host, RestoreParams => RestoreReply
);

/// What programs inside a session may do to other sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrossSession {
    /// Nothing: they do not even see them.
    Off,
    /// List them, read them and wait for them.
    #[default]
    Read,
    /// The same, and everything with sessions of their own group.
    Group,
    /// Everything.
    Full,
}

impl CrossSession {
    /// As it is written in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Read => "read",
            Self::Group => "group",
            Self::Full => "full",
        }
    }
}

/// Parameters of `join`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct JoinParams {
    /// The protocol version that the client speaks.
    pub protocol: u32,
    /// The client.
    #[serde(default)]
    pub client: Peer,
    /// Its working directory.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Its environment. Without one, runs get the daemon's.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// Its umask: that of the programs it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// Its nice value: that of the programs it starts, as far as the daemon may set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
}

/// Values of variables may be secrets: only their number is ever shown.
impl std::fmt::Debug for JoinParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "join by {:?} with {} variables", self.client, self.env.as_ref().map_or(0, BTreeMap::len))
    }
}

/// Answer of `join`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct JoinReply {
    /// The protocol version that will be spoken.
    pub protocol: u32,
    /// The host or daemon.
    pub server: Peer,
    /// Its process id.
    pub pid: u32,
    /// How often another binary was put in its place.
    pub generation: u32,
    /// Its sessions outlive its clients.
    pub persistent: bool,
    /// A request that was not answered by an earlier generation of this process, from this one on, was not carried
    /// out and may be sent again; but for `input`, `resize`, `visible` and `hold`. Absent: that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_since: Option<u32>,
}

impl JoinReply {
    /// Whether a request that `before` did not answer is known not to have been carried out.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        self.pid == before.pid
            && self.generation > before.generation
            && self.answered_since.is_some_and(|since| before.generation >= since)
    }
}

/// Parameters of `replace`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReplaceParams {
    /// The new binary's absolute path.
    pub binary: String,
    /// What programs inside sessions may do from then on; unchanged when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_session: Option<CrossSession>,
}

/// A session that can be started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestorableSession {
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The directory its runs start in.
    pub cwd: String,
    /// The commands that ran, as people write them.
    pub commands: Vec<String>,
}

/// Answer of `restorable`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RestorableReply {
    /// The sessions.
    pub sessions: Vec<RestorableSession>,
}

/// Parameters of `restore`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct RestoreParams {
    /// The sessions' names; none means all of them.
    #[serde(default)]
    pub names: Option<Vec<String>>,
    /// Forget them instead.
    #[serde(default)]
    pub forget: bool,
}

/// Answer of `restore`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RestoreReply {
    /// The runs that were started.
    pub restored: Vec<RunReply>,
    /// What could not be started, and why; it can be tried again.
    pub failed: Vec<RestoreFailure>,
}

/// A session that could not be started again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RestoreFailure {
    /// Its name.
    pub name: String,
    /// Why.
    pub message: String,
}
