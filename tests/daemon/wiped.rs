//! doc/faults.md row 44: the socket's home is wiped while the daemon runs, as at a logout, or has a path that no socket can
//! have. The daemon is found again, and there is never a second one beside it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::support::{Daemon, Home, eventually};

/// A daemon with a session.
fn daemon(home: &std::sync::Arc<Home>) -> (Daemon, i32) {
    let daemon = Daemon::of(home);
    assert_eq!(termi(&daemon, &["run", "-n", "first", "exec sleep 1000"]).0, 0);
    let pid = daemon.pid();
    (daemon, pid)
}

fn termi(daemon: &Daemon, args: &[&str]) -> (i32, String) {
    let output = daemon.command(args).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// The names that `termi ls` lists.
fn names(daemon: &Daemon) -> Vec<String> {
    let (_, text) = termi(daemon, &["ls"]);
    let mut names: Vec<String> =
        text.lines().skip(1).filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn a_wiped_socket_is_made_again_and_whoever_comes_meanwhile_finds_the_same_daemon() {
    let home = Home::new();
    let (daemon, pid) = daemon(&home);
    let base = home.runtime().parent().unwrap().to_owned();
    let wiped: [&dyn Fn(); 4] = [
        &|| fs::remove_file(daemon.socket()).unwrap(),
        &|| fs::remove_file(home.runtime().join("daemon.lock")).unwrap(),
        &|| fs::remove_dir_all(home.runtime()).unwrap(),
        &|| fs::remove_dir_all(&base).unwrap(),
    ];
    for (n, wipe) in wiped.iter().enumerate() {
        wipe();
        // At once: it lists what runs, starts nothing beside it, and many that come at a time join the one.
        assert!(names(&daemon).contains(&"first".to_owned()), "{n}");
        wipe_again(&daemon);
        let comers: Vec<_> = (0..4)
            .map(|m| {
                daemon.command(&["run", "-n", &format!("r{n}{m}"), "exec sleep 1000"]).stdout(Stdio::null()).spawn()
            })
            .collect();
        for comer in comers {
            assert!(comer.unwrap().wait().unwrap().success());
        }
        assert_eq!(names(&daemon).len(), 1 + 4 * (n + 1), "{n}");
        assert_eq!(daemon.pid(), pid);
    }
    let (code, said) = termi(&daemon, &["daemon"]);
    assert!(code == 125 && said.contains("is already running"), "{said}");
    eventually("the lock is there again", || home.runtime().join("daemon.lock").exists());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&base), mode(&home.runtime()), mode(&daemon.socket())), (0o700, 0o700, 0o600));
    // Another binary in its place guards it as well.
    assert_eq!(termi(&daemon, &["daemon", "--replace"]), (0, String::new()));
    wipe_again(&daemon);
    assert_eq!(names(&daemon).len(), 17);
    assert_eq!(daemon.pid(), pid);
}

fn wipe_again(daemon: &Daemon) {
    let _ = fs::remove_file(daemon.socket());
}

/// Where it cannot be made again, clients look where the daemon has gone to; and when the place is there again.
#[test]
fn where_the_place_is_gone_for_good_the_next_is_taken_and_found() {
    let home = Home::new();
    let (daemon, pid) = daemon(&home);
    let base = home.runtime().parent().unwrap().to_owned();
    fs::remove_dir_all(&base).unwrap();
    fs::write(&base, "").unwrap();
    assert_eq!(names(&daemon), ["first"]);
    assert_eq!(termi(&daemon, &["run", "-n", "second", "true"]).0, 0);
    assert_eq!(daemon.pid(), pid);
    let log = home.log();
    let moved =
        log.lines().find_map(|line| line.split_once("the socket was gone, and is at ")).expect("the log says so");
    let elsewhere = PathBuf::from(moved.1.strip_suffix(" now").unwrap());
    // The next login.
    fs::remove_file(&base).unwrap();
    fs::create_dir(&base).unwrap();
    assert_eq!(names(&daemon), ["first", "second"]);
    assert_eq!(termi(&daemon, &["run", "-n", "third", "true"]).0, 0);
    assert_eq!(daemon.pid(), pid);
    assert_eq!(termi(&daemon, &["kill", "all"]).0, 0);
    assert_eq!(termi(&daemon, &["daemon", "--stop"]).0, 0);
    eventually("it has ended", || daemon.processes().is_empty());
    fs::remove_dir_all(elsewhere.parent().unwrap()).unwrap();
}

#[test]
fn a_place_too_long_for_a_socket_is_one_with_a_short_path() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let long = home.path().join("x".repeat(100));
    fs::create_dir(&long).unwrap();
    let termi = |args: &[&str]| {
        let output = daemon.command(args).env("XDG_RUNTIME_DIR", &long).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let socket = termi(&["run", "-n", "a", "--wait", "stty -echo; echo $TERMI_SOCKET"]);
    let socket = PathBuf::from(socket.trim());
    assert!(socket.exists() && socket.as_os_str().len() < 100, "{}", socket.display());
    let mode = fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    assert!(termi(&["ls"]).contains("exited 0"));
    termi(&["daemon", "--stop"]);
    eventually("it has ended", || daemon.processes().is_empty());
    fs::remove_dir_all(socket.parent().unwrap()).unwrap();
}
