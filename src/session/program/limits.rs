//! Limits on what a run's process tree uses: checked, watched while there is one, and told when they are passed.
//!
//! The kernel counts processor time, open files and processes for each process or user alone (setrlimit(2)); a
//! whole tree's memory, processes and processor time are counted here, from `/proc`, and only for runs that have such a
//! limit.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::debug;

use super::{
    cgroup::Cgroup,
    kill::Kill,
    processor_time::{Counted, ProcessorTime},
    proportional::Measured,
};
use crate::{
    process::{self, Usage},
    protocol::{Error, Exit, Limits, Result},
    session::deadline::sleep_until,
    shim::KernelLimits,
    units,
};

/// The fastest a tree is taken to grow. A look is never later than it needs from here to the limit, unless the
/// tree has been quiet.
const BYTES_PER_SECOND: f64 = 2e9;
const PROCESSES_PER_SECOND: f64 = 2000.0;

/// Between two looks: at the least, what a look costs many times over; at the most, what a tree that has been
/// quiet and then runs wild may have before it is seen.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
const MAX_INTERVAL: Duration = Duration::from_millis(1000);
const MAX_QUIET_INTERVAL: Duration = Duration::from_millis(500);

/// After a limit was passed the tree is being ended: how long before it is told again, should it live on.
const REPEAT_INTERVAL: Duration = Duration::from_secs(2);

/// Checks the limits of a request.
///
/// # Errors
/// `invalid_params` with the key and the rule.
pub fn check(limits: &Limits) -> Result<()> {
    const MIN_MEMORY: u64 = 1 << 20;
    let rules = [
        ("limits.memory_bytes", limits.memory_bytes, MIN_MEMORY, u64::MAX / 2, "at least 1048576 (1 MiB)"),
        ("limits.cpu_seconds", limits.cpu_seconds, 1, 1 << 31, "from 1 second to 68 years"),
        ("limits.processes", limits.processes, 1, 1 << 22, "from 1 to 4194304"),
        ("limits.open_files", limits.open_files, 8, 1 << 30, "at least 8: a program needs a few to start at all"),
    ];
    for (key, value, least, most, rule) in rules {
        if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
            return Err(Error::invalid(key, value, &format!("{rule}; leave it out for no limit")));
        }
    }
    Ok(())
}

/// The part of them that the kernel is told.
pub fn for_kernel(limits: &Limits) -> KernelLimits {
    KernelLimits {
        cpu_seconds: limits.cpu_seconds.unwrap_or(0),
        processes: limits.processes.unwrap_or(0),
        open_files: limits.open_files.unwrap_or(0),
    }
}

/// What a tree gets that has passed a limit: the first signal, and how long until SIGKILL. Who takes memory or processes
/// is not waited for; processor time is signalled as the kernel does it.
pub fn ending(limit: Limit) -> Kill {
    match limit {
        Limit::Space => Kill { signal: Some(libc::SIGKILL), grace: Duration::ZERO },
        Limit::Time => Kill { signal: Some(libc::SIGXCPU), grace: REPEAT_INTERVAL / 2 },
    }
}

/// What kind of limit a tree has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Of memory or processes.
    Space,
    /// Of processor time.
    Time,
}

/// Why a program ended, if it was for its processor time: the signal that says so, a shell that says it of its
/// child, or SIGKILL a little later for one that did not listen.
pub fn passed_cpu(limits: &Limits, exit: Exit, cpu_ms: u64) -> Option<String> {
    let limit = limits.cpu_seconds?;
    let by_signal = exit.signal == Some(libc::SIGXCPU) || exit.code == Some(128 + libc::SIGXCPU);
    let at_last = exit.signal == Some(libc::SIGKILL) && cpu_ms >= limit.saturating_mul(1000);
    (by_signal || at_last).then(|| cpu_text(cpu_ms, limit))
}

fn cpu_text(cpu_ms: u64, limit: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let seconds = cpu_ms as f64 / 1000.0;
    format!("used {seconds:.1} s of processor time, its limit (cpu_seconds) is {limit} s")
}

