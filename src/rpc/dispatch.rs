//! Dispatches calls, from a method's name and parameters to its reply: the one place where the protocol meets the
//! sessions.

use std::collections::HashSet;

use tracing::debug;

use super::{
    client_env::ClientEnv,
    daemon::Daemon,
    drain::{Drain, UnderWay},
    intake::Budget,
};
use crate::{
    // Every method is named here.
    protocol::*,
    session::{Caller, Client, Permit, SHUTDOWN_GRACE, Supervisor},
};

use super::{
    in_flight::{InFlight, Introduced},
    value::WireValue,
};

/// Calls of one connection that may be under way. Each costs memory until it is answered.
pub(super) const CALLS_UNDER_WAY: usize = 1024;

/// Answers of one connection that may wait to be read: those of all calls, and as many refusals.
pub(super) const ANSWERS_WAITING: usize = 2 * CALLS_UNDER_WAY;

/// What a host is to all of its connections.
#[derive(Clone)]
pub struct Host {
    /// The sessions.
    pub supervisor: Supervisor,
    /// Where the log is.
    pub log_path: Option<String>,
    /// Set when the host begins to end: nobody may join any more.
    pub ending: tokio::sync::watch::Sender<bool>,
    /// Set when a client has asked the host to end, and every program has.
    pub shutdown: tokio::sync::watch::Sender<bool>,
    /// The daemon that this is, if it is one.
    pub daemon: Option<Daemon>,
    /// What messages that are coming in over sockets may take together.
    pub(super) intake: Budget,
    /// Calls that must be over before another binary takes over.
    pub drain: Drain,
}

impl Host {
    /// One that serves an editor: no daemon.
    #[must_use]
    pub fn new(supervisor: Supervisor, log_path: Option<String>) -> Self {
        Self {
            supervisor,
            log_path,
            ending: tokio::sync::watch::Sender::new(false),
            shutdown: tokio::sync::watch::Sender::new(false),
            daemon: None,
            intake: Budget::default(),
            drain: Drain::default(),
        }
    }
}

/// One connection's place in the host.
#[derive(Clone)]
pub struct Connection {
    /// The host.
    pub host: Host,
    /// Who calls, and what it may do.
    pub caller: Caller,
    /// Runs that the client has attached to only to look at them.
    pub looks_at: tokio::sync::watch::Sender<HashSet<RunId>>,
    /// Set by `join`: what runs start with.
    pub client_env: tokio::sync::watch::Sender<ClientEnv>,
    /// The connection, as the sessions know it.
    pub client: Client,
    /// Answers under way that something must wait for.
    pub in_flight: InFlight,
    /// Set by `initialize`: how messages to the client travel.
    pub frontend: tokio::sync::watch::Sender<Option<Frontend>>,
}

/// Calls the handler of the method that goes by `$name`; each handler is written once, with its types. It gets the
/// parameters and the permit, without which nothing is found among the sessions: access is decided where the parameters
/// are resolved, on the very values that the handler acts on.
macro_rules! dispatch {
    ($connection:expr, $name:expr, $params:expr; $($method:ident => |$p:pat_param, $permit:pat_param| $handler:expr),* $(,)?) => {{
        const _: () = assert!([$(<$method as Method>::NAME),*].len() == METHODS.len(), "every method has a handler");
        match $name {
            $(<$method as Method>::NAME => {
                let $permit = &Permit::new::<$method>(&$connection.caller, $connection.host.supervisor.cross_session())?;
                let $p = $params.read::<<$method as Method>::Params>($name)?;
                let reply: Result<<$method as Method>::Reply> = $handler.await;
                W::write(&reply?)
            })*
            _ => Err(unknown($name)),
        }
    }};
}

/// Carries out a call over a connection that is open until `open` changes. What only waits ends with it; what changes
/// sessions is seen through.
pub(super) async fn while_open<T>(
    method: &str,
    mut open: tokio::sync::watch::Receiver<()>,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    if CallRules::of(method).on_close == OnClose::Finish {
        return call.await;
    }
    tokio::select! {
        answer = call => answer,
        _ = open.changed() => Err(closed()),
    }
}

/// Nobody is there any more to be answered.
pub(super) fn closed() -> Error {
    Error::new(Code::ShuttingDown, "the connection was closed")
}

impl Connection {
    /// A connection that has just been opened.
    pub(super) fn new(host: Host, caller: Caller, client: Client, in_flight: InFlight) -> Self {
        Self {
            host,
            caller,
            looks_at: tokio::sync::watch::Sender::default(),
            client_env: tokio::sync::watch::Sender::default(),
            client,
            in_flight,
            frontend: tokio::sync::watch::Sender::new(None),
        }
    }

