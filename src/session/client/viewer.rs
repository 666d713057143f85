//! A client's view within a run: its frames, throttled to what the client draws, its resync, and what it is told while it
//! is hidden or paused.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{Ack, Acked, Client, FrameJob, pacing::FramePacer};
use crate::{
    protocol::{Event, Format, Frame, RunId, SessionId, Size, ViewId},
    term::Terminal,
    view::{NextFrame, View},
};

/// A client that has not acknowledged a frame for so long is told of the run's end before it has seen everything.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often someone who reads is told how much waits, while it changes.
const BADGE_INTERVAL: Duration = Duration::from_millis(250);

/// What the client has since the last frame.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// The row of the cursor, counted as the transcript counts.
    end: u64,
    alternate_screen: bool,
    /// It has started over, and is not filled yet.
    is_filling: bool,
}

/// Someone reads: the view stays as it is.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The row of the cursor that the client has.
    end: u64,
    /// Rows that the client lacks above its screen.
    skipped: u64,
    /// How many rows wait as far as the client knows.
    told: Option<u64>,
    /// Something has changed since.
    untold: bool,
    next_tell: Instant,
}

/// How a client wants to look at a run.
#[derive(Debug, Clone, Copy)]
pub struct AttachOptions {
    pub format: Format,
    pub size: Option<Size>,
    pub read_only: bool,
    /// How many rows of the transcript it wants at most.
    pub scrollback: Option<u32>,
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
    /// Someone reads, or would, were the view filled and the program on its primary screen.
    hold: bool,
    held: Option<Held>,
    shown: Option<Shown>,
    pacer: FramePacer,
    /// The client waits to be told of the run's end.
    pub exit_due: bool,
}

impl Viewer {
    /// An id that no other view of this host has.
    pub fn next_id() -> ViewId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        ViewId(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub fn new(id: ViewId, client: Client, options: AttachOptions, terminal: &Terminal) -> Self {
        let AttachOptions { format, read_only, scrollback, size: _ } = options;
        let mut view = match scrollback {
            None => View::new(format, terminal),
            Some(rows) => View::with_scrollback(format, rows, terminal),
        };
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
            pacer: FramePacer::new(),
            exit_due: false,
        }
    }

    pub fn mark(&mut self) {
        if !std::mem::replace(&mut self.dirty, true) {
            self.pacer.wake();
        }
        if let Some(held) = &mut self.held {
            held.untold = true;
        }
    }

    /// The program was typed something: its echo does not wait, however much was shown just before.
    pub fn expect_echo(&mut self) {
        self.pacer.expect_echo();
    }

    /// It fell behind and could be filled again, were it quiet.
    pub fn is_behind(&self, terminal: &Terminal) -> bool {
        self.visible && self.held.is_none() && self.view.is_behind(terminal)
    }

    /// A resync: everything is to be sent again, as after a new size.
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

    /// A view is held unless it is just being filled, and as long as the program is on its primary screen: what is drawn on
    /// the other one is not text that moves on.
    fn hold_or_let_go(&mut self, terminal: &Terminal) {
        if !self.hold || terminal.modes().alternate_screen {
            if self.held.take().is_some() && !self.hold && self.view.is_far_behind(terminal) {
                self.start_over(terminal);
            }
        } else if self.held.is_none()
            && let Some(Shown { end, alternate_screen: false, is_filling: false }) = self.shown
        {
            let skipped = self.view.rows_skipped();
            let untold = self.dirty || skipped > 0;
            self.held = Some(Held { end, skipped, told: None, untold, next_tell: Instant::now() });
        }
    }

    /// The run has ended, and the client is to be told once it has everything: what is left does not wait, as nothing
    /// will come after it.
    pub fn end(&mut self) {
        self.exit_due = true;
        self.pacer.hurry();
    }

    /// Delivers the exit, if the client still waits for it.
    pub fn deliver_exit(&mut self, exit: &Event) {
        if std::mem::take(&mut self.exit_due) {
            self.client.event(exit.clone());
        }
    }

    /// Whether the client is to be told of the run's end: it has everything there is, or does not look, or only at
    /// what it has, or does not acknowledge what it was sent.
    pub fn is_exit_due(&self) -> bool {
        let is_drained = !self.visible || self.held.is_some() || (!self.dirty && self.pacer.in_flight.is_none());
        self.exit_due && (is_drained || self.pacer.in_flight.is_some_and(|(_, sent)| sent.elapsed() >= ACK_TIMEOUT))
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
        match self.pacer.in_flight {
            Some((_, sent)) => self.exit_due.then(|| sent + ACK_TIMEOUT),
            None => (self.dirty && self.visible).then_some(self.pacer.next),
        }
    }