/// Which limit a tree has passed, and how for a person.
fn passed(limits: &Limits, memory: u64, processes: u64, cpu_ms: u64) -> Option<(Limit, String)> {
    if let Some(limit) = limits.processes.filter(|&limit| processes > limit) {
        return Some((Limit::Space, format!("had {processes} processes, its limit (processes) is {limit}")));
    }
    if let Some(limit) = limits.memory_bytes.filter(|&limit| memory > limit) {
        let text = format!(
            "used {} of memory in {processes} process{}, its limit (memory_bytes) is {}",
            units::bytes(memory),
            if processes == 1 { "" } else { "es" },
            units::bytes(limit),
        );
        return Some((Limit::Space, text));
    }
    let limit = limits.cpu_seconds.filter(|&limit| cpu_ms >= limit.saturating_mul(1000))?;
    Some((Limit::Time, cpu_text(cpu_ms, limit)))
}

/// A way to the task that watches trees. Clones reach the same one.
#[derive(Debug, Clone)]
pub struct Watcher(mpsc::UnboundedSender<Change>);

enum Change {
    Watch(Box<Watched>),
    Forget(i32),
}

/// Tells whose tree has passed a limit: the shim above it, which limit, and how for a person. False when it could not be
/// told now.
pub type Notify = Box<dyn Fn(i32, Limit, String) -> bool + Send>;

/// One tree under watch.
struct Watched {
    shim: i32,
    limits: Limits,
    notify: Notify,
    measured: Option<Measured>,
    /// The memory and the processes that it had at the last look.
    last: Option<(Instant, u64, u64)>,
    /// Looks in a row at which it had not grown.
    quiet: u32,
    time: ProcessorTime,
    due: Instant,
}

/// Keeps a tree under watch until it is dropped.
#[derive(Debug)]
pub struct Watch {
    watcher: Watcher,
    shim: i32,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.watcher.0.send(Change::Forget(self.shim));
    }
}

impl Watcher {
    /// Starts the task. It sleeps until there is a tree to watch.
    pub fn start() -> Self {
        let (changes, changed) = mpsc::unbounded_channel();
        tokio::spawn(watch(changed));
        Self(changes)
    }

    /// Watches the tree below a shim, if it has a limit that needs it. `notify` is called when it has passed one, again
    /// at the next look when it could not tell.
    pub fn watch(&self, shim: i32, limits: &Limits, cgroup: Option<&Cgroup>, notify: Notify) -> Option<Watch> {
        if limits.memory_bytes.is_none() && limits.processes.is_none() && limits.cpu_seconds.is_none() {
            return None;
        }
        let time = ProcessorTime::begin(limits, cgroup);
        let (limits, due) = (limits.clone(), Instant::now());
        let watched = Watched { shim, limits, notify, measured: None, last: None, quiet: 0, time, due };
        self.0.send(Change::Watch(Box::new(watched))).ok()?;
        debug!(shim, "its tree is watched for its limits");
        Some(Watch { watcher: self.clone(), shim })
    }
}

async fn watch(mut changed: mpsc::UnboundedReceiver<Change>) {
    let mut all: Vec<Watched> = Vec::new();
    loop {
        let due = all.iter().map(|watched| watched.due).min();
        let clock = sleep_until(due);
        tokio::select! {
            change = changed.recv() => match change {
                Some(Change::Watch(watched)) => all.push(*watched),
                Some(Change::Forget(shim)) => all.retain(|watched| watched.shim != shim),
                None => return,
            },
            () = clock => look(&mut all).await,
        }
    }
}

/// Up to so many trees are looked at one by one; for more, one look at all of `/proc` is cheaper.
const MAX_SINGLE_LOOKS: usize = 16;

