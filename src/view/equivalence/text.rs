//! A client without an emulator, as the protocol describes it: rows of text, and what is above them.

use crate::protocol::{CursorInfo, ModesInfo, SpanLine, SpansUpdate};

#[derive(Default)]
pub struct TextModel {
    pub above: Vec<SpanLine>,
    pub screen: Vec<SpanLine>,
    pub cursor: Option<CursorInfo>,
    pub modes: Option<ModesInfo>,
    pub title: String,
}

impl TextModel {
    /// Applies a frame's fields in the order in which the protocol names them.
    pub fn apply(&mut self, reset: bool, rows: usize, update: SpansUpdate) -> Result<(), String> {
        if reset {
            self.above.clear();
            self.screen = vec![SpanLine::default(); rows];
        }
        if update.cleared {
            self.above.clear();
        }
        let moved = update.scrolled.len().min(self.screen.len());
        self.above.extend(update.scrolled);
        self.screen.drain(..moved);
        self.screen.resize(rows, SpanLine::default());
        for change in update.lines {
            let row = self.screen.get_mut(usize::from(change.row));
            *row.ok_or_else(|| format!("there is no row {}", change.row))? = change.line;
        }
        self.cursor = update.cursor.or(self.cursor);
        self.modes = update.modes.or(self.modes);
        self.title = update.title.unwrap_or(std::mem::take(&mut self.title));
        Ok(())
    }
}
