//! Frame pacing, which throttles what a client is sent: when a view's next frame is due. One frame is in flight at a time; under load the next is delayed to
//! twice the latency of the last acknowledgement, so that the client has as much time for itself as it needs for frames.

use std::time::{Duration, Instant};

use super::Client;

/// The least and the most time between two frames of a view under load. Screens show 60 pictures a second.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(16);
pub(super) const MAX_INTERVAL: Duration = Duration::from_millis(250);

/// The first change after quiet does not wait, and the few after it hardly: a program that starts, prints a
/// little and ends is shown at once.
const QUIET_TIME: Duration = Duration::from_millis(200);
pub(super) const FIRST_FRAMES: u32 = 4;
pub(super) const FIRST_INTERVAL: Duration = Duration::from_millis(1);

/// Paces the frames of one view.
pub(super) struct FramePacer {
    pub in_flight: Option<(u64, Instant)>,
    /// When the next frame may go out.
    pub next: Instant,
    /// The next frame has its slot among those of the client's other views: it is at `next`.
    pub has_slot: bool,
    /// When the last frame went out, and how many did since it was quiet.
    last_sent: Instant,
    pub frames_since_quiet: u32,
    /// Something was typed since: what comes next may be its echo.
    typed: bool,
}

impl FramePacer {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { in_flight: None, next: now, has_slot: false, last_sent: now, frames_since_quiet: 0, typed: false }
    }

    /// There is something to send, after there was nothing.
    pub fn wake(&mut self) {
        if self.last_sent.elapsed() > QUIET_TIME {
            self.frames_since_quiet = 0;
        }
    }

    /// The program was typed something: its echo does not wait, however much was shown just before.
    pub fn expect_echo(&mut self) {
        self.typed = true;
        self.hurry();
    }

    /// What is to be sent does not wait for its time.
    pub fn hurry(&mut self) {
        self.next = self.next.min(Instant::now());
    }

    /// Whether a frame may be sent now. What is typed or comes after quiet may at once, the rest when it is its turn.
    pub fn is_due(&mut self, now: Instant, client: &Client) -> bool {
        if self.in_flight.is_some() || now < self.next {
            return false;
        }
        if self.typed || self.frames_since_quiet < FIRST_FRAMES || self.has_slot {
            return true;
        }
        self.next = client.reserve_slot(now);
        self.has_slot = self.next > now;
        !self.has_slot
    }

    /// A frame goes out. What fills a view piece by piece is one turn: it keeps it while more `follows`.
    pub fn sent(&mut self, seq: u64, now: Instant, follows: bool) {
        self.in_flight = Some((seq, now));
        self.frames_since_quiet = self.frames_since_quiet.saturating_add(1);
        self.last_sent = now;
        (self.typed, self.has_slot) = (false, follows);
    }

    /// Takes an acknowledgement. One that comes twice or out of turn is not of the frame in flight and changes nothing.
    /// What is left of a program that has `ended` does not wait.
    pub fn acked(&mut self, seq: u64, client: &Client, ended: bool) {
        let Some((_, sent)) = self.in_flight.take_if(|(in_flight, _)| *in_flight == seq) else { return };
        let took = sent.elapsed();
        if self.frames_since_quiet > FIRST_FRAMES {
            client.record_latency(took);
        }
        // An editor that takes its time gets that much time for itself between frames.
        let is_soon = self.frames_since_quiet <= FIRST_FRAMES || self.has_slot || ended;
        let least = if is_soon { FIRST_INTERVAL } else { MIN_INTERVAL };
        let wait = if self.typed { Duration::ZERO } else { (took * 2).clamp(least, MAX_INTERVAL) };
        self.next = sent + wait;
    }
}
