//! Saves and restores the screen.

use std::time::Instant;

use alacritty_terminal::{
    grid::{Cursor, Dimensions, Grid, Row},
    index::{Column, Line, Point},
    term::{
        TermMode,
        cell::{Cell, Flags},
        color::{COUNT, Colors as Palette},
    },
    vte::ansi::{
        CharsetIndex, CursorShape, CursorStyle, Handler, NamedMode, NamedPrivateMode, PrivateMode, StandardCharset,
        TabulationClearMode,
    },
};

use super::{
    super::saved::{SavedCursor, SavedGrid, SavedRow, SavedScreen},
    Screen, UPDATE_MAX,
    handler::MAX_COMBINING_MARKS,
    line,
};
use crate::term::Transcript;

/// The modes of DECSET that are plain switches, with the emulator's name for each. Setting one of the mouse modes
/// unsets the others, as at most one is on.
const SWITCHES: [(u16, NamedPrivateMode, TermMode); 13] = [
    (1, NamedPrivateMode::CursorKeys, TermMode::APP_CURSOR),
    (6, NamedPrivateMode::Origin, TermMode::ORIGIN),
    (7, NamedPrivateMode::LineWrap, TermMode::LINE_WRAP),
    (25, NamedPrivateMode::ShowCursor, TermMode::SHOW_CURSOR),
    (1000, NamedPrivateMode::ReportMouseClicks, TermMode::MOUSE_REPORT_CLICK),
    (1002, NamedPrivateMode::ReportCellMouseMotion, TermMode::MOUSE_DRAG),
    (1003, NamedPrivateMode::ReportAllMouseMotion, TermMode::MOUSE_MOTION),
    (1004, NamedPrivateMode::ReportFocusInOut, TermMode::FOCUS_IN_OUT),
    (1005, NamedPrivateMode::Utf8Mouse, TermMode::UTF8_MOUSE),
    (1006, NamedPrivateMode::SgrMouse, TermMode::SGR_MOUSE),
    (1007, NamedPrivateMode::AlternateScroll, TermMode::ALTERNATE_SCROLL),
    (1042, NamedPrivateMode::UrgencyHints, TermMode::URGENCY_HINTS),
    (2004, NamedPrivateMode::BracketedPaste, TermMode::BRACKETED_PASTE),
];

const CHARSETS: [CharsetIndex; 4] = [CharsetIndex::G0, CharsetIndex::G1, CharsetIndex::G2, CharsetIndex::G3];

impl Screen {
    /// Puts the screen down. It is afterwards what it was before.
    pub fn save(&mut self) -> SavedScreen {
        let mode = *self.term.mode();
        let (primary, alternate, alternate_cursor) = if self.in_alternate() {
            // As in a resize: swapping empties the alternate screen, so it is put back after.
            let alternate = self.term.grid().clone();
            self.term.swap_alt();
            let primary = save_grid(self.term.grid());
            self.term.swap_alt();
            let saved = save_grid(&alternate);
            *self.term.grid_mut() = alternate;
            (primary, Some(saved), None)
        } else {
            let primary = save_grid(self.term.grid());
            let cursor = self.with_alternate(|grid| save_cursor(&grid.saved_cursor));
            (primary, None, Some(cursor))
        };
        let style = self.term.cursor_style();
        let palette = self.term.colors();
        SavedScreen {
            size: self.size(),
            title: self.title.clone(),
            titles: self.titles.iter().cloned().collect(),
            prompts: self.prompts.all().collect(),
            program_status: self.program_status.clone(),
            updating: self.update.is_some(),
            transcript: self.transcript.save(),
            primary,
            alternate,
            alternate_cursor,
            private_modes: SWITCHES
                .iter()
                .filter(|(_, _, flag)| mode.contains(*flag))
                .map(|(code, ..)| *code)
                .collect(),
            insert: mode.contains(TermMode::INSERT),
            linefeed_newline: mode.contains(TermMode::LINE_FEED_NEW_LINE),
            app_keypad: mode.contains(TermMode::APP_KEYPAD),
            cursor_style: (style != CursorStyle::default()).then(|| shape_code(style)),
            region: self.region,
            tabs: self.tabs.columns().collect(),
            charset: self.charset as u8,
            palette: (0..COUNT).filter_map(|at| palette[at].map(|rgb| (at, [rgb.r, rgb.g, rgb.b]))).collect(),
        }
    }

