//! One `termi host` over pipes, as an editor starts it.

use std::{
    ffi::OsString,
    io::Read,
    ops::Deref,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use super::{Client, Home, Speech, eventually, eventually_some, proc};

/// The binary under test.
pub const TERMI: &str = env!("CARGO_BIN_EXE_termi");

/// A host about to be started.
pub struct Setup {
    home: Arc<Home>,
    command: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    speech: Speech,
}

/// A running host and the connection to it.
///
/// Its environment is a small one of its own: what a test sees does not depend on where it runs.
pub struct Host {
    client: Client,
    child: Child,
    stderr: Arc<Mutex<String>>,
    home: Arc<Home>,
}

/// A run that a test started.
#[derive(Debug, Clone)]
pub struct Run {
    pub session_id: String,
    pub run_id: String,
    pub pid: i32,
    /// The whole answer.
    pub reply: Json,
}

impl Setup {
    pub(super) fn new(home: Arc<Home>) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let env: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), path),
            ("HOME".into(), home.path().into()),
            ("XDG_STATE_HOME".into(), home.state_home().into()),
            ("XDG_RUNTIME_DIR".into(), home.runtime_home().into()),
            ("SHELL".into(), "/bin/sh".into()),
            ("LANG".into(), "C.UTF-8".into()),
        ];
        Self { home, command: vec![TERMI.into(), "host".into()], env, speech: Speech::Msgpack }
    }

    /// Sets a variable of the host.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.retain(|(other, _)| other != key);
        self.env.push((key.into(), value.into()));
        self
    }

    /// Speaks JSON-RPC with it.
    #[must_use]
    pub fn json(mut self) -> Self {
        self.command = vec![TERMI.into(), "host".into(), "--rpc".into(), "json".into()];
        self.speech = Speech::Json;
        self
    }

    /// Starts the host by a line of shell, in which `exec "$TERMI" host` is to come last.
    #[must_use]
    pub fn by_shell(mut self, line: &str) -> Self {
        self.command = vec!["/bin/sh".into(), "-c".into(), line.into()];
        self.env("TERMI", TERMI)
    }

    /// It joins the daemon of its home instead of owning sessions.
    #[must_use]
    pub fn persist(mut self) -> Self {
        self.command.push("--persist".into());
        self
    }

    /// Starts it and tells it who its client is.
    #[must_use]
    pub fn start(self) -> Host {
        let host = self.start_silent();
        host.initialize();
        host
    }

    /// Starts it and says nothing yet.
    #[must_use]
    pub fn start_silent(self) -> Host {
        let mut child =
            self.command().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (output, input) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let client = Client::speaking(self.speech, output, input);
        let stderr = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (child.stderr.take().unwrap(), Arc::clone(&stderr));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Host { client, child, stderr, home: self.home }
    }

    /// Another program, started as the host would be.
    #[must_use]
    pub fn command_of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.env.iter().cloned()).current_dir(self.home.path());
        command
    }

    /// The command that starts it, for whoever wants to be its parent in another way.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).env_clear().envs(self.env.iter().cloned()).current_dir(self.home.path());
        command
    }
}

