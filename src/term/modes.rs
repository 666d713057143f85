use alacritty_terminal::{
    term::TermMode,
    vte::ansi::{CursorShape as AnsiShape, CursorStyle},
};

/// Which mouse events a program wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MouseReport {
    /// None.
    #[default]
    Off,
    /// Buttons (mode 1000).
    Click,
    /// Buttons, and motion while one is held (mode 1002).
    Drag,
    /// Buttons and all motion (mode 1003).
    Motion,
}

/// The cursor's shape, as DECSCUSR counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CursorShape {
    /// A block.
    #[default]
    Block,
    /// A line below.
    Underline,
    /// A line at the left.
    Beam,
}

/// The modes a client's emulator must share, so that it encodes keys and shows the cursor right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "these are the terminal's independent modes")]
pub struct Modes {
    /// The alternate screen is shown (1049).
    pub alternate_screen: bool,
    /// Cursor keys send application codes (1).
    pub app_cursor: bool,
    /// The keypad sends application codes (DECKPAM).
    pub app_keypad: bool,
    /// Pastes are bracketed (2004).
    pub bracketed_paste: bool,
    /// Focus changes are reported (1004).
    pub focus: bool,
    /// Mouse reports.
    pub mouse: MouseReport,
    /// Mouse reports in SGR form (1006).
    pub mouse_sgr: bool,
    /// The cursor is shown (25).
    pub cursor_visible: bool,
    /// The cursor blinks.
    pub cursor_blinks: bool,
    /// The cursor's shape.
    pub cursor_shape: CursorShape,
}

impl Modes {
    pub(super) fn read(mode: TermMode, cursor: CursorStyle) -> Self {
        Self {
            alternate_screen: mode.contains(TermMode::ALT_SCREEN),
            app_cursor: mode.contains(TermMode::APP_CURSOR),
            app_keypad: mode.contains(TermMode::APP_KEYPAD),
            bracketed_paste: mode.contains(TermMode::BRACKETED_PASTE),
            focus: mode.contains(TermMode::FOCUS_IN_OUT),
            mouse: if mode.contains(TermMode::MOUSE_MOTION) {
                MouseReport::Motion
            } else if mode.contains(TermMode::MOUSE_DRAG) {
                MouseReport::Drag
            } else if mode.contains(TermMode::MOUSE_REPORT_CLICK) {
                MouseReport::Click
            } else {
                MouseReport::Off
            },
            mouse_sgr: mode.contains(TermMode::SGR_MOUSE),
            cursor_visible: mode.contains(TermMode::SHOW_CURSOR) && cursor.shape != AnsiShape::Hidden,
            cursor_blinks: cursor.blinking,
            cursor_shape: match cursor.shape {
                AnsiShape::Underline => CursorShape::Underline,
                AnsiShape::Beam => CursorShape::Beam,
                _ => CursorShape::Block,
            },
        }
    }
}

/// A terminal that nothing has been written to.
impl Default for Modes {
    fn default() -> Self {
        Self::read(TermMode::default(), CursorStyle::default())
    }
}
