//! `termi host`: serves one editor on standard input and output, and owns its sessions.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use nix::unistd::Pid;
use tokio::net::UnixListener;
use tracing::{error, info, warn};

use crate::{
    log::Log,
    paths,
    protocol::Access,
    rpc::{self, Ended, Host, Transport},
    server::{self, Outsiders, Signals},
    session::{SHUTDOWN_GRACE, Settings, Supervisor},
};

/// Runs the host until its standard input closes, a client asks it to end, or a signal does.
///
/// # Errors
/// When standard input or output cannot be used. A connection that breaks is reported, not an error of the host.
pub fn run(transport: Transport, log: Option<&Log>) -> anyhow::Result<()> {
    let inherited = server::prepare();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime could not be started")?;
    let settings = Settings::new(inherited.umask, inherited.open_files);
    let outcome = runtime.block_on(serve(settings, transport, log));
    // Nothing that still waits, as for a file, may keep the host.
    runtime.shutdown_background();
    outcome
}

async fn serve(mut settings: Settings, transport: Transport, log: Option<&Log>) -> anyhow::Result<()> {
    let owner = Pid::parent();
    server::reap_children()?;
    let socket = Socket::open();
    settings.socket = socket.as_ref().map(|socket| socket.path.clone());
    info!(version = env!("CARGO_PKG_VERSION"), pid = Pid::this().as_raw(), "host started");
    let host = Host::new(Supervisor::start(settings), log.map(|log| log.path.to_string_lossy().into_owned()));
    if let Some(socket) = &socket {
        socket.serve(&host, Outsiders::MayLook(owner));
    }
    host.supervisor.end_leftovers();
    let (reader, writer) = rpc::stdio().context("standard input and output")?;
    let mut shutdown = host.shutdown.subscribe();
    let mut signals = Signals::watch()?;
    let ended = tokio::select! {
        ended = rpc::serve(host.clone(), transport, reader, writer, Access::Write) => Some(ended),
        _ = shutdown.wait_for(|asked| *asked) => None,
        () = signals.any() => None,
    };
    // Its answers may be lost by now; what counts is that every program is.
    let killed = host.supervisor.shutdown(SHUTDOWN_GRACE).await;
    server::reap_last().await;
    info!(?killed, "host ends");
    match ended {
        Some(Ended::Broken(reason)) => Err(anyhow::anyhow!("the connection was closed: {reason}")),
        _ => Ok(()),
    }
}

/// The socket that programs find in `TERMI_SOCKET`. Over it one may look, not touch; but for what else the editor has
/// started, which may do what the editor may.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    fn open() -> Option<std::sync::Arc<Self>> {
        let opened = paths::runtime().map_err(|error| error.to_string()).and_then(|folder| {
            remove_stale(&folder);
            let path = folder.join(format!("host-{}.sock", Pid::this()));
            let listener = server::listen(&path)?;
            Ok(std::sync::Arc::new(Self { listener, path }))
        });
        opened.map_err(|error| warn!("no socket for programs to reach this host by: {error}")).ok()
    }

    fn serve(self: &std::sync::Arc<Self>, host: &Host, outsiders: Outsiders) {
        let (socket, host) = (std::sync::Arc::clone(self), host.clone());
        tokio::spawn(async move {
            loop {
                match socket.listener.accept().await {
                    Ok((stream, _)) => _ = tokio::spawn(server::serve_stream(host.clone(), stream, outsiders)),
                    Err(error) => {
                        error!("the socket: {error}");
                        // No descriptors are left: they may be back in a while.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes the sockets of hosts that did not get to it.
fn remove_stale(folder: &Path) {
    for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        let pid = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix("host-")?.strip_suffix(".sock")?.parse::<i32>().ok());
        if let Some(pid) = pid
            && nix::sys::signal::kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)
        {
            let _ = std::fs::remove_file(&path);
        }
    }
}
