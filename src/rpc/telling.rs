//! The events of one client, each when it can be told.

use super::guard::Traffic;
use crate::{protocol::Event, session::Events};

/// What happens to a run is told after the answer that names it.
pub struct Telling {
    events: Events,
    traffic: Traffic,
    /// So many of the events that come next were there when answers were last waited for: none names a run whose answer
    /// has begun since.
    named: usize,
}

impl Telling {
    /// The events that go to the client of that connection.
    pub fn new(events: Events, traffic: Traffic) -> Self {
        Self { events, traffic, named: 0 }
    }

    /// The next event; none when nobody can send one any more. To ask for it says that the client has the one before.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.next().await?;
        if self.named == 0 {
            self.named = 1 + self.events.waiting();
            self.traffic.replies_are_out().await;
        }
        self.named -= 1;
        Some(event)
    }
}
