//! A control group of a run's own (cgroups(7), version 2), where the user's is delegated: the kernel then holds
//! the tree to its memory at once, where the watch over `/proc` may be a moment late. Found, never required.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::unistd::Uid;

use crate::{
    process,
    protocol::{Limits, RunId},
};

/// The kernel's count is of threads, the limit of processes: only what is far beyond is stopped by it.
const THREADS_A_PROCESS: u64 = 16;

/// A control group that a run was started in. Removed when it is dropped, once it is empty.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    /// Processes that the kernel had ended there for their memory when the run began.
    killed_before: Killed,
}

/// How often the kernel has ended a process of a group for its memory (`memory.events`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Killed {
    /// The group itself was out of memory.
    oom: u64,
    /// Processes that were ended, by the machine's being out of memory among them.
    oom_kill: u64,
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
        let folder = self.folder.join(format!("{}{run}", prefix(std::process::id().cast_signed())?));
        match fs::create_dir(&folder) {
            // The run's earlier life left it.
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        let group = Cgroup::take_over(folder);
        let set = |file: &str, value: u64| fs::write(group.folder.join(file), value.to_string()).is_ok();
        // Older kernels cannot end the whole group at once, and then end its largest process.
        let _ = set("memory.oom.group", 1);
        // What may not be in memory is not to be in swap instead, where there is any.
        let _ = memory.map(|_| set("memory.swap.max", 0));
        let held = memory.is_none_or(|bytes| set("memory.max", bytes))
            && processes.is_none_or(|count| set("pids.max", count.saturating_mul(THREADS_A_PROCESS)));
        held.then_some(group)
    }
}

impl Cgroup {
    /// The group that another process has made for a run.
    pub fn take_over(folder: PathBuf) -> Self {
        let mut group = Self { folder, killed_before: Killed::default() };
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

    /// Whether the kernel has ended a process of it for its own limit of memory since it began, and not because the
    /// machine had none left.
    pub fn ran_out_of_memory(&self) -> bool {
        let (now, before) = (self.killed(), self.killed_before);
        now.oom > before.oom && now.oom_kill > before.oom_kill
    }

    fn killed(&self) -> Killed {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let count = |name: &str| {
            let line = events.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        };
        Killed { oom: count("oom"), oom_kill: count("oom_kill") }
    }

    /// Ends every process in it at once, where the kernel can (Linux 5.14).
    pub fn kill(&self) {
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
    }
}

/// Processor time that a group's processes have used, in milliseconds, whatever became of them.
pub fn cpu_ms(folder: &Path) -> Option<u64> {
    let stat = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    let used = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    Some(used.trim().parse::<u64>().ok()? / 1000)
}

/// How the names of a host's groups begin: whose they are can be told after its end. None where /proc does not say.
fn prefix(host: i32) -> Option<String> {
    let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
    Some(format!("termi-{namespace}-{host}-{}-", process::Proc::read(host)?.started))
}

/// How long the kernel may take to empty a group.
const EMPTYING_TIMEOUT: Duration = Duration::from_secs(2);

impl Delegated {
    /// Ends what is in groups of hosts that are gone, and removes the groups. Gives how many processes there were.
    pub fn sweep(&self) -> usize {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let left = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left)).map(|entry| entry.path());
        left.map(|folder| end_group(&folder)).sum()
    }
}

/// Whether a group's name says that it is of a host of these process numbers which is gone.
fn is_left(name: &str) -> bool {
    let mut parts = name.strip_prefix("termi-").into_iter().flat_map(|rest| rest.split('-'));
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (Some(namespace), Some(host), Some(started)) = (number(), number(), number()) else { return false };
    let here = fs::metadata("/proc/self/ns/pid").is_ok_and(|meta| meta.ino() == namespace);
    let Ok(host) = i32::try_from(host) else { return false };
    here && host > 0 && process::Proc::read(host).is_none_or(|now| now.started != started)
}

fn end_group(folder: &Path) -> usize {
    let until = Instant::now() + EMPTYING_TIMEOUT;
    let count = processes(folder).len();
    if fs::write(folder.join("cgroup.kill"), "1").is_err() {
        process::end_all(&processes(folder));
    }
    while remove(folder).is_err() && folder.exists() && Instant::now() < until {
        // Older kernels cannot end it at once: it may have forked meanwhile.
        process::end_all(&processes(folder));
        std::thread::sleep(Duration::from_millis(5));
    }
    count
}

/// The processes of a group and of those below it.
fn processes(folder: &Path) -> Vec<i32> {
    let own = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<i32> = own.lines().filter_map(|pid| pid.parse().ok()).filter(|&pid| pid > 1).collect();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(processes(&entry.path()));
        }
    }
    found
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
        assert_eq!(fs::read_to_string(made.folder().join("memory.swap.max")).unwrap(), "0");
        fs::write(made.folder().join("memory.events"), "oom 0\noom_kill 1\n").unwrap();
        assert!(!made.ran_out_of_memory(), "the machine had none left");
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

    #[test]
    fn a_group_is_left_when_its_host_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let host = child.id().cast_signed();
        let name = format!("{}{}", prefix(host).unwrap(), RunId::new());
        assert!(!is_left(&name), "it lives");
        assert!(!is_left("termi-3b1c") && !is_left("other") && !is_left(&name.replacen("termi-", "termi-1", 1)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_left(&name));
    }

    /// A real one, where this user may make any: no controllers are needed for it.
    #[test]
    fn what_is_in_a_left_group_is_ended_with_it() {
        let mount = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
        let Some(mount) = mount.into_iter().find(|mount| mount.join("cgroup.procs").exists()) else { return };
        let mut host = std::process::Command::new("true").spawn().unwrap();
        let folder = mount.join(format!("{}{}", prefix(host.id().cast_signed()).unwrap(), RunId::new()));
        host.wait().unwrap();
        if fs::create_dir_all(folder.join("nested")).is_err() {
            return;
        }
        let mut programs = [folder.clone(), folder.join("nested")].map(|folder| {
            let line = "echo 0 >\"$0/cgroup.procs\"; echo in; trap '' HUP TERM; while :; do sleep 1000; done";
            let mut program = std::process::Command::new("sh");
            let mut program =
                program.args(["-c", line]).arg(&folder).stdout(std::process::Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(program.stdout.as_mut().unwrap()), &mut said)
                .unwrap();
            program
        });
        let delegated = Delegated { folder: mount, memory: false, pids: false };
        assert!(delegated.sweep() >= 2);
        assert!(!folder.exists());
        for program in &mut programs {
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(program.wait().unwrap().signal(), Some(libc::SIGKILL));
        }
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
