//! Connects to a host's socket, and checks that the user's own process listens there.

use std::{
    env, fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::Uid;
use tokio::net::UnixStream;

use super::{Client, ClientError, Inbox};
use crate::paths;

/// A connection's bytes.
pub type Stream = UnixStream;

/// The socket to speak to: `$TERMI_SOCKET`, as programs inside a session have it, else the daemon's.
///
/// # Errors
/// When the folder of sockets cannot be used.
pub fn socket() -> Result<PathBuf, ClientError> {
    match env::var_os("TERMI_SOCKET").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(path) => Ok(path),
        None => match paths::daemon_sockets().into_iter().find(|path| path.exists()) {
            Some(path) => Ok(path),
            None => Ok(paths::daemon_socket()?),
        },
    }
}

/// Connects to the host or daemon at a socket. Must be called within a tokio runtime.
///
/// # Errors
/// When nobody listens there ([`ClientError::is_nobody_there`]), or what is there is not the user's own.
pub async fn connect(path: &Path) -> Result<(Client, Inbox), ClientError> {
    let (reader, writer) = open(path).await?.into_split();
    Ok(Client::new(reader, writer))
}

/// The same, for who speaks by other means: the stream alone.
///
/// # Errors
/// As for [`connect`].
pub async fn open(path: &Path) -> Result<Stream, ClientError> {
    let failed = |source: io::Error| ClientError::Connect { path: path.to_owned(), source };
    let not_ours = |why| ClientError::NotOurs { path: path.to_owned(), why };
    // Not followed: a link planted there would lead elsewhere.
    let meta = fs::symlink_metadata(path).map_err(failed)?;
    if !meta.file_type().is_socket() {
        return Err(not_ours("is not a socket"));
    }
    if meta.uid() != Uid::effective().as_raw() {
        return Err(not_ours("belongs to another user"));
    }
    let stream = UnixStream::connect(path).await.map_err(failed)?;
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == Uid::effective().as_raw() => Ok(stream),
        Ok(_) => Err(not_ours("is served by another user")),
        Err(error) => Err(failed(error)),
    }
}
