//! A client that speaks JSON-RPC badly: it is answered, ignored or, where nothing can be made of it, cut off;
//! sessions live, other views do not notice, and the host's memory does not grow.

use std::{io::Write, os::unix::net::UnixStream, process::Stdio};

use rmpv::Value;
use serde_json::json;

use crate::support::{Home, Host, Run, Speech, eventually, json_rpc::framed, proc};

const READER: &str = "while read line; do echo \"got $line\"; done";

fn with_reader() -> (Host, Run) {
    let host = Home::new().host().json().start();
    let run = host.run_seen(READER);
    (host, run)
}

/// The connection works in both directions, and so does the session that was there before.
fn assert_works(host: &Host, run: &Run, word: &str) {
    host.input(&run.run_id, format!("{word}\r"));
    host.wait_screen(&run.run_id, word, |screen| screen.contains(&format!("got {word}")));
    assert_eq!(host.info(run)["status"], "active");
}

#[test]
fn content_that_is_no_message_is_answered_and_the_next_one_read() {
    let (host, run) = with_reader();
    let deep = "[".repeat(200_000);
    let deep_params =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"kill\",\"params\":{}", "{\"a\":".repeat(100));
    let many = format!("[{}1]", "1,".repeat(2000));
    let bad: [&[u8]; 16] = [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}",
        b"5",
        b"null",
        b"[]",
        b"{}",
        br#"{"jsonrpc":"2.0"}"#,
        br#"{"jsonrpc":"1.1","method":"sessions","id":1}"#,
        br#"{"jsonrpc":"2.0","method":["sessions"]}"#,
        br#"{"jsonrpc":"2.0","method":"sessions","id":{}}"#,
        deep.as_bytes(),
        deep_params.as_bytes(),
        many.as_bytes(),
    ];
    for (count, content) in bad.iter().enumerate() {
        host.send_bytes(&framed(content));
        let count = count + 1;
        host.wait_for(&format!("a refusal of {:.60}", String::from_utf8_lossy(content)), |state| {
            (state.refusals.len() + usize::from(state.answer(1).is_some()) >= count).then_some(())
        });
    }
    for content in [
        // Answers that nobody asked for, and notifications: nothing is said to them.
        r#"{"jsonrpc":"2.0","id":1,"result":true}"#,
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"result":true}"#,
        r#"{"jsonrpc":"2.0","method":"nothing"}"#,
        r#"{"jsonrpc":"2.0","method":"kill","params":5}"#,
        r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#,
    ] {
        host.send_bytes(&framed(content));
    }
    let before = host.state().refusals.len();
    assert_works(&host, &run, "after junk");
    assert_eq!(host.state().refusals.len(), before);
    // It is written by a thread of its own.
    eventually("the log says so", || {
        let log = host.home().log();
        log.contains("refused") && log.contains("ignored")
    });
}

/// What ends a connection, and a word of the reason that log and standard error give.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("no header at all", b"sessions\r\n\r\n".to_vec(), "is not a header"),
        ("no length", b"Content-Type: x\r\n\r\n{}".to_vec(), "no Content-Length"),
        ("a length that is no number", b"Content-Length: many\r\n\r\n{}".to_vec(), "many"),
        ("4 GiB claimed", b"Content-Length: 4294967296\r\n\r\n{".to_vec(), "the limit is 16777216"),
        ("a little too much", format!("Content-Length: {}\r\n\r\n", (16 << 20) + 1).into_bytes(), "the limit"),
        ("a header without end", vec![b'x'; 100_000], "longer than 4096"),
        ("headers without end", b"A: b\r\n".repeat(10_000), "longer than 4096"),
    ]
}

#[test]
fn what_cannot_be_read_ends_the_host_with_a_reason_and_all_programs() {
    for (what, bytes, word) in unreadable() {
        let home = Home::new();
        let mut host = home.host().json().start();
        let run = host.run_line("trap '' HUP; echo ready; exec sleep 1000");
        host.wait_pattern(&run, "ready");
        host.send_bytes(&bytes);
        let status = host.wait_end();
        assert!(!status.success(), "{what}");
        assert!(proc::gone(run.pid), "{what}: its programs are gone");
        eventually("the reason is on standard error", || host.stderr().contains(word));
        assert!(home.log().contains(word), "{what}: {}", home.log());
        assert!(
            host.state().refusals.iter().any(|refusal| refusal.message.contains(word)),
            "{what}: the client is told"
        );
        assert!(!host.stderr().contains("panicked"), "{what}: {}", host.stderr());
    }
}

