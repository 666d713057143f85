//! What commands print: plain lines and tables for people, JSON for scripts.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Failure;
use crate::protocol::{RunReply, acts};

/// Writes bytes to standard output as they are.
pub fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|source| Failure::Io { what: "standard output", source })
}

/// Writes a line.
pub fn line(text: &str) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes())
}

/// Writes lines, together.
pub fn lines(lines: &[impl AsRef<str>]) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    write(text.as_bytes())
}

/// Writes a value as JSON, indented for people, on one line for programs.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text =
        if io::stdout().is_terminal() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    line(&escaped(&text.map_err(|error| Failure::Asked(format!("the answer cannot be JSON: {error}")))?))
}

/// JSON without the characters that it may hold as they are, and that act on a terminal or on the order of a line: DEL,
/// C1, and Unicode's marks. They can only stand in its strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c >= '\u{7f}' && acts(c) {
            // All of them are in the basic plane.
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// A run as commands take it for a target: `SESSION:RUN`.
pub fn run_name(run: &RunReply) -> String {
    format!("{}:{}", run.session_name, run.run_id.short())
}

/// A column of a table, and what becomes of it on a terminal that is too narrow.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    /// It is cut, down to this width, to keep what follows it in sight.
    least: Option<usize>,
    /// It is left out once nothing can be cut any more, the lowest first.
    drop: Option<u8>,
}

impl Column {
    pub const fn new(title: &'static str) -> Self {
        Self { title, least: None, drop: None }
    }

    pub const fn cut_to(self, least: usize) -> Self {
        Self { least: Some(least), ..self }
    }

    pub const fn dropped(self, drop: u8) -> Self {
        Self { drop: Some(drop), ..self }
    }
}

/// The room of names: what is cut of a long one is in its row's RUN, which is a target too.
pub const NAME_LEAST: usize = 12;

/// Of the last column at least so much stays in sight where others can make room.
const LAST_LEAST: usize = 20;

/// A table with a head. On a terminal the last column is cut to what there is room for.
pub fn table<const N: usize>(head: [&'static str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    fitted_table(&head.map(Column::new), rows)
}

/// The same with columns that make room for others on a narrow terminal.
pub fn fitted_table(columns: &[Column], rows: &[impl AsRef<[String]>]) -> Result<(), Failure> {
    let room = io::stdout().is_terminal().then(terminal_columns).flatten();
    write(render(columns, rows, room).as_bytes())
}

const GAP: usize = 2;

/// How wide each column is, in the order of the columns; none of one that is left out.
fn widths(columns: &[Column], rows: &[impl AsRef<[String]>], room: Option<usize>) -> Vec<Option<usize>> {
    let widest = |at: usize| rows.iter().map(|row| row.as_ref()[at].width()).max().unwrap_or_default();
    let mut widths: Vec<Option<usize>> =
        columns.iter().enumerate().map(|(at, column)| Some(widest(at).max(column.title.width()))).collect();
    let Some(room) = room else { return widths };
    // What the last one takes beyond its least is cut at the end.
    let over = |widths: &[Option<usize>]| {
        let (last, others) = widths.split_last().map_or((0, widths), |(last, others)| (last.unwrap_or(0), others));
        let used: usize = others.iter().flatten().map(|width| width + GAP).sum();
        (used + last.min(LAST_LEAST)).saturating_sub(room)
    };
    for (at, column) in columns.iter().enumerate() {
        if let (Some(least), Some(width)) = (column.least, widths[at]) {
            widths[at] = Some(width - over(&widths).min(width.saturating_sub(least)));
        }
    }
    let mut droppable: Vec<usize> = (0..columns.len()).filter(|at| columns[*at].drop.is_some()).collect();
    droppable.sort_by_key(|at| columns[*at].drop);
    for at in droppable {
        if over(&widths) > 0 {
            widths[at] = None;
        }
    }
    widths
}

fn render(columns: &[Column], rows: &[impl AsRef<[String]>], room: Option<usize>) -> String {
    let widths = widths(columns, rows, room);
    let head: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(head.as_slice()).chain(rows.iter().map(AsRef::as_ref)) {
        let mut line = String::new();
        for ((cell, width), column) in row.iter().zip(&widths).zip(columns) {
            let Some(width) = *width else { continue };
            if column.least.is_some() && cell.width() > width {
                let kept = cut(cell, width.saturating_sub(1));
                line.push_str(kept);
                line.push('…');
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(kept.width() + 1) + GAP));
            } else {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + GAP));
            }
        }
        let line = line.trim_end();
        match room.filter(|room| line.width() > *room) {
            Some(room) => {
                text.push_str(cut(line, room.saturating_sub(1)));
                text.push('…');
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// As much of a line as fits.
fn cut(line: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in line.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return &line[..at];
        }
    }
    line
}

