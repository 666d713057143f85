//! Whatever a client sends, in whatever pieces: the guard of its connection passes on whole messages of msgpack-RPC
//! or refuses to read on; the same ones however the bytes are cut.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use rmpv::Value;
use termi::rpc::{in_flight::InFlight, msgpack::GuardedReader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What comes through, and why it ended.
fn through(reader: impl AsyncRead + Unpin) -> (Vec<u8>, Result<usize, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut out = Vec::new();
    let in_flight = InFlight::default();
    let taker = in_flight.clone();
    // The end of a stream is told when every message has been taken up.
    runtime.spawn(async move {
        loop {
            drop(taker.dequeue());
            tokio::task::yield_now().await;
        }
    });
    let result = runtime.block_on(GuardedReader::new(reader, in_flight).read_to_end(&mut out));
    (out, result.map_err(|error: io::Error| error.to_string()))
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let (out, end) = through(bytes);
    let (start, rest) = bytes.split_at(usize::from(cut).min(bytes.len()));
    assert_eq!((&out, &end), (&through(start.chain(rest)).0, &through(start.chain(rest)).1), "cut at {cut}");
    let mut left = out.as_slice();
    while !left.is_empty() {
        let message = rmpv::decode::read_value(&mut left).expect("what comes through is msgpack");
        let Value::Array(parts) = message else { panic!("not a message: {message}") };
        let kind = parts.first().and_then(Value::as_u64);
        assert!(matches!((kind, parts.len()), (Some(0 | 1), 4) | (Some(2), 3)), "not a message of RPC: {parts:?}");
        // An answer to what was never asked would end the connection.
        assert_ne!(kind, Some(1), "nothing was asked");
    }
});
