//! What Neovim draws, as text: each event is read and its text kept, without looks.

use rmpv::ValueRef;

#[derive(Debug, Default)]
pub struct Grid {
    rows: Vec<Vec<char>>,
    cursor: (usize, usize),
    flushes: u64,
    complete: bool,
}

impl Grid {
    /// The character at a row and a column.
    pub fn at(&self, row: usize, column: usize) -> Option<char> {
        self.rows.get(row)?.get(column).copied()
    }

    /// Row and column.
    pub fn cursor(&self) -> (usize, usize) {
        self.cursor
    }

    /// How often a finished screen was shown.
    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    /// Whether what is known is a finished screen, as a person sees it.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a text of single-width characters stands anywhere on the screen.
    pub fn contains(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.rows.iter().any(|row| row.windows(text.len()).any(|part| part == text))
    }

    pub fn text(&self) -> String {
        let lines = self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Takes the parameters of one `redraw` notification.
    pub fn redraw(&mut self, batches: &[ValueRef]) {
        for batch in batches {
            let batch = items(batch);
            let name = text(&batch[0]);
            self.complete = name == "flush";
            self.flushes += u64::from(self.complete);
            for event in &batch[1..] {
                self.apply(name, items(event));
            }
        }
    }

    fn apply(&mut self, name: &str, event: &[ValueRef]) {
        let at = |index: usize| number(&event[index]);
        match name {
            "grid_resize" => {
                self.rows.iter_mut().for_each(|row| row.resize(at(1), ' '));
                self.rows.resize(at(2), vec![' '; at(1)]);
            }
            "grid_clear" => self.rows.iter_mut().for_each(|row| row.fill(' ')),
            "grid_line" => self.put(at(1), at(2), items(&event[3])),
            "grid_scroll" => self.scroll(at(1)..at(2), at(3)..at(4), &event[5]),
            "grid_cursor_goto" => self.cursor = (at(1), at(2)),
            _ => {}
        }
    }

    fn put(&mut self, row: usize, mut column: usize, cells: &[ValueRef]) {
        for cell in cells {
            let cell = items(cell);
            let character = text(&cell[0]).chars().next().unwrap_or(' ');
            let count = cell.get(2).map_or(1, number);
            self.rows[row][column..column + count].fill(character);
            column += count;
        }
    }

    fn scroll(&mut self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, by: &ValueRef) {
        let ValueRef::Integer(by) = by else { panic!("scrolled by {by}") };
        let by = isize::try_from(by.as_i64().unwrap()).unwrap();
        let mut order: Vec<usize> = rows.clone().collect();
        if by < 0 {
            order.reverse();
        }
        for row in order {
            if let Some(from) = row.checked_add_signed(by)
                && rows.contains(&from)
            {
                let part = self.rows[from][columns.clone()].to_vec();
                self.rows[row][columns.clone()].copy_from_slice(&part);
            }
        }
    }
}

fn items<'a>(value: &'a ValueRef<'a>) -> &'a [ValueRef<'a>] {
    match value {
        ValueRef::Array(items) => items,
        other => panic!("no list but {other}"),
    }
}

fn text<'a>(value: &'a ValueRef<'a>) -> &'a str {
    match value {
        ValueRef::String(text) => text.as_str().unwrap_or("?"),
        other => panic!("no text but {other}"),
    }
}

fn number(value: &ValueRef) -> usize {
    match value {
        ValueRef::Integer(number) => usize::try_from(number.as_u64().unwrap()).unwrap(),
        other => panic!("no number but {other}"),
    }
}
