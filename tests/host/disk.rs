//! Fault 21: a disk that is full, read-only or gone. The log and the history lose lines, with one warning; sessions
//! feel nothing.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use nix::{
    fcntl::OFlag,
    sys::stat::Mode,
    unistd::{UnlinkatFlags, unlinkat},
};

use serde_json::json;

use crate::support::{Home, Host, eventually, skipped};

/// A shell line that executes another one, `$LINE`, where what it mounts is seen by nobody else.
///
/// `unshare` makes the root's mounts private, which needs the root to be a mount point; in a plain chroot it is none.
/// There /proc is one, which is made private and covered by the root: that copy of it is a mount point, private too,
/// and the line is executed with it as its root.
const APART: &str = r#"
    if [ "$(id -u)" != 0 ]; then exec unshare -Urm sh -c "$LINE"; fi
    if mountpoint -q /; then exec unshare --mount sh -c "$LINE"; fi
    exec unshare --mount --propagation unchanged sh -ec '
        mount --make-private /proc
        mount --rbind / /proc
        mount --make-rprivate /proc
        exec chroot /proc sh -c "cd \"$1\"; $LINE"' sh "$PWD"
"#;

/// Whether the kernel lets this user mount something that nobody else sees. Where it does not, as in a container
/// without the right to, what a test did about disks would prove nothing: it is skipped. Any other trouble fails.
fn can_mount() -> bool {
    let output = Command::new("sh").args(["-c", APART]).env("LINE", "mount -t tmpfs none /mnt").output();
    let output = output.unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        let refused = ["not permitted", "permission denied"].iter().any(|words| said.contains(words));
        assert!(refused, "nothing can be mounted, and not for want of a right: {said}");
        skipped(&format!("this machine lets nobody here mount anything: {said}"));
    }
    output.status.success()
}

/// A host whose state folder is on a file system of its own, seen by nobody else. `mount` sees it as `$STATE`.
fn host_on(home: &std::sync::Arc<Home>, mount: &str) -> Host {
    let line = format!(
        "unset LINE; STATE=\"$XDG_STATE_HOME/termi\"; mkdir -m 700 -p \"$STATE\"; {mount}; exec \"$TERMI\" host"
    );
    home.host().env("LINE", line).by_shell(APART).start()
}

/// The state folder as that host sees it.
fn state(host: &Host) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", host.pid(), host.home().state().display()))
}

fn works(host: &Host) {
    let run = host.run(json!({"cmd": "read line; echo \"heard $line\"; seq 1000; exit 7", "log": true}));
    host.ask("send", json!({"target": run.run_id, "data": "all is well", "enter": true}));
    host.wait_pattern(&run, "heard all is well");
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["code"], 7);
    assert_eq!(host.text(&run).last().unwrap(), "1000");
}

fn warnings(host: &Host) -> usize {
    host.stderr().matches("the log cannot be written").count()
}

#[test]
fn a_full_disk_costs_log_and_history_and_one_warning() {
    if !can_mount() {
        return;
    }
    let home = Home::new();
    let host = host_on(&home, "mount -t tmpfs -o size=256k,mode=700 none \"$STATE\"");
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], 1);
    let ballast = state(&host).join("ballast");
    // As much as there is room for.
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    // The last pages of both files still take a few lines.
    let mut kept = 0;
    eventually("nothing more can be kept", || {
        works(&host);
        let total = host.ask("history", json!({}))["total"].as_u64().unwrap();
        std::mem::replace(&mut kept, total) == total && warnings(&host) == 1
    });
    fs::remove_file(&ballast).unwrap();
    for log in fs::read_dir(state(&host).join("logs")).unwrap() {
        let _ = fs::remove_file(log.unwrap().path());
    }
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], kept + 1, "and goes on when there is room");
    let text = fs::read_to_string(state(&host).join("history.jsonl")).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "half a line: {text}");
    assert_eq!(warnings(&host), 1, "{}", host.stderr());
}

/// doc/faults.md row 37. A limit of the process itself (`ulimit -f`) is met where a disk would be full.
#[test]
fn a_limit_on_the_size_of_files_costs_log_history_and_outputs_and_one_warning() {
    let home = Home::new();
    // Blocks are of 512 or of 1,024 bytes, as the shell has them.
    let host = home.host().by_shell("ulimit -f 16; exec \"$TERMI\" host").start();
    let keepme = host.run_line("read line; echo \"heard $line\"; exec sleep 1000");
    let mut kept = None;
    eventually("nothing more can be kept", || {
        works(&host);
        let total = host.ask("history", json!({}))["total"].as_u64();
        std::mem::replace(&mut kept, total) == total && warnings(&host) == 1
    });
    let large = host.run(json!({"cmd": "seq 20000; echo done", "log": true}));
    assert_eq!(host.wait_exited(&large.run_id)["exit"]["code"], 0);
    assert_eq!(host.text(&large).last().unwrap(), "done");
    works(&host);
    assert_eq!(warnings(&host), 1, "{}", host.stderr());
    host.input(&keepme.run_id, "you\r");
    host.wait_pattern(&keepme, "^heard you$");
    let history = host.ask("health", json!({}))["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "history")
        .cloned();
    assert_eq!(history.unwrap()["status"], "warn");
    let text = fs::read_to_string(home.state().join("history.jsonl")).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "half a line: {text}");
    // Programs have the signal at its default.
    let status = host.output_of(json!({"cmd": "kill -XFSZ $$; echo survived"}));
    assert!(!status.iter().any(|line| line.contains("survived")), "{status:?}");
}

