//! One run: a program on a PTY, its terminal, and who looks at it. One task owns it all.

mod agent;
mod clients;
mod desired;
mod focus;
mod identity;
mod info;
mod input;
mod lifecycle;
mod lines;
mod notifications;
mod output;
mod program;
mod prompts;
mod requests;
mod save;
#[cfg(test)]
mod search_law;
mod size;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use agent::WatchedAgent;
pub use identity::Identity;
use notifications::Notifications;

use crate::{
    agent::Agent,
    history::Output as OutputFile,
    protocol::{Event, Status, Stream},
    pty::{Master, ShimLink, Spawned},
    session::{
        client::{
            Acked,
            json_lines::{LineSplitter, Subscriber},
            viewer::Viewer,
        },
        deadline::sleep_until,
        message::{Desired, LinesRequest, Published, RunMessage},
        program::{
            kill::{DEFAULT_GRACE, Kill},
            limits::Watch,
            output_gate::{FloodPermit, OutputGate},
        },
        services::Services,
        snapshot::{state::Focus, time::unix_ms},
        waits::Waits,
    },
    shim::Report,
    term::{Colors, Terminal},
};
use clients::Clients;
use input::Input;
use lifecycle::{Life, Lifecycle};
use output::Output;
use program::Program;
use size::SizeOwner;

/// Time budget of one read: output is taken in this long before others get their turn: about 80 kB of plain text.
const READ_BUDGET: Duration = Duration::from_millis(2);

/// Time budget of one search: patterns are searched this long before others get their turn.
const SEARCH_BUDGET: Duration = Duration::from_millis(20);

/// How often a terminal that nobody holds open is looked at while its program lives: it may be opened again.
const REOPEN_INTERVAL: Duration = Duration::from_millis(250);

/// How long after a program's end its terminal may be held open by others before the end is told anyway.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// Debounce of the resync: views that fell behind are filled again when there was no output for so long.
const OUTPUT_QUIET: Duration = Duration::from_millis(100);

/// A shim that has not answered a kill this long after the grace is given up on.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a run wakes up for.
enum Wake {
    Message(Option<RunMessage>),
    Acked(Acked),
    Reported(Option<Report>),
    Readable(Option<FloodPermit>),
    Writable,
    TranscriptLimit,
    Desired,
    Clock,
}

/// A run, by parts. Each part is made anew for the next life of the program, so that a restart forgets none of its fields.
pub struct Run {
    identity: Identity,
    session_name: String,
    /// What the table wants it to be.
    desired: watch::Receiver<Desired>,
    /// What it was when it was last asked, or began or ended, for those who do not wait for it.
    published: watch::Sender<Option<Arc<Published>>>,
    services: Services,
    /// Its own mailbox, for those who watch it.
    own: mpsc::WeakSender<RunMessage>,
    terminal: Terminal,
    program: Program,
    lifecycle: Lifecycle,
    output: Output,
    input: Input,
    size: SizeOwner,
    clients: Clients,
    waits: Waits,
    line_requests: Vec<LinesRequest>,
    notifications: Notifications,
    agent: WatchedAgent,
    focus: Focus,
}

impl Run {
    #[allow(clippy::too_many_arguments, reason = "all that a run begins with, and nothing of it belongs together")]
    pub fn new(
        mut identity: Identity,
        desired: watch::Receiver<Desired>,
        terminal_name: String,
        services: Services,
        own: mpsc::WeakSender<RunMessage>,
        spawned: Spawned,
        colors: Colors,
    ) -> Self {
        identity.leave_cgroup(spawned.cgroup_errno);
        let session_name = desired.borrow().session_name.clone();
        let transcript_limit = *identity.transcript_limit.borrow_and_update();
        let mut terminal = Terminal::new(identity.spawn.size, transcript_limit);
        terminal.set_colors(colors);
        let splitter = (identity.stream == Stream::Json).then(|| LineSplitter::new(transcript_limit));
        let watch = watch_limits(&services, spawned.shim_pid, &identity, &own);
        let program = Program::new(spawned, terminal_name, watch);
        let file = begin_output(&services, &identity, program.started_at);
        Self {
            identity,
            session_name,
            desired,
            published: watch::Sender::default(),
            services,
            own,
            terminal,
            program,
            lifecycle: Lifecycle::new(),
            output: Output::new(file, splitter),
            input: Input::new(),
            size: SizeOwner::default(),
            clients: Clients::new(),
            waits: Waits::default(),
            line_requests: Vec::new(),
            notifications: Notifications::default(),
            agent: WatchedAgent::new(Agent::default()),
            focus: Focus::default(),
        }
    }

