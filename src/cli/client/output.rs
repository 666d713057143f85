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

/// JSON without the control characters that it may hold as they are, and that a terminal carries out: DEL and C1. They
/// can only stand in its strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}') {
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

/// A table with a head. On a terminal the last column is cut to what there is room for.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let room = io::stdout().is_terminal().then(columns).flatten();
    write(render(head, rows, room).as_bytes())
}

fn render<const N: usize>(head: [&str; N], rows: &[[String; N]], room: Option<usize>) -> String {
    let head = head.map(str::to_owned);
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().chain([&head]).map(|row| row[column].width()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', (width - cell.width()) + 2));
        }
        let line = line.trim_end();
        text.push_str(room.map_or(line, |room| cut(line, room)));
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
fn columns() -> Option<usize> {
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
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen_and_cut_where_there_is_no_room() {
        let rows = [["日本".to_owned(), "x".to_owned()], ["a".to_owned(), "a long command".to_owned()]];
        assert_eq!(render(["N", "C"], &rows, None), "N     C\n日本  x\na     a long command\n");
        assert_eq!(render(["N", "C"], &rows, Some(10)), "N     C\n日本  x\na     a lo\n");
    }

    #[test]
    fn json_holds_no_character_that_a_terminal_carries_out() {
        let value = serde_json::json!({"a": "\u{9b}31m\u{7f}\u{1b}\u{80}\u{a0}ä"});
        let text = escaped(&value.to_string());
        assert_eq!(text, "{\"a\":\"\\u009b31m\\u007f\\u001b\\u0080\u{a0}ä\"}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
