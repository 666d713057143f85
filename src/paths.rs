//! Paths of Termi's files and sockets, and checks that nobody else can read them.

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
    #[error("{path} {why}; remove it or set {variable} to another directory")]
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

/// `$XDG_CONFIG_HOME/termi/agents.toml`, else in `~/.config/termi`: a user's rules for coding agents.
#[must_use]
pub fn agent_rules() -> PathBuf {
    absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home().join(".config")).join("termi/agents.toml")
}

/// Makes the runtime directory again that a socket was in.
///
/// # Errors
/// As for [`state`].
pub fn make_runtime(path: &Path) -> Result<(), FolderError> {
    private_folder(path.to_owned(), "XDG_RUNTIME_DIR").map(|_| ())
}

/// Refuses a runtime directory that is there and is not the user's own. Makes none.
///
/// # Errors
/// As for [`state`].
pub fn check_runtime(path: &Path) -> Result<(), FolderError> {
    // Not followed, as above.
    fs::symlink_metadata(path).map_or(Ok(()), |meta| check_own(path, &meta, "XDG_RUNTIME_DIR"))
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

/// The longest path that a socket can have, and the longest name that one has in the runtime directory.
const SOCKET_PATH_MAX: usize = 107;
const SOCKET_NAME_MAX: usize = "/host-4194304.sock".len();

/// The runtime directory of sockets, mode 0700: the first of [`runtime_places`] that can be had.
///
/// # Errors
/// As for [`state`].
pub fn runtime() -> Result<PathBuf, FolderError> {
    let mut refused = None;
    for place in runtime_places() {
        match private_folder(place, "XDG_RUNTIME_DIR") {
            // It is gone, or read-only: the next may do.
            Err(error @ FolderError::Io { .. }) => _ = refused.get_or_insert(error),
            other => return other,
        }
    }
    let none = || FolderError::Io { path: "/tmp".into(), source: io::ErrorKind::NotFound.into() };
    Err(refused.unwrap_or_else(none))
}

/// Where sockets may be, the best place first: `$XDG_RUNTIME_DIR/termi`, else a directory of the user's own below the
/// temporary one. Who has no such variable, as under su and cron, or another user's, means the one of logind.
#[must_use]
pub fn runtime_places() -> Vec<PathBuf> {
    places(absolute("XDG_RUNTIME_DIR").as_deref(), Path::new("/run/user"), &env::temp_dir())
}

/// What tells the places of this environment from others of the same user: empty for the ones that logind's directory
/// is the first of.
#[must_use]
pub fn runtime_key() -> String {
    chosen(absolute("XDG_RUNTIME_DIR").as_deref(), Path::new("/run/user")).map(key_of).unwrap_or_default()
}

fn places(named: Option<&Path>, logind: &Path, temporary: &Path) -> Vec<PathBuf> {
    let user = Uid::effective();
    let chosen = chosen(named, logind);
    let base = chosen.map_or_else(|| logind.join(user.to_string()), Path::to_owned);
    let below = match chosen.map(key_of) {
        Some(key) => format!("termi-{user}-{key}"),
        None => format!("termi-{user}"),
    };
    let mut places = vec![base.join("termi")];
    places.retain(|place| place.as_os_str().len() + SOCKET_NAME_MAX <= SOCKET_PATH_MAX && owner(&base) == Some(user));
    // Not the temporary directory of this environment first: it may be another at the next login, or in cron.
    for folder in [Path::new("/tmp"), temporary].map(|folder| folder.join(&below)) {
        if !places.contains(&folder) {
            places.push(folder);
        }
    }
    places
}

/// The directory in the variable, if it is one that somebody chose, and not logind's or another user's.
fn chosen<'a>(named: Option<&'a Path>, logind: &Path) -> Option<&'a Path> {
    named.filter(|base| !base.starts_with(logind) && owner(base).is_none_or(|owner| owner == Uid::effective()))
}

fn owner(folder: &Path) -> Option<Uid> {
    fs::metadata(folder).ok().filter(fs::Metadata::is_dir).map(|meta| Uid::from_raw(meta.uid()))
}

/// A short name for a directory, the same in every version: FNV-1a.
fn key_of(folder: &Path) -> String {
    let bytes = folder.as_os_str().as_encoded_bytes();
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Where a daemon of this environment makes its socket. The directory is made if missing.
///
/// # Errors
/// As for [`state`].
pub fn daemon_socket() -> Result<PathBuf, FolderError> {
    Ok(runtime()?.join(DAEMON_SOCKET))
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

/// Where a daemon that runs may have its socket, the best place first.
#[must_use]
pub fn daemon_sockets() -> Vec<PathBuf> {
    runtime_places().into_iter().map(|place| place.join(DAEMON_SOCKET)).collect()
}

/// The name of the daemon's socket.
pub const DAEMON_SOCKET: &str = "daemon.sock";

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
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    // Not followed: a link planted there would lead elsewhere.
    let meta = fs::symlink_metadata(&path).map_err(io)?;
    check_own(&path, &meta, variable)?;
    if meta.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(io)?;
    }
    Ok(path)
}

fn check_own(path: &Path, meta: &fs::Metadata, variable: &'static str) -> Result<(), FolderError> {
    let refuse = |why| Err(FolderError::NotOurs { path: path.to_owned(), why, variable });
    if !meta.is_dir() {
        return refuse("is not a directory");
    }
    if meta.uid() != Uid::effective().as_raw() {
        return refuse("belongs to another user");
    }
    Ok(())
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
    fn sockets_have_short_paths_and_the_same_place_under_su_and_cron() {
        let base = tempfile::tempdir().unwrap();
        let (logind, temporary) = (base.path().join("user"), base.path().join("tmp"));
        let own = logind.join(Uid::effective().to_string());
        let places = |named: Option<&Path>| places(named, &logind, &temporary);
        let user = Uid::effective();
        let below = |key: &str| [Path::new("/tmp"), &temporary].map(|folder| folder.join(format!("termi-{user}{key}")));
        assert_eq!(places(None), below(""), "there is no logind");
        fs::create_dir_all(&own).unwrap();
        let login = [vec![own.join("termi")], below("").to_vec()].concat();
        for named in [None, Some(own.as_path()), Some(logind.join("4711").as_path())] {
            assert_eq!(places(named), login, "{named:?}: a login, cron, and su that keeps another's");
        }
        // One that somebody chose is a place of its own, with one to go to beside it that is its own too.
        let chosen = base.path().join("chosen");
        let key = format!("-{}", key_of(&chosen));
        assert_eq!(places(Some(&chosen)), below(&key), "it is gone");
        fs::create_dir(&chosen).unwrap();
        assert_eq!(places(Some(&chosen)), [vec![chosen.join("termi")], below(&key).to_vec()].concat());
        let long = base.path().join("x".repeat(100));
        fs::create_dir(&long).unwrap();
        assert_eq!(places(Some(&long)), below(&format!("-{}", key_of(&long))));
        assert_eq!(key_of(Path::new("foobar")), "85944171f73967e8", "a known answer of FNV-1a");
        assert!(below("-0123456789abcdef")[0].as_os_str().len() + SOCKET_NAME_MAX <= SOCKET_PATH_MAX);
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
            assert!(error.contains("is not a directory") && error.contains("XDG_RUNTIME_DIR"), "{error}");
        }
    }
}
