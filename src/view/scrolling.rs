//! Finds rows that have moved within a screen, as when a full-screen program scrolls a part of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::protocol::SpanLine;

/// Rows `top` to `bottom` (one past the last) moved by `by` rows, up or down; blank ones came in behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scroll {
    pub top: usize,
    pub bottom: usize,
    pub by: usize,
    pub up: bool,
}

impl Scroll {
    /// The rows as they are after it; none is a blank one.
    pub fn apply<'a>(&self, has: &'a [SpanLine]) -> Vec<Option<&'a SpanLine>> {
        let mut rows: Vec<_> = has.iter().map(Some).collect();
        let part = &mut rows[self.top..self.bottom];
        if self.up {
            part.rotate_left(self.by);
            let kept = part.len() - self.by;
            part[kept..].fill(None);
        } else {
            part.rotate_right(self.by);
            part[..self.by].fill(None);
        }
        rows
    }
}

/// Less text than this is sooner written again than moved: the sequences of a scroll take about as much.
const MIN_GAIN: usize = 24;

/// The scroll that brings the most text to where it is to be, if one is worth it.
///
/// `first_row_may_leave`: whether the first row may move up off the screen. Where it enters a scrollback, it must not.
pub fn find(has: &[SpanLine], target: &[&SpanLine], first_row_may_leave: bool) -> Option<Scroll> {
    let differs = |row: &usize| !std::ptr::eq(&has[*row], target[*row]) && has[*row] != *target[*row];
    let first = (0..has.len()).find(differs)?;
    let end = (first..has.len()).rev().find(differs)? + 1;
    let height = end - first;
    // Of few rows none can have moved far enough to matter.
    if height < 3 {
        return None;
    }
    let old: Vec<u64> = has[first..end].iter().map(fingerprint).collect();
    let new: Vec<u64> = target[first..end].iter().map(|line| fingerprint(line)).collect();
    let gain = |row: usize| has[first + row].text.len() + 4;
    let mut best: Option<(usize, Scroll)> = None;
    for by in 1..height {
        for up in [true, false] {
            let keep_first = up && first == 0 && !first_row_may_leave;
            // Row `to` of the new came from row `from` of the old.
            let moved = |n: usize| if up { (n, n + by) } else { (n + by, n) };
            let (mut gained, mut begins, mut ends) = (0, None, 0);
            for n in usize::from(keep_first)..height - by {
                let (to, from) = moved(n);
                if new[to] != 0 && new[to] == old[from] && old[to] != new[to] {
                    gained += gain(from);
                    begins = begins.or(Some(n));
                    ends = n + 1;
                }
            }
            if let Some(begins) = begins
                && gained > best.as_ref().map_or(MIN_GAIN, |(most, _)| *most)
            {
                best = Some((gained, Scroll { top: first + begins, bottom: first + ends + by, by, up }));
            }
        }
    }
    best.map(|(_, scroll)| scroll)
}

/// A number that rows with the same text share; 0 for blank ones, which are not worth moving.
fn fingerprint(line: &SpanLine) -> u64 {
    if line.text.bytes().all(|byte| byte == b' ') {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    line.text.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&str]) -> Vec<SpanLine> {
        let line = |text: &&str| SpanLine { text: format!("{text} and what follows"), spans: Vec::new() };
        texts.iter().map(line).collect()
    }

    fn found(has: &[&str], target: &[&str], first_row_may_leave: bool) -> Option<Scroll> {
        let (has, target) = (rows(has), rows(target));
        find(&has, &target.iter().collect::<Vec<_>>(), first_row_may_leave)
    }

    #[test]
    fn a_part_that_moved_is_found_with_its_borders() {
        let up = found(&["bar", "1", "2", "3", "4", "end"], &["bar", "2", "3", "4", "5", "end"], false);
        assert_eq!(up, Some(Scroll { top: 1, bottom: 5, by: 1, up: true }));
        let down = found(&["bar", "3", "4", "5", "6", "end"], &["bar", "1", "2", "3", "4", "end"], false);
        assert_eq!(down, Some(Scroll { top: 1, bottom: 5, by: 2, up: false }));
        assert_eq!(found(&["a", "b", "c", "d"], &["e", "f", "g", "h"], true), None);
        assert_eq!(found(&["a", "b", "c", "d"], &["a", "b", "c", "d"], true), None);
    }

    #[test]
    fn the_first_row_moves_up_only_where_it_may() {
        let (has, target) = (["1", "2", "3", "4"], ["2", "3", "4", "5"]);
        assert_eq!(found(&has, &target, true), Some(Scroll { top: 0, bottom: 4, by: 1, up: true }));
        assert_eq!(found(&has, &target, false), Some(Scroll { top: 1, bottom: 4, by: 1, up: true }));
    }
}
