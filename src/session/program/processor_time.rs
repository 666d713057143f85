//! The processor time of a process tree, held to its limit: what the watch over trees counts of it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::cgroup::{self, Cgroup};
use crate::{
    process::{self, Usage},
    protocol::Limits,
};

/// Between two looks: at the least, as it is counted by hundredths of a second; at the most, at a tree that may use
/// nothing.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
const MAX_IDLE_INTERVAL: Duration = Duration::from_millis(500);

/// What one tree has used, of what it may.
#[derive(Debug)]
pub struct ProcessorTime {
    counted: Counted,
    used_ms: u64,
    /// Looks in a row at which it had used none.
    idle: u32,
}

/// How it is counted.
#[derive(Debug, Clone)]
pub struct Counted {
    most_ms: Option<u64>,
    group: Option<Group>,
}

/// The control group that a tree is in: it counts those too that nobody waits for.
#[derive(Debug, Clone)]
struct Group {
    folder: PathBuf,
    /// What an earlier life of the run had used.
    before_ms: u64,
}

impl Group {
    fn begin(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), before_ms: cgroup::cpu_ms(folder).unwrap_or(0) }
    }

    fn cpu_ms(&self) -> u64 {
        cgroup::cpu_ms(&self.folder).unwrap_or(0).saturating_sub(self.before_ms)
    }
}

impl Counted {
    /// The time that a tree has used, in milliseconds, by a look at it just now.
    pub fn cpu_ms(&self, shim: i32, used: Usage) -> u64 {
        let ms = match (self.most_ms, cpu_ms(used)) {
            // One look at all trees reads a process perhaps before the one that then waits for it.
            (Some(most), ms) if ms >= most => cpu_ms(process::usage_of(shim)),
            (_, ms) => ms,
        };
        ms.max(self.group.as_ref().map_or(0, Group::cpu_ms))
    }
}

impl ProcessorTime {
    /// Of a tree that begins.
    pub fn begin(limits: &Limits, group: Option<&Cgroup>) -> Self {
        let most_ms = limits.cpu_seconds.map(|seconds| seconds.saturating_mul(1000));
        let group = group.filter(|_| most_ms.is_some()).map(|group| Group::begin(group.folder()));
        Self { counted: Counted { most_ms, group }, used_ms: 0, idle: 0 }
    }

    /// How to count it.
    pub fn counted(&self) -> Counted {
        self.counted.clone()
    }

    /// Takes in what a look has shown; gives what is known to be used. It only grows: a look at a tree that changes may
    /// miss a part.
    pub fn take(&mut self, ms: u64) -> u64 {
        self.idle = if ms > self.used_ms { 0 } else { self.idle.saturating_add(1) };
        self.used_ms = self.used_ms.max(ms);
        self.used_ms
    }

    /// How long until the next look: before all cores could use what is left. None where there is no limit.
    pub fn rest(&self) -> Option<Duration> {
        let left = Duration::from_millis(self.counted.most_ms?.saturating_sub(self.used_ms) / cores());
        Some(left.max(MIN_INTERVAL.saturating_mul(1 << self.idle.min(10)).min(MAX_IDLE_INTERVAL)))
    }
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u64)
}

fn cpu_ms(used: Usage) -> u64 {
    used.ticks.saturating_mul(1000) / process::ticks_a_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_looked_at_before_all_cores_could_use_what_is_left() {
        let limits = Limits { cpu_seconds: Some(10), ..Limits::default() };
        let mut time = ProcessorTime::begin(&limits, None);
        let mut next = |used_ms| {
            time.take(used_ms);
            time.rest().unwrap()
        };
        assert_eq!(next(9000), Duration::from_millis(1000 / cores()).max(MIN_INTERVAL));
        assert_eq!(next(9999), MIN_INTERVAL);
        let rests: Vec<Duration> = (0..12).map(|_| next(9999)).collect();
        assert_eq!(rests.last(), Some(&MAX_IDLE_INTERVAL), "one that sleeps is not looked at all the time");
        assert_eq!(time.take(5000), 9999, "a look that missed a part");
        assert_eq!(ProcessorTime::begin(&Limits::default(), None).rest(), None);
    }
}
