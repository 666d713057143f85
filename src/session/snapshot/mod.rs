//! Saved state: what a supervisor and its runs hand to the process that takes their place, and what a reboot leaves.

pub mod outline;
pub mod state;
pub mod time;
