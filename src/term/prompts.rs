//! The rows of shells' prompts (OSC 133).
//!
//! A mark is kept by the number that its row has, or will have, in the transcript: the transcript's end and the row
//! on the screen. So it stays right while its row scrolls off. Programs that move rows about on the screen lead it
//! astray; a shell does not, and what a resize does is followed line by line (see [`super::screen`]).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Prompts that are kept. A prompt takes a row, and so many rows of nothing but prompts nobody jumps through.
const MAX_PROMPTS: usize = 2000;

/// One prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Its first row, counted as the transcript does.
    pub row: u64,
    /// How the command that was given at it ended, once it has and its shell has told.
    pub exit: Option<i32>,
}

/// The prompts of a terminal, by row.
#[derive(Debug, Default)]
pub struct Prompts {
    marks: VecDeque<Prompt>,
}

impl Prompts {
    /// A prompt begins in this row.
    pub fn begin(&mut self, row: u64) {
        // One that is drawn again is the same one; one further up was wiped off the screen.
        self.forget_from(row);
        if self.marks.len() == MAX_PROMPTS {
            self.marks.pop_front();
        }
        self.marks.push_back(Prompt { row, exit: None });
    }

    /// The last prompt's command ended.
    pub fn end(&mut self, exit: Option<i32>) {
        if let Some(last) = self.marks.back_mut() {
            last.exit = exit;
        }
    }

    /// Rows before this one are gone.
    pub fn forget_before(&mut self, row: u64) {
        let gone = self.marks.partition_point(|mark| mark.row < row);
        self.marks.drain(..gone);
    }

    /// This row and those below it were wiped.
    pub fn forget_from(&mut self, row: u64) {
        self.marks.truncate(self.marks.partition_point(|mark| mark.row < row));
    }

    /// Rows from this one on are so many further down: rows went to the transcript from above them.
    pub fn shift_from(&mut self, row: u64, by: u64) {
        let from = self.marks.partition_point(|mark| mark.row < row);
        self.marks.range_mut(from..).for_each(|mark| mark.row += by);
    }

    /// Takes those from this row on away, to be put back where they are after a resize.
    pub fn take_from(&mut self, row: u64) -> Vec<Prompt> {
        self.marks.split_off(self.marks.partition_point(|mark| mark.row < row)).into()
    }

    /// Puts marks back, in order.
    pub fn put_back(&mut self, mark: Prompt) {
        if self.marks.back().is_none_or(|last| last.row < mark.row) {
            self.marks.push_back(mark);
        }
    }

    /// All of them, by row.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = Prompt> + '_ {
        self.marks.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(prompts: &Prompts) -> Vec<u64> {
        prompts.all().map(|mark| mark.row).collect()
    }

    #[test]
    fn marks_are_in_order_and_bounded() {
        let mut prompts = Prompts::default();
        for row in [1, 5, 5, 9] {
            prompts.begin(row);
        }
        prompts.end(Some(3));
        assert_eq!(prompts.all().last(), Some(Prompt { row: 9, exit: Some(3) }));
        assert_eq!(rows(&prompts), [1, 5, 9]);
        prompts.begin(4);
        assert_eq!(rows(&prompts), [1, 4]);
        prompts.shift_from(4, 10);
        prompts.forget_before(2);
        assert_eq!(rows(&prompts), [14]);
        for row in 15..20_000 {
            prompts.begin(row);
        }
        assert_eq!(rows(&prompts).len(), MAX_PROMPTS);
    }
}
