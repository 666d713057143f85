//! Handles what the parser reads (vte's `Handler`): passes it on to the emulator, once what would be lost by it
//! has been kept.

use std::time::Instant;

use alacritty_terminal::{
    grid::Dimensions,
    index::Column,
    term::{TermMode, cell::Flags},
    vte::ansi::{
        Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
        KeyboardModesApplyBehavior, LineClearMode, Mode, ModifyOtherKeys, NamedPrivateMode, PrivateMode, Rgb,
        ScpCharPath, ScpUpdateMode, StandardCharset, TabulationClearMode,
    },
};
use unicode_width::UnicodeWidthChar;

use super::{Screen, UPDATE_MAX};
use crate::{protocol::Size, term::columns};

/// Marks that are drawn over one character. Text of any language needs three or four.
pub const MAX_COMBINING_MARKS: usize = 16;

/// Titles that can be put by, as in xterm.
const TITLES_MAX: usize = 10;

/// Below this there are no marks that are drawn over another character.
const FIRST_MARK: char = '\u{300}';

impl Screen {
    /// Reads the top row if a line feed will now scroll it off.
    fn keep_before_linefeed(&mut self) {
        let (top, bottom) = self.region;
        if self.term.grid().cursor.point.line.0 + 1 == bottom && top == 0 && !self.in_alternate() {
            self.keep_prompts_below(bottom, 1);
            self.keep(0);
        }
    }

    /// The same for a character that will wrap to the next line first.
    #[cold]
    fn keep_before_wrap(&mut self, c: char) {
        let cursor = &self.term.grid().cursor;
        let width = columns(c);
        let wraps =
            cursor.input_needs_wrap && width > 0 || width > 1 && cursor.point.column + 1 >= Column(self.term.columns());
        if wraps && self.term.mode().contains(TermMode::LINE_WRAP) {
            if self.lines() == 1 && !self.in_alternate() {
                // The row that scrolls off is the one that wraps; the emulator has not marked it yet. Its last
                // column stays empty when a wide character does not fit into it.
                let cols = self.term.columns() - usize::from(!cursor.input_needs_wrap);
                self.keep_as(0, cols, true);
            } else {
                self.keep_before_linefeed();
            }
        }
    }

    /// Writes the beginning of the bytes that is printable ASCII into the cursor's row, as far as nothing but cells
    /// changes by it: the last column, wide characters and every odd mode are the emulator's own business. Returns how
    /// many bytes that was.
    pub fn write_ascii(&mut self, bytes: &[u8]) -> usize {
        let cols = self.term.columns();
        let plain = !self.term.mode().contains(TermMode::INSERT)
            && self.term.grid().cursor.charsets[self.charset] == StandardCharset::Ascii;
        let grid = self.term.grid_mut();
        if !plain || grid.cursor.input_needs_wrap {
            return 0;
        }
        let (line, col) = (grid.cursor.point.line, grid.cursor.point.column.0);
        let room = cols.saturating_sub(col + 1);
        let count = bytes.iter().take(room).take_while(|byte| matches!(byte, b' '..=b'~')).count();
        if count == 0 {
            return 0;
        }
        let template = grid.cursor.template.clone();
        let wide = Flags::WIDE_CHAR.union(Flags::WIDE_CHAR_SPACER);
        let mut written = 0;
        for (cell, byte) in grid[line][Column(col)..Column(col + count)].iter_mut().zip(bytes) {
            if cell.flags.intersects(wide) {
                break;
            }
            cell.c = char::from(*byte);
            (cell.fg, cell.bg, cell.flags) = (template.fg, template.bg, template.flags);
            if template.extra.is_some() || cell.extra.is_some() {
                cell.extra.clone_from(&template.extra);
            }
            written += 1;
        }
        grid.cursor.point.column = Column(col + written);
        written
    }

    /// Whether this is a mark over a character that has as many as it may.
    #[cold]
    fn is_one_mark_too_many(&self, c: char) -> bool {
        if c.width() != Some(0) {
            return false;
        }
        let cursor = &self.term.grid().cursor;
        let row = &self.term.grid()[cursor.point.line];
        let back = |column: Column| Column(column.0.saturating_sub(1));
        let column = if cursor.input_needs_wrap { cursor.point.column } else { back(cursor.point.column) };
        let column = if row[column].flags.contains(Flags::WIDE_CHAR_SPACER) { back(column) } else { column };
        row[column].zerowidth().is_some_and(|marks| marks.len() >= MAX_COMBINING_MARKS)
    }

    /// Rows below the region stay where they are when one above them goes to the transcript.
    fn keep_prompts_below(&mut self, bottom: i32, count: i32) {
        if bottom < self.lines() {
            let below = self.number_of(bottom);
            self.prompts.shift_from(below, u64::try_from(count).unwrap_or(0));
        }
    }
}