/// The terminal's width, if standard output is one.
fn terminal_columns() -> Option<usize> {
    super::attach::tty_size(io::stdout()).map(|size| usize::from(size.cols))
}

/// Text of others on one line: what acts on a terminal is shown as spaces.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if acts(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_can_neither_act_nor_turn_what_follows() {
        assert_eq!(one_line("a\u{1b}[2J\u{9b}b\u{202e}c\u{2066}d\n"), "a [2J b c d ");
        assert_eq!(one_line("عربي 你好 e\u{301}"), "عربي 你好 e\u{301}");
        let marks = "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{2060}\u{feff}\u{200b}\u{ad}\u{180e}\u{206f}\u{fffb}";
        assert_eq!(one_line(marks), " ".repeat(marks.chars().count()));
        // What words and emoji are spelled with.
        assert_eq!(one_line("می\u{200c}خواهم 👩\u{200d}💻 क्\u{200d}ष"), "می\u{200c}خواهم 👩\u{200d}💻 क्\u{200d}ष");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen_and_cut_where_there_is_no_room() {
        let rows = [["日本".to_owned(), "x".to_owned()], ["a".to_owned(), "a long command".to_owned()]];
        let columns = ["N", "C"].map(Column::new);
        assert_eq!(render(&columns, &rows, None), "N     C\n日本  x\na     a long command\n");
        assert_eq!(render(&columns, &rows, Some(10)), "N     C\n日本  x\na     a l…\n");
    }

    #[test]
    fn names_are_cut_and_columns_left_out_only_where_there_is_no_room() {
        let columns =
            [Column::new("NAME").cut_to(6), Column::new("PID").dropped(1), Column::new("STATE"), Column::new("LAST")];
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let rows = [row(["a-long-name", "12345", "asks", "x"]), row(["日本語の名前", "1", "working", "a command"])];
        let whole = render(&columns, &rows, None);
        assert_eq!(whole.lines().nth(1), Some("a-long-name   12345  asks     x"));
        assert_eq!(render(&columns, &rows, Some(60)), whole);
        let cut = render(&columns, &rows, Some(33));
        let lines = "NAME    PID    STATE    LAST\na-lon…  12345  asks     x\n日本…   1      working  a command\n";
        assert_eq!(cut, lines);
        // Half a wide character is a blank.
        let narrow = "NAME    STATE    LAST\na-lon…  asks     x\n日本…   working  a command\n";
        assert_eq!(render(&columns, &rows, Some(26)), narrow);
    }

    #[test]
    fn json_holds_no_character_that_a_terminal_carries_out() {
        let value = serde_json::json!({"a": "\u{9b}31m\u{7f}\u{1b}\u{80}\u{a0}ä\u{202e}\u{2028}"});
        let text = escaped(&value.to_string());
        assert_eq!(text, "{\"a\":\"\\u009b31m\\u007f\\u001b\\u0080\u{a0}ä\\u202e\\u2028\"}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
