//! The shim: the small process between the host and one run's program.
//!
//! It starts the program, stays its ancestor, and ends everything below it when told to, or when the
//! host is gone, however the host went. As the tree's *subreaper* (prctl(2)) it also inherits whatever
//! daemonizes: nothing can leave the tree, so nothing has to be guessed, and no process that is not below
//! the shim is ever signalled. Where the system refuses a subreaper, what has left the tree is found by the mark in its
//! environment when the whole tree is to end.
//!
//! ```text
//! host ── Order ──▶ shim ── fork, exec ──▶ program ─▶ … ─▶ anything it starts
//!      ◀─ Report ──
//! ```
//!
//! The host starts it on the PTY through portable-pty, which closes every other descriptor; so the shim
//! opens its two pipes through the host's `/proc` entry. The program's environment is the shim's own.

mod start;
mod termination;
mod wire;

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        stat::Mode,
    },
    unistd::{Pid, dup2},
};

pub use start::check as check_program;
use termination::{Scope, Termination};
pub use wire::{Address, KernelLimits, Order, Plan, Report, StartError, Step};

/// The hidden subcommand that the host starts.
pub const SUBCOMMAND: &str = "shim";

/// How long a tree has when the host is gone: the whole must be over within three seconds.
const ORPHAN_GRACE: Duration = Duration::from_millis(1000);

/// How long what shares the program's terminal has once the program itself has exited.
const LEFTOVER_GRACE: Duration = Duration::from_millis(1000);

/// Runs the shim: the arguments are an [`Address`], the [`Plan`] comes over the pipe.
///
/// It ends when nothing is left below it.
pub fn main(args: Vec<OsString>) -> ExitCode {
    // Without its pipes it has nobody to tell; the exit code is all there is.
    Address::from_args(args).and_then(|address| Shim::start(&address)).map_or(ExitCode::FAILURE, Shim::run)
}

/// How the program has ended.
struct ProgramEnd {
    code: Option<i32>,
    signal: Option<i32>,
    cpu_ms: u64,
    lasted_ms: u64,
}

struct Shim {
    orders: OwnedFd,
    /// None once the host is gone.
    reports: Option<File>,
    signals: SignalFd,
    unread: Vec<u8>,
    program: Pid,
    /// Its control group; empty where it has none.
    cgroup: PathBuf,
    /// When its start began.
    begun: Instant,
    exited: bool,
    termination: Option<Termination>,
    /// It is about all below.
    is_whole_tree: bool,
    /// The run's id, where the system refuses a subreaper: processes may leave the tree.
    marked: Option<Vec<u8>>,
    /// Processes below that were reaped.
    reaped: usize,
    /// The program's end, until it is reported.
    unreported: Option<ProgramEnd>,
    /// How many processes the host knows to live on after the program's end.
    told_left: Option<usize>,
    /// A kill was ordered and wants its answer.
    answer_due: bool,
    host_gone: bool,
}