/// One look at all of them.
async fn look(all: &mut [Watched]) {
    let asked: Vec<(i32, Option<u64>, Option<Measured>)> =
        all.iter().map(|watched| (watched.shim, watched.limits.memory_bytes, watched.measured)).collect();
    let counted: Vec<Counted> = all.iter().map(|watched| watched.time.counted()).collect();
    let page_bytes = process::page_bytes();
    let looked = tokio::task::spawn_blocking(move || {
        let shims: Vec<i32> = asked.iter().map(|(shim, ..)| *shim).collect();
        let used = match shims.len() {
            0..=MAX_SINGLE_LOOKS => shims.iter().map(|&shim| process::usage_of(shim)).collect(),
            _ => process::usage(&shims),
        };
        let memory = |((shim, limit, measured), used): ((i32, Option<u64>, Option<Measured>), &Usage)| {
            let resident = used.pages * page_bytes;
            // What a program shares with its forks counts once, and to know that costs more.
            let Some(limit) = limit.filter(|limit| resident > *limit) else { return (resident, measured) };
            if let Some(memory) = measured.and_then(|measured| measured.still(Instant::now(), resident, limit)) {
                return (memory, measured);
            }
            let measured = Measured::new(shim, page_bytes, resident);
            (measured.memory, Some(measured))
        };
        let memory: Vec<_> = asked.into_iter().zip(&used).map(memory).collect();
        let time = counted.iter().zip(&shims).zip(&used).map(|((counted, shim), used)| counted.cpu_ms(*shim, *used));
        let time: Vec<u64> = time.collect();
        used.into_iter().zip(memory).zip(time).collect::<Vec<_>>()
    });
    // It has no way to fail but the end of the runtime.
    let Ok(looked) = looked.await else { return };
    let now = Instant::now();
    for (watched, ((used, (memory, measured)), time)) in all.iter_mut().zip(looked) {
        watched.measured = measured;
        let time = watched.time.take(time);
        let Some((limit, reason)) = passed(&watched.limits, memory, used.processes, time) else {
            watched.pace(now, memory, used.processes);
            watched.due = watched.due.min(now + watched.time.rest().unwrap_or(MAX_INTERVAL));
            continue;
        };
        debug!(shim = watched.shim, "{reason}");
        // A run with a full queue is told at the next look.
        let told = (watched.notify)(watched.shim, limit, reason);
        watched.due = now + if told { REPEAT_INTERVAL } else { MIN_INTERVAL };
    }
}

