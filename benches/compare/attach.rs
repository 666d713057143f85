//! What a session that outlives its clients costs them: the time until a full one is on the screen again, beside
//! tmux's, and what the daemon between costs a key.

use std::{
    os::fd::OwnedFd,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use termi::{protocol::Size, term::Terminal};

use crate::{
    Plan,
    data::{Data, LAST_LINE},
    echo,
    editor::Editor,
    pairs::{Ratio, milliseconds, paired, quantile},
    peers::{Tmux, end, on_pty, read_until},
    report::Row,
    support::{Daemon, Home},
};

const ROWS: u16 = 48;
const COLUMNS: u16 = 160;

/// More than the transcript's limit of 500 KB.
const PRINTED_BYTES: usize = 2_000_000;

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = vec![attaching(plan)];
    rows.extend(typing(plan));
    rows
}

fn attaching(plan: &Plan) -> Row {
    let data = Data::colored_lines(PRINTED_BYTES);
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let client = daemon.connect();
    let line = format!("cat '{}'; exec cat", data.path());
    let size = json!({"rows": ROWS, "cols": COLUMNS});
    let run = client.ask("run", json!({"cmd": ["sh", "-c", line], "name": "full", "size": size}));
    let mut kept = 0;
    crate::support::eventually("the host has taken in the file", || {
        let shown = client.ask("snapshot", json!({"run_id": run["run_id"], "scrollback": 1_000_000}));
        let lines = shown["lines"].as_array().unwrap();
        kept = lines.len();
        assert!(kept < 100 || shown["truncated_bytes"] != 0 || !lines.iter().any(|line| line == LAST_LINE));
        lines.iter().any(|line| line == LAST_LINE)
    });
    let tmux = Tmux::start((ROWS, COLUMNS));
    tmux.fill(&data.path(), kept, LAST_LINE);
    let own = || {
        attached(daemon.command(&["attach", "full"]).env("TERM", "xterm-256color"), |terminal| {
            nix::unistd::write(terminal, b"\x1c").unwrap();
        })
    };
    let other = || attached(&mut tmux.attach(), |_| tmux.detach());
    own();
    other();
    let count = plan.pairs() * 4;
    let (own, other): (Vec<f64>, Vec<f64>) = (0..count).map(|_| (own(), other())).unzip();
    client.ask("kill", json!({"target": "all"}));
    let what = format!("attach to a session of {kept} coloured lines, its transcript's limit, until it is on screen");
    paired("attach", what, "ms", &own, ("tmux attach, as many lines", &other), Ratio::Own, None)
}

/// Milliseconds from the start of a client on a terminal until the last line is there; then it is told to detach.
fn attached(command: &mut Command, detach: impl FnOnce(&OwnedFd)) -> f64 {
    let begun = Instant::now();
    let (child, master) = on_pty(command, (ROWS, COLUMNS));
    let is_there = |all: &[u8]| all.windows(LAST_LINE.len()).any(|text| text == LAST_LINE.as_bytes());
    let shown = read_until(&master, "the last line is on the terminal", is_there);
    let took = milliseconds(begun.elapsed());
    let mut screen = Terminal::new(Size { rows: ROWS, cols: COLUMNS }, 1 << 20);
    screen.feed(&shown);
    let rows: Vec<String> = screen.rows().map(|row| row.text).collect();
    let full = rows.iter().take(usize::from(ROWS) - 2).all(|row| !row.is_empty());
    assert!(full && rows.iter().any(|row| row == LAST_LINE), "{command:?} shows {rows:#?}");
    detach(&master);
    end(child, &master, "a client that was told to detach");
    took
}

/// A key's way through the daemon and the process that joins it, beside a host of the editor's own.
fn typing(plan: &Plan) -> [Row; 2] {
    let keys = if plan.quick { 30 } else { 150 };
    let binary = env!("CARGO_BIN_EXE_termi");
    let persist = format!("require('termi').setup({{ binary = [[{binary}]], persist = true }})\n");
    let mut daemon = Editor::start(&plan.nvim, &(persist + echo::LUA));
    let mut embedded = Editor::start(&plan.nvim, echo::LUA);
    let start = format!("alone('termi', {})", echo::CAT);
    let mut taken: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..=plan.pairs() {
        for (taken, editor) in taken.iter_mut().zip([&mut daemon, &mut embedded]) {
            let times = echo::echoes(editor, &start, keys);
            // The first round warms up.
            if round > 0 {
                taken[0].push(quantile(&times, 0.5));
                taken[1].push(quantile(&times, 0.99));
            }
        }
    }
    daemon.lua("vim.cmd('Termi stop!')");
    daemon.pause(Duration::from_millis(500));
    let [own, other] = &taken;
    [("p50", 0), ("p99", 1)].map(|(share, at)| {
        let what = format!("key to echo on screen, cat, through the daemon, {share}");
        paired("attach", what, "ms", &own[at], ("the embedded host", &other[at]), Ratio::Own, None)
    })
}
