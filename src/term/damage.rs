//! Damage tracking: when each row of the screen last changed, so that a view reads only the rows that did.

use alacritty_terminal::{
    event::EventListener,
    grid::Dimensions,
    term::{Term, TermDamage},
};

/// Changes are counted from 1: before the first there was nothing.
pub struct Damage {
    now: u64,
    rows: Vec<u64>,
}

impl Damage {
    pub fn new() -> Self {
        Self { now: 1, rows: Vec::new() }
    }

    /// Takes note of what the emulator has changed since this was called last.
    pub fn note<T: EventListener>(&mut self, term: &mut Term<T>) {
        self.now += 1;
        let now = self.now;
        if self.rows.len() == term.screen_lines()
            && let TermDamage::Partial(lines) = term.damage()
        {
            for line in lines {
                self.rows[line.line] = now;
            }
        } else {
            self.rows.clear();
            self.rows.resize(term.screen_lines(), now);
        }
        term.reset_damage();
    }

    /// Everything has changed, as will be noted next.
    pub fn all(&mut self) {
        self.rows.clear();
    }

    /// The number of the newest change.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Rows that have changed after the change of that number.
    pub fn rows_since(&self, seen: u64) -> impl Iterator<Item = usize> {
        self.rows.iter().enumerate().filter(move |(_, changed)| **changed > seen).map(|(row, _)| row)
    }
}
