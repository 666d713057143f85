//! What the plugin costs a person who starts Neovim, and how soon a program they start is on the screen.
//!
//! Each measurement is a Neovim of its own.

use std::{path::Path, process::Command};

use crate::{
    Plan,
    pairs::{Ratio, paired},
    report::Row,
    root,
};

pub fn rows(plan: &Plan) -> Vec<Row> {
    let count = if plan.quick { 2 } else { 11 };
    let nvim = &plan.nvim;
    let row = |what: &str, peer: &str, own: &dyn Fn() -> f64, other: &dyn Fn() -> f64| {
        // The first of each fills the caches of the machine and is not counted.
        own();
        other();
        let (own, other): (Vec<f64>, Vec<f64>) = (0..count).map(|_| (own(), other())).unzip();
        paired("start", what, "ms", &own, (peer, &other), Ratio::Own, None)
    };
    let terminal = || script(nvim, "terminal");
    vec![
        row("start of Neovim, the plugin's share", "nvim --clean, whole", &|| own_share(nvim), &|| startup(nvim)),
        row(
            ":TermiRun true to its first frame, host not started",
            ":terminal true",
            &|| script(nvim, "first"),
            &terminal,
        ),
        row(":TermiRun true to its first frame, host started", ":terminal true", &|| script(nvim, "next"), &terminal),
        row(
            ":TermiRun true until its end is shown, host started",
            ":terminal true",
            &|| script(nvim, "ended"),
            &terminal,
        ),
    ]
}

/// The lines of `--startuptime` as their text and times: `clock  [self+sourced  self]: what`.
fn startup_log(nvim: &Path, more: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let status = Command::new(nvim)
        .args(["--clean", "--headless", "--startuptime"])
        .arg(&log)
        .args(more)
        .arg("+qall!")
        .env_remove("VIMRUNTIME")
        .status()
        .expect("nvim");
    assert!(status.success());
    std::fs::read_to_string(log).expect("the log").lines().map(str::to_owned).collect()
}

/// Milliseconds that sourcing plugin/termi.lua itself takes.
fn own_share(nvim: &Path) -> f64 {
    let path = format!("set runtimepath^={}", root().display());
    let log = startup_log(nvim, &["--cmd", &path]);
    let line = log.iter().find(|line| line.contains("plugin/termi.lua")).expect("the plugin was sourced");
    line.split(':')
        .next()
        .and_then(|times| times.split_whitespace().last())
        .and_then(|own| own.parse().ok())
        .expect("its time")
}

/// Milliseconds of a whole start.
fn startup(nvim: &Path) -> f64 {
    let log = startup_log(nvim, &[]);
    let line = log.iter().rev().find(|line| line.contains("NVIM STARTED")).expect("it started");
    line.split_whitespace().next().and_then(|clock| clock.parse().ok()).expect("its time")
}

/// Milliseconds that start.lua measures in a Neovim of its own.
fn script(nvim: &Path, what: &str) -> f64 {
    let output = Command::new(nvim)
        .args(["--clean", "--headless", "-l"])
        .arg(root().join("benches/compare/start.lua"))
        .arg(what)
        .env("TERMI_BENCH_ROOT", root())
        .env("TERMI_BENCH_BINARY", env!("CARGO_BIN_EXE_termi"))
        .env_remove("VIMRUNTIME")
        .output()
        .expect("nvim");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    text.split_whitespace()
        .filter_map(|word| word.strip_prefix("ms="))
        .next_back()
        .and_then(|ms| ms.parse().ok())
        .unwrap_or_else(|| panic!("{what}: {text}"))
}
