//! Output of the program: read within a budget, fed to the terminal in chunks, and looked at by whoever waits for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::{READ_BUDGET, Run, SEARCH_BUDGET};
use crate::{
    history::{KeptPath, Output as OutputFile},
    protocol::{JsonLine, Result as Answer, WaitReply},
    pty::Read,
    session::{
        client::{
            json_lines::{LineSplitter, Subscriber, for_terminal},
            viewer::Viewer,
        },
        program::output_gate::RateMeter,
        waits::{Look, waiter::Condition},
    },
};

/// The program's output: what was read and is not yet fed to the terminal, and what is counted and kept of it.
pub(super) struct Output {
    /// Read, and not yet all fed to the terminal.
    pub pending: Vec<u8>,
    /// How much of it has been fed.
    pub consumed: usize,
    /// How much is fed at a time.
    pub chunk_size: usize,
    /// Nobody holds the terminal open: when to look again.
    pub closed_until: Option<Instant>,
    pub rate: RateMeter,
    pub last_output: Instant,
    /// Keeps the whole output.
    pub file: Option<OutputFile>,
    /// Where it is kept, after its end too.
    pub file_path: Option<KeptPath>,
    /// Splits it into lines, where it is JSON lines.
    pub splitter: Option<LineSplitter>,
    /// Bytes of all lives.
    pub bytes: u64,
    /// Cuts of the transcript that were logged.
    pub cuts: u64,
}

impl Output {
    /// Of a program that has just started.
    pub fn new(file: Option<OutputFile>, splitter: Option<LineSplitter>) -> Self {
        Self {
            pending: Vec::new(),
            consumed: 0,
            chunk_size: 4096,
            closed_until: None,
            rate: RateMeter::default(),
            last_output: Instant::now(),
            file_path: file.as_ref().map(OutputFile::path),
            file,
            splitter,
            bytes: 0,
            cuts: 0,
        }
    }

    /// The program's next life: what counts over all lives goes on, and nothing else of the last one does.
    pub fn restart(&mut self, file: Option<OutputFile>) {
        let next = Self::new(file, self.splitter.take());
        *self = Self { chunk_size: self.chunk_size, bytes: self.bytes, cuts: self.cuts, ..next };
    }
}

impl Run {
    /// Reads and takes in output until there is none for now, or the others are to have their turn.
    pub(super) fn read(&mut self) {
        self.output.closed_until = None;
        let begun = Instant::now();
        let mut total = 0;
        let mut fed = false;
        let mut closed = false;
        let mut buffer = [0; 16 << 10];
        while begun.elapsed() < READ_BUDGET {
            if self.output.consumed == self.output.pending.len() {
                let Some(master) = &mut self.program.master else { break };
                match master.try_read(&mut buffer) {
                    Read::Bytes(count) => {
                        total += count;
                        self.output.pending.clear();
                        self.output.consumed = 0;
                        self.arrived(&buffer[..count]);
                    }
                    Read::Empty => break,
                    Read::End => {
                        closed = true;
                        break;
                    }
                }
            }
            self.feed_chunk();
            fed = true;
        }
        if total > 0 {
            self.took_in(total);
        } else if fed {
            self.after_output();
        }
        if closed {
            self.terminal_closed();
        }
    }

    /// Output as it comes: kept whole where that is wanted, put together to lines where it is lines, and laid out for
    /// the terminal.
    fn arrived(&mut self, bytes: &[u8]) {
        if let Some(output) = &mut self.output.file {
            output.push(bytes);
        }
        match &mut self.output.splitter {
            None => self.output.pending.extend_from_slice(bytes),
            Some(lines) => {
                self.output.pending.extend(for_terminal(bytes));
                let subscribers = &mut self.clients.subscribers;
                lines.push(bytes, |line| push_line(line, subscribers));
            }
        }
    }

