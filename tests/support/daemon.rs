//! The user's daemon in a home of its own, ended when the test is over.

use std::{os::unix::net::UnixStream, path::PathBuf, sync::Arc};

use nix::sys::signal::Signal;
use serde_json::json;

use super::{Client, Home, Speech, TERMI, eventually, eventually_some, proc};

/// The daemon of one home. Clients start it; dropping this ends it.
pub struct Daemon {
    home: Arc<Home>,
}

impl Daemon {
    /// The daemon of a home, there yet or not.
    #[must_use]
    pub fn of(home: &Arc<Home>) -> Self {
        Self { home: Arc::clone(home) }
    }

    /// Starts the daemon of a home.
    #[track_caller]
    #[must_use]
    pub fn start(home: &Arc<Home>) -> Self {
        let daemon = Self::of(home);
        assert!(daemon.command(&["daemon", "--detach"]).status().unwrap().success());
        daemon
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.home.runtime().join("daemon.sock")
    }

    /// The processes that are daemons of this home: one, or none.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        let is_daemon = |pid: &i32| {
            let arguments = proc::arguments(*pid);
            arguments.first().is_some_and(|program| program.ends_with("termi"))
                && arguments.get(1).is_some_and(|word| word == "daemon")
        };
        self.home.processes().into_iter().filter(is_daemon).collect()
    }

    /// The one daemon's process id.
    #[track_caller]
    #[must_use]
    pub fn pid(&self) -> i32 {
        // One that was too late, or that looks at another's state, is a daemon for a moment by its name only.
        let one = || <[i32; 1]>::try_from(self.processes()).ok();
        let [pid] = eventually_some("there is exactly one daemon", one);
        pid
    }

    /// A client over its socket that has said nothing yet; none when nobody listens.
    #[must_use]
    pub fn try_connect(&self) -> Option<Client> {
        self.try_connect_speaking(Speech::Msgpack)
    }

    /// The same, in the one or the other way to speak.
    #[must_use]
    pub fn try_connect_speaking(&self, speech: Speech) -> Option<Client> {
        let stream = UnixStream::connect(self.socket()).ok()?;
        Some(Client::speaking(speech, stream.try_clone().unwrap(), HangsUp(stream)))
    }

    /// A client over its socket that has introduced itself.
    #[track_caller]
    #[must_use]
    pub fn connect(&self) -> Client {
        let client = self.try_connect().expect("the daemon listens");
        client.initialize();
        client
    }

    /// Kills it so that it can do nothing more.
    #[track_caller]
    pub fn kill_9(&self) {
        let pid = self.pid();
        proc::signal(pid, Signal::SIGKILL);
        eventually("the daemon is gone", || proc::gone(pid));
    }

    /// A command of the binary under test in this home.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let host = self.home.host().command();
        let mut command = std::process::Command::new(TERMI);
        command.args(args).env_clear().current_dir(self.home.path());
        command.envs(host.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command
    }
}

/// A stream that ends for its reader too when its writer is closed.
struct HangsUp(UnixStream);

impl std::io::Write for HangsUp {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for HangsUp {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(client) = self.try_connect() {
            if std::thread::panicking() {
                client.notify("shutdown", json!({}));
            } else {
                let _ = client.call("shutdown", json!({}));
            }
        }
        if !std::thread::panicking() {
            eventually("the daemon ends when it is told to", || self.processes().is_empty());
        }
    }
}
