//! Ending processes whose shim cannot do it any more.

use std::{collections::HashMap, fs};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::tree::{Proc, descendants, tree};

/// How often a tree is looked at again for what it has forked meanwhile.
pub(super) const LOOKS: usize = 16;

/// A run whose shim was ended from outside.
#[derive(Debug, Clone)]
pub struct Orphaned {
    /// What `TERMI_RUN` is in its environment.
    pub run_id: String,
    /// Its program, which leads a kernel session.
    pub program: i32,
    /// The program was reaped: its pid may be another process's by now.
    pub reaped: bool,
}

impl Orphaned {
    /// Ends what the run has left behind: the host, as the next subreaper, has inherited it. Returns how many processes
    /// there were.
    #[must_use]
    pub fn end(&self) -> usize {
        let me = std::process::id().cast_signed();
        let mut ended = HashMap::new();
        for _ in 0..LOOKS {
            let found = freeze(|| self.among(descendants(me)));
            if found.is_empty() {
                break;
            }
            // Whoever was found is known by its pid and start time together, and counts once.
            ended.extend(found.iter().map(|process| ((process.pid, process.started), ())));
            found.iter().for_each(end_now);
        }
        ended.len()
    }

    fn among(&self, below: Vec<Proc>) -> Vec<Proc> {
        // A number that still leads a session is not given to another process; one that leads it again is.
        let is_reused = self.reaped && below.iter().any(|process| process.pid == self.program);
        let is_ours = |process: &Proc| match run_of(process.pid) {
            Some(run) => run == self.run_id.as_bytes(),
            None => process.session == self.program && !is_reused,
        };
        below.into_iter().filter(is_ours).collect()
    }
}

/// The run that a process was started in, as its environment says: none if it has no such variable, or may not be
/// asked.
fn run_of(pid: i32) -> Option<Vec<u8>> {
    let env = fs::read(format!("/proc/{pid}/environ")).ok()?;
    env.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(b"TERMI_RUN=")).map(<[u8]>::to_vec)
}

/// Ends these processes, as far as they are still there.
pub fn end_all(pids: &[i32]) {
    freeze(|| pids.iter().filter_map(|pid| Proc::read(*pid)).filter(|process| !process.zombie).collect())
        .iter()
        .for_each(end_now);
}

/// Ends a process and all below it.
pub fn end_tree(root: i32) {
    let Some(root) = Proc::read(root) else { return };
    let found = freeze(|| std::iter::once(root).chain(tree(root.pid)).collect());
    found.iter().for_each(end_now);
}

/// Stops processes until a look shows no new one: what is ended one by one may fork meanwhile. Gives all that were
/// found.
pub(super) fn freeze(look: impl Fn() -> Vec<Proc>) -> Vec<Proc> {
    let mut known: HashMap<i32, Proc> = HashMap::new();
    for _ in 0..LOOKS {
        let is_new = |process: &Proc| known.get(&process.pid).is_none_or(|known| known.started != process.started);
        let fresh: Vec<Proc> = look().into_iter().filter(is_new).collect();
        if fresh.is_empty() {
            break;
        }
        for process in fresh {
            send(&process, Signal::SIGSTOP);
            known.insert(process.pid, process);
        }
    }
    known.into_values().collect()
}

pub(super) fn end_now(process: &Proc) {
    send(process, Signal::SIGKILL);
}

/// Signals a process if it is still the one that was read: its pid may have been reused since.
fn send(process: &Proc, signal: Signal) {
    if process.pid > 1 && Proc::read(process.pid).is_some_and(|now| now.started == process.started) {
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::BufRead,
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// The leader of a kernel session of its own, with another process in it.
    fn session(run: Option<&str>) -> Child {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", "sleep 1000 & echo ready; wait"]).env_remove("TERMI_RUN").stdout(Stdio::piped());
        let mut leader = command.envs(run.map(|run| ("TERMI_RUN", run))).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(leader.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        leader
    }

    #[test]
    fn a_session_whose_number_was_given_to_another_run_is_left_alone() {
        let of = |child: &Child, run: &str, reaped: bool| {
            let program = child.id().cast_signed();
            let orphaned = Orphaned { run_id: run.into(), program, reaped };
            orphaned.among(tree(std::process::id().cast_signed())).len()
        };
        let mut others = session(Some("other"));
        let mut nameless = session(None);
        // What a program's pid was is another run's, or nobody knows whose.
        assert_eq!(of(&others, "ours", true), 0);
        assert_eq!(of(&nameless, "ours", true), 0);
        assert_eq!(of(&nameless, "ours", false), 2, "its pid is its own while it is not reaped");
        assert_eq!(of(&others, "other", true), 2, "by their environment");
        for child in [&mut others, &mut nameless] {
            end_tree(child.id().cast_signed());
            child.wait().unwrap();
        }
    }
}
