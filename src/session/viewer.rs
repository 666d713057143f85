//! A client's view within a run: when its next frame is due.

use std::{
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
        Self {
            id,
            client,
            size: None,
            read_only,
            view: View::new(format, terminal),
            visible: true,
            dirty: true,
            told: false,
            in_flight: None,
            next: Instant::now(),
            last_sent: Instant::now(),
            streak: 0,
            exit_due: false,
        }
    }

    pub fn mark(&mut self) {
        self.dirty = true;
    }

    /// It fell behind and could be filled again, were it quiet.
    pub fn is_behind(&self, terminal: &Terminal) -> bool {
        self.visible && self.view.is_behind(terminal)
    }

    /// Everything is to be sent again, as after a new size.
    pub fn start_over(&mut self, terminal: &Terminal) {
        self.view.fit(self.size);
        self.view.start_over(terminal);
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

    /// The client has everything there is, or is not looking.
    pub fn is_settled(&self) -> bool {
        !self.visible || (!self.dirty && self.in_flight.is_none())
    }

    /// When a frame is due, if the clock alone decides.
    pub fn due(&self) -> Option<Instant> {
        (self.dirty && self.visible && self.in_flight.is_none()).then_some(self.next)
    }

    /// Sends a frame if one is due.
    pub fn send(
        &mut self,
        run_id: &RunId,
        session_id: &SessionId,
        terminal: &Terminal,
        acks: &mpsc::UnboundedSender<Acked>,
    ) {
        if !self.dirty {
            return;
        }
        if !self.visible {
            if !self.told {
                self.told = true;
                self.client.event(Event::Output { session_id: session_id.clone(), run_id: run_id.clone() });
            }
            return;
        }
        let now = Instant::now();
        if self.in_flight.is_some() || now < self.next {
            return;
        }
        let Some(NextFrame { seq, reset, body, is_current }) = self.view.next_frame(terminal) else {
            self.dirty = false;
            return;
        };
        self.dirty = !is_current;
        self.in_flight = Some((seq, now));
        self.streak = if now - self.last_sent > QUIET { 1 } else { self.streak + 1 };
        self.last_sent = now;
        let size = terminal.size();
        let frame =
            Frame { run_id: run_id.clone(), view_id: self.id, seq, rows: size.rows, cols: size.cols, reset, body };
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