    /// Carries out one call, with values as the transport has them. What it introduces is noted of the answer of that
    /// number.
    ///
    /// # Errors
    /// As the protocol says for the method.
    pub async fn call<W: WireValue>(&self, name: &str, params: W, answer: Option<u64>) -> Result<W> {
        let sessions = &self.host.supervisor;
        let client = &self.client;
        dispatch!(self, name, params;
            Initialize => |p, _| self.initialize(p),
            Run => |mut p, permit| async {
                if p.attach.is_some() {
                    self.can_have_views()?;
                }
                self.client_env.borrow().complete(&mut p);
                let introduce = |session_id, run_id| self.introduces(answer, Introduced::Run { session_id, run_id });
                sessions.run_introduced(p, client, permit, introduce).await
            },
            Sessions => |_, permit| sessions.sessions(permit),
            Kill => |p, permit| sessions.kill(p, permit),
            Input => |p, permit| async {
                self.may_type(&p.run_id)?;
                sessions.input(p, client.id(), permit).await
            },
            Resize => |p, permit| sessions.resize(p, client.id(), permit),
            Attach => |p, permit| async {
                self.can_have_views()?;
                self.introduces(answer, Introduced::View(p.run_id.clone()));
                // What the policy alone forbids is allowed again when the policy allows it.
                let asked_to_look = p.read_only;
                let reply = sessions.attach(p, client, permit).await?;
                self.only_looks_at(&reply.run_id, asked_to_look);
                Ok(reply)
            },
            Detach => |p, permit| async {
                self.only_looks_at(&p.run_id, false);
                sessions.detach(p.run_id, client.id(), permit).await
            },
            Visible => |p, permit| sessions.visible(p, client.id(), permit),
            Hold => |p, permit| sessions.hold(p, client.id(), permit),
            Snapshot => |p, permit| sessions.snapshot(p, permit),
            Lines => |p, permit| sessions.lines(p, permit),
            Seen => |p, permit| sessions.seen(p.run_id, permit),
            Evidence => |p, permit| sessions.agent_evidence(p.run_id, permit),
            AgentReport => |p, permit| sessions.agent_report(p, permit),
            Prompts => |p, permit| sessions.prompts(p.run_id, client.id(), permit),
            Link => |p, permit| sessions.link(p, client.id(), permit),
            Clipboard => |p, permit| async {
                self.may_type(&p.run_id)?;
                sessions.clipboard(p, permit).await
            },
            Wait => |p, permit| sessions.wait(p, permit),
            Rename => |p, permit| sessions.rename(p, permit),
            Restart => |p, permit| sessions.restart(p, permit),
            Remove => |p, permit| sessions.remove(p, permit),
            SendInput => |p, permit| sessions.send(p, client.id(), permit, |run| self.may_type(run)),
            Configure => |p, _| sessions.configure(p),
            SetColors => |p, _| sessions.set_colors(p),
            History => |p, _| sessions.history(p),
            Stats => |p, _| sessions.stats(p),
            Subscribe => |p, permit| async {
                self.can_have_views()?;
                sessions.subscribe(p.run_id, client, permit).await
            },
            Unsubscribe => |p, permit| sessions.unsubscribe(p.run_id, client.id(), permit),
            Health => |_, _| sessions.health(self.host.log_path.clone()),
            Templates => |p, _| sessions.templates(p),
            ParseTemplates => |p, _| sessions.parse_templates(p),
            Up => |p, permit| sessions.up(p, Some(client), permit),
            Down => |p, _| sessions.down(p),
            Shutdown => |_, _| self.shutdown(),
            Join => |p, _| self.join(p),
            Replace => |p, _| async { self.daemon()?.replace(p).await },
            Restorable => |_, _| async { self.daemon()?.restorable().await },
            Restore => |p, _| async {
                let client_env = self.client_env.borrow().clone();
                self.daemon()?.restore(p, client_env).await
            },
        )
    }

    /// Counts a call as under way, if a replacement of the daemon is to wait for it.
    pub(super) async fn begins(&self, name: &str) -> Option<UnderWay> {
        if CallRules::of(name).drained { Some(self.host.drain.begin().await) } else { None }
    }

    fn introduces(&self, answer: Option<u64>, what: Introduced) {
        if let Some(number) = answer {
            self.in_flight.introduces(number, what);
        }
    }

    /// Before `initialize` it is not known how frames are to travel.
    fn can_have_views(&self) -> Result<()> {
        match *self.frontend.borrow() {
            Some(_) => Ok(()),
            None => Err(Error::new(
                Code::InvalidParams,
                "views are for clients that have introduced themselves; call initialize first",
            )),
        }
    }

