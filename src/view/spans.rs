//! Frames as text with style runs.

use super::Part;
use crate::{
    protocol::{FrameBody, SpanLine},
    term::Terminal,
};

pub(super) fn frame(terminal: &Terminal, part: &Part) -> FrameBody {
    let transcript = terminal.transcript();
    let mut rows = transcript.rows_from(part.start).map(|row| row.line);
    let scrolled = rows.by_ref().take(part.len()).collect();
    let lines: Vec<SpanLine> = if part.current {
        terminal.rows().collect()
    } else {
        rows.chain(terminal.rows()).take(usize::from(terminal.size().rows)).collect()
    };
    FrameBody::Spans {
        scrolled,
        skipped: part.skipped,
        lines,
        cursor: terminal.cursor(),
        title: terminal.title().to_owned(),
    }
}
