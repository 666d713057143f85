//! A client's view within a run: when its next frame is due.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::client::{Ack, Acked, Client, FrameJob};
use crate::{
    protocol::{Event, Format, Frame, RunId, SessionId, Size, ViewId},
    term::Terminal,
    view::{NextFrame, View},
};
use tokio::sync::mpsc;

/// The least and the most time between two frames of a view under load. 10 ms is what Neovim's own
/// `:terminal` takes between redraws.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
const MAX_INTERVAL: Duration = Duration::from_millis(250);

/// The first change after quiet does not wait, and the few after it hardly: a program that starts, prints a
/// little and ends is shown at once.
const QUIET: Duration = Duration::from_millis(50);
const FIRST_FRAMES: u32 = 4;
const FIRST_INTERVAL: Duration = Duration::from_millis(1);

/// A client that has not acknowledged a frame for so long is told of the run's end before it has seen everything.
const ACK_PATIENCE: Duration = Duration::from_secs(5);

/// How often someone who reads is told how much waits, while it changes.
const WAITING_INTERVAL: Duration = Duration::from_millis(250);

/// What the client has since the last frame.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// The row of the cursor, counted as the transcript counts.
    end: u64,
    alternate_screen: bool,
    /// Nothing was left out for a next frame.
    is_current: bool,
}

/// Someone reads: the view stays as it is.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The row of the cursor that the client has.
    end: u64,
    /// How many rows wait as far as the client knows.
    told: Option<u64>,
    /// Something has changed since.
    untold: bool,
    next_tell: Instant,
}

pub struct Viewer {
    pub id: ViewId,
    pub client: Client,
    /// How large the client's own terminal is, if it has told.
    pub size: Option<Size>,
    /// It only looks.
    pub read_only: bool,
    view: View,
    visible: bool,
    dirty: bool,
    /// A hidden view's client has been told that there is something to see.
    told: bool,
    /// Someone reads, or would, were the view up to date and the program on its primary screen.
    hold: bool,
    held: Option<Held>,
    shown: Option<Shown>,
    in_flight: Option<(u64, Instant)>,
    next: Instant,
    /// When the last frame went out, and how many did since it was quiet.
    last_sent: Instant,
    streak: u32,
    /// The client waits to be told of the run's end.
    pub exit_due: bool,
}

