//! A run whose output is JSON lines (`stream: "json"`): lines put together across reads, parsed, and sent to those
//! who follow it, with the backpressure of their acknowledgements.
//!
//! Nothing here grows with what a program prints: a line is held to the limit of the run's transcript, and what
//! waits for a slow subscriber to a little more than that; what goes beyond is dropped, and how much is told.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::mpsc;

use serde::{Deserialize, Serialize};

use super::{Ack, Acked, Client};
use crate::protocol::{Event, JsonLine, RunId, SessionId, ViewId, json_excess};

/// When a client has so many events waiting that there is no room for a line: how soon to look again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The most values that a line may hold to be parsed: a value of a few bytes takes hundreds.
const MAX_VALUES: u64 = 100_000;

/// What even a small limit lets wait for a subscriber.
const MIN_BACKLOG: usize = 1 << 20;

/// Splits output into lines, whatever reads cut.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LineSplitter {
    pending: Vec<u8>,
    /// Bytes of the line under way that are beyond the limit.
    beyond: u64,
    limit: usize,
    seq: u64,
}

impl LineSplitter {
    /// Lines are held to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { pending: Vec::new(), beyond: 0, limit, seq: 0 }
    }

    /// The number of the next line.
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// Takes output in; gives the lines that it ends.
    pub fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(JsonLine)) {
        while let Some(at) = bytes.iter().position(|&byte| byte == b'\n') {
            self.collect(&bytes[..at]);
            take(self.line());
            bytes = &bytes[at + 1..];
        }
        self.collect(bytes);
    }

    /// The program has ended: what stands there without a line end is a line too.
    pub fn end(&mut self) -> Option<JsonLine> {
        (!self.pending.is_empty()).then(|| self.line())
    }

    fn collect(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(self.limit - self.pending.len());
        self.pending.extend_from_slice(&bytes[..fits]);
        self.beyond += (bytes.len() - fits) as u64;
    }

    fn line(&mut self) -> JsonLine {
        let bytes = std::mem::take(&mut self.pending);
        let beyond = std::mem::take(&mut self.beyond);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        let (seq, text) = (self.seq, String::from_utf8_lossy(bytes).into_owned());
        self.seq += 1;
        let mut line = JsonLine { seq, ..JsonLine::default() };
        if beyond > 0 {
            (line.text, line.truncated_bytes) = (Some(text), Some(beyond));
            return line;
        }
        // What is nested too deeply to be parsed, or holds too much, is text, like everything else that is not JSON.
        let is_fit = json_excess(bytes, usize::MAX, MAX_VALUES).is_none();
        match is_fit.then(|| serde_json::from_slice::<Value>(bytes)) {
            Some(Ok(value)) => (line.value, line.raw) = (Some(value), Some(text)),
            _ => line.text = Some(text),
        }
        line
    }
}

/// What a line costs while it waits: its text, and a parsed value is taken to be twice as large.
fn cost(line: &JsonLine) -> usize {
    let text = line.raw.as_ref().or(line.text.as_ref()).map_or(0, String::len);
    size_of::<JsonLine>() + text * if line.value.is_some() { 3 } else { 1 }
}

/// One client that gets a run's lines: one in flight, the others wait.
pub struct Subscriber {
    pub id: ViewId,
    pub client: Client,
    waiting: VecDeque<Arc<JsonLine>>,
    bytes: usize,
    limit: usize,
    lost: u64,
    in_flight: bool,
    retry: Option<Instant>,
    /// The client waits to be told of the run's end.
    pub exit_due: bool,
}

impl Subscriber {
    pub fn new(id: ViewId, client: Client, limit: usize) -> Self {
        Self {
            id,
            client,
            waiting: VecDeque::new(),
            bytes: 0,
            limit: limit.saturating_mul(4).max(MIN_BACKLOG),
            lost: 0,
            in_flight: false,
            retry: None,
            exit_due: false,
        }
    }

