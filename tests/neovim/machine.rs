//! Another machine: a real sshd on the loopback, with a home of its own behind it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};

use crate::home::{Home, LOOK_EVERY, eventually};

/// What an option `hosts` calls it.
pub const NAME: &str = "gpu";

const BINARY: &str = env!("CARGO_BIN_EXE_termi");

pub struct Machine {
    pub home: Home,
    port: u16,
    sshd: Option<Child>,
}

impl Machine {
    /// A machine that can be reached.
    pub fn new() -> Self {
        let home = Home::new();
        for key in ["host_key", "key"] {
            let path = home.path().join(key);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
            assert!(made.expect("ssh-keygen is there: scripts/setup installs it").success());
        }
        fs::copy(home.path().join("key.pub"), home.path().join("authorized_keys")).unwrap();
        if geteuid().is_root() {
            // Where sshd is a service, its start makes this folder.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let mut machine = Self { home, port: 0, sshd: None };
        // A port that is free now may be taken a moment later.
        while machine.sshd.is_none() {
            machine.port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            machine.configure();
            machine.try_start();
        }
        machine
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn configure(&self) {
        let folder = self.home.path().display();
        let port = self.port;
        let variables = [
            ("HOME", ""),
            ("XDG_CONFIG_HOME", "/config"),
            ("XDG_DATA_HOME", "/data"),
            ("XDG_STATE_HOME", "/state"),
            ("XDG_CACHE_HOME", "/cache"),
            ("XDG_RUNTIME_DIR", "/runtime"),
        ]
        .map(|(name, below)| format!("{name}={folder}{below}"));
        self.home.write(
            "sshd.cfg",
            format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host_key\nPidFile none\n\
                 AuthorizedKeysFile {folder}/authorized_keys\nPermitRootLogin yes\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nSetEnv {} SHELL=/bin/bash MACHINE={NAME}\n",
                variables.join(" "),
            ),
        );
        let user = User::from_uid(geteuid()).unwrap().expect("who runs the tests has a name").name;
        self.home.write(
            "ssh.cfg",
            format!(
                "Host {NAME}\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {folder}/key\n \
                 IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {folder}/known_hosts\n BatchMode yes\n \
                 LogLevel ERROR\n"
            ),
        );
        let key = fs::read_to_string(self.file("host_key.pub")).unwrap();
        self.home.write("known_hosts", format!("[127.0.0.1]:{port} {key}"));
    }

    /// Starts sshd; where its port is taken, it stays off.
    fn try_start(&mut self) {
        let mut command = self.home.command("/usr/sbin/sshd");
        command.args(["-D", "-f"]).arg(self.file("sshd.cfg")).arg("-E").arg(self.file("sshd.log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("sshd is there: scripts/setup installs it");
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if child.try_wait().unwrap().is_some() {
                let said = fs::read_to_string(self.file("sshd.log")).unwrap_or_default();
                assert!(said.contains("in use"), "sshd does not start:\n{said}");
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        self.sshd = Some(child);
    }

    /// Can be reached again.
    pub fn start(&mut self) {
        eventually("sshd starts", || {
            self.try_start();
            self.sshd.is_some()
        });
    }

    /// Cannot be reached any more: sshd is gone, and the connections through it. What runs there goes on.
    pub fn stop(&mut self) {
        let mut sshd = self.sshd.take().expect("it can be reached");
        let sessions = children(Pid::from_raw(sshd.id().cast_signed()), "sshd");
        sshd.kill().unwrap();
        sshd.wait().unwrap();
        for pid in sessions {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// Options for `setup()`: this machine, with what is added to its table.
    pub fn options(&self, more: &str) -> String {
        self.options_with(BINARY, more)
    }

    /// The same, where its termi is to be `binary`.
    pub fn options_with(&self, binary: &str, more: &str) -> String {
        let config = self.file("ssh.cfg");
        format!(
            "{{ hosts = {{ {NAME} = {{ cmd = {{ 'ssh', '-F', '{}', '{NAME}', '{binary}', 'host', '--persist' }}, \
             {more} }} }} }}",
            config.display()
        )
    }

    /// Runs the command line there.
    pub fn termi(&self, args: &[&str]) -> String {
        let output = self.home.command(BINARY).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }
}

/// The processes called `name` that a process has started, and those that they have.
fn children(of: Pid, name: &str) -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // pid (name) state parent …
        let Some((pid, rest)) = stat.split_once(" (") else { continue };
        let Some((its_name, rest)) = rest.rsplit_once(") ") else { continue };
        let parent = rest.split(' ').nth(1).and_then(|number| number.parse().ok());
        if parent == Some(of.as_raw()) && its_name.starts_with(name) {
            let pid = Pid::from_raw(pid.parse().unwrap());
            found.push(pid);
            found.extend(children(pid, name));
        }
    }
    found
}

/// The ssh processes that an editor's home has.
pub fn ssh_clients(home: &Home) -> Vec<Pid> {
    home.processes().into_iter().filter(|(_, line)| line.contains("ssh -F ")).map(|(pid, _)| pid).collect()
}
