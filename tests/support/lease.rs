//! A program whose start takes as long as a test wants: whoever executes its file waits for a lease on it, as for a
//! disk that does not answer.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Holds a file, for less than the kernel's /proc/sys/fs/lease-break-time (45 s). Dropped, it lets the file go.
pub struct Lease {
    path: PathBuf,
    holder: Child,
}

impl Lease {
    /// Takes the lease on a file that nobody has open.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        // SIGIO would say that somebody waits.
        const HOLD: &str = "import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", HOLD]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n", "of {}", path.display());
        Self { path: path.to_owned(), holder }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