    /// One more line. The oldest give way.
    pub fn push(&mut self, line: &Arc<JsonLine>) {
        self.bytes += cost(line);
        self.waiting.push_back(Arc::clone(line));
        while self.bytes > self.limit
            && self.waiting.len() > 1
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.bytes -= cost(&oldest);
            self.lost += 1;
        }
    }

    /// The client has every line there is.
    pub fn is_drained(&self) -> bool {
        self.waiting.is_empty() && !self.in_flight
    }

    pub fn acked(&mut self) {
        self.in_flight = false;
    }

    /// Delivers the exit, if the client still waits for it.
    pub fn deliver_exit(&mut self, exit: &Event) {
        if std::mem::take(&mut self.exit_due) {
            self.client.event(exit.clone());
        }
    }

    /// When to call [`send`](Self::send) again, if only the clock decides.
    pub fn due(&self) -> Option<Instant> {
        self.retry
    }

    /// Sends the next line, if none is in flight.
    pub fn send(&mut self, who: &(SessionId, String, RunId), acks: &mpsc::UnboundedSender<Acked>) {
        if self.in_flight || self.retry.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.retry = None;
        let Some(line) = self.waiting.front() else { return };
        let (session_id, session_name, run_id) = who.clone();
        let event =
            Event::Json { session_id, session_name, run_id, line: JsonLine::clone(line), lost_lines: self.lost };
        if self.client.line(event, || Ack::new(acks.clone(), self.id, line.seq)) {
            self.bytes -= cost(line);
            self.waiting.pop_front();
            self.lost = 0;
            self.in_flight = true;
        } else {
            self.retry = Some(Instant::now() + RETRY_INTERVAL);
        }
    }
}

/// Output as a terminal needs it: the program's terminal does not turn line ends into what moves the cursor.
pub fn for_terminal(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for &byte in bytes {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(lines: &mut LineSplitter, bytes: &[u8]) -> Vec<JsonLine> {
        let mut found = Vec::new();
        lines.push(bytes, |line| found.push(line));
        found
    }

    #[test]
    fn lines_are_the_same_wherever_reads_cut_them() {
        let stream = "{\"a\": [1, \"\u{e9}\\n\"]}\nnot json \u{1b}[1m\r\n\n[1e400]\n{\"half\": tru\nlast".as_bytes();
        let mut whole = LineSplitter::new(1000);
        let mut expected = lines_of(&mut whole, stream);
        expected.extend(whole.end());
        assert_eq!(expected.len(), 6);
        assert_eq!(expected[0].value, Some(serde_json::json!({"a": [1, "\u{e9}\n"]})));
        assert_eq!(expected[0].raw.as_deref(), Some("{\"a\": [1, \"\u{e9}\\n\"]}"));
        assert_eq!(expected[1].text.as_deref(), Some("not json \u{1b}[1m"));
        assert_eq!((expected[5].seq, expected[5].text.as_deref()), (5, Some("last")));
        for cut in 0..stream.len() {
            let mut lines = LineSplitter::new(1000);
            let mut found = lines_of(&mut lines, &stream[..cut]);
            found.extend(lines_of(&mut lines, &stream[cut..]));
            found.extend(lines.end());
            assert_eq!(found, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_cut_and_says_by_how_much() {
        let mut lines = LineSplitter::new(100);
        for _ in 0..1000 {
            assert!(lines_of(&mut lines, &[b'x'; 1000]).is_empty());
            assert!(lines.pending.capacity() <= 200, "held to the limit");
        }
        let found = lines_of(&mut lines, b"\n{}\n");
        assert_eq!(found[0].truncated_bytes, Some(1_000_000 - 100));
        assert_eq!(found[0].text.as_deref(), Some("x".repeat(100).as_str()));
        assert_eq!(found[1].value, Some(serde_json::json!({})), "and finds its way back");
        let deep = [vec![b'['; 5000], b"\n".to_vec()].concat();
        let mut lines = LineSplitter::new(10_000);
        assert!(lines_of(&mut lines, &deep)[0].text.is_some(), "too deep to be parsed");
    }

    #[test]
    fn what_waits_for_a_slow_subscriber_is_bounded_and_what_is_dropped_counted() {
        let (client, _outbox) = Client::new();
        let mut subscriber = Subscriber::new(ViewId(1), client, 1000);
        let line = Arc::new(JsonLine { text: Some("x".repeat(1000)), ..JsonLine::default() });
        for _ in 0..5000 {
            subscriber.push(&line);
            assert!(subscriber.bytes <= MIN_BACKLOG);
        }
        assert_eq!(subscriber.lost + subscriber.waiting.len() as u64, 5000);
        assert!(subscriber.lost > 0);
    }
}
