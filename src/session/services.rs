//! What every run reaches beside its own state, the way to announce events among it.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use tokio::sync::{mpsc, watch};

use crate::{
    history::HistoryStore,
    protocol::{CrossSession, Event, RunId},
    session::{
        client::ClientId,
        program::{agent_rules::AgentRules, heap_trim, limits, output_gate},
    },
};

/// What a run tells the table.
#[derive(Debug)]
pub enum Announcement {
    /// An event for every client but some.
    Event { event: Event, except: Vec<ClientId> },
    /// The same, of the run's end: whether processes that its program started may live on.
    Ended { event: Event, except: Vec<ClientId>, lives_on: bool },
    /// Whether any does, once that is known and whenever it changes.
    Settled { run_id: RunId, lives_on: bool },
}

/// A run's way to tell every client something.
#[derive(Debug, Clone)]
pub struct Announcer(pub mpsc::UnboundedSender<Announcement>);

impl Announcer {
    pub fn announce(&self, announcement: Announcement) {
        // When the supervisor is gone, so are the clients.
        let _ = self.0.send(announcement);
    }
}

/// What every run reaches beside its own state.
#[derive(Debug, Clone)]
pub struct Services {
    pub announcer: Announcer,
    pub agent_rules: AgentRules,
    pub watcher: limits::Watcher,
    pub floods: output_gate::OutputGate,
    pub heap_trim: heap_trim::HeapTrim,
    /// What programs inside a session may do to others.
    pub cross_session: watch::Receiver<CrossSession>,
    /// What is kept on disk; none where nothing is.
    pub disk: Option<HistoryStore>,
    /// How many processes of hosts that were killed were ended, once that is known.
    pub leftovers: Arc<OnceLock<usize>>,
    /// When the host began.
    pub started: Instant,
}
