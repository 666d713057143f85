//! Listens at a socket for the user alone, and checks who connects to it.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};

use nix::unistd::Uid;
use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};

use super::peer_cred::{self, Outsiders};
use crate::rpc::{self, Host};

/// Listens at a path; a socket that was left there is replaced. Mode 0600. The caller makes sure that nobody living
/// listens there.
///
/// # Errors
/// Says what is at the path that is not a socket of the user's own, or what the kernel refused.
pub fn listen(path: &Path) -> Result<UnixListener, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    if check_own_socket(path)? {
        fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Whether a socket of the user's own is at a path; false when nothing is there.
///
/// # Errors
/// When something else is there, as somebody may have planted it. It is not followed.
pub fn check_own_socket(path: &Path) -> Result<bool, String> {
    let refuse = |why: &str| Err(format!("{} {why}; remove it and try again", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("{}: {error}", path.display())),
        Ok(meta) if !meta.file_type().is_socket() => refuse("is not a socket"),
        Ok(meta) if meta.uid() != Uid::effective().as_raw() => refuse("belongs to another user"),
        Ok(_) => Ok(true),
    }
}

/// Serves one connection. `outsiders` is what the user's processes outside of all sessions may do.
pub async fn serve_stream(host: Host, stream: UnixStream, outsiders: Outsiders) {
    let Some(caller) = peer_cred::caller(&stream, &host.supervisor, outsiders).await else {
        warn!("a connection by another user was refused");
        return;
    };
    let (reader, writer) = stream.into_split();
    let ended = rpc::serve_any(host, reader, Box::new(writer), caller).await;
    debug!("a connection over the socket: {ended}");
}
