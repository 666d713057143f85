//! Process trees as `/proc` shows them (proc(5)).

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
};

/// One process, as it was when it was read. A pid alone may be reused; with its start time it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proc {
    /// Process id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// The kernel session it is in: a terminal's processes share one.
    pub session: i32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// Processor time it has used, in clock ticks.
    pub ticks: u64,
    /// That of its children that it has waited for, and of theirs. Of those that nobody waits for (SIGCHLD is ignored)
    /// the kernel keeps none.
    pub waited_ticks: u64,
    /// Resident memory in pages.
    pub pages: u64,
    /// It has exited and only waits to be reaped.
    pub zombie: bool,
    /// It has become another program since it was forked.
    pub has_executed: bool,
}

impl Proc {
    /// The process as it is now; none when it is gone, whoever has its number by then.
    #[must_use]
    pub fn again(&self) -> Option<Self> {
        Self::read(self.pid).filter(|now| now.started == self.started)
    }

    /// Reads one process; none if there is no such process any more.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (comm) state ppid pgrp session …`; comm may hold spaces, brackets and any bytes, so the last `)` ends it.
    fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let after = stat.iter().rposition(|&byte| byte == b')')? + 2;
        let fields: Vec<&str> = std::str::from_utf8(stat.get(after..)?).ok()?.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: i32::try_from(number(4)?).ok()?,
            session: i32::try_from(number(6)?).ok()?,
            started: number(22)?,
            ticks: number(14)? + number(15)?,
            waited_ticks: number(16)? + number(17)?,
            pages: number(24)?,
            // A process whose first thread alone has ended is shown as one, and lives.
            zombie: matches!(*fields.first()?, "Z" | "X") && number(20)? <= 1,
            // PF_FORKNOEXEC, which accounting (acct(5)) tells as AFORK.
            has_executed: number(9)? & 0x40 == 0,
        })
    }
}

/// Every process below `root`, `root` itself not among them, zombies left out.
#[must_use]
pub fn descendants(root: i32) -> Vec<Proc> {
    let mut found = below(root, all());
    found.retain(|process| !process.zombie);
    found
}

fn below(root: i32, all: impl Iterator<Item = Proc>) -> Vec<Proc> {
    let mut children: HashMap<i32, Vec<Proc>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            if seen.insert(child.pid) {
                next.push(child.pid);
                found.push(child);
            }
        }
    }
    found
}

/// The same from the kernel's lists of children, at a price that follows the tree and not the machine: hundreds of
/// trees can be looked at in the time of one look at all of `/proc`.
///
/// While processes end, the kernel may leave some out (proc(5), `children`): who needs to know that nobody is left
/// asks [`descendants`].
#[must_use]
pub fn tree(root: i32) -> Vec<Proc> {
    // This kernel may have no such lists.
    let mut found = tree_with_zombies(root).unwrap_or_else(|| below(root, all()));
    found.retain(|process| !process.zombie);
    found
}

/// Each process is read before its children.
fn tree_with_zombies(root: i32) -> Option<Vec<Proc>> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let Some(children) = children(pid) else {
            if pid == root {
                return None;
            }
            continue;
        };
        for child in children.into_iter().filter(|child| seen.insert(*child)).collect::<Vec<_>>() {
            next.push(child);
            found.extend(Proc::read(child));
        }
    }
    Some(found)
}

/// The children of each thread of a process.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    let mut listed = false;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            listed = true;
            found.extend(text.split_ascii_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    listed.then_some(found)
}

pub(super) fn all() -> impl Iterator<Item = Proc> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| Proc::read(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// What a tree of processes uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, in clock ticks, of its processes and of those that have ended: what ends is waited for by its
    /// parent, or by the root, and counts there from then on. A look at a tree that changes may miss a part.
    pub ticks: u64,
    /// Resident memory in pages; what processes share counts for each.
    pub pages: u64,
    /// How many processes, those not reaped yet among them.
    pub processes: u64,
}

/// What each tree below the given roots uses, in the roots' order, the roots themselves left out: one look at
/// `/proc` for all of them.
#[must_use]
pub fn usage(roots: &[i32]) -> Vec<Usage> {
    let parents: HashMap<i32, Proc> = all().map(|process| (process.pid, process)).collect();
    // Whose tree each process is in, learned on the way up: a process is passed once, however deep the trees are.
    let mut owners: HashMap<i32, Option<usize>> = HashMap::with_capacity(parents.len());
    let roots_at: HashMap<i32, usize> = roots.iter().enumerate().map(|(at, &root)| (root, at)).collect();
    let mut sums = vec![Usage::default(); roots.len()];
    let mut way = Vec::new();
    for process in parents.values() {
        let mut pid = process.pid;
        way.clear();
        let owner = loop {
            if let Some(&owner) = owners.get(&pid) {
                break owner;
            }
            way.push(pid);
            // A loop that a racing read may show ends here.
            owners.insert(pid, None);
            let Some(parent) = parents.get(&pid).map(|process| process.parent) else { break None };
            match roots_at.get(&parent) {
                Some(&at) => break Some(at),
                None => pid = parent,
            }
        };
        owners.extend(way.iter().map(|&pid| (pid, owner)));
        if let Some(at) = owner {
            sums[at].add(process);
        }
    }
    for (sum, root) in sums.iter_mut().zip(roots) {
        sum.ticks += parents.get(root).map_or(0, |root| root.waited_ticks);
    }
    sums
}

impl Usage {
    fn add(&mut self, process: &Proc) {
        self.ticks += process.ticks + process.waited_ticks;
        self.pages += process.pages;
        self.processes += 1;
    }
}

