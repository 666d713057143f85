//! What a person sees: the screen that Neovim draws, kept from its `ext_linegrid` redraw events.

use std::{collections::HashMap, fmt};

use rmpv::Value;

/// How a cell looks, with Neovim's defaults resolved. Colours are 0xRRGGBB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "attributes are independent of each other")]
pub struct Look {
    pub foreground: Option<u32>,
    pub background: Option<u32>,
    pub bold: bool,
    pub italic: bool,
    pub underline: bool,
    pub reverse: bool,
    pub strikethrough: bool,
}

#[derive(Debug, Clone)]
struct Cell {
    /// Empty in the right half of a wide character.
    text: String,
    look: u64,
}

/// The cursor's shape, as the current mode draws it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CursorShape {
    pub shape: String,
    pub blinks: bool,
}

#[derive(Debug, Default)]
pub struct Grid {
    rows: Vec<Vec<Cell>>,
    looks: HashMap<u64, Look>,
    shapes: Vec<CursorShape>,
    mode: String,
    mode_index: usize,
    cursor: (usize, usize),
    busy: bool,
    title: String,
    complete: bool,
}

impl Grid {
    /// The rows as text, without the spaces at their ends.
    pub fn lines(&self) -> Vec<String> {
        (0..self.rows.len()).map(|row| self.line(row)).collect()
    }

    pub fn line(&self, row: usize) -> String {
        let text: String = self.rows[row].iter().map(|cell| cell.text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// Whether a text stands anywhere above the command line, which still shows the command that was typed.
    pub fn contains(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// Where the text first stands above the command line: row and column.
    pub fn find(&self, text: &str) -> Option<(usize, usize)> {
        let above = self.rows.len().saturating_sub(1);
        (0..above).find_map(|row| Some((row, self.column(row, text)?)))
    }

    /// In which column of a row a text first stands.
    pub fn column(&self, row: usize, text: &str) -> Option<usize> {
        let line: String = self.rows[row].iter().map(|cell| cell.text.as_str()).collect();
        let at = line.find(text)?;
        let mut passed = 0;
        self.rows[row].iter().position(|cell| {
            let here = passed >= at;
            passed += cell.text.len();
            here
        })
    }

    /// How the first cell of a text looks.
    pub fn look_of(&self, text: &str) -> Look {
        let (row, column) = self.find(text).unwrap_or_else(|| panic!("{text:?} is not on the screen:\n{self}"));
        self.look_at(row, column)
    }

    pub fn look_at(&self, row: usize, column: usize) -> Look {
        self.looks.get(&self.rows[row][column].look).copied().unwrap_or_default()
    }

    /// The text in one cell.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        &self.rows[row][column].text
    }

    /// Row and column.
    pub fn cursor(&self) -> (usize, usize) {
        self.cursor
    }

    /// Neovim's name of the mode, such as `normal` or `terminal`.
    pub fn mode(&self) -> &str {
        &self.mode
    }

    pub fn cursor_shape(&self) -> CursorShape {
        self.shapes.get(self.mode_index).cloned().unwrap_or_default()
    }

    pub fn cursor_is_hidden(&self) -> bool {
        self.busy
    }

    /// Whether the last redraw was finished: between the parts of one, the screen is not what a person sees.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes the parameters of one `redraw` notification.
    pub fn redraw(&mut self, batches: &[Value]) {
        for batch in batches {
            let batch = batch.as_array().unwrap();
            let name = batch[0].as_str().unwrap();
            self.complete = name == "flush";
            for event in &batch[1..] {
                self.apply(name, event.as_array().unwrap());
            }
        }
    }

    fn apply(&mut self, name: &str, event: &[Value]) {
        let number = |index: usize| usize::try_from(event[index].as_u64().unwrap()).unwrap();
        match name {
            "grid_resize" => {
                let blank = Cell { text: " ".to_owned(), look: 0 };
                self.rows.iter_mut().for_each(|row| row.resize(number(1), blank.clone()));
                self.rows.resize(number(2), vec![blank; number(1)]);
            }
            "grid_clear" => {
                let blank = Cell { text: " ".to_owned(), look: 0 };
                self.rows.iter_mut().for_each(|row| row.fill(blank.clone()));
            }
            "grid_line" => self.put(number(1), number(2), event[3].as_array().unwrap()),
            "grid_scroll" => self.scroll(number(1)..number(2), number(3)..number(4), event[5].as_i64().unwrap()),
            "grid_cursor_goto" => self.cursor = (number(1), number(2)),
            "hl_attr_define" => {
                self.looks.insert(event[0].as_u64().unwrap(), look(&event[1]));
            }
            "mode_info_set" => self.shapes = event[1].as_array().unwrap().iter().map(shape).collect(),
            "mode_change" => {
                event[0].as_str().unwrap().clone_into(&mut self.mode);
                self.mode_index = number(1);
            }
            "busy_start" => self.busy = true,
            "busy_stop" => self.busy = false,
            "set_title" => event[0].as_str().unwrap().clone_into(&mut self.title),
            _ => {}
        }
    }

    fn put(&mut self, row: usize, mut column: usize, cells: &[Value]) {
        let mut look = 0;
        for cell in cells {
            let cell = cell.as_array().unwrap();
            let text = cell[0].as_str().unwrap();
            look = cell.get(1).and_then(Value::as_u64).unwrap_or(look);
            for _ in 0..cell.get(2).and_then(Value::as_u64).unwrap_or(1) {
                self.rows[row][column] = Cell { text: text.to_owned(), look };
                column += 1;
            }
        }
    }

    fn scroll(&mut self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, by: i64) {
        let before = self.rows.clone();
        for row in rows.clone() {
            let from = i64::try_from(row).unwrap() + by;
            let Ok(from) = usize::try_from(from) else { continue };
            if rows.contains(&from) {
                self.rows[row][columns.clone()].clone_from_slice(&before[from][columns.clone()]);
            }
        }
    }
}

/// The screen in a frame, as a failing test shows it.
impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.first().map_or(0, Vec::len);
        writeln!(f, "┌{}┐", "─".repeat(width))?;
        for row in &self.rows {
            writeln!(f, "│{}│", row.iter().map(|cell| cell.text.as_str()).collect::<String>())?;
        }
        writeln!(f, "└{}┘", "─".repeat(width))?;
        write!(f, "mode {}, cursor {:?}, title {:?}", self.mode, self.cursor, self.title)
    }
}

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

fn look(attributes: &Value) -> Look {
    let is = |name| field(attributes, name).and_then(Value::as_bool).unwrap_or(false);
    let color = |name| Some(u32::try_from(field(attributes, name)?.as_u64()?).unwrap());
    Look {
        foreground: color("foreground"),
        background: color("background"),
        bold: is("bold"),
        italic: is("italic"),
        underline: is("underline"),
        reverse: is("reverse"),
        strikethrough: is("strikethrough"),
    }
}

fn shape(mode: &Value) -> CursorShape {
    let blinks = field(mode, "blinkon").and_then(Value::as_u64).unwrap_or(0) > 0;
    CursorShape { shape: field(mode, "cursor_shape").and_then(Value::as_str).unwrap_or_default().to_owned(), blinks }
}
