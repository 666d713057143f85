//! The model of access against the real daemon; `make fuzz` runs it against a host in the fuzzer's own process.

use std::os::unix::net::UnixStream;

use serde_json::json;

use crate::{
    inside::stream_inside,
    support::{Daemon, Home},
};

#[path = "../../fuzz/model/access.rs"]
mod model;

/// Bytes that look random and are the same each time.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(byte).take(count).collect()
}

#[test]
fn a_program_sees_and_changes_what_the_policy_says_whatever_it_calls() {
    let cases = std::env::var("TERMI_TEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(24);
    for seed in 1..=cases {
        let home = Home::new();
        let daemon = Daemon::start(&home);
        let host = home.host().persist().start();
        let connect = |own: &str| stream_inside(&host, json!({"session": own})).1;
        eprintln!("seed {seed}");
        model::Model::new(UnixStream::connect(daemon.socket()).unwrap(), connect).run(&bytes(seed, 400));
    }
}
