//! Which coding agents are installed, and which of them have hooks that call Termi.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::health::ok;
use crate::{
    agent::{HookSetup, hook_setup, hooked_agents},
    protocol::HealthCheck,
};

/// What is read of a file of settings.
const FILE_MAX: u64 = 1 << 20;
/// How many files beside it are looked at.
const FILES_MAX: usize = 32;

/// Says it of all agents, as this process finds them. `on`: Claude gets its hooks where it is started.
pub fn agents_check(on: bool) -> HealthCheck {
    let variable = |name: &str| std::env::var(name).ok();
    let found: Vec<String> = hooked_agents()
        .filter(|agent| is_installed(agent, variable("PATH").as_deref().unwrap_or_default()))
        .map(|agent| {
            let setup = hook_setup(agent, "termi", variable);
            let hooks = match setup {
                _ if on && agent == "claude" => "hooks are on".to_owned(),
                Some(setup) if has_hooks(&setup) => format!("hooks are in {}", setup.path.display()),
                Some(_) => format!("no hooks (`termi hooks {agent}`)"),
                None => "no hooks".to_owned(),
            };
            format!("{agent}: {hooks}")
        })
        .collect();
    ok("agents", if found.is_empty() { "none that has hooks is in $PATH".to_owned() } else { found.join("; ") })
}

fn is_installed(program: &str, path: &str) -> bool {
    let is_program = |folder: &str| {
        let path = Path::new(folder).join(program);
        path.is_file() && nix::unistd::access(&path, nix::unistd::AccessFlags::X_OK).is_ok()
    };
    path.split(':').filter(|folder| folder.starts_with('/')).any(is_program)
}

/// Whether the file is there with a hook that calls Termi; of files that an agent reads all of, whether one is.
fn has_hooks(setup: &HookSetup) -> bool {
    let beside = || {
        let folder = setup.path.parent().filter(|folder| folder.ends_with("hooks"))?;
        Some(fs::read_dir(folder).ok()?.take(FILES_MAX).filter_map(|entry| Some(entry.ok()?.path())))
    };
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files = [setup.path.clone()].into_iter().chain(beside().into_iter().flatten().filter(is_json));
    files.any(|path| setup.is_in(&beginning(&path).unwrap_or_default()))
}

/// The beginning of a plain file: one that is a pipe or a terminal is not waited for.
fn beginning(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    fs::File::open(path).ok()?.take(FILE_MAX).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
