//! Folders of a test's own, and that nothing lives on in them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{eventually, host::Setup, proc};

/// Where the hosts of one test live: `HOME`, `XDG_STATE_HOME` and `XDG_RUNTIME_DIR`.
///
/// Its path is in the environment of every process that its hosts start; when it is dropped, none may be left.
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// New and empty.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let folder = tempfile::Builder::new().prefix("termi-test-").tempdir().unwrap();
        for name in ["home", "state", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        Arc::new(Self { folder })
    }

    /// Prepares a host that lives here.
    #[must_use]
    pub fn host(self: &Arc<Self>) -> Setup {
        Setup::new(Arc::clone(self))
    }

    /// The folder that hosts start in.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        // As the kernel will name it to programs that ask where they are.
        self.folder.path().join("home").canonicalize().unwrap()
    }

    /// Writes a file into it, executable if it is a script.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A named pipe in it.
    pub fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        path
    }

    /// Lets a program go on that reads a line from a named pipe.
    pub fn release(&self, fifo: &Path) {
        use std::os::unix::fs::OpenOptionsExt;
        // Without a reader it cannot be opened; a plain open would wait for one for ever.
        let open = || fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(fifo).ok();
        let mut pipe = super::eventually_some("somebody reads the pipe", open);
        std::io::Write::write_all(&mut pipe, b"go\n").unwrap();
    }

    /// Where logs and history are.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.state_home().join("termi")
    }

    /// Where sockets are.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.runtime_home().join("termi")
    }

    pub(super) fn state_home(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(super) fn runtime_home(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Everything its hosts have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let mut files: Vec<PathBuf> = files_below(&self.state())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "log"))
            .collect();
        files.sort();
        files.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    /// The environment entry that tells its processes from all others.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("XDG_STATE_HOME={}", self.state_home().display())
    }

    /// Every process that was started by its hosts and has its environment still, and the hosts.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        proc::with_environment(&self.marker())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            eventually("every process of the test is gone", || self.processes().is_empty());
        }
        for pid in self.processes() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Every file and folder below a folder, itself not.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_below(&path));
        }
        found.push(path);
    }
    found
}
