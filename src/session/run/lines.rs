//! A run's output as lines of text, and who waits for the next one.

use super::Run;
use crate::{protocol::LinesReply, session::message::LinesRequest, term::Terminal};

/// Lines that one answer holds at the most: with `next` the rest is had.
const MAX_LINES: usize = 10_000;

impl Run {
    /// Answers at once, or when there is something to answer.
    pub(super) fn request_lines(&mut self, request: LinesRequest) {
        self.line_requests.retain(|request| !request.reply.is_closed());
        if let Some(request) = serve(&self.terminal, self.exit().is_some(), request) {
            self.line_requests.push(request);
        }
    }

    /// After output, or the end: whoever waits may have lines now.
    pub(super) fn answer_line_requests(&mut self) {
        let ended = self.exit().is_some();
        let requests = std::mem::take(&mut self.line_requests);
        self.line_requests = requests
            .into_iter()
            .filter(|request| !request.reply.is_closed())
            .filter_map(|request| serve(&self.terminal, ended, request))
            .collect();
    }
}

/// Answers a request; gives it back when it is to wait.
fn serve(terminal: &Terminal, ended: bool, request: LinesRequest) -> Option<LinesRequest> {
    let answer = read(terminal, ended, request.partial, request.from, request.last);
    if answer.lines.is_empty() && request.waits && !ended {
        // From here on; `next` is behind `from` where the screen was cleared meanwhile.
        return Some(LinesRequest { from: Some(answer.next), ..request });
    }
    // Who gave up waiting needs no answer.
    let _ = request.reply.send(answer);
    None
}

pub fn read(terminal: &Terminal, ended: bool, partial: bool, from: Option<u64>, last: Option<usize>) -> LinesReply {
    let first = terminal.transcript().first();
    // A cleared screen is written from its top again: what comes there is new, from its line's start on.
    let from = from.map(|from| if ended { from } else { from.min(terminal.printed_end().unwrap_or(from)) });
    let from = from.map(|from| terminal.line_start(from));
    let start = from.unwrap_or(first).max(first);
    let dropped = from.map_or(0, |from| first.saturating_sub(from));
    let mut lines = Vec::new();
    let (mut line, mut next) = (String::new(), start);
    for (row, text, wrapped) in terminal.printed_from(start, ended || partial) {
        line.push_str(&text);
        if !wrapped {
            lines.push(std::mem::take(&mut line));
            next = row + 1;
            if last.is_none() && lines.len() == MAX_LINES {
                return LinesReply { lines, next, dropped, ended: false };
            }
        }
    }
    if (ended || partial) && !line.is_empty() {
        lines.push(line);
    }
    if let Some(last) = last {
        lines.drain(..lines.len().saturating_sub(last));
    }
    LinesReply { lines, next, dropped, ended }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Size;

    #[test]
    fn lines_are_told_once_when_they_are_whole_wherever_they_stand() {
        let mut term = Terminal::new(Size { rows: 3, cols: 5 }, 100_000);
        let mut from = None;
        let mut told = Vec::new();
        for piece in
            ["on", "e\r\ntwo is wra", "pped\r\nthr", "ee\r\n", "\x1b[?1049hfull\r\nscreen\r\n", "\x1b[?1049lfo"]
        {
            term.feed(piece.as_bytes());
            let answer = read(&term, false, false, from, None);
            from = Some(answer.next);
            told.extend(answer.lines);
        }
        assert_eq!(told, ["one", "two is wrapped", "three"]);
        assert_eq!(read(&term, true, false, from, None).lines, ["fo"]);
        assert_eq!(read(&term, true, false, None, Some(2)).lines, ["three", "fo"]);
    }

    #[test]
    fn a_line_on_a_cleared_screen_is_told_from_its_start() {
        let mut term = Terminal::new(Size { rows: 5, cols: 5 }, 100_000);
        term.feed(b"1\r\n2\r\n3\r\n\x1b[H\x1b[Jabcdefg");
        let answer = read(&term, false, false, Some(3), None);
        assert_eq!((answer.lines.len(), answer.next), (0, 0));
        term.feed(b"\r\n");
        for from in [0, 1] {
            assert_eq!(read(&term, false, false, Some(from), None).lines, ["abcdefg"], "from {from}");
        }
    }

    #[test]
    fn what_is_no_longer_kept_is_counted() {
        let mut term = Terminal::new(Size { rows: 3, cols: 20 }, 2000);
        for n in 0..1000 {
            term.feed(format!("line {n}\r\n").as_bytes());
        }
        let answer = read(&term, false, false, Some(0), None);
        assert_eq!(answer.dropped, term.transcript().first());
        assert_eq!(answer.lines.last().map(String::as_str), Some("line 999"));
        assert_eq!(answer.lines.len() as u64 + answer.dropped, 1000);
    }
}
