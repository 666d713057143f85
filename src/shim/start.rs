//! Starts the program that a plan describes, or reports why it cannot.

use std::{
    ffi::{CString, OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
        stat::{Mode, umask},
    },
    unistd::{AccessFlags, ForkResult, Pid, access, chdir, execv, fork, pipe2, setsid},
};

use super::wire::{Plan, StartError, Step};
use crate::process::Proc;

/// Starts the program as leader of a session of its own, with the PTY (descriptors 0 to 2) as its terminal.
pub(super) fn program(plan: &Plan) -> Result<Started, StartError> {
    let failed = |step, errno: Errno| StartError { step, errno: errno as i32, path: Vec::new() };
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(Step::Fork, errno))?;
    // SAFETY: the shim has one thread, so the child may do anything the parent could.
    match unsafe { fork() }.map_err(|errno| failed(Step::Fork, errno))? {
        ForkResult::Child => {
            drop(read);
            let mut write = File::from(write);
            let error = become_program(plan, &mut write);
            let _ = write.write_all(&serde_json::to_vec(&error).unwrap_or_default());
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut bytes = super::read_all(File::from(read));
            let mut cgroup_errno = None;
            if bytes.first() == Some(&NOT_ENTERED) && bytes.len() >= 5 {
                let said: Vec<u8> = bytes.drain(..5).skip(1).collect();
                cgroup_errno = said.try_into().ok().map(i32::from_be_bytes);
            }
            // The pipe is closed without a word by a program that runs, and by a child that was killed before that.
            if bytes.is_empty() && Proc::read(child.as_raw()).is_none_or(|child| child.has_executed) {
                return Ok(Started { pid: child, cgroup_errno });
            }
            let mut status = 0;
            // libc's own call: nix has no names for real-time signals.
            // SAFETY: the status outlives the call.
            let _ = unsafe { libc::waitpid(child.as_raw(), &raw mut status, 0) };
            Err(serde_json::from_slice(&bytes).unwrap_or(StartError {
                step: Step::Ended,
                errno: if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 },
                path: plan.argv.first().map(|name| name.as_bytes().to_vec()).unwrap_or_default(),
            }))
        }
    }
}

/// A program that runs.
pub(super) struct Started {
    pub pid: Pid,
    /// Why it is not in its control group.
    pub cgroup_errno: Option<i32>,
}

/// Stands before the kernel's number in front of all else that the child may say: JSON does not begin so.
const NOT_ENTERED: u8 = b'!';

/// In the child: returns only if it fails.
fn become_program(plan: &Plan, say: &mut File) -> StartError {
    let error = |step, errno: Errno, path: &Path| StartError {
        step,
        errno: errno as i32,
        path: path.as_os_str().as_bytes().to_vec(),
    };
    let nowhere = Path::new("");
    if let Err(errno) = setsid() {
        return error(Step::Terminal, errno, nowhere);
    }
    // SAFETY: descriptor 0 is the PTY; the call takes no pointer.
    if unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } == -1 {
        return error(Step::Terminal, Errno::last(), nowhere);
    }
    if plan.raw {
        make_raw();
    }
    restore_signals();
    // Host and shim may both be killed with SIGKILL: the terminal's hangup is then all that the program gets, and it may
    // ignore that (nohup does).
    let _ = prctl::set_pdeathsig(Signal::SIGTERM);
    umask(Mode::from_bits_truncate(plan.umask));
    if let Some(nice) = plan.nice {
        // One below the host's own takes a right that most users have not: then it stays as it is.
        // SAFETY: a plain system call on numbers.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    }
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, plan.open_files.min(hard), hard);
    }
    if let Err(error) = enter_cgroup(&plan.cgroup) {
        let errno = error.raw_os_error().unwrap_or(libc::EIO).to_be_bytes();
        let _ = say.write_all(&[&[NOT_ENTERED], errno.as_slice()].concat());
    }
    set_limits(plan.limits);
    if let Err(errno) = chdir(&plan.cwd) {
        return error(Step::Cwd, errno, &plan.cwd);
    }
    let Some(name) = plan.argv.first() else {
        return error(Step::Find, Errno::ENOENT, nowhere);
    };
    let path = match find(name) {
        Ok(path) => path,
        Err(errno) => return error(Step::Find, errno, Path::new(name)),
    };
    let c_string = |text: &OsStr| CString::new(text.as_bytes()).ok();
    let argv: Option<Vec<_>> = plan.argv.iter().map(|arg| c_string(arg)).collect();
    let (Some(program), Some(argv)) = (c_string(path.as_os_str()), argv) else {
        return error(Step::Exec, Errno::EINVAL, &path);
    };
    let Err(errno) = execv(&program, &argv);
    match interpreter(&path) {
        // The kernel says that the file is not there, but it is: its interpreter is not, or cannot be executed.
        Some(interpreter)
            if matches!(errno, Errno::ENOENT | Errno::EACCES | Errno::ENOTDIR | Errno::ELOOP)
                && is_executable(&path) =>
        {
            error(Step::Interpreter, errno, &interpreter)
        }
        _ => error(Step::Exec, errno, &path),
    }
}

