//! Methods as data: what is known of one whatever its parameters, as its name, who may call it, and how its calls are
//! treated.

use serde::{Serialize, de::DeserializeOwned};

/// What a caller may do: reading is allowed to every connection, writing only to the host's owner and, within bounds
/// ([`CrossSession`](super::CrossSession)), to programs inside its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looks, never changes.
    Read,
    /// Starts, ends, types into or changes sessions.
    Write,
}

/// What calls of a method touch, by which it is decided who may make them ([`CrossSession`](super::CrossSession)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The caller's own connection.
    Connection,
    /// The sessions and runs that its parameters name, those that the caller may know of, or the one that it makes.
    Sessions,
    /// The host, and with it every session, those that have ended among them.
    Host,
}

/// In what order the calls of one connection are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOrder {
    /// Beside other calls.
    Concurrent,
    /// Before the next message is read: what is typed and how large it is must not overtake each other. Over
    /// msgpack-RPC that holds for notifications, which nvim-rs handles in order.
    InOrder,
}

/// How large a reply may be, by which it is limited how many of a connection are built at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplySize {
    /// Small whatever there is: not limited.
    Small,
    /// As large as what there is.
    Large,
    /// Lines, once there are any: large, and waited for.
    Lines,
}

/// What becomes of a call when its connection closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnClose {
    /// It is carried out to its end, as it changes something or takes no time.
    Finish,
    /// It is given up, as it only waits.
    Cancel,
}

/// One method of the protocol.
pub trait Method {
    /// The name on the wire.
    const NAME: &'static str;
    /// What it does, in a sentence or two.
    const ABOUT: &'static str;
    /// What a caller must be allowed to do.
    const ACCESS: Access;
    /// What its calls touch.
    const SCOPE: Scope;
    /// The order among the other calls of the connection.
    const ORDER: CallOrder = CallOrder::Concurrent;
    /// How large its reply may be.
    const REPLY_SIZE: ReplySize = ReplySize::Small;
    /// Something must not be sent, or the host not end, before its reply is out: the first frame of the view and the
    /// events of the run that the reply tells the client of.
    const REPLY_FIRST: bool = false;
    /// What becomes of a call when its connection closes.
    const ON_CLOSE: OnClose = OnClose::Finish;
    /// A call must be over, and its reply written, before another binary takes over from the daemon's.
    const DRAINED: bool = matches!(Self::ACCESS, Access::Write);
    /// What the caller sends.
    type Params: Serialize + DeserializeOwned + Send;
    /// What the host answers.
    type Reply: Serialize + DeserializeOwned + Send;
}

/// How the calls of a method are treated, for those who have only its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRules {
    /// See [`Method::ORDER`].
    pub order: CallOrder,
    /// See [`Method::REPLY_SIZE`].
    pub reply_size: ReplySize,
    /// See [`Method::REPLY_FIRST`].
    pub reply_first: bool,
    /// See [`Method::ON_CLOSE`].
    pub on_close: OnClose,
    /// See [`Method::DRAINED`].
    pub drained: bool,
}

impl CallRules {
    /// A call of no method there is, which is refused.
    const UNKNOWN: Self = Self {
        order: CallOrder::Concurrent,
        reply_size: ReplySize::Small,
        reply_first: false,
        on_close: OnClose::Finish,
        drained: false,
    };

    const fn new<M: Method>() -> Self {
        // The reply to a call in order is written apart from the call: nothing would keep the drain waiting for it.
        assert!(!(M::DRAINED && matches!(M::ORDER, CallOrder::InOrder)), "a call in order is not drained");
        Self {
            order: M::ORDER,
            reply_size: M::REPLY_SIZE,
            reply_first: M::REPLY_FIRST,
            on_close: M::ON_CLOSE,
            drained: M::DRAINED,
        }
    }
}

/// Hands every method's type to a macro: the one list of the methods, in the order of the documents.
macro_rules! for_each_method {
    ($callback:ident) => {
        $callback! {
            Initialize, Run, Sessions, Kill, Input, Resize, Attach, Detach, Visible, Hold, Snapshot, Lines, Prompts,
            Link, Clipboard, Wait, Rename, Restart, Remove, SendInput, Configure, SetColors, History, Stats, Subscribe,
            Unsubscribe, Health, Templates, ParseTemplates, Up, Down, Shutdown, Join, Replace, Restorable, Restore,
            Seen, Evidence, AgentReport
        }
    };
}

pub(super) use for_each_method;

macro_rules! by_name {
    ($($method:ident),*) => {
        /// Every method's name.
        pub const METHODS: &[&str] = &[$(<super::$method as Method>::NAME),*];

        impl CallRules {
            /// Of the method with that name.
            #[must_use]
            pub fn of(name: &str) -> Self {
                match name {
                    $(<super::$method as Method>::NAME => const { Self::new::<super::$method>() },)*
                    _ => Self::UNKNOWN,
                }
            }
        }
    };
}

for_each_method!(by_name);
