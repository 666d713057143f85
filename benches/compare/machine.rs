//! Where it is measured.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::report::Machine;

/// The Neovim that `scripts/neovim` finds or fetches.
pub fn neovim(root: &Path) -> PathBuf {
    said(Command::new(root.join("scripts/neovim")).args(["path", "0.12"])).into()
}

pub fn describe(nvim: &Path) -> Machine {
    let version = said(Command::new(nvim).arg("--version"));
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Machine {
        date: said(Command::new("date").arg("+%F")),
        processor: model.map_or_else(|| "an unnamed processor".to_owned(), |(_, name)| name.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: said(Command::new("uname").arg("-r")),
        neovim: version.lines().next().unwrap_or_default().trim_start_matches("NVIM v").to_owned(),
        tmux: said(Command::new("tmux").arg("-V")).trim_start_matches("tmux ").to_owned(),
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
