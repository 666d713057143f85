//! What a run starts and keeps within bounds: its command line, its input, its limits, and how it is killed.

pub mod cgroup;
pub mod command;
pub mod flood;
pub mod input;
pub mod kill;
pub mod limits;
pub mod memory;
pub mod processor_time;
pub mod proportional;
