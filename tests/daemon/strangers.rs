//! doc/faults.md row 24, another uid: a process of another user is turned away by who it is, whatever the files' modes let
//! through; and what belongs to another user is not trusted.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{PermissionsExt, chown},
        net::UnixStream,
    },
    path::Path,
    process::Stdio,
    thread,
};

use nix::libc;
use serde_json::json;

use crate::support::{Daemon, Home, eventually, from_json, skipped};

/// `nobody` on Debian; whoever it is, not root.
const STRANGER: u32 = 65534;

/// Only root can be somebody else. Whoever is not must say so, or this would pass everywhere unseen.
fn can_be_another() -> bool {
    let is_root = nix::unistd::Uid::effective().is_root();
    if !is_root {
        skipped("only root can make a process of another user");
    }
    is_root
}

/// Lets everybody through to a socket: what then stops anyone is not the file system.
fn open_to_all(socket: &Path) {
    let temporary = std::env::temp_dir().canonicalize().unwrap();
    for folder in socket.parent().unwrap().ancestors().take_while(|folder| **folder != *temporary) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(socket, fs::Permissions::from_mode(0o666)).unwrap();
}

/// What comes back to a call over a socket from a user of that id, until the end.
fn said_to(uid: u32, socket: &Path) -> Vec<u8> {
    let socket = socket.to_owned();
    let other = thread::spawn(move || {
        // For the kernel a user is a thread's; the C library, which would change all threads, is not asked.
        // SAFETY: a system call with three numbers; the thread does nothing else and ends.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
        assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
        let mut stream = UnixStream::connect(socket).expect("the file system lets it through");
        let hello = json!([0, 1, "initialize", [{"protocol": 1, "client": {"name": "stranger", "version": "1"}}]]);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &from_json(&hello)).unwrap();
        // It may be closed before this is written.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        said
    });
    other.join().unwrap()
}

#[test]
fn another_user_is_turned_away_at_the_sockets_of_daemon_and_host() {
    if !can_be_another() {
        return;
    }
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let script = daemon.connect();
    let run = script.ask("run", json!({"cmd": "exec sleep 1000", "name": "mine"}));
    let host = home.host().start();
    for socket in [daemon.socket(), host.socket()] {
        open_to_all(&socket);
        let before = home.log().matches("another user was refused").count();
        assert_eq!(said_to(STRANGER, &socket), b"", "not a byte for a stranger");
        eventually("it is in the log", || home.log().matches("another user was refused").count() > before);
        assert_ne!(said_to(0, &socket), b"", "the same words by the user are answered");
    }
    assert_eq!(script.ask("kill", json!({"target": run["session_id"]}))["killed"], 1, "all goes on");
    fs::set_permissions(home.runtime(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_socket_or_folder_of_another_user_is_refused() {
    if !can_be_another() {
        return;
    }
    for of_the_folder in [false, true] {
        let home = Home::new();
        let daemon = Daemon::of(&home);
        fs::create_dir(home.runtime()).unwrap();
        fs::set_permissions(home.runtime(), fs::Permissions::from_mode(0o700)).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(daemon.socket()).unwrap();
        let theirs = if of_the_folder { home.runtime() } else { daemon.socket() };
        chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
        for args in [&["daemon"] as &[&str], &["host", "--persist"], &["ls"]] {
            let output = daemon.command(args).stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{args:?}");
            assert!(said.contains("belongs to another user"), "{args:?}: {said}");
            assert!(said.contains(theirs.to_str().unwrap()), "{args:?}: {said}");
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody has even knocked");
        fs::remove_file(daemon.socket()).unwrap();
    }
}
