//! The clients of a run: their views, the subscribers of its lines, and their acknowledgements. An exit is delivered to
//! each once it has all output.

use std::time::Instant;

use tokio::sync::mpsc;
use tracing::debug;

use super::{Run, lifecycle::Life};
use crate::{
    protocol::Event,
    session::client::{Acked, Client, ClientId, json_lines::Subscriber, viewer::Viewer},
};

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

    /// Some are still to get the exit.
    fn expect_exit(&self) -> bool {
        self.viewers.iter().any(|viewer| viewer.exit_due)
            || self.subscribers.iter().any(|subscriber| subscriber.exit_due)
    }

    /// The run has ended: each client gets the exit once it has all output, through its view if it has one. Returns those
    /// that wait for it so.
    pub fn end(&mut self) -> Vec<ClientId> {
        self.viewers.iter_mut().for_each(Viewer::end);
        let mut waiting: Vec<_> = self.viewers.iter().map(|viewer| viewer.client.id()).collect();
        for subscriber in &mut self.subscribers {
            if !waiting.contains(&subscriber.client.id()) {
                waiting.push(subscriber.client.id());
                subscriber.exit_due = true;
            }
        }
        waiting
    }

    /// Delivers the exit to all that still wait for it, whether they have all output or not.
    pub fn deliver_exit(&mut self, exit: &Event) {
        self.viewers.iter_mut().for_each(|viewer| viewer.deliver_exit(exit));
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.deliver_exit(exit));
    }
}

impl Run {
    /// The exit event, while a client is still to get it.
    pub(super) fn pending_exit_event(&self) -> Option<Event> {
        match self.lifecycle.life {
            Life::Ended { exit, lasted, .. } if self.clients.expect_exit() => Some(self.exit_event(exit, lasted)),
            _ => None,
        }
    }

    /// Sends the frames that are due, and the exit to whoever has all of them.
    pub(super) fn send_due_frames(&mut self) {
        let exit_event = self.pending_exit_event();
        // Half of a synchronized update is not to be seen.
        let whole = self.terminal.sync_deadline().is_none();
        let now = Instant::now();
        if self.clients.viewers.iter().any(|viewer| viewer.due().is_some_and(|due| now >= due)) {
            self.terminal.flush();
        }
        for viewer in self.clients.viewers.iter_mut().filter(|_| whole) {
            viewer.send(&self.identity.run_id, &self.identity.session_id, &self.terminal, &self.clients.acks.0, now);
            let reads_on =
                |subscriber: &Subscriber| subscriber.client.id() == viewer.client.id() && !subscriber.is_drained();
            if let Some(event) = &exit_event
                && viewer.is_exit_due()
                && !self.clients.subscribers.iter().any(reads_on)
            {
                viewer.deliver_exit(event);
            }
        }
    }

    /// Sends the lines that can go out, and the exit to whoever waits for lines alone and has all of them.
    pub(super) fn send_lines(&mut self) {
        if self.clients.subscribers.is_empty() {
            return;
        }
        let (who, exit_event) = (self.ids(), self.pending_exit_event());
        for subscriber in &mut self.clients.subscribers {
            subscriber.send(&who, &self.clients.acks.0);
            if let Some(event) = &exit_event
                && subscriber.is_drained()
            {
                subscriber.deliver_exit(event);
            }
        }
    }

    pub(super) fn acked(&mut self, acked: Acked) {
        if let Some(subscriber) = self.clients.subscribers.iter_mut().find(|subscriber| subscriber.id == acked.view) {
            subscriber.acked();
            if !acked.accepted {
                self.drop_subscribers(|subscriber| subscriber.id == acked.view);
            }
            return;
        }
        if acked.accepted {
            if let Some(viewer) = self.clients.viewers.iter_mut().find(|viewer| viewer.id == acked.view) {
                viewer.acked(acked.seq);
            }
        } else {
            debug!("a client has no such view any more: {:?}", acked.view);
            self.drop_viewers(|viewer| viewer.id == acked.view);
        }
    }

    pub(super) fn subscribe(&mut self, client: Client) -> Option<u64> {
        let next = self.output.splitter.as_ref().filter(|_| !client.is_gone())?.next_seq();
        self.drop_subscribers(|subscriber| subscriber.client.id() == client.id());
        self.clients.subscribers.push(Subscriber::new(
            Viewer::next_id(),
            client,
            *self.identity.transcript_limit.borrow(),
        ));
        Some(next)
    }

    /// Drops subscribers. One that still waits for the exit gets it now.
    pub(super) fn drop_subscribers(&mut self, which: impl Fn(&Subscriber) -> bool) {
        let exit = self.pending_exit_event();
        for mut subscriber in self.clients.subscribers.extract_if(.., |subscriber| which(subscriber)) {
            exit.iter().for_each(|exit| subscriber.deliver_exit(exit));
        }
    }

    /// Closes views for good.
    pub(super) fn drop_viewers(&mut self, which: impl Fn(&Viewer) -> bool) {
        self.close_viewers(which);
        self.hand_on_size();
    }

    /// Closes views. A client that still waits for the exit gets it now.
    pub(super) fn close_viewers(&mut self, which: impl Fn(&Viewer) -> bool) {
        let exit = self.pending_exit_event();
        for mut viewer in self.clients.viewers.extract_if(.., |viewer| which(viewer)) {
            exit.iter().for_each(|exit| viewer.deliver_exit(exit));
        }
    }
}
