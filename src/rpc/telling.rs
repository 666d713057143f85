//! The events of one client, each when it can be told.

use super::guard::Traffic;
use crate::{protocol::Event, session::Events};

/// What happens to a run is told after the answer that names it.
pub struct Telling {
    events: Events,
    traffic: Traffic,
}

impl Telling {
    /// The events that go to the client of that connection.
    pub fn new(events: Events, traffic: Traffic) -> Self {
        Self { events, traffic }
    }

    /// The next event; none when nobody can send one any more. To ask for it says that the client has the one before.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.next().await?;
        self.traffic.event_is_introduced(&event).await;
        Some(event)
    }
}
