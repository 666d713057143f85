//! A hundred connections at once, of both kinds: all are served, and what the rude ones leave is taken away.

use std::{io::Write, os::unix::net::UnixStream, sync::Barrier, thread};

use serde_json::json;

use crate::support::{Client, Daemon, Home, Speech, eventually, json_rpc, proc};

const CONNECTIONS: usize = 100;

/// What the allocator may keep of all that a hundred clients had at once. Each has its own view of a flood, so a leak
/// of one connection's buffers is more than this.
const GROWTH: u64 = 24 << 20;

fn speech(number: usize) -> Speech {
    if number.is_multiple_of(2) { Speech::Msgpack } else { Speech::Json }
}

fn connect(daemon: &Daemon, number: usize) -> Client {
    let client = daemon.try_connect_speaking(speech(number)).expect("the daemon listens");
    client.initialize();
    client
}

/// A life from the first word to the last, with what is printed seen in between.
fn live(client: &Client, number: usize) {
    let line = format!("echo \"I am {number}\"; read x; echo \"{number} got $x\"; exec sleep 1000");
    let run = client.ask("run", json!({"cmd": line, "name": format!("life-{number}"), "attach": "ansi"}));
    let run_id = run["run_id"].as_str().unwrap();
    client.wait_screen(run_id, "its first word", |screen| screen.contains(&format!("I am {number}")));
    client.input(run_id, format!("word {number}\r"));
    let until = json!({"pattern": format!("^{number} got word {number}$")});
    let reply = client.ask("wait", json!({"target": run_id, "until": until, "timeout_ms": 30_000}));
    assert_eq!(reply["reason"], "pattern");
    assert_eq!(client.ask("kill", json!({"target": run["session_id"], "grace_ms": 50}))["killed"], 1);
    assert!(client.wait_exited(run_id)["exit"]["signal"].is_i64());
    client.ask("remove", json!({"target": run["session_id"]}));
}

/// Each on a thread of its own, none before all are connected.
fn lives(daemon: &Daemon) {
    let all_are_there = Barrier::new(CONNECTIONS);
    thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let all_are_there = &all_are_there;
            scope.spawn(move || {
                let client = connect(daemon, number);
                all_are_there.wait();
                live(&client, number);
                client.close();
            });
        }
    });
}

fn is_as_before(daemon: &Daemon, descriptors: usize) {
    let pid = daemon.pid();
    eventually("every descriptor is given back", || proc::descriptors(pid).len() <= descriptors);
    eventually("no program is left, and no zombie", || proc::below(pid).is_empty());
}

#[test]
fn a_hundred_clients_at_once_live_a_life_each_and_leave_nothing() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    let pid = daemon.pid();
    let descriptors = proc::descriptors(pid).len();
    // What the first hundred leave to the allocator is not a leak: what the second add to it would be.
    lives(&daemon);
    is_as_before(&daemon, descriptors);
    let before = proc::resident_bytes(pid);
    lives(&daemon);
    is_as_before(&daemon, descriptors);
    let grown = proc::resident_bytes(pid).saturating_sub(before);
    assert!(grown < GROWTH, "the daemon grew by {grown} bytes");
    assert_eq!(script.ask("sessions", json!({})), json!({}));
}

#[test]
fn those_that_never_acknowledge_and_those_that_go_in_mid_frame_are_no_burden_to_the_others() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    let pid = daemon.pid();
    let flood = script.ask("run", json!({"cmd": "yes 'a line of the flood'", "name": "flood"}));
    let flood = flood["run_id"].as_str().unwrap().to_owned();
    let descriptors = proc::descriptors(pid).len();
    let mut memory = Vec::new();
    for _ in 0..2 {
        let deaf: Vec<Client> = (0..CONNECTIONS / 2).map(|number| connect(&daemon, number)).collect();
        for client in &deaf {
            client.hold_frames();
            client.ask("attach", json!({"run_id": flood, "format": "ansi"}));
            client.wait_for("its one frame", |state| (state.unanswered.len() == 1).then_some(()));
        }
        let half: Vec<UnixStream> = (0..CONNECTIONS / 2).map(|number| half_a_message(&daemon, number)).collect();
        // The others are served all the while.
        for number in 0..4 {
            let client = connect(&daemon, number);
            live(&client, number);
            client.close();
        }
        let printed = |client: &Client| {
            let sessions = client.ask("sessions", json!({}));
            sessions.as_object().unwrap().values().next().unwrap()["bytes"].as_u64().unwrap()
        };
        let begun = printed(&script);
        eventually("the flood goes on", || printed(&script) > begun + 5_000_000);
        for client in &deaf {
            assert_eq!(client.state().unanswered.len(), 1, "no second frame without an answer to the first");
        }
        drop(half);
        for client in deaf {
            client.close();
        }
        eventually("every descriptor is given back", || proc::descriptors(pid).len() <= descriptors);
        memory.push(proc::resident_bytes(pid));
    }
    let grown = memory[1].saturating_sub(memory[0]);
    assert!(grown < GROWTH, "the daemon grew by {grown} bytes");
    assert_eq!(script.ask("kill", json!({"target": "flood"}))["killed"], 1);
    assert_eq!(daemon.pid(), pid, "the same daemon");
}

