//! The guard: an abstract socket that one daemon of a user holds for as long as it lives, a lock that nobody can wipe.
//!
//! It is an abstract socket (unix(7)): it is in no file system, is gone with its process, and is bound by one only. It is
//! a lock, and a way to ask whether there is a daemon whose socket cannot be found; nothing is said over it, as it is in
//! reach of programs that are kept from the user's files.

use std::{
    fs, io,
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixListener as StdListener},
        },
    },
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt::PeerCredentials},
    unistd::Uid,
};
use tokio::net::UnixListener;

use crate::paths;

/// The name, held.
#[derive(Debug)]
pub struct Guard(UnixListener);

impl Guard {
    /// Takes the name. None when another process has it.
    ///
    /// # Errors
    /// When the system has no such sockets.
    pub fn take() -> io::Result<Option<Self>> {
        let listener = match StdListener::bind_addr(&SocketAddr::from_abstract_name(name())?) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Ok(None),
            bound => bound?,
        };
        listener.set_nonblocking(true)?;
        Ok(Some(Self(UnixListener::from_std(listener)?)))
    }

    /// Waits until somebody asks whether this daemon lives.
    pub async fn asked(&self) {
        if self.0.accept().await.is_err() {
            // No descriptors are left: they may be back in a while.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Whether a process of this user holds the name; it is asked for its socket.
    #[must_use]
    pub fn is_held() -> bool {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let Ok(asking) = socket(AddressFamily::Unix, SockType::Stream, flags, None) else { return false };
        let Ok(address) = UnixAddr::new_abstract(name().as_bytes()) else { return false };
        match connect(asking.as_raw_fd(), &address) {
            // What another user holds is not a daemon of this one's.
            Ok(()) => getsockopt(&asking, PeerCredentials).is_ok_and(|peer| peer.uid() == Uid::effective().as_raw()),
            // It does not get to it.
            Err(errno) => errno == Errno::EAGAIN,
        }
    }
}

/// The user's, this environment's, and this file system's: containers may share all abstract sockets.
fn name() -> String {
    let root = fs::metadata("/").map(|root| (root.dev(), root.ino())).unwrap_or_default();
    format!("termi-daemon-{}-{}-{:x}-{:x}", Uid::effective(), paths::runtime_key(), root.0, root.1)
}