impl Host {
    /// A host in folders of its own.
    #[must_use]
    pub fn start() -> Self {
        Home::new().host().start()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The folders it lives in.
    #[must_use]
    pub fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// What it said on its standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Starts a run; the parameters are the protocol's.
    #[track_caller]
    pub fn run(&self, params: Json) -> Run {
        Run::new(self.ask("run", params))
    }

    /// Runs a line of shell in a session of its own.
    #[track_caller]
    pub fn run_line(&self, line: &str) -> Run {
        self.run(json!({"cmd": line}))
    }

    /// Runs a line of shell with a view of it.
    #[track_caller]
    pub fn run_seen(&self, line: &str) -> Run {
        self.run(json!({"cmd": line, "attach": "ansi"}))
    }

    /// Runs a line of shell to its end; gives what it left on its screen and above.
    #[track_caller]
    pub fn output_of(&self, params: Json) -> Vec<String> {
        let run = self.run(params);
        self.wait_exited(&run.run_id);
        self.text(&run)
    }

    /// All the text of a run that the host holds, to the last row with text on it.
    #[track_caller]
    pub fn text(&self, run: &Run) -> Vec<String> {
        let snapshot = self.ask("snapshot", json!({"run_id": run.run_id, "scrollback": 1_000_000}));
        let lines = snapshot["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        let mut lines: Vec<String> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Waits until a run has printed a line that the regular expression matches.
    #[track_caller]
    pub fn wait_pattern(&self, run: &Run, pattern: &str) -> String {
        let params = json!({"target": run.run_id, "until": {"pattern": pattern}, "timeout_ms": 30_000});
        let answer = self.ask("wait", params);
        assert_eq!(answer["reason"], "pattern", "waiting for {pattern:?}: {answer}; it shows {:#?}", self.text(run));
        answer["line"].as_str().unwrap().to_owned()
    }

    /// One run as `sessions` tells it.
    #[track_caller]
    pub fn info(&self, run: &Run) -> Json {
        let sessions = self.ask("sessions", json!({}));
        let mut runs = sessions[&run.session_id]["processes"].as_array().into_iter().flatten();
        runs.find(|info| info["run_id"] == run.run_id.as_str())
            .cloned()
            .unwrap_or_else(|| panic!("no such run: {sessions}"))
    }

    /// The processes below the host, shims not among them, zombies among them.
    #[must_use]
    pub fn programs(&self) -> Vec<i32> {
        let below = proc::below(self.pid());
        below.iter().filter(|stat| stat.parent != self.pid()).map(|stat| stat.pid).collect()
    }

    /// Kills the host so that it can do nothing more.
    pub fn kill_9(&mut self) {
        proc::signal(self.pid(), Signal::SIGKILL);
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait_end(&mut self) -> ExitStatus {
        eventually_some("the host ends", || self.child.try_wait().unwrap())
    }

    /// The socket that its programs find in `TERMI_SOCKET`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.home.runtime().join(format!("host-{}.sock", self.pid()))
    }

    /// Another client, over the socket, in this process: the one that started the host.
    #[must_use]
    pub fn connect(&self) -> Client {
        self.connect_speaking(Speech::Msgpack)
    }

    /// The same, in the other way to speak.
    #[must_use]
    pub fn connect_speaking(&self, speech: Speech) -> Client {
        let stream = UnixStream::connect(self.socket()).unwrap();
        Client::speaking(speech, stream.try_clone().unwrap(), stream)
    }

    /// A client that has nothing to do with whoever started the host.
    #[must_use]
    pub fn outsider(&self) -> Client {
        self.outsider_speaking(Speech::Msgpack)
    }

    /// The same, in the other way to speak.
    #[must_use]
    pub fn outsider_speaking(&self, speech: Speech) -> Client {
        // It connects once the shell that started it has ended, and it is a child of this process no more.
        const RELAY: &str = "import os, socket, sys, threading
while os.getppid() == int(sys.argv[2]):
    os.sched_yield()
host = socket.socket(socket.AF_UNIX)
host.connect(sys.argv[1])
def pump(take, give):
    while (data := take()):
        give(data)
def send():
    pump(lambda: os.read(0, 65536), host.sendall)
    host.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
pump(lambda: host.recv(65536), lambda data: sys.stdout.buffer.write(data) and sys.stdout.flush())";
        let mut shell = Command::new("sh")
            .args(["-c", "exec 3<&0; python3 -c \"$0\" \"$1\" $$ <&3 &", RELAY])
            .arg(self.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (writer, reader) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
        shell.wait().unwrap();
        Client::speaking(speech, reader, writer)
    }
}

impl Deref for Host {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.client.close();
        if thread::panicking() {
            let log = self.home.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the host said: {}", self.stderr());
            eprintln!("the end of its log:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
            let _ = self.child.kill();
            let _ = self.child.wait();
            return;
        }
        eventually("the host ends when its standard input is closed", || self.child.try_wait().unwrap().is_some());
        for view in self.client.state().views.values() {
            assert_eq!(view.faults, Vec::<String>::new(), "in the frames");
        }
    }
}

impl Run {
    fn new(reply: Json) -> Self {
        let text = |key: &str| reply[key].as_str().unwrap_or_else(|| panic!("run answered {reply}")).to_owned();
        let pid = i32::try_from(reply["pid"].as_i64().unwrap()).unwrap();
        Self { session_id: text("session_id"), run_id: text("run_id"), pid, reply }
    }
}
