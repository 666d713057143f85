//! The host as its clients know it: the real binary, real programs on real PTYs, the real protocol over pipes.
//!
//! Each module is about one promise, or about one way in which programs, clients or the system misbehave.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/mod.rs"]
mod support;

mod agents;
mod agents_at_once;
mod clock;
mod crowd;
mod disk;
mod endings;
mod example;
mod features;
mod frames;
mod groups;
mod handshake;
mod health;
mod heard;
mod history;
mod holding;
mod hooks;
mod json;
mod json_rpc;
mod json_wire;
mod keeping;
mod killing;
mod leaving;
mod life;
mod limits;
mod living_on;
mod memory;
mod monitoring;
mod orphans;
mod patterns;
mod privacy;
mod refused;
mod restarting;
mod sizes;
mod slow;
mod snapshots;
mod start;
mod targets;
mod templates;
mod typing;
mod views;
mod wire;
