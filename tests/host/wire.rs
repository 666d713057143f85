//! A client that speaks badly: it is answered, ignored or, where nothing can be made of it, cut off; the host's
//! memory does not grow, and what still can work does.

use std::{io::Write, os::unix::net::UnixStream};

use rmpv::Value;
use serde_json::json;

use crate::support::{Home, Host, Pending, Run, Speech, eventually, from_json, proc};

fn request(id: u64, method: &str, params: Value) -> Value {
    Value::Array(vec![0.into(), id.into(), method.into(), params])
}

/// The connection works in both directions, and so does the session that was there before.
fn assert_works(host: &Host, run: &Run, word: &str) {
    host.input(&run.run_id, format!("{word}\r"));
    host.wait_screen(&run.run_id, word, |screen| screen.contains(&format!("got {word}")));
    assert_eq!(host.info(run)["status"], "active");
}

fn with_reader() -> (Host, Run) {
    let host = Host::start();
    let run = host.run_seen("while read line; do echo \"got $line\"; done");
    (host, run)
}

#[test]
fn parameters_that_are_a_map_and_not_an_array_are_understood() {
    let host = Host::start();
    let params = Value::Map(vec![("cmd".into(), "true".into())]);
    let answer = host.begin_with("run", params).answer().unwrap();
    host.wait_exited(answer["run_id"].as_str().unwrap());
    host.send(&Value::Array(vec![
        2.into(),
        "call".into(),
        Value::Map(vec![("id".into(), 1_000_000.into()), ("method".into(), "sessions".into())]),
    ]));
    host.wait_for("the reply", |state| state.answer(1_000_000).map(|_| ()));
}

#[test]
fn parameters_of_any_other_type_are_refused() {
    let host = Host::start();
    for params in [
        Value::Nil,
        Value::from(5),
        Value::from("text"),
        Value::from(true),
        Value::Array(vec![Value::from(1.5)]),
        Value::Array(vec![Value::from("text")]),
        Value::Array(vec![Value::Array(vec![1.into()])]),
        Value::Array(vec![Value::Map(vec![(Value::Nil, Value::Nil)])]),
        Value::Array(vec![Value::Ext(5, vec![1, 2, 3])]),
        Value::Array(vec![Value::Binary(vec![0xff; 10])]),
    ] {
        let refusal = host.begin_with("kill", params.clone()).answer().unwrap_err();
        assert_eq!(refusal.code, "invalid_params", "{params}: {refusal:?}");
    }
    host.ask("sessions", json!({}));
}

#[test]
fn answers_nobody_asked_for_change_nothing() {
    let (host, run) = with_reader();
    for id in [0, 1, 77, u64::MAX] {
        host.answer(id, Value::from(true));
        host.send(&Value::Array(vec![1.into(), id.into(), "an error".into(), Value::Nil]));
    }
    assert_works(&host, &run, "unasked");
}

#[test]
fn a_frame_answered_late_twice_or_with_an_error_harms_no_other_view() {
    let (host, run) = with_reader();
    let other = host.run_seen("while read line; do echo \"got $line\"; done");
    // Neither has anything left to show: the next frame is the one that is asked for.
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
fn values_that_are_no_message_are_ignored() {
    let (host, run) = with_reader();
    let map = || Value::Map(vec![]);
    for junk in [
        Value::Nil,
        Value::from(5),
        Value::from("hello"),
        map(),
        Value::Array(vec![]),
        Value::Array(vec![7.into(), 1.into(), "sessions".into(), map()]),
        Value::Array(vec![(-1).into(), 1.into(), "sessions".into(), map()]),
        Value::Array(vec![0.into()]),
        Value::Array(vec![0.into(), 1.into(), "sessions".into()]),
        Value::Array(vec![0.into(), "id".into(), "sessions".into(), Value::Array(vec![map()])]),
        Value::Array(vec![0.into(), Value::Nil, "sessions".into(), Value::Array(vec![map()])]),
        Value::Array(vec![0.into(), (-3).into(), "sessions".into(), Value::Array(vec![map()])]),
        Value::Array(vec![0.into(), 5.into(), 6.into(), Value::Array(vec![map()])]),
        Value::Array(vec![0.into(), 5.into(), Value::Binary(vec![0xff]), Value::Array(vec![map()])]),
        Value::Array(vec![2.into(), Value::Nil, Value::Array(vec![map()])]),
        Value::Array(vec![2.into(), "input".into(), 5.into()]),
        Value::Array(vec![2.into(), "nothing".into(), Value::Array(vec![])]),
        Value::Array(vec![0.into(); 100]),
        Value::Ext(1, vec![0; 100]),
    ] {
        host.send(&junk);
    }
    assert_works(&host, &run, "after junk");
    // It is written by a thread of its own.
    eventually("the log says so", || host.home().log().contains("ignored"));
}

#[test]
fn a_call_id_may_be_as_large_as_msgpack_has_them() {
    let host = Host::start();
    for id in [127, 128, 65_536, u64::from(u32::MAX)] {
        host.send(&request(id, "sessions", Value::Array(vec![])));
        host.wait_for("its answer", |state| state.answer(id).map(|_| ()));
    }
}

/// An array has three forms; which of them its length needs is not asked.
#[test]
fn a_message_may_be_an_array_of_any_form() {
    let (host, run) = with_reader();
    for (id, head) in [(201_u8, &b"\x94"[..]), (202, b"\xdc\x00\x04"), (203, b"\xdd\x00\x00\x00\x04")] {
        host.send_bytes(&[head, b"\x00\xcc", &[id], b"\xa8sessions\x91\x80"].concat());
        host.wait_for("its answer", |state| state.answer(id.into()).map(|answer| assert!(answer.is_ok())));
    }
    assert_works(&host, &run, "after all three");
}

#[test]
fn a_message_in_single_bytes_is_one_message() {
    let host = Host::start();
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &request(1_000_000, "sessions", Value::Array(vec![]))).unwrap();
    for byte in bytes {
        host.send_bytes(&[byte]);
    }
    host.wait_for("its answer", |state| state.answer(1_000_000).map(|_| ()));
}

