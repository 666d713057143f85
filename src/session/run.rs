//! One run: a program on a PTY, its terminal, and who looks at it. One task owns it all.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use super::{
    Announcement, Announcer,
    client::{Acked, Client, ClientId},
    command::Command,
    input::{self, InputQueue},
    viewer::Viewer,
    waiter::{Condition, Waiter},
};
use crate::{
    process,
    protocol::{
        AttachReply, AttentionKind, Code, Error, Event, Exit, Format, Result, RunId, RunInfo, SessionId, Size,
        SnapshotFormat, SnapshotLine, SnapshotReply, Status, WaitReply,
    },
    pty::{Master, Read, ShimLink, Spawn, Spawned, spawn},
    shim::{Order, Report},
    term::{Colors, Terminal, clamp_size},
    view::encode_line,
};

/// What is read of a program's output before others get their turn.
const BATCH: usize = 128 << 10;

/// How long after a program's end its terminal may be held open by others before the end is told anyway.
const DRAIN_PATIENCE: Duration = Duration::from_millis(1500);

/// A bell rings at most this often.
const BELL_INTERVAL: Duration = Duration::from_secs(1);

/// The grace of a kill that Termi itself decides on.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(2);

/// A shim that has not answered a kill this long after the grace is given up on.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// What a run is, fixed for its life.
pub struct Identity {
    pub run_id: RunId,
    pub session_id: SessionId,
    pub process_name: String,
    pub command: Command,
    /// How it was started, to start it again.
    pub spawn: Spawn,
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub transcript_limit: usize,
}

/// What became of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillOutcome {
    /// It was there to be killed.
    pub was_running: bool,
    /// Processes that ended.
    pub processes: usize,
    /// Processes that could not be ended.
    pub left: usize,
}

/// How a kill is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    pub signal: Option<i32>,
    pub grace: Duration,
}

/// A run's program, started again.
pub struct Restarted {
    pub pid: u32,
    pub process_name: String,
}

/// What a run can be asked.
pub enum Ask {
    Input { data: Vec<u8>, paste: bool },
    Resize { rows: u32, cols: u32 },
    Attach { client: Client, format: Format, size: Option<Size>, reply: oneshot::Sender<AttachReply> },
    Detach(ClientId),
    Visible { client: ClientId, visible: bool },
    Snapshot { format: SnapshotFormat, scrollback: usize, reply: oneshot::Sender<SnapshotReply> },
    Kill { kill: Kill, reply: oneshot::Sender<KillOutcome> },
    Wait { condition: Condition, reply: oneshot::Sender<WaitReply> },
    Info(oneshot::Sender<(RunInfo, Option<i32>)>),
    Restart { terminal_name: String, reply: oneshot::Sender<Result<Restarted>> },
    Colors(Colors),
    Renamed(String),
    Close,
}

enum Turn {
    Asked(Option<Ask>),
    Acked(Acked),
    Reported(Option<Report>),
    Readable,
    Writable,
    Clock,
}

/// How far a run's life has come.
enum Life {
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
struct Killing {
    asked: Vec<oneshot::Sender<KillOutcome>>,
    was_running: bool,
    give_up: Instant,
}

pub struct Run {
    identity: Identity,
    session_name: String,
    terminal_name: String,
    announcer: Announcer,
    terminal: Terminal,
    master: Option<Master>,
    link: Option<ShimLink>,
    pid: i32,
    shim_pid: i32,
    life: Life,
    status: Status,
    reason: Option<String>,
    killing: Option<Killing>,
    left_running: usize,
    input: InputQueue,
    wanted_size: Option<Size>,
    viewers: Vec<Viewer>,
    acks: (mpsc::UnboundedSender<Acked>, mpsc::UnboundedReceiver<Acked>),
    waiters: Vec<Waiter>,
    started: Instant,
    started_at: SystemTime,
    last_output: Instant,
    last_activity: Instant,
    last_bell: Option<Instant>,
    bytes: u64,
    cuts: u64,
}

impl Run {
    pub fn new(
        identity: Identity,
        session_name: String,
        terminal_name: String,
        announcer: Announcer,
        spawned: Spawned,
        size: Size,
        colors: Colors,
    ) -> Self {
        let now = Instant::now();
        let mut terminal = Terminal::new(size, identity.transcript_limit);
        terminal.set_colors(colors);
        Self {
            identity,
            session_name,
            terminal_name,
            announcer,
            terminal,
            master: Some(spawned.master),
            link: Some(spawned.link),
            pid: spawned.pid,
            shim_pid: spawned.shim_pid,
            life: Life::Active,
            status: Status::Active,
            reason: None,
            killing: None,
            left_running: 0,
            input: InputQueue::new(),
            wanted_size: None,
            viewers: Vec::new(),
            acks: mpsc::unbounded_channel(),
            waiters: Vec::new(),
            started: now,
            started_at: SystemTime::now(),
            last_output: now,
            last_activity: now,
            last_bell: None,
            bytes: 0,
            cuts: 0,
        }
    }

