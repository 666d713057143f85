//! Connections: how calls come in and messages go out. The only place that knows a transport.

mod client_env;
mod daemon;
mod dispatch;
mod drain;
mod event_order;
pub mod in_flight;
pub mod intake;
pub mod json;
pub mod msgpack;
mod reply_limits;
mod stdio;
mod value;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};

use crate::session::Caller;
use intake::Intake;

pub use client_env::ClientEnv;
pub use daemon::{Daemon, DaemonRequest};
pub use dispatch::{Connection, Host};
pub use drain::Drain;
pub use stdio::stdio;

/// How a connection's messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// msgpack-RPC, as Neovim speaks it.
    Msgpack,
    /// JSON-RPC 2.0 behind `Content-Length` headers, as language servers speak it.
    Json,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The client closed it.
    #[error("the client closed the connection")]
    Closed,
    /// It could not be read on.
    #[error("the connection was closed: {0}")]
    Broken(String),
}

/// Serves one client until its stream ends.
pub async fn serve(
    host: Host,
    transport: Transport,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    caller: impl Into<Caller>,
) -> Ended {
    serve_within(host, transport, reader, writer, caller.into(), Intake::default()).await
}

async fn serve_within(
    host: Host,
    transport: Transport,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    caller: Caller,
    intake: Intake,
) -> Ended {
    match transport {
        Transport::Msgpack => msgpack::serve(host, reader, writer, caller, intake).await,
        Transport::Json => json::serve(host, reader, writer, caller, intake).await,
    }
}

/// Serves one of the clients of a socket in whatever way it speaks, until its stream ends. What they send in part takes
/// so much memory together and no more.
///
/// The first byte tells: JSON-RPC begins with a header, and no header's letter begins a msgpack-RPC message,
/// which is an array.
pub async fn serve_any(
    host: Host,
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    caller: impl Into<Caller>,
) -> Ended {
    let mut reader = BufReader::new(reader);
    let transport = match reader.fill_buf().await {
        Ok([first, ..]) if first.is_ascii_alphabetic() => Transport::Json,
        Ok(_) => Transport::Msgpack,
        Err(error) => return Ended::Broken(error.to_string()),
    };
    let intake = Intake::of(host.intake.clone());
    serve_within(host, transport, reader, writer, caller.into(), intake).await
}
