//! Following a run whose output is JSON lines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Empty, RunId, RunTarget};

method!(
    /// Sends this client the lines of a run with `stream: "json"` from now on, as `json` events. The client that
    /// starts such a run is subscribed to it already.
    Subscribe = "subscribe", Read Sessions, RunTarget => SubscribeReply
);

method!(
    /// Sends no more of them.
    Unsubscribe = "unsubscribe", Read Sessions, RunTarget => Empty
);

/// Answer of `subscribe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubscribeReply {
    /// The run.
    pub run_id: RunId,
    /// The number of the next line: those before it are in the transcript alone.
    pub next_seq: u64,
}

/// One line of a run's output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonLine {
    /// Its number, from 0 for the run's life.
    pub seq: u64,
    /// What it says, if it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// That line as the program wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// A line that is not JSON, or is too long, too deeply nested or of too many values (100,000) to be parsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many bytes of it are missing at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated_bytes: Option<u64>,
}
