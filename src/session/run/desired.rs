//! The state that the table desires of a run.
//!
//! A run follows it as it is: however much else waits for the run, the newest state is there, and nothing of it is lost
//! or piles up. What is to keep its place among other asks goes through the run's queue instead
//! ([`RunHandle::send_in_turn`]).

use futures::FutureExt;
use tokio::sync::watch;

use super::{Ask, Run};
use crate::{session::table::RunHandle, term::Colors};

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Desired {
    /// Its session's name.
    pub session_name: String,
    /// The colors its terminal answers with; none for those that it has.
    pub colors: Option<Colors>,
    /// How many clients have gone: one of them may be the run's.
    pub departures: u64,
    /// Nobody is to find it any more, and it ends.
    pub is_dismissed: bool,
}

impl Desired {
    /// Of a run in a session of that name: both ends.
    pub fn new(session_name: String) -> (watch::Sender<Self>, watch::Receiver<Self>) {
        watch::channel(Self { session_name, colors: None, departures: 0, is_dismissed: false })
    }
}

impl RunHandle {
    /// Sends what asks for no answer: behind what waits for the run by now, and before what comes later.
    pub fn send_in_turn(&self, ask: Ask) {
        let asks = self.asks.clone();
        let mut sending = Box::pin(async move { asks.send(ask).await });
        // Polled once, it has its place in the queue, or among those who wait for one.
        if sending.as_mut().now_or_never().is_none() {
            tokio::spawn(sending);
        }
    }
}

impl Run {
    /// Takes the desired state over; true when the run is to end.
    pub(super) fn follow_desired(&mut self) -> bool {
        let Desired { session_name, colors, departures: _, is_dismissed } = self.desired.borrow_and_update().clone();
        self.session_name = session_name;
        if let Some(colors) = colors {
            self.terminal.set_colors(colors);
        }
        self.drop_viewers(|viewer| viewer.client.is_gone());
        self.drop_followers(|follower| follower.client.is_gone());
        is_dismissed
    }
}
