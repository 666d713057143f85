//! What a logout does to programs under systemd: logind wipes `$XDG_RUNTIME_DIR` with the user's last session, and where
//! `KillUserProcesses` says so it ends what the session has started. Lingering (loginctl(1)) keeps both.

use std::{fs, path::Path};

use nix::unistd::{Uid, User};

use super::health::{check, ok};
use crate::{
    paths,
    protocol::{HealthCheck, HealthStatus},
};

const ADVICE: &str = "`loginctl enable-linger` lets sessions outlive a logout";

/// Looks what a logout would do. None where there is no logind, or the socket is elsewhere than in its directory.
pub fn logout() -> Option<HealthCheck> {
    let user = User::from_uid(Uid::effective()).ok()??;
    paths::runtime_key().is_empty().then(|| look(Path::new("/"), &user))?
}

fn look(root: &Path, user: &User) -> Option<HealthCheck> {
    if !root.join("run/systemd/system").is_dir() || !root.join("run/user").join(user.uid.to_string()).is_dir() {
        return None;
    }
    if root.join("var/lib/systemd/linger").join(&user.name).exists() {
        return Some(ok("logout", "you linger: sessions go on after a logout"));
    }
    if kills(root) && !user.uid.is_root() {
        let why = "logind ends your processes at a logout (KillUserProcesses=yes), the daemon and its sessions too";
        return Some(check("logout", HealthStatus::Warn, why, Some(ADVICE)));
    }
    Some(ok("logout", format!("sessions go on after a logout; the socket is then in /tmp/termi-{}", user.uid)))
}

/// Whether logind is told to end a session's processes: the last of its files that says so, by name.
fn kills(root: &Path) -> bool {
    let mut files: Vec<_> = ["usr/lib", "run", "etc"]
        .iter()
        .flat_map(|folder| {
            fs::read_dir(root.join(folder).join("systemd/logind.conf.d")).into_iter().flatten().flatten()
        })
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "conf"))
        .collect();
    files.sort_by_key(|path| path.file_name().map(std::ffi::OsStr::to_owned));
    files.insert(0, root.join("etc/systemd/logind.conf"));
    let texts = files.iter().filter_map(|path| fs::read_to_string(path).ok());
    let says = |text: String| {
        let value =
            text.lines().rev().find_map(|line| Some(line.trim().strip_prefix("KillUserProcesses=")?.to_owned()))?;
        Some(["yes", "true", "on", "1"].contains(&value.trim()))
    };
    texts.filter_map(says).next_back().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whether_sessions_outlive_a_logout_and_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let mut user = User::from_uid(Uid::effective()).unwrap().unwrap();
        user.uid = Uid::from_raw(4711);
        let said = || look(root.path(), &user).map(|check| (check.status, check.detail, check.advice));
        assert_eq!(said(), None, "no systemd");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        fs::create_dir_all(root.path().join("run/user/4711")).unwrap();
        write("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n");
        assert!(matches!(said(), Some((HealthStatus::Ok, detail, None)) if detail.contains("/tmp/termi-4711")));
        write("usr/lib/systemd/logind.conf.d/10-a.conf", "[Login]\nKillUserProcesses=no\n");
        write("etc/systemd/logind.conf.d/20-b.conf", "[Login]\nKillUserProcesses=yes\n");
        let (status, detail, advice) = said().unwrap();
        assert!(status == HealthStatus::Warn && detail.contains("KillUserProcesses=yes"), "{detail}");
        assert!(advice.unwrap().contains("loginctl enable-linger"));
        write(&format!("var/lib/systemd/linger/{}", user.name), "");
        assert!(matches!(said(), Some((HealthStatus::Ok, detail, None)) if detail.contains("linger")));
    }
}
