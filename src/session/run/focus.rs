//! Focus reports (DEC 1004): agents say that they are done only to whoever does not look.
//!
//! A client's own emulator reports the focus of the view it shows, as input. A view that is hidden has no emulator
//! to do so: then the host reports, once, that the focus is gone; and that it is back when a view is seen again, if
//! it was the host that had said so. Both are remembered together, so that the program is never told the same twice.

use std::time::Instant;

use super::Run;
use crate::session::snapshot::state::Focus;

const FOCUS_IN: &[u8] = b"\x1b[I";
const FOCUS_OUT: &[u8] = b"\x1b[O";

/// Whether input is a report of the focus, which no one has typed.
pub(super) fn is_report(input: &[u8]) -> bool {
    [FOCUS_IN, FOCUS_OUT].contains(&input)
}

impl Run {
    /// Its clients of before a replacement may still be on their way back: that nobody sees it says nothing yet.
    fn is_rejoined(&self) -> bool {
        self.clients.rejoined_until.is_some_and(|until| Instant::now() < until)
    }

    /// Tells the program what has changed, if it asked to be told.
    pub(super) fn report_focus(&mut self) {
        if self.program.master.is_none() || !self.terminal.modes().focus {
            self.focus = Focus::Untold;
            return;
        }
        let seen = self.clients.viewers.iter().any(super::Viewer::is_visible);
        let (now, report) = match (self.focus, seen) {
            (Focus::Untold | Focus::In, false) if !self.is_rejoined() => (Focus::Hidden, FOCUS_OUT),
            (Focus::Hidden, true) => (Focus::In, FOCUS_IN),
            // A client told of it, and it is hidden since: nothing new to the program.
            _ => return,
        };
        // What does not read its input has no use for it either.
        if self.input.queue.push(report.to_vec()) {
            self.focus = now;
            self.write();
        }
    }

    /// Whether input is a client's report of what the program has been told already, or never asked to be told: a client
    /// whose emulator knows nothing of that mode reports all the same.
    pub(super) fn is_told_focus(&mut self, input: &[u8]) -> bool {
        if is_report(input) && !self.terminal.modes().focus {
            return true;
        }
        let (told, now) = match input {
            FOCUS_IN => (self.focus == Focus::In, Focus::In),
            FOCUS_OUT => (matches!(self.focus, Focus::Out | Focus::Hidden), Focus::Out),
            _ => return false,
        };
        if !told {
            self.focus = now;
        }
        told
    }
}
