//! The daemon as its clients know it: the real binary, joined over its socket and through `termi host --persist`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod access_model;
mod inside;
mod life;
mod many;
mod place;
mod replace;
mod replace_meanwhile;
mod restore;
mod sharing;
mod skew;
mod soak;
mod strangers;
mod wiped;
