//! Prompts and links, in the rows that a client counts.

use super::Run;
use crate::{
    protocol::{LinkReply, PromptsReply},
    session::client::ClientId,
};

/// The rows of a client's view of a run, counted as the transcript does. Above the screen are those that have left it.
struct Rows {
    /// The first that it has without a gap.
    first: u64,
    /// The first of its screen.
    screen: u64,
    /// The last.
    last: u64,
}

impl Run {
    /// A client whose view is on its way to the terminal's state has the screen of some moments ago; one without a view
    /// would have that of now.
    fn rows_of(&self, client: ClientId) -> Rows {
        let transcript = self.terminal.transcript();
        let viewer = self.clients.viewers.iter().find(|viewer| viewer.client.id() == client);
        if let Some(shown) = viewer.and_then(|viewer| viewer.rows_shown(&self.terminal)) {
            let screen = transcript.end();
            return Rows { first: screen + shown.start, screen, last: (screen + shown.end).saturating_sub(1) };
        }
        let held = viewer.map_or(transcript.first()..transcript.end(), |viewer| viewer.rows_held());
        let screen = held.end.min(transcript.end());
        Rows { first: held.start, screen, last: screen + u64::from(self.terminal.size().rows) - 1 }
    }

    pub(super) fn prompts(&self, client: ClientId) -> PromptsReply {
        let rows = self.rows_of(client);
        // Under the alternate screen the primary's own rows are out of sight.
        let last = if self.terminal.modes().alternate_screen { rows.screen.checked_sub(1) } else { Some(rows.last) };
        let seen = self
            .terminal
            .prompts()
            .rev()
            .filter(|prompt| prompt.row >= rows.first && last.is_some_and(|last| prompt.row <= last));
        let (rows, exits) = seen.map(|prompt| (rows.last - prompt.row, prompt.exit)).unzip();
        PromptsReply { rows, exits }
    }

    pub(super) fn link(&self, client: ClientId, row: u64, col: u32) -> LinkReply {
        let rows = self.rows_of(client);
        let Some(number) = rows.last.checked_sub(row).filter(|number| *number >= rows.first) else {
            return LinkReply::default();
        };
        // The alternate screen stands over the primary's rows, whatever of those has scrolled off meanwhile.
        let screen =
            if self.terminal.modes().alternate_screen { rows.screen } else { self.terminal.transcript().end() };
        let uri = match number.checked_sub(screen) {
            Some(row) => match (u16::try_from(row), u16::try_from(col)) {
                (Ok(row), Ok(col)) => self.terminal.link(row, col),
                _ => None,
            },
            None => self.terminal.transcript().link(number, col as usize),
        };
        LinkReply { uri }
    }
}
