//! Orders a client's events behind replies.

use super::in_flight::InFlight;
use crate::{protocol::Event, session::Events};

/// The events of one client: those about a run come only after the reply that introduced its `run_id`.
pub struct OrderedEvents {
    events: Events,
    in_flight: InFlight,
    /// The event that was given out last asks for what was sent before the client took it.
    is_barrier: bool,
}

impl OrderedEvents {
    /// The events that go to the client of that connection.
    pub fn new(events: Events, in_flight: InFlight) -> Self {
        Self { events, in_flight, is_barrier: false }
    }

    /// The next event; none when nobody can send one any more. To ask for it says that the client has the one before.
    pub async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.is_barrier) {
            self.in_flight.clone().until_empty().await;
        }
        let event = self.events.next().await?;
        self.is_barrier = matches!(event, Event::Replacing { begins: true });
        self.in_flight.event_is_introduced(&event).await;
        Some(event)
    }
}
