//! Sessions and their runs. Knows no editor and no transport.
//!
//! The [`Supervisor`] alone owns the table of sessions; each run is a task of its own that owns all of its
//! state. They speak through bounded channels; nothing is shared and nothing is locked.

mod client;
mod deadline;
mod error;
mod message;
mod program;
mod run;
mod services;
mod snapshot;
mod supervisor;
mod waits;

use std::time::Duration;

pub use client::caller::{Caller, CallerPlace};
pub use client::{Ack, Client, ClientId, Events, FrameJob, Outbox};
pub use program::command::{is_inherited, quoted};
pub use snapshot::outline::{RunOutline, SessionOutline};
pub use snapshot::state::{FORMAT, State, StateError};
pub use supervisor::Supervisor;
pub use supervisor::access::Permit;
pub use supervisor::handover::Frozen;
pub use supervisor::health::health_without_host;
pub use supervisor::settings::Settings;

#[cfg(test)]
pub(crate) use supervisor::start::check_template;

/// How long programs have when their owner is gone, before SIGKILL: all must be over within three seconds.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1000);