/// What ends a connection, and a word of the reason that log and standard error give.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let deep: Vec<u8> = vec![0x91; 200_000];
    vec![
        ("a byte that msgpack does not use", vec![0xc1; 100], "0xc1"),
        ("a string that claims 4 GiB", vec![0x94, 0, 1, 0xdb, 0xff, 0xff, 0xff, 0xff, b'x'], "limit"),
        ("binary data that claims 4 GiB", vec![0x94, 0, 1, 0xc6, 0xff, 0xff, 0xff, 0xff], "limit"),
        ("an array that claims 4 Gi elements", vec![0xdd, 0xff, 0xff, 0xff, 0xff], "limit"),
        ("a map that claims 4 Gi entries", vec![0x93, 2, 0xa1, b'x', 0xdf, 0xff, 0xff, 0xff, 0xff], "limit"),
        ("200,000 levels", deep, "deeper"),
    ]
}

#[test]
fn what_cannot_be_read_ends_the_host_with_a_reason_and_all_programs() {
    for (what, bytes, word) in unreadable() {
        let home = Home::new();
        let mut host = home.host().start();
        let run = host.run_line("trap '' HUP; echo ready; exec sleep 1000");
        host.wait_pattern(&run, "ready");
        host.send_bytes(&bytes);
        let status = host.wait_end();
        assert!(!status.success(), "{what}");
        assert!(proc::gone(run.pid), "{what}: its programs are gone");
        eventually("the reason is on standard error", || host.stderr().contains(word));
        assert!(home.log().contains(word), "{what}: {}", home.log());
        assert!(!host.stderr().contains("panicked"), "{what}: {}", host.stderr());
    }
}

#[test]
fn a_stream_that_ends_within_a_message_ends_the_host_with_a_reason() {
    let home = Home::new();
    let mut host = home.host().start();
    host.send_bytes(&[0x94, 0, 1, 0xa8, b's', b'e']);
    host.close();
    host.wait_end();
    eventually("the reason", || host.stderr().contains("6 bytes into a message"));
    assert!(home.log().contains("6 bytes into a message"));
}

#[test]
fn over_the_socket_bad_bytes_close_that_one_connection() {
    let (host, run) = with_reader();
    for (_, bytes, word) in unreadable() {
        let guest = host.connect();
        guest.initialize();
        guest.send_bytes(&bytes);
        guest.wait_closed();
        eventually("the log says why", || host.home().log().contains(word));
    }
    assert_works(&host, &run, "after bad guests");
}

#[test]
fn memory_is_flat_whatever_a_frame_claims_or_holds() {
    let host = Host::start();
    host.ask("sessions", json!({}));
    let guests = |bytes: &[u8], count: usize| {
        for _ in 0..count {
            let guest = host.connect();
            guest.send_bytes(bytes);
            guest.wait_closed();
        }
    };
    let claims = [0x94, 0, 1, 0xdb, 0xff, 0xff, 0xff, 0xff];
    let deep = vec![0x91; 200_000];
    guests(&claims, 1);
    let before = proc::resident_bytes(host.pid());
    guests(&claims, 50);
    guests(&deep, 50);
    let after = proc::resident_bytes(host.pid());
    assert!(after < before + (32 << 20), "{before} bytes before, {after} after");
}

#[test]
fn a_large_message_within_the_limit_is_understood() {
    let host = Host::start();
    let refusal = host.refusal("kill", json!({"target": "x".repeat(8 << 20)}));
    assert_eq!(refusal.code, "not_found");
    host.ask("sessions", json!({"padding": vec!["x"; 100_000]}));
}

