//! Ends orphaned processes: those of a run whose shim was killed.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    sync::OnceLock,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    environment::Environment,
    tree::{Proc, descendants, tree},
};

/// How often a tree is looked at again for what it has forked meanwhile.
pub(super) const LOOKS: usize = 16;

/// How long a shim may take to end once its pipes are closed.
const HANDING_ON: Duration = Duration::from_secs(1);

/// A run whose shim was ended from outside.
#[derive(Debug, Clone)]
pub struct Orphaned {
    /// What `TERMI_RUN` is in its environment.
    pub run_id: String,
    /// Its program, which leads a kernel session.
    pub program: i32,
    /// The program was reaped: its pid may be another process's by now.
    pub reaped: bool,
    /// Its shim, which has ended or is about to.
    pub shim: i32,
}

/// Children that this process had before it was this host, as those of a shell that has become one, and the shims of a
/// daemon that another binary has taken over: nobody's strays.
static INHERITED: OnceLock<HashSet<(i32, u64)>> = OnceLock::new();

/// Notes which children this process has already.
pub fn note_inherited() {
    let me = std::process::id().cast_signed();
    let children = descendants(me).into_iter().filter(|child| child.parent == me);
    let _ = INHERITED.set(children.map(|child| (child.pid, child.started)).collect());
}

impl Orphaned {
    /// Ends what the run has left behind: the host, as the next subreaper, has inherited it. Returns how many processes
    /// there were.
    #[must_use]
    pub fn end(&self) -> usize {
        let me = std::process::id().cast_signed();
        self.await_shim(me);
        let mut ended = HashMap::new();
        for _ in 0..LOOKS {
            let found = freeze(|| {
                let below = descendants(me);
                let strays = without_shim(&below);
                let mut found = self.among(below);
                found.extend(strays);
                found
            });
            if found.is_empty() {
                break;
            }
            // Whoever was found is known by its pid and start time together, and counts once.
            ended.extend(found.iter().map(|process| ((process.pid, process.started), ())));
            found.iter().for_each(end_now);
        }
        ended.len()
    }

    /// The kernel closes the shim's pipes a moment before it hands its children on.
    fn await_shim(&self, me: i32) {
        let until = Instant::now() + HANDING_ON;
        let lives = |shim: Proc| shim.parent == me && !shim.zombie;
        while Proc::read(self.shim).is_some_and(lives) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn among(&self, below: Vec<Proc>) -> Vec<Proc> {
        // A number that still leads a session is not given to another process; one that leads it again is.
        let is_reused = self.reaped && below.iter().any(|process| process.pid == self.program);
        let is_ours =
            |process: &Proc| match Environment::of(process.pid).as_ref().and_then(|env| env.variable("TERMI_RUN")) {
                Some(run) => run == self.run_id.as_bytes(),
                None => process.session == self.program && !is_reused,
            };
        below.into_iter().filter(is_ours).collect()
    }
}

/// Of what is below this process, what is below none of its shims. A host's own children are shims, which are this very
/// program; what else there is has lost its shim, whatever its environment and its kernel session say.
fn without_shim(below: &[Proc]) -> Vec<Proc> {
    let me = std::process::id().cast_signed();
    let is_inherited =
        |process: &Proc| INHERITED.get().is_some_and(|children| children.contains(&(process.pid, process.started)));
    let is_stray = |process: &Proc| {
        process.parent == me && !is_inherited(process) && process.has_executed && !is_this_program(process.pid)
    };
    let mut strays: HashSet<i32> =
        below.iter().filter(|process| is_stray(process)).map(|process| process.pid).collect();
    // Each process is read before its children, or not at all.
    loop {
        let more: Vec<i32> = below
            .iter()
            .filter(|process| strays.contains(&process.parent) && !strays.contains(&process.pid))
            .map(|process| process.pid)
            .collect();
        if more.is_empty() {
            break;
        }
        strays.extend(more);
    }
    below.iter().filter(|process| strays.contains(&process.pid)).copied().collect()
}

/// A shim, or a process that is about to become one.
fn is_this_program(pid: i32) -> bool {
    let exe = |pid: &str| fs::metadata(format!("/proc/{pid}/exe")).map(|meta| (meta.dev(), meta.ino())).ok();
    exe("self").is_some_and(|own| exe(&pid.to_string()) == Some(own))
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
    if process.pid > 1 && process.again().is_some() {
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
            let orphaned = Orphaned { run_id: run.into(), program, reaped, shim: -1 };
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
