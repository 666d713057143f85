//! The guards of a connection's two directions.

use std::{io, time::Duration};

use rmpv::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{GuardedReader, GuardedWriter, Refusal};
use crate::rpc::in_flight::InFlight;

fn pack(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

fn request(params: Value) -> Vec<u8> {
    request_of("kill", params)
}

fn request_of(method: &str, params: Value) -> Vec<u8> {
    pack(&Value::Array(vec![0.into(), 7.into(), method.into(), params]))
}

/// What comes through of a stream whose messages are all taken up.
async fn taken(bytes: &[u8], in_flight: InFlight) -> (Vec<u8>, io::Result<usize>) {
    let taker = in_flight.clone();
    let dequeue = tokio::spawn(async move {
        loop {
            drop(taker.dequeue());
            tokio::task::yield_now().await;
        }
    });
    let outcome = through(bytes, in_flight).await;
    dequeue.abort();
    outcome
}

async fn through(bytes: &[u8], in_flight: InFlight) -> (Vec<u8>, io::Result<usize>) {
    let mut out = Vec::new();
    let result = GuardedReader::new(bytes, in_flight).read_to_end(&mut out).await;
    (out, result)
}

#[tokio::test]
async fn a_claim_of_four_gigabytes_is_refused_before_it_comes() {
    for header in [
        &[0xc6, 0xff, 0xff, 0xff, 0xff][..],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0x80, 0, 0, 0],
    ] {
        let (_, result) = through(header, InFlight::default()).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains("the limit is 16777216"), "{error}");
    }
}

#[tokio::test]
async fn nesting_and_truncation_are_refused_with_the_reason() {
    let (_, deep) = through(&vec![0x91; 200_000], InFlight::default()).await;
    assert_eq!(deep.unwrap_err().to_string(), Refusal::TooDeep.to_string());
    let whole = request(Value::Array(vec!["abc".into()]));
    let (_, cut) = through(&whole[..whole.len() - 1], InFlight::default()).await;
    assert!(cut.unwrap_err().to_string().contains("ended"));
    let (_, not) = through(&[0xc1], InFlight::default()).await;
    assert_eq!(not.unwrap_err().to_string(), Refusal::NotMsgpack.to_string());
}

#[tokio::test]
async fn what_is_no_message_is_dropped_and_the_next_one_read() {
    let good = request(Value::Array(vec![]));
    let mut bytes = Vec::new();
    for junk in [
        pack(&5.into()),
        pack(&Value::Array(vec![])),
        pack(&Value::Array(vec![9.into(), 1.into(), "x".into(), Value::Array(vec![])])),
        pack(&Value::Array(vec![0.into(), "id".into(), "x".into(), Value::Array(vec![])])),
        pack(&Value::Array(vec![0.into(), 1.into(), 2.into(), Value::Array(vec![])])),
        pack(&Value::Array(vec![1.into(), 99.into(), Value::Nil, Value::Nil])),
        pack(&Value::Map(vec![(1.into(), 2.into())])),
    ] {
        bytes.extend(junk);
    }
    bytes.extend(&good);
    let (out, result) = taken(&bytes, InFlight::default()).await;
    assert!(result.is_ok());
    assert_eq!(out, good);
}

#[tokio::test]
async fn parameters_without_an_array_are_put_into_one() {
    let map = Value::Map(vec![("a".into(), 1.into())]);
    let (out, _) = taken(&request(map.clone()), InFlight::default()).await;
    assert_eq!(out, request(Value::Array(vec![map])));
}

#[tokio::test]
async fn parameters_come_behind_the_number_of_an_answer_that_is_waited_for() {
    let map = Value::Map(vec![("a".into(), 1.into())]);
    for params in [Value::Array(vec![map.clone()]), map] {
        let in_flight = InFlight::default();
        let _first = in_flight.open_reply();
        let (out, _) = taken(&request_of("run", params.clone()), in_flight).await;
        let out = rmpv::decode::read_value(&mut &out[..]).unwrap();
        let numbered = Value::Array(vec![1.into(), params]);
        assert_eq!(out, Value::Array(vec![0.into(), 7.into(), "run".into(), numbered]));
    }
}

/// The library throws away what it has read and not yet handed on when the stream ends: keys that were typed just
/// before a client left.
#[tokio::test]
async fn the_end_is_passed_on_only_when_all_before_it_was_taken_up() {
    let in_flight = InFlight::default();
    let typed = pack(&Value::Array(vec![2.into(), "input".into(), Value::Array(vec![])]));
    let stream = [typed.clone(), request(Value::Array(vec![]))].concat();
    let reading = tokio::spawn({
        let (stream, in_flight) = (stream.clone(), in_flight.clone());
        async move { through(&stream, in_flight).await }
    });
    for _ in 0..2 {
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        drop(in_flight.dequeue());
    }
    assert_eq!(reading.await.unwrap().0, stream);
}

/// The library takes whatever it is given, and keeps it until it is carried out.
#[tokio::test]
async fn a_client_that_sends_faster_than_it_is_served_is_read_no_faster() {
    for (count, size) in [(1000, 1), (20, 300 << 10)] {
        let in_flight = InFlight::default();
        let one = pack(&Value::Array(vec![2.into(), "input".into(), Value::Array(vec!["x".repeat(size).into()])]));
        let stream = one.repeat(count);
        let mut reader = GuardedReader::new(&stream[..], in_flight.clone());
        let mut out = vec![0; stream.len()];
        let mut read = 0;
        while let Ok(more) = timeout(Duration::ZERO, reader.read(&mut out[read..])).await {
            read += more.unwrap();
        }
        assert!((1..=256).contains(&(read / one.len())) && read <= (1 << 20) + one.len(), "{read} bytes came");
        for _ in 0..count {
            drop(in_flight.dequeue());
            while let Ok(Ok(more @ 1..)) = timeout(Duration::ZERO, reader.read(&mut out[read..])).await {
                read += more;
            }
        }
        assert_eq!((read, out), (stream.len(), stream));
    }
}

#[tokio::test]
async fn an_answer_passes_once_and_only_to_a_request_that_went_out() {
    let in_flight = InFlight::default();
    let mut writer = GuardedWriter::new(Vec::new(), in_flight.clone());
    for id in [3_u64, 300, 70_000, 5_000_000_000] {
        let out =
            pack(&Value::Array(vec![0.into(), id.into(), "frame".into(), Value::Array(vec!["x".repeat(50).into()])]));
        for byte in out {
            writer.write_all(&[byte]).await.unwrap();
        }
    }
    let answer = |id: u64| pack(&Value::Array(vec![1.into(), id.into(), Value::Nil, true.into()]));
    let stream = [answer(70_000), answer(70_000), answer(4), answer(3), answer(5_000_000_000), answer(300)].concat();
    let (out, _) = taken(&stream, in_flight).await;
    assert_eq!(out, [answer(70_000), answer(3), answer(5_000_000_000), answer(300)].concat());
}
