//! A terminal's text as numbered rows, and which of them are one line: for everything that reads lines.

use std::borrow::Cow;

use super::Terminal;

impl Terminal {
    /// The last line with text on it, or the end of one that is long.
    #[must_use]
    pub fn last_line(&self) -> String {
        const MAX_LINE_BYTES: usize = 4096;
        let (first, end, screen) = (self.transcript().first(), self.transcript().end(), self.size().rows);
        // What a full-screen program draws is not the rest of what was printed.
        let begins = |row: u64| !self.goes_on(row - 1) || self.modes().alternate_screen && row == end;
        let mut rows = (first..end + u64::from(screen)).rev();
        let Some(mut row) = rows.find(|row| !self.text(*row).trim().is_empty()) else { return String::new() };
        let mut line = self.text(row).into_owned();
        while row > first && !begins(row) && line.len() < MAX_LINE_BYTES {
            row -= 1;
            line.insert_str(0, &self.text(row));
        }
        line.trim().to_owned()
    }

    /// The last rows of the screen that have text on them, at most so many, from the top.
    #[must_use]
    pub fn bottom_lines(&self, most: usize) -> Vec<String> {
        let rows = (0..u64::from(self.size().rows)).rev();
        let texts = rows.filter_map(|row| self.flushed().text(row)).map(|(text, _)| text.trim_end().to_owned());
        let mut lines: Vec<String> = texts.filter(|text| !text.is_empty()).take(most).collect();
        lines.reverse();
        lines
    }

    /// A row of the transcript or the screen as text; an empty one where there is no such row.
    fn text(&self, number: u64) -> Cow<'_, str> {
        match number.checked_sub(self.transcript().end()) {
            None => self.transcript().texts_from(number).next().map_or("", |(text, _)| text).into(),
            Some(row) => self.flushed().text(row).map(|(text, _)| text).unwrap_or_default().into(),
        }
    }

    /// What was printed, as numbered rows of text from `from` on, each with whether its line goes on in the next row:
    /// the transcript, then the screen as far as the cursor has left it, or all of it at the end. What a full-screen
    /// program draws is not among them.
    pub fn printed_from(&self, from: u64, at_end: bool) -> impl Iterator<Item = (u64, Cow<'_, str>, bool)> + '_ {
        let screen = match (self.modes().alternate_screen, at_end) {
            (true, _) => Vec::new(),
            (false, false) => self.flushed().texts().take(self.cursor().row.into()).collect(),
            (false, true) => self.texts_down_to(0),
        };
        self.rows_from(from, screen)
    }

    /// All text there is, as [`Self::printed_from`] numbers and joins its rows: what it gives now and at the end, and what
    /// a full-screen program draws. The transcript's last line does not go on in that.
    pub fn shown_from(&self, from: u64) -> impl Iterator<Item = (u64, Cow<'_, str>, bool)> + '_ {
        let hides = self.modes().alternate_screen;
        let screen = self.texts_down_to(if hides { 0 } else { self.cursor().row.into() });
        let end = self.transcript().end();
        let goes_on = move |row: u64, wrapped: bool| wrapped && !(hides && row + 1 == end);
        self.rows_from(from, screen).map(move |(row, text, wrapped)| (row, text, goes_on(row, wrapped)))
    }

    /// The screen's rows to the last with text, and at least so many.
    fn texts_down_to(&self, least: usize) -> Vec<(String, bool)> {
        let mut rows: Vec<_> = self.flushed().texts().collect();
        let used = rows.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1);
        rows.truncate(used.max(least));
        rows
    }

    fn rows_from(
        &self,
        from: u64,
        screen: Vec<(String, bool)>,
    ) -> impl Iterator<Item = (u64, Cow<'_, str>, bool)> + '_ {
        let transcript = self.transcript();
        let first = from.max(transcript.first());
        let skip = usize::try_from(first.saturating_sub(transcript.end())).unwrap_or(usize::MAX);
        let kept = transcript.texts_from(first).map(|(text, wrapped)| (text.into(), wrapped));
        let screen = screen.into_iter().skip(skip).map(|(text, wrapped)| (text.into(), wrapped));
        (first..).zip(kept.chain(screen)).map(|(number, (text, wrapped))| (number, text, wrapped))
    }

    /// Whether a row's line goes on in the next, on the screen or in the transcript.
    #[must_use]
    pub fn goes_on(&self, number: u64) -> bool {
        self.flushed().goes_on(number)
    }

    /// The row with which the line begins that a row belongs to.
    #[must_use]
    pub fn line_start(&self, number: u64) -> u64 {
        let before = (self.transcript().first()..number).rev();
        before.take_while(|row| self.goes_on(*row)).last().unwrap_or(number)
    }

    /// The number that the row after the last printed one has; none while a full-screen program hides them.
    #[must_use]
    pub fn printed_end(&self) -> Option<u64> {
        let cursor = u64::from(self.cursor().row);
        (!self.modes().alternate_screen).then(|| self.transcript().end() + cursor)
    }
}
