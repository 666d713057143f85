//! Sessions and their runs. Knows no editor and no transport.
//!
//! The [`Supervisor`] alone owns the table of sessions; each run is a task of its own that owns all of its
//! state. They speak through bounded channels; nothing is shared and nothing is locked.

mod access;
mod client;
mod deadline;
mod error;
mod health;
mod keeping;
mod leftovers;
mod lifecycle;
mod logout;
mod message;
mod names;
mod past;
mod program;
mod replacing;
mod resolve;
mod restore_plan;
mod run;
#[cfg(test)]
mod search_law;
mod sending;
mod services;
mod settings;
mod snapshot;
mod starting;
mod supervisor;
mod table;
mod templates;
mod usage;
mod waits;

use std::time::Duration;

pub use access::Permit;
pub use client::caller::{Caller, CallerPlace};
pub use client::{Ack, Client, ClientId, Events, FrameJob, Outbox};
pub use health::health_without_host;
pub use program::command::is_inherited;
pub use replacing::Frozen;
pub use settings::Settings;
pub use snapshot::outline::{RunOutline, SessionOutline};
pub use snapshot::state::{FORMAT, State, StateError};
pub use supervisor::Supervisor;

#[cfg(test)]
pub(crate) use starting::check_template;

/// How long programs have when their owner is gone, before SIGKILL: all must be over within three seconds.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1000);
