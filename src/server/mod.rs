//! What a host and the daemon share: a process that owns a supervisor, reaps what it started, listens at a socket, and
//! ends every program before itself.

mod children;
mod peer_cred;
mod process;
mod signals;
mod socket;

pub use children::{reap_children, reap_last};
pub use peer_cred::Outsiders;
pub use process::{Inherited, prepare};
pub use signals::Signals;
pub use socket::{check_own_socket, listen, serve_stream};
