//! The program's side of a run: what it prints and is typed, and its end.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::{DRAIN_PATIENCE, KILL_PATIENCE, Killing, Life, READ_BUDGET, REOPEN_INTERVAL, Run, SEARCH_BUDGET};
use crate::{
    process,
    protocol::{Event, Exit, JsonLine, Result as Answer, Status, WaitReply},
    pty::{Master, Read},
    session::{
        client::{
            json_lines::{LineSplitter, Subscriber, for_terminal},
            viewer::Viewer,
        },
        message::KillOutcome,
        program::{cgroup::Cgroup, input, kill::Kill, limits},
        services::Announcement,
        waits::{Look, waiter::Condition},
    },
    shim::{Order, Report},
    units,
};

impl Run {
    /// Reads and takes in output until there is none for now, or the others are to have their turn.
    pub(super) fn read(&mut self) {
        self.closed_until = None;
        let begun = Instant::now();
        let mut total = 0;
        let mut fed = false;
        let mut closed = false;
        let mut buffer = [0; 16 << 10];
        while begun.elapsed() < READ_BUDGET {
            if self.fed == self.unfed.len() {
                let Some(master) = &mut self.master else { break };
                match master.try_read(&mut buffer) {
                    Read::Bytes(count) => {
                        total += count;
                        self.unfed.clear();
                        self.fed = 0;
                        self.arrived(&buffer[..count]);
                    }
                    Read::Empty => break,
                    Read::End => {
                        closed = true;
                        break;
                    }
                }
            }
            self.feed_slice();
            fed = true;
        }
        if total > 0 {
            self.took_in(total);
        } else if fed {
            self.after_output();
        }
        if closed {
            self.terminal_closed();
        }
    }

    /// Output as it comes: kept whole where that is wanted, put together to lines where it is lines, and laid out for
    /// the terminal.
    fn arrived(&mut self, bytes: &[u8]) {
        if let Some(output) = &mut self.output {
            output.push(bytes);
        }
        match &mut self.lines {
            None => self.unfed.extend_from_slice(bytes),
            Some(lines) => {
                self.unfed.extend(for_terminal(bytes));
                let subscribers = &mut self.subscribers;
                lines.push(bytes, |line| push_line(line, subscribers));
            }
        }
    }

    /// Feeds a part of what was read. A few bytes can be much work (a screen filled by three of them), so the
    /// parts shrink when they are.
    fn feed_slice(&mut self) {
        const LEAST: usize = 16;
        const MOST: usize = 4096;
        let begun = Instant::now();
        let end = self.unfed.len().min(self.fed + self.slice);
        let taken = self.terminal.feed_update(&self.unfed[self.fed..end]);
        self.fed += taken;
        if self.fed < end {
            // A program that draws update after update is always within one when its turn is over.
            self.viewers.iter_mut().for_each(Viewer::mark);
            self.send_due_frames();
        }
        self.slice =
            if begun.elapsed() > READ_BUDGET / 4 { (self.slice / 4).max(LEAST) } else { (self.slice * 2).min(MOST) };
    }

    /// Reads what is left without waiting; what never stops (an escapee's flood) is cut off.
    pub(super) fn read_rest(&mut self) {
        const MOST: usize = 16 << 20;
        const PATIENCE: Duration = Duration::from_millis(500);
        let begun = Instant::now();
        while self.fed < self.unfed.len() {
            self.feed_slice();
        }
        let mut buffer = [0; 16 << 10];
        let mut total = 0;
        while total < MOST
            && begun.elapsed() < PATIENCE
            && let Some(master) = &self.master
            && let Read::Bytes(count) = master.read_now(&mut buffer)
        {
            total += count;
            self.unfed.clear();
            self.arrived(&buffer[..count]);
            self.terminal.feed(&self.unfed);
            self.fed = self.unfed.len();
        }
        self.took_in(total);
    }

    pub(super) fn took_in(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bytes += bytes as u64;
        self.last_output = Instant::now();
        self.rate.add(bytes, self.last_output);
        self.services.heap_trim.note_output(bytes);
        self.last_activity = self.last_output;
        debug!(bytes, run = self.identity.run_id.short(), "output");
        self.after_output();
    }

    /// The terminal may have changed: what it was asked is answered, and views are behind.
    pub(super) fn after_output(&mut self) {
        if !(self.waits.is_empty() && self.line_requests.is_empty()) || self.exit().is_some() {
            self.terminal.flush();
        }
        let effects = self.terminal.take_effects();
        self.agent_prints(&effects);
        self.handle_effects(effects);
        let cuts = self.terminal.transcript_cuts();
        if cuts > self.cuts {
            self.cuts = cuts;
            let limit = self.terminal.transcript_limit() / 1000;
            warn!("Buffer exceeded {limit}KB limit, truncating to last {}KB", limit / 2);
        }
        for viewer in &mut self.viewers {
            viewer.mark();
        }
        self.check_waits();
        self.answer_line_requests();
    }

