//! The emulator, and the rows that are about to leave its screen.
//!
//! The emulator keeps no history of its own (it takes 24 bytes a cell): a row that is about to scroll
//! off is read just before and goes to the transcript. Everything else is passed on as it is.

mod save;

use std::sync::{Arc, Mutex, PoisonError};

use alacritty_terminal::{
    event::{Event, EventListener, WindowSize},
    grid::Dimensions,
    index::{Column, Line},
    term::{Config, Term, TermMode},
    vte::ansi::{
        Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
        KeyboardModesApplyBehavior, LineClearMode, Mode, ModifyOtherKeys, NamedPrivateMode, PrivateMode, Rgb,
        ScpCharPath, ScpUpdateMode, StandardCharset, TabulationClearMode,
    },
};
use unicode_width::UnicodeWidthChar;

use super::{Asked, Modes, Row, Transcript, line};
use crate::protocol::{CursorInfo, Size, SpanLine};

/// History the emulator gets for the moment of a resize, so that what a smaller screen pushes out can be read.
const RESIZE_HISTORY: usize = 10_000;

/// The longest title that is kept.
const TITLE_MAX_CHARS: usize = 500;

struct Cells(Size);

impl Dimensions for Cells {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.0.rows)
    }

    fn columns(&self) -> usize {
        usize::from(self.0.cols)
    }
}

/// What the emulator says while it works. It is handed out by reference, hence the lock; nobody else takes it.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<Event>>>);

