//! What host and shim say to each other: the plan as arguments, then a JSON object a line each way.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// Everything the shim needs to start a program. Lossless as arguments: paths need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What `ps` shows beside the shim: `{program}:Session {id}:{run}`.
    pub process_name: String,
    /// The host's process id.
    pub host: u32,
    /// The host's descriptor to read orders from.
    pub orders_fd: i32,
    /// The host's descriptor to write reports to.
    pub reports_fd: i32,
    /// The umask programs get.
    pub umask: u32,
    /// The soft limit of open files programs get.
    pub open_files: u64,
    /// Limits of the kernel that hold for the program and all it starts.
    pub limits: KernelLimits,
    /// The terminal passes bytes as they are: no echo, no lines put together, no line ends changed.
    pub raw: bool,
    /// The control group to start the program in; empty for the host's own.
    pub cgroup: PathBuf,
    /// The folder to start in.
    pub cwd: PathBuf,
    /// The program and its arguments.
    pub argv: Vec<OsString>,
}

/// What the kernel itself holds each process of a run to (setrlimit(2)); none where 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLimits {
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// Processes of the run: the kernel counts all of the user's, so this is only a far end for a tree that grows
    /// faster than it is counted.
    pub processes: u64,
    /// Open files, soft and hard.
    pub open_files: u64,
}

impl Plan {
    /// As arguments.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        let numbers = [
            u64::from(self.host),
            u64::try_from(self.orders_fd).unwrap_or_default(),
            u64::try_from(self.reports_fd).unwrap_or_default(),
            u64::from(self.umask),
            self.open_files,
            self.limits.cpu_seconds,
            self.limits.processes,
            self.limits.open_files,
            u64::from(self.raw),
        ];
        let mut args = vec![OsString::from(&self.process_name)];
        args.extend(numbers.map(|number| number.to_string().into()));
        args.push(self.cgroup.clone().into_os_string());
        args.push(self.cwd.clone().into_os_string());
        args.extend(self.argv.iter().cloned());
        args
    }

    /// Reads the arguments back.
    #[must_use]
    pub fn from_args(args: Vec<OsString>) -> Option<Self> {
        let mut args = args.into_iter();
        let process_name = args.next()?.into_string().ok()?;
        let mut number = || args.next()?.to_str()?.parse::<u64>().ok();
        let (host, orders_fd, reports_fd, umask, open_files) = (number()?, number()?, number()?, number()?, number()?);
        let limits = KernelLimits { cpu_seconds: number()?, processes: number()?, open_files: number()? };
        let raw = number()? != 0;
        Some(Self {
            process_name,
            host: u32::try_from(host).ok()?,
            orders_fd: i32::try_from(orders_fd).ok()?,
            reports_fd: i32::try_from(reports_fd).ok()?,
            umask: u32::try_from(umask).ok()?,
            open_files,
            limits,
            raw,
            cgroup: args.next()?.into(),
            cwd: args.next()?.into(),
            argv: args.collect(),
        })
    }
}

/// What the host orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// End the whole tree.
    Kill {
        /// The first signal; none is SIGHUP, then SIGTERM.
        signal: Option<i32>,
        /// How long until SIGKILL.
        grace_ms: u64,
    },
}

/// What the shim reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The program runs.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// It could not be started; the shim has ended.
    StartFailed(StartError),
    /// The program has ended.
    Exited {
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Processor time that it and the children it waited for have used.
        cpu_ms: u64,
        /// How long it ran, in milliseconds.
        #[serde(default)]
        lasted_ms: u64,
        /// Nothing that it started lives on.
        #[serde(default)]
        alone: bool,
    },
    /// After the program's own end: what shared its terminal is gone too. Again whenever the number changes.
    Settled {
        /// Processes that left the terminal and live on.
        left: usize,
    },
    /// A kill is done.
    Killed {
        /// Processes that ended.
        processes: usize,
        /// Processes that could not be ended.
        left: usize,
    },
}

/// Why a program could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartError {
    /// What failed.
    pub step: Step,
    /// The kernel's error number; for [`Step::Ended`] the signal.
    pub errno: i32,
    /// The path it was about, as bytes.
    pub path: Vec<u8>,
}

impl StartError {
    /// The path for a message.
    #[must_use]
    pub fn path(&self) -> String {
        OsString::from_vec(self.path.clone()).as_bytes().escape_ascii().to_string()
    }
}

/// The steps of a start that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Making the process.
    Fork,
    /// Making the PTY its terminal.
    Terminal,
    /// Entering the working folder.
    Cwd,
    /// Finding the program.
    Find,
    /// Executing the program.
    Exec,
    /// Executing the interpreter that its `#!` line names.
    Interpreter,
    /// Any of them: the process was ended before it had become the program.
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_with_odd_bytes_survives_its_arguments() {
        let plan = Plan {
            process_name: "x:Session abc12345:def67890".into(),
            host: 7,
            orders_fd: 8,
            reports_fd: 9,
            umask: 0o22,
            open_files: 1024,
            limits: KernelLimits { cpu_seconds: 1, processes: 0, open_files: 64 },
            raw: true,
            cgroup: "".into(),
            cwd: OsString::from_vec(b"/tmp/\xff".to_vec()).into(),
            argv: vec!["sh".into(), "-c".into(), OsString::from_vec(b"\xfe".to_vec()), "".into()],
        };
        assert_eq!(Plan::from_args(plan.to_args()), Some(plan));
    }
}
