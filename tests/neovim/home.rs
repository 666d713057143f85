//! A home of its own for each test: the folders that programs write to, and the processes that came from it.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long something may take before a test fails: much more than a busy machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often something that sends no event is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A folder that is `$HOME` and holds the XDG folders. Whatever has it in its environment belongs to the test.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("termi-test-").tempdir().unwrap();
        let home = Self { folder };
        for name in ["config", "data", "state", "cache", "runtime", "work"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        fs::set_permissions(home.path().join("runtime"), fs::Permissions::from_mode(0o700)).unwrap();
        // Prompts are the same on every machine.
        home.write(".bashrc", "PS1='$ '; unset HISTFILE\n");
        home
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where programs of the test start.
    pub fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// Writes a file below the home and returns its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A command that knows this home and nothing of who runs the tests but `$PATH`.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.env_clear().current_dir(self.work());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).env("SHELL", "/bin/bash").env("LANG", "C.UTF-8").env("USER", "tester");
        for (name, folder) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "runtime"),
        ] {
            command.env(name, self.path().join(folder));
        }
        command
    }

    /// The living processes that came from this home, each with its command line.
    pub fn processes(&self) -> Vec<(Pid, String)> {
        let mark = format!("HOME={}", self.path().display()).into_bytes();
        let is_ours = |folder: &Path| -> io::Result<bool> {
            let environment = fs::read(folder.join("environ"))?;
            Ok(environment.split(|byte| *byte == 0).any(|variable| variable == mark))
        };
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            // One that ends meanwhile is gone, which is well; a zombie has no environment any more.
            if is_ours(&entry.path()).unwrap_or(false) {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((Pid::from_raw(pid), String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()));
            }
        }
        found
    }

    /// Whether a process whose command line is `line` is alive.
    pub fn runs(&self, line: &str) -> bool {
        self.processes().iter().any(|(_, has)| has == line)
    }

    /// The host's process.
    pub fn host(&self) -> Pid {
        let found: Vec<_> = self.processes().into_iter().filter(|(_, line)| line.ends_with("termi host")).collect();
        assert_eq!(found.len(), 1, "one host, not {found:?}");
        found[0].0
    }

    /// Fails when something of this home still lives after `limit`.
    pub fn assert_deserted_within(&self, limit: Duration) {
        let until = Instant::now() + limit;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "processes are left behind after {limit:?}: {left:#?}");
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Home {
    /// A failed test leaves nothing running either.
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// Looks until something is so; fails, saying what was waited for, when it never is.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(LOOK_EVERY);
    }
}
