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
    /// The last frame, with what the frames before it told and it does not tell anew.
    pub last: Json,
    /// How many bytes the last frame took on the wire, as a whole message.
    pub last_bytes: usize,
    /// The bytes of all frames.
    pub bytes: usize,
    /// The bytes of all `ansi` frames.
    pub data: String,
    /// What is wrong with the frames, if anything.
    pub faults: Vec<String>,
}

impl View {
    pub(super) fn new() -> Self {
        Self {
            terminal: None,
            frames: 0,
            last: Json::Null,
            last_bytes: 0,
            bytes: 0,
            data: String::new(),
            faults: Vec::new(),
        }
    }

    /// Takes a frame in that came as a message of so many bytes.
    pub(super) fn apply(&mut self, frame: &Json, bytes: usize) {
        let is_next = self.last["view_id"] == frame["view_id"];
        let last = if is_next { self.last["seq"].as_u64().unwrap() } else { 0 };
        if frame["seq"].as_u64() != Some(last + 1) {
            self.faults.push(format!("frame {} came after {last}", frame["seq"]));
        }
        let whole = ["run_id", "format", "rows", "cols"].iter().all(|key| frame.get(key).is_some());
        if frame["reset"] == true && !whole || !is_next && frame["reset"] != true {
            self.faults.push(format!("a view begins with too little: {frame}"));
        }
        // Another view begins with an empty emulator, as a new buffer does.
        if !is_next {
            (self.terminal, self.last) = (None, Json::Null);
            self.data.clear();
        }
        let mut now = frame.clone();
        for key in ["run_id", "format", "rows", "cols"] {
            if now.get(key).is_none() {
                now[key] = self.last[key].take();
            }
        }
        let number = |key: &str| u16::try_from(now[key].as_u64().unwrap_or(1)).unwrap();
        let size = Size { rows: number("rows"), cols: number("cols") };
        self.frames += 1;
        self.last_bytes = bytes;
        self.bytes += bytes;
        if let Some(data) = frame["data"].as_str() {
            let terminal = self.terminal.get_or_insert_with(|| Terminal::new(size, SCROLLBACK_BYTES));
            terminal.resize(size);
            terminal.feed(data.as_bytes());
            if !terminal.take_effects().replies.is_empty() {
                self.faults.push(format!("a frame holds a query: {data:?}"));
            }
            self.data.push_str(data);
        }
        self.last = now;
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
