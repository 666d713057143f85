//! Hundreds of sessions of one host: started, listed and killed, beside as many bare PTYs with the same program; the
//! memory that they take, and what it costs to watch a hundred.

use std::{
    os::fd::OwnedFd,
    process::{Child, Command},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    Plan,
    crowd::{children, cpu_seconds, megabytes, proportional_bytes},
    pairs::{Ratio, median, milliseconds, paired, single},
    peers::on_pty,
    report::Row,
    support::{Home, Host, proc},
};

const SIZE: (u16, u16) = (24, 80);

/// How often a list that somebody sees is asked for (`list.refresh_ms`).
const LIST_INTERVAL: Duration = Duration::from_secs(1);

/// One life of all: milliseconds of a start, and of killing all.
struct Life {
    start: f64,
    kill: f64,
}

/// What else is to be known of all sessions while they live.
struct Living {
    list: f64,
    host: u64,
    host_empty: u64,
    shims: Option<u64>,
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let (count, lives) = if plan.quick { (100, 1) } else { (500, 3) };
    let (mut own, mut other, mut living) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..lives {
        let (life, more) = sessions(count);
        own.push(life);
        living.push(more);
        other.push(bare(count));
    }
    let row = |what: String, of: fn(&Life) -> f64| {
        let [own, other] = [&own, &other].map(|lives| lives.iter().map(of).collect::<Vec<_>>());
        let peer = format!("{count} bare PTYs with cat");
        paired("sessions", what, "ms", &own, (&peer, &other), Ratio::Own, None)
    };
    let alone = |what: String, unit: &str, of: &dyn Fn(&Living) -> f64| {
        let values: Vec<f64> = living.iter().map(of).collect();
        single("sessions", what, unit, &values, None)
    };
    let mut rows = vec![
        row(format!("start of a session with cat, one of {count}"), |life| life.start),
        alone(format!("`sessions` with {count} sessions, median"), "ms", &|living| living.list),
        row(format!("killing {count} sessions, until all are gone"), |life| life.kill),
        alone(format!("host memory at {count} sessions, resident"), "MB", &|living| megabytes(living.host)),
        alone("host memory before the first session, resident".to_owned(), "MB", &|living| {
            megabytes(living.host_empty)
        }),
    ];
    if living.iter().all(|living| living.shims.is_some()) {
        let what = format!("memory of the processes that watch over {count} programs, proportional");
        rows.push(alone(what, "MB", &|living| megabytes(living.shims.unwrap_or(0))));
    }
    rows.extend(monitoring(plan));
    rows
}

fn sessions(count: usize) -> (Life, Living) {
    let host = Home::new().host().start();
    let host_empty = proc::resident_bytes(host.pid());
    let starts: Vec<f64> = (0..count).map(|_| timed(|| start(&host))).collect();
    let lists: Vec<f64> = (0..20).map(|_| timed(|| assert_eq!(active(&host), count))).collect();
    let shims = children(host.pid());
    let living = Living {
        list: median(&lists),
        host: proc::resident_bytes(host.pid()),
        host_empty,
        shims: shims.iter().map(|&pid| proportional_bytes(pid)).sum(),
    };
    let kill = timed(|| {
        let answer = host.ask("kill", json!({"target": "all"}));
        assert_eq!(answer["killed"], count, "{answer}");
    });
    (Life { start: median(&starts), kill }, living)
}

fn bare(count: usize) -> Life {
    let mut all: Vec<(Child, OwnedFd)> = Vec::new();
    let starts: Vec<f64> = (0..count).map(|_| timed(|| all.push(on_pty(&mut Command::new("cat"), SIZE)))).collect();
    let kill = timed(|| {
        for (child, _) in &all {
            // Not SIGHUP: whoever starts this with nohup has it ignored by them all.
            kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        }
        for (child, _) in &mut all {
            child.wait().unwrap();
        }
    });
    Life { start: median(&starts), kill }
}

/// The host's share of a core while a client asks for all sessions as the list does, and while nobody asks.
fn monitoring(plan: &Plan) -> [Row; 2] {
    let (count, times) = if plan.quick { (100, 5) } else { (100, 30) };
    let host = Home::new().host().start();
    for _ in 0..count {
        start(&host);
    }
    // What was started last may still be busy with that.
    std::thread::sleep(Duration::from_secs(2));
    let share = |looks: bool| {
        let (before, begun) = (cpu_seconds(host.pid()), Instant::now());
        for turn in 1..=times {
            if looks {
                assert_eq!(active(&host), count);
            }
            std::thread::sleep((LIST_INTERVAL * turn).saturating_sub(begun.elapsed()));
        }
        (cpu_seconds(host.pid()) - before) / begun.elapsed().as_secs_f64() * 100.0
    };
    let what = |how: &str| format!("host with {count} idle runs, share of a core while {how}");
    [("nobody looks", false), ("a list of them is open", true)]
        .map(|(how, looks)| single("sessions", what(how), "%", &[share(looks)], None))
}

fn start(host: &Host) {
    host.run(json!({"cmd": ["cat"], "size": {"rows": SIZE.0, "cols": SIZE.1}}));
}

fn active(host: &Host) -> usize {
    let sessions = host.ask("sessions", json!({}));
    sessions.as_object().unwrap().values().filter(|session| session["active_processes"] == 1).count()
}

fn timed(act: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    act();
    milliseconds(begun.elapsed())
}
