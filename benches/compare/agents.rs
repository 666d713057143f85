//! Coding agents: what it costs the host to know what each is doing.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::Duration,
};

use serde_json::json;

use crate::{
    Plan,
    crowd::cpu_seconds,
    pairs::{Ratio, paired},
    report::{Row, Target},
    support::{Home, Host, Run},
};

/// Redraws a screen of an agent at work 30 times a second: a spinner, the seconds, and now and then a line of an answer.
const REDRAWS: &str = r#"#!/usr/bin/env python3
import os, time
os.write(1, b'\x1b[2J')
start, number = time.monotonic(), 0
while True:
    number += 1
    lines = ['answer %d: a line of what it says' % (number // 30 + row) for row in range(30)]
    lines += ['', '%s Thinking... (%ds, esc to interrupt)' % ('*+x.'[number % 4], number // 30), '', '> ', '  ? for shortcuts']
    os.write(1, ('\x1b[?2026h\x1b[H' + '\r\n'.join(line + '\x1b[K' for line in lines) + '\x1b[?2026l').encode())
    time.sleep(max(0, start + number / 30 - time.monotonic()))
"#;

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = [1, 20].map(|count| redrawing(plan, count)).into();
    rows.push(changing(plan));
    rows
}

fn redrawing(plan: &Plan, count: usize) -> Row {
    let home = Home::new();
    // A shell's script that no rule knows, and one that is named as an agent is.
    for name in ["claude", "nothing-known"] {
        let path = home.path().join(name);
        fs::write(&path, REDRAWS).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let stretch = if plan.quick { 3 } else { 10 };
    let host = home.host().start();
    let spent = |name: &str| {
        let program = home.path().join(name);
        let runs: Vec<Run> = (0..count).map(|_| start(&host, &program)).collect();
        // What a start costs is another matter.
        std::thread::sleep(Duration::from_secs(3));
        let before = cpu_seconds(host.pid());
        std::thread::sleep(Duration::from_secs(stretch));
        let spent = cpu_seconds(host.pid()) - before;
        for run in runs {
            host.ask("kill", json!({"target": run.run_id, "signal": "KILL"}));
            host.ask("remove", json!({"target": run.run_id}));
        }
        #[allow(clippy::cast_precision_loss, reason = "few seconds")]
        let seconds = stretch as f64;
        spent / seconds * 1e3
    };
    let (own, other): (Vec<f64>, Vec<f64>) =
        (0..plan.pairs()).map(|_| (spent("claude"), spent("nothing-known"))).unzip();
    let what = format!("host's processor time in a second, with {count} agents that redraw 30 times a second");
    let what = if count == 1 { what.replace("agents that redraw", "agent that redraws") } else { what };
    let target = Some(Target::RatioAtMost(1.02));
    paired("agents", what, "ms", &own, ("with programs that are none", &other), Ratio::Own, target)
}

/// What a change of one's state costs does not depend on how many others there are.
fn changing(plan: &Plan) -> Row {
    let many = if plan.quick { 100 } else { 1000 };
    let (own, other): (Vec<f64>, Vec<f64>) = (0..plan.pairs()).map(|_| (changes(many), changes(10))).unzip();
    let what = format!("host's processor time for a change of an agent's state, one of {many}");
    paired("agents", what, "ms", &own, ("one of 10", &other), Ratio::Own, None)
}

/// Milliseconds of the host's for each of a thousand changes, shared by so many agents.
fn changes(agents: usize) -> f64 {
    const CHANGES: usize = 1000;
    let home = Home::new();
    let program = home.path().join("claude");
    symlink("/bin/cat", &program).unwrap();
    let host = home.host().start();
    host.ask("configure", json!({"max_sessions": agents + 10, "max_runs": agents + 10}));
    let runs: Vec<Run> = (0..agents).map(|_| start(&host, &program)).collect();
    let report = |run: &Run, state: &str| {
        host.input(&run.run_id, format!("\x1b]7501;state={state}\x1b\\\n"));
        host.ask("wait", json!({"target": run.run_id, "until": {"state": [state]}}));
    };
    runs.iter().for_each(|run| report(run, "working"));
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu_seconds(host.pid());
    for number in 0..CHANGES {
        let state = if (number / agents).is_multiple_of(2) { "blocked" } else { "working" };
        report(&runs[number % agents], state);
    }
    #[allow(clippy::cast_precision_loss, reason = "a thousand")]
    let count = CHANGES as f64;
    (cpu_seconds(host.pid()) - before) * 1e3 / count
}

fn start(host: &Host, program: &Path) -> Run {
    host.run(json!({"cmd": [program], "size": {"rows": 48, "cols": 120}}))
}
