//! Puts another binary in the daemon's place, with every session: `exec`, descriptors and all.
//!
//! ```text
//! freeze every run ─▶ write the state ─▶ the new binary reads it all (`--check-state`) ─▶ exec
//!                                          └ if it cannot: everything goes on as it was
//! ```
//!
//! The process stays, and so do its children, the programs' terminals and the socket, where whoever connects
//! meanwhile waits. What programs print until the new binary reads stays in the kernel's buffers; no program notices.

use std::{
    convert::Infallible,
    ffi::{CString, OsString},
    fs::File,
    io::{self, Read, Seek, Write},
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{
        memfd::{MemFdCreateFlag, memfd_create},
        signal::{Signal, kill},
    },
    unistd::{Pid, execv},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use super::{Options, Serving, SocketLock, connect, connect::with_running, saved_sessions::Flusher};
use crate::{
    client::{Client, ClientError, whereabouts},
    process::{Proc, handed_down, own_executable},
    protocol::{Code, CrossSession, Error, Replace, ReplaceParams},
    rpc::Drain,
    server::Inherited,
    session::{State, Supervisor},
};

/// What stands before the sessions' state.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    generation: u32,
    socket: OsString,
    listener: i32,
    lock: i32,
    umask: u32,
    open_files: u64,
    cross_session: CrossSession,
    /// The first generation since which every call that was carried out was answered. A binary from before that was
    /// counted has not waited for them.
    #[serde(default = "never")]
    answered_since: u32,
}

fn never() -> u32 {
    u32::MAX
}

/// What the last binary has left.
pub(super) struct Handed {
    pub socket_lock: SocketLock,
    pub generation: u32,
    pub answered_since: u32,
    pub inherited: Inherited,
    pub policy: CrossSession,
    pub state: State,
}

/// How long clients that do not answer events have to take note that they are to wait with what is typed,
const NOTICE_MIN: Duration = Duration::from_millis(50);

/// and how long the others have: one that is stopped holds a replacement up no longer, and those that come meanwhile are
/// waited for as long only where there is no such one.
const NOTICE_MAX: Duration = Duration::from_secs(1);

/// How long a call that changes something may hold the replacement up, and others of its kind with it: one that ends a
/// run has its grace.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a binary may take to read a state: a hundred full sessions are a matter of a second.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// As much of why not as is passed on.
const MAX_STDERR_BYTES: u64 = 2000;

/// What a binary says that can go on with a state.
const READABLE: &[u8] = b"the state can be read\n";

/// The head, how long it is, and the state.
fn put_down(head: &Head, state: &State) -> anyhow::Result<File> {
    let head = rmp_serde::to_vec_named(head)?;
    let mut file = File::from(memfd_create(c"termi-state", MemFdCreateFlag::MFD_CLOEXEC)?);
    file.write_all(&u32::try_from(head.len())?.to_be_bytes())?;
    file.write_all(&head)?;
    file.write_all(&state.write()?)?;
    file.rewind()?;
    Ok(file)
}

fn read(mut from: impl Read) -> anyhow::Result<(Head, State)> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let (length, rest) = bytes.split_first_chunk().context("the state is empty")?;
    let length = usize::try_from(u32::from_be_bytes(*length))?;
    let (head, state) = rest.split_at_checked(length).context("the state is cut short")?;
    Ok((rmp_serde::from_slice(head).context("the state's head cannot be read")?, State::read(state)?))
}

/// `--check-state`: whether the state on standard input can be gone on with.
///
/// # Errors
/// Says why not.
pub fn check_state() -> anyhow::Result<()> {
    read(io::stdin().lock())?;
    io::stdout().write_all(READABLE).context("standard output")
}

/// Takes up what the last binary has left at a descriptor.
pub(super) fn take_over(fd: i32) -> anyhow::Result<Handed> {
    let (head, state) = read(File::from(handed_down(fd)))?;
    for fd in state.descriptors().chain([head.listener, head.lock]) {
        stays_open(fd, false)?;
    }
    Ok(Handed {
        socket_lock: SocketLock::take_over(head.socket.into(), handed_down(head.listener), handed_down(head.lock))?,
        generation: head.generation,
        answered_since: head.answered_since.min(head.generation),
        inherited: Inherited { umask: head.umask, open_files: head.open_files },
        policy: head.cross_session,
        state,
    })
}

