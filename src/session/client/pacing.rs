//! When a view's next frame is due: one is in flight at a time, and those that can wait leave the client time for itself.

use std::time::{Duration, Instant};

use super::Client;

/// The least and the most time between two frames of a view under load. Screens show 60 pictures a second.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(16);
pub(super) const MAX_INTERVAL: Duration = Duration::from_millis(250);

/// The first change after quiet does not wait, and the few after it hardly: a program that starts, prints a
/// little and ends is shown at once.
const QUIET: Duration = Duration::from_millis(200);
pub(super) const FIRST_FRAMES: u32 = 4;
pub(super) const FIRST_INTERVAL: Duration = Duration::from_millis(1);

pub(super) struct Tempo {
    pub in_flight: Option<(u64, Instant)>,
    /// When the next frame may go out.
    pub next: Instant,
    /// The next frame has its turn among those of the client's other views: it is at `next`.
    pub has_turn: bool,
    /// When the last frame went out, and how many did since it was quiet.
    last_sent: Instant,
    pub streak: u32,
    /// Something was typed since: what comes next may be its echo.
    typed: bool,
}

impl Tempo {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { in_flight: None, next: now, has_turn: false, last_sent: now, streak: 0, typed: false }
    }

    /// There is something to send, after there was nothing.
    pub fn wake(&mut self) {
        if self.last_sent.elapsed() > QUIET {
            self.streak = 0;
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
        if self.typed || self.streak < FIRST_FRAMES || self.has_turn {
            return true;
        }
        self.next = client.turn(now);
        self.has_turn = self.next > now;
        !self.has_turn
    }

    /// A frame goes out. What fills a view piece by piece is one turn: it keeps it while more `follows`.
    pub fn sent(&mut self, seq: u64, now: Instant, follows: bool) {
        self.in_flight = Some((seq, now));
        self.streak = self.streak.saturating_add(1);
        self.last_sent = now;
        (self.typed, self.has_turn) = (false, follows);
    }

    /// Takes an acknowledgement. One that comes twice or out of turn is not of the frame in flight and changes nothing.
    /// What is left of a program that has `ended` does not wait.
    pub fn acked(&mut self, seq: u64, client: &Client, ended: bool) {
        let Some((_, sent)) = self.in_flight.take_if(|(in_flight, _)| *in_flight == seq) else { return };
        let took = sent.elapsed();
        if self.streak > FIRST_FRAMES {
            client.took(took);
        }
        // An editor that takes its time gets that much time for itself between frames.
        let is_soon = self.streak <= FIRST_FRAMES || self.has_turn || ended;
        let least = if is_soon { FIRST_INTERVAL } else { MIN_INTERVAL };
        let wait = if self.typed { Duration::ZERO } else { (took * 2).clamp(least, MAX_INTERVAL) };
        self.next = sent + wait;
    }
}
