//! What a program's output marks and asks: prompts, links, the clipboard.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Bytes, Empty, RunId, RunTarget};

method!(
    /// Where the shell's prompts are (OSC 133).
    Prompts = "prompts", Read Sessions, RunTarget => PromptsReply
);

method!(
    /// The link (OSC 8) in a cell.
    Link = "link", Read Sessions, LinkParams => LinkReply
);

method!(
    /// Answers a program that asked for a clipboard (the event `clipboard_request`).
    Clipboard = "clipboard", Write Sessions, ClipboardParams => Empty
);

/// Answer of `prompts`. Rows are counted upward from the last row of the client's view of the run, which is 0; from
/// the last row of the screen, if it has no view. Prompts that the view does not show any more are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptsReply {
    /// The first row of each prompt, the nearest first.
    pub rows: Vec<u64>,
    /// The exit code of the command that was given at each, where its shell reported it (133;D).
    pub exits: Vec<Option<i32>>,
}

/// Parameters of `link`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LinkParams {
    /// The run.
    pub run_id: RunId,
    /// The row, counted as in the answer of `prompts`.
    pub row: u64,
    /// The column in cells, from 0.
    pub col: u32,
}

/// Answer of `link`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkReply {
    /// Where the link leads, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// Parameters of `clipboard`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ClipboardParams {
    /// The run.
    pub run_id: RunId,
    /// The number of the request, from its event.
    pub request: u64,
    /// What is on the clipboard, at most a megabyte; none to give nothing away.
    #[serde(default)]
    pub data: Option<Bytes>,
}
