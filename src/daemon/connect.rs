//! Connects to the daemon, and starts one when there is none.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;

use super::guard::Guard;
use crate::{
    client::{self, ClientError, Stream},
    paths,
    process::own_executable,
    protocol::{JoinParams, JoinReply},
};

/// How long a daemon may take to end, to start or to answer, before it is said that something is wrong.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Why the daemon cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It cannot be spoken to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It could not be started.
    #[error("the daemon could not be started: {0}")]
    Start(String),
    /// It starts and ends, or does not answer.
    #[error("the daemon at {0} does not answer; if it is stopped, `kill -CONT` resumes it; its log may say more")]
    Silent(PathBuf),
}

/// A connection that has joined.
#[derive(Debug)]
pub struct Connected {
    /// The connection: any bytes of the protocol may follow.
    pub stream: Stream,
    /// What the daemon said of itself.
    pub daemon: JoinReply,
    /// Where it listens.
    pub path: PathBuf,
}

/// Joins the daemon. With `start`, one is started when there is none. One that is just ending or being replaced is
/// waited for.
///
/// # Errors
/// As [`ConnectError`] says. Without `start`, [`ClientError::is_nobody_there`] when there is none.
pub async fn connect(params: &JoinParams, start: bool) -> Result<Connected, ConnectError> {
    // Nothing is made where nothing is started.
    let path = paths::daemon_sockets().into_iter().next().unwrap_or_default();
    let attempts = async {
        loop {
            match find(&path).await {
                Ok((mut stream, path)) => match client::join(&mut stream, params).await {
                    Ok(daemon) => return Ok(Connected { stream, daemon, path }),
                    // It was just ending.
                    Err(ClientError::Closed) => {}
                    Err(error) => return Err(error.into()),
                },
                // It lives, without its socket: it has been asked for it now.
                Err(error) if error.is_nobody_there() && Guard::is_held() => {}
                Err(error) if error.is_nobody_there() && start => start_daemon().await?,
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(CONNECT_TIMEOUT, attempts).await.unwrap_or_else(|_| Err(ConnectError::Silent(path.clone())))
}

/// Connects to the daemon, wherever it listens; where it does not, that is said of the best place.
async fn find(best: &Path) -> Result<(Stream, PathBuf), ClientError> {
    let mut nobody = None;
    for path in paths::daemon_sockets() {
        // Whoever may write to /tmp may make the second best place; nobody is looked for there then.
        match path.parent().map_or(Ok(()), paths::check_runtime) {
            Err(error) if path == best => return Err(error.into()),
            Err(_) => continue,
            Ok(()) => {}
        }
        match client::open(&path).await {
            Ok(stream) => return Ok((stream, path)),
            Err(error) if error.is_nobody_there() && (nobody.is_none() || path == best) => nobody = Some(error),
            Err(error) if error.is_nobody_there() => {}
            Err(error) => return Err(error),
        }
    }
    let gone = || ClientError::Connect { path: best.to_owned(), source: std::io::ErrorKind::NotFound.into() };
    Err(nobody.unwrap_or_else(gone))
}

/// Does something with the daemon that runs, in a runtime of its own. Where there is none, that is said with `none`.
///
/// # Errors
/// When there is none or it cannot be joined; else as what is done.
pub(super) fn with_running(
    params: &JoinParams,
    none: &str,
    act: impl AsyncFnOnce(Connected) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    runtime.block_on(async {
        let joined = connect(params, false).await.map_err(|error| match error {
            ConnectError::Client(error) if error.is_nobody_there() => anyhow::anyhow!("{none}"),
            error => error.into(),
        })?;
        act(joined).await
    })
}

/// Starts a daemon and waits until clients can connect, to it or to another that was quicker.
async fn start_daemon() -> Result<(), ConnectError> {
    let failed = |why: String| ConnectError::Start(why);
    let output = tokio::task::spawn_blocking(|| {
        let mut command = Command::new(own_executable());
        command.args(["daemon", "--detach"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()
    });
    let output = output.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.trim().trim_start_matches("termi: ").to_owned()))
}
