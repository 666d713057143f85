//! The emulator, and the rows that are about to leave its screen.
//!
//! The emulator keeps no history of its own (it takes 24 bytes a cell): a row that is about to scroll
//! off is read just before and goes to the transcript. Everything else is passed on as it is, but for what the
//! emulator would keep without a bound: titles, marks over a character, links.

mod bulk;
mod handler;
mod osc;
mod resize;
mod save;
mod tabs;

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alacritty_terminal::{
    event::{Event, EventListener},
    grid::Dimensions,
    index::{Column, Line},
    term::{Config, Term, TermMode},
    vte::ansi::CharsetIndex,
};

use super::{
    Colors, Effects, Modes, Transcript,
    damage::Damage,
    line,
    parse::Chunks,
    program_status::ProgramStatus,
    prompts::{Prompt, Prompts},
};
use crate::protocol::{CursorInfo, Size, SpanLine};
use tabs::Tabs;

/// The longest a synchronized update is waited for, as other terminals do.
const UPDATE_MAX: Duration = Duration::from_millis(150);

/// Answers to queries that may wait to be taken, in bytes. A program that asks more without reading gets no more.
const REPLIES_MAX: usize = 64 << 10;

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

/// What the emulator answers while it works. It is handed out by reference, hence the lock; nobody else takes it.
#[derive(Clone, Default)]
struct Replies(Arc<Mutex<Vec<u8>>>);

impl Replies {
    fn add(&self, text: &str) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() + text.len() <= REPLIES_MAX {
            bytes.extend_from_slice(text.as_bytes());
        }
    }

    fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventListener for Replies {
    fn send_event(&self, event: Event) {
        if let Event::PtyWrite(text) = event {
            self.add(&text);
        }
    }
}

pub struct Screen {
    term: Term<Replies>,
    replies: Replies,
    transcript: Transcript,
    /// The scrolling region's first row and the one past its last, as the emulator has them (it does not tell).
    region: (i32, i32),
    /// The character set in use, as the emulator has it (it does not tell).
    charset: CharsetIndex,
    /// The tab stops, as the emulator has them (it does not tell).
    tabs: Tabs,
    title: String,
    /// Titles that were put by to be had again (XTPUSHTITLE).
    titles: VecDeque<String>,
    colors: Colors,
    config: Config,
    damage: Damage,
    effects: Effects,
    chunks: Chunks,
    prompts: Prompts,
    program_status: ProgramStatus,
    /// Bytes of links since the screen's were counted, and how many there may be until they are counted again.
    links: (usize, usize),
    links_full: bool,
    /// A synchronized update is under way, and until when it is waited for.
    update: Option<Instant>,
    /// Room to read rows into.
    scratch: SpanLine,
}

impl Screen {
    pub fn new(size: Size, transcript: Transcript) -> Self {
        let replies = Replies::default();
        let config = Config { scrolling_history: 0, ..Config::default() };
        let mut term = Term::new(config.clone(), &Cells(size), replies.clone());
        let mut damage = Damage::new();
        damage.note(&mut term);
        Self {
            term,
            replies,
            transcript,
            region: (0, i32::from(size.rows)),
            charset: CharsetIndex::default(),
            tabs: Tabs::new(size.cols.into()),
            title: String::new(),
            titles: VecDeque::new(),
            colors: Colors::default(),
            config,
            damage,
            effects: Effects::default(),
            chunks: Chunks::default(),
            prompts: Prompts::default(),
            program_status: ProgramStatus::default(),
            links: (0, osc::LINKS_MAX),
            links_full: false,
            update: None,
            scratch: SpanLine::default(),
        }
    }

