//! Introductions, and the end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{CrossSession, Empty, Format};

method!(
    /// Introduces the client; the first call of a connection.
    Initialize = "initialize", Read Connection, InitializeParams => InitializeReply
);

method!(
    /// Sets the colors that programs get when they ask their terminal.
    SetColors = "colors", Write Host, ColorsParams => Empty
);

method!(
    /// Ends every session, then the host.
    Shutdown = "shutdown", Write Host, Empty => Empty {
        const REPLY_FIRST: bool = true;
        const DRAINED: bool = false;
    }
);

/// What kind of client is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Frontend {
    /// Neovim with Termi's Lua: messages arrive through `nvim_exec_lua`.
    Nvim,
    /// Anyone else: messages arrive as `frame` and `event`.
    #[default]
    Generic,
}

/// Name and version of a client or server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// The client's own colors, `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ColorsParams {
    /// The text color.
    #[serde(default)]
    pub foreground: Option<String>,
    /// The background color.
    #[serde(default)]
    pub background: Option<String>,
}

/// Parameters of `initialize`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct InitializeParams {
    /// The protocol version that the client speaks.
    pub protocol: u32,
    /// The client.
    #[serde(default)]
    pub client: Peer,
    /// How messages to the client travel.
    #[serde(default)]
    pub frontend: Frontend,
    /// The client's colors, for programs that ask.
    #[serde(default)]
    pub colors: ColorsParams,
    /// The client's emulator shows nothing between CSI ? 2026 h and l, over several writes: an update of several
    /// `ansi` frames is bracketed so.
    #[serde(default)]
    pub synchronized_output: bool,
    /// What programs inside a session may do to other sessions from now on; none leaves it as it is. Only the
    /// owner's clients can set it.
    #[serde(default)]
    pub cross_session: Option<CrossSession>,
    /// Whether runs of `claude` are started with hooks from now on, as with `configure`; none leaves it as it is. Only the
    /// owner's clients can set it.
    #[serde(default)]
    pub agent_hooks: Option<bool>,
    /// For `frontend` `nvim`: the third argument of every message to the client, so that an editor with several hosts
    /// knows whose it is. Default: messages have two arguments.
    #[serde(default)]
    pub tag: Option<String>,
}

/// Answer of `initialize`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct InitializeReply {
    /// The protocol version that will be spoken.
    pub protocol: u32,
    /// The host.
    pub server: Peer,
    /// The host's process id.
    pub pid: u32,
    /// What this host can do.
    pub capabilities: Capabilities,
    /// The log file, if one could be opened.
    pub log_path: Option<String>,
    /// Where what the editor itself starts can reach this host, as in `TERMI_SOCKET`, if it could be opened.
    #[serde(default)]
    pub socket: Option<String>,
}

/// What a host can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// The frame formats that `attach` takes.
    pub formats: Vec<Format>,
    /// The methods it answers.
    pub methods: Vec<String>,
}
