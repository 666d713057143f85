//! The wire contract: each method is a type that owns its name, its parameters and its answer.
//!
//! Shapes are the same over every transport. Keys are snake_case; sizes are in cells, times in
//! milliseconds, memory in bytes. Unknown keys are ignored.

mod agent;
mod bytes;
mod error;
mod event;
mod ids;
mod json;
mod method;
mod methods;
mod name;
mod schema;
mod style;
mod target;

pub use agent::{AgentInfo, AgentKind, AgentSource, AgentState};
pub use bytes::{Bytes, Secret};
pub use error::{Code, Error, Result, acts, printable};
pub use event::{AttentionKind, Event, ProgressState, Selection};
pub use ids::{RunId, SessionId, ViewId};
pub use json::{JsonExcess, json_excess};
pub use method::{Access, CallOrder, CallRules, METHODS, Method, OnClose, ReplySize, Scope};
pub use methods::*;
pub use name::{
    DISPLAY_MAX_CHARS, ID_PREFIX_DIGITS, NAME_RULE, check_display_text, check_name, check_session_name, is_hexadecimal,
    is_id_prefix,
};
pub use schema::schema;
pub use style::{Paint, Span, SpanLine, Style, Underline};
pub use target::Target;

/// The version of the protocol that this host speaks.
pub const PROTOCOL: u32 = 1;
