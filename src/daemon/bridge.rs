//! `termi host --persist`: an editor's standard input and output, bridged to the daemon's socket.
//!
//! The bridge joins the daemon, and from then on it passes bytes and knows no protocol. When the editor closes its
//! end, or is killed, only the connection ends: the sessions live on.

use anyhow::{Context, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracing::{info, warn};

use super::{Connected, connect};
use crate::{
    client::{self, Client, ClientError, whereabouts},
    protocol::{JoinReply, Replace, ReplaceParams},
    rpc::{self, Transport},
};

/// The exit code that tells an editor to start the bridge again at once: the daemon has another binary, and every
/// session is still there (`EX_TEMPFAIL`, sysexits(3)).
pub const REPLACED_EXIT_CODE: u8 = 75;

/// How a bridge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bridged {
    /// The editor left.
    Left,
    /// The daemon has been replaced: join again.
    Replaced,
}

/// Bridges until either side ends.
///
/// # Errors
/// When there is no daemon to be had, or it ended with its sessions.
pub fn bridge(transport: Transport) -> anyhow::Result<Bridged> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let outcome = runtime.block_on(pass(transport));
    runtime.shutdown_background();
    outcome
}

async fn pass(transport: Transport) -> anyhow::Result<Bridged> {
    let Connected { stream, daemon, .. } = match transport {
        Transport::Msgpack => join_current().await?,
        Transport::Json => {
            // What a connection speaks is what it begins with: this one was for its daemon's sake.
            let path = join_current().await?.path;
            let mut stream = client::open(&path).await?;
            let daemon = client::join_json(&mut stream, &whereabouts("bridge")).await?;
            Connected { stream, daemon, path }
        }
    };
    if let Some(untold) = client::untold() {
        warn!("{untold}");
    }
    info!(daemon = daemon.pid, version = daemon.server.version, "joined");
    let (mut input, mut output) = rpc::stdio().context("standard input and output")?;
    let (mut from, mut to) = stream.into_split();
    let daemon_left = tokio::select! {
        ended = pass_on(&mut input, &mut to) => ended == Ended::Writer,
        ended = pass_on(&mut from, &mut output) => ended == Ended::Reader,
    };
    if !daemon_left {
        let _ = to.shutdown().await;
        return Ok(Bridged::Left);
    }
    match connect(&whereabouts("bridge"), false).await {
        Ok(now) if now.daemon.pid == daemon.pid && now.daemon.generation > daemon.generation => Ok(Bridged::Replaced),
        _ => bail!("the daemon (process {}) ended, its sessions and programs with it", daemon.pid),
    }
}

/// Which side of a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Reader,
    Writer,
}

async fn pass_on(reader: &mut (impl AsyncRead + Unpin), writer: &mut (impl AsyncWrite + Unpin)) -> Ended {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ended::Reader,
            Ok(count) => count,
        };
        if writer.write_all(&buffer[..count]).await.is_err() || writer.flush().await.is_err() {
            return Ended::Writer;
        }
    }
}

/// Joins the daemon; an older one is replaced by this binary first.
async fn join_current() -> anyhow::Result<Connected> {
    let params = whereabouts("bridge");
    let joined = connect(&params, true).await?;
    if !is_older(&joined.daemon) {
        return Ok(joined);
    }
    let binary = crate::process::own_executable().to_string_lossy().into_owned();
    info!(from = joined.daemon.server.version, "an older daemon is replaced");
    let (client, _inbox) = Client::over(joined.stream);
    if let Err(ClientError::Refused(error)) =
        client.call::<Replace>(ReplaceParams { binary, cross_session: None }).await
    {
        // It speaks the same protocol: better an older one than none.
        warn!("the older daemon stays: {error}");
    }
    Ok(connect(&params, true).await?)
}

fn is_older(daemon: &JoinReply) -> bool {
    let numbers = |version: &str| version.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    match (numbers(&daemon.server.version), numbers(env!("CARGO_PKG_VERSION"))) {
        (Some(theirs), Some(ours)) => daemon.persistent && theirs < ours,
        _ => false,
    }
}
