//! From a method's name and parameters to its answer: the one place where the protocol meets the sessions.

use tracing::debug;

use crate::{
    // Every method is named here.
    protocol::*,
    session::{Client, Supervisor},
};

use super::{guard::Traffic, value::Wire};

/// Calls of one connection that may be under way. Each costs memory until it is answered.
pub(super) const CALLS_UNDER_WAY: usize = 1024;

/// What a host is to all of its connections.
#[derive(Clone)]
pub struct Host {
    /// The sessions.
    pub supervisor: Supervisor,
    /// Where the log is.
    pub log_path: Option<String>,
    /// Set when a client has asked the host to end.
    pub shutdown: tokio::sync::watch::Sender<bool>,
}

/// One connection's place in the host.
#[derive(Clone)]
pub struct Connection {
    /// The host.
    pub host: Host,
    /// What the caller may do.
    pub access: Access,
    /// The connection, as the sessions know it.
    pub client: Client,
    /// Answers under way that something must wait for.
    pub traffic: Traffic,
    /// Set by `initialize`: how messages to the client travel.
    pub frontend: tokio::sync::watch::Sender<Option<Frontend>>,
}

/// Calls the handler of the method that goes by `$name`; each handler is written once, with its types.
macro_rules! dispatch {
    ($connection:expr, $name:expr, $params:expr; $($method:ident => |$p:pat_param| $handler:expr),* $(,)?) => {
        match $name {
            $(<$method as Method>::NAME => {
                check_access($connection, <$method as Method>::ACCESS, $name)?;
                let $p = $params.read::<<$method as Method>::Params>($name)?;
                let reply: Result<<$method as Method>::Reply> = $handler.await;
                W::write(&reply?)
            })*
            _ => Err(unknown($name)),
        }
    };
}

/// Every method's name.
pub const METHODS: &[&str] = &[
    Initialize::NAME,
    Run::NAME,
    Sessions::NAME,
    Kill::NAME,
    Input::NAME,
    Resize::NAME,
    Attach::NAME,
    Detach::NAME,
    Visible::NAME,
    Hold::NAME,
    Snapshot::NAME,
    Prompts::NAME,
    Link::NAME,
    Clipboard::NAME,
    Wait::NAME,
    Rename::NAME,
    Restart::NAME,
    Remove::NAME,
    SendInput::NAME,
    Configure::NAME,
    SetColors::NAME,
    History::NAME,
    Stats::NAME,
    Subscribe::NAME,
    Unsubscribe::NAME,
    Health::NAME,
    Templates::NAME,
    ParseTemplates::NAME,
    Up::NAME,
    Down::NAME,
    Shutdown::NAME,
];

impl Connection {
    /// Carries out one call, with values as the transport has them.
    ///
    /// # Errors
    /// As the protocol says for the method.
    pub async fn call<W: Wire>(&self, name: &str, params: W) -> Result<W> {
        let sessions = &self.host.supervisor;
        let client = &self.client;
        dispatch!(self, name, params;
            Initialize => |p| self.initialize(p),
            Run => |p| async {
                if p.attach.is_some() {
                    self.can_have_views()?;
                }
                sessions.run(p, Some(client)).await
            },
            Sessions => |_| sessions.sessions(),
            Kill => |p| sessions.kill(p),
            Input => |p| sessions.input(p),
            Resize => |p| sessions.resize(p),
            Attach => |p| async {
                self.can_have_views()?;
                sessions.attach(self.without_size(p), client).await
            },
            Detach => |p| sessions.detach(p.run_id, client.id()),
            Visible => |p| sessions.visible(p, client.id()),
            Hold => |p| sessions.hold(p, client.id()),
            Snapshot => |p| sessions.snapshot(p),
            Prompts => |p| sessions.prompts(p.run_id, client.id()),
            Link => |p| sessions.link(p, client.id()),
            Clipboard => |p| sessions.clipboard(p),
            Wait => |p| sessions.wait(p),
            Rename => |p| sessions.rename(p),
            Restart => |p| sessions.restart(p.target),
            Remove => |p| sessions.remove(p.target),
            SendInput => |p| sessions.send(p),
            Configure => |p| sessions.configure(p),
            SetColors => |p| sessions.set_colors(p),
            History => |p| sessions.history(p),
            Stats => |p| sessions.stats(p),
            Subscribe => |p| async {
                self.can_have_views()?;
                sessions.subscribe(p.run_id, client).await
            },
            Unsubscribe => |p| sessions.unsubscribe(p.run_id, client.id()),
            Health => |_| sessions.health(self.host.log_path.clone()),
            Templates => |p| sessions.templates(p),
            ParseTemplates => |p| sessions.parse_templates(p),
            Up => |p| sessions.up(p, Some(client)),
            Down => |p| sessions.down(p),
            Shutdown => |_| self.shutdown(),
        )
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

    /// Who may only look does not decide how large the terminal is.
    fn without_size(&self, params: AttachParams) -> AttachParams {
        let size = params.size.filter(|_| self.access == Access::Write);
        AttachParams { size, ..params }
    }

    async fn initialize(&self, params: InitializeParams) -> Result<InitializeReply> {
        if params.protocol != PROTOCOL {
            return Err(Error::new(
                Code::ProtocolMismatch,
                format!(
                    "the client speaks protocol {}, this host (termi {}) speaks {PROTOCOL}; update the older of the two",
                    params.protocol,
                    env!("CARGO_PKG_VERSION"),
                ),
            ));
        }
        debug!(client = params.client.name, version = params.client.version, "initialize");
        if self.access == Access::Write && (params.colors.foreground.is_some() || params.colors.background.is_some()) {
            self.host.supervisor.set_colors(params.colors).await?;
        }
        self.client.set_synchronized_output(params.synchronized_output);
        let is_new = self.frontend.send_replace(Some(params.frontend)).is_none();
        if is_new {
            self.host.supervisor.register(self.client.clone()).await?;
        }
        Ok(InitializeReply {
            protocol: PROTOCOL,
            server: Peer { name: "termi".into(), version: env!("CARGO_PKG_VERSION").into() },
            pid: std::process::id(),
            capabilities: Capabilities {
                formats: vec![Format::Ansi, Format::Spans],
                methods: METHODS.iter().map(|&name| name.to_owned()).collect(),
            },
            log_path: self.host.log_path.clone(),
        })
    }

    async fn shutdown(&self) -> Result<Empty> {
        self.host.supervisor.shutdown(crate::host::SHUTDOWN_GRACE).await?;
        // The host's end closes the connection: first the answer goes out, if the client reads it.
        let (traffic, shutdown) = (self.traffic.clone(), self.host.shutdown.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(crate::host::SHUTDOWN_GRACE, traffic.replies_are_out()).await;
            shutdown.send_replace(true);
        });
        Ok(Empty {})
    }
}

fn check_access(connection: &Connection, needed: Access, name: &str) -> Result<()> {
    if needed == Access::Write && connection.access == Access::Read {
        return Err(Error::new(
            Code::Forbidden,
            format!("{name} changes sessions; over its socket this host lets others look only"),
        ));
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(Code::UnknownMethod, format!("there is no method {shown:?}; this host has {}", METHODS.join(", ")))
}