impl Watched {
    /// Decides when to look next, by the memory as it was measured: before it can pass a limit at the pace it has, or is
    /// taken to be able to have.
    fn pace(&mut self, now: Instant, memory: u64, processes: u64) {
        let since = self.last.map(|(at, memory, processes)| ((now - at).as_secs_f64().max(0.001), memory, processes));
        let grown = since.is_none_or(|(_, last, before)| memory > last || processes > before);
        self.quiet = if grown { 0 } else { self.quiet.saturating_add(1) };
        self.last = Some((now, memory, processes));
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let to_limit = |limit: Option<u64>, now: u64, before: Option<u64>, fastest: f64| {
            let left = limit?.saturating_sub(now) as f64;
            let pace =
                since.zip(before).map_or(0.0, |((seconds, ..), before)| now.saturating_sub(before) as f64 / seconds);
            Some(left / fastest.max(pace * 2.0))
        };
        let seconds = [
            to_limit(self.limits.memory_bytes, memory, since.map(|(_, last, _)| last), BYTES_PER_SECOND),
            to_limit(self.limits.processes, processes, since.map(|(.., last)| last), PROCESSES_PER_SECOND),
        ];
        let soonest = seconds.into_iter().flatten().fold(MAX_INTERVAL.as_secs_f64(), f64::min);
        let rest = MIN_INTERVAL.saturating_mul(1 << self.quiet.min(10)).min(MAX_QUIET_INTERVAL);
        let rest = if self.quiet == 0 { MIN_INTERVAL } else { rest };
        self.due = now + Duration::from_secs_f64(soonest).max(rest).min(MAX_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(memory_bytes: Option<u64>, processes: Option<u64>) -> Limits {
        Limits { memory_bytes, processes, ..Limits::default() }
    }

    fn watched(limits: Limits) -> Watched {
        let notify: Notify = Box::new(|_, _, _| true);
        let time = ProcessorTime::begin(&limits, None);
        Watched { shim: 1, limits, notify, measured: None, last: None, quiet: 0, time, due: Instant::now() }
    }

    #[test]
    fn a_passed_limit_is_told_with_both_numbers() {
        let both = limits(Some(64 << 20), Some(5));
        assert_eq!(passed(&both, 64 << 20, 5, 0), None, "up to the limit is within it");
        let (limit, processes) = passed(&both, 0, 6, 0).unwrap();
        assert_eq!((limit, processes.as_str()), (Limit::Space, "had 6 processes, its limit (processes) is 5"));
        let (_, memory) = passed(&both, 72_192 << 10, 1, 0).unwrap();
        assert_eq!(memory, "used 70.5 MB of memory in 1 process, its limit (memory_bytes) is 64 MB");
        let cpu = Limits { cpu_seconds: Some(2), ..Limits::default() };
        assert_eq!(passed(&cpu, u64::MAX, u64::MAX, 1990), None);
        let (limit, time) = passed(&cpu, 0, 1, 2100).unwrap();
        assert_eq!((limit, ending(limit).signal), (Limit::Time, Some(libc::SIGXCPU)));
        let exit = |code, signal| Exit { code, signal };
        let reason = "used 2.1 s of processor time, its limit (cpu_seconds) is 2 s";
        assert_eq!(time, reason);
        assert_eq!(passed_cpu(&cpu, exit(None, Some(libc::SIGXCPU)), 2100).as_deref(), Some(reason));
        assert_eq!(passed_cpu(&cpu, exit(Some(152), None), 2100).as_deref(), Some(reason), "as a shell says it");
        assert!(passed_cpu(&cpu, exit(None, Some(libc::SIGKILL)), 4000).is_some());
        assert_eq!(passed_cpu(&cpu, exit(None, Some(libc::SIGKILL)), 100), None, "somebody else's SIGKILL");
        assert_eq!(passed_cpu(&Limits::default(), exit(None, Some(libc::SIGXCPU)), 2100), None);
    }

    #[test]
    fn the_pace_of_looks_follows_the_growth() {
        let used = |megabytes: u64| megabytes * 1_000_000;
        let mut tree = watched(limits(Some(1_000_000_000), None));
        let begun = Instant::now();
        tree.pace(begun, used(10), 1);
        let first = tree.due - begun;
        assert!(
            first <= Duration::from_millis(500),
            "what may grow by 2 GB a second is not left alone for longer: {first:?}"
        );
        tree.pace(begun + first, used(600), 1);
        let growing = tree.due - (begun + first);
        assert!(growing < first, "{growing:?}");
        let mut now = tree.due;
        for _ in 0..12 {
            tree.pace(now, used(600), 1);
            now = tree.due;
        }
        tree.pace(now, used(990), 1);
        assert_eq!(tree.due - now, MIN_INTERVAL, "close to its limit and growing");
        let mut small = watched(limits(Some(20_000_000), Some(10)));
        let mut now = begun;
        for _ in 0..12 {
            small.pace(now, used(1), 1);
            now = small.due;
        }
        small.pace(now, used(1), 1);
        assert_eq!(small.due - now, MAX_QUIET_INTERVAL, "a quiet tree costs two looks a second");
    }

    #[test]
    fn limits_that_no_program_could_live_with_are_refused() {
        let zero = Limits { cpu_seconds: Some(0), ..Limits::default() };
        assert!(check(&zero).unwrap_err().message.starts_with("limits.cpu_seconds is 0: "));
        assert!(check(&limits(Some(1000), None)).unwrap_err().message.contains("1 MiB"));
        assert!(check(&limits(None, Some(0))).is_err());
        assert!(check(&Limits { open_files: Some(7), ..Limits::default() }).is_err());
        assert!(check(&limits(Some(1 << 20), Some(1))).is_ok());
    }
}
