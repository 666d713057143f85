//! The equivalence of views: a second terminal fed with a view's frames equals the first, and a plain buffer that the
//! rows of frames are put into has its text.
//!
//! What is here knows no generator of cases: property tests and the fuzzer each bring their own.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod properties;
mod text;

use super::{View, backlog, grapheme};
use crate::{
    protocol::{Format, FrameBody, Size, SpanLine, Style},
    term::{Terminal, clamp_size},
};
use text::TextModel;

/// A step in the life of a terminal and of those who look at it.
#[derive(Debug, Clone)]
pub enum Step {
    /// The program prints.
    Print(Vec<u8>),
    /// The clients take the frames there are.
    CatchUp,
    /// They take one frame only, and no other until they take it: it may be long out of date by then.
    OneFrame,
    /// The window is sized.
    Size(u16, u16),
    /// They attach anew, with empty screens.
    Attach,
    /// All is to be sent again, as after a frame that nobody knows to have arrived.
    StartOver,
    /// A synchronized update of the program's has lasted too long.
    EndSync,
}

/// A host's terminal, and a client of each format.
pub struct Equivalence {
    host: Terminal,
    emulator: Terminal,
    ansi: View,
    text: TextModel,
    spans: View,
    limit: usize,
}

impl Equivalence {
    /// A terminal of that size whose transcript is cut at `limit` bytes.
    #[must_use]
    pub fn new(size: Size, limit: usize, synchronizes: bool) -> Self {
        let host = Terminal::new(size, limit);
        let mut ansi = View::new(Format::Ansi, &host);
        ansi.set_synchronizes(synchronizes);
        let spans = View::new(Format::Spans, &host);
        Self { emulator: emulator(size), text: TextModel::default(), host, ansi, spans, limit }
    }

    /// Takes a step, and checks the equivalence wherever the clients are up to date.
    ///
    /// # Errors
    /// What was seen against it.
    pub fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Print(bytes) => {
                self.host.feed(&bytes);
                self.host.take_effects();
            }
            Step::CatchUp => self.catch_up()?,
            Step::OneFrame => {
                self.ansi_frame()?;
                self.spans_frame()?;
            }
            Step::Size(rows, cols) => {
                let size = clamp_size(rows.into(), cols.into());
                // The client's window has its size first; the host follows, and all starts over.
                self.emulator.resize(size);
                self.host.resize(size);
                self.start_over();
            }
            Step::Attach => {
                self.emulator = emulator(self.host.size());
                self.text = TextModel::default();
                let synchronizes = self.ansi.synchronizes;
                self.ansi = View::new(Format::Ansi, &self.host);
                self.ansi.set_synchronizes(synchronizes);
                self.spans = View::new(Format::Spans, &self.host);
            }
            Step::StartOver => self.start_over(),
            Step::EndSync => {
                self.host.end_sync();
                self.host.take_effects();
            }
        }
        Ok(())
    }

    fn start_over(&mut self) {
        self.ansi.start_over(&self.host);
        self.spans.start_over(&self.host);
    }

    fn ansi_frame(&mut self) -> Result<bool, String> {
        let Some(frame) = self.ansi.next_frame(&self.host) else { return Ok(true) };
        let FrameBody::Ansi { data } = &frame.body else { return Err("not an ansi frame".into()) };
        self.emulator.feed(data.as_bytes());
        if !self.emulator.take_effects().replies.is_empty() {
            return Err(format!("a frame asks something: {data:?}"));
        }
        Ok(frame.is_current)
    }

    fn spans_frame(&mut self) -> Result<bool, String> {
        let Some(frame) = self.spans.next_frame(&self.host) else { return Ok(true) };
        let FrameBody::Spans(update) = frame.body else { return Err("not a spans frame".into()) };
        self.text.apply(frame.reset, usize::from(self.host.size().rows), update)?;
        Ok(frame.is_current)
    }

    /// Brings both clients up to date and checks the equivalence.
    ///
    /// # Errors
    /// What was seen against it.
    pub fn catch_up(&mut self) -> Result<(), String> {
        while !self.ansi_frame()? {}
        while !self.spans_frame()? {}
        let (rows, seen): (Vec<_>, Vec<_>) = (self.host.rows().collect(), self.emulator.rows().collect());
        same_rows("the emulator's screen", &rows, &seen)?;
        same_rows("the text's screen", &rows, &self.text.screen)?;
        let cursor = self.host.cursor();
        same("the emulator's cursor", &cursor, &self.emulator.cursor())?;
        same("the text's cursor", &Some(cursor), &self.text.cursor)?;
        same("the emulator's modes", &self.host.modes(), &self.emulator.modes())?;
        same("the text's modes", &Some(self.host.modes().into()), &self.text.modes)?;
        same("the emulator's title", &self.host.title(), &self.emulator.title())?;
        same("the text's title", &self.host.title(), &self.text.title.as_str())?;
        self.check_scrollback()
    }

    /// What a view that keeps up has above its screen: what left the terminal's, in order. The alternate screen holds
    /// it back.
    fn check_scrollback(&self) -> Result<(), String> {
        if self.host.modes().alternate_screen || self.ansi.behind || self.spans.behind {
            return Ok(());
        }
        let transcript = self.host.transcript();
        let mut rows = Vec::new();
        // That many a client gets that attaches late.
        let from = transcript.end().saturating_sub(backlog::ROWS_AT_START.into());
        for row in transcript.rows_from(from.max(transcript.cleared_at())) {
            grapheme::fold(row.line.clone(), usize::from(self.host.size().cols), |line| rows.push(trimmed(line)));
        }
        let above = self.emulator.transcript();
        let above: Vec<_> = above.rows_from(above.first()).map(|row| trimmed(row.line.clone())).collect();
        // The clients may still have what the transcript's limit has cut since.
        let ends_as = |what: &str, above: &[SpanLine]| {
            let from = above.len().checked_sub(rows.len()).ok_or_else(|| {
                format!("{what} has {} rows, the transcript {} (limit {})", above.len(), rows.len(), self.limit)
            })?;
            same_rows(what, &rows, &above[from..])
        };
        ends_as("the emulator's scrollback", &above)?;
        let above: Vec<_> = self.text.above.iter().cloned().map(trimmed).collect();
        ends_as("the text's scrollback", &above)
    }
}

fn emulator(size: Size) -> Terminal {
    Terminal::new(size, usize::MAX)
}

/// The blanks at the end of a row that goes on in the next are the line's own there, with their colour; on a screen
/// they are not seen.
fn trimmed(mut line: SpanLine) -> SpanLine {
    let is_seen = |style: &Style| {
        let unseen = Style { fg: style.fg, bold: style.bold, dim: style.dim, italic: style.italic, ..Style::default() };
        *style != unseen
    };
    while line.text.ends_with(' ') {
        let last = line.text.len() - 1;
        if let Some(span) = line.spans.last_mut().filter(|span| span.end > last) {
            if is_seen(&span.style) {
                break;
            }
            span.end = last;
        }
        line.spans.pop_if(|span| span.start >= last);
        line.text.truncate(last);
    }
    line
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, should_be: &T, is: &T) -> Result<(), String> {
    if should_be == is { Ok(()) } else { Err(format!("{what}: {is:?}, not {should_be:?}")) }
}

fn same_rows(what: &str, should_be: &[SpanLine], are: &[SpanLine]) -> Result<(), String> {
    for (row, (should_be, is)) in should_be.iter().zip(are).enumerate() {
        same(&format!("{what}, row {row}"), should_be, is)?;
    }
    same(&format!("{what}, number of rows"), &should_be.len(), &are.len())
}
