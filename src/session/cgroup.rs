//! A control group of a run's own (cgroups(7), version 2), where the user's is delegated: the kernel then holds
//! the tree to its memory at once, where the watch over `/proc` may be a moment late. Found, never required.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::protocol::{Limits, RunId};

/// The kernel's count is of threads, the limit of processes: only what is far beyond is stopped by it.
const THREADS_A_PROCESS: u64 = 16;

/// A control group that a run was started in. Removed when it is dropped, once it is empty.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    /// Processes that the kernel had ended there for their memory when the run began.
    killed_before: u64,
}

/// Where control groups of the user's own can be made, and what they can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegated {
    folder: PathBuf,
    memory: bool,
    pids: bool,
}

impl Delegated {
    /// Looks for it: the nearest group above the host's own that belongs to the user and hands controllers on.
    ///
    /// # Errors
    /// Says why there is none, for a person.
    pub fn find() -> Result<Self, String> {
        if Uid::effective().is_root() {
            // Root owns every group, which says nothing of whose it is: others (systemd) rule there.
            return Err("not used by root".to_owned());
        }
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
        Self::find_below(Path::new("/sys/fs/cgroup"), &own, Uid::effective().as_raw())
    }

    fn find_below(mount: &Path, own: &str, user: u32) -> Result<Self, String> {
        let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return Err("this system has no control groups of version 2".to_owned());
        };
        let start = mount.join(own);
        for folder in start.ancestors().take_while(|folder| folder.starts_with(mount)) {
            let is_users = fs::metadata(folder.join("cgroup.procs")).is_ok_and(|meta| meta.uid() == user);
            let handed_on = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
            let has = |controller: &str| handed_on.split_whitespace().any(|word| word == controller);
            let (memory, pids) = (has("memory"), has("pids"));
            if is_users && (memory || pids) {
                return Ok(Self { folder: folder.to_owned(), memory, pids });
            }
        }
        Err(format!("/{own} is not delegated to this user, or hands on neither memory nor pids"))
    }

    /// Where it is, and which limits are held there.
    pub fn describe(&self) -> String {
        let held: Vec<&str> = [(self.memory, "memory"), (self.pids, "processes")]
            .into_iter()
            .filter_map(|(holds, what)| holds.then_some(what))
            .collect();
        format!("{} holds {}", self.folder.display(), held.join(" and "))
    }

    /// Makes a group for a run; none when there is nothing for it to hold, or it cannot be made.
    pub fn make(&self, run: &RunId, limits: &Limits) -> Option<Cgroup> {
        let memory = limits.memory_bytes.filter(|_| self.memory);
        let processes = limits.processes.filter(|_| self.pids);
        if memory.is_none() && processes.is_none() {
            return None;
        }
        let folder = self.folder.join(format!("termi-{run}"));
        match fs::create_dir(&folder) {
            // The run's earlier life left it.
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        let group = Cgroup::take_over(folder);
        let set = |file: &str, value: u64| fs::write(group.folder.join(file), value.to_string()).is_ok();
        // Older kernels cannot end the whole group at once, and then end its largest process.
        let _ = set("memory.oom.group", 1);
        let held = memory.is_none_or(|bytes| set("memory.max", bytes))
            && processes.is_none_or(|count| set("pids.max", count.saturating_mul(THREADS_A_PROCESS)));
        held.then_some(group)
    }
}

impl Cgroup {
    /// The group that another process has made for a run.
    pub fn take_over(folder: PathBuf) -> Self {
        let mut group = Self { folder, killed_before: 0 };
        group.begin();
        group
    }

    /// A program is started in it, perhaps another than before: what the kernel has counted until now is not its.
    pub fn begin(&mut self) {
        self.killed_before = self.killed();
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the kernel has ended a process of it for its memory since it began.
    pub fn ran_out_of_memory(&self) -> bool {
        self.killed() > self.killed_before
    }

    fn killed(&self) -> u64 {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

/// Processor time that a group's processes have used, in milliseconds, whatever became of them.
pub fn cpu_ms(folder: &Path) -> Option<u64> {
    let stat = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    let used = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    Some(used.trim().parse::<u64>().ok()? / 1000)
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The kernel refuses while a process is in it; then it stays until the session's manager cleans up.
        let _ = remove(&self.folder);
    }
}

/// Removes a group and those that its programs have made below it, as rootless containers do: the kernel removes none
/// that has others in it.
fn remove(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = remove(&entry.path());
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files as the kernel shows them; what the kernel does with them cannot be seen here.
    fn group(folder: &Path, handed_on: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("cgroup.procs"), "").unwrap();
        fs::write(folder.join("cgroup.subtree_control"), handed_on).unwrap();
    }

    #[test]
    fn the_nearest_group_of_the_users_own_that_hands_controllers_on_is_found() {
        let mount = tempfile::tempdir().unwrap();
        let user = Uid::effective().as_raw();
        let slice = mount.path().join("user.slice/app.slice");
        group(&slice, "memory pids\n");
        group(&slice.join("editor.scope"), "\n");
        let own = "1:name=systemd:/x\n0::/user.slice/app.slice/editor.scope\n";
        let found = Delegated::find_below(mount.path(), own, user).unwrap();
        assert_eq!(found, Delegated { folder: slice.clone(), memory: true, pids: true });
        assert!(Delegated::find_below(mount.path(), own, user + 1).is_err(), "another user's");
        assert!(Delegated::find_below(mount.path(), "4:memory:/x\n", user).is_err(), "version 1");

        let run = RunId::new();
        assert!(found.make(&run, &Limits { cpu_seconds: Some(1), ..Limits::default() }).is_none());
        let limits = Limits { memory_bytes: Some(1 << 20), processes: Some(4), ..Limits::default() };
        let made = found.make(&run, &limits).unwrap();
        assert_eq!(fs::read_to_string(made.folder().join("memory.max")).unwrap(), "1048576");
        assert_eq!(fs::read_to_string(made.folder().join("pids.max")).unwrap(), "64");
        assert!(!made.ran_out_of_memory());
        fs::write(made.folder().join("memory.events"), "oom 1\noom_kill 1\n").unwrap();
        assert!(made.ran_out_of_memory());
        let mut again = Cgroup::take_over(made.folder().to_owned());
        assert!(!again.ran_out_of_memory(), "that was an earlier life");
        fs::write(made.folder().join("memory.events"), "oom 2\noom_kill 2\n").unwrap();
        assert!(again.ran_out_of_memory());
        again.begin();
        assert!(!again.ran_out_of_memory());
        std::mem::forget(again);
        assert_eq!(cpu_ms(made.folder()), None);
        fs::write(made.folder().join("cpu.stat"), "usage_usec 1234567\nuser_usec 1000000\n").unwrap();
        assert_eq!(cpu_ms(made.folder()), Some(1234));
    }

    /// Of a real group nothing but groups can be removed, and its files need not be.
    #[test]
    fn a_group_goes_with_those_that_its_programs_made_in_it() {
        let mount = tempfile::tempdir().unwrap();
        let folder = mount.path().join("termi-x");
        fs::create_dir_all(folder.join("container/init")).unwrap();
        fs::create_dir(folder.join("other")).unwrap();
        drop(Cgroup::take_over(folder.clone()));
        assert!(!folder.exists());
    }
}