#[test]
fn a_read_only_folder_costs_log_and_history_and_one_warning() {
    if !can_mount() {
        return;
    }
    let home = Home::new();
    let host = host_on(&home, "mount --bind \"$STATE\" \"$STATE\" && mount -o remount,ro,bind \"$STATE\"");
    for _ in 0..3 {
        works(&host);
    }
    assert_eq!(host.ask("history", json!({}))["total"], 0);
    assert_eq!(host.stderr().matches("cannot write a log").count(), 1, "{}", host.stderr());
    assert_eq!(host.stderr().lines().count(), 1, "{}", host.stderr());
}

/// Carries out a line of shell where that host's mounts are.
fn in_mounts_of(host: &Host, line: &str) {
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(host.pid().to_string()).args(["--mount", "--root"]);
    if !nix::unistd::Uid::effective().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["sh", "-ec", line]).env("STATE", host.home().state());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What is open for writing keeps a folder from being turned read-only; so the same folder is mounted over itself, and
/// that is read-only: what is opened from now on is refused. What is open already is taken away by its old name.
#[test]
fn a_folder_that_turns_read_only_while_it_is_open_costs_log_and_history_and_one_warning_each() {
    if !can_mount() {
        return;
    }
    let home = Home::new();
    let host = host_on(&home, "mount -t tmpfs -o mode=700 none \"$STATE\"");
    works(&host);
    let log = || fs::read_to_string(newest_log(&host)).unwrap_or_default();
    let lost = |log: &str| log.matches("what cannot be written is lost").count();
    let early = host.run(json!({"cmd": "read line; echo \"heard $line\"; read line; exit 6", "log": true}));
    let old = File::open(state(&host)).unwrap();

    in_mounts_of(&host, "mount --bind \"$STATE\" \"$STATE\"; mount -o remount,ro,bind \"$STATE\"");
    let probe = nix::fcntl::open(&state(&host).join("probe"), OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRUSR);
    assert_eq!(probe, Err(nix::errno::Errno::EROFS), "it is read-only");
    for _ in 0..3 {
        works(&host);
    }
    assert_eq!(host.ask("history", json!({}))["total"], 1, "what was kept can be read");
    eventually("one warning about the history", || lost(&log()) >= 1);
    // What it holds open goes on, which is no sign that the folder can be written.
    host.ask("send", json!({"target": early.run_id, "data": "me too", "enter": true}));
    host.wait_pattern(&early, "heard me too");
    for _ in 0..2 {
        works(&host);
    }
    assert_eq!(host.ask("history", json!({}))["total"], 1);
    assert_eq!((lost(&log()), host.stderr().as_str()), (1, ""), "{}", log());

    let name = newest_log(&host);
    unlinkat(Some(std::os::fd::AsRawFd::as_raw_fd(&old)), name.file_name().unwrap(), UnlinkatFlags::NoRemoveDir)
        .unwrap();
    for _ in 0..3 {
        works(&host);
    }
    eventually("one warning about the log", || warnings(&host) == 1);

    in_mounts_of(&host, "umount \"$STATE\"");
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], 2, "and goes on when it can be written again");
    eventually("the log is there again", || log().contains("exited with code 7"));
    host.ask("send", json!({"target": early.run_id, "data": "end", "enter": true}));
    assert_eq!(host.wait_exited(&early.run_id)["exit"]["code"], 6);
    assert_eq!((lost(&log()), warnings(&host), host.stderr().lines().count()), (0, 1, 1), "{}", host.stderr());
}

/// The host's own log.
fn newest_log(host: &Host) -> PathBuf {
    let files = fs::read_dir(state(host)).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "log")).max().unwrap_or_default()
}

#[test]
fn a_deleted_folder_is_made_again() {
    let home = Home::new();
    let host = home.host().start();
    works(&host);
    // The end is told before it is written down.
    eventually("it is in the history", || host.ask("history", json!({}))["total"] == 1);
    fs::remove_dir_all(home.state()).unwrap();
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], 1, "what was deleted is gone, what comes is kept");
    eventually("the log is there again", || home.log().contains("exited with code 7"));
    assert_eq!(host.stderr(), "");
}

/// Opened, it would be waited for until somebody writes.
#[test]
fn a_pipe_or_a_link_in_the_place_of_a_file_is_not_opened() {
    let home = Home::new();
    let host = home.host().start();
    let (log, history) = (newest_log(&host), state(&host).join("history.jsonl"));
    let state = home.state();
    let name = log.file_name().unwrap().to_owned();
    drop(host);
    fs::remove_file(state.join(&name)).unwrap();
    let _ = fs::remove_file(home.state().join(history.file_name().unwrap()));
    nix::unistd::mkfifo(&state.join(&name), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    nix::unistd::mkfifo(&state.join("history.jsonl"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let host = home.host().start();
    works(&host);
    assert_eq!(host.ask("history", json!({}))["total"], 0);
    let said = host.stderr();
    assert!(said.contains("is not a regular file; remove it"), "{said}");
    drop(host);
    fs::remove_file(state.join(&name)).unwrap();
    let elsewhere = home.write("elsewhere", "as it was");
    std::os::unix::fs::symlink(&elsewhere, state.join(&name)).unwrap();
    works(&home.host().start());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "as it was");
}