    /// Feeds a part of what was read. A few bytes can be much work (a screen filled by three of them), so the
    /// parts shrink when they are.
    fn feed_chunk(&mut self) {
        const MIN_CHUNK: usize = 16;
        const MAX_CHUNK: usize = 4096;
        let begun = Instant::now();
        let end = self.output.pending.len().min(self.output.consumed + self.output.chunk_size);
        let taken = self.terminal.feed_update(&self.output.pending[self.output.consumed..end]);
        self.output.consumed += taken;
        if self.output.consumed < end {
            // A program that draws update after update is always within one when its turn is over.
            self.clients.viewers.iter_mut().for_each(Viewer::mark);
            self.send_due_frames();
            self.check_agent();
        }
        self.output.chunk_size = if begun.elapsed() > READ_BUDGET / 4 {
            (self.output.chunk_size / 4).max(MIN_CHUNK)
        } else {
            (self.output.chunk_size * 2).min(MAX_CHUNK)
        };
    }

    /// Reads what is left without waiting; what never stops (an escapee's flood) is cut off.
    pub(super) fn read_rest(&mut self) {
        const MAX_REST: usize = 16 << 20;
        const REST_TIMEOUT: Duration = Duration::from_millis(500);
        let begun = Instant::now();
        while self.output.consumed < self.output.pending.len() {
            self.feed_chunk();
        }
        let mut buffer = [0; 16 << 10];
        let mut total = 0;
        while total < MAX_REST
            && begun.elapsed() < REST_TIMEOUT
            && let Some(master) = &self.program.master
            && let Read::Bytes(count) = master.read_now(&mut buffer)
        {
            total += count;
            self.output.pending.clear();
            self.arrived(&buffer[..count]);
            self.terminal.feed(&self.output.pending);
            self.output.consumed = self.output.pending.len();
        }
        self.took_in(total);
    }

    pub(super) fn took_in(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.output.bytes += bytes as u64;
        self.output.last_output = Instant::now();
        self.output.rate.add(bytes, self.output.last_output);
        self.services.heap_trim.note_output(bytes);
        self.input.last_activity = self.output.last_output;
        debug!(bytes, run = self.identity.run_id.short(), "output");
        self.after_output();
    }

    /// The terminal may have changed: what it was asked is answered, and views are behind.
    pub(super) fn after_output(&mut self) {
        if !(self.waits.is_empty() && self.line_requests.is_empty()) || self.exit().is_some() {
            self.terminal.flush();
        }
        let effects = self.terminal.take_effects();
        self.agent_prints(&effects);
        self.handle_effects(effects);
        let cuts = self.terminal.transcript_cuts();
        if cuts > self.output.cuts {
            self.output.cuts = cuts;
            let limit = self.terminal.transcript_limit() / 1000;
            warn!("Buffer exceeded {limit}KB limit, truncating to last {}KB", limit / 2);
        }
        for viewer in &mut self.clients.viewers {
            viewer.mark();
        }
        self.check_waits();
        self.answer_line_requests();
    }

    /// Has everybody who waits for something look at what has come, as far as there is time. Output is not taken in
    /// before all have seen what there is.
    pub(super) fn check_waits(&mut self) {
        if self.waits.is_empty() {
            return;
        }
        let (ended, until) = (self.exit(), Instant::now() + SEARCH_BUDGET);
        let (agent, last_output) = (self.agent.info(), self.output.last_output);
        self.waits.check(Look { terminal: &self.terminal, last_output, agent: agent.as_ref(), ended, until });
    }

    /// Adds one who waits.
    pub(super) fn wait(&mut self, condition: Condition, reply: oneshot::Sender<Answer<WaitReply>>) {
        let (ended, until) = (self.exit(), Instant::now() + SEARCH_BUDGET);
        let (agent, last_output) = (self.agent.info(), self.output.last_output);
        let look = Look { terminal: &self.terminal, last_output, agent: agent.as_ref(), ended, until };
        self.waits.add(condition, reply, look);
    }
}

/// A line for those who follow the run.
pub(super) fn push_line(line: JsonLine, subscribers: &mut [Subscriber]) {
    let kind = if line.value.is_some() { "json" } else { "text" };
    debug!(seq = line.seq, kind, truncated = line.truncated_bytes, "line");
    let line = Arc::new(line);
    for subscriber in subscribers {
        subscriber.push(&line);
    }
}
