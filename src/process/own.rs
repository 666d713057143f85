//! This process's own executable and descriptors.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::PathBuf,
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// This very binary, even when its file has been replaced since (as by a rebuild).
#[must_use]
pub fn own_executable() -> PathBuf {
    std::env::current_exe().ok().filter(|path| path.is_file()).unwrap_or_else(|| "/proc/self/exe".into())
}

/// Sets `O_NONBLOCK`, beside the flags that the descriptor has.
///
/// # Errors
/// What `fcntl` says.
pub fn non_blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlag::from_bits_truncate(fcntl(fd.as_raw_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_raw_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(fd)
}

/// A descriptor that the binary before this one has left open for it and named in the state that it wrote: once, as it
/// then is this one's to close.
#[must_use]
pub fn handed_down(fd: i32) -> OwnedFd {
    // SAFETY: the state names it once, and the binary that wrote the state has left it to this one.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