/// A client that has said hello and then the first half of a message.
fn half_a_message(daemon: &Daemon, number: usize) -> UnixStream {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    let text = json!({"jsonrpc": "2.0", "id": 1, "method": "sessions", "params": {"padding": "x".repeat(100_000)}});
    let mut whole = match speech(number) {
        Speech::Json => json_rpc::framed(text.to_string()),
        Speech::Msgpack => calls(&[("sessions", json!({"padding": "x".repeat(100_000)}))]),
    };
    whole.truncate(whole.len() / 2);
    stream.write_all(&whole).unwrap();
    stream
}

/// Requests as bytes of msgpack, one after the other.
fn calls(calls: &[(&str, serde_json::Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, (method, params)) in calls.iter().enumerate() {
        let call = crate::support::from_json(&json!([0, id, method, [params]]));
        rmpv::encode::write_value(&mut bytes, &call).unwrap();
    }
    bytes
}

fn introduction() -> (&'static str, serde_json::Value) {
    ("initialize", json!({"protocol": 1, "client": {"name": "rude", "version": "1"}}))
}

#[test]
fn those_that_go_before_their_answers_are_out_leave_nothing() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    // Its command line makes answers longer than what is read of them.
    let run = script.ask("run", json!({"cmd": format!("cat; true {}", "x".repeat(30_000)), "name": "quiet"}));
    let descriptors = proc::descriptors(daemon.pid()).len();
    let attach = ("attach", json!({"run_id": run["run_id"], "format": "spans"}));
    let ask = || ("sessions", json!({}));
    let words = calls(&[introduction(), ask(), ask(), attach, ask(), ask(), ask()]);
    for _ in 0..100 {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.write_all(&words).unwrap();
        let mut some = [0; 4096];
        assert!(std::io::Read::read(&mut stream, &mut some).unwrap() > 0);
    }
    eventually("every descriptor is given back", || proc::descriptors(daemon.pid()).len() <= descriptors);
    script.ask("kill", json!({"target": "quiet"}));
}

#[test]
fn who_waits_for_lines_and_goes_waits_no_more() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    let run = script.ask("run", json!({"cmd": "cat", "name": "quiet"}));
    let descriptors = proc::descriptors(daemon.pid()).len();
    for number in 0..40 {
        let client = connect(&daemon, number);
        drop(client.begin("lines", json!({"run_id": run["run_id"], "wait_ms": 3_600_000})));
        client.ask("sessions", json!({}));
        client.close();
    }
    eventually("every descriptor is given back", || proc::descriptors(daemon.pid()).len() <= descriptors);
    script.ask("kill", json!({"target": "quiet"}));
}

#[test]
fn answers_that_nobody_reads_are_not_made_in_advance() {
    const ROOM: u64 = 64 << 20;
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    // Their command lines make each answer larger than 300 kB.
    let line = format!("true {}", "x".repeat(30_000));
    for _ in 0..10 {
        let run = script.ask("run", json!({"cmd": line}));
        script.wait_exited(run["run_id"].as_str().unwrap());
    }
    let before = proc::resident_bytes(daemon.pid());
    let words = calls(&[vec![introduction()], vec![("sessions", json!({})); 1000]].concat());
    let unread: Vec<UnixStream> = (0..4)
        .map(|_| {
            let mut stream = UnixStream::connect(daemon.socket()).unwrap();
            stream.write_all(&words).unwrap();
            stream
        })
        .collect();
    // It has taken them in when it has answered another that came later.
    for _ in 0..50 {
        script.ask("sessions", json!({}));
    }
    let grown = proc::resident_bytes(daemon.pid()).saturating_sub(before);
    assert!(grown < ROOM, "4000 answers of 300 kB that are not read cost {grown} bytes");
    // Who reads them gets them all.
    let mut stream = std::io::BufReader::new(&unread[0]);
    for _ in 0..=1000 {
        rmpv::decode::read_value(&mut stream).unwrap();
    }
}

#[test]
fn who_asks_on_and_on_and_never_reads_is_cut_off() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    let words = calls(&vec![("sessions", json!({})); 500]);
    let cut_off = (0..200).any(|_| stream.write_all(&words).is_err());
    assert!(cut_off, "100,000 calls were taken");
    eventually("the log says why", || home.log().contains("answers wait, and the client does not read them"));
    assert_eq!(script.ask("sessions", json!({})), json!({}));
}
