//! The part of a terminal's screen that a client of another size shows: as much as fits, the cursor's row within it;
//! the rest of a larger one stays blank. Nothing scrolls there, so its own scrollback waits until the sizes agree.

use crate::{
    protocol::{CursorInfo, Size, SpanLine},
    term::{Terminal, columns},
};

/// The first row of the terminal's screen that is shown.
pub(super) fn first_row(terminal: &Terminal, window: Size) -> u16 {
    (terminal.cursor().row + 1).saturating_sub(window.rows)
}

/// The rows to show, as many as the client or the terminal has.
pub(super) fn rows(terminal: &Terminal, window: Size) -> impl Iterator<Item = SpanLine> + '_ {
    let shown = terminal.rows().skip(first_row(terminal, window).into()).take(window.rows.into());
    shown.map(move |row| cropped(row, window.cols.into()))
}

/// The cursor among them.
pub(super) fn cursor(terminal: &Terminal, window: Size) -> CursorInfo {
    let cursor = terminal.cursor();
    let row = cursor.row - first_row(terminal, window);
    CursorInfo { row, col: cursor.col.min(window.cols.saturating_sub(1)), ..cursor }
}

/// The line's characters that fit into so many columns.
fn cropped(mut line: SpanLine, cols: usize) -> SpanLine {
    let mut col = 0;
    let end = line.text.char_indices().find_map(|(at, c)| {
        col += columns(c);
        (col > cols).then_some(at)
    });
    if let Some(end) = end {
        line.text.truncate(end);
        line.spans.retain_mut(|span| {
            span.end = span.end.min(end);
            span.start < end
        });
    }
    line
}

#[cfg(test)]
mod tests {
    use crate::{
        protocol::{Format, FrameBody, Size},
        term::{Terminal, columns},
        view::View,
    };

    fn shown(client: &Terminal) -> Vec<String> {
        client.rows().map(|row| row.text.trim_end().to_owned()).collect()
    }

    /// Frames for a client of another size, whatever it is, never scroll, wrap or leave anything behind there.
    #[test]
    fn a_client_of_another_size_shows_what_fits_and_all_again_when_the_sizes_agree() {
        let at = |rows, cols| Size { rows, cols };
        for window in [at(3, 8), at(3, 40), at(12, 8), at(12, 40), at(1, 2)] {
            let mut host = Terminal::new(at(6, 20), 500_000);
            let mut client = Terminal::new(window, 500_000);
            let mut view = View::new(Format::Ansi, &host);
            view.fit(Some(window));
            view.start_over(&host);
            let catch_up = |view: &mut View, host: &Terminal, client: &mut Terminal| loop {
                let Some(frame) = view.next_frame(host) else { return };
                let FrameBody::Ansi { data } = &frame.body else { panic!("not ansi") };
                client.feed(data.as_bytes());
                if frame.is_current {
                    return;
                }
            };
            for n in 0..30 {
                host.feed(format!("\x1b[3{}m{n:2}\u{4f60}\u{597d} abcdefghijklmno\x1b[m\r\n", n % 8).as_bytes());
                catch_up(&mut view, &host, &mut client);
                let first = usize::from((host.cursor().row + 1).saturating_sub(window.rows));
                let cut = |text: &str| {
                    let mut col = 0;
                    let fits = |c: &char| {
                        col += columns(*c);
                        col <= usize::from(window.cols)
                    };
                    text.chars().take_while(fits).collect::<String>().trim_end().to_owned()
                };
                let mut wanted: Vec<String> = host.rows().skip(first).map(|row| cut(&row.text)).collect();
                wanted.resize(usize::from(window.rows), String::new());
                assert_eq!(shown(&client), wanted, "{window:?} after line {n}");
                assert_eq!(client.transcript().end(), 0, "nothing scrolled");
            }
            // It becomes the one that the size is for.
            host.resize(window);
            view.fit(Some(window));
            view.start_over(&host);
            catch_up(&mut view, &host, &mut client);
            assert_eq!(client.rows().collect::<Vec<_>>(), host.rows().collect::<Vec<_>>());
            let (of_client, of_host) = (client.transcript(), host.transcript());
            // Rows of the old width wrap on the client, each by itself.
            let rows = |transcript: &crate::term::Transcript| {
                transcript.rows_from(0).map(|row| row.line.text.clone()).collect::<String>()
            };
            assert_eq!(rows(of_client), rows(of_host), "its scrollback is whole again");
        }
    }
}
