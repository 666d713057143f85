//! Runs whose output is JSON lines. Fault 30: lines of any size, lines that are not JSON, clients that do not read.

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value as Json, json};

use crate::support::{Client, Host, Run, proc};

/// The lines of a run that have come, once its end has.
fn lines_to_the_end(host: &Host, run: &Run) -> Vec<Json> {
    host.wait_exited(&run.run_id);
    let state = host.state();
    let of_run: Vec<&Json> = state.events.iter().filter(|event| event["run_id"] == run.run_id.as_str()).collect();
    assert_eq!(of_run.last().unwrap()["type"], "run_exited", "the end comes after the last line");
    of_run.into_iter().filter(|event| event["type"] == "json").cloned().collect()
}

fn start(host: &Host, line: &str) -> Run {
    host.run(json!({"cmd": line, "stream": "json"}))
}

#[test]
fn lines_come_parsed_and_raw_in_order_and_what_is_not_json_as_text() {
    let host = Host::start();
    let run = start(
        &host,
        r#"printf '{"type": "unknown", "n": [1, null], "z": 1, "a": "\\u00e9"}\nplain text\n\n{"half": \n42\n{"last": tr'; sleep 0.1; printf ue}"#,
    );
    let lines = lines_to_the_end(&host, &run);
    let of = |key: &str| lines.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("seq"), (0..6).map(Json::from).collect::<Vec<_>>());
    let object = json!({"type": "unknown", "n": [1, null], "z": 1, "a": "\u{e9}"});
    let null = Json::Null;
    assert_eq!(of("value"), [object, null.clone(), null.clone(), null.clone(), json!(42), json!({"last": true})]);
    assert_eq!(lines[0]["raw"], r#"{"type": "unknown", "n": [1, null], "z": 1, "a": "\u00e9"}"#);
    assert_eq!(of("text"), [null.clone(), json!("plain text"), json!(""), json!("{\"half\": "), null.clone(), null]);
    assert_eq!(
        (&lines[0]["session_id"], &lines[0]["session_name"]),
        (&json!(run.session_id), &run.reply["session_name"])
    );
    // A terminal shows the same lines, each at its row's start.
    assert_eq!(host.text(&run)[1..], ["plain text", "", "{\"half\":", "42", "{\"last\": true}"]);
    assert_eq!(host.info(&run)["stream"], "json");
}

#[test]
fn what_is_typed_is_not_echoed_into_the_lines() {
    let host = Host::start();
    let run = start(&host, "echo ready; read line; echo \"{\\\"got\\\": \\\"$line\\\"}\"; head -c 6000 | wc -c");
    host.wait_pattern(&run, "ready");
    host.ask("send", json!({"target": run.run_id, "data": "hello", "enter": true}));
    host.wait_pattern(&run, "got");
    // More than a terminal that puts lines together would take.
    host.ask("send", json!({"target": run.run_id, "data": "x".repeat(6000)}));
    let lines = lines_to_the_end(&host, &run);
    let values: Vec<&Json> = lines.iter().map(|line| &line["value"]).collect();
    assert_eq!(values, [&Json::Null, &json!({"got": "hello"}), &json!(6000)], "{lines:?}");
}

#[test]
fn a_line_of_a_hundred_megabytes_is_held_to_the_limit() {
    let host = Host::start();
    let before = proc::resident_bytes(host.pid());
    let run = start(&host, "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo '{\"after\": 1}'");
    let lines = lines_to_the_end(&host, &run);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["truncated_bytes"], 100_000_000 - 500_000);
    assert_eq!(lines[0]["text"].as_str().unwrap().len(), 500_000);
    assert_eq!((&lines[1]["value"], &lines[1]["seq"]), (&json!({"after": 1}), &json!(1)));
    let grown = proc::resident_bytes(host.pid()).saturating_sub(before);
    assert!(grown < 30_000_000, "the host has grown by {grown} bytes");
    assert_eq!(host.info(&run)["exit"]["code"], 0);
}

/// Parsed, a line of 8 MB took 1.4 GB.
#[test]
fn a_line_of_millions_of_values_is_text() {
    let host = Host::start();
    let program =
        "awk 'BEGIN { printf \"[\"; for (n = 0; n < 1000000; n++) printf \"{\\\"\\\":0},\"; print \"0]\"; print 7 }'";
    let run = host.run(json!({"cmd": program, "stream": "json", "transcript_bytes": 8_000_000}));
    let lines = lines_to_the_end(&host, &run);
    let text = lines[0]["text"].as_str().unwrap();
    assert_eq!((text.len(), lines[0].get("value"), &lines[1]["value"]), (7_000_003, None, &json!(7)));
    let peak = proc::peak_bytes(host.pid());
    assert!(peak < 400 << 20, "{peak} bytes");
}

