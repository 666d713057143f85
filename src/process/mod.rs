//! What the kernel says about processes: who descends from whom, what a tree uses, names of signals.

mod signals;
mod tree;

pub use signals::{signal_name, signal_number};
pub use tree::{Proc, cwd, descendants, end_strays, usage};
