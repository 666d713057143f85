//! What the kernel says about processes: who descends from whom, what a tree uses, names of signals.

mod environment;
mod leftovers;
mod own;
mod program_names;
mod signals;
mod strays;
mod tree;

pub use leftovers::{end_escaped, end_leftovers};
pub use own::{handed_down, non_blocking, own_executable};
pub use program_names::{ProgramNames, program_names, script_names};
pub use signals::{signal_name, signal_number};
pub use strays::{Orphaned, end_all, end_tree, note_inherited};
pub use tree::{Proc, Usage, count, cwd, descendants, proportional_memory, ticks_a_second, tree, usage, usage_of};

/// The size of a page of memory, in bytes.
#[must_use]
pub fn page_bytes() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}
