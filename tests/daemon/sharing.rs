//! Many clients on one session at once: each has its own view, its own pace and its own size.

use serde_json::json;

use crate::support::{Client, Daemon, Home};

fn attach(client: &Client, run: &str, rows: u16, cols: u16) {
    let size = json!({"rows": rows, "cols": cols});
    client.ask("attach", json!({"run_id": run, "format": "ansi", "size": size}));
}

fn size_of(client: &Client, run: &str) -> (u64, u64) {
    let size = client.ask("snapshot", json!({"run_id": run}))["size"].clone();
    (size["rows"].as_u64().unwrap(), size["cols"].as_u64().unwrap())
}

#[test]
fn the_size_follows_whoever_typed_last_and_the_others_show_what_fits() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    let line = "stty -echo; trap 'stty size' WINCH; echo ready; while :; do read x && echo \"read $x\"; done";
    let run = script.ask("run", json!({"cmd": line}))["run_id"].as_str().unwrap().to_owned();
    let (large, small) = (daemon.connect(), daemon.connect());
    attach(&large, &run, 20, 60);
    assert_eq!(size_of(&script, &run), (20, 60), "the first has it");
    attach(&small, &run, 5, 12);
    assert_eq!(size_of(&script, &run), (20, 60), "who only looks changes nothing");
    large.input(&run, "a line that is longer than the small one\r");
    let fits = |screen: &[String]| screen.iter().any(|row| row == "read a line that is longer than the small one");
    large.wait_screen(&run, "the whole line", fits);
    let last = small.wait_for("a frame with the line", |state| {
        let view = state.views.get(&run)?;
        view.data.contains("read a line").then(|| view.last.clone())
    });
    assert_eq!((&last["rows"], &last["cols"]), (&json!(20), &json!(60)), "frames tell the terminal's size");
    small.input(&run, "mine\r");
    small.wait_screen(&run, "its own size", |screen| screen.last().is_some_and(|row| row == "read mine"));
    assert_eq!(size_of(&script, &run), (5, 12));
    // A larger window elsewhere is nothing to it, until somebody types there.
    large.notify("resize", json!({"run_id": run, "rows": 30, "cols": 90}));
    large.input(&run, "back\r");
    large.wait_screen(&run, "back", |screen| screen.last().is_some_and(|row| row == "read back"));
    assert_eq!(size_of(&script, &run), (30, 90));
    // The one that it was for leaves: the other's counts again.
    large.ask("detach", json!({"run_id": run}));
    script.ask("wait", json!({"target": run, "until": {"pattern": "^5 12$"}, "timeout_ms": 20_000}));
    assert_eq!(size_of(&script, &run), (5, 12));
}

#[test]
fn who_attached_to_look_only_cannot_type_or_size() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (owner, guest) = (daemon.connect(), daemon.connect());
    let run = owner.ask("run", json!({"cmd": "cat", "attach": "ansi"}))["run_id"].as_str().unwrap().to_owned();
    let size = json!({"rows": 3, "cols": 9});
    guest.ask("attach", json!({"run_id": run, "format": "ansi", "size": size, "read_only": true}));
    let refusal = guest.refusal("input", json!({"run_id": run, "data": "x\r"}));
    assert_eq!(refusal.code, "forbidden");
    assert!(refusal.message.contains("read_only"), "{}", refusal.message);
    guest.notify("input", json!({"run_id": run, "data": "never\r"}));
    guest.notify("resize", json!({"run_id": run, "rows": 4, "cols": 10}));
    // It is in order: what was refused before is not there.
    guest.ask("sessions", json!({}));
    owner.input(&run, "typed\r");
    guest.wait_for("what the owner typed", |state| state.views.get(&run)?.data.contains("typed").then_some(()));
    owner.wait_screen(&run, "only that", |screen| screen == ["typed", "typed"]);
    assert_eq!(size_of(&owner, &run), (24, 80));
    guest.ask("attach", json!({"run_id": run, "format": "ansi"}));
    guest.ask("input", json!({"run_id": run, "data": "now it may\r"}));
    owner.wait_screen(&run, "both", |screen| screen.contains(&"now it may".to_owned()));
}

/// doc/faults.md rows 12 and 28 with two clients: one that never acknowledges is no burden to the other.
#[test]
fn a_client_that_stopped_holds_up_nobody_and_is_put_right_when_it_goes_on() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (quick, stuck) = (daemon.connect(), daemon.connect());
    let line = "i=0; while [ $i -lt 60000 ]; do echo \"line $i\"; i=$((i+1)); done; echo all; read x; echo \"got $x\"; \
                exec sleep 1000";
    let run = quick.ask("run", json!({"cmd": "read go; ".to_owned() + line, "attach": "ansi"}));
    let run = run["run_id"].as_str().unwrap().to_owned();
    stuck.hold_frames();
    stuck.ask("attach", json!({"run_id": run, "format": "ansi"}));
    quick.input(&run, "\r");
    quick.wait_screen(&run, "the end of the flood", |screen| screen.last().is_some_and(|row| row == "all"));
    let held =
        stuck.wait_for("its one frame", |state| (!state.unanswered.is_empty()).then_some(state.unanswered.len()));
    assert_eq!(held, 1, "one frame is in flight, whatever was printed");
    // Answers that nobody waits for are nothing to anyone.
    stuck.answer(987_654, rmpv::Value::from(true));
    quick.input(&run, "typed\r");
    quick.wait_screen(&run, "typing goes on", |screen| screen.contains(&"got typed".to_owned()));
    stuck.release_frames();
    let wanted = quick.state().views[&run].screen();
    stuck.wait_screen(&run, "the same screen", |screen| screen == wanted);
}

/// doc/faults.md row 12 over the socket: an editor that is stopped costs nothing, and its programs can be ended meanwhile.
#[test]
fn a_stopped_editor_of_a_flood_costs_no_memory_and_sees_the_right_screen_afterwards() {
    use crate::support::proc;
    use nix::sys::signal::Signal;
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let editor = home.host().persist().start();
    let run = editor.run_seen("yes");
    editor.wait_screen(&run.run_id, "it pours", |screen| screen.len() > 20);
    // The bridge stands for its editor: nobody reads the socket any more.
    proc::signal(editor.pid(), Signal::SIGSTOP);
    let other = daemon.connect();
    let bytes = |client: &Client| {
        let sessions = client.ask("sessions", json!({}));
        sessions[&run.session_id]["processes"][0]["bytes"].as_u64().unwrap()
    };
    let (begun, before) = (bytes(&other), proc::resident_bytes(daemon.pid()));
    crate::support::eventually("it has printed 20 MB more", || bytes(&other) > begun + 20_000_000);
    let grown = proc::resident_bytes(daemon.pid()).saturating_sub(before);
    assert!(grown < 8 << 20, "the daemon grew by {grown} bytes");
    assert_eq!(other.ask("kill", json!({"target": run.session_id}))["killed"], 1);
    proc::signal(editor.pid(), Signal::SIGCONT);
    editor.wait_exited(&run.run_id);
    let snapshot = other.ask("snapshot", json!({"run_id": run.run_id}));
    let wanted: Vec<_> = snapshot["lines"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    editor.wait_screen(&run.run_id, "the last screen", |screen| {
        let shown: Vec<_> = wanted.iter().copied().take_while(|row| !row.is_empty()).collect();
        screen == shown
    });
}
