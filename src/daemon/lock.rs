//! The daemon's socket, and the lock that makes it the only one.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg, OFlag},
    unistd::Uid,
};
use tokio::net::{UnixListener, UnixStream};
use tracing::{info, warn};

use super::guard::Guard;
use crate::{
    paths::{self, FolderError},
    server,
};

/// A daemon that ends gives its programs a second and a little; one that starts takes milliseconds.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Why the place cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another daemon serves there.
    #[error("a daemon is already running, at {0}; `termi daemon --replace` puts this binary in its place")]
    AlreadyRunning(PathBuf),
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Something is in the way.
    #[error("{0}")]
    Refused(String),
}

/// The lock held and the socket listened at.
#[derive(Debug)]
pub struct SocketLock {
    path: PathBuf,
    listener: UnixListener,
    /// Held for as long as the process lives: it is what another daemon waits for.
    lock: Flock<File>,
    /// Held too, where the lock's file may be wiped. None where the system has no such thing.
    guard: Option<Guard>,
    /// Device and inode of the socket's file.
    file: Option<(u64, u64)>,
}

impl SocketLock {
    /// Takes the place. While another daemon starts or ends, this waits for what comes of it.
    ///
    /// # Errors
    /// [`ClaimError::AlreadyRunning`] when another daemon serves; else what is in the way, and what to do.
    pub async fn claim() -> Result<Self, ClaimError> {
        let guard = claim_guard().await?;
        let path = paths::daemon_socket()?;
        let lock = claim_lock(&path).await?;
        let listener = server::listen(&path).map_err(ClaimError::Refused)?;
        let file = identity(&path);
        Ok(Self { path, listener, lock, guard, file })
    }

    /// The descriptors of socket and lock, for a process that takes this one's place.
    pub(super) fn descriptors(&self) -> (i32, i32) {
        (self.listener.as_raw_fd(), self.lock.as_raw_fd())
    }

    /// Takes the place over from the process whose place this one has.
    pub(super) fn take_over(path: PathBuf, listener: OwnedFd, lock: OwnedFd) -> io::Result<Self> {
        let listener = UnixListener::from_std(listener.into())?;
        // The same open file: it is locked already.
        let lock = Flock::lock(File::from(lock), FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
        // The last binary's was closed when this one took its place.
        let guard = Guard::take().ok().flatten();
        let file = identity(&path);
        Ok(Self { path, listener, lock, guard, file })
    }

    /// Waits until somebody does not find the socket, and asks for it.
    pub async fn asked(&self) {
        match &self.guard {
            Some(guard) => guard.asked().await,
            None => std::future::pending().await,
        }
    }

    /// Makes the socket again when its file is gone, as at a logout that wipes `$XDG_RUNTIME_DIR`: where it was, else
    /// where clients look next.
    pub fn renew(&mut self) {
        if self.file.is_some() && identity(&self.path) == self.file {
            return;
        }
        match self.make_again() {
            Ok(()) => info!("the socket was gone, and is at {} now", self.path.display()),
            Err(error) => warn!("the socket {} is gone, and cannot be made again: {error}", self.path.display()),
        }
    }

    fn make_again(&mut self) -> Result<(), ClaimError> {
        let was = self.path.parent().is_some_and(|folder| paths::make_runtime(folder).is_ok());
        let path = if was { self.path.clone() } else { paths::daemon_socket()? };
        let lock_path = path.with_extension("lock");
        let held = self.lock.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        if held != identity(&lock_path) {
            self.lock =
                Flock::lock(open_lock(&lock_path)?, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
                    ClaimError::Refused(format!("{}: another daemon holds it ({errno})", lock_path.display()))
                })?;
        }
        self.listener = server::listen(&path).map_err(ClaimError::Refused)?;
        self.file = identity(&path);
        self.path = path;
        Ok(())
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What listens there.
    #[must_use]
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Takes the socket away: nobody new comes. The lock stays.
    pub fn leave(&self) {
        if identity(&self.path) != self.file {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            warn!("{}: {error}", self.path.display());
        }
    }
}

/// A file's device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Takes the guard, which a daemon holds whose socket and lock were wiped. That one makes them again when it is asked.
async fn claim_guard() -> Result<Option<Guard>, ClaimError> {
    let until = tokio::time::Instant::now() + CLAIM_TIMEOUT;
    loop {
        match Guard::take() {
            Ok(Some(guard)) => return Ok(Some(guard)),
            Ok(None) if Guard::is_held() => {}
            Ok(None) => {
                warn!("another user holds this user's name for its daemon; the lock in the socket's directory will do");
                return Ok(None);
            }
            Err(error) => {
                warn!("no guard beside the lock: {error}");
                return Ok(None);
            }
        }
        for socket in paths::daemon_sockets() {
            if server::check_own_socket(&socket).is_ok_and(|is_there| is_there)
                && UnixStream::connect(&socket).await.is_ok()
            {
                return Err(ClaimError::AlreadyRunning(socket));
            }
        }
        if tokio::time::Instant::now() > until {
            return Err(ClaimError::Refused(
                "a daemon of yours lives, but does not serve its socket; is it stopped? `pgrep -u $USER -f 'termi daemon'` \
                 finds it"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn claim_lock(socket: &Path) -> Result<Flock<File>, ClaimError> {
    let path = socket.with_extension("lock");
    let mut file = open_lock(&path)?;
    let until = tokio::time::Instant::now() + CLAIM_TIMEOUT;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((_, errno)) => return Err(ClaimError::Refused(format!("{}: {errno}", path.display()))),
        };
        if server::check_own_socket(socket).map_err(ClaimError::Refused)? && UnixStream::connect(socket).await.is_ok() {
            return Err(ClaimError::AlreadyRunning(socket.to_owned()));
        }
        if tokio::time::Instant::now() > until {
            return Err(ClaimError::Refused(format!(
                "another process holds {} and does not serve {}; end it (`fuser {0}` names it) and try again",
                path.display(),
                socket.display()
            )));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn open_lock(path: &Path) -> Result<File, ClaimError> {
    let failed = |error: io::Error| ClaimError::Refused(format!("{}: {error}", path.display()));
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits());
    let file = match options.open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(ClaimError::Refused(format!("{} is a link; remove it and try again", path.display())));
        }
        opened => opened.map_err(failed)?,
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() || meta.uid() != Uid::effective().as_raw() {
        let why = format!("{} is not a file of this user's own; remove it and try again", path.display());
        return Err(ClaimError::Refused(why));
    }
    Ok(file)
}
