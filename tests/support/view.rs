//! What a person would see: a run's frames, applied to a second emulator.

use serde_json::Value as Json;
use termi::{protocol::Size, term::Terminal};

/// Enough that no test's own scrollback is cut.
const SCROLLBACK_BYTES: usize = 1 << 30;

/// One run as its frames show it.
pub struct View {
    terminal: Option<Terminal>,
    /// How many frames came.
    pub frames: usize,
    /// The last frame, as it came.
    pub last: Json,
    /// The bytes of all `ansi` frames.
    pub data: String,
    /// What is wrong with the frames, if anything.
    pub faults: Vec<String>,
}

impl View {
    pub(super) fn new() -> Self {
        Self { terminal: None, frames: 0, last: Json::Null, data: String::new(), faults: Vec::new() }
    }

    /// Takes a frame in.
    pub(super) fn apply(&mut self, frame: &Json) {
        let number = |key: &str| u16::try_from(frame[key].as_u64().unwrap()).unwrap();
        let size = Size { rows: number("rows"), cols: number("cols") };
        self.check_order(frame);
        self.frames += 1;
        if let Some(data) = frame["data"].as_str() {
            // Another view begins with an empty emulator, as a new buffer does.
            if self.last["view_id"] != frame["view_id"] {
                self.terminal = None;
                self.data.clear();
            }
            let terminal = self.terminal.get_or_insert_with(|| Terminal::new(size, SCROLLBACK_BYTES));
            terminal.resize(size);
            terminal.feed(data.as_bytes());
            if !terminal.take_asked().replies.is_empty() {
                self.faults.push(format!("a frame holds a query: {data:?}"));
            }
            self.data.push_str(data);
        }
        self.last = frame.clone();
    }

    fn check_order(&mut self, frame: &Json) {
        let last = if self.last["view_id"] == frame["view_id"] { self.last["seq"].as_u64().unwrap() } else { 0 };
        if frame["seq"].as_u64() != Some(last + 1) {
            self.faults.push(format!("frame {} came after {last}", frame["seq"]));
        }
    }

    /// The emulator; fails when no `ansi` frame has come.
    #[must_use]
    pub fn terminal(&self) -> &Terminal {
        self.terminal.as_ref().expect("no ansi frame has come")
    }

    /// The screen's rows without trailing blanks, to the last row that has text.
    #[must_use]
    pub fn screen(&self) -> Vec<String> {
        let mut rows: Vec<String> = match &self.terminal {
            Some(terminal) => terminal.rows().map(|row| row.text).collect(),
            None => Vec::new(),
        };
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// What one could read by scrolling up: the lines that left the screen, then the screen.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        let Some(terminal) = &self.terminal else { return Vec::new() };
        let transcript = terminal.transcript();
        let mut lines: Vec<String> = transcript.lines_from(transcript.first()).map(|line| line.text).collect();
        lines.extend(self.screen());
        lines
    }
}
