//! The life of the program: its exit, the drain of its output after it, kills, and what is left of its process tree.

use std::time::{Duration, Instant, SystemTime};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{DRAIN_TIMEOUT, KILL_TIMEOUT, REOPEN_INTERVAL, Run, output::push_line};
use crate::{
    process,
    protocol::{Event, Exit, Status},
    session::{
        client::json_lines::LineSplitter,
        message::KillOutcome,
        program::{cgroup::Cgroup, kill::Kill, limits},
        services::Announcement,
    },
    shim::{Order, Report},
    units,
};

/// How far a run's life has come.
pub(super) enum Life {
    Active,
    /// The program has exited; what it wrote may not all have been read.
    Draining {
        exit: Exit,
        until: Instant,
    },
    Ended {
        exit: Exit,
        at: SystemTime,
        lasted: Duration,
    },
}

/// A kill under way.
pub(super) struct Killing {
    pub asked: Vec<oneshot::Sender<KillOutcome>>,
    pub was_running: bool,
    pub give_up: Instant,
}

/// How far the program's life has come, and what became of it.
pub(super) struct Lifecycle {
    pub life: Life,
    pub status: Status,
    pub reason: Option<String>,
    pub killing: Option<Killing>,
    /// The kernel ended the program for a limit: what it started is to go too.
    pub kill_leftovers: bool,
    /// How many processes live on after its end.
    pub left_running: usize,
    /// The number is that after its end.
    pub is_left_known: bool,
    /// Requests for the number, answered once it is known.
    pub left_requests: Vec<oneshot::Sender<usize>>,
    /// The shim has said that nothing is left below it.
    pub tree_gone: bool,
}

impl Lifecycle {
    /// Of a program that has just started.
    pub fn new() -> Self {
        Self {
            life: Life::Active,
            status: Status::Active,
            reason: None,
            killing: None,
            kill_leftovers: false,
            left_running: 0,
            is_left_known: false,
            left_requests: Vec::new(),
            tree_gone: false,
        }
    }

    /// The program's next life: all is as at the start, but who waits still waits.
    pub fn restart(&mut self) {
        *self = Self { left_requests: std::mem::take(&mut self.left_requests), ..Self::new() };
    }
}

impl Run {
    pub(super) fn reported(&mut self, report: Report) {
        match report {
            Report::Exited { code, signal, cpu_ms, lasted_ms, alone } => {
                self.lifecycle.tree_gone = alone;
                let now = Instant::now();
                let until = now + DRAIN_TIMEOUT;
                // On a busy machine the host hears of a start some time after it.
                if let Some(begun) = now.checked_sub(Duration::from_millis(lasted_ms)) {
                    self.program.started = self.program.started.min(begun);
                }
                let exit = Exit { code, signal };
                self.name_limit(exit, cpu_ms);
                self.lifecycle.life = Life::Draining { exit, until };
                self.read();
            }
            Report::Settled { left } => {
                self.lifecycle.tree_gone = left == 0;
                if !matches!(self.lifecycle.life, Life::Ended { .. }) {
                    self.lifecycle.left_running = left;
                }
                // Whoever shared the terminal is gone: what it holds now is all there is.
                self.finish_draining();
                self.left(left);
            }
            Report::Killed { processes, left } => {
                self.lifecycle.tree_gone = left == 0;
                self.finish_draining();
                self.left(left);
                self.answer_killing(processes, left);
            }
            Report::Started { .. } | Report::StartFailed(_) => {}
        }
    }

