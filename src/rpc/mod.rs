//! Connections: how calls come in and messages go out. The only place that knows a transport.

mod dispatch;
pub mod guard;
mod msgpack;
mod stdio;

pub use dispatch::{Connection, Host, METHODS};
pub use msgpack::{Ended, serve};
pub use stdio::stdio;
