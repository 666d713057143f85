//! The wire contract: each method is a type that owns its name, its parameters and its answer.
//!
//! Shapes are the same over every transport. Keys are snake_case; sizes are in cells, times in
//! milliseconds, memory in bytes. Unknown keys are ignored.

mod bytes;
mod error;
mod event;
mod ids;
mod json;
mod methods;
mod name;
mod schema;
mod style;
mod target;

pub use bytes::{Bytes, Secret};
pub use error::{Code, Error, Result, acts, printable};
pub use event::{AttentionKind, Event, ProgressState, Selection};
pub use ids::{RunId, SessionId, ViewId};
pub use json::{JsonExcess, json_excess};
pub use methods::*;
pub use name::{
    DISPLAY_MAX_CHARS, ID_PREFIX_DIGITS, NAME_RULE, check_display_text, check_name, check_session_name, is_hexadecimal,
    is_id_prefix,
};
pub use schema::schema;
pub use style::{Paint, Span, SpanLine, Style, Underline};
pub use target::Target;

use serde::{Serialize, de::DeserializeOwned};

/// The version of the protocol that this host speaks.
pub const PROTOCOL: u32 = 1;

/// What a caller may do: reading is allowed to every connection, writing only to the host's owner and, within bounds
/// ([`CrossSession`]), to programs inside its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looks, never changes.
    Read,
    /// Starts, ends, types into or changes sessions.
    Write,
}

/// What calls of a method touch, by which it is decided who may make them ([`CrossSession`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The caller's own connection.
    Connection,
    /// The sessions and runs that its parameters name, those that the caller may know of, or the one that it makes.
    Sessions,
    /// The host, and with it every session, those that have ended among them.
    Host,
}

/// One method of the protocol.
pub trait Method {
    /// The name on the wire.
    const NAME: &'static str;
    /// What it does, in a sentence or two.
    const ABOUT: &'static str;
    /// What a caller must be allowed to do.
    const ACCESS: Access;
    /// What its calls touch.
    const SCOPE: Scope;
    /// What the caller sends.
    type Params: Serialize + DeserializeOwned + Send;
    /// What the host answers.
    type Reply: Serialize + DeserializeOwned + Send;
}
