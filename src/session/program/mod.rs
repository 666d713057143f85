//! What a run starts and keeps within bounds: its command line, its input, its limits, and how it is killed.

pub mod agent_rules;
pub mod cgroup;
pub mod claude;
pub mod command;
pub mod heap_trim;
pub mod input;
pub mod kill;
pub mod limits;
pub mod output_gate;
pub mod processor_time;
pub mod proportional;
