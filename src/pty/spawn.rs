//! Opening a PTY and starting a program on it.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    unistd::{Pid, SysconfVar, pipe2, sysconf},
};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tokio::net::unix::pipe;

use super::{Master, ShimLink, SpawnError};
use crate::{
    process::{self, non_blocking, own_executable},
    protocol::Size,
    shim::{Address, KernelLimits, Plan, Report, SUBCOMMAND, StartError, Step, check_program},
};

/// A shim that has not said a word for so long never will: a start takes about two milliseconds.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What to start.
#[derive(Clone)]
pub struct Spawn {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// The folder to start in.
    pub cwd: PathBuf,
    /// The terminal's size.
    pub size: Size,
    /// What `ps` shows beside the shim.
    pub process_name: String,
    /// The umask programs get.
    pub umask: u32,
    /// The nice value programs get; none for the host's own.
    pub nice: Option<i32>,
    /// The soft limit of open files programs get.
    pub open_files: u64,
    /// What the kernel holds each of its processes to.
    pub limits: KernelLimits,
    /// The terminal passes bytes as they are, both ways.
    pub raw: bool,
    /// The control group to start in; empty for the host's own.
    pub cgroup: PathBuf,
}

/// A running program.
#[derive(Debug)]
pub struct Spawned {
    /// Its terminal.
    pub master: Master,
    /// Its shim.
    pub link: ShimLink,
    /// Its process id.
    pub pid: i32,
    /// The kernel's error number, when it could not be put into its control group.
    pub cgroup_errno: Option<i32>,
    /// The shim's process id: everything the program starts is below it.
    pub shim_pid: i32,
}

/// Opens a PTY and starts a program on it.
///
/// # Errors
/// Says which step failed; nothing is left open or running then.
pub async fn spawn(spawn: Spawn) -> Result<Spawned, SpawnError> {
    if too_long(&spawn) {
        let path = spawn.argv.first().map(|program| program.as_encoded_bytes().to_vec()).unwrap_or_default();
        return Err(SpawnError::Program(StartError { step: Step::Exec, errno: libc::E2BIG, path }));
    }
    let (their_orders, orders) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| resources("making a pipe", errno.into()))?;
    let (reports, their_reports) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| resources("making a pipe", errno.into()))?;
    let address = Address {
        process_name: spawn.process_name.clone(),
        host: std::process::id(),
        orders_fd: their_orders.as_raw_fd(),
        reports_fd: their_reports.as_raw_fd(),
    };
    let plan = Plan {
        umask: spawn.umask,
        nice: spawn.nice,
        open_files: spawn.open_files,
        limits: spawn.limits,
        raw: spawn.raw,
        cgroup: spawn.cgroup.clone(),
        cwd: spawn.cwd.clone(),
        argv: spawn.argv.clone(),
    };
    // Forking copies page tables: a matter of milliseconds, off the tasks that serve other runs.
    let (master, shim_pid) = tokio::task::spawn_blocking(move || start_shim(&spawn, &address))
        .await
        .map_err(|error| SpawnError::Pty { what: "starting a program", reason: error.to_string() })??;
    let master = Master::new(master).map_err(|error| resources("watching the PTY", error))?;
    let orders = non_blocking(orders)
        .and_then(pipe::Sender::from_owned_fd)
        .map_err(|error| resources("watching a pipe", error))?;
    let reports = non_blocking(reports)
        .and_then(pipe::Receiver::from_owned_fd)
        .map_err(|error| resources("watching a pipe", error))?;
    let mut link = ShimLink::new(orders, reports);
    let theirs = (their_orders, their_reports);
    // What a shim that ends early has not read stays in the pipe; the host's own end of it keeps that from failing.
    let first = async {
        link.plan(&plan).await.ok()?;
        link.report().await
    };
    let first = tokio::select! {
        report = first => report,
        () = until_gone(shim_pid) => {
            // What it has said is still to be read (a program that ends at once ends its shim too), and then the end.
            drop(theirs);
            link.report().await
        }
        () = tokio::time::sleep(START_TIMEOUT) => {
            give_up(shim_pid, theirs);
            return Err(SpawnError::Slow(START_TIMEOUT));
        }
    };
    match first {
        Some(Report::Started { pid, cgroup_errno }) => Ok(Spawned { master, link, pid, cgroup_errno, shim_pid }),
        Some(Report::StartFailed(error)) => Err(SpawnError::Program(error)),
        _ => Err(SpawnError::Shim),
    }
}