#[test]
fn a_parameter_of_the_wrong_kind_is_named_in_words_and_nothing_odd_is_quoted() {
    let host = Host::start();
    for speech in [Speech::Msgpack, Speech::Json] {
        let guest = host.connect_speaking(speech);
        let long = "x".repeat(100_000);
        for (method, params, said) in [
            ("run", json!({"cmd": "true", "timeout_ms": "soon"}), vec!["timeout_ms", "a whole number"]),
            ("kill", json!({"target": "all", "signal": {}}), vec!["signal", "a name, such as"]),
            ("resize", json!({"run_id": "x", "rows": -1, "cols": 1}), vec!["rows", "-1"]),
            ("run", json!({"cmd": "true", "limits": {"memory_bytes": []}}), vec!["limits.memory_bytes"]),
            ("initialize", json!({"protocol": 1, "client": "me"}), vec!["client", "a map"]),
            ("run", json!({"cmd": "true", "attach": "\u{1b}[31m"}), vec!["attach", r"\u{1b}[31m"]),
            ("run", json!({"cmd": "true", "attach": long}), vec!["attach", "\u{2026}"]),
        ] {
            let refusal = guest.refusal(method, params);
            let message = refusal.message;
            assert_eq!(refusal.code, "invalid_params", "{message}");
            assert!(said.iter().all(|word| message.contains(word)), "{message}");
            let is_odd = |letter: char| letter.is_control();
            let is_rust = ["struct", "u64", "u32", "usize", "enum"].iter().any(|word| message.contains(word));
            assert!(message.len() < 500 && !message.contains(is_odd) && !is_rust, "{message}");
        }
    }
}

#[test]
fn so_many_calls_of_lines_wait_and_no_more() {
    const MOST: usize = 64;
    let host = Host::start();
    let run = host.run_line("read x");
    let waits: Vec<Pending<'_>> = (0..300)
        .map(|_| {
            let wait = host.begin("lines", json!({"run_id": run.run_id, "wait_ms": 600_000}));
            // One by one: what is refused is so before the next.
            host.ask("sessions", json!({}));
            wait
        })
        .collect();
    eventually("the others are refused", || waits.iter().filter(|wait| wait.is_answered()).count() == 300 - MOST);
    host.ask("kill", json!({"target": run.run_id, "grace_ms": 0}));
    let answers = waits.into_iter().map(Pending::answer);
    let refused: Vec<_> = answers.filter_map(Result::err).collect();
    assert_eq!(refused.len(), 300 - MOST);
    assert!(refused.iter().all(|refusal| refusal.code == "resource_exhausted"));
    host.ask("lines", json!({"run_id": run.run_id}));
}

#[test]
fn calls_that_share_an_id_each_give_their_place_back() {
    let host = Host::start();
    let run = host.run_line("stty -echo; echo ready; while read x; do echo line; done");
    host.wait_pattern(&run, "ready");
    let lines = |from: u64, wait_ms: u64| {
        let params = from_json(&json!({"run_id": run.run_id, "from": from, "wait_ms": wait_ms}));
        host.send(&request(1_000_000, "lines", Value::Array(vec![params])));
    };
    let answer = || {
        let answer = host.wait_for("an answer", |state| state.answer(1_000_000).cloned());
        host.forget(1_000_000);
        answer.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    };
    let mut next = 1;
    for _ in 0..70 {
        lines(next, 600_000);
        lines(next, 1);
        answer();
        host.input(&run.run_id, "\r");
        next = answer()["next"].as_u64().unwrap();
    }
}

/// Sixty connections with 14 MiB of a message each had taken 867 MB together.
#[test]
fn what_many_connections_send_in_part_is_bounded_together() {
    let host = Host::start();
    let run = host.run_line("cat");
    let before = proc::resident_bytes(host.pid());
    let part = 14 << 20;
    let msgpack =
        [&[0x94, 0x00, 0x01, 0xa4][..], b"send", &[0x91, 0xc6, 0x00, 0xf0, 0x00, 0x00], &vec![b'x'; part]].concat();
    let json = [b"Content-Length: 15728640\r\n\r\n".to_vec(), vec![b' '; part]].concat();
    let streams: Vec<UnixStream> = std::thread::scope(|scope| {
        let send = |number: usize| {
            let (socket, bytes) = (host.socket(), if number.is_multiple_of(2) { &msgpack } else { &json });
            scope.spawn(move || {
                let mut stream = UnixStream::connect(socket).unwrap();
                // One that it is too much with is cut off on the way.
                let _ = stream.write_all(bytes);
                stream
            })
        };
        let sending: Vec<_> = (0..60).map(send).collect();
        sending.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let grown = proc::resident_bytes(host.pid()).saturating_sub(before);
    assert!(grown < 300 << 20, "{} MiB", grown >> 20);
    // Others go on, and the editor itself with as much as ever.
    let guest = host.connect();
    guest.initialize();
    guest.ask("send", json!({"target": run.run_id, "data": "from a guest", "enter": true}));
    host.wait_pattern(&run, "from a guest");
    let refusal = host.refusal("send", json!({"target": "nobody", "data": "x".repeat(10 << 20)}));
    assert_eq!(refusal.code, "not_found");
    drop(streams);
    assert!(host.home().log().contains("together the limit is 67108864"), "{}", host.home().log());
}
