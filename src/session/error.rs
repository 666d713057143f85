//! Errors as clients get them: why a program was not started, and that what was asked is gone.

use crate::{
    protocol::{Code, Error},
    pty::{Spawn, SpawnError},
    shim::{StartError, Step},
};

pub fn gone() -> Error {
    Error::new(Code::ShuttingDown, "the host is ending")
}

pub fn run_gone() -> Error {
    Error::new(Code::NotFound, "the run was dismissed meanwhile")
}

/// What helps when the kernel has nothing left.
const WHAT_TO_DO: &str = "end some sessions, or raise the limit (`ulimit -n`, /proc/sys/kernel/pty/max)";

/// Why nothing was started, for a person.
pub fn start_error(error: &SpawnError, what: &Spawn) -> Error {
    let kernel = |errno: i32| std::io::Error::from_raw_os_error(errno).to_string();
    match error {
        SpawnError::Program(start) => program_error(start, what),
        SpawnError::Resources { what, source } => {
            let reason = source.raw_os_error().map_or_else(|| source.to_string(), kernel);
            Error::new(Code::ResourceExhausted, format!("{what} failed: {reason}; {WHAT_TO_DO}"))
        }
        SpawnError::Pty { what, reason } => {
            Error::new(Code::ResourceExhausted, format!("{what} failed: {reason}; {WHAT_TO_DO}"))
        }
        SpawnError::Shim => Error::new(Code::StartFailed, format!("{error}; was it killed, or is /proc not mounted?")),
        SpawnError::Slow(_) => Error::new(
            Code::StartFailed,
            format!("{error}; does the file system of its file or of its directory {} answer?", what.cwd.display()),
        ),
    }
}

fn program_error(start: &StartError, what: &Spawn) -> Error {
    let path = start.path();
    let kernel = std::io::Error::from_raw_os_error(start.errno).to_string();
    let (code, message) = match (start.step, start.errno) {
        (Step::Cwd, _) => (Code::BadCwd, format!("the working directory {path} cannot be entered: {kernel}")),
        (Step::Find, libc::EACCES) | (Step::Exec, libc::EACCES) => {
            (Code::NotExecutable, format!("{path} cannot be executed: {kernel}; is its execute bit set (chmod +x)?"))
        }
        (Step::Find, libc::EISDIR) => (Code::NotExecutable, format!("{path} is a directory, not a program")),
        (Step::Find, libc::EINVAL) => {
            (Code::NotExecutable, format!("{path} is not a regular file, so it cannot be a program"))
        }
        (Step::Find, _) if path.contains('/') => {
            (Code::ProgramNotFound, format!("there is no program at {path}: {kernel}"))
        }
        (Step::Find, _) => (Code::ProgramNotFound, format!("there is no program {path:?} on $PATH")),
        (Step::Interpreter, _) => (
            Code::BadInterpreter,
            format!(
                "{} cannot be executed: its interpreter {path}, named in its first line, failed: {kernel}",
                what.argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
            ),
        ),
        (Step::Exec, libc::ENOEXEC) => (
            Code::NotExecutable,
            format!("{path} is neither a binary for this machine nor a script with a first line such as #!/bin/sh"),
        ),
        (Step::Exec, libc::E2BIG) => {
            (Code::InvalidParams, format!("{path}: its arguments and environment are too long for the kernel"))
        }
        (Step::Exec, _) => (Code::StartFailed, format!("{path} could not be executed: {kernel}")),
        (Step::Fork, _) => (Code::ResourceExhausted, format!("no process could be made: {kernel}; end some sessions")),
        (Step::Ended, signal) => (
            Code::StartFailed,
            format!("{path} was ended by {} before it could run", crate::process::signal_name(signal)),
        ),
        (Step::Terminal, _) => {
            (Code::StartFailed, format!("the PTY could not become the program's terminal: {kernel}"))
        }
    };
    Error::new(code, message).with_data(serde_json::json!({ "path": path, "errno": start.errno }))
}