    /// Has everybody who waits for something look at what has come, as far as there is time. Output is not taken in
    /// before all have seen what there is.
    pub(super) fn check_waits(&mut self) {
        let (ended, until) = (self.exit(), Instant::now() + SEARCH_BUDGET);
        self.waits.check(Look { terminal: &self.terminal, last_output: self.last_output, ended, until });
    }

    /// Adds one who waits.
    pub(super) fn wait(&mut self, condition: Condition, reply: oneshot::Sender<Answer<WaitReply>>) {
        let (ended, until) = (self.exit(), Instant::now() + SEARCH_BUDGET);
        let look = Look { terminal: &self.terminal, last_output: self.last_output, ended, until };
        self.waits.add(condition, reply, look);
    }

    pub(super) fn write(&mut self) {
        match &mut self.master {
            Some(master) => self.input.write_to(master),
            None => self.input.clear(),
        }
    }

    /// Types; false when the program does not read, and so much waits for it that this was refused.
    pub(super) fn type_in(&mut self, bytes: Vec<u8>) -> bool {
        let Some(master) = &self.master else { return false };
        self.last_activity = Instant::now();
        self.viewers.iter_mut().for_each(Viewer::expect_echo);
        debug!(bytes = bytes.len(), run = self.identity.run_id.short(), "input");
        if !self.input.is_empty() && is_interrupt(master, &bytes) {
            // The program does not read, so the key would wait behind what it has not read: the terminal's
            // driver would have thrown that away and sent the signal, and so does Termi.
            self.input.clear();
            master.discard_input();
            if let Some(group) = master.foreground() {
                let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGINT);
            }
            return true;
        }
        let count = bytes.len();
        let taken = self.input.push(bytes);
        if taken {
            self.write();
        } else {
            warn!("input of {count} bytes refused: {} wait, at most {} may", self.input.bytes(), input::LIMIT);
            let (session_id, session_name, run_id) = self.ids();
            self.announce(Event::InputDropped {
                session_id,
                session_name,
                run_id,
                dropped_bytes: count,
                limit_bytes: input::LIMIT,
            });
        }
        taken
    }

    pub(super) fn reported(&mut self, report: Report) {
        match report {
            Report::Exited { code, signal, cpu_ms, lasted_ms, alone } => {
                self.tree_gone = alone;
                let now = Instant::now();
                let until = now + DRAIN_PATIENCE;
                // On a busy machine the host hears of a start some time after it.
                if let Some(begun) = now.checked_sub(Duration::from_millis(lasted_ms)) {
                    self.started = self.started.min(begun);
                }
                let exit = Exit { code, signal };
                self.name_limit(exit, cpu_ms);
                self.life = Life::Draining { exit, until };
                self.read();
            }
            Report::Settled { left } => {
                self.tree_gone = left == 0;
                if !matches!(self.life, Life::Ended { .. }) {
                    self.left_running = left;
                }
                // Whoever shared the terminal is gone: what it holds now is all there is.
                self.finish_draining();
                self.left(left);
            }
            Report::Killed { processes, left } => {
                self.tree_gone = left == 0;
                self.finish_draining();
                self.left(left);
                self.answer_killing(processes, left);
            }
            Report::Started { .. } | Report::StartFailed(_) => {}
        }
    }

    /// If it was the kernel that ended the program for one of its limits, that is what became of it.
    fn name_limit(&mut self, exit: Exit, cpu_ms: u64) {
        if self.status != Status::Active {
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
            (self.status, self.reason, self.kill_leftovers) = (Status::Killed, Some(reason), true);
        }
    }

    /// Everything below the shim is gone, or the shim was ended from outside.
    pub(super) async fn shim_gone(&mut self) {
        self.link = None;
        self.watch = None;
        // A shim that was ended from outside leaves its tree to the host. To look for it means to read of every
        // process, which for hundreds of runs that end at once would be most of what the host does.
        let processes = if self.tree_gone { 0 } else { self.end_orphans().await };
        if matches!(self.life, Life::Active) {
            self.status = Status::Failed;
            self.reason = Some("the process that watched over it was ended from outside".to_owned());
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
        const PATIENCE: Duration = Duration::from_secs(2);
        let orphaned = process::Orphaned {
            run_id: self.identity.run_id.as_str().to_owned(),
            program: self.pid,
            reaped: !matches!(self.life, Life::Active),
            shim: self.shim_pid,
        };
        if let Some(group) = &self.identity.cgroup {
            group.kill();
        }
        let ending = tokio::task::spawn_blocking(move || orphaned.end());
        tokio::time::timeout(PATIENCE, ending).await.ok().and_then(Result::ok).unwrap_or(0)
    }

    pub(super) fn terminal_closed(&mut self) {
        match self.life {
            Life::Draining { exit, .. } => self.end(exit),
            // The program closed its terminal and lives on: it may open it again (/dev/tty), and to hang up would kill it.
            Life::Active => self.closed_until = Some(Instant::now() + REOPEN_INTERVAL),
            Life::Ended { .. } => {}
        }
    }

    pub(super) fn finish_draining(&mut self) {
        if let Life::Draining { exit, .. } = self.life {
            self.read_rest();
            self.end(exit);
        }
    }

    pub(super) fn end(&mut self, exit: Exit) {
        if matches!(self.life, Life::Ended { .. }) {
            return;
        }
        self.terminal.end_sync();
        if let Some(line) = self.lines.as_mut().and_then(LineSplitter::end) {
            push_line(line, &mut self.subscribers);
        }
        self.master = None;
        self.input.clear();
        let lasted = self.started.elapsed();
        let at = SystemTime::now();
        self.life = Life::Ended { exit, at, lasted };
        if self.status == Status::Active {
            self.status = Status::Exited;
        }
        info!("{} {}", self.identity.command.program, describe(exit));
        self.record_history(exit, at, lasted);
        self.after_output();
        self.end_notifications();
        self.agent_ends();
        self.viewers.iter_mut().for_each(Viewer::end);
        let event = self.exit_event(exit, lasted);
        // Who has a view is told once it shows everything, who follows its lines once it has them all.
        let mut except: Vec<_> = self.viewers.iter().map(|viewer| viewer.client.id()).collect();
        for subscriber in &mut self.subscribers {
            if !except.contains(&subscriber.client.id()) {
                except.push(subscriber.client.id());
                subscriber.exit_due = true;
            }
        }
        let lives_on = !self.tree_gone && self.link.is_some();
        self.is_left_known = !lives_on;
        self.services.announcer.announce(Announcement::Ended { event, except, lives_on });
    }

    /// It is known, anew perhaps, how many processes of an ended run live on.
    fn left(&mut self, left: usize) {
        let was = std::mem::replace(&mut self.left_running, left);
        if !matches!(self.life, Life::Ended { .. }) {
            return;
        }
        if was != left {
            let (session_id, session_name, run_id) = self.ids();
            self.announce(Event::LeftRunning { session_id, session_name, run_id, left_running: left });
        }
        let run_id = self.identity.run_id.clone();
        self.services.announcer.announce(Announcement::Settled { run_id, lives_on: left > 0 });
        self.is_left_known = true;
        self.left_asks.drain(..).for_each(|reply| _ = reply.send(left));
    }

    pub(super) fn kill(&mut self, kill: Kill) -> impl Future<Output = bool> + '_ {
        let order = Order::Kill { signal: kill.signal, grace_ms: units::millis(kill.grace) };
        async move {
            match &mut self.link {
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
        let was_running = !matches!(self.life, Life::Ended { .. });
        if was_running && self.killing.is_none() {
            self.status = status;
            self.reason = reason;
        }
        let nothing = KillOutcome { was_running, processes: 0, left: 0 };
        if self.kill(kill).await {
            let killing =
                self.killing.get_or_insert(Killing { asked: Vec::new(), was_running, give_up: Instant::now() });
            killing.asked.extend(reply);
            killing.give_up = Instant::now() + kill.grace + KILL_PATIENCE;
        } else if let Some(reply) = reply {
            let _ = reply.send(nothing);
        }
    }

    pub(super) fn answer_killing(&mut self, processes: usize, left: usize) {
        if let Some(killing) = self.killing.take() {
            let outcome = KillOutcome { was_running: killing.was_running, processes, left };
            for reply in killing.asked {
                let _ = reply.send(outcome);
            }
        }
    }
}

/// A line for those who follow the run.
fn push_line(line: JsonLine, subscribers: &mut [Subscriber]) {
    let kind = if line.value.is_some() { "json" } else { "text" };
    debug!(seq = line.seq, kind, truncated = line.truncated_bytes, "line");
    let line = Arc::new(line);
    for subscriber in subscribers {
        subscriber.push(&line);
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

/// Whether these bytes are the key that interrupts programs on this terminal.
fn is_interrupt(master: &Master, bytes: &[u8]) -> bool {
    use nix::sys::termios::{LocalFlags, SpecialCharacterIndices::VINTR, tcgetattr};
    let Ok(settings) = tcgetattr(master) else { return false };
    settings.local_flags.contains(LocalFlags::ISIG) && bytes == [settings.control_chars[VINTR as usize]]
}

/// Signals a shim. It is the host's child and reaped by it: as long as its pipe is open, the pid is its own.
pub(super) fn signal(shim: i32, what: Signal) {
    if shim > 1 {
        let _ = kill(Pid::from_raw(shim), what);
    }
}
