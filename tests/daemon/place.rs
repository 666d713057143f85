//! doc/faults.md row 24: the socket's place. What is planted there is refused; there is exactly one daemon whoever starts it
//! and when, and nobody waits for one that never comes.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    process::Stdio,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Daemon, Home, eventually, eventually_some, proc};

#[test]
fn the_folder_and_everything_in_it_are_for_the_user_alone() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let _editor = home.host().by_shell("umask 000; exec \"$TERMI\" host --persist").start();
    let mode = |path: &std::path::Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.runtime()), 0o700);
    assert_eq!(mode(&daemon.socket()), 0o600);
    assert_eq!(mode(&home.runtime().join("daemon.lock")), 0o600);
}

#[test]
fn what_is_planted_in_the_sockets_place_is_refused_and_named() {
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real.sock");
    let _listener = UnixListener::bind(&real).unwrap();
    type Plant = fn(&std::path::Path, &std::path::Path);
    let plants: [(&str, &str, Plant); 4] = [
        ("daemon.sock", "is not a socket", |path, real| std::os::unix::fs::symlink(real, path).unwrap()),
        ("daemon.sock", "is not a socket", |path, _| fs::write(path, "").unwrap()),
        ("daemon.sock", "is not a socket", |path, _| fs::create_dir(path).unwrap()),
        ("daemon.lock", "is a link", |path, real| std::os::unix::fs::symlink(real, path).unwrap()),
    ];
    for (name, why, plant) in plants {
        let home = Home::new();
        let daemon = Daemon::of(&home);
        fs::create_dir(home.runtime()).unwrap();
        fs::set_permissions(home.runtime(), fs::Permissions::from_mode(0o700)).unwrap();
        let path = home.runtime().join(name);
        plant(&path, &real);
        for args in [&["daemon"] as &[&str], &["daemon", "--detach"], &["host", "--persist"]] {
            let output = daemon.command(args).stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success());
            assert!(said.contains(why) && said.contains(path.to_str().unwrap()), "{args:?}: {said}");
            assert!(said.contains("remove it"), "it says what to do: {said}");
        }
        assert!(fs::symlink_metadata(&path).is_ok(), "what is there is not touched");
        let _ = fs::remove_dir(&path).or_else(|_| fs::remove_file(&path));
    }
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), home.runtime()).unwrap();
    let output = daemon.command(&["daemon"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is not a directory"), "{said}");
    fs::remove_file(home.runtime()).unwrap();
}

#[test]
fn of_many_that_start_at_once_one_is_the_daemon_and_all_are_served() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let clients: Vec<_> = (0..8).map(|_| home.host().persist().start_silent()).collect();
    let pids: Vec<_> = clients.iter().map(|client| client.initialize()["pid"].as_i64().unwrap()).collect();
    assert_eq!(pids, vec![i64::from(daemon.pid()); 8]);
    let run = clients[0].run_line("exec sleep 1000");
    assert_eq!(clients[7].info(&run)["status"], "active");
}

#[test]
fn a_second_daemon_is_refused_and_says_what_to_do() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let _editor = home.host().persist().start();
    let output = daemon.command(&["daemon"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("is already running") && said.contains("--replace"), "{said}");
    assert!(daemon.command(&["daemon", "--detach"]).status().unwrap().success(), "there is one, which was wanted");
    let _ = daemon.pid();
}

/// The old daemon takes its time, as its programs do not go; who comes meanwhile is served by the next.
#[test]
fn who_comes_while_a_daemon_ends_gets_the_next_one() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    for asked in [true, false] {
        let editor = home.host().persist().start();
        let stubborn = "trap '' HUP TERM; echo deaf; while :; do sleep 1000; done";
        let run = editor.run_line(stubborn);
        editor.wait_pattern(&run, "deaf");
        let old = daemon.pid();
        let ending = if asked {
            Some(editor.begin("shutdown", json!({})))
        } else {
            proc::signal(old, Signal::SIGTERM);
            None
        };
        eventually("it takes its socket away", || !daemon.socket().exists());
        let next = home.host().persist().start();
        assert_eq!(next.ask("sessions", json!({})), json!({}));
        assert_ne!(i64::from(old), next.initialize()["pid"].as_i64().unwrap());
        assert!(proc::gone(old), "never two at once");
        drop(ending);
    }
}

#[test]
fn the_socket_of_a_killed_daemon_is_no_obstacle() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let editor = home.host().persist().start_silent();
    editor.initialize();
    daemon.kill_9();
    assert!(daemon.socket().exists());
    let mut foreground = daemon.command(&["daemon"]).stderr(Stdio::piped()).spawn().unwrap();
    let client = eventually_some("it serves", || daemon.try_connect());
    assert_eq!(daemon.pid(), foreground.id().cast_signed());
    client.ask("shutdown", json!({}));
    assert!(foreground.wait().unwrap().success());
}
