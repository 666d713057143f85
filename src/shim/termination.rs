//! Terminates a process tree, step by step, without ever signalling anything outside of it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::process::{Proc, descendants, tree};

/// Between signalling the program's own group and looking for others: most runs are over by then, and a look
/// at all of `/proc` is what a termination costs.
const GROUP_LEAD: Duration = Duration::from_millis(20);

/// Between SIGHUP and SIGTERM: whoever handles SIGHUP gets to do so.
const HANGUP_LEAD: Duration = Duration::from_millis(100);

/// Between two looks once SIGKILL is being sent: a tree may fork faster than it is read.
const KILL_INTERVAL: Duration = Duration::from_millis(10);

/// How long SIGKILL is repeated before giving up: only another user's processes survive that.
const KILL_TIMEOUT: Duration = Duration::from_millis(1000);

/// Which processes a termination is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All below the shim.
    Tree,
    /// Those below the shim that are still in the program's kernel session.
    Session(i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Group,
    First,
    Terminate,
    Kill,
}

/// A termination under way.
#[derive(Debug)]
pub(super) struct Termination {
    scope: Scope,
    signal: Option<i32>,
    begun: Instant,
    grace: Duration,
    stage: Stage,
    next: Instant,
    left: usize,
}

impl Termination {
    /// `group` is the program while it is not reaped: its group's number cannot be anyone else's.
    pub(super) fn begin(scope: Scope, group: Option<Pid>, signal: Option<i32>, grace: Duration) -> Self {
        let begun = Instant::now();
        let mut termination = Self { scope, signal, begun, grace, stage: Stage::First, next: begun, left: 0 };
        if let Some(program) = group {
            let first = termination.first();
            for signal in std::iter::once(first).chain((first != libc::SIGSTOP).then_some(libc::SIGCONT)) {
                if let Ok(signal) = Signal::try_from(signal) {
                    let _ = killpg(program, signal);
                }
            }
            termination.stage = Stage::Group;
            termination.next = begun + GROUP_LEAD;
        }
        termination
    }

    fn first(&self) -> i32 {
        self.signal.unwrap_or(libc::SIGHUP)
    }

    /// When [`step`](Self::step) wants to be called next.
    pub(super) fn next_step(&self) -> Instant {
        self.next
    }

    /// How many of the processes were there at the last look.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Does what is due; true when it is over: nothing of the scope is left, or nothing more can be done.
    pub(super) fn step(&mut self) -> bool {
        let due = Instant::now() >= self.next;
        if self.stage == Stage::Group && !due {
            return false;
        }
        let is_target = |process: &Proc| match self.scope {
            Scope::Tree => true,
            Scope::Session(session) => process.session == session,
        };
        // Many shims may be at this at once: all of `/proc` is only read to be sure that nobody is left.
        let mut below = tree(pid_of_self());
        if !below.iter().any(is_target) {
            below = descendants(pid_of_self());
        }
        let targets: Vec<&Proc> = below.iter().filter(|process| is_target(process)).collect();
        if targets.is_empty() {
            // What is left is not of this termination's scope, and lives on.
            self.left = below.len();
            // Zombies still to be reaped: the caller's next look at waitpid decides.
            self.next = Instant::now() + KILL_INTERVAL;
            return self.scope != Scope::Tree || self.begun.elapsed() > self.grace + KILL_TIMEOUT;
        }
        self.left = targets.len();
        if !due {
            return false;
        }
        let elapsed = self.begun.elapsed();
        match self.stage {
            Stage::Group | Stage::First => {
                let first = self.first();
                for process in &targets {
                    send(process, first);
                    if first != libc::SIGSTOP {
                        send(process, libc::SIGCONT);
                    }
                }
                let lead = if self.signal.is_some() { self.grace } else { HANGUP_LEAD.min(self.grace) };
                (self.stage, self.next) = if first == libc::SIGKILL {
                    (Stage::Kill, Instant::now() + KILL_INTERVAL)
                } else {
                    (if self.signal.is_some() { Stage::Kill } else { Stage::Terminate }, self.begun + lead)
                };
            }
            Stage::Terminate => {
                for process in &targets {
                    send(process, libc::SIGTERM);
                    send(process, libc::SIGCONT);
                }
                self.stage = Stage::Kill;
                self.next = self.begun + self.grace;
            }
            Stage::Kill => {
                if elapsed > self.grace + KILL_TIMEOUT {
                    return true;
                }
                freeze(&targets, self.scope);
                for process in &targets {
                    send(process, libc::SIGKILL);
                }
                self.next = Instant::now() + KILL_INTERVAL;
            }
        }
        false
    }
}

/// Stops a tree that may be forking, round by round, until a look shows nobody new.
fn freeze(targets: &[&Proc], scope: Scope) {
    let mut known: HashMap<i32, u64> = HashMap::new();
    let mut found: Vec<Proc> = targets.iter().map(|process| **process).collect();
    for _ in 0..16 {
        let mut fresh = 0;
        for process in &found {
            if known.insert(process.pid, process.started) != Some(process.started) {
                send(process, libc::SIGSTOP);
                fresh += 1;
            }
        }
        if fresh == 0 || known.len() == 1 {
            return;
        }
        found = tree(pid_of_self());
        if let Scope::Session(session) = scope {
            found.retain(|process| process.session == session);
        }
    }
}

/// Signals a process if it is still the one that was read: its pid may have been reused since.
fn send(process: &Proc, signal: i32) {
    let same = process.again().is_some();
    if same && process.pid > 1 && process.pid != pid_of_self() {
        // A real-time signal has no name in nix.
        match Signal::try_from(signal) {
            Ok(signal) => _ = kill(Pid::from_raw(process.pid), signal),
            // SAFETY: a plain system call on numbers.
            Err(_) => _ = unsafe { libc::kill(process.pid, signal) },
        }
    }
}

fn pid_of_self() -> i32 {
    Pid::this().as_raw()
}