    /// Runs until it is closed, or nobody can ask it anything any more.
    pub async fn serve(mut self, mut asks: mpsc::Receiver<Ask>) {
        // A view that was asked for with the run is there before the program's first word, and its last.
        while let Ok(ask) = asks.try_recv() {
            self.answer(ask).await;
        }
        loop {
            let clock = self.next_deadline();
            let turn = tokio::select! {
                ask = asks.recv() => Turn::Asked(ask),
                Some(acked) = self.acks.1.recv() => Turn::Acked(acked),
                report = next_report(self.link.as_mut()) => Turn::Reported(report),
                () = readable(self.master.as_ref()) => Turn::Readable,
                () = writable(self.master.as_ref(), !self.input.is_empty()) => Turn::Writable,
                () = sleep_until(clock) => Turn::Clock,
            };
            match turn {
                Turn::Asked(None | Some(Ask::Close)) => return,
                Turn::Asked(Some(ask)) => self.answer(ask).await,
                Turn::Acked(acked) => self.acked(acked),
                Turn::Reported(Some(report)) => self.reported(report),
                Turn::Reported(None) => self.shim_gone(),
                Turn::Readable => self.read(BATCH),
                Turn::Writable => self.write(),
                Turn::Clock => {}
            }
            // A burst of sizes, as from a dragged border, becomes one.
            if asks.is_empty() {
                self.apply_size();
            }
            self.check_clock().await;
            self.look_around();
        }
    }

    // --- the program's side ---

    fn read(&mut self, most: usize) {
        let Some(master) = &self.master else { return };
        let mut buffer = [0; 16 << 10];
        let mut total = 0;
        while total < most {
            match master.try_read(&mut buffer) {
                Read::Bytes(count) => {
                    total += count;
                    self.terminal.feed(&buffer[..count]);
                }
                Read::Empty => break,
                Read::End => {
                    self.took_in(total);
                    self.terminal_closed();
                    return;
                }
            }
        }
        self.took_in(total);
    }

    /// Reads what is left without waiting; what never stops (an escapee's flood) is cut off.
    fn read_rest(&mut self) {
        const MOST: usize = 16 << 20;
        let Some(master) = &self.master else { return };
        let mut buffer = [0; 16 << 10];
        let mut total = 0;
        while total < MOST
            && let Read::Bytes(count) = master.read_now(&mut buffer)
        {
            total += count;
            self.terminal.feed(&buffer[..count]);
        }
        self.took_in(total);
    }

    fn took_in(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bytes += bytes as u64;
        self.last_output = Instant::now();
        self.last_activity = self.last_output;
        debug!(bytes, run = self.identity.run_id.short(), "output");
        self.changed();
    }

    /// The terminal may have changed: what it was asked is answered, and views are behind.
    fn changed(&mut self) {
        let asked = self.terminal.take_asked();
        if !asked.replies.is_empty() && self.input.push(asked.replies) {
            self.write();
        }
        if asked.bell && self.last_bell.is_none_or(|last| last.elapsed() >= BELL_INTERVAL) {
            self.last_bell = Some(Instant::now());
            let (session_id, session_name, run_id) = self.who();
            self.announce(Event::Attention {
                session_id,
                session_name,
                run_id,
                kind: AttentionKind::Bell,
                message: None,
            });
        }
        let transcript = self.terminal.transcript();
        if transcript.cuts() > self.cuts {
            self.cuts = transcript.cuts();
            let limit = transcript.limit() / 1000;
            warn!("Buffer exceeded {limit}KB limit, truncating to last {}KB", limit / 2);
        }
        for viewer in &mut self.viewers {
            viewer.mark();
        }
        let ended = self.exit();
        for waiter in &mut self.waiters {
            waiter.check(&self.terminal, self.last_output, ended);
        }
    }

