//! Modes that decide how a client's emulator encodes keys and shows its cursor.

use std::fmt::Write as _;

use crate::term::{CursorShape, Modes, MouseReport};

/// The modes that differ from those the view has.
pub fn mirror(data: &mut String, was: Option<Modes>, now: Modes) {
    // Of a client that starts over nothing is known: it is told everything.
    let all = was.is_none();
    let was = was.unwrap_or_default();
    let mut private = |before: bool, after: bool, code: &str| {
        if all || before != after {
            let _ = write!(data, "\x1b[?{code}{}", if after { 'h' } else { 'l' });
        }
    };
    private(was.app_cursor, now.app_cursor, "1");
    private(was.bracketed_paste, now.bracketed_paste, "2004");
    private(was.focus, now.focus, "1004");
    private(was.mouse_sgr, now.mouse_sgr, "1006");
    private(was.cursor_visible, now.cursor_visible, "25");
    if all {
        for code in ["1000", "1002", "1003"] {
            private(true, false, code);
        }
    }
    if was.mouse != now.mouse {
        // Setting one replaces the others in some emulators and adds to them in others: the old goes first.
        for (mouse, on) in [(was.mouse, false), (now.mouse, true)] {
            let (before, after) = (!on, on);
            match mouse {
                MouseReport::Off => {}
                MouseReport::Click => private(before, after, "1000"),
                MouseReport::Drag => private(before, after, "1002"),
                MouseReport::Motion => private(before, after, "1003"),
            }
        }
    }
    if all || was.app_keypad != now.app_keypad {
        data.push_str(if now.app_keypad { "\x1b=" } else { "\x1b>" });
    }
    if all || (was.cursor_shape, was.cursor_blinks) != (now.cursor_shape, now.cursor_blinks) {
        let code = match now.cursor_shape {
            CursorShape::Block => 2,
            CursorShape::Underline => 4,
            CursorShape::Beam => 6,
        };
        let _ = write!(data, "\x1b[{} q", code - u8::from(now.cursor_blinks));
    }
}
