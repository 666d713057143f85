//! The daemon: the same server as a host, at a socket of the user's own, with sessions that outlive their clients.
//!
//! There is one daemon for a user: it holds a lock beside its socket for as long as it lives. Whoever wants it joins
//! it, and starts it when there is none; see [`connect()`]. It ends by itself when it has had no sessions and no
//! clients for a while, and gives its process to another binary when asked to.

mod bridge;
mod connect;
mod daemonize;
mod guard;
mod lock;
mod replace;
mod restore;
mod saved_sessions;
mod stop;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    net::{UnixListener, UnixStream, unix::SocketAddr},
    sync::{mpsc, watch},
};
use tracing::{error, info};

pub use bridge::{Bridged, REPLACED_EXIT_CODE, bridge};
pub use connect::{CONNECT_TIMEOUT, ConnectError, Connected, connect};
pub use daemonize::{Daemonized, Ready, daemonize};
pub use lock::{ClaimError, SocketLock};
pub use replace::{check_state, replace_running};
use restore::Restorer;
use saved_sessions::Keeper;
pub use saved_sessions::recorded as recorded_sessions;
pub use stop::stop_running;

use crate::{
    log::Log,
    protocol::{Code, CrossSession, Error},
    rpc::{Daemon, DaemonRequest, Host},
    server::{self, Inherited, Signals},
    session::{SHUTDOWN_GRACE, Settings, Supervisor},
};

/// How long a daemon without sessions waits for clients.
pub const IDLE_EXIT: Duration = Duration::from_secs(600);

/// How long one keeps sessions that have all ended, for somebody to read them.
const UNREAD_EXIT: Duration = Duration::from_secs(24 * 3600);

/// How a daemon is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long it waits for clients when it has no sessions.
    pub idle_exit: Duration,
    /// What programs inside a session may do to others.
    pub cross_session: CrossSession,
    /// Whether the last text of each run is remembered for a restore.
    pub keep_text: bool,
    /// Whether `claude` is started with hooks.
    pub agent_hooks: bool,
    /// The descriptor of what another binary has put down for this one to go on with.
    pub resume: Option<i32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle_exit: IDLE_EXIT,
            cross_session: CrossSession::default(),
            keep_text: false,
            agent_hooks: false,
            resume: None,
        }
    }
}

/// Runs a daemon until it is told to end or nobody needs it. `ready` is told once clients can connect.
///
/// # Errors
/// When another daemon runs, or the socket's directory cannot be used.
pub fn run(log: Option<&Log>, options: Options, ready: Ready) -> anyhow::Result<()> {
    let inherited = server::prepare();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime could not be started")?;
    let outcome = runtime.block_on(serve(inherited, log, options, ready));
    // Nothing that still waits, as for a file, may keep the daemon.
    runtime.shutdown_background();
    outcome
}

async fn serve(inherited: Inherited, log: Option<&Log>, options: Options, ready: Ready) -> anyhow::Result<()> {
    server::reap_children()?;
    // From the first moment on, also as the next binary in the same process: whoever ends it now waits for the sessions.
    let signals = Signals::watch()?;
    let handed = options.resume.map(replace::take_over).transpose().context("what the last binary has left")?;
    let (mut generation, mut answered_since) = (0, 0);
    let (socket_lock, handed) = match handed {
        Some(handed) => {
            (generation, answered_since) = (handed.generation, handed.answered_since);
            (handed.socket_lock, Some((handed.inherited, handed.policy, handed.state)))
        }
        None => match SocketLock::claim().await {
            Ok(socket_lock) => (socket_lock, None),
            Err(error) => {
                ready.refuse(&error);
                return Err(error.into());
            }
        },
    };
    let inherited = handed.as_ref().map_or(inherited, |(inherited, ..)| *inherited);
    let (requests, requests_in) = mpsc::channel(16);
    let mut host = Host::new(
        Supervisor::start(settings(inherited, socket_lock.path().to_owned(), options.agent_hooks)),
        log.map(|log| log.path.to_string_lossy().into_owned()),
    );
    host.supervisor.set_cross_session(options.cross_session).await?;
    if let Some((_, policy, state)) = handed {
        host.supervisor.set_cross_session(policy).await?;
        host.supervisor.take_over(state).await.context("the sessions of the last binary")?;
    }
    host.daemon = Some(Daemon { generation, answered_since, requests });
    info!(generation, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "daemon started");
    if generation == 0 {
        host.supervisor.end_leftovers();
    }
    ready.say();
    let keeper = Keeper::start(&host.supervisor, options.keep_text, generation > 0);
    let restorer = Restorer {
        supervisor: host.supervisor.clone(),
        restorable: keeper.restorable.clone(),
        busy: Arc::default(),
        begun: Arc::default(),
    };
    let serving = Serving {
        keeper,
        restorer,
        host,
        socket_lock,
        inherited,
        generation,
        options,
        requests: requests_in,
        open: Arc::new(()),
        quiet_since: Instant::now(),
        frozen: watch::Sender::new(false),
        replacing: None,
    };
    serving.run(signals).await;
    Ok(())
}

fn settings(inherited: Inherited, socket: PathBuf, agent_hooks: bool) -> Settings {
    let mut settings = Settings::new(inherited.umask, inherited.open_files);
    // A daemon is nowhere in particular.
    settings.cwd = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_dir()).unwrap_or(settings.cwd);
    (settings.socket, settings.agent_hooks) = (Some(socket), agent_hooks);
    settings
}