/// Passes calls on to the emulator unchanged.
macro_rules! pass {
    ($($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $(#[inline]
        fn $name(&mut self, $($arg: $kind),*) {
            Handler::$name(&mut self.term, $($arg),*);
        })*
    };
}

impl Handler for Screen {
    #[inline]
    fn input(&mut self, c: char) {
        if c >= FIRST_MARK && self.is_one_mark_too_many(c) {
            return;
        }
        let cursor = &self.term.grid().cursor;
        if cursor.input_needs_wrap || cursor.point.column.0 + 1 >= self.term.columns() {
            self.keep_before_wrap(c);
        }
        self.term.input(c);
    }

    #[inline]
    fn linefeed(&mut self) {
        self.keep_before_linefeed();
        self.term.linefeed();
    }

    fn newline(&mut self) {
        self.keep_before_linefeed();
        self.term.newline();
    }

    fn scroll_up(&mut self, count: usize) {
        let (top, bottom) = self.region;
        if top == 0 && !self.in_alternate() {
            let count = bottom.min(i32::try_from(count).unwrap_or(i32::MAX));
            self.keep_prompts_below(bottom, count);
            for row in 0..count {
                self.keep(row);
            }
        }
        self.term.scroll_up(count);
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        let point = self.term.grid().cursor.point;
        match mode {
            ClearMode::All if !self.in_alternate() => {
                self.keep_screen();
                self.prompts.forget_from(self.transcript.end());
            }
            ClearMode::Below if !self.in_alternate() => {
                let wiped = self.number_of(point.line.0 + i32::from(point.column > 0));
                self.prompts.forget_from(wiped);
            }
            ClearMode::Saved => {
                self.transcript.clear();
                self.prompts.forget_before(self.transcript.end());
            }
            _ => {}
        }
        self.term.clear_screen(mode);
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        let lines = self.term.screen_lines();
        let end = bottom.unwrap_or(lines);
        if top < end {
            let row = |value: usize| i32::try_from(value.min(lines)).unwrap_or(i32::MAX);
            self.region = (row(top.saturating_sub(1)), row(end));
        }
        self.term.set_scrolling_region(top, bottom);
    }

    fn reset_state(&mut self) {
        self.term.reset_state();
        self.forget_state();
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        let was_alternate = self.in_alternate();
        self.term.set_private_mode(mode);
        if self.in_alternate() && !was_alternate {
            self.wipe();
        }
        if mode == PrivateMode::Named(NamedPrivateMode::SyncUpdate) {
            self.update.get_or_insert_with(|| Instant::now() + UPDATE_MAX);
        }
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.region = (0, self.lines());
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        self.term.unset_private_mode(mode);
        if mode == PrivateMode::Named(NamedPrivateMode::SyncUpdate) {
            self.update = None;
        }
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.region = (0, self.lines());
        }
    }

    pass! {
        set_cursor_style(style: Option<CursorStyle>);
        set_cursor_shape(shape: CursorShape);
        identify_terminal(intermediate: Option<char>);
        goto(line: i32, col: usize);
        goto_line(line: i32);
        goto_col(col: usize);
        insert_blank(count: usize);
        move_up(count: usize);
        move_down(count: usize);
        device_status(arg: usize);
        move_forward(cols: usize);
        move_backward(cols: usize);
        move_down_and_cr(rows: usize);
        move_up_and_cr(rows: usize);
        put_tab(count: u16);
        backspace();
        carriage_return();
        substitute();
        scroll_down(count: usize);
        insert_blank_lines(count: usize);
        delete_lines(count: usize);
        erase_chars(count: usize);
        delete_chars(count: usize);
        move_backward_tabs(count: u16);
        move_forward_tabs(count: u16);
        save_cursor_position();
        restore_cursor_position();
        clear_line(mode: LineClearMode);
        set_tabs(interval: u16);
        reverse_index();
        terminal_attribute(attr: Attr);
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        report_mode(mode: Mode);
        report_private_mode(mode: PrivateMode);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_color(index: usize, color: Rgb);
        reset_color(index: usize);
        decaln();
        report_keyboard_mode();
        push_keyboard_mode(mode: KeyboardModes);
        pop_keyboard_modes(count: u16);
        set_keyboard_mode(mode: KeyboardModes, behavior: KeyboardModesApplyBehavior);
        set_modify_other_keys(mode: ModifyOtherKeys);
        report_modify_other_keys();
        set_scp(path: ScpCharPath, mode: ScpUpdateMode);
    }

    fn set_horizontal_tabstop(&mut self) {
        self.tabs.set(self.term.grid().cursor.point.column.0, true);
        self.term.set_horizontal_tabstop();
    }

    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        match mode {
            TabulationClearMode::Current => self.tabs.set(self.term.grid().cursor.point.column.0, false),
            TabulationClearMode::All => self.tabs.clear(),
        }
        self.term.clear_tabs(mode);
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.charset = index;
        self.term.set_active_charset(index);
    }

    fn bell(&mut self) {
        self.effects.bell = true;
    }

    fn push_title(&mut self) {
        if self.titles.len() == TITLES_MAX {
            self.titles.pop_front();
        }
        self.titles.push_back(self.title.clone());
    }

    fn pop_title(&mut self) {
        if let Some(title) = self.titles.pop_back() {
            self.title = title;
        }
    }

    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        let link = link.filter(|link| self.has_room_for(link));
        self.term.set_hyperlink(link);
    }

    fn dynamic_color_sequence(&mut self, prefix: String, index: usize, terminator: &str) {
        let Rgb { r, g, b } = self.term.colors()[index].unwrap_or_else(|| self.colors.get(index));
        self.replies.add(&format!("\x1b]{prefix};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}{terminator}"));
    }

    fn text_area_size_pixels(&mut self) {
        let Size { rows, cols } = self.size();
        // No client tells the size of its cells; 8 by 16 pixels is what xterm's manual shows.
        self.replies.add(&format!("\x1b[4;{};{}t", u32::from(rows) * 16, u32::from(cols) * 8));
    }

    fn text_area_size_chars(&mut self) {
        let Size { rows, cols } = self.size();
        self.replies.add(&format!("\x1b[8;{rows};{cols}t"));
    }
}