#[test]
fn lines_nested_too_deeply_or_not_utf8_are_text() {
    let host = Host::start();
    let run = start(&host, "head -c 200000 /dev/zero | tr '\\0' '['; echo; printf '\"\\377\"\\n{}\\n'");
    let lines = lines_to_the_end(&host, &run);
    assert_eq!(lines[0]["text"].as_str().unwrap().len(), 200_000);
    assert_eq!(lines[1]["text"], "\"\u{fffd}\"");
    assert_eq!(lines[2]["value"], json!({}));
}

/// Writes until it is closed; then everything is swallowed, as by a client that does not answer.
struct Gate(UnixStream, Arc<AtomicBool>);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.load(Ordering::Relaxed) { Ok(bytes.len()) } else { self.0.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_client_that_does_not_answer_costs_a_bounded_backlog_and_nobody_else() {
    const LINES: u64 = 60_000;
    let host = Host::start();
    let go = host.home().fifo("go");
    let run = start(
        &host,
        &format!(
            "read x <{}; seq -f '{{\"n\": %.0f, \"pad\": \"0123456789012345678901234567890123456789\"}}' {LINES}",
            go.display()
        ),
    );
    let stream = UnixStream::connect(host.socket()).unwrap();
    let shut = Arc::new(AtomicBool::new(false));
    let deaf = Client::new(stream.try_clone().unwrap(), Gate(stream, Arc::clone(&shut)));
    deaf.initialize();
    assert_eq!(deaf.ask("subscribe", json!({"run_id": run.run_id})), json!({"run_id": run.run_id, "next_seq": 0}));
    shut.store(true, Ordering::Relaxed);
    let before = proc::resident_bytes(host.pid());
    host.home().release(&go);
    let lines = lines_to_the_end(&host, &run);
    let mut next = 0;
    for line in &lines {
        next += line["lost_lines"].as_u64().unwrap();
        assert_eq!(line["seq"], next, "what is missing is told");
        assert_eq!(line["value"]["n"], next + 1);
        next += 1;
    }
    assert_eq!(next, LINES, "the newest are always there");
    let grown = proc::resident_bytes(host.pid()).saturating_sub(before);
    assert!(grown < 40_000_000, "the host has grown by {grown} bytes");
    let told = deaf.state().events.iter().filter(|event| event["type"] == "json").count();
    assert_eq!(told, 1, "one is in flight");
    // It has not been told of the end: that would come after its lines.
    assert!(deaf.state().events.iter().all(|event| event["type"] != "run_exited"));
}

#[test]
fn who_subscribes_later_gets_the_lines_from_then_on_and_can_stop() {
    let host = Host::start();
    let run = start(&host, "echo 1; read x; echo 2; read x; echo 3; read x");
    let go = |pattern: &str| {
        host.wait_pattern(&run, pattern);
        host.ask("send", json!({"target": run.run_id, "enter": true}));
    };
    host.wait_pattern(&run, "1");
    let guest = host.connect();
    guest.initialize();
    assert_eq!(guest.ask("subscribe", json!({"run_id": run.run_id}))["next_seq"], 1);
    go("1");
    guest.wait_event("the second line", |event| event["value"] == 2);
    guest.ask("unsubscribe", json!({"run_id": run.run_id}));
    go("2");
    go("3");
    guest.wait_exited(&run.run_id);
    let values = |client: &Client| -> Vec<Json> {
        client
            .state()
            .events
            .iter()
            .filter(|event| event["type"] == "json")
            .map(|event| event["value"].clone())
            .collect()
    };
    assert_eq!(values(&guest), [2]);
    host.wait_exited(&run.run_id);
    assert_eq!(values(&host), [1, 2, 3]);
    let plain = host.run_line("true");
    let refusal = host.refusal("subscribe", json!({"run_id": plain.run_id}));
    assert_eq!(refusal.code, "invalid_params");
    assert!(refusal.message.contains("stream = \"json\""), "{}", refusal.message);
}

#[test]
fn the_lines_go_on_after_a_restart() {
    let host = Host::start();
    let run = start(&host, "echo '{}'");
    assert_eq!(lines_to_the_end(&host, &run).len(), 1);
    host.ask("restart", json!({"target": run.run_id}));
    let again = host.wait_event("the line of the second life", |event| event["type"] == "json" && event["seq"] == 1);
    assert_eq!(again["value"], json!({}));
}