/// Whether a descriptor is still there after an exec.
fn stays_open(fd: i32, stays: bool) -> nix::Result<()> {
    let flags = if stays { FdFlag::empty() } else { FdFlag::FD_CLOEXEC };
    fcntl(fd, FcntlArg::F_SETFD(flags)).map(drop)
}

/// All that a replacement needs of the daemon: it is done beside whatever else that does.
pub(super) struct Replacer {
    supervisor: Supervisor,
    /// Held while sessions are being restored.
    restoring: Arc<Mutex<()>>,
    record: Flusher,
    /// True once every run stands still. Who connects from then on is left to whoever serves afterwards.
    frozen: watch::Sender<bool>,
    drain: Drain,
    head: Head,
    options: Options,
}

impl Serving {
    pub(super) fn replacer(&self) -> Replacer {
        let (listener, lock) = self.socket_lock.descriptors();
        Replacer {
            supervisor: self.host.supervisor.clone(),
            restoring: self.restorer.busy.clone(),
            record: self.keeper.flusher(),
            frozen: self.frozen.clone(),
            drain: self.host.drain.clone(),
            head: Head {
                generation: self.generation + 1,
                socket: self.socket_lock.path().to_owned().into_os_string(),
                listener,
                lock,
                umask: self.inherited.umask,
                open_files: self.inherited.open_files,
                cross_session: CrossSession::default(),
                answered_since: self.host.daemon.as_ref().map_or(u32::MAX, |daemon| daemon.answered_since),
            },
            options: self.options.clone(),
        }
    }
}

impl Replacer {
    /// Puts another binary in this one's place. Returns only when that could not be done; everything goes on then, and
    /// so it does when this is dropped.
    pub(super) async fn replace(self, params: ReplaceParams) -> Error {
        match self.try_replace(Path::new(&params.binary), params.cross_session).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn try_replace(self, binary: &Path, policy: Option<CrossSession>) -> Result<Infallible, Error> {
        let refused = |why: String| Error::new(Code::Unsupported, format!("the daemon stays as it is: {why}"));
        check_binary(binary).map_err(refused)?;
        let Ok(_not_restoring) = self.restoring.try_lock() else {
            return Err(refused("sessions are just being restored; try again when they are".to_owned()));
        };
        // What has been restored by now is not restorable to the next process.
        self.record.flush().await;
        // Who types waits from now on, if it knows how to.
        let hold = self.supervisor.hold_input().await?;
        let _accepting = Accepting(&self.frozen);
        let ((), is_noted) = tokio::join!(tokio::time::sleep(NOTICE_MIN), hold.is_noted(NOTICE_MAX));
        // Calls begin again and runs go on when these are dropped, at the end of every way but the last.
        let (mut closed, mut answered_since) = (None, self.head.answered_since);
        let drained = async {
            closed = Some(self.drain.close());
            if !self.drain.is_drained(DRAIN_TIMEOUT).await {
                warn!("calls are still under way after {DRAIN_TIMEOUT:?}; their clients get no answer");
                answered_since = self.head.generation;
            }
            // Those that came meanwhile.
            if !hold.is_noted(if is_noted { NOTICE_MAX } else { NOTICE_MIN }).await {
                warn!("a client does not take note that it is to wait; what it sends now may be lost");
            }
        };
        let frozen = self.supervisor.freeze(drained).await?;
        let _closed = closed;
        self.frozen.send_replace(true);
        let cross_session = policy.unwrap_or_else(|| self.supervisor.cross_session());
        let head = Head { cross_session, answered_since, ..self.head };
        let file = put_down(&head, &frozen.state).map_err(|error| refused(format!("{error:#}")))?;
        let copy = file.try_clone().map_err(|error| refused(error.to_string()))?;
        ask_binary(binary, copy).await.map_err(refused)?;
        (&file).rewind().map_err(|error| refused(error.to_string()))?;
        info!(binary = %binary.display(), "gives its place to another binary");
        let kept: Vec<i32> = frozen.state.descriptors().chain([head.listener, head.lock, file.as_raw_fd()]).collect();
        let result = exec(binary, file.as_raw_fd(), &self.options, &kept);
        for fd in kept {
            if let Err(errno) = stays_open(fd, false) {
                warn!("descriptor {fd}: {errno}");
            }
        }
        Err(refused(result.to_string()))
    }
}

/// Clients are accepted again when this is dropped.
struct Accepting<'a>(&'a watch::Sender<bool>);

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