    /// Puts an earlier run's text above the program's first word.
    pub fn begin_under(&mut self, text: &str) {
        self.terminal.feed(text.as_bytes());
        self.terminal.take_effects();
    }

    /// The copies of itself that it publishes.
    pub fn published(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.published.subscribe()
    }

    /// The loop of a run: handles its mailbox, its program and its clients until it is dismissed, or nobody can send it a
    /// message any more.
    pub async fn serve(mut self, mut mailbox: mpsc::Receiver<RunMessage>) {
        // A view that was asked for with the run is there before the program's first word, and its last.
        while let Ok(message) = mailbox.try_recv() {
            self.handle(message).await;
        }
        loop {
            let clock = self.next_deadline();
            let floods = self.output.rate.is_flood().then_some(&self.services.floods);
            let wake = tokio::select! {
                message = mailbox.recv() => Wake::Message(message),
                Some(acked) = self.clients.acks.1.recv() => Wake::Acked(acked),
                report = next_report(self.program.link.as_mut()) => Wake::Reported(report),
                place = readable(self.program.master.as_ref(), self.output.consumed < self.output.pending.len(), self.output.closed_until, floods),
                    if !self.waits.lags() => Wake::Readable(place),
                () = writable(self.program.master.as_ref(), !self.input.queue.is_empty()) => Wake::Writable,
                Ok(()) = self.identity.transcript_limit.changed() => Wake::TranscriptLimit,
                Ok(()) = self.desired.changed() => Wake::Desired,
                () = sleep_until(clock) => Wake::Clock,
            };
            let flooded = matches!(wake, Wake::Readable(_));
            if !flooded {
                // Whoever asks sees what has come so far.
                self.terminal.flush();
            }
            match wake {
                Wake::Message(None) => break,
                Wake::Message(Some(message)) => self.handle(message).await,
                Wake::Acked(acked) => self.acked(acked),
                Wake::Reported(Some(report)) => self.reported(report),
                Wake::Reported(None) => self.shim_gone().await,
                Wake::Readable(_place) => self.read(),
                Wake::Writable => self.write(),
                Wake::TranscriptLimit => {
                    let limit = *self.identity.transcript_limit.borrow_and_update();
                    self.terminal.set_transcript_limit(limit);
                }
                Wake::Desired => {
                    if self.follow_desired() {
                        break;
                    }
                }
                Wake::Clock => {}
            }
            // A burst of sizes, as from a dragged border, becomes one.
            if mailbox.is_empty() {
                self.apply_size();
            }
            self.on_deadline().await;
            if self.published.borrow().as_ref().is_none_or(|copy| copy.info.status != self.status()) {
                self.publish();
            }
            self.report_focus();
            self.send_lines();
            self.send_due_frames();
            if flooded || self.waits.lags() {
                // A program that never stops printing leaves its run always ready: everybody else has a turn
                // after each batch, this worker's timers and the tasks this run has just woken among them.
                tokio::task::yield_now().await;
            }
        }
        self.services.heap_trim.note_freed();
    }

    /// What time alone brings about.
    async fn on_deadline(&mut self) {
        let now = Instant::now();
        if self.terminal.sync_deadline().is_some_and(|deadline| now >= deadline) {
            self.terminal.end_sync();
            self.after_output();
        }
        if let Life::Draining { until, .. } = self.lifecycle.life
            && now >= until
        {
            warn!("run {} has exited, but its terminal is held open by others", self.identity.run_id.short());
            self.finish_draining();
        }
        if self.lifecycle.killing.as_ref().is_some_and(|killing| now >= killing.give_up) {
            warn!("run {}: its processes could not be ended", self.identity.run_id.short());
            // Whatever keeps the shim from its work, the tree is the host's without it.
            lifecycle::signal(self.program.shim_pid, nix::sys::signal::Signal::SIGKILL);
            self.end_orphans().await;
            self.answer_killing(0, 1);
        }
        if self.notifications.due().is_some_and(|due| now >= due) {
            self.flush_throttled();
        }
        self.check_agent();
        if std::mem::take(&mut self.lifecycle.kill_leftovers) {
            let reason = self.lifecycle.reason.clone();
            self.begin_kill(Kill { signal: None, grace: DEFAULT_GRACE }, Status::Killed, reason, None).await;
        }
        if self.resync_due().is_some_and(|due| now >= due) {
            self.terminal.flush();
            for viewer in self.clients.viewers.iter_mut().filter(|viewer| viewer.is_behind(&self.terminal)) {
                viewer.start_over(&self.terminal);
            }
        }
        if let Some(pending_bytes) = self.input.queue.stalled() {
            let (session_id, session_name, run_id) = self.ids();
            self.announce(Event::InputStalled { session_id, session_name, run_id, pending_bytes });
        }
        if let Some((deadline, reason)) = self.timeout()
            && now >= deadline
        {
            info!("{} {reason}", self.identity.command.program);
            self.begin_kill(Kill { signal: None, grace: DEFAULT_GRACE }, Status::TimedOut, Some(reason), None).await;
        }
        self.clients.rejoined_until = self.clients.rejoined_until.filter(|until| now < *until);
        let is_due = self.waits.deadline(self.output.last_output).is_some_and(|deadline| now >= deadline);
        if self.waits.lags() || is_due || !self.waits.is_empty() && self.agent.changes_state() {
            self.check_waits();
        }
        self.waits.remove_done();
    }

