//! Writes frames as text with style runs, for clients without an emulator.

use super::Update;
use crate::{
    protocol::{CursorLook, ModesInfo, MouseMode, RowUpdate, SpanLine, SpansUpdate},
    term::{CursorShape, Modes, MouseReport},
};

/// The update as rows; empty when there is nothing to tell.
pub(super) fn frame(update: &Update) -> SpansUpdate {
    let blank = SpanLine::default();
    let moved = update.has.iter().skip(update.gone.len()).chain(std::iter::repeat(&blank));
    let changed = moved.zip(update.target).zip(0..).filter(|((old, new), _)| *old != **new);
    let modes = ModesInfo::from(update.modes);
    SpansUpdate {
        cleared: update.cleared,
        skipped: update.skipped.map_or(0, |(rows, _)| rows),
        scrolled: update.gone.to_vec(),
        lines: changed.map(|((_, new), row)| RowUpdate { row, line: (*new).clone() }).collect(),
        cursor: (update.cursor_was != Some(update.cursor)).then_some(update.cursor),
        modes: (update.modes_were.map(ModesInfo::from) != Some(modes)).then_some(modes),
        title: update.title.map(str::to_owned),
    }
}

impl From<Modes> for ModesInfo {
    fn from(modes: Modes) -> Self {
        Self {
            alternate_screen: modes.alternate_screen,
            app_cursor: modes.app_cursor,
            app_keypad: modes.app_keypad,
            bracketed_paste: modes.bracketed_paste,
            focus: modes.focus,
            mouse: match modes.mouse {
                MouseReport::Off => MouseMode::Off,
                MouseReport::Click => MouseMode::Click,
                MouseReport::Drag => MouseMode::Drag,
                MouseReport::Motion => MouseMode::Motion,
            },
            mouse_sgr: modes.mouse_sgr,
            cursor_shape: match modes.cursor_shape {
                CursorShape::Block => CursorLook::Block,
                CursorShape::Underline => CursorLook::Underline,
                CursorShape::Beam => CursorLook::Beam,
            },
            cursor_blinks: modes.cursor_blinks,
        }
    }
}
