//! Typing into whatever a target names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Bytes, Target};

method!(
    /// Types into every active run that the target names.
    SendInput = "send", Write Sessions, SendParams => SendReply
);

/// Parameters of `send`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SendParams {
    /// The target to send to.
    pub target: Target,
    /// The bytes.
    #[serde(default)]
    pub data: Bytes,
    /// The Return key after them.
    #[serde(default)]
    pub enter: bool,
    /// They are pasted text, as in `input`.
    #[serde(default)]
    pub paste: bool,
}

/// Answer of `send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendReply {
    /// Runs that it was typed into.
    pub sent: usize,
    /// Active runs that did not take it, because they do not read what waits for them already.
    pub refused: usize,
    /// Of one run: the number of the line in which what it prints from then on begins, for `wait`'s `after` and the
    /// `from` of `lines`. Absent when it was typed into several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}