    /// If it was the kernel that ended the program for one of its limits, that is what became of it.
    fn name_limit(&mut self, exit: Exit, cpu_ms: u64) {
        if self.lifecycle.status != Status::Active {
            return;
        }
        let limits = &self.identity.limits;
        let memory = || {
            let held = self.identity.cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory);
            let limit = units::bytes(limits.memory_bytes?);
            held.then(|| {
                format!("wanted more memory than its limit (memory_bytes) of {limit}, and the kernel ended it")
            })
        };
        if let Some(reason) = limits::passed_cpu(limits, exit, cpu_ms).or_else(memory) {
            warn!("{} {reason}", self.identity.command.program);
            (self.lifecycle.status, self.lifecycle.reason, self.lifecycle.kill_leftovers) =
                (Status::Killed, Some(reason), true);
        }
    }

    /// Everything below the shim is gone, or the shim was ended from outside.
    pub(super) async fn shim_gone(&mut self) {
        self.program.link = None;
        self.program.watch = None;
        // A shim that was ended from outside leaves its tree to the host. To look for it means to read of every
        // process, which for hundreds of runs that end at once would be most of what the host does.
        let processes = if self.lifecycle.tree_gone { 0 } else { self.end_orphans().await };
        if matches!(self.lifecycle.life, Life::Active) {
            self.lifecycle.status = Status::Failed;
            self.lifecycle.reason = Some("the process that watched over it was ended from outside".to_owned());
            warn!("run {} lost its shim; {processes} processes ended", self.identity.run_id.short());
            self.read_rest();
            self.end(Exit::default());
        } else {
            self.finish_draining();
        }
        self.left(0);
        self.answer_killing(0, 0);
    }

    /// Ends what is left of the run without its shim; gives how many processes there were. To look at a process that
    /// waits for a disk may mean to wait with it, which is nobody else's wait, nor for ever this run's.
    pub(super) async fn end_orphans(&self) -> usize {
        const ORPHANS_TIMEOUT: Duration = Duration::from_secs(2);
        let orphaned = process::Orphaned {
            run_id: self.identity.run_id.as_str().to_owned(),
            program: self.program.pid,
            reaped: !matches!(self.lifecycle.life, Life::Active),
            shim: self.program.shim_pid,
        };
        if let Some(group) = &self.identity.cgroup {
            group.kill();
        }
        let ending = tokio::task::spawn_blocking(move || orphaned.end());
        tokio::time::timeout(ORPHANS_TIMEOUT, ending).await.ok().and_then(Result::ok).unwrap_or(0)
    }

    pub(super) fn terminal_closed(&mut self) {
        match self.lifecycle.life {
            Life::Draining { exit, .. } => self.end(exit),
            // The program closed its terminal and lives on: it may open it again (/dev/tty), and to hang up would kill it.
            Life::Active => self.output.closed_until = Some(Instant::now() + REOPEN_INTERVAL),
            Life::Ended { .. } => {}
        }
    }

    pub(super) fn finish_draining(&mut self) {
        if let Life::Draining { exit, .. } = self.lifecycle.life {
            self.read_rest();
            self.end(exit);
        }
    }

    pub(super) fn end(&mut self, exit: Exit) {
        if matches!(self.lifecycle.life, Life::Ended { .. }) {
            return;
        }
        self.terminal.end_sync();
        if let Some(line) = self.output.splitter.as_mut().and_then(LineSplitter::end) {
            push_line(line, &mut self.clients.subscribers);
        }
        self.program.master = None;
        self.input.queue.clear();
        let lasted = self.program.started.elapsed();
        let at = SystemTime::now();
        self.lifecycle.life = Life::Ended { exit, at, lasted };
        if self.lifecycle.status == Status::Active {
            self.lifecycle.status = Status::Exited;
        }
        info!("{} {}", self.identity.command.program, describe(exit));
        self.record_history(exit, at, lasted);
        self.after_output();
        self.end_notifications();
        self.agent_ends();
        let event = self.exit_event(exit, lasted);
        // Who has a view is told once it shows everything, who follows its lines once it has them all.
        let except = self.clients.end();
        let lives_on = !self.lifecycle.tree_gone && self.program.link.is_some();
        self.lifecycle.is_left_known = !lives_on;
        self.services.announcer.announce(Announcement::Ended { event, except, lives_on });
    }

    /// It is known, anew perhaps, how many processes of an ended run live on.
    fn left(&mut self, left: usize) {
        let was = std::mem::replace(&mut self.lifecycle.left_running, left);
        if !matches!(self.lifecycle.life, Life::Ended { .. }) {
            return;
        }
        if was != left {
            let (session_id, session_name, run_id) = self.ids();
            self.announce(Event::LeftRunning { session_id, session_name, run_id, left_running: left });
        }
        let run_id = self.identity.run_id.clone();
        self.services.announcer.announce(Announcement::Settled { run_id, lives_on: left > 0 });
        self.lifecycle.is_left_known = true;
        self.lifecycle.left_requests.drain(..).for_each(|reply| _ = reply.send(left));
    }

    pub(super) fn kill(&mut self, kill: Kill) -> impl Future<Output = bool> + '_ {
        let order = Order::Kill { signal: kill.signal, grace_ms: units::millis(kill.grace) };
        async move {
            match &mut self.program.link {
                Some(link) => link.order(order).await.is_ok(),
                None => false,
            }
        }
    }

    pub(super) async fn begin_kill(
        &mut self,
        kill: Kill,
        status: Status,
        reason: Option<String>,
        reply: Option<oneshot::Sender<KillOutcome>>,
    ) {
        let was_running = !matches!(self.lifecycle.life, Life::Ended { .. });
        if was_running && self.lifecycle.killing.is_none() {
            self.lifecycle.status = status;
            self.lifecycle.reason = reason;
        }
        let nothing = KillOutcome { was_running, processes: 0, left: 0 };
        if self.kill(kill).await {
            let killing = self.lifecycle.killing.get_or_insert(Killing {
                asked: Vec::new(),
                was_running,
                give_up: Instant::now(),
            });
            killing.asked.extend(reply);
            killing.give_up = Instant::now() + kill.grace + KILL_TIMEOUT;
        } else if let Some(reply) = reply {
            let _ = reply.send(nothing);
        }
    }

    pub(super) fn answer_killing(&mut self, processes: usize, left: usize) {
        if let Some(killing) = self.lifecycle.killing.take() {
            let outcome = KillOutcome { was_running: killing.was_running, processes, left };
            for reply in killing.asked {
                let _ = reply.send(outcome);
            }
        }
    }
}

/// How an end is told in the log.
fn describe(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by {}", process::signal_name(signal)),
        (None, None) => "was lost".to_owned(),
    }
}

/// Signals a shim. It is the host's child and reaped by it: as long as its pipe is open, the pid is its own.
pub(super) fn signal(shim: i32, what: Signal) {
    if shim > 1 {
        let _ = kill(Pid::from_raw(shim), what);
    }
}
