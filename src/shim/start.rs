//! From a plan to a running program, or to the reason why not.

use std::{
    ffi::{CString, OsStr},
    fs::{self, File},
    io::Write,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::SigSet,
        stat::{Mode, umask},
    },
    unistd::{ForkResult, Pid, chdir, execv, fork, pipe2, setsid},
};

use super::wire::{Plan, StartError, Step};

/// Starts the program as leader of a session of its own, with the PTY (descriptors 0 to 2) as its terminal.
pub(super) fn program(plan: &Plan) -> Result<Pid, StartError> {
    let failed = |step, errno: Errno| StartError { step, errno: errno as i32, path: Vec::new() };
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(Step::Fork, errno))?;
    // SAFETY: the shim has one thread, so the child may do anything the parent could.
    match unsafe { fork() }.map_err(|errno| failed(Step::Fork, errno))? {
        ForkResult::Child => {
            drop(read);
            let error = become_program(plan);
            let _ = File::from(write).write_all(&serde_json::to_vec(&error).unwrap_or_default());
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            let bytes = super::read_all(File::from(read));
            if bytes.is_empty() {
                return Ok(child);
            }
            let _ = nix::sys::wait::waitpid(child, None);
            Err(serde_json::from_slice(&bytes).unwrap_or(failed(Step::Exec, Errno::EIO)))
        }
    }
}

/// In the child: returns only if it fails.
fn become_program(plan: &Plan) -> StartError {
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
    restore_signals();
    umask(Mode::from_bits_truncate(plan.umask));
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, plan.open_files.min(hard), hard);
    }
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

/// Programs start with every signal at its default and none blocked, whatever the host or editor had.
fn restore_signals() {
    // Real-time signals too, which nix has no names for. The two that cannot be changed refuse, harmlessly.
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: the default action runs no code of ours.
        let _ = unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// The program's file: a name with a slash is a path, any other is looked up in the program's own `$PATH`.
fn find(name: &OsStr) -> Result<PathBuf, Errno> {
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => Err(Errno::EISDIR),
            Ok(_) => Ok(path),
            Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::ENOENT))),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut found = Errno::ENOENT;
    for folder in std::env::split_paths(&path) {
        let candidate = folder.join(name);
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

/// The interpreter that a script's first line names.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut start = [0; 256];
    let count = std::io::Read::read(&mut File::open(path).ok()?, &mut start).ok()?;
    let line = start[..count].strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let word = line.trim_ascii().split(|byte| byte.is_ascii_whitespace()).next()?;
    (!word.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(word)))
}