#[test]
fn a_client_that_closes_in_mid_frame_ends_the_host_with_a_reason() {
    for (bytes, word) in
        [(&b"Content-Le"[..], "10 bytes into"), (b"Content-Length: 100\r\n\r\n{\"json", "29 bytes into")]
    {
        let home = Home::new();
        let mut host = home.host().json().start();
        let run = host.run_line("exec sleep 1000");
        host.send_bytes(bytes);
        host.close();
        host.wait_end();
        eventually("the reason", || host.stderr().contains(word));
        assert!(home.log().contains(word));
        assert!(proc::gone(run.pid));
    }
}

#[test]
fn over_the_socket_bad_bytes_close_that_one_connection() {
    let (host, run) = with_reader();
    for (_, bytes, word) in unreadable() {
        // What begins like neither is taken for msgpack.
        if !bytes[0].is_ascii_alphabetic() {
            continue;
        }
        let guest = host.connect_speaking(Speech::Json);
        guest.initialize();
        guest.send_bytes(&bytes);
        guest.wait_closed();
        eventually("the log says why", || host.home().log().contains(word));
    }
    let guest = host.connect_speaking(Speech::Json);
    guest.initialize();
    guest.ask("attach", json!({"run_id": run.run_id, "format": "spans"}));
    guest.send_bytes(b"Content-Length: 100\r\n\r\n{");
    guest.close();
    assert_works(&host, &run, "after bad guests");
}

#[test]
fn a_frame_answered_late_twice_never_or_with_an_error_harms_no_other_view() {
    let (host, run) = with_reader();
    let other = host.run_seen(READER);
    assert_works(&host, &run, "before");
    assert_works(&host, &other, "before");
    host.hold_frames();
    host.input(&run.run_id, "x\r");
    let id = host.wait_for("a frame in flight", |state| state.unanswered.front().copied());
    host.state().unanswered.pop_front();
    for _ in 0..3 {
        host.answer(id, Value::from(true));
    }
    host.release_frames();
    assert_works(&host, &run, "twice");
    assert_works(&host, &other, "other");

    host.hold_frames();
    host.input(&run.run_id, "y\r");
    let id = host.wait_for("a frame in flight", |state| state.unanswered.front().copied());
    host.state().unanswered.pop_front();
    host.send(&Value::Array(vec![1.into(), id.into(), Value::from("cannot"), Value::Nil]));
    host.release_frames();
    assert_works(&host, &other, "after an error");
    // Whoever cannot take a frame has no view any more; it may open another.
    eventually("the view is closed", || host.info(&run)["attached"] == false);
    host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
    assert_works(&host, &run, "again");
}

#[test]
fn a_client_that_never_acknowledges_gets_one_frame_and_costs_no_memory() {
    let host = Home::new().host().json().start();
    host.hold_frames();
    let flood = host.run_seen("while :; do seq 100000; done");
    host.wait_for("the frame in flight", |state| state.unanswered.front().copied());
    let printed = |run: &Run| host.info(run)["bytes"].as_u64().unwrap();
    let wait_printed = |bytes| eventually("the flood goes on", || printed(&flood) > bytes);
    wait_printed(8 << 20);
    let before = proc::resident_bytes(host.pid());
    wait_printed(40 << 20);
    let after = proc::resident_bytes(host.pid());
    assert!(after < before + (16 << 20), "{before} bytes before, {after} after");
    assert_eq!(host.state().views[&flood.run_id].frames, 1);
    // Another client's view of the same run does not wait for this one.
    let guest = host.connect_speaking(Speech::Json);
    guest.initialize();
    guest.ask("attach", json!({"run_id": flood.run_id, "format": "spans"}));
    guest.wait_for("frames go on", |state| (state.views.get(&flood.run_id)?.frames > 5).then_some(()));
    assert_eq!(host.ask("kill", json!({"target": flood.session_id, "grace_ms": 100}))["killed"], 1);
    host.release_frames();
    host.wait_exited(&flood.run_id);
}