    fn write(&mut self) {
        match &self.master {
            Some(master) => self.input.write_to(master),
            None => self.input.clear(),
        }
    }

    fn type_in(&mut self, bytes: Vec<u8>) {
        let Some(master) = &self.master else { return };
        self.last_activity = Instant::now();
        debug!(bytes = bytes.len(), run = self.identity.run_id.short(), "input");
        if !self.input.is_empty() && is_interrupt(master, &bytes) {
            // The program does not read, so the key would wait behind what it has not read: the terminal's
            // driver would have thrown that away and sent the signal, and so does Termi.
            self.input.clear();
            master.discard_input();
            if let Some(group) = master.foreground() {
                let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGINT);
            }
            return;
        }
        let count = bytes.len();
        if self.input.push(bytes) {
            self.write();
        } else {
            warn!("input of {count} bytes refused: {} wait, at most {} may", self.input.bytes(), input::LIMIT);
            let (session_id, session_name, run_id) = self.who();
            self.announce(Event::InputDropped {
                session_id,
                session_name,
                run_id,
                dropped_bytes: count,
                limit_bytes: input::LIMIT,
            });
        }
    }

    fn reported(&mut self, report: Report) {
        match report {
            Report::Exited { code, signal } => {
                let until = Instant::now() + DRAIN_PATIENCE;
                self.life = Life::Draining { exit: Exit { code, signal }, until };
                self.read(BATCH);
            }
            Report::Settled { left } => {
                self.left_running = left;
                // Whoever shared the terminal is gone: what it holds now is all there is.
                self.finish_draining();
            }
            Report::Killed { processes, left } => {
                self.finish_draining();
                self.left_running = left;
                self.answer_killing(processes, left);
            }
            Report::Started { .. } | Report::StartFailed(_) => {}
        }
    }

    /// Everything below the shim is gone, or the shim was ended from outside.
    fn shim_gone(&mut self) {
        self.link = None;
        if matches!(self.life, Life::Active) {
            let processes = process::end_strays(self.pid, self.identity.run_id.as_str());
            self.status = Status::Failed;
            self.reason = Some("the process that watched over it was ended from outside".to_owned());
            warn!("run {} lost its shim; {processes} processes ended", self.identity.run_id.short());
            self.read_rest();
            self.end(Exit::default());
        } else {
            self.finish_draining();
        }
        self.left_running = 0;
        self.answer_killing(0, 0);
    }

    fn terminal_closed(&mut self) {
        match self.life {
            Life::Draining { exit, .. } => self.end(exit),
            // The program closed its terminal and lives on; its exit is still to come.
            Life::Active => self.master = None,
            Life::Ended { .. } => {}
        }
    }

    fn finish_draining(&mut self) {
        if let Life::Draining { exit, .. } = self.life {
            self.read_rest();
            self.end(exit);
        }
    }

    fn end(&mut self, exit: Exit) {
        if matches!(self.life, Life::Ended { .. }) {
            return;
        }
        self.terminal.end_sync();
        self.master = None;
        self.input.clear();
        let lasted = self.started.elapsed();
        self.life = Life::Ended { exit, at: SystemTime::now(), lasted };
        if self.status == Status::Active {
            self.status = Status::Exited;
        }
        info!("{} {}", self.identity.command.program, describe(exit));
        self.changed();
        for viewer in &mut self.viewers {
            viewer.exit_due = true;
        }
        let event = self.exit_event(exit, lasted);
        // Who has a view is told once it shows everything.
        let except = self.viewers.iter().map(|viewer| viewer.client.id()).collect();
        self.announcer.announce(Announcement { event, except });
    }