impl Shim {
    fn start(address: &Address) -> Option<Self> {
        let pipe = |fd: i32, flag: OFlag| {
            let path = format!("/proc/{}/fd/{fd}", address.host);
            let fd = open(path.as_str(), flag | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
            // SAFETY: open just returned this descriptor; nobody else has it.
            Some(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) })
        };
        let mut orders = File::from(pipe(address.orders_fd, OFlag::O_RDONLY)?);
        let mut reports = File::from(pipe(address.reports_fd, OFlag::O_WRONLY)?);
        let _ = prctl::set_name(c"termi-shim");
        // Emulation and old kernels refuse it; the host says so.
        let marked = prctl::set_child_subreaper(true).is_err().then(|| own_run_id(&address.process_name)).flatten();
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
            mask.add(signal);
        }
        mask.thread_block().ok()?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).ok()?;
        let plan = Plan::read(&mut orders)?;
        let begun = Instant::now();
        match start::program(&plan) {
            Ok(start::Started { pid: program, cgroup_errno }) => {
                release_terminal();
                report(&mut reports, &Report::Started { pid: program.as_raw(), cgroup_errno }).ok()?;
                Some(Self {
                    orders: orders.into(),
                    reports: Some(reports),
                    signals,
                    unread: Vec::new(),
                    program,
                    cgroup: if cgroup_errno.is_some() { PathBuf::new() } else { plan.cgroup.clone() },
                    begun,
                    exited: false,
                    termination: None,
                    is_whole_tree: false,
                    marked,
                    reaped: 0,
                    unreported: None,
                    told_left: None,
                    answer_due: false,
                    host_gone: false,
                })
            }
            Err(error) => {
                let _ = report(&mut reports, &Report::StartFailed(error));
                None
            }
        }
    }

    fn run(mut self) -> ExitCode {
        loop {
            let alone = self.reap();
            self.report_end(alone);
            if alone {
                self.end_escaped();
                self.settle(0);
                return ExitCode::SUCCESS;
            }
            if let Some(termination) = &mut self.termination
                && termination.step()
            {
                let left = termination.left();
                self.termination = None;
                if left > 0 && self.is_whole_tree {
                    self.kill_cgroup();
                }
                self.end_escaped();
                self.settle(left);
                if self.host_gone {
                    return ExitCode::SUCCESS;
                }
            }
            self.wait();
        }
    }

    /// Sleeps until there is an order, a signal, or the next step of a termination is due.
    fn wait(&mut self) {
        let timeout = match &self.termination {
            None => PollTimeout::NONE,
            Some(termination) => {
                let left = termination.next_step().saturating_duration_since(Instant::now());
                // A step a millisecond late is fine, one too early would spin.
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if !self.host_gone {
            fds.push(PollFd::new(self.orders.as_fd(), PollFlags::POLLIN));
        }
        let _ = poll(&mut fds, timeout);
        let has_orders = fds.get(1).and_then(|fd| fd.revents()).is_some_and(|events| !events.is_empty());
        drop(fds);
        while let Ok(Some(signal)) = self.signals.read_signal() {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                // Whoever ends the shim by hand means the run.
                self.end(Scope::Tree, None, ORPHAN_GRACE);
            }
        }
        if has_orders {
            self.read_orders();
        }
    }

    fn read_orders(&mut self) {
        let mut buffer = [0; 4096];
        match nix::unistd::read(std::os::fd::AsRawFd::as_raw_fd(&self.orders), &mut buffer) {
            Ok(0) => {
                self.host_gone = true;
                self.reports = None;
                self.end(Scope::Tree, None, ORPHAN_GRACE);
            }
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                while let Some(at) = self.unread.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = self.unread.drain(..=at).collect();
                    if let Ok(Order::Kill { signal, grace_ms }) = serde_json::from_slice(&line) {
                        self.answer_due = true;
                        self.reaped = 0;
                        self.end(Scope::Tree, signal, Duration::from_millis(grace_ms));
                    }
                }
            }
            Err(_) => {}
        }
    }

    /// Ends at once what no signal has ended one by one, as it forked faster than it was found.
    fn kill_cgroup(&self) {
        if !self.cgroup.as_os_str().is_empty() {
            let kill = OpenOptions::new().write(true).open(self.cgroup.join("cgroup.kill"));
            let _ = kill.and_then(|mut kill| kill.write_all(b"1"));
        }
    }

    /// Ends what has left the tree, once the whole tree is to end.
    fn end_escaped(&mut self) {
        if let Some(run_id) = self.marked.as_ref().filter(|_| self.is_whole_tree) {
            self.reaped += crate::process::end_escaped(run_id);
        }
    }

    fn end(&mut self, scope: Scope, signal: Option<i32>, grace: Duration) {
        let group = (!self.exited).then_some(self.program);
        self.is_whole_tree = scope == Scope::Tree;
        self.termination = Some(Termination::begin(scope, group, signal, grace));
    }

    /// Reaps whatever has exited; true when nothing is left below.
    fn reap(&mut self) -> bool {
        loop {
            // libc's own call: nix has no names for real-time signals, and drops a status with one.
            let mut status = 0;
            // SAFETY: a struct of numbers, for which zero is a value.
            let mut used: libc::rusage = unsafe { std::mem::zeroed() };
            // SAFETY: both outlive the call.
            let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut used) };
            match pid {
                0 => return false,
                -1 => return Errno::last() == Errno::ECHILD,
                _ if libc::WIFEXITED(status) => self.gone(pid, Some(libc::WEXITSTATUS(status)), None, &used),
                _ if libc::WIFSIGNALED(status) => self.gone(pid, None, Some(libc::WTERMSIG(status)), &used),
                _ => {}
            }
        }
    }

    fn gone(&mut self, pid: i32, code: Option<i32>, signal: Option<i32>, used: &libc::rusage) {
        self.reaped += 1;
        if pid == self.program.as_raw() && !self.exited {
            self.exited = true;
            let cpu_ms = millis(used.ru_utime) + millis(used.ru_stime);
            let lasted_ms = crate::units::millis(self.begun.elapsed());
            self.unreported = Some(ProgramEnd { code, signal, cpu_ms, lasted_ms });
            if self.termination.is_none() {
                self.end(Scope::Session(pid), None, LEFTOVER_GRACE);
            }
        }
    }

    /// Reports the program's end, and from then on how many of its processes live on.
    fn report_end(&mut self, alone: bool) {
        if let Some(ProgramEnd { code, signal, cpu_ms, lasted_ms }) = self.unreported.take() {
            self.tell(&Report::Exited { code, signal, cpu_ms, lasted_ms, alone });
        } else if self.told_left.is_some() && !alone && self.termination.is_none() {
            let left = crate::process::tree(Pid::this().as_raw()).len();
            if self.told_left != Some(left) {
                self.told_left = Some(left);
                self.tell(&Report::Settled { left });
            }
        }
    }

    /// The termination is over: `left` processes could not be ended, or were not to be.
    fn settle(&mut self, left: usize) {
        if self.answer_due {
            self.answer_due = false;
            let ended = self.reaped;
            self.told_left = self.exited.then_some(left);
            self.tell(&Report::Killed { processes: ended, left });
        } else if self.exited {
            self.told_left = Some(left);
            self.tell(&Report::Settled { left });
        }
    }

    fn tell(&mut self, what: &Report) {
        if let Some(reports) = &mut self.reports
            && report(reports, what).is_err()
        {
            self.reports = None;
        }
    }
}

/// The run's id from the environment, which a client may set as it likes: it must be the one that the host named the
/// shim after.
fn own_run_id(process_name: &str) -> Option<Vec<u8>> {
    let (_, short) = process_name.rsplit_once(':').filter(|(_, short)| short.len() >= 8)?;
    std::env::var_os("TERMI_RUN").map(OsString::into_vec).filter(|run_id| run_id.starts_with(short.as_bytes()))
}

fn millis(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec * 1000 + time.tv_usec / 1000).unwrap_or(0)
}

fn report(to: &mut File, what: &Report) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Lets go of the PTY: as long as anyone holds it, its reader sees no end.
fn release_terminal() {
    if let Ok(null) = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        for fd in 0..=2 {
            let _ = dup2(null, fd);
        }
        let _ = nix::unistd::close(null);
    }
}

/// Reads one record of the start's error pipe.
fn read_all(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = file.read_to_end(&mut bytes);
    bytes
}
