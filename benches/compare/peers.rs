//! What Termi is measured against outside Neovim: a PTY that is read and thrown away, and tmux.

use std::{
    fs::File,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo, read, setsid},
};

use crate::home::Home;

/// How long a peer may take before it is ended.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a command on a PTY of that size and throws away what it prints: the time from its start to its end.
pub fn bare_pty(command: &[&str], (rows, columns): (u16, u16)) -> Duration {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let again = || Stdio::from(pty.slave.try_clone().unwrap());
    let begun = Instant::now();
    let child =
        Command::new(command[0]).args(&command[1..]).stdin(again()).stdout(again()).stderr(again()).spawn().unwrap();
    drop(pty.slave);
    end(child, &pty.master, &format!("{command:?} on a bare PTY"));
    begun.elapsed()
}

/// Waits for a program's end, throwing away what it prints until then.
pub fn end(mut child: Child, master: &OwnedFd, what: &str) {
    let bound = Bound::new(what, &child);
    read_out(master);
    assert!(child.wait().unwrap().success(), "{what} did not end well");
    bound.lift();
}

/// Starts a program with a PTY of that size as its controlling terminal, and nothing around it; gives the PTY's master.
pub fn on_pty(command: &mut Command, (rows, columns): (u16, u16)) -> (Child, OwnedFd) {
    use std::os::fd::AsRawFd;
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    // No program may hold another's terminal open.
    fcntl(pty.master.as_raw_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    let own_terminal = || {
        setsid()?;
        // SAFETY: an ioctl with a number, on the standard input that was just made the PTY's slave.
        nix::errno::Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
        Ok(())
    };
    // SAFETY: both are bare system calls, which may be made between fork and exec.
    unsafe { command.pre_exec(own_terminal) };
    let child = command.spawn().unwrap();
    // The command holds on to what it was given: as long as anybody holds the slave, the master sees no end.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (child, pty.master)
}

/// Reads a terminal's master until what was printed on it satisfies; gives all that was.
pub fn read_until(master: &OwnedFd, what: &str, mut is_enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    use std::os::fd::AsRawFd;
    let until = Instant::now() + LIMIT;
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while !is_enough(&all) {
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited {LIMIT:?} in vain: {what}: {}", String::from_utf8_lossy(&all));
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if poll(&mut [PollFd::new(master.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|count| count > 0) {
            let count = read(master.as_raw_fd(), &mut buffer).unwrap_or(0);
            assert!(count > 0, "it ended before: {what}: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&buffer[..count]);
        }
    }
    all
}

fn read_out(master: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let mut buffer = vec![0; 64 << 10];
    // EIO is how Linux says that the last slave is closed.
    while let Ok(1..) = read(master.as_raw_fd(), &mut buffer) {}
}

/// Ends a process that takes too long.
struct Bound(mpsc::Sender<()>);

impl Bound {
    fn new(what: &str, child: &Child) -> Self {
        let (lift, lifted) = mpsc::channel();
        let (what, pid) = (what.to_owned(), child.id().cast_signed());
        thread::spawn(move || {
            if lifted.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("bench: waited {LIMIT:?} in vain: {what} ends");
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        });
        Self(lift)
    }

    fn lift(self) {
        let _ = self.0.send(());
    }
}

/// A tmux server of its own, detached, without anybody's configuration.
pub struct Tmux {
    home: Home,
    size: (u16, u16),
}

impl Tmux {
    pub fn start(size: (u16, u16)) -> Self {
        let tmux = Self { home: Home::new(), size };
        // What keeps the server while sessions come and go, and no longer than this process lives.
        let keeper = format!("tail --pid={} -f /dev/null; tmux kill-server", std::process::id());
        tmux.run(&["new-session", "-d", "-s", "keeper", &keeper]);
        tmux.run(&["set-option", "-g", "status", "off"]);
        tmux
    }

    /// Prints a file in a session: the time from its start until tmux has read it; the last line must be there.
    ///
    /// tmux tells the end of a program before it has read its last lines, and loses them. So the program asks for the
    /// cursor's place when it has printed the file, and says in a FIFO when tmux has come to that question and answered
    /// it. Its end would be no better sign: while tmux takes the pane out of the records of logins it hears of no
    /// child's end, and the hook `pane-died` is then never run.
    pub fn drain(&self, file: &str, last_line: &str) -> Duration {
        let fifo = self.home.path().join("drained");
        let _ = std::fs::remove_file(&fifo);
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        // Open before there is a writer, and without waiting for one.
        let said = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
        let print = format!("stty -icanon -echo; cat '{file}'; printf '\\033[6n'; head -c 1 >/dev/null");
        let line = format!("{print}; echo >'{}'; exec cat", fifo.display());
        let (rows, columns) = (self.size.0.to_string(), self.size.1.to_string());
        let begun = Instant::now();
        self.run(&["new-session", "-d", "-s", "drain", "-x", &columns, "-y", &rows, "sh", "-c", &line]);
        readable(&said, "tmux has read the file");
        let took = begun.elapsed();
        let shown = self.run(&["capture-pane", "-p", "-t", "drain:"]);
        assert!(shown.contains(last_line), "tmux told the end before the last line was there:\n{shown}");
        let size = self.run(&["display-message", "-p", "-t", "drain:", "#{pane_height} #{pane_width}"]);
        assert_eq!(size.trim(), format!("{rows} {columns}"), "the size of tmux's pane");
        self.run(&["kill-session", "-t", "drain"]);
        took
    }

    /// A session `full` whose program has printed a file and stays, with as many lines of history as that.
    pub fn fill(&self, file: &str, lines: usize, last_line: &str) {
        let (rows, columns) = (self.size.0.to_string(), self.size.1.to_string());
        self.run(&["set-option", "-g", "history-limit", &lines.to_string()]);
        let line = format!("cat '{file}'; exec cat");
        self.run(&["new-session", "-d", "-s", "full", "-x", &columns, "-y", &rows, "sh", "-c", &line]);
        crate::support::eventually("tmux has taken in the file", || {
            self.run(&["capture-pane", "-p", "-t", "full:"]).contains(last_line)
        });
    }

    /// The command that attaches to it, for a terminal.
    pub fn attach(&self) -> Command {
        // Nothing around it that would be measured too.
        let mut tmux = self.home.command("tmux");
        tmux.env("TMUX_TMPDIR", self.home.path()).env("TERM", "xterm-256color");
        tmux.args(["-L", "termi-bench", "-f", "/dev/null", "attach-session", "-t", "full"]);
        tmux
    }

    /// Detaches whoever is attached to it.
    pub fn detach(&self) {
        self.run(&["detach-client", "-s", "full"]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Its client could wait for ever for a server that hangs.
        let mut tmux = self.home.command("timeout");
        tmux.args(["--foreground", &LIMIT.as_secs().to_string(), "tmux"]);
        // A folder of its own for the socket.
        tmux.env("TMUX_TMPDIR", self.home.path());
        tmux.args(["-L", "termi-bench", "-f", "/dev/null"]).args(arguments);
        tmux
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}

/// Waits until there is something to read.
fn readable(file: &File, what: &str) {
    let timeout = PollTimeout::try_from(LIMIT).unwrap();
    let count = poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout).unwrap();
    assert!(count > 0, "waited {LIMIT:?} in vain: {what}");
}
