//! Ending runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::Target;

method!(
    /// Ends what the target names, whole process trees, and answers once they are gone.
    Kill = "kill", Write Sessions, KillParams => KillReply
);

/// Parameters of `kill`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KillParams {
    /// The target to end.
    pub target: Target,
    /// The first signal, by number or name; default: SIGHUP, then SIGTERM.
    #[serde(default)]
    pub signal: Option<SignalSpec>,
    /// How long the processes have before SIGKILL; default 2000.
    #[serde(default)]
    pub grace_ms: Option<u64>,
}

/// A signal by number or by name, with or without `SIG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a signal is a name, such as \"TERM\", or a number")]
pub enum SignalSpec {
    /// Its number.
    Number(i32),
    /// Its name.
    Name(String),
}

/// Answer of `kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct KillReply {
    /// Runs that were ended.
    pub killed: usize,
    /// Runs that were to be ended.
    pub total: usize,
    /// Processes that were seen to end with them. One that its own ending parent reaped is not counted.
    pub processes: usize,
}
