//! The size of a run's terminal: that of the client that last typed into it (as with tmux's `window-size latest`). The
//! views of the others show what fits (see [`crate::view`]). Sizes that come in a burst are coalesced to the last.

use super::Run;
use crate::{
    protocol::Size,
    session::client::{ClientId, viewer::Viewer},
    term::clamp_size,
};

/// The owner of a terminal's size.
#[derive(Default)]
pub(super) struct SizeOwner {
    /// The size that the terminal is to have, once the burst of sizes is over.
    pub wanted: Option<Size>,
    /// The client whose size it is.
    pub owner: Option<ClientId>,
    /// A view that the size is not for has another one: it is to be fitted anew.
    pub refit: bool,
}

impl Run {
    /// A client says how large its view of the run is.
    pub(super) fn sized(&mut self, client: ClientId, size: Size) {
        let size = clamp_size(size.rows.into(), size.cols.into());
        let owner = self.size_owner();
        match self.clients.viewers.iter_mut().find(|viewer| viewer.client.id() == client) {
            Some(viewer) if viewer.read_only => {
                viewer.size = Some(size);
                self.size.refit = true;
            }
            Some(viewer) => {
                viewer.size = Some(size);
                if owner.is_none_or(|owner| owner == client) {
                    self.own_size(client, size);
                } else {
                    self.size.refit = true;
                }
            }
            // Who has no view says it for the program's sake, as a script does.
            None => self.own_size(client, size),
        }
    }

    /// A client types: the terminal is as large as its view from now on.
    pub(super) fn typed_by(&mut self, client: ClientId) {
        if self.size.owner == Some(client) {
            return;
        }
        let size =
            self.clients.viewers.iter().find(|viewer| viewer.client.id() == client).and_then(|viewer| viewer.size);
        if let Some(size) = size {
            self.own_size(client, size);
        }
    }

    /// Views were closed: if the one was among them that the size was for, the next one's counts.
    pub(super) fn hand_on_size(&mut self) {
        if self.size_owner().is_some() {
            return;
        }
        let next = self.clients.viewers.iter().rev().find(|viewer| !viewer.read_only && viewer.size.is_some());
        if let Some((client, size)) = next.and_then(|viewer| Some((viewer.client.id(), viewer.size?))) {
            self.own_size(client, size);
        }
    }

    /// The client that the size is for, while it has a view that tells one.
    fn size_owner(&self) -> Option<ClientId> {
        let sized = |viewer: &&Viewer| viewer.size.is_some() && Some(viewer.client.id()) == self.size.owner;
        self.clients.viewers.iter().find(sized).map(|viewer| viewer.client.id())
    }

    fn own_size(&mut self, client: ClientId, size: Size) {
        self.size.owner = Some(client);
        self.size.wanted = Some(size);
    }

    pub(super) fn apply_size(&mut self) {
        let Some(size) = self.size.wanted.take() else { return self.refit_views() };
        if self.terminal.resize(size) {
            if let Some(master) = &self.program.master {
                master.resize(size);
            }
            self.after_output();
        }
        // A client's own emulator has reflowed what it had; even when a burst of sizes ends where it began,
        // frames may have met it at another size.
        self.size.refit = false;
        for viewer in &mut self.clients.viewers {
            viewer.start_over(&self.terminal);
        }
    }

    /// Views that have another size by now than the one that the terminal keeps.
    fn refit_views(&mut self) {
        if std::mem::take(&mut self.size.refit) {
            for viewer in &mut self.clients.viewers {
                viewer.refit(&self.terminal);
            }
        }
    }
}
