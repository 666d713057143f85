//! Coding agents: what state one is in, as its reports, its title and its screen say. Pure: no I/O and no clock.
//!
//! [`Rules`] are data, [`Agent`] weighs what each source says. Nothing is ever typed because of a state.

mod belief;
mod hook_setup;
mod hooks;
mod rules;
#[cfg(test)]
mod screens;
#[cfg(test)]
mod tests;

pub use belief::{Agent, Evidence, Explained, Now, Report, SavedAgent};
pub use hook_setup::{HookSetup, claude_settings, hook_setup, set_up_agents};
pub use hooks::{hook_report, hooked_agents};
pub use rules::{FILE_MAX, Match, Rules, RulesError};
