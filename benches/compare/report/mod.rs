//! What was measured, as it is kept in `results.json`, and how it is shown. The test of the README uses this too.

mod render;

pub use render::{table, with_section};
use serde::{Deserialize, Serialize};

/// One run of the benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    /// How long all of it took.
    pub took_s: u64,
    /// With little data and few pairs, to see that it works: no figures to keep.
    pub quick: bool,
    /// Only these subjects were measured; empty: all.
    pub only: Vec<String>,
    pub rows: Vec<Row>,
}

/// Where it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub neovim: String,
    pub tmux: String,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub subject: String,
    pub what: String,
    /// Termi's own figure; none when it could not be measured.
    pub value: Option<f64>,
    pub unit: String,
    pub against: Option<Against>,
    pub target: Option<Target>,
    /// Pairs, or single measurements where there is nothing to pair with.
    pub runs: usize,
    /// Why there is no figure.
    pub failure: Option<String>,
}

/// The other side of the pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Against {
    pub name: String,
    pub value: f64,
    /// Of each pair's ratio: the median, the least and the most.
    pub ratio: f64,
    pub least: f64,
    pub most: f64,
}

/// What the figure is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    ValueBelow(f64),
}

impl Row {
    /// Whether the target is met; none where there is no target.
    pub fn is_met(&self) -> Option<bool> {
        let ratio = self.against.as_ref().map(|against| against.ratio);
        Some(match self.target? {
            Target::RatioAtLeast(least) => ratio.is_some_and(|ratio| ratio >= least),
            Target::RatioAtMost(most) => ratio.is_some_and(|ratio| ratio <= most),
            Target::ValueBelow(most) => self.value.is_some_and(|value| value < most),
        })
    }
}
