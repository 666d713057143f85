//! `termi host`: serves one editor on standard input and output, and owns its sessions.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        stat::{Mode, umask},
    },
    unistd::Pid,
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};
use tracing::{debug, error, info, warn};

use crate::{
    log::Log,
    paths,
    protocol::Access,
    rpc::{self, Ended, Host, Transport},
    session::{Settings, Supervisor},
};

/// How long programs have when the editor is gone, before SIGKILL: all must be over within three seconds.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1000);

/// Runs the host until its standard input closes, a client asks it to end, or a signal does.
///
/// # Errors
/// When standard input or output cannot be used. A connection that breaks is reported, not an error of the host.
pub fn run(transport: Transport, log: Option<&Log>) -> anyhow::Result<()> {
    // Files are for their owner alone; programs get the umask the editor had.
    let umask = umask(Mode::from_bits_truncate(0o077)).bits();
    let open_files = raise_open_files();
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime could not be started")?;
    let outcome = runtime.block_on(serve(Settings::new(umask, open_files), transport, log));
    // Nothing that still waits, as for a file, may keep the host.
    runtime.shutdown_background();
    outcome
}

async fn serve(mut settings: Settings, transport: Transport, log: Option<&Log>) -> anyhow::Result<()> {
    reap_children()?;
    let socket = Socket::open();
    settings.socket = socket.as_ref().map(|socket| socket.path.clone());
    info!(version = env!("CARGO_PKG_VERSION"), pid = Pid::this().as_raw(), "host started");
    let host = Host {
        supervisor: Supervisor::start(settings),
        log_path: log.map(|log| log.path.to_string_lossy().into_owned()),
        shutdown: tokio::sync::watch::Sender::new(false),
    };
    if let Some(socket) = &socket {
        socket.serve(&host);
    }
    let (reader, writer) = rpc::stdio().context("standard input and output")?;
    let mut shutdown = host.shutdown.subscribe();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let ended = tokio::select! {
        ended = rpc::serve(host.clone(), transport, reader, writer, Access::Write) => Some(ended),
        _ = shutdown.wait_for(|asked| *asked) => None,
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        _ = hangup.recv() => None,
    };
    // Its answers may be lost by now; what counts is that every program is.
    let killed = host.supervisor.shutdown(SHUTDOWN_GRACE).await;
    reap_last().await;
    info!(?killed, "host ends");
    match ended {
        Some(Ended::Broken(reason)) => Err(anyhow::anyhow!("the connection was closed: {reason}")),
        _ => Ok(()),
    }
}

/// Every shim that exits is reaped here, and whatever the host inherits as a subreaper. Nothing else waits for children.
///
/// A shim that was stopped goes on at once: a program can stop its parent (`kill -STOP $PPID`) even before the
/// shim has told of the start, and a stopped shim would neither tell nor kill.
fn reap_children() -> io::Result<()> {
    use nix::sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    };
    let mut children = signal(SignalKind::child())?;
    tokio::spawn(async move {
        while children.recv().await.is_some() {
            while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
                match status {
                    WaitStatus::StillAlive => break,
                    WaitStatus::Stopped(pid, _) => _ = kill(pid, Signal::SIGCONT),
                    _ => {}
                }
            }
        }
    });
    Ok(())
}

/// Waits for the shims, which end right after their last report: whoever inherits the host's children may never reap them.
async fn reap_last() {
    use nix::sys::wait::{WaitPidFlag, waitpid};
    const PATIENCE: Duration = Duration::from_millis(300);
    let until = tokio::time::Instant::now() + PATIENCE;
    while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok() && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Each run takes four descriptors: as many as the hard limit allows. Returns the soft limit from before.
fn raise_open_files() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
            soft
        }
        Err(_) => 1024,
    }
}

/// The socket that programs find in `TERMI_SOCKET`. Over it one may look, not touch.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    fn open() -> Option<std::sync::Arc<Self>> {
        let opened = paths::runtime().map_err(|error| error.to_string()).and_then(|folder| {
            remove_stale(&folder);
            let path = folder.join(format!("host-{}.sock", Pid::this()));
            let _ = std::fs::remove_file(&path);
            let listener = UnixListener::bind(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .map_err(|error| error.to_string())?;
            Ok(std::sync::Arc::new(Self { listener, path }))
        });
        opened.map_err(|error| warn!("no socket for programs to reach this host by: {error}")).ok()
    }

    fn serve(self: &std::sync::Arc<Self>, host: &Host) {
        let (socket, host) = (std::sync::Arc::clone(self), host.clone());
        tokio::spawn(async move {
            loop {
                match socket.listener.accept().await {
                    Ok((stream, _)) => {
                        let same_user =
                            stream.peer_cred().is_ok_and(|peer| peer.uid() == nix::unistd::Uid::effective().as_raw());
                        if !same_user {
                            warn!("a connection by another user was refused");
                            continue;
                        }
                        let (reader, writer) = stream.into_split();
                        let host = host.clone();
                        tokio::spawn(async move {
                            let ended = rpc::serve_any(host, reader, Box::new(writer), Access::Read).await;
                            debug!("a connection over the socket: {ended}");
                        });
                    }
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