impl Viewer {
    /// An id that no other view of this host has.
    pub fn next_id() -> ViewId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        ViewId(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub fn new(id: ViewId, client: Client, format: Format, read_only: bool, terminal: &Terminal) -> Self {
        let mut view = View::new(format, terminal);
        view.set_synchronizes(client.has_synchronized_output());
        Self {
            id,
            client,
            size: None,
            read_only,
            view,
            visible: true,
            dirty: true,
            told: false,
            hold: false,
            held: None,
            shown: None,
            in_flight: None,
            next: Instant::now(),
            last_sent: Instant::now(),
            streak: 0,
            exit_due: false,
        }
    }

    pub fn mark(&mut self) {
        self.dirty = true;
        if let Some(held) = &mut self.held {
            held.untold = true;
        }
    }

    /// It fell behind and could be filled again, were it quiet.
    pub fn is_behind(&self, terminal: &Terminal) -> bool {
        self.visible && self.held.is_none() && self.view.is_behind(terminal)
    }

    /// Everything is to be sent again, as after a new size.
    pub fn start_over(&mut self, terminal: &Terminal) {
        self.view.fit(self.size);
        self.view.start_over(terminal);
        self.shown = None;
        self.dirty = true;
    }

    /// Starts over if the client's size is not the one its frames are made for.
    pub fn refit(&mut self, terminal: &Terminal) {
        if self.view.fit(self.size) {
            self.start_over(terminal);
        }
    }

    pub fn show(&mut self, visible: bool) {
        self.visible = visible;
        self.told = false;
    }

    /// Someone reads in the view from now on, or not any more.
    pub fn hold(&mut self, hold: bool, terminal: &Terminal) {
        self.hold = hold;
        self.hold_or_let_go(terminal);
    }

    /// A view is held once it is up to date, and as long as the program is on its primary screen: what is drawn on
    /// the other one is not text that moves on.
    fn hold_or_let_go(&mut self, terminal: &Terminal) {
        if !self.hold || terminal.modes().alternate_screen {
            if self.held.take().is_some() && !self.hold && self.view.is_far_behind(terminal) {
                self.start_over(terminal);
            }
        } else if self.held.is_none()
            && let Some(Shown { end, alternate_screen: false, is_current: true }) = self.shown
        {
            self.held = Some(Held { end, told: None, untold: self.dirty, next_tell: Instant::now() });
        }
    }

    /// Whether the client is to be told of the run's end: it has everything there is, or does not look, or only at
    /// what it has, or does not acknowledge what it was sent.
    pub fn is_exit_due(&self) -> bool {
        let settled = !self.visible || self.held.is_some() || (!self.dirty && self.in_flight.is_none());
        self.exit_due && (settled || self.in_flight.is_some_and(|(_, sent)| sent.elapsed() >= ACK_PATIENCE))
    }

    /// Whether it can be seen.
    pub fn is_visible(&self) -> bool {
        self.visible
    }

    /// The rows of the transcript that it has without a gap, down to its screen.
    pub fn rows_held(&self) -> Range<u64> {
        self.view.rows_held()
    }

    /// The rows of the terminal's screen that it shows, when it is of another size; it has nothing above them.
    pub fn rows_shown(&self, terminal: &Terminal) -> Option<Range<u64>> {
        self.view.rows_shown(terminal)
    }

    /// When there is something to do, if the clock alone decides.
    pub fn due(&self) -> Option<Instant> {
        if let Some(held) = &self.held {
            return (self.visible && held.untold).then_some(held.next_tell);
        }
        match self.in_flight {
            Some((_, sent)) => self.exit_due.then(|| sent + ACK_PATIENCE),
            None => (self.dirty && self.visible).then_some(self.next),
        }
    }

    /// Sends a frame if one is due.
    pub fn send(
        &mut self,
        run_id: &RunId,
        session_id: &SessionId,
        terminal: &Terminal,
        acks: &mpsc::UnboundedSender<Acked>,
    ) {
        self.hold_or_let_go(terminal);
        if !self.dirty {
            return;
        }
        let output =
            |waiting_rows| Event::Output { session_id: session_id.clone(), run_id: run_id.clone(), waiting_rows };
        if !self.visible {
            if !self.told {
                self.told = true;
                self.client.event(output(None));
            }
            return;
        }
        let now = Instant::now();
        if let Some(held) = &mut self.held {
            if held.untold && now >= held.next_tell {
                held.untold = false;
                let rows = end_of(terminal).saturating_sub(held.end);
                if held.told.replace(rows) != Some(rows) {
                    held.next_tell = now + WAITING_INTERVAL;
                    self.client.event(output(Some(rows)));
                }
            }
            return;
        }
        if self.in_flight.is_some() || now < self.next {
            return;
        }
        let Some(NextFrame { seq, reset, body, is_current }) = self.view.next_frame(terminal) else {
            self.dirty = false;
            return;
        };
        self.dirty = !is_current;
        self.shown =
            Some(Shown { end: end_of(terminal), alternate_screen: terminal.modes().alternate_screen, is_current });
        self.in_flight = Some((seq, now));
        self.streak = if now - self.last_sent > QUIET { 1 } else { self.streak + 1 };
        self.last_sent = now;
        // What does not change but with a reset is told with it; the first frame is one.
        let size = reset.then(|| terminal.size());
        let frame = Frame {
            view_id: self.id,
            seq,
            run_id: reset.then(|| run_id.clone()),
            format: reset.then(|| self.view.format()),
            rows: size.map(|size| size.rows),
            cols: size.map(|size| size.cols),
            reset,
            current: is_current,
            body,
        };
        self.client.frame(FrameJob { frame, ack: Ack::new(acks.clone(), self.id, seq) });
    }

    /// Takes an acknowledgement. One that comes twice or out of turn is not of the frame in flight and changes nothing.
    pub fn acked(&mut self, seq: u64) {
        if let Some((in_flight, sent)) = self.in_flight
            && in_flight == seq
        {
            self.in_flight = None;
            // An editor that takes its time gets that much time for itself between frames.
            let least = if self.streak <= FIRST_FRAMES { FIRST_INTERVAL } else { MIN_INTERVAL };
            self.next = sent + (sent.elapsed() * 2).clamp(least, MAX_INTERVAL);
        }
    }
}

/// The row of the terminal's cursor, counted as the transcript counts: it grows by one with each new line.
fn end_of(terminal: &Terminal) -> u64 {
    terminal.transcript().end() + u64::from(terminal.cursor().row)
}
