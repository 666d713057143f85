//! What the kernel says about processes: `/proc`, read by nobody's code but this, so that it can contradict the host.

use std::{collections::HashMap, fs, path::PathBuf};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub pid: i32,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
}

/// A process, zombies too; none when there is no such process.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    Some(Stat { pid, state, parent: number()?, group: number()?, session: number()? })
}

/// It runs: it is there, and not only waiting to be reaped.
#[must_use]
pub fn alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// It has ended and its parent has not taken note.
#[must_use]
pub fn zombie(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'Z')
}

/// It is neither alive nor a zombie of anyone's. What process 1 has inherited is process 1's to reap:
/// in a container it may be one that never does. A process of many threads is a zombie as soon as the first has ended,
/// and what it holds open is open until the last has.
#[must_use]
pub fn gone(pid: i32) -> bool {
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    stat(pid).is_none_or(|stat| stat.state == 'Z' && stat.parent == 1 && threads() <= 1)
}

/// Every process there is.
#[must_use]
pub fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Everything below a process, zombies too.
#[must_use]
pub fn below(root: i32) -> Vec<Stat> {
    let mut children: HashMap<i32, Vec<Stat>> = HashMap::new();
    for stat in all().into_iter().filter_map(stat) {
        children.entry(stat.parent).or_default().push(stat);
    }
    let (mut found, mut next) = (Vec::new(), vec![root]);
    while let Some(pid) = next.pop() {
        let of_it = children.remove(&pid).unwrap_or_default();
        next.extend(of_it.iter().map(|stat| stat.pid));
        found.extend(of_it);
    }
    found
}

/// The arguments of a process, the program's name first; empty for a zombie.
#[must_use]
pub fn arguments(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    entries(&bytes)
}

/// The environment that a process was started with, as `KEY=value`.
#[must_use]
pub fn environment(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    entries(&bytes)
}

fn entries(bytes: &[u8]) -> Vec<String> {
    let entries = bytes.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
    entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
}

/// Processes that have this very argument.
#[must_use]
pub fn with_argument(argument: &str) -> Vec<i32> {
    all().into_iter().filter(|&pid| arguments(pid).iter().any(|other| other == argument)).collect()
}

/// Processes with this entry (`KEY=value`) in their environment.
#[must_use]
pub fn with_environment(entry: &str) -> Vec<i32> {
    all().into_iter().filter(|&pid| environment(pid).iter().any(|other| other == entry)).collect()
}

/// What a process's open descriptors are, by number.
#[must_use]
pub fn descriptors(pid: i32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect()
}

/// A line of `/proc/PID/status`, as `VmRSS`.
#[must_use]
pub fn status(pid: i32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Processor time that a process and the children it has waited for have used.
#[must_use]
pub fn cpu_seconds(pid: i32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11..15].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    // CLK_TCK is 100 on Linux.
    ticks / 100.0
}

/// Resident memory in bytes.
#[must_use]
pub fn resident_bytes(pid: i32) -> u64 {
    let text = status(pid, "VmRSS").expect("the process is there");
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 1024
}

/// The most memory that a process has had at a time, in bytes.
pub fn peak_bytes(pid: i32) -> u64 {
    let text = status(pid, "VmHWM").expect("the process is there");
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 1024
}

/// Sends a signal to a process that the caller started.
pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("{signal} to {pid}: {error}"));
}