    pub fn size(&self) -> Size {
        let narrow = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        Size { rows: narrow(self.term.screen_lines()), cols: narrow(self.term.columns()) }
    }

    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    pub fn set_transcript_limit(&mut self, limit: usize) {
        self.transcript.set_limit(limit);
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

    /// The rows as text, each with whether its line goes on in the next.
    pub fn texts(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        (0..self.lines()).map(|row| self.text_of(row))
    }

    /// One of them, if there is such a row.
    pub fn text(&self, row: u64) -> Option<(String, bool)> {
        i32::try_from(row).ok().filter(|row| *row < self.lines()).map(|row| self.text_of(row))
    }

    fn text_of(&self, row: i32) -> (String, bool) {
        let (cells, cols) = (&self.term.grid()[Line(row)], self.term.columns());
        let wrapped = line::is_wrapped(cells, cols);
        let mut line = SpanLine::default();
        line::read_into(&mut line, cells, cols, wrapped, self.term.colors());
        (line.text, wrapped)
    }

    /// The prompts whose rows are still there.
    pub fn prompts(&self) -> impl DoubleEndedIterator<Item = Prompt> + '_ {
        self.prompts.all().filter(|prompt| prompt.row >= self.transcript.first())
    }

    /// The link in a cell of the screen.
    pub fn link(&self, row: u16, col: u16) -> Option<String> {
        let Size { rows, cols } = self.size();
        let cell = (row < rows && col < cols).then(|| &self.term.grid()[Line(row.into())][Column(col.into())])?;
        cell.hyperlink().map(|link| link.uri().to_owned())
    }

    pub fn program_status(&self) -> &ProgramStatus {
        &self.program_status
    }

    /// What the program worked on, or waited for, it does no longer.
    pub fn end_program_status(&mut self) {
        self.program_status.end();
        self.effects.status_changed = true;
    }

    pub fn take_effects(&mut self) -> Effects {
        Effects { replies: self.replies.take(), ..mem::take(&mut self.effects) }
    }

    pub fn update_deadline(&self) -> Option<Instant> {
        self.update
    }

    pub fn row(&self, row: usize) -> SpanLine {
        let row = i32::try_from(row).ok().filter(|row| *row < self.lines());
        row.map(|row| self.read(row)).unwrap_or_default()
    }

    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    pub fn note_damage(&mut self) {
        self.damage.note(&mut self.term);
    }

    pub fn end_update(&mut self) {
        self.update = None;
    }

    /// A screen as at the start, with what was on it in the transcript.
    pub fn start_over(&mut self) {
        if self.in_alternate() {
            self.term.swap_alt();
        }
        self.keep_screen();
        let size = self.size();
        self.replies = Replies::default();
        self.term = Term::new(self.config.clone(), &Cells(size), self.replies.clone());
        self.forget_state();
        self.effects = Effects::default();
        self.chunks = Chunks::default();
    }

    /// What is beside the emulator's own state, as at the start.
    fn forget_state(&mut self) {
        self.region = (0, self.lines());
        self.charset = CharsetIndex::default();
        self.tabs = Tabs::new(self.term.columns());
        self.title.clear();
        self.titles.clear();
        self.update = None;
        self.prompts.forget_from(self.transcript.end());
        self.effects.status_changed |= !self.program_status.records().is_empty();
        self.program_status.reset();
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

    /// Where a row of the screen is, or will be, in the transcript.
    fn number_of(&self, row: i32) -> u64 {
        self.transcript.end() + u64::try_from(row).unwrap_or(0)
    }

    /// Reads a row into the transcript.
    fn keep(&mut self, row: i32) {
        let cols = self.term.columns();
        self.keep_as(row, cols, line::is_wrapped(&self.term.grid()[Line(row)], cols));
    }

    /// Reads the first so many columns of a row into the transcript.
    fn keep_as(&mut self, row: i32, cols: usize, wrapped: bool) {
        line::read_into(&mut self.scratch, &self.term.grid()[Line(row)], cols, wrapped, self.term.colors());
        self.transcript.push(&self.scratch, wrapped);
    }

    fn keep_screen(&mut self) {
        let used = (0..self.lines()).rev().find(|&row| !self.read(row).text.is_empty()).map_or(0, |row| row + 1);
        for row in 0..used {
            self.keep(row);
        }
    }
}