/// Ends a start. One that cannot be ended (it waits for a disk that does not answer) may go on much later, and open the
/// pipes that it was told of by their numbers: those stay taken until it is gone, or they could be another run's.
fn give_up(shim: i32, pipes: (OwnedFd, OwnedFd)) {
    process::end_tree(shim);
    tokio::spawn(async move {
        until_gone(shim).await;
        drop(pipes);
    });
}

/// Looks whether a program could be started at all: its directory and its file are there. It may wait for a disk.
///
/// # Errors
/// As [`spawn`].
pub fn check_start(spawn: &Spawn) -> Result<(), SpawnError> {
    let path = spawn.env.iter().rev().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_os_str());
    check_program(&spawn.cwd, spawn.argv.first(), path).map_err(SpawnError::Program)
}

/// Waits until a process is no more. Before the shim has opened its pipes, the host holds both ends of them
/// itself and would not see it end.
async fn until_gone(pid: i32) {
    const LOOK: Duration = Duration::from_millis(20);
    while nix::sys::signal::kill(Pid::from_raw(pid), None).is_ok() {
        tokio::time::sleep(LOOK).await;
    }
}

/// The longest argument or variable, its NUL included (`MAX_ARG_STRLEN`, execve(2)).
const LONGEST_STRING: usize = 32 * 4096;

/// What the kernel would refuse for its length, before anything is started.
pub fn too_long(spawn: &Spawn) -> bool {
    let vars = spawn.env.iter().map(|(key, value)| key.len() + value.len() + 2);
    let lengths: Vec<usize> = spawn.argv.iter().map(|arg| arg.len() + 1).chain(vars).collect();
    // Each string has a pointer beside it; the shim's own arguments and its path take a little more.
    let all: usize = lengths.iter().map(|length| length + size_of::<usize>()).sum();
    let most = sysconf(SysconfVar::ARG_MAX).ok().flatten().and_then(|most| usize::try_from(most).ok());
    lengths.iter().any(|&length| length > LONGEST_STRING) || all + 8192 > most.unwrap_or(LONGEST_STRING)
}

fn start_shim(spawn: &Spawn, address: &Address) -> Result<(OwnedFd, i32), SpawnError> {
    let size = PtySize { rows: spawn.size.rows, cols: spawn.size.cols, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).map_err(|error| {
        // portable-pty keeps only the text of the error; the kernel's number is still this thread's last.
        match io::Error::last_os_error() {
            source if source.raw_os_error().is_some_and(|code| code != 0) => resources("opening a PTY", source),
            _ => SpawnError::Pty { what: "opening a PTY", reason: error.to_string() },
        }
    })?;
    let mut command = CommandBuilder::new(own_executable());
    command.arg(SUBCOMMAND);
    command.args(address.to_args());
    command.env_clear();
    for (key, value) in &spawn.env {
        command.env(key, value);
    }
    command.cwd("/");
    // The program becomes the terminal's leader, not the shim.
    command.set_controlling_tty(false);
    let child = pty.slave.spawn_command(command).map_err(|error| match error.downcast::<io::Error>() {
        Ok(source) => resources("starting a process", source),
        Err(error) => SpawnError::Pty { what: "starting a process", reason: error.to_string() },
    })?;
    let shim_pid = child.process_id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(-1);
    let raw = pty
        .master
        .as_raw_fd()
        .ok_or(SpawnError::Pty { what: "opening a PTY", reason: "it has no descriptor".into() })?;
    // SAFETY: the master is open until the end of this function; the copy made of it is ours.
    let master = unsafe { BorrowedFd::borrow_raw(raw) }
        .try_clone_to_owned()
        .map_err(|error| resources("copying a descriptor", error))?;
    Ok((master, shim_pid))
}

fn resources(what: &'static str, source: io::Error) -> SpawnError {
    SpawnError::Resources { what, source }
}
