//! What the plugin costs a person who starts Neovim, and how soon a program they start is on the screen.
//!
//! Both sides of a pair run in turn, A B A B, each in a Neovim of its own: the machine's speed drifts, their ratio
//! does not. Medians are printed; nothing is asserted.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::{path::Path, process::Command};

/// Counted pairs of each row.
const PAIRS: usize = 11;

fn main() {
    // `cargo test --benches` must not measure anything.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let nvim = neovim(root);
    println!("{:<58} {:>10} {:>10} {:>7}", "median of 11 pairs", "termi", "against", "ratio");
    let (share, whole) = pairs(|| own_share(&nvim, root), || startup(&nvim));
    row("start of Neovim: plugin/termi.lua | the whole of nvim --clean", &share, &whole);
    let (first, terminal) = pairs(|| script(&nvim, root, "first"), || script(&nvim, root, "terminal"));
    row(":TermiRun true to its first frame, host started | :terminal true", &first, &terminal);
    let (next, terminal) = pairs(|| script(&nvim, root, "next"), || script(&nvim, root, "terminal"));
    row(":TermiRun true to its first frame, host there | :terminal true", &next, &terminal);
    let (ended, terminal) = pairs(|| script(&nvim, root, "ended"), || script(&nvim, root, "terminal"));
    row(":TermiRun true until its end is shown, host there | the same", &ended, &terminal);
}

fn neovim(root: &Path) -> String {
    let output = Command::new(root.join("scripts/neovim")).args(["path", "0.12"]).output().expect("scripts/neovim");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a path").trim().to_owned()
}

fn pairs(mut a: impl FnMut() -> f64, mut b: impl FnMut() -> f64) -> (Vec<f64>, Vec<f64>) {
    // The first of each fills the caches of the machine and is not counted.
    a();
    b();
    (0..PAIRS).map(|_| (a(), b())).unzip()
}

fn row(name: &str, a: &[f64], b: &[f64]) {
    let ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / b).collect();
    println!("{name:<66} {:>7.2} ms {:>7.2} ms {:>7.3}", median(a), median(b), median(&ratios));
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The lines of `--startuptime` as their text and times: `clock  [self+sourced  self]: what`.
fn startup_log(nvim: &str, more: &[&str]) -> Vec<String> {
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
fn own_share(nvim: &str, root: &Path) -> f64 {
    let path = format!("set runtimepath^={}", root.display());
    let log = startup_log(nvim, &["--cmd", &path]);
    let line = log.iter().find(|line| line.contains("plugin/termi.lua")).expect("the plugin was sourced");
    line.split(':')
        .next()
        .and_then(|times| times.split_whitespace().last())
        .and_then(|own| own.parse().ok())
        .expect("its time")
}

/// Milliseconds of a whole start.
fn startup(nvim: &str) -> f64 {
    let log = startup_log(nvim, &[]);
    let line = log.iter().rev().find(|line| line.contains("NVIM STARTED")).expect("it started");
    line.split_whitespace().next().and_then(|clock| clock.parse().ok()).expect("its time")
}

/// Milliseconds that benches/editor.lua measures in a Neovim of its own.
fn script(nvim: &str, root: &Path, what: &str) -> f64 {
    let output = Command::new(nvim)
        .args(["--clean", "--headless", "-l"])
        .arg(root.join("benches/editor.lua"))
        .arg(what)
        .env("TERMI_BENCH_ROOT", root)
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
