//! Where Termi keeps things, and that nobody else can read them.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made or looked at.
    #[error("{path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is not the user's own.
    #[error("{path} {why}; remove it or set {variable} to another folder")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// The variable that decides where it is.
        variable: &'static str,
    },
}

/// This process's directory. Of one that is gone it is what the kernel says, "/its/path (deleted)", which cannot be entered:
/// what is to run there is refused, and does not run elsewhere in silence.
///
/// # Errors
/// When it cannot be told at all.
pub fn current_directory() -> io::Result<PathBuf> {
    env::current_dir().or_else(|_| fs::read_link("/proc/self/cwd"))
}

/// `$XDG_STATE_HOME/termi`, else `~/.local/state/termi`: logs and history. Made if missing, mode 0700.
///
/// # Errors
/// When it cannot be made, or is not the user's own.
pub fn state() -> Result<PathBuf, FolderError> {
    private_folder(state_path(), "XDG_STATE_HOME")
}

/// Where [`state`] is, whether it is there or not.
#[must_use]
pub fn state_path() -> PathBuf {
    absolute("XDG_STATE_HOME").unwrap_or_else(|| home().join(".local/state")).join("termi")
}

/// Makes the state folder or one below it, if it is missing, with mode 0700.
///
/// # Errors
/// As for [`state`].
pub fn make_folder(path: &Path) -> io::Result<()> {
    private_folder(path.to_owned(), "XDG_STATE_HOME").map(|_| ()).map_err(|error| match error {
        FolderError::Io { source, path } => io::Error::new(source.kind(), format!("{}: {source}", path.display())),
        other => io::Error::other(other.to_string()),
    })
}

/// `$XDG_RUNTIME_DIR/termi`, else a folder of the user's own below the temporary one: sockets. Mode 0700.
///
/// # Errors
/// As for [`state`].
pub fn runtime() -> Result<PathBuf, FolderError> {
    let folder = absolute("XDG_RUNTIME_DIR")
        .filter(|base| base.is_dir())
        .map_or_else(|| env::temp_dir().join(format!("termi-{}", Uid::current())), |base| base.join("termi"));
    private_folder(folder, "XDG_RUNTIME_DIR")
}

/// The daemon's socket. The folder is made if missing.
///
/// # Errors
/// As for [`state`].
pub fn daemon_socket() -> Result<PathBuf, FolderError> {
    Ok(runtime()?.join("daemon.sock"))
}

/// The record of what the daemon ran, which a restore reads.
#[must_use]
pub fn session_record() -> PathBuf {
    state_path().join("sessions.json")
}

/// The names under which session records are kept that could not be read, in the order in which they are taken:
/// `sessions.json.bad`, `sessions.json.bad.2` to `.bad.10`.
pub fn unreadable_records(record: &Path) -> impl Iterator<Item = PathBuf> {
    let base = record.with_extension("json.bad");
    (1..=10).map(move |number| match number {
        1 => base.clone(),
        number => base.with_extension(format!("bad.{number}")),
    })
}

fn home() -> PathBuf {
    absolute("HOME").unwrap_or_else(|| "/".into())
}

/// Relative paths in these variables are to be ignored (XDG Base Directory Specification).
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn private_folder(path: PathBuf, variable: &'static str) -> Result<PathBuf, FolderError> {
    let io = |source| FolderError::Io { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    // Not followed: a link planted there would lead elsewhere.
    let meta = fs::symlink_metadata(&path).map_err(io)?;
    let refuse = |why| Err(FolderError::NotOurs { path: path.clone(), why, variable });
    if !meta.is_dir() {
        return refuse("is not a folder");
    }
    if meta.uid() != Uid::effective().as_raw() {
        return refuse("belongs to another user");
    }
    if meta.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(io)?;
    }
    Ok(path)
}

/// Makes a file only its owner can read, if it is there.
pub fn make_private(path: &Path) {
    if let Ok(meta) = fs::metadata(path)
        && meta.permissions().mode() & 0o077 != 0
    {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_mended_if_it_was_not() {
        let base = tempfile::tempdir().unwrap();
        let path = private_folder(base.path().join("a/termi"), "X").unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        private_folder(path.clone(), "X").unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[test]
    fn a_planted_link_or_file_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let link = base.path().join("link");
        std::os::unix::fs::symlink("/tmp", &link).unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [link, file] {
            let error = private_folder(path, "XDG_RUNTIME_DIR").unwrap_err().to_string();
            assert!(error.contains("is not a folder") && error.contains("XDG_RUNTIME_DIR"), "{error}");
        }
    }
}
