//! Waiting: what waits for patterns cost the program that prints, and how long a list of sessions takes while one floods.

use std::time::Instant;

use serde_json::json;

use crate::{
    Plan,
    pairs::{Ratio, milliseconds, paired, quantile},
    report::Row,
    support::{Home, Host},
};

/// How many wait at a time. A host may refuse some of many: these cost nothing then.
const COUNTS: [usize; 4] = [1, 10, 100, 1000];

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = COUNTS.iter().map(|&count| waiting(plan, count)).collect();
    rows.extend(listing(plan));
    rows
}

fn waiting(plan: &Plan, count: usize) -> Row {
    let lines = if plan.quick { 50_000 } else { 300_000 };
    let host = Home::new().host().start();
    printed(&host, lines, 0);
    let (own, other): (Vec<f64>, Vec<f64>) =
        (0..plan.pairs()).map(|_| (printed(&host, lines, count), printed(&host, lines, 0))).unzip();
    let waits = if count == 1 { "wait" } else { "waits" };
    let what =
        format!("a program that prints {lines} lines, from its first to its end, with {count} {waits} for patterns");
    paired("waits", what, "ms", &own, ("with none", &other), Ratio::Own, None)
}

/// Milliseconds from the first line to the end of a program that as many wait for.
fn printed(host: &Host, lines: usize, waits: usize) -> f64 {
    let line = format!("read x; seq {lines}");
    let run = host.run(json!({"cmd": ["sh", "-c", line]}));
    let target = run.run_id.clone();
    let pending: Vec<_> = (0..waits)
        .map(|n| host.begin("wait", json!({"target": target, "until": {"pattern": format!("no line has {n}x")}})))
        .collect();
    // They are in order: this one is answered when all are there.
    host.ask("snapshot", json!({"run_id": run.run_id}));
    let begun = Instant::now();
    host.input(&run.run_id, "\n");
    host.wait_exited(&run.run_id);
    let took = milliseconds(begun.elapsed());
    drop(pending);
    host.ask("remove", json!({"target": target}));
    took
}

fn listing(plan: &Plan) -> [Row; 2] {
    let times = if plan.quick { 100 } else { 1000 };
    let host = Home::new().host().start();
    let lists = || -> Vec<f64> {
        let list = || {
            let begun = Instant::now();
            host.ask("sessions", json!({}));
            milliseconds(begun.elapsed())
        };
        (0..times).map(|_| list()).collect()
    };
    let mut taken: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..plan.pairs() {
        let idle = lists();
        let run = host.run(json!({"cmd": ["yes", "a line that is printed without end"]}));
        let flooded = lists();
        host.ask("kill", json!({"target": run.run_id, "grace_ms": 0}));
        host.ask("remove", json!({"target": run.run_id}));
        for (taken, times) in taken.iter_mut().zip([flooded, idle]) {
            taken[0].push(quantile(&times, 0.5));
            taken[1].push(quantile(&times, 0.99));
        }
    }
    let [own, other] = &taken;
    [("median", 0), ("p99", 1)].map(|(share, at)| {
        let what = format!("`sessions` while a run floods, {share}");
        paired("waits", what, "ms", &own[at], ("while nothing is printed", &other[at]), Ratio::Own, None)
    })
}
