//! From a method's name and parameters to its answer: the one place where the protocol meets the sessions.

use rmpv::Value;
use serde::Serialize;
use tracing::debug;

use crate::{
    protocol::{
        Access, Attach, AttachParams, Capabilities, Code, Configure, Detach, Down, Empty, Error, Format, Frontend,
        Health, History, Initialize, InitializeParams, InitializeReply, Input, Kill, Method, PROTOCOL, ParseTemplates,
        Peer, Remove, Rename, Resize, Restart, Result, Run, SendInput, Sessions, SetColors, Shutdown, Snapshot, Stats,
        Subscribe, Templates, Unsubscribe, Up, Visible, Wait,
    },
    session::{Client, Supervisor},
};

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
    /// Set by `initialize`: how messages to the client travel.
    pub frontend: tokio::sync::watch::Sender<Option<Frontend>>,
}

/// Calls the handler of the method that goes by `$name`; each handler is written once, with its types.
macro_rules! dispatch {
    ($connection:expr, $name:expr, $params:expr; $($method:ident => |$p:pat_param| $handler:expr),* $(,)?) => {
        match $name {
            $(<$method as Method>::NAME => {
                check_access($connection, <$method as Method>::ACCESS, $name)?;
                let $p = read::<<$method as Method>::Params>($name, $params)?;
                let reply: Result<<$method as Method>::Reply> = $handler.await;
                write(&reply?)
            })*
            _ => Err(unknown($name)),
        }
    };
}

/// Every method's name.
pub const METHODS: [&str; 27] = [
    Initialize::NAME,
    Run::NAME,
    Sessions::NAME,
    Kill::NAME,
    Input::NAME,
    Resize::NAME,
    Attach::NAME,
    Detach::NAME,
    Visible::NAME,
    Snapshot::NAME,
    Wait::NAME,
    Rename::NAME,
    Restart::NAME,
    SendInput::NAME,
    Configure::NAME,
    Remove::NAME,
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
    /// Carries out one call.
    ///
    /// # Errors
    /// As the protocol says for the method.
    pub async fn call(&self, name: &str, params: Value) -> Result<Value> {
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
            Snapshot => |p| sessions.snapshot(p),
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
        self.host.shutdown.send_replace(true);
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

/// The parameters of a method; none at all are as good as an empty map.
fn read<T: serde::de::DeserializeOwned>(name: &str, params: Value) -> Result<T> {
    let params = if params.is_nil() { Value::Map(Vec::new()) } else { params };
    if !params.is_map() {
        // Neovim's Lua sends an empty table as an array.
        if params.as_array().is_some_and(Vec::is_empty) {
            return read(name, Value::Nil);
        }
        return Err(Error::new(
            Code::InvalidParams,
            format!("{name}: the parameters are {}; they must be one map", kind_of(&params)),
        ));
    }
    from_value(&params).map_err(|reason| Error::new(Code::InvalidParams, format!("{name}: {reason}")))
}

fn write<T: Serialize>(reply: &T) -> Result<Value> {
    to_value(reply).map_err(|error| Error::new(Code::Internal, format!("the answer could not be written: {error}")))
}

/// A protocol type as a msgpack value.
///
/// # Errors
/// When the type cannot be msgpack, which none of the protocol's is.
pub fn to_value<T: Serialize>(value: &T) -> std::result::Result<Value, String> {
    let bytes = rmp_serde::to_vec_named(value).map_err(|error| error.to_string())?;
    rmpv::decode::read_value(&mut bytes.as_slice()).map_err(|error| error.to_string())
}

fn from_value<T: serde::de::DeserializeOwned>(value: &Value) -> std::result::Result<T, String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(|error| error.to_string())?;
    rmp_serde::from_slice(&bytes).map_err(|error| error.to_string())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) | Value::F32(_) | Value::F64(_) => "a number",
        Value::String(_) => "a string",
        Value::Binary(_) => "binary data",
        Value::Array(_) => "an array",
        Value::Map(_) => "a map",
        Value::Ext(..) => "an extension type",
    }
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(Code::UnknownMethod, format!("there is no method {shown:?}; this host has {}", METHODS.join(", ")))
}
