//! JSON-RPC beside msgpack-RPC, to hosts that are alike: what a question and its answer take, and what it costs to
//! send a view a whole new screen.

use std::{sync::Arc, time::Instant};

use serde_json::{Value as Json, json};

use crate::{
    Plan,
    crowd::cpu_seconds,
    pairs::{Ratio, median, milliseconds, paired},
    report::Row,
    support::{Home, Host},
};

const ROWS: usize = 48;
const COLUMNS: usize = 160;

/// Draws a whole other screen for each line that it reads: coloured rows, the last with the screen's number.
const SCRIPT: &str = r#"stty -echo
n=0
word=0a1b2c3d
while :; do
  screen=''
  row=1
  while [ $row -lt 48 ]; do
    screen="$screen\033[$row;1H\033[3$(((row + n) % 8))mINFO \033[m10:00:$row worker-$n request=$word path=/api/v1/items/$n status=200 took=$n.$row ms\033[K"
    row=$((row + 1))
  done
  printf "$screen\033[48;1Hscreen %d\033[K" $n
  read -r x
  n=$((n + 1))
done
"#;

/// What one kind of client was told of: milliseconds, microseconds of the host, bytes; each of one screen.
struct Cost {
    time: f64,
    processor: f64,
    bytes: f64,
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let hosts = [true, false].map(host);
    let calls = if plan.quick { 200 } else { 2000 };
    let [json, msgpack] = pairs(plan, &hosts, |host| round_trip(host, calls));
    let what = "round trip of `sessions` with one ended session";
    let mut rows = vec![paired("json", what, "ms", &json, ("msgpack", &msgpack), Ratio::Own, None)];
    let screens = if plan.quick { 50 } else { 300 };
    for format in ["ansi", "spans"] {
        let runs = hosts.each_ref().map(|host| drawn(host, format));
        let [json, msgpack] =
            pairs(plan, &[(&hosts[0], &runs[0]), (&hosts[1], &runs[1])], |(host, run)| screens_of(host, run, screens));
        let mut row = |what: &str, unit: &str, of: fn(&Cost) -> f64| {
            let [json, msgpack] = [&json, &msgpack].map(|costs| costs.iter().map(of).collect::<Vec<_>>());
            let what = format!("a full-screen change of {ROWS}x{COLUMNS} as {format} frames, {what}");
            rows.push(paired("json", what, unit, &json, ("msgpack", &msgpack), Ratio::Own, None));
        };
        row("typed to shown", "ms", |cost| cost.time);
        row("the host's processor time", "µs", |cost| cost.processor);
        row("bytes", "B", |cost| cost.bytes);
    }
    rows
}

/// JSON's side and msgpack's in turn; the first turn warms up.
fn pairs<S, T>(plan: &Plan, sides: &[S; 2], measure: impl Fn(&S) -> T) -> [Vec<T>; 2] {
    let (mut json, mut msgpack) = (Vec::new(), Vec::new());
    for turn in 0..=plan.pairs() {
        let (own, other) = (measure(&sides[0]), measure(&sides[1]));
        if turn > 0 {
            json.push(own);
            msgpack.push(other);
        }
    }
    [json, msgpack]
}

/// A host with one session, which has ended: to list it nothing has to be looked up.
fn host(json: bool) -> Host {
    let home: Arc<Home> = Home::new();
    let host = if json { home.host().json().start() } else { home.host().start() };
    host.output_of(json!({"cmd": "true"}));
    host
}

fn round_trip(host: &Host, calls: usize) -> f64 {
    let times: Vec<f64> = (0..calls)
        .map(|_| {
            let begun = Instant::now();
            let sessions = host.ask("sessions", json!({}));
            let took = milliseconds(begun.elapsed());
            assert_eq!(sessions.as_object().unwrap().len(), 1);
            took
        })
        .collect();
    median(&times)
}

fn drawn(host: &Host, format: &str) -> String {
    host.ask("remove", json!({"target": "all"}));
    let size = json!({"rows": ROWS, "cols": COLUMNS});
    let run = host.run(json!({"cmd": ["sh", "-c", SCRIPT], "size": size, "attach": format})).run_id;
    shows(host, &run, 0);
    run
}

/// Waits until the view has the screen of that number: its last row says so, and is drawn last.
fn shows(host: &Host, run: &str, number: u64) {
    let wanted = format!("screen {number}");
    host.wait_for(&wanted, |state| {
        let view = state.views.get(run)?;
        let is_last = |line: &Json| line["row"] == ROWS - 1 && line["text"] == wanted.as_str();
        let in_spans = view.last["lines"].as_array().is_some_and(|lines| lines.iter().any(is_last));
        (in_spans || view.screen().last() == Some(&wanted)).then_some(())
    });
}

fn screens_of(host: &Host, run: &str, count: u64) -> Cost {
    let first = number(host, run);
    let received = || host.state().views[run].bytes;
    let (bytes, processor) = (received(), cpu_seconds(host.pid()));
    let times: Vec<f64> = (1..=count)
        .map(|more| {
            let begun = Instant::now();
            host.input(run, "\n");
            shows(host, run, first + more);
            milliseconds(begun.elapsed())
        })
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "a few megabytes")]
    let each = |total: f64| total / count as f64;
    #[allow(clippy::cast_precision_loss, reason = "a few megabytes")]
    let bytes = (received() - bytes) as f64;
    Cost { time: median(&times), processor: each((cpu_seconds(host.pid()) - processor) * 1e6), bytes: each(bytes) }
}

/// The number of the screen that is shown.
fn number(host: &Host, run: &str) -> u64 {
    let shown = host.ask("snapshot", json!({"run_id": run}));
    let rows = shown["lines"].as_array().unwrap();
    let last = rows.last().and_then(Json::as_str).and_then(|row| row.strip_prefix("screen "));
    last.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{shown}"))
}
