//! Carries out operating system commands (OSC), and bounds links.

use alacritty_terminal::{index::Line, vte::ansi::Hyperlink};

use super::Screen;
use crate::term::{
    effects::{ClipboardStore, Notification},
    parse::Osc,
};

/// Notifications and questions for a clipboard that may wait to be taken.
const NOTIFICATIONS_MAX: usize = 8;
const PASTES_MAX: usize = 4;

/// What the links on one screen may take, in bytes. The emulator keeps each with the cells it was set for: a screen
/// of a thousand files, each linked, takes a tenth of it.
pub(super) const LINKS_MAX: usize = 2 << 20;

/// What a link takes beside its text.
const LINK_OVERHEAD: usize = 200;

impl Screen {
    /// Carries out an OSC, but for what the emulator knows.
    pub fn osc_dispatch(&mut self, what: Osc) {
        match what {
            Osc::Title(title) => self.title = title,
            Osc::Cwd(cwd) => self.effects.cwd = Some(cwd),
            Osc::Notify(notification) => self.notify(notification),
            Osc::Chunk(chunk) => {
                if let Some(notification) = self.chunks.add(chunk) {
                    self.notify(notification);
                }
            }
            Osc::Progress(progress) => self.effects.progress = Some(progress),
            // A program on the alternate screen has no rows that one could go back to.
            Osc::Prompt if self.in_alternate() => {}
            Osc::Prompt => {
                self.prompts.forget_before(self.transcript.first());
                let row = self.number_of(self.term.grid().cursor.point.line.0);
                self.prompts.begin(row);
                self.end_program_status();
            }
            Osc::CommandEnd(exit) => self.prompts.end(exit),
            Osc::Copy(copied) => self.copy(copied),
            Osc::CopyTooLong => self.effects.copy_refused = true,
            Osc::Paste(paste) => {
                if self.effects.pastes.len() < PASTES_MAX {
                    self.effects.pastes.push(paste);
                } else {
                    // It waits for an answer.
                    self.replies.add(&paste.answer(b""));
                }
            }
            Osc::Status(Some(report)) => {
                self.program_status.apply(report);
                self.effects.status_changed = true;
            }
            Osc::Status(None) => {}
            Osc::StatusQuery(end) => self.replies.add(&format!("\x1b]7501;?{end}")),
            Osc::NoLink => self.term_without_link(),
            Osc::Emulator | Osc::Unknown => {}
        }
    }

    fn notify(&mut self, notification: Notification) {
        if self.effects.notifications.len() < NOTIFICATIONS_MAX {
            self.effects.notifications.push(notification);
        }
    }

    /// What was copied before is no longer on that clipboard.
    fn copy(&mut self, copied: ClipboardStore) {
        self.effects.copies.retain(|before| before.selection != copied.selection);
        self.effects.copies.push(copied);
    }

    fn term_without_link(&mut self) {
        alacritty_terminal::vte::ansi::Handler::set_hyperlink(&mut self.term, None);
    }

    /// Whether a link can be kept. What is on the screen is counted only now and then, as it takes time.
    pub(super) fn has_room_for(&mut self, link: &Hyperlink) -> bool {
        self.links.0 += link.uri.len() + link.id.as_ref().map_or(0, String::len) + LINK_OVERHEAD;
        if self.links.0 > self.links.1 {
            let left = LINKS_MAX.saturating_sub(self.link_bytes());
            self.links_full = left < LINKS_MAX / 8;
            self.links = (0, left.max(LINKS_MAX / 8));
        }
        !self.links_full
    }

    fn link_bytes(&self) -> usize {
        let mut last = None;
        let mut bytes = 0;
        for row in (0..self.lines()).map(Line) {
            for cell in &self.term.grid()[row] {
                let link = cell.hyperlink();
                if let Some(link) = link.as_ref().filter(|link| last.as_ref() != Some(*link)) {
                    bytes += link.uri().len() + link.id().len() + LINK_OVERHEAD;
                }
                last = link;
            }
        }
        bytes
    }
}
