//! The state that the table desires of a run.
//!
//! A run follows it as it is: however much else waits for the run, the newest state is there, and nothing of it is lost
//! or piles up. What is to keep its place among other messages goes through the run's mailbox instead
//! ([`RunHandle::send_in_turn`](crate::session::message::RunHandle::send_in_turn)).

use super::Run;
use crate::session::message::Desired;

impl Run {
    /// Takes the desired state over; true when the run is to end.
    pub(super) fn follow_desired(&mut self) -> bool {
        let Desired { session_name, colors, departures: _, is_dismissed } = self.desired.borrow_and_update().clone();
        self.session_name = session_name;
        if let Some(colors) = colors {
            self.terminal.set_colors(colors);
        }
        self.drop_viewers(|viewer| viewer.client.is_gone());
        self.drop_subscribers(|subscriber| subscriber.client.is_gone());
        is_dismissed
    }
}
