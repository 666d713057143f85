//! The command line as shells and scripts know it: the real binary, a daemon in a home of its own, exit codes and
//! output, and `termi attach` in a real terminal.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "what supports the tests is shared with other test binaries")]
#[path = "../support/tmux.rs"]
mod tmux;

mod agents;
mod attach;
mod completion;
mod home;
mod hooks;
mod inside;
mod list;
mod records;
mod replaced;
mod running;
mod scripts;
mod talk;