    /// Takes a screen up.
    pub fn restore(saved: SavedScreen) -> Self {
        let size = crate::term::clamp_size(saved.size.rows.into(), saved.size.cols.into());
        let mut screen = Self::new(size, Transcript::restore(saved.transcript));
        screen.clear_tabs(TabulationClearMode::All);
        for column in saved.tabs.into_iter().filter(|&column| column < usize::from(size.cols)) {
            screen.goto_col(column);
            screen.set_horizontal_tabstop();
        }
        let term = &mut screen.term;
        for (at, [r, g, b]) in saved.palette.into_iter().filter(|(at, _)| *at < COUNT) {
            term.set_color(at, alacritty_terminal::vte::ansi::Rgb { r, g, b });
        }
        restore_grid(term.grid_mut(), &saved.primary);
        if let Some(cursor) = &saved.alternate_cursor {
            screen.with_alternate(|grid| grid.saved_cursor = restored_cursor(grid, cursor));
        }
        let term = &mut screen.term;
        if let Some(alternate) = &saved.alternate {
            term.swap_alt();
            restore_grid(term.grid_mut(), alternate);
        }
        let here = saved.alternate.as_ref().unwrap_or(&saved.primary);
        for (code, mode, _) in SWITCHES {
            let mode = PrivateMode::Named(mode);
            if saved.private_modes.contains(&code) {
                term.set_private_mode(mode)
            } else {
                term.unset_private_mode(mode)
            }
        }
        for (on, mode) in [(saved.insert, NamedMode::Insert), (saved.linefeed_newline, NamedMode::LineFeedNewLine)] {
            if on { term.set_mode(mode.into()) } else { term.unset_mode(mode.into()) }
        }
        if saved.app_keypad {
            term.set_keypad_application_mode();
        }
        if let Some(code) = saved.cursor_style {
            term.set_cursor_style(Some(style_of(code)));
        }
        if let Some(charset) = CHARSETS.get(usize::from(saved.charset)) {
            screen.set_active_charset(*charset);
        }
        let (top, bottom) = saved.region;
        if let (Ok(top), Ok(bottom)) = (usize::try_from(top), usize::try_from(bottom)) {
            // Whoever asks for more than there is gets what is left of it: a single row at the bottom, or none.
            let beyond = if bottom == usize::from(size.rows) { bottom + 2 } else { bottom };
            screen.set_scrolling_region(top + 1, Some(beyond));
        }
        // Both have moved the cursor.
        restore_cursors(screen.term.grid_mut(), here);
        (screen.title, screen.titles) = (saved.title, saved.titles.into());
        saved.prompts.into_iter().for_each(|prompt| screen.prompts.put_back(prompt));
        screen.program_status = saved.program_status;
        screen.update = saved.updating.then(|| Instant::now() + UPDATE_MAX);
        screen.take_effects();
        screen
    }

    /// Has the alternate screen's grid while the primary one is shown; entering it wipes its cells and overwrites the
    /// primary's saved cursor, which is put back.
    fn with_alternate<T>(&mut self, act: impl FnOnce(&mut Grid<Cell>) -> T) -> T {
        let saved_cursor = self.term.grid().saved_cursor.clone();
        self.term.swap_alt();
        let answer = act(self.term.grid_mut());
        self.term.swap_alt();
        self.term.grid_mut().saved_cursor = saved_cursor;
        answer
    }
}