/// A daemon at work.
struct Serving {
    host: Host,
    keeper: Keeper,
    restorer: Restorer,
    socket_lock: SocketLock,
    inherited: Inherited,
    generation: u32,
    options: Options,
    requests: mpsc::Receiver<DaemonRequest>,
    /// One more holder for each open connection.
    open: Arc<()>,
    /// Since when nobody has needed it.
    quiet_since: Instant,
    /// Every run stands still, for another binary to take over.
    frozen: watch::Sender<bool>,
    /// Another binary is just being put in this one's place.
    replacing: Option<BoxFuture<'static, ()>>,
}

impl Serving {
    async fn run(mut self, mut signals: Signals) {
        let mut ending = self.host.ending.subscribe();
        let mut look =
            tokio::time::interval((self.options.idle_exit / 4).clamp(MIN_IDLE_CHECK_INTERVAL, MAX_IDLE_CHECK_INTERVAL));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut frozen = self.frozen.subscribe();
        let why = loop {
            tokio::select! {
                accepted = next_client(self.socket_lock.listener(), &mut frozen) => match accepted {
                    Ok((stream, _)) => self.accept(stream),
                    Err(error) => {
                        error!("the socket: {error}");
                        // No descriptors are left: they may be back in a while.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(request) = self.requests.recv() => self.answer(request),
                () = finished(&mut self.replacing) => {}
                // It asks the table, which stands still while another binary takes over.
                _ = look.tick(), if self.replacing.is_none() => {
                    self.socket_lock.renew();
                    if self.is_done().await { break "nobody needs it" }
                }
                // Its descriptors are just being handed over.
                () = self.socket_lock.asked(), if self.replacing.is_none() => self.socket_lock.renew(),
                _ = ending.wait_for(|asked| *asked) => break "a client asked for it",
                () = signals.any() => break "a signal",
            }
        };
        // Runs that stand still go on, to be ended.
        self.replacing = None;
        // Whoever comes from now on starts another, which waits for the lock only.
        self.host.ending.send_replace(true);
        self.socket_lock.leave();
        match why {
            // As at a shutdown of the machine: what runs can be started again.
            "a signal" => self.keeper.stop().await,
            _ => self.keeper.forget_live().await,
        }
        let killed = self.host.supervisor.shutdown(SHUTDOWN_GRACE).await;
        if why == "a client asked for it" {
            // Its answer is still on its way.
            let mut shutdown = self.host.shutdown.subscribe();
            let _ = tokio::time::timeout(SHUTDOWN_GRACE, shutdown.wait_for(|done| *done)).await;
            tokio::time::sleep(LAST_WORD).await;
        }
        server::reap_last().await;
        info!(?killed, "daemon ends: {why}");
    }

    fn accept(&self, stream: UnixStream) {
        let (host, open) = (self.host.clone(), Arc::clone(&self.open));
        tokio::spawn(async move {
            let _open = open;
            server::serve_stream(host, stream, server::Outsiders::MayChange).await;
        });
    }

    fn answer(&mut self, request: DaemonRequest) {
        match request {
            DaemonRequest::Replace(_, reply) if self.replacing.is_some() => {
                let why = "the daemon stays as it is: another replacement is under way; try again in a moment";
                let _ = reply.send(Err(Error::new(Code::Unsupported, why)));
            }
            DaemonRequest::Replace(params, reply) => {
                let replacement = self.replacer().replace(params);
                let replacing = async {
                    // It comes back only when it could not be done.
                    let error = replacement.await;
                    error!("not replaced: {error}");
                    let _ = reply.send(Err(error));
                };
                self.replacing = Some(replacing.boxed());
            }
            DaemonRequest::Restorable(reply) => _ = reply.send(self.restorable()),
            DaemonRequest::Restore(params, client_env, reply) => {
                let restorer = self.restorer.clone();
                tokio::spawn(async move { _ = reply.send(restorer.restore(params, &client_env).await) });
            }
        }
    }

    /// Whether it has been without sessions and clients for long enough.
    async fn is_done(&mut self) -> bool {
        let (sessions, active) = self.host.supervisor.counts().await.unwrap_or_default();
        if active > 0 || Arc::strong_count(&self.open) > 1 {
            self.quiet_since = Instant::now();
        }
        let patience = if sessions == 0 { self.options.idle_exit } else { self.options.idle_exit.max(UNREAD_EXIT) };
        self.quiet_since.elapsed() >= patience
    }
}

/// The next client that connects; none while every run stands still.
async fn next_client(
    listener: &UnixListener,
    frozen: &mut watch::Receiver<bool>,
) -> std::io::Result<(UnixStream, SocketAddr)> {
    loop {
        // Its sender lives as long as the daemon.
        let _ = frozen.wait_for(|frozen| !frozen).await;
        tokio::select! {
            biased;
            Ok(()) = frozen.changed() => {}
            accepted = listener.accept() => return accepted,
        }
    }
}

/// Carries on with what is under way, until it is over; for ever when nothing is.
async fn finished(under_way: &mut Option<BoxFuture<'static, ()>>) {
    match under_way {
        Some(future) => {
            future.await;
            *under_way = None;
        }
        None => std::future::pending().await,
    }
}

/// How often it is looked whether anybody needs the daemon.
const MIN_IDLE_CHECK_INTERVAL: Duration = Duration::from_millis(20);
const MAX_IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How long the answer to a client's `shutdown` has to be written.
const LAST_WORD: Duration = Duration::from_millis(300);