fn check_binary(binary: &Path) -> Result<(), String> {
    if !binary.is_absolute() {
        return Err(format!("the binary's path {} must begin with /", binary.display()));
    }
    let meta = binary.metadata().map_err(|error| format!("{}: {error}", binary.display()))?;
    if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
        return Err(format!("{} is not an executable file", binary.display()));
    }
    Ok(())
}

/// A process that reads a state. It is ended when this is dropped: nobody waits for its answer any more.
struct Checker(Option<Proc>);

impl Drop for Checker {
    fn drop(&mut self) {
        if let Some(process) = self.0.take().and_then(|checker| checker.again()) {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
    }
}

/// Has the new binary read the state, while this process can still go on.
async fn ask_binary(binary: &Path, state: File) -> Result<(), String> {
    let failed = |error: io::Error| format!("{} could not be asked: {error}", binary.display());
    let mut command = Command::new(binary);
    command.args(["daemon", "--check-state"]).stdin(state).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(failed)?;
    let mut checker = Checker(Proc::read(child.id().cast_signed()));
    let hearing = tokio::task::spawn_blocking(move || hear(child));
    let Ok(heard) = tokio::time::timeout(CHECK_TIMEOUT, hearing).await else {
        return Err(format!("{} did not say within {CHECK_TIMEOUT:?} whether it can go on", binary.display()));
    };
    checker.0 = None;
    let (answer, said) = heard.map_err(|error| error.to_string())?.map_err(failed)?;
    let said = said.trim().trim_start_matches("termi: ");
    match said {
        _ if answer == READABLE => Ok(()),
        "" => Err(format!("{} cannot go on with its sessions, and does not say why", binary.display())),
        why => Err(format!("{} cannot go on with its sessions: {why}", binary.display())),
    }
}

/// What a child says on its standard output and error. It is reaped by whoever reaps all children.
fn hear(mut child: Child) -> io::Result<(Vec<u8>, String)> {
    let (mut answer, mut said) = (Vec::new(), Vec::new());
    if let Some(stdout) = &mut child.stdout {
        stdout.take(READABLE.len() as u64 + 1).read_to_end(&mut answer)?;
    }
    if let Some(stderr) = child.stderr.as_mut().filter(|_| answer != READABLE) {
        stderr.take(MAX_STDERR_BYTES).read_to_end(&mut said)?;
    }
    Ok((answer, String::from_utf8_lossy(&said).into_owned()))
}

fn exec(binary: &Path, state: i32, options: &Options, kept: &[i32]) -> nix::Error {
    for fd in kept {
        if let Err(errno) = stays_open(*fd, true) {
            return errno;
        }
    }
    let mut args = vec![
        binary.as_os_str().as_bytes().to_vec(),
        b"daemon".to_vec(),
        format!("--resume={state}").into_bytes(),
        format!("--idle-exit={}", options.idle_exit.as_secs()).into_bytes(),
    ];
    if options.keep_text {
        args.push(b"--keep-text".to_vec());
    }
    let args: Result<Vec<CString>, _> = args.into_iter().map(CString::new).collect();
    match args {
        Ok(args) => match execv(&args[0], &args) {
            Err(errno) => errno,
            Ok(never) => match never {},
        },
        Err(_) => nix::Error::EINVAL,
    }
}

/// `termi daemon --replace`: puts this binary in the place of the daemon that runs, with another policy if one is given.
///
/// # Errors
/// When there is none, or it cannot be done; the daemon stays as it is then.
pub fn replace_running(cross_session: Option<CrossSession>) -> anyhow::Result<()> {
    let params = whereabouts("termi daemon --replace");
    with_running(&params, "no daemon is running; `termi daemon` starts one", async |before| {
        let binary = own_executable().to_string_lossy().into_owned();
        let (client, _inbox) = Client::over(before.stream);
        match client.call::<Replace>(ReplaceParams { binary, cross_session }).await {
            Ok(_) | Err(ClientError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        let after = connect(&params, false).await.context("the daemon is gone, its sessions and programs with it")?;
        anyhow::ensure!(
            after.daemon.pid == before.daemon.pid && after.daemon.generation > before.daemon.generation,
            "another daemon is there now, and the sessions of the last one are gone"
        );
        Ok(())
    })
}