    fn next_deadline(&self) -> Option<Instant> {
        let draining = match self.lifecycle.life {
            Life::Draining { until, .. } => Some(until),
            _ => None,
        };
        let whole = self.terminal.sync_deadline().is_none();
        [
            self.terminal.sync_deadline(),
            draining,
            self.lifecycle.killing.as_ref().map(|killing| killing.give_up),
            self.input.queue.stall_deadline(),
            self.resync_due(),
            self.notifications.due(),
            self.agent.deadline(whole),
            self.timeout().map(|(deadline, _)| deadline),
            self.clients.rejoined_until,
            self.waits.lags().then_some(self.output.last_output),
            self.waits.deadline(self.output.last_output),
        ]
        .into_iter()
        .flatten()
        .chain(self.clients.viewers.iter().filter(|_| whole).filter_map(Viewer::due))
        .chain(self.clients.subscribers.iter().filter_map(Subscriber::due))
        .min()
    }

    /// When views that fell behind are to start over.
    fn resync_due(&self) -> Option<Instant> {
        let behind = self.clients.viewers.iter().any(|viewer| viewer.is_behind(&self.terminal));
        behind.then(|| {
            if self.exit().is_some() { self.output.last_output } else { self.output.last_output + OUTPUT_QUIET }
        })
    }

    /// The next of its timeouts, while it may still be ended by one.
    fn timeout(&self) -> Option<(Instant, String)> {
        if !matches!(self.lifecycle.life, Life::Active) || self.lifecycle.killing.is_some() {
            return None;
        }
        let whole = self
            .identity
            .timeout
            .map(|limit| (self.program.started + limit, format!("ran longer than its timeout of {limit:?}")));
        let idle = self.identity.idle_timeout.map(|limit| {
            (self.input.last_activity + limit, format!("was idle longer than its idle timeout of {limit:?}"))
        });
        whole.into_iter().chain(idle).min_by_key(|(deadline, _)| *deadline)
    }
}

/// Has a run's tree watched for its limits, if it has such. The run gets a message when it has passed one.
fn watch_limits(services: &Services, shim: i32, run: &Identity, own: &mpsc::WeakSender<RunMessage>) -> Option<Watch> {
    let own = own.clone();
    let notify = move |shim, limit, reason| {
        own.upgrade().is_none_or(|own| own.try_send(RunMessage::Passed { shim, limit, reason }).is_ok())
    };
    services.watcher.watch(shim, &run.limits, run.cgroup.as_ref(), Box::new(notify))
}

/// The file that keeps a life's whole output, if one is wanted.
fn begin_output(services: &Services, identity: &Identity, started_at: SystemTime) -> Option<OutputFile> {
    let (disk, limit) = services.disk.as_ref().zip(identity.output_limit)?;
    Some(disk.output(&format!("{}-{}.log", identity.run_id, unix_ms(started_at)), limit))
}

async fn next_report(link: Option<&mut ShimLink>) -> Option<Report> {
    match link {
        Some(link) => link.report().await,
        None => std::future::pending().await,
    }
}

/// Waits until there is output to take in, and for a place among the floods if it is one.
async fn readable(
    master: Option<&Master>,
    more: bool,
    closed_until: Option<Instant>,
    floods: Option<&OutputGate>,
) -> Option<FloodPermit> {
    match master {
        _ if more => {}
        Some(_) if closed_until.is_some() => sleep_until(closed_until).await,
        Some(master) => master.readable().await,
        None => std::future::pending().await,
    }
    Some(floods?.enter().await)
}

async fn writable(master: Option<&Master>, wanted: bool) {
    match master {
        Some(master) if wanted => master.writable().await,
        _ => std::future::pending().await,
    }
}
