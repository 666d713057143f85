//! The protocol of host and shim: where the pipes are as arguments, then over these the plan, and a JSON object a line
//! each way.

use std::{
    ffi::OsString,
    io::Read,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// The shim's arguments. They can be read by every user for as long as the run lasts (`ps`), and hold nothing that a
/// program would blank in its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// What `ps` shows beside the shim: `{program}:Session {id}:{run}`.
    pub process_name: String,
    /// The host's process id.
    pub host: u32,
    /// The host's descriptor to read the plan and then orders from.
    pub orders_fd: i32,
    /// The host's descriptor to write reports to.
    pub reports_fd: i32,
}

impl Address {
    /// As arguments.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        let numbers = [self.host.to_string(), self.orders_fd.to_string(), self.reports_fd.to_string()];
        std::iter::once(self.process_name.clone()).chain(numbers).map(Into::into).collect()
    }

    /// Reads the arguments back.
    #[must_use]
    pub fn from_args(args: Vec<OsString>) -> Option<Self> {
        let mut args = args.into_iter().map(OsString::into_string);
        let mut next = || args.next()?.ok();
        Some(Self {
            process_name: next()?,
            host: next()?.parse().ok()?,
            orders_fd: next()?.parse().ok()?,
            reports_fd: next()?.parse().ok()?,
        })
    }
}

/// Everything the shim needs to start a program. Lossless: paths need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The umask programs get.
    pub umask: u32,
    /// The nice value programs get; none for the shim's own.
    pub nice: Option<i32>,
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

/// Puts nice values above 0.
const NICE_OFFSET: i32 = 100;

impl Plan {
    /// As bytes: their number, then values with a NUL after each, as the kernel has arguments.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let numbers = [
            u64::from(self.umask),
            self.open_files,
            self.limits.cpu_seconds,
            self.limits.processes,
            self.limits.open_files,
            u64::from(self.raw),
            // None is 0; what is nice is from -20 to 19.
            self.nice.map_or(0, |nice| u64::try_from(nice + NICE_OFFSET).unwrap_or(0)),
        ];
        let numbers = numbers.map(|number| OsString::from(number.to_string()));
        let paths = [self.cgroup.as_os_str(), self.cwd.as_os_str()];
        let values = numbers.iter().map(OsString::as_os_str).chain(paths);
        let values: Vec<u8> = values
            .chain(self.argv.iter().map(OsString::as_os_str))
            .flat_map(|value| value.as_bytes().iter().copied().chain([0]))
            .collect();
        let mut bytes = (values.len() as u64).to_be_bytes().to_vec();
        bytes.extend(values);
        bytes
    }

    /// Reads them back; none when they end early or are something else.
    #[must_use]
    pub fn read(from: &mut impl Read) -> Option<Self> {
        let mut length = [0; 8];
        from.read_exact(&mut length).ok()?;
        let mut values = Vec::new();
        let length = u64::from_be_bytes(length);
        from.take(length).read_to_end(&mut values).ok()?;
        if values.len() as u64 != length || values.pop() != Some(0) {
            return None;
        }
        let mut values = values.split(|&byte| byte == 0).map(|value| OsString::from_vec(value.to_vec()));
        let mut number = || values.next()?.to_str()?.parse::<u64>().ok();
        let (umask, open_files) = (u32::try_from(number()?).ok()?, number()?);
        let limits = KernelLimits { cpu_seconds: number()?, processes: number()?, open_files: number()? };
        let raw = number()? != 0;
        let nice = i32::try_from(number()?).ok().filter(|nice| *nice > 0).map(|nice| nice - NICE_OFFSET);
        let (cgroup, cwd) = (values.next()?.into(), values.next()?.into());
        Some(Self { umask, nice, open_files, limits, raw, cgroup, cwd, argv: values.collect() })
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
        /// The kernel's error number, when it could not be put into its control group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cgroup_errno: Option<i32>,
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
    fn a_plan_with_odd_bytes_arrives_as_it_is_and_half_of_one_is_none() {
        let plan = Plan {
            umask: 0o22,
            nice: Some(-5),
            open_files: 1024,
            limits: KernelLimits { cpu_seconds: 1, processes: 0, open_files: 64 },
            raw: true,
            cgroup: "".into(),
            cwd: OsString::from_vec(b"/tmp/\xff".to_vec()).into(),
            argv: vec!["sh".into(), "-c".into(), OsString::from_vec(b"\xfe".to_vec()), "".into()],
        };
        let bytes = plan.to_bytes();
        // What is behind it is the first order.
        let mut more = [bytes.as_slice(), b"{}"].concat();
        let mut reader = more.as_slice();
        assert_eq!(Plan::read(&mut reader), Some(plan));
        assert_eq!(reader, b"{}");
        more.truncate(bytes.len() - 1);
        for length in 0..more.len() {
            assert_eq!(Plan::read(&mut &more[..length]), None);
        }
        let address =
            Address { process_name: "x:Session abc12345:def67890".into(), host: 7, orders_fd: 8, reports_fd: 9 };
        assert_eq!(Address::from_args(address.to_args()), Some(address));
    }
}