    /// Sends a frame if one is due at that moment. A terminal is flushed for the views that are due: by a later clock
    /// another might be, and would read it unflushed.
    pub fn send(
        &mut self,
        run_id: &RunId,
        session_id: &SessionId,
        terminal: &Terminal,
        acks: &mpsc::UnboundedSender<Acked>,
        now: Instant,
    ) {
        self.hold_or_let_go(terminal);
        if !self.dirty && !self.held.is_some_and(|held| held.untold) {
            return;
        }
        let output = |waiting_rows, skipped_rows| Event::Output {
            session_id: session_id.clone(),
            run_id: run_id.clone(),
            waiting_rows,
            skipped_rows,
        };
        if !self.visible {
            if !self.told {
                self.told = true;
                self.client.event(output(None, None));
            }
            return;
        }
        if let Some(held) = &mut self.held {
            if held.untold && now >= held.next_tell {
                held.untold = false;
                let rows = end_of(terminal).saturating_sub(held.end);
                if held.told.replace(rows) != Some(rows) {
                    held.next_tell = now + BADGE_INTERVAL;
                    let waits = self.dirty || rows > 0;
                    let skipped = (held.skipped > 0).then_some(held.skipped);
                    self.client.event(output(waits.then_some(rows), skipped));
                }
            }
            return;
        }
        if !self.pacer.is_due(now, &self.client) {
            return;
        }
        let Some(NextFrame { seq, reset, body, is_current, next_row, is_filling }) = self.view.next_frame(terminal)
        else {
            self.dirty = false;
            return;
        };
        self.dirty = !is_current;
        self.shown = Some(Shown {
            end: next_row + u64::from(terminal.cursor().row),
            alternate_screen: terminal.modes().alternate_screen,
            is_filling,
        });
        self.pacer.sent(seq, now, is_filling && !is_current);
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

    /// Takes an acknowledgement.
    pub fn acked(&mut self, seq: u64) {
        self.pacer.acked(seq, &self.client, self.exit_due);
    }
}

/// The row of the terminal's cursor, counted as the transcript counts: it grows by one with each new line.
fn end_of(terminal: &Terminal) -> u64 {
    terminal.transcript().end() + u64::from(terminal.cursor().row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::client::pacing::{FIRST_INTERVAL, MAX_INTERVAL};
    use crate::{
        protocol::{Format, Size},
        session::client::Outbox,
    };

    /// A view, and where its frames arrive.
    struct Seen {
        viewer: Viewer,
        terminal: Terminal,
        outbox: Outbox,
        acks: mpsc::UnboundedSender<Acked>,
    }

    impl Seen {
        fn new() -> Self {
            let (client, outbox) = Client::new();
            let terminal = Terminal::new(Size { rows: 5, cols: 20 }, 1000);
            let options = AttachOptions { format: Format::Ansi, size: None, read_only: false, scrollback: None };
            let viewer = Viewer::new(Viewer::next_id(), client, options, &terminal);
            let mut seen = Self { viewer, terminal, outbox, acks: mpsc::unbounded_channel().0 };
            assert_eq!(seen.frame(), Some(1), "the first comes at once");
            seen.viewer.acked(1);
            seen
        }

        /// Sends what is due; gives the number of the frame that went out.
        fn frame(&mut self) -> Option<u64> {
            self.frame_at(Instant::now())
        }

        fn frame_at(&mut self, now: Instant) -> Option<u64> {
            self.viewer.send(&RunId::new(), &SessionId::new(), &self.terminal, &self.acks, now);
            self.outbox.frames.try_recv().ok().map(|job| job.frame.seq)
        }

        fn print(&mut self, text: &str) {
            self.terminal.feed(text.as_bytes());
            self.viewer.mark();
        }
    }

    #[test]
    fn what_was_typed_is_echoed_at_once_however_busy_the_view_is() {
        let mut seen = Seen::new();
        let busy = Instant::now() + MAX_INTERVAL * 1000;
        seen.viewer.pacer.next = busy;
        seen.print("flood");
        assert_eq!((seen.frame(), seen.viewer.due()), (None, Some(busy)), "others wait their time");
        seen.viewer.expect_echo();
        assert_eq!(seen.frame(), Some(2));
        // Typed while a frame is in flight, it is shown when that is acknowledged.
        seen.viewer.pacer.frames_since_quiet = 100;
        seen.viewer.expect_echo();
        seen.print("echo");
        assert_eq!(seen.frame(), None);
        seen.viewer.acked(2);
        assert!(seen.viewer.due().unwrap() <= Instant::now());
        assert_eq!(seen.frame(), Some(3));
    }

    /// Sends a frame and acknowledges it; whether the next one comes as soon as a machine of this speed allows.
    fn is_followed_at_once(seen: &mut Seen) -> bool {
        let before = Instant::now();
        seen.viewer.pacer.next = before;
        let seq = seen.frame().unwrap();
        seen.viewer.acked(seq);
        let after = Instant::now();
        seen.viewer.pacer.next <= after + FIRST_INTERVAL.max(after - before)
    }

    #[test]
    fn what_fills_a_view_comes_piece_by_piece_without_a_pause() {
        let mut seen = Seen::new();
        seen.terminal.set_transcript_limit(1 << 20);
        for number in 0..2500 {
            seen.terminal.feed(format!("{number}\r\n").as_bytes());
        }
        seen.viewer.start_over(&seen.terminal);
        seen.viewer.pacer.frames_since_quiet = 100;
        seen.viewer.client.reserve_slot(Instant::now());
        seen.viewer.pacer.has_slot = true;
        let mut at_once = Vec::new();
        while seen.viewer.dirty {
            at_once.push(is_followed_at_once(&mut seen));
        }
        assert!(at_once.len() > 2, "there are several pieces");
        assert!(at_once[..at_once.len() - 1].iter().all(|at_once| *at_once), "{at_once:?}");
        assert!(!seen.viewer.pacer.has_slot, "the next change waits for its turn again");
    }

    #[test]
    fn what_an_ended_run_leaves_does_not_wait() {
        let mut seen = Seen::new();
        let busy = Instant::now() + MAX_INTERVAL * 1000;
        (seen.viewer.pacer.next, seen.viewer.pacer.has_slot) = (busy, true);
        seen.print("the end");
        assert_eq!((seen.frame(), seen.viewer.due()), (None, Some(busy)));
        seen.viewer.end();
        assert_eq!(seen.frame(), Some(2));
    }

    #[test]
    fn nothing_is_due_when_nothing_has_changed() {
        let mut seen = Seen::new();
        assert_eq!((seen.frame(), seen.viewer.due()), (None, None));
        seen.viewer.show(false);
        seen.print("unseen");
        assert_eq!((seen.frame(), seen.viewer.due()), (None, None), "nor while it is hidden");
        assert!(seen.outbox.frames.is_empty());
    }

    #[test]
    fn what_falls_due_while_others_are_sent_waits_for_the_next_look() {
        let mut seen = Seen::new();
        let looked = Instant::now();
        seen.print("a");
        seen.viewer.pacer.next = looked + Duration::from_nanos(1);
        while Instant::now() <= looked + Duration::from_nanos(1) {}
        assert_eq!(seen.frame_at(looked), None, "nobody has flushed the terminal for it");
        assert_eq!(seen.frame(), Some(2));
    }

    #[test]
    fn of_acknowledgements_only_that_of_the_frame_in_flight_counts() {
        let mut seen = Seen::new();
        seen.print("a");
        seen.viewer.pacer.next = Instant::now();
        assert_eq!(seen.frame(), Some(2));
        seen.print("b");
        for seq in [1, 3, 99] {
            seen.viewer.acked(seq);
            assert_eq!(seen.frame(), None);
        }
        seen.viewer.acked(2);
        seen.viewer.pacer.next = Instant::now();
        assert_eq!(seen.frame(), Some(3));
    }

    #[test]
    fn an_end_is_told_once_all_is_shown_or_a_frame_is_long_unanswered() {
        let mut seen = Seen::new();
        seen.print("the end");
        seen.viewer.end();
        assert!(!seen.viewer.is_exit_due());
        seen.viewer.pacer.next = Instant::now();
        assert_eq!(seen.frame(), Some(2));
        assert!(!seen.viewer.is_exit_due() && seen.viewer.due().is_some());
        let Some(long_ago) = Instant::now().checked_sub(ACK_TIMEOUT * 2) else { return };
        seen.viewer.pacer.in_flight = Some((2, long_ago));
        assert!(seen.viewer.is_exit_due());
        seen.viewer.pacer.in_flight = Some((2, Instant::now()));
        seen.viewer.acked(2);
        assert!(seen.viewer.is_exit_due());
    }
}