impl EventListener for Inbox {
    fn send_event(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// The colours a program is told when it asks.
#[derive(Debug, Clone, Copy)]
pub struct Colors {
    foreground: Rgb,
    background: Rgb,
}

impl Colors {
    /// From `#rrggbb`; what is missing or not of that form is light grey on black.
    #[must_use]
    pub fn new(foreground: Option<&str>, background: Option<&str>) -> Self {
        let read = |text: &str| {
            let value = u32::from_str_radix(text.strip_prefix('#').filter(|hex| hex.len() == 6)?, 16).ok()?;
            let [_, r, g, b] = value.to_be_bytes();
            Some(Rgb { r, g, b })
        };
        Self {
            foreground: foreground.and_then(read).unwrap_or(Rgb { r: 0xd0, g: 0xd0, b: 0xd0 }),
            background: background.and_then(read).unwrap_or(Rgb { r: 0, g: 0, b: 0 }),
        }
    }

    /// The colour of an index as the emulator counts them: 0 to 255 the palette of xterm, then
    /// foreground, background and cursor.
    fn get(self, index: usize) -> Rgb {
        const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
        const BASE: [u32; 16] = [
            0x0000_0000,
            0x00cd_0000,
            0x0000_cd00,
            0x00cd_cd00,
            0x0000_00ee,
            0x00cd_00cd,
            0x0000_cdcd,
            0x00e5_e5e5,
            0x007f_7f7f,
            0x00ff_0000,
            0x0000_ff00,
            0x00ff_ff00,
            0x005c_5cff,
            0x00ff_00ff,
            0x0000_ffff,
            0x00ff_ffff,
        ];
        match u8::try_from(index) {
            Ok(base) if base < 16 => {
                let [_, r, g, b] = BASE[index].to_be_bytes();
                Rgb { r, g, b }
            }
            Ok(cube) if cube < 232 => {
                let cube = usize::from(cube - 16);
                Rgb { r: CUBE[cube / 36], g: CUBE[cube / 6 % 6], b: CUBE[cube % 6] }
            }
            Ok(grey) => {
                let level = 8 + (grey - 232) * 10;
                Rgb { r: level, g: level, b: level }
            }
            Err(_) if index == 257 => self.background,
            Err(_) => self.foreground,
        }
    }
}

impl Default for Colors {
    fn default() -> Self {
        Self::new(None, None)
    }
}

pub struct Screen {
    term: Term<Inbox>,
    inbox: Inbox,
    transcript: Transcript,
    /// The scrolling region's first row and the one past its last, as the emulator has them (it does not tell).
    region: (i32, i32),
    /// Which of its four charsets is in use, from 0 (it does not tell that either).
    charset: u8,
    title: String,
    colors: Colors,
    config: Config,
}

impl Screen {
    pub fn new(size: Size, transcript: Transcript) -> Self {
        let inbox = Inbox::default();
        let config = Config { scrolling_history: 0, ..Config::default() };
        let term = Term::new(config.clone(), &Cells(size), inbox.clone());
        Self {
            term,
            inbox,
            transcript,
            region: (0, i32::from(size.rows)),
            charset: 0,
            title: String::new(),
            colors: Colors::default(),
            config,
        }
    }

    pub fn size(&self) -> Size {
        let narrow = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        Size { rows: narrow(self.term.screen_lines()), cols: narrow(self.term.columns()) }
    }

    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn set_colors(&mut self, colors: Colors) {
        self.colors = colors;
    }

    pub fn modes(&self) -> Modes {
        Modes::read(*self.term.mode(), self.term.cursor_style())
    }

    pub fn cursor(&self) -> CursorInfo {
        let point = self.term.grid().cursor.point;
        CursorInfo {
            row: u16::try_from(point.line.0).unwrap_or(0),
            col: u16::try_from(point.column.0).unwrap_or(0),
            visible: self.modes().cursor_visible,
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = SpanLine> + '_ {
        (0..self.lines()).map(|row| self.read(row))
    }

    pub fn last_text(&self) -> Option<String> {
        (0..self.lines())
            .rev()
            .map(|row| self.read(row).text)
            .find(|text| !text.trim().is_empty())
            .map(|text| text.trim().to_owned())
    }

    /// Empties the inbox: answers and the bell are returned, the title is kept.
    pub fn take_asked(&mut self) -> Asked {
        let events = std::mem::take(&mut *self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut asked = Asked::default();
        for event in events {
            match event {
                Event::Title(title) => {
                    self.title = title.chars().filter(|c| !c.is_control()).take(TITLE_MAX_CHARS).collect()
                }
                Event::ResetTitle => self.title.clear(),
                Event::Bell => asked.bell = true,
                Event::PtyWrite(text) => asked.replies.extend_from_slice(text.as_bytes()),
                Event::ColorRequest(index, format) => {
                    let color = self.term.colors()[index].unwrap_or_else(|| self.colors.get(index));
                    asked.replies.extend_from_slice(format(color).as_bytes());
                }
                Event::TextAreaSizeRequest(format) => {
                    let Size { rows, cols } = self.size();
                    // No client tells the size of its cells; 8 by 16 pixels is what xterm's manual shows.
                    let size = WindowSize { num_lines: rows, num_cols: cols, cell_width: 8, cell_height: 16 };
                    asked.replies.extend_from_slice(format(size).as_bytes());
                }
                Event::ClipboardStore(..)
                | Event::ClipboardLoad(..)
                | Event::MouseCursorDirty
                | Event::CursorBlinkingChange
                | Event::Wakeup
                | Event::Exit
                | Event::ChildExit(_) => {}
            }
        }
        asked
    }

    pub fn resize(&mut self, size: Size) -> bool {
        let before = self.size();
        if size == before {
            return false;
        }
        // The emulator reflows the primary screen only while it is shown, so it is brought to the front for
        // the moment; the alternate screen, which swapping would empty, is put back after.
        let alternate = self.in_alternate().then(|| self.term.grid().clone());
        if alternate.is_some() {
            self.term.swap_alt();
        }
        self.term.grid_mut().update_history(RESIZE_HISTORY);
        self.term.resize(Cells(size));
        let pushed_out = i32::try_from(self.term.grid().history_size()).unwrap_or(i32::MAX);
        for row in -pushed_out..0 {
            self.keep(row);
        }
        self.term.grid_mut().update_history(0);
        self.term.grid_mut().truncate();
        let grown = usize::from(size.rows).saturating_sub(usize::from(before.rows));
        if pushed_out == 0 {
            self.bring_back(grown);
        }
        if let Some(mut grid) = alternate {
            self.term.swap_alt();
            grid.resize(false, usize::from(size.rows), usize::from(size.cols));
            *self.term.grid_mut() = grid;
        }
        self.region = (0, self.lines());
        true
    }

    /// Takes up to `count` rows back from the transcript to the top of a screen that has grown, so that the last
    /// line stays where people look.
    fn bring_back(&mut self, count: usize) {
        let cols = self.term.columns();
        let mut rows = Vec::new();
        while rows.len() < count
            && let Some(row) = self.transcript.pop_if(|row| line::fits(&row.line, cols))
        {
            rows.push(row);
        }
        let lines = Line(self.lines());
        let grid = self.term.grid_mut();
        grid.scroll_down(&(Line(0)..lines), rows.len());
        for (at, row) in (0..).map(Line).zip(rows.iter().rev()) {
            line::write(&mut grid[at], cols, &row.line, row.wrapped);
        }
        let shift = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        for cursor in [&mut grid.cursor, &mut grid.saved_cursor] {
            cursor.point.line = (cursor.point.line + shift).min(lines - 1);
        }
    }

    /// A screen as at the start, with what was on it in the transcript.
    pub fn start_over(&mut self) {
        if self.in_alternate() {
            self.term.swap_alt();
        }
        self.keep_screen();
        let size = self.size();
        self.inbox = Inbox::default();
        self.term = Term::new(self.config.clone(), &Cells(size), self.inbox.clone());
        self.region = (0, self.lines());
        self.charset = 0;
        self.title.clear();
    }

    fn lines(&self) -> i32 {
        i32::try_from(self.term.screen_lines()).unwrap_or(i32::MAX)
    }

    fn in_alternate(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    fn read(&self, row: i32) -> SpanLine {
        line::read(&self.term.grid()[Line(row)], self.term.columns(), self.term.colors())
    }

    /// Reads a row into the transcript.
    fn keep(&mut self, row: i32) {
        let (cells, cols, palette) = (&self.term.grid()[Line(row)], self.term.columns(), self.term.colors());
        let wrapped = line::is_wrapped(cells, cols);
        let line = if wrapped { line::read_whole(cells, cols, palette) } else { line::read(cells, cols, palette) };
        self.transcript.push(Row { line, wrapped });
    }

    fn keep_screen(&mut self) {
        let used = (0..self.lines()).rev().find(|&row| !self.read(row).text.is_empty()).map_or(0, |row| row + 1);
        for row in 0..used {
            self.keep(row);
        }
    }

    /// Reads the top row if a line feed will now scroll it off.
    fn keep_before_linefeed(&mut self) {
        let (top, bottom) = self.region;
        if self.term.grid().cursor.point.line.0 + 1 == bottom && top == 0 && !self.in_alternate() {
            self.keep(0);
        }
    }

    /// The same for a character that will wrap to the next line first.
    #[cold]
    fn keep_before_wrap(&mut self, c: char) {
        let cursor = &self.term.grid().cursor;
        let width = c.width().unwrap_or(0);
        let wraps =
            cursor.input_needs_wrap && width > 0 || width > 1 && cursor.point.column + 1 >= Column(self.term.columns());
        if wraps && self.term.mode().contains(TermMode::LINE_WRAP) {
            let line = cursor.point.line;
            let before = self.transcript.end();
            self.keep_before_linefeed();
            if line == 0 && self.transcript.end() > before {
                // A screen of one row: the row that scrolls off is the one that wraps.
                self.transcript.mark_last_wrapped();
            }
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
            for row in 0..bottom.min(i32::try_from(count).unwrap_or(i32::MAX)) {
                self.keep(row);
            }
        }
        self.term.scroll_up(count);
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        match mode {
            ClearMode::All if !self.in_alternate() => self.keep_screen(),
            ClearMode::Saved => self.transcript.clear(),
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

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.charset = index as u8;
        self.term.set_active_charset(index);
    }

    fn reset_state(&mut self) {
        self.term.reset_state();
        self.region = (0, self.lines());
        self.charset = 0;
        self.title.clear();
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        self.term.set_private_mode(mode);
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.region = (0, self.lines());
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        self.term.unset_private_mode(mode);
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.region = (0, self.lines());
        }
    }

    pass! {
        set_title(title: Option<String>);
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
        bell();
        substitute();
        set_horizontal_tabstop();
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
        clear_tabs(mode: TabulationClearMode);
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
        clipboard_store(clipboard: u8, data: &[u8]);
        decaln();
        push_title();
        pop_title();
        text_area_size_pixels();
        text_area_size_chars();
        set_hyperlink(link: Option<Hyperlink>);
        report_keyboard_mode();
        push_keyboard_mode(mode: KeyboardModes);
        pop_keyboard_modes(count: u16);
        set_keyboard_mode(mode: KeyboardModes, behavior: KeyboardModesApplyBehavior);
        set_modify_other_keys(mode: ModifyOtherKeys);
        report_modify_other_keys();
        set_scp(path: ScpCharPath, mode: ScpUpdateMode);
    }

    fn dynamic_color_sequence(&mut self, prefix: String, index: usize, terminator: &str) {
        self.term.dynamic_color_sequence(prefix, index, terminator);
    }

    fn clipboard_load(&mut self, clipboard: u8, terminator: &str) {
        self.term.clipboard_load(clipboard, terminator);
    }
}