/// What one tree uses, at a price that follows the tree: see [`tree`]. No processor time counts twice, whatever ends
/// meanwhile: who may wait for a process is read before it.
#[must_use]
pub fn usage_of(root: i32) -> Usage {
    let mut sum = Usage { ticks: Proc::read(root).map_or(0, |root| root.waited_ticks), ..Usage::default() };
    for process in tree_with_zombies(root).unwrap_or_else(|| below(root, all())) {
        if process.zombie {
            // It waits to be waited for: of all it had, its time is left.
            sum.ticks += process.ticks + process.waited_ticks;
        } else {
            sum.add(&process);
        }
    }
    sum
}

/// Clock ticks in a second (`CLK_TCK`, sysconf(3)).
#[must_use]
pub fn ticks_a_second() -> u64 {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0).unwrap_or(100)
}

/// The memory of the tree below `root` in bytes, with what processes share counted once: exact, and dear. A
/// process that may not be asked counts with all its resident memory.
#[must_use]
pub fn proportional_memory(root: i32, page_bytes: u64) -> u64 {
    let of = |process: &Proc| {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(line.trim().split(' ').next()?.parse::<u64>().ok()? * 1024)
    };
    tree(root).iter().map(|process| of(process).unwrap_or(process.pages * page_bytes)).sum()
}

/// How many processes there are on this machine.
#[must_use]
pub fn count() -> usize {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter(|entry| entry.as_ref().is_ok_and(|entry| starts_with_digit(&entry.file_name()))).count()
}

fn starts_with_digit(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit)
}

/// The folder a process is in.
#[must_use]
pub fn cwd(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_with_brackets_and_spaces_is_read_right() {
        let stat =
            b"42 (a\xff) b (c)) S 7 42 9 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 1234 8192 5 18446744073709551615 0";
        let process = Proc::parse(42, stat).unwrap();
        assert_eq!((process.parent, process.session, process.started), (7, 9, 1234));
        assert_eq!((process.ticks, process.pages, process.zombie), (7, 5, false));
        assert_eq!(process.waited_ticks, 0);
        let half_dead = b"42 (x) Z 7 42 9 0 -1 0 1 0 0 0 3 4 0 0 20 0 2 0 1234 8192 5";
        assert!(!Proc::parse(42, half_dead).unwrap().zombie, "its other threads live");
        let dead = b"42 (x) Z 7 42 9 0 -1 0 1 0 0 0 3 4 0 0 20 0 1 0 1234 8192 5";
        assert!(Proc::parse(42, dead).unwrap().zombie);
    }

    /// Of a tree of short-lived processes hardly one is there at a look, and what they have used is nearly all there is.
    #[test]
    fn processor_time_is_that_of_the_dead_too_and_as_the_kernel_counts_it() {
        // The root takes what is orphaned, as a shim does: at last a loop whose parent has gone.
        const ROOT: &str = "import ctypes, os, resource, subprocess
ctypes.CDLL(None).prctl(36, 1)
shell = subprocess.Popen(['sh', '-c', '''
n=0; while [ $n -lt 200 ]; do head -c 1000000 /dev/zero | sha256sum >/dev/null; n=$((n+1)); done
(sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done' &) | cat
echo done; read line'''])
while os.wait()[0] != shell.pid: os.write(1, b'taken\\n')
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)";
        let mut command = Command::new("python3");
        let mut root = command.args(["-c", ROOT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(root.stdout.take().unwrap()));
        // Of a process that is just being waited for there is a moment in which neither it nor its parent has its time.
        let mut told = [(); 2].map(|()| lines.next().unwrap().unwrap());
        told.sort();
        assert_eq!(told, ["done", "taken"]);
        let pid = root.id().cast_signed();
        let (one, of_many) = (usage_of(pid), usage(&[pid])[0]);
        drop(root.stdin.take());
        let kernel: f64 = lines.next().unwrap().unwrap().parse().unwrap();
        root.wait().unwrap();
        assert!(kernel > 0.5, "{kernel} s: enough to compare");
        for used in [one, of_many] {
            #[allow(clippy::cast_precision_loss, reason = "they are few")]
            let seconds = used.ticks as f64 / ticks_a_second() as f64;
            assert!((seconds - kernel).abs() < 0.05 * kernel, "{seconds} s, the kernel says {kernel} s");
        }
    }

    #[test]
    fn children_and_grandchildren_are_found() {
        // What has spoken is past its exec, and as large as it will be.
        let mut shell = Command::new("sh")
            .args(["-c", "exec 3<&0; sh -c 'echo started; read x' <&3 & wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(shell.stdout.as_mut().unwrap()), &mut line).unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        let shell_pid = i32::try_from(shell.id()).unwrap();
        let below = descendants(shell_pid);
        assert_eq!(below.len(), 1, "{below:?}");
        let of = |found: Vec<Proc>| found.into_iter().map(|process| process.pid).collect::<HashSet<_>>();
        assert_eq!(of(tree(shell_pid)), of(below.clone()), "either way of looking");
        assert!(descendants(me).iter().any(|process| process.pid == below[0].pid));
        let used = usage(&[shell_pid, me])[0];
        assert!(used.pages > 0 && used.processes == 1, "{used:?}");
        assert_eq!(usage_of(shell_pid).processes, 1);
        assert!(usage(&[me])[0].processes >= 2, "a tree is all that is below");
        let exact = proportional_memory(shell_pid, 4096);
        assert!(exact > 0 && exact <= used.pages * 4096, "{exact} of {used:?}");
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