fn save_grid(grid: &Grid<Cell>) -> SavedGrid {
    let cols = grid.columns();
    // Colours stay what the program called them.
    let plain = Palette::default();
    let lines = i32::try_from(grid.screen_lines()).unwrap_or(i32::MAX);
    let (mut oddities, mut marks) = (Vec::new(), Vec::new());
    let mut put_back = Row::<Cell>::new(cols);
    let mut save = |row: i32| {
        let cells = &grid[Line(row)];
        let saved = SavedRow { line: line::read_whole(cells, cols, &plain), wrapped: line::is_wrapped(cells, cols) };
        line::write(&mut put_back, cols, &saved.line, saved.wrapped);
        for col in (0..cols).map(Column) {
            let (is, back) = (&cells[col], &put_back[col]);
            if (is.c, is.flags) != (back.c, back.flags) {
                oddities.push((row, col.0, is.c, is.flags.bits()));
            }
            if is.zerowidth() != back.zerowidth() {
                marks.push((row, col.0, is.zerowidth().into_iter().flatten().collect()));
            }
        }
        saved
    };
    let rows = (0..lines).map(&mut save).collect();
    SavedGrid {
        rows,
        oddities,
        marks,
        cursor: save_cursor(&grid.cursor),
        saved_cursor: save_cursor(&grid.saved_cursor),
    }
}

fn restore_grid(grid: &mut Grid<Cell>, saved: &SavedGrid) {
    let cols = grid.columns();
    let lines = i32::try_from(grid.screen_lines()).unwrap_or(i32::MAX);
    for (at, row) in (0..lines).map(Line).zip(&saved.rows) {
        line::write(&mut grid[at], cols, &row.line, row.wrapped);
    }
    for &(row, col, c, flags) in &saved.oddities {
        if (0..lines).contains(&row) && col < cols {
            let cell = &mut grid[Line(row)][Column(col)];
            (cell.c, cell.flags) = (c, Flags::from_bits_truncate(flags));
        }
    }
    for (row, col, marks) in &saved.marks {
        if (0..lines).contains(row) && *col < cols {
            marks
                .chars()
                .take(MAX_COMBINING_MARKS)
                .for_each(|mark| grid[Line(*row)][Column(*col)].push_zerowidth(mark));
        }
    }
    restore_cursors(grid, saved);
}

fn restore_cursors(grid: &mut Grid<Cell>, saved: &SavedGrid) {
    grid.cursor = restored_cursor(grid, &saved.cursor);
    grid.saved_cursor = restored_cursor(grid, &saved.saved_cursor);
}

fn restored_cursor(grid: &Grid<Cell>, saved: &SavedCursor) -> Cursor<Cell> {
    let last = i32::try_from(grid.screen_lines()).unwrap_or(i32::MAX) - 1;
    let mut cursor = Cursor {
        point: Point::new(Line(saved.row.clamp(0, last)), Column(saved.col.min(grid.columns() - 1))),
        template: line::cell(' ', Some(&saved.style)),
        input_needs_wrap: saved.wraps,
        ..Cursor::default()
    };
    for (index, drawing) in CHARSETS.into_iter().zip(saved.drawing) {
        if drawing {
            cursor.charsets[index] = StandardCharset::SpecialCharacterAndLineDrawing;
        }
    }
    cursor
}

fn save_cursor(cursor: &Cursor<Cell>) -> SavedCursor {
    SavedCursor {
        row: cursor.point.line.0,
        col: cursor.point.column.0,
        wraps: cursor.input_needs_wrap,
        style: line::style(&cursor.template, &Palette::default()),
        drawing: CHARSETS.map(|index| cursor.charsets[index] == StandardCharset::SpecialCharacterAndLineDrawing),
    }
}

/// As DECSCUSR counts: block, underline and beam, each blinking or not.
fn shape_code(style: CursorStyle) -> u8 {
    let steady = match style.shape {
        CursorShape::Underline => 4,
        CursorShape::Beam => 6,
        _ => 2,
    };
    steady - u8::from(style.blinking)
}

fn style_of(code: u8) -> CursorStyle {
    let shape = match code {
        3 | 4 => CursorShape::Underline,
        5 | 6 => CursorShape::Beam,
        _ => CursorShape::Block,
    };
    CursorStyle { shape, blinking: code % 2 == 1 }
}
