//! Tab stops, followed beside the emulator, which moves by them and does not tell them.

/// How far tab stops are from each other at the start.
const WIDTH: usize = 8;

/// Whether each column of the screen has a tab stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tabs(Vec<bool>);

impl Tabs {
    pub fn new(columns: usize) -> Self {
        let mut tabs = Self(Vec::new());
        tabs.resize(columns);
        tabs
    }

    /// Columns that come anew have the stops they would have had at the start.
    pub fn resize(&mut self, columns: usize) {
        let mut column = self.0.len();
        self.0.resize_with(columns, || {
            column += 1;
            (column - 1).is_multiple_of(WIDTH)
        });
    }

    pub fn set(&mut self, column: usize, stops: bool) {
        if let Some(at) = self.0.get_mut(column) {
            *at = stops;
        }
    }

    pub fn clear(&mut self) {
        self.0.fill(false);
    }

    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        (0..).zip(&self.0).filter_map(|(column, stops)| stops.then_some(column))
    }
}
