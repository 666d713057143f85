//! A hundred sessions in one host: what they cost when they have printed much, and when nothing happens.

use std::{collections::HashMap, fs, path::PathBuf, sync::Arc, time::Duration};

use nix::libc;
use serde_json::json;

use crate::{
    Plan,
    data::{Data, LAST_LINE},
    pairs::single,
    report::{Row, Target},
    support::{Home, Host, Run, proc},
};

/// What 100 programs need for 50 MB each on a slow machine.
const LIMIT: Duration = Duration::from_secs(900);

pub fn memory_rows(plan: &Plan) -> Vec<Row> {
    let (sessions, size) = if plan.quick { (20, 2_000_000) } else { (100, 50_000_000) };
    let data = Data::log_lines(size);
    let host = host();
    let done = host.home().path().join("done");
    fs::create_dir(&done).unwrap();
    // `wait` would look at each line; a file that each program makes costs the host nothing.
    let line = format!("cat '{}'; : > '{}'/$$; exec cat", data.path(), done.display());
    let runs: Vec<Run> = (0..sessions).map(|_| start(&host, &["sh", "-c", &line])).collect();
    crate::support::within(LIMIT, "each session has printed its file", || {
        (fs::read_dir(&done).unwrap().count() == sessions).then_some(())
    });
    for run in &runs {
        crate::support::eventually("the host has taken in the last line", || {
            let shown = host.ask("snapshot", json!({"run_id": run.run_id}));
            shown["lines"].as_array().unwrap().iter().any(|line| line == LAST_LINE)
        });
    }
    // What was freed goes back to the system once it is quiet.
    std::thread::sleep(Duration::from_secs(5));
    let per_session = |bytes: u64| megabytes(bytes) / f64::from(u32::try_from(sessions).unwrap());
    let shims: u64 = children(host.pid()).iter().filter_map(|&pid| proportional_bytes(pid)).sum();
    let megabytes = size / 1_000_000;
    let what = format!("host memory of {sessions} sessions that printed {megabytes} MB each, a session, ");
    let resident = per_session(proc::resident_bytes(host.pid()));
    let target = Some(Target::ValueBelow(1.2));
    let mut rows = vec![single("memory", what.clone() + "resident", "MB", &[resident], target)];
    if let Some(bytes) = proportional_bytes(host.pid()) {
        rows.push(single("memory", what + "proportional", "MB", &[per_session(bytes)], None));
        let what = "memory of the process that watches over a program, proportional";
        rows.push(single("memory", what, "MB", &[per_session(shims)], None));
    }
    rows
}

pub fn idle_rows(plan: &Plan) -> Vec<Row> {
    let (sessions, stretch) = if plan.quick { (20, 3) } else { (100, 30) };
    let host = host();
    for _ in 0..sessions {
        let run = start(&host, &["sh", "-c", "echo ready; exec cat"]);
        host.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
        host.wait_screen(&run.run_id, "the program's word", |screen| screen.iter().any(|line| line == "ready"));
    }
    // What was started last may still be busy with that.
    std::thread::sleep(Duration::from_secs(2));
    let before = (cpu_seconds(host.pid()), switches(host.pid()));
    std::thread::sleep(Duration::from_secs(stretch));
    let after = (cpu_seconds(host.pid()), switches(host.pid()));
    #[allow(clippy::cast_precision_loss, reason = "few seconds")]
    let seconds = stretch as f64;
    let share = (after.0 - before.0) / seconds * 100.0;
    // Of a thread that has ended meanwhile nothing is known but that it woke to do so.
    let gone = before.1.keys().filter(|thread| !after.1.contains_key(*thread)).count();
    let woken: u64 = after.1.iter().map(|(thread, count)| count - before.1.get(thread).unwrap_or(&0)).sum();
    let per_second = f64::from(u32::try_from(woken).unwrap() + u32::try_from(gone).unwrap()) / seconds;
    let what = format!("host with {sessions} idle sessions attached, ");
    vec![
        single("idle", what.clone() + "share of a core", "%", &[share], Some(Target::ValueBelow(0.1))),
        single("idle", what + "wake-ups", "/s", &[per_second], Some(Target::ValueBelow(1.0))),
    ]
}

fn host() -> Host {
    let home: Arc<Home> = Home::new();
    home.host().start()
}

fn start(host: &Host, command: &[&str]) -> Run {
    host.run(json!({"cmd": command, "size": {"rows": 48, "cols": 160}}))
}

#[allow(clippy::cast_precision_loss, reason = "megabytes")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Resident memory with shared pages counted by their share; none where the kernel does not say.
pub fn proportional_bytes(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

pub fn children(pid: i32) -> Vec<i32> {
    proc::below(pid).iter().filter(|stat| stat.parent == pid).map(|stat| stat.pid).collect()
}

/// Seconds on a processor, to the nanosecond, of all its threads: those too that have ended, whose time what `/proc` tells
/// of the living ones lacks.
pub fn cpu_seconds(pid: i32) -> f64 {
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: both write to where they are told to, which is there and theirs alone.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) != 0 || libc::clock_gettime(clock, &raw mut time) != 0
    };
    assert!(!failed, "process {pid} has no clock: {}", std::io::Error::last_os_error());
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}

/// How often each of its threads has gone to sleep: each waking is one.
fn switches(pid: i32) -> HashMap<PathBuf, u64> {
    let count = |text: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?.trim().parse().ok()
    };
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.join("status")).ok()?;
            Some((thread, count(&text)?))
        })
        .collect()
}