#[test]
fn memory_is_flat_whatever_a_message_claims_or_holds() {
    let host = Home::new().host().json().start();
    host.ask("sessions", json!({}));
    let guests = |bytes: &[u8], count: usize| {
        for _ in 0..count {
            let guest = host.connect_speaking(Speech::Json);
            guest.send_bytes(bytes);
            guest.close();
        }
    };
    let deep = framed("[".repeat(200_000));
    let claim = b"Content-Length: 16777216\r\n\r\n{";
    guests(claim, 1);
    let before = proc::resident_bytes(host.pid());
    guests(claim, 50);
    guests(&deep, 50);
    let guest = host.connect_speaking(Speech::Json);
    guest.initialize();
    let after = proc::resident_bytes(host.pid());
    assert!(after < before + (32 << 20), "{before} bytes before, {after} after");
}

#[test]
fn a_string_of_a_hundred_megabytes_is_refused_and_one_within_the_limit_understood() {
    let (host, run) = with_reader();
    let refusal = host.refusal("kill", json!({"target": "x".repeat(8 << 20)}));
    assert_eq!(refusal.code, "not_found");
    let mut guest = UnixStream::connect(host.socket()).unwrap();
    // It may be cut off before it has said all of it.
    let _ = guest.write_all(&framed("x".repeat(100 << 20)));
    eventually("the log says why", || host.home().log().contains("claims 104857600 bytes"));
    assert_works(&host, &run, "after it");
}

#[test]
fn a_client_that_sends_calls_and_reads_no_answers_is_cut_off() {
    let home = Home::new();
    let mut host = home.host().json().command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = host.stdin.take().unwrap();
    let call = framed(r#"{"jsonrpc":"2.0","id":1,"method":"start"}"#);
    let mut sent = 0;
    // Each answer lists the methods: a pipe holds few of them.
    while input.write_all(&call).is_ok() {
        sent += 1;
        assert!(sent < 100_000, "calls are taken without end");
    }
    host.wait().unwrap();
    assert!(home.log().contains("does not read them"), "{}", home.log());
}

/// Parsed, a value takes up to a hundred times the bytes that it came in: 16 MiB of them were 1.6 GB, whoever sent them.
#[test]
fn a_message_of_millions_of_values_is_refused_before_it_is_parsed() {
    let (host, run) = with_reader();
    let many = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"sessions\",\"params\":{{\"x\":[{}0]}}}}",
        "{\"\":0},".repeat(2_000_000)
    );
    let mut guest = UnixStream::connect(host.socket()).unwrap();
    guest.write_all(&framed(many)).unwrap();
    let mut answer = String::new();
    let mut reader = std::io::BufReader::new(guest);
    while !answer.contains('}') {
        std::io::BufRead::read_line(&mut reader, &mut answer).unwrap();
        if answer.ends_with("\r\n\r\n") {
            let length: usize =
                answer.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok()).unwrap();
            let mut content = vec![0; length];
            std::io::Read::read_exact(&mut reader, &mut content).unwrap();
            answer = String::from_utf8(content).unwrap();
        }
    }
    assert!(answer.contains("more than 500000 values") && answer.contains("-32600"), "{answer:.300}");
    let peak = proc::peak_bytes(host.pid());
    assert!(peak < 200 << 20, "{peak} bytes");
    assert_works(&host, &run, "after it");
}

/// The name of a method is the client's word: it wrote lines of the log, of any length.
#[test]
fn a_methods_name_writes_no_lines_of_the_log() {
    let (host, run) = with_reader();
    let call = |method: &str| {
        host.connect_speaking(Speech::Json)
            .send_bytes(&framed(json!({"jsonrpc": "2.0", "method": method, "params": {}}).to_string()));
    };
    call("x\n2026-11-30T00:00:00Z ERROR [Default] forged");
    call(&"y".repeat(8 << 20));
    eventually("both are in the log", || {
        let log = host.home().log();
        log.contains(r"x\n2026-11-30") && log.contains("yyyy")
    });
    let log = host.home().log();
    assert!(!log.lines().any(|line| line.ends_with("forged") && line.starts_with("2026-11-30T00:00:00Z")), "{log}");
    assert!(log.len() < 1 << 16, "{} bytes", log.len());
    assert_works(&host, &run, "after it");
}
