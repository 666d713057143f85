//! The clients of a run: their views, the subscribers of its lines, and their acknowledgements. An exit is delivered to
//! each once it has all output.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::session::client::{Acked, json_lines::Subscriber, viewer::Viewer};

/// The clients of a run.
pub(super) struct Clients {
    pub viewers: Vec<Viewer>,
    pub subscribers: Vec<Subscriber>,
    pub acks: (mpsc::UnboundedSender<Acked>, mpsc::UnboundedReceiver<Acked>),
    /// Until when its clients of before a replacement may be on their way back.
    pub rejoined_until: Option<Instant>,
}

impl Clients {
    pub fn new() -> Self {
        Self { viewers: Vec::new(), subscribers: Vec::new(), acks: mpsc::unbounded_channel(), rejoined_until: None }
    }
}