/// From the CPU limit's signal, which a program may handle, to the one it cannot.
const CPU_GRACE_SECONDS: u64 = 2;

/// How many processes more than the run may have the user may start elsewhere before the run's own would be
/// refused: see [`super::KernelLimits::processes`].
const OTHER_PROCESSES: u64 = 4096;

/// Never raises what the host itself was given. A limit that cannot be set leaves the host's watch over the tree.
fn set_limits(limits: super::KernelLimits) {
    let lower = |resource: Resource, soft: u64, hard: u64| {
        if let Ok((_, most)) = getrlimit(resource) {
            let _ = setrlimit(resource, soft.min(most), hard.min(most));
        }
    };
    if limits.cpu_seconds > 0 {
        lower(Resource::RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds.saturating_add(CPU_GRACE_SECONDS));
    }
    if limits.processes > 0 {
        let most = limits.processes.saturating_add(OTHER_PROCESSES);
        lower(Resource::RLIMIT_NPROC, most, most);
    }
    if limits.open_files > 0 {
        lower(Resource::RLIMIT_NOFILE, limits.open_files, limits.open_files);
    }
}

/// A control group that is gone, or that may not be entered, leaves the host's watch, which is told.
fn enter_cgroup(folder: &Path) -> std::io::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    // Not made, should the group be gone: it would be a file in another file system.
    OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?.write_all(b"0")
}

/// The terminal passes what is written to it as it is, both ways; keys that signal (Ctrl-C) still do, and the
/// Return key still ends a line.
fn make_raw() {
    use nix::sys::termios::{
        LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices::VMIN, SpecialCharacterIndices::VTIME, tcgetattr,
        tcsetattr,
    };
    let terminal = std::io::stdin();
    if let Ok(mut settings) = tcgetattr(&terminal) {
        settings.output_flags.remove(OutputFlags::OPOST);
        settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON);
        settings.control_chars[VMIN as usize] = 1;
        settings.control_chars[VTIME as usize] = 0;
        let _ = tcsetattr(&terminal, SetArg::TCSANOW, &settings);
    }
}

/// Programs start with every signal at its default and none blocked, whatever the host or editor had.
fn restore_signals() {
    // Real-time signals too, which nix has no names for. The two that cannot be changed refuse, harmlessly.
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: the default action runs no code of ours.
        let _ = unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// Looks whether a program could be started in a directory, with that `$PATH`.
///
/// # Errors
/// Which step would fail.
pub fn check(cwd: &Path, name: Option<&OsString>, path: Option<&OsStr>) -> Result<(), StartError> {
    let error = |step, errno: Errno, path: &Path| {
        Err(StartError { step, errno: errno as i32, path: path.as_os_str().as_bytes().to_vec() })
    };
    let entered = fs::metadata(cwd)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::ENOENT)))
        .and_then(|meta| if meta.is_dir() { access(cwd, AccessFlags::X_OK) } else { Err(Errno::ENOTDIR) });
    if let Err(errno) = entered {
        return error(Step::Cwd, errno, cwd);
    }
    // Of a program that is itself looked up there is nothing to find.
    let Some(name) = name else { return Ok(()) };
    match find_from(cwd, name, path) {
        Err(errno) => error(Step::Find, errno, Path::new(name)),
        Ok(_) => Ok(()),
    }
}

/// The program's file: a name with a slash is a path, any other is looked up in the program's own `$PATH`.
fn find(name: &OsStr) -> Result<PathBuf, Errno> {
    find_from(Path::new(""), name, std::env::var_os("PATH").as_deref())
}

/// The same for a program that is in another directory.
fn find_from(cwd: &Path, name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Errno> {
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    if name.as_bytes().contains(&b'/') {
        let path = cwd.join(name);
        return match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => Err(Errno::EISDIR),
            // A pipe or device: the kernel would only say that it may not.
            Ok(meta) if !meta.is_file() => Err(Errno::EINVAL),
            Ok(_) => Ok(path),
            Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::ENOENT))),
        };
    }
    let mut found = Errno::ENOENT;
    for folder in std::env::split_paths(path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"))) {
        let candidate = cwd.join(folder).join(name);
        if candidate.is_file() {
            if is_executable(&candidate) {
                return Ok(candidate);
            }
            found = Errno::EACCES;
        }
    }
    Err(found)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The interpreter that a script's first line names. Nothing is opened that could be waited for.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let is_file = |meta: fs::Metadata| meta.is_file().then_some(());
    is_file(fs::metadata(path).ok()?)?;
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    // It may be another by now.
    is_file(file.metadata().ok()?)?;
    let mut start = [0; 256];
    let count = std::io::Read::read(&mut file, &mut start).ok()?;
    let line = start[..count].strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let word = line.trim_ascii().split(|byte| byte.is_ascii_whitespace()).next()?;
    (!word.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(word)))
}