    /// Notes whether this client has attached to a run to look only.
    fn only_looks_at(&self, run: &RunId, only: bool) {
        self.looks_at.send_modify(|runs| _ = if only { runs.insert(run.clone()) } else { runs.remove(run) });
    }

    fn may_type(&self, run: &RunId) -> Result<()> {
        if self.looks_at.borrow().contains(run) {
            let why = "this client has attached to the run to look only; attach again without read_only to type";
            return Err(Error::new(Code::Forbidden, why));
        }
        Ok(())
    }

    fn daemon(&self) -> Result<&Daemon> {
        let no = || {
            Error::new(
                Code::Unsupported,
                "this host serves one editor and ends with it; only the daemon does that (`termi daemon`, or setup{ persist = true } in Neovim)",
            )
        };
        self.host.daemon.as_ref().ok_or_else(no)
    }

    async fn join(&self, params: JoinParams) -> Result<JoinReply> {
        check_protocol(params.protocol)?;
        if *self.host.ending.borrow() {
            return Err(Error::new(Code::ShuttingDown, "the host is ending; start another"));
        }
        debug!(client = params.client.name, version = params.client.version, "join");
        self.client_env.send_replace(ClientEnv::new(params));
        Ok(JoinReply {
            protocol: PROTOCOL,
            server: own_name(),
            pid: std::process::id(),
            generation: self.host.daemon.as_ref().map_or(0, |daemon| daemon.generation),
            persistent: self.host.daemon.is_some(),
            answered_since: self.host.daemon.as_ref().map(|daemon| daemon.answered_since),
        })
    }

    async fn initialize(&self, params: InitializeParams) -> Result<InitializeReply> {
        check_protocol(params.protocol)?;
        debug!(client = params.client.name, version = params.client.version, "initialize");
        let is_owner = self.caller == Caller::outside(Access::Write);
        if let Some(policy) = params.cross_session.filter(|_| is_owner) {
            self.host.supervisor.set_cross_session(policy).await?;
        }
        if let Some(agent_hooks) = params.agent_hooks.filter(|_| is_owner) {
            let set = ConfigureParams { agent_hooks: Some(agent_hooks), ..ConfigureParams::default() };
            self.host.supervisor.configure(set).await?;
        }
        if is_owner && (params.colors.foreground.is_some() || params.colors.background.is_some()) {
            self.host.supervisor.set_colors(params.colors).await?;
        }
        self.client.set_synchronized_output(params.synchronized_output);
        let is_new = self.frontend.send_replace(Some(params.frontend)).is_none();
        if is_new {
            self.host.supervisor.register(self.client.clone(), self.caller.clone()).await?;
        }
        Ok(InitializeReply {
            protocol: PROTOCOL,
            server: own_name(),
            pid: std::process::id(),
            capabilities: Capabilities {
                formats: vec![Format::Ansi, Format::Spans],
                methods: METHODS.iter().map(|&name| name.to_owned()).collect(),
            },
            log_path: self.host.log_path.clone(),
            socket: self.host.supervisor.socket().map(|path| path.to_string_lossy().into_owned()),
        })
    }

    async fn shutdown(&self) -> Result<Empty> {
        self.host.ending.send_replace(true);
        self.host.supervisor.shutdown(SHUTDOWN_GRACE).await?;
        // The host's end closes the connection: first the answer goes out, if the client reads it.
        let (in_flight, shutdown) = (self.in_flight.clone(), self.host.shutdown.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(SHUTDOWN_GRACE, in_flight.replies_are_out()).await;
            shutdown.send_replace(true);
        });
        Ok(Empty {})
    }
}

fn own_name() -> Peer {
    // In one piece in the binary, where a test of two versions changes it.
    let version = std::hint::black_box(env!("CARGO_PKG_VERSION"));
    Peer { name: "termi".into(), version: version.into() }
}

fn check_protocol(theirs: u32) -> Result<()> {
    if theirs == PROTOCOL {
        return Ok(());
    }
    let version = env!("CARGO_PKG_VERSION");
    Err(Error::new(
        Code::ProtocolMismatch,
        format!(
            "the client speaks protocol {theirs}, this host (termi {version}) speaks {PROTOCOL}; update the older of \
             the two; a daemon that is the older one is updated by the newer binary's `termi daemon --replace`"
        ),
    ))
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(Code::UnknownMethod, format!("there is no method {shown:?}; this host has {}", METHODS.join(", ")))
}