    fn kill(&mut self, kill: Kill) -> impl Future<Output = bool> + '_ {
        let order =
            Order::Kill { signal: kill.signal, grace_ms: u64::try_from(kill.grace.as_millis()).unwrap_or(u64::MAX) };
        async move {
            match &mut self.link {
                Some(link) => link.order(order).await.is_ok(),
                None => false,
            }
        }
    }

    async fn begin_kill(
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

    fn answer_killing(&mut self, processes: usize, left: usize) {
        if let Some(killing) = self.killing.take() {
            let outcome = KillOutcome { was_running: killing.was_running, processes, left };
            for reply in killing.asked {
                let _ = reply.send(outcome);
            }
        }
    }

    // --- the clients' side ---

    async fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Input { data, paste: true } => {
                self.type_in(input::pasted(&data, self.terminal.modes().bracketed_paste))
            }
            Ask::Input { data, paste: false } => self.type_in(data),
            Ask::Resize { rows, cols } => self.wanted_size = Some(clamp_size(rows, cols)),
            Ask::Attach { client, format, size, reply } => self.attach(client, format, size, reply),
            Ask::Detach(client) => self.drop_viewers(|viewer| viewer.client.id() == client),
            Ask::Visible { client, visible } => {
                if let Some(viewer) = self.viewers.iter_mut().find(|viewer| viewer.client.id() == client) {
                    viewer.show(visible);
                }
            }
            Ask::Snapshot { format, scrollback, reply } => _ = reply.send(self.snapshot(format, scrollback)),
            Ask::Kill { kill, reply } => self.begin_kill(kill, Status::Killed, None, Some(reply)).await,
            Ask::Wait { condition, reply } => {
                let mut waiter = Waiter::new(condition, reply);
                waiter.check(&self.terminal, self.last_output, self.exit());
                self.waiters.push(waiter);
            }
            Ask::Info(reply) => _ = reply.send((self.info(), self.link.is_some().then_some(self.shim_pid))),
            Ask::Restart { terminal_name, reply } => {
                let outcome = self.restart(terminal_name).await;
                let _ = reply.send(outcome);
            }
            Ask::Colors(colors) => self.terminal.set_colors(colors),
            Ask::Renamed(name) => self.session_name = name,
            Ask::Close => {}
        }
    }

    fn attach(&mut self, client: Client, format: Format, size: Option<Size>, reply: oneshot::Sender<AttachReply>) {
        if let Some(size) = size {
            self.wanted_size = Some(clamp_size(size.rows.into(), size.cols.into()));
            self.apply_size();
        }
        self.drop_viewers(|viewer| viewer.client.id() == client.id());
        let id = Viewer::next_id();
        let (session_id, session_name, run_id) = self.who();
        let _ = reply.send(AttachReply {
            view_id: id,
            session_id,
            run_id,
            session_name,
            status: self.status(),
            size: self.terminal.size(),
            title: self.terminal.title().to_owned(),
            exit: self.exit(),
        });
        self.viewers.push(Viewer::new(id, client, format, &self.terminal));
    }

    fn acked(&mut self, acked: Acked) {
        if acked.accepted {
            if let Some(viewer) = self.viewers.iter_mut().find(|viewer| viewer.id == acked.view) {
                viewer.acked(acked.seq);
            }
        } else {
            debug!("a client has no such view any more: {:?}", acked.view);
            self.drop_viewers(|viewer| viewer.id == acked.view);
        }
    }

    /// Closes views. A client that still waits to be told of the run's end is told now.
    fn drop_viewers(&mut self, which: impl Fn(&Viewer) -> bool) {
        let exit_event = self.told_exit();
        self.viewers.retain(|viewer| {
            let goes = which(viewer);
            if goes
                && viewer.exit_due
                && let Some(event) = &exit_event
            {
                viewer.client.event(event.clone());
            }
            !goes
        });
    }

    fn apply_size(&mut self) {
        let Some(size) = self.wanted_size.take() else { return };
        if self.terminal.resize(size) {
            if let Some(master) = &self.master {
                master.resize(size);
            }
            self.changed();
        }
        // A client's own emulator has reflowed what it had; even when a burst of sizes ends where it began,
        // frames may have met it at another size.
        for viewer in &mut self.viewers {
            viewer.start_over(&self.terminal);
        }
    }

    async fn restart(&mut self, terminal_name: String) -> Result<Restarted> {
        if self.killing.is_some() || !matches!(self.life, Life::Ended { .. }) {
            return Err(Error::new(Code::StillRunning, "the run is still ending; try again in a moment"));
        }
        // What it left running belongs to the run that ended.
        self.link = None;
        let what = &mut self.identity.spawn;
        what.size = self.terminal.size();
        for (key, value) in &mut what.env {
            if key == "TERMI_TERMINAL" {
                *value = terminal_name.clone().into();
            }
        }
        let what = &*what;
        let spawned = spawn(what.clone()).await.map_err(|error| super::start_error(&error, what))?;
        self.terminal.start_over(&format!("── {} · started again ──", self.identity.command.text));
        self.terminal_name = terminal_name;
        (self.master, self.link) = (Some(spawned.master), Some(spawned.link));
        (self.pid, self.shim_pid) = (spawned.pid, spawned.shim_pid);
        (self.life, self.status, self.reason, self.left_running) = (Life::Active, Status::Active, None, 0);
        let now = Instant::now();
        (self.started, self.started_at, self.last_output, self.last_activity) = (now, SystemTime::now(), now, now);
        for viewer in &mut self.viewers {
            viewer.exit_due = false;
        }
        self.changed();
        let (session_id, session_name, run_id) = self.who();
        let pid = self.pid.unsigned_abs();
        self.announce(Event::RunRestarted { session_id, session_name, run_id, pid });
        Ok(Restarted { pid, process_name: self.identity.process_name.clone() })
    }

    /// What time alone brings about.
    async fn check_clock(&mut self) {
        let now = Instant::now();
        if self.terminal.sync_deadline().is_some_and(|deadline| now >= deadline) {
            self.terminal.end_sync();
            self.changed();
        }
        if let Life::Draining { until, .. } = self.life
            && now >= until
        {
            warn!("run {} has exited, but its terminal is held open by others", self.identity.run_id.short());
            self.finish_draining();
        }
        if self.killing.as_ref().is_some_and(|killing| now >= killing.give_up) {
            warn!("run {}: its processes could not be ended", self.identity.run_id.short());
            self.answer_killing(0, 1);
        }
        if let Some(pending_bytes) = self.input.stalled() {
            let (session_id, session_name, run_id) = self.who();
            self.announce(Event::InputStalled { session_id, session_name, run_id, pending_bytes });
        }
        if let Some((deadline, reason)) = self.timeout()
            && now >= deadline
        {
            info!("{} {reason}", self.identity.command.program);
            self.begin_kill(Kill { signal: None, grace: DEFAULT_GRACE }, Status::TimedOut, Some(reason), None).await;
        }
        let ended = self.exit();
        for waiter in &mut self.waiters {
            if waiter.deadline(self.last_output).is_some_and(|deadline| now >= deadline) {
                waiter.check(&self.terminal, self.last_output, ended);
            }
        }
        self.waiters.retain(|waiter| !waiter.is_done());
    }

    /// Frames that are due, and ends that can be told.
    fn look_around(&mut self) {
        let exit_event = self.told_exit();
        for viewer in &mut self.viewers {
            viewer.send(&self.identity.run_id, &self.identity.session_id, &self.terminal, &self.acks.0);
            if let Some(event) = &exit_event
                && viewer.exit_due
                && viewer.is_settled()
            {
                viewer.exit_due = false;
                viewer.client.event(event.clone());
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let draining = match self.life {
            Life::Draining { until, .. } => Some(until),
            _ => None,
        };
        [
            self.terminal.sync_deadline(),
            draining,
            self.killing.as_ref().map(|killing| killing.give_up),
            self.input.stall_deadline(),
            self.timeout().map(|(deadline, _)| deadline),
        ]
        .into_iter()
        .flatten()
        .chain(self.viewers.iter().filter_map(Viewer::due))
        .chain(self.waiters.iter().filter_map(|waiter| waiter.deadline(self.last_output)))
        .min()
    }

    /// The next of its timeouts, while it may still be ended by one.
    fn timeout(&self) -> Option<(Instant, String)> {
        if !matches!(self.life, Life::Active) || self.killing.is_some() {
            return None;
        }
        let whole = self
            .identity
            .timeout
            .map(|limit| (self.started + limit, format!("ran longer than its timeout of {limit:?}")));
        let idle = self
            .identity
            .idle_timeout
            .map(|limit| (self.last_activity + limit, format!("was idle longer than its idle timeout of {limit:?}")));
        whole.into_iter().chain(idle).min_by_key(|(deadline, _)| *deadline)
    }

    // --- how it looks from outside ---

    fn status(&self) -> Status {
        if matches!(self.life, Life::Ended { .. }) { self.status } else { Status::Active }
    }

    fn exit(&self) -> Option<Exit> {
        match self.life {
            Life::Ended { exit, .. } => Some(exit),
            _ => None,
        }
    }

    fn who(&self) -> (SessionId, String, RunId) {
        (self.identity.session_id.clone(), self.session_name.clone(), self.identity.run_id.clone())
    }

    fn announce(&self, event: Event) {
        self.announcer.announce(Announcement { event, except: Vec::new() });
    }

    /// The event that tells of the run's end, once it has ended and while a client may not know.
    fn told_exit(&self) -> Option<Event> {
        match self.life {
            Life::Ended { exit, lasted, .. } if self.viewers.iter().any(|viewer| viewer.exit_due) => {
                Some(self.exit_event(exit, lasted))
            }
            _ => None,
        }
    }

    fn exit_event(&self, exit: Exit, lasted: Duration) -> Event {
        let (session_id, session_name, run_id) = self.who();
        Event::RunExited {
            session_id,
            session_name,
            run_id,
            status: self.status,
            exit,
            reason: self.reason.clone(),
            duration_ms: millis(lasted),
            left_running: self.left_running,
        }
    }

    fn snapshot(&self, format: SnapshotFormat, scrollback: usize) -> SnapshotReply {
        let transcript = self.terminal.transcript();
        let mut lines: Vec<_> =
            if scrollback == 0 { Vec::new() } else { transcript.lines_from(transcript.first()).collect() };
        lines.drain(..lines.len().saturating_sub(scrollback));
        let scrollback_lines = lines.len();
        lines.extend(self.terminal.rows());
        SnapshotReply {
            lines: lines
                .into_iter()
                .map(|line| match format {
                    SnapshotFormat::Text => SnapshotLine::Text(line.text),
                    SnapshotFormat::Ansi => SnapshotLine::Text(encode_line(&line)),
                    SnapshotFormat::Spans => SnapshotLine::Spans(line),
                })
                .collect(),
            scrollback_lines,
            cursor: self.terminal.cursor(),
            size: self.terminal.size(),
            title: self.terminal.title().to_owned(),
            truncated_bytes: transcript.dropped_bytes(),
            alternate_screen: self.terminal.modes().alternate_screen,
        }
    }

    fn info(&self) -> RunInfo {
        let active = !matches!(self.life, Life::Ended { .. });
        let (ended_at, lasted) = match self.life {
            Life::Ended { at, lasted, .. } => (Some(unix_ms(at)), lasted),
            _ => (None, self.started.elapsed()),
        };
        let cwd = active.then(|| process::cwd(self.pid)).flatten();
        RunInfo {
            run_id: self.identity.run_id.clone(),
            pid: self.pid.unsigned_abs(),
            status: self.status(),
            process_name: self.identity.process_name.clone(),
            terminal_name: self.terminal_name.clone(),
            command: self.identity.command.text.clone(),
            program: self.identity.command.program.clone(),
            started_at: unix_ms(self.started_at),
            ended_at,
            duration_ms: millis(lasted),
            exit: self.exit(),
            reason: self.reason.clone(),
            bytes: self.bytes,
            last_line: self.terminal.last_line(),
            title: self.terminal.title().to_owned(),
            cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()).unwrap_or_default(),
            memory_bytes: None,
            cpu_percent: None,
            left_running: self.left_running,
            attached: !self.viewers.is_empty(),
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

/// Whether these bytes are the key that interrupts programs on this terminal.
fn is_interrupt(master: &Master, bytes: &[u8]) -> bool {
    use nix::sys::termios::{LocalFlags, SpecialCharacterIndices::VINTR, tcgetattr};
    let Ok(settings) = tcgetattr(master) else { return false };
    settings.local_flags.contains(LocalFlags::ISIG) && bytes == [settings.control_chars[VINTR as usize]]
}

async fn next_report(link: Option<&mut ShimLink>) -> Option<Report> {
    match link {
        Some(link) => link.report().await,
        None => std::future::pending().await,
    }
}

async fn readable(master: Option<&Master>) {
    match master {
        Some(master) => master.readable().await,
        None => std::future::pending().await,
    }
}

async fn writable(master: Option<&Master>, wanted: bool) {
    match master {
        Some(master) if wanted => master.writable().await,
        _ => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map(millis).unwrap_or(0)
}
