//! Sizing the screen: what a smaller one pushes out, and a larger one takes back.

use alacritty_terminal::{
    grid::{Dimensions, Grid},
    index::{Column, Line},
    term::cell::Cell,
};

use super::{Cells, Screen};
use crate::{
    protocol::Size,
    term::{line, prompts::Prompt},
};

impl Screen {
    pub fn resize(&mut self, size: Size) -> bool {
        let before = self.size();
        if size == before {
            return false;
        }
        // The emulator reflows the primary screen only while it is shown, so it is brought to the front for
        // the moment; the alternate screen, which swapping would empty, is put back after.
        touch_rows(self.term.grid_mut());
        let alternate = self.in_alternate().then(|| self.term.grid().clone());
        if alternate.is_some() {
            self.term.swap_alt();
            touch_rows(self.term.grid_mut());
        }
        let prompts = self.take_prompts();
        self.term.grid_mut().update_history(most_rows(before, size));
        self.term.resize(Cells(size));
        self.tabs.resize(size.cols.into());
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
        self.put_prompts_back(prompts);
        if let Some(mut grid) = alternate {
            self.term.swap_alt();
            grid.resize(false, usize::from(size.rows), usize::from(size.cols));
            *self.term.grid_mut() = grid;
        }
        self.region = (0, self.lines());
        self.note_damage();
        true
    }

    /// Wipes every cell of the screen that is shown. The emulator wipes its alternate screen when it is entered, but
    /// only so far as it was written to since: what a resize in between has left would be shown again.
    pub fn wipe(&mut self) {
        let grid = self.term.grid_mut();
        touch_rows(grid);
        grid.reset_region(..);
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

    /// Takes the screen's prompts off it, each with the number of lines from it to the cursor's: the rows between
    /// them may be others in another width.
    fn take_prompts(&mut self) -> Vec<(Prompt, usize)> {
        let cursor = self.number_of(self.term.grid().cursor.point.line.0);
        let prompts = self.prompts.take_from(self.transcript.end());
        let up_to_cursor = prompts.into_iter().filter(|prompt| prompt.row <= cursor);
        up_to_cursor.map(|prompt| (prompt, (prompt.row..cursor).filter(|&row| !self.goes_on(row)).count())).collect()
    }

    fn put_prompts_back(&mut self, prompts: Vec<(Prompt, usize)>) {
        let cursor = self.number_of(self.term.grid().cursor.point.line.0);
        for (prompt, lines) in prompts {
            let (mut row, mut left) = (cursor, lines);
            while row > self.transcript.first() && (left > 0 || self.goes_on(row - 1)) {
                row -= 1;
                left -= usize::from(!self.goes_on(row));
            }
            self.prompts.put_back(Prompt { row, ..prompt });
        }
    }

    /// Whether a row's line goes on in the next, on the screen or in the transcript.
    pub fn goes_on(&self, number: u64) -> bool {
        match number.checked_sub(self.transcript.end()) {
            None => self.transcript.is_wrapped(number),
            Some(row) => i32::try_from(row).is_ok_and(|row| {
                row < self.lines() && line::is_wrapped(&self.term.grid()[Line(row)], self.term.columns())
            }),
        }
    }
}

/// The most rows that a screen may become in another size: the history that the emulator gets for the moment of a resize,
/// so that what a smaller screen pushes out can be read. A wide character may leave a column empty at each row's end.
fn most_rows(before: Size, size: Size) -> usize {
    let columns = usize::from(size.cols - 1).max(1);
    usize::from(before.rows) * usize::from(before.cols).div_ceil(columns)
}

/// The emulator wipes of a row only what was written since it was wiped last, unless its last cell has another
/// background: of a wiped row that has grown since, coloured cells would stay.
fn touch_rows(grid: &mut Grid<Cell>) {
    let last = Column(grid.columns() - 1);
    let lines = i32::try_from(grid.screen_lines()).unwrap_or(i32::MAX);
    for line in (0..lines).map(Line) {
        let _ = &mut grid[line][last];
    }
}
