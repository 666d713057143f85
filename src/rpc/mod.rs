//! Connections: how calls come in and messages go out. The only place that knows a transport.

mod caller;
mod daemon;
mod dispatch;
pub mod guard;
mod msgpack;
mod origin;
mod stdio;

pub use caller::Caller;
pub use daemon::{Daemon, DaemonAsk};
pub use dispatch::{Connection, Host, METHODS};
pub use msgpack::{Ended, serve};
pub use origin::Origin;
pub use stdio::stdio;
