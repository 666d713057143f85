//! Programs that cannot be started: a typed error that names the path, and nothing left behind.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, eventually, proc};

/// Refused with this code; the path is in the message and in the data.
#[track_caller]
fn assert_refused(host: &Host, params: Json, code: &str, path: &str) {
    let refusal = host.refusal("run", params.clone());
    assert_eq!(refusal.code, code, "{params}: {refusal:?}");
    assert!(refusal.message.contains(path), "{params}: {}", refusal.message);
    assert_eq!(refusal.data["path"], path, "{params}: {refusal:?}");
    assert_eq!(host.ask("sessions", json!({})), json!({}), "{params}: a session was left behind");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_program_that_is_not_there() {
    let host = Host::start();
    let missing = host.home().path().join("no such program");
    assert_refused(&host, json!({"cmd": [path(&missing)]}), "program_not_found", path(&missing));
    assert_refused(&host, json!({"cmd": ["no-such-program"]}), "program_not_found", "no-such-program");
    assert_refused(&host, json!({"cmd": ["./here", "x"]}), "program_not_found", "./here");
    let link = host.home().path().join("link");
    symlink("nowhere", &link).unwrap();
    assert_refused(&host, json!({"cmd": [path(&link)]}), "program_not_found", path(&link));
    // It is looked up as the program itself would: in the environment it is given.
    assert_refused(&host, json!({"cmd": ["sleep", "1"], "env": {"PATH": "/nowhere"}}), "program_not_found", "sleep");
}

#[test]
fn a_shell_that_is_not_there() {
    let host = Home::new().host().env("SHELL", "/no/such/shell").start();
    assert_refused(&host, json!({"cmd": "echo x"}), "program_not_found", "/no/such/shell");
    assert_refused(&host, json!({}), "program_not_found", "/no/such/shell");
}

#[test]
fn a_file_that_cannot_be_executed() {
    let host = Host::start();
    let home = host.home();
    let plain = home.write("plain", "echo x\n");
    assert_refused(&host, json!({"cmd": [path(&plain)]}), "not_executable", path(&plain));
    assert_refused(&host, json!({"cmd": [path(&home.path())]}), "not_executable", path(&home.path()));
    // Neither a binary nor a script.
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
    assert_refused(&host, json!({"cmd": [path(&plain)]}), "not_executable", path(&plain));
    let empty = home.write("empty", "");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755)).unwrap();
    assert_refused(&host, json!({"cmd": [path(&empty)]}), "not_executable", path(&empty));
    let bytes = home.path().join("bytes");
    fs::write(&bytes, b"\x7fELF but no binary at all").unwrap();
    fs::set_permissions(&bytes, fs::Permissions::from_mode(0o755)).unwrap();
    assert_refused(&host, json!({"cmd": [path(&bytes)]}), "not_executable", path(&bytes));
}

#[test]
fn a_script_whose_interpreter_is_not_there() {
    let host = Host::start();
    let script = host.home().write("script", "#!/no/such/interpreter -x\n");
    let refusal = host.refusal("run", json!({"cmd": [path(&script)]}));
    assert_eq!(refusal.code, "bad_interpreter", "{refusal:?}");
    assert!(
        refusal.message.contains(path(&script)) && refusal.message.contains("/no/such/interpreter"),
        "{}",
        refusal.message
    );
    assert_eq!(refusal.data["path"], "/no/such/interpreter");
    let plain = host.home().write("plain", "no program");
    let script = host.home().write("other", &format!("#!{}\n", plain.display()));
    assert_eq!(host.refusal("run", json!({"cmd": [path(&script)]})).code, "bad_interpreter");
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}

#[test]
fn a_folder_that_cannot_be_entered() {
    let host = Host::start();
    let missing = host.home().path().join("missing");
    assert_refused(&host, json!({"cmd": "true", "cwd": path(&missing)}), "bad_cwd", path(&missing));
    assert_refused(&host, json!({"cmd": "true", "cwd": "missing"}), "bad_cwd", path(&missing));
    let file = host.home().write("file", "x");
    assert_refused(&host, json!({"cmd": "true", "cwd": path(&file)}), "bad_cwd", path(&file));
}

#[test]
fn arguments_too_long_for_the_kernel() {
    let host = Host::start();
    let refusal = host.refusal("run", json!({"cmd": ["echo", "x".repeat(200_000)]}));
    assert_eq!(refusal.code, "invalid_params", "{refusal:?}");
    assert!(refusal.message.contains("too long"), "{}", refusal.message);
    assert_eq!(host.ask("sessions", json!({})), json!({}));
}

#[test]
fn what_failed_leaves_neither_processes_nor_descriptors_nor_events() {
    let host = Host::start();
    host.refusal("run", json!({"cmd": ["no-such-program"]}));
    eventually("no shim is left", || proc::below(host.pid()).is_empty());
    let before = proc::descriptors(host.pid()).len();
    for _ in 0..50 {
        host.refusal("run", json!({"cmd": ["no-such-program"], "name": "same"}));
    }
    eventually("no shim is left", || proc::below(host.pid()).is_empty());
    // A look at other processes, as at the host's start, may have had one open before.
    eventually("no descriptor is left", || proc::descriptors(host.pid()).len() <= before);
    assert!(host.state().events.is_empty(), "nobody is told of what never was");
}

#[test]
fn a_run_that_fails_leaves_its_session_as_it_was() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "exec sleep 1000", "name": "stays"}));
    host.refusal("run", json!({"cmd": ["no-such-program"], "session": "stays"}));
    assert_eq!(host.ask("sessions", json!({}))[&run.session_id]["run_ids"], json!([run.run_id]));
}

/// Descriptors run out while runs are started: those that are there go on, those that fail leave nothing.
#[test]
fn no_descriptors_left_is_an_error_of_that_one_run() {
    let home = Home::new();
    // Both limits: the host raises its soft one to the hard one.
    let host = home.host().by_shell("ulimit -n 40; exec \"$TERMI\" host").start();
    let witness = host.run_seen("while read line; do echo \"got $line\"; done");
    let mut runs = Vec::new();
    let refusal = loop {
        match host.call("run", json!({"cmd": "exec sleep 1000"})) {
            Ok(answer) => runs.push(answer),
            Err(refusal) => break refusal,
        }
        assert!(runs.len() < 40, "the limit was never reached");
    };
    assert_eq!(refusal.code, "resource_exhausted", "{refusal:?}");
    assert!(refusal.message.contains("ulimit"), "it says what to do: {}", refusal.message);
    assert!(!runs.is_empty());
    let settle = || {
        eventually("only the runs' processes are left", || proc::below(host.pid()).len() == 2 * (runs.len() + 1));
        proc::descriptors(host.pid()).len()
    };
    let full = settle();
    for _ in 0..20 {
        assert_eq!(host.refusal("run", json!({"cmd": "exec sleep 1000"})).code, "resource_exhausted");
    }
    assert_eq!(settle(), full, "descriptors leaked");
    assert_eq!(host.ask("sessions", json!({})).as_object().unwrap().len(), runs.len() + 1);
    host.input(&witness.run_id, "alive\r");
    host.wait_screen(&witness.run_id, "the witness", |screen| screen.contains(&"got alive".to_owned()));

    for run in &runs {
        assert_eq!(host.ask("kill", json!({"target": run["run_id"]}))["killed"], 1);
    }
    host.ask("remove", json!({"target": "all"}));
    eventually("everything of them is gone", || proc::below(host.pid()).len() == 2);
    let run = host.run_line("echo there is room again");
    host.wait_exited(&run.run_id);
    assert_eq!(host.text(&run), ["there is room again"]);
}
