//! Several sessions at once against a real host, over its real protocol: each promise is checked and told in a line.
//!
//! `cargo run --example multi_sessions`; the exit code is 0 when all of them hold.

use std::{
    collections::HashSet,
    io::{self, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
};

use rmpv::Value;
use serde_json::{Value as Json, json};

const SESSIONS: usize = 5;

/// What each session's program does: says that it is there, waits until all the others are too (which they only can
/// be if they run at the same time), prints its mark, and ends.
const PROGRAM: &str = r#"
    touch "$MEETING/$MARK"
    until [ "$(ls "$MEETING" | wc -l)" -ge "$SESSIONS" ]; do sleep 0.05; done
    for n in 1 2 3 4 5 6 7 8 9; do echo "$MARK in $TERMI_TERMINAL"; done
    echo "done: $MARK"
"#;

#[allow(dead_code, reason = "a test runs what is here as a part of itself")]
fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    // This very program is the host too, and what the host starts programs with.
    if args.len() > 1 {
        return termi::cli::main(args);
    }
    let host = match std::env::current_exe() {
        Ok(path) => Command::new(path),
        Err(error) => return complain(&error),
    };
    match check(host, &mut io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&error),
    }
}

#[allow(clippy::print_stderr, dead_code, reason = "this is a command")]
fn complain(error: &io::Error) -> ExitCode {
    eprintln!("multi_sessions: {error}");
    ExitCode::FAILURE
}

/// Checks each promise with the host that `command` starts when it is given `host`; a line for each goes to `out`.
///
/// # Errors
/// When the host cannot be started or spoken with.
pub fn check(mut command: Command, out: &mut impl Write) -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let meeting = folder.path().join("meeting");
    std::fs::create_dir(&meeting)?;
    command.arg("host").env("XDG_STATE_HOME", folder.path().join("state"));
    let mut host = Host::start(command)?;
    let mut fine = true;
    let mut tell = |holds: bool, what: &str| {
        fine &= holds;
        writeln!(out, "{} {what}", if holds { "ok    " } else { "FAILED" })
    };

    let mark = |n: usize| format!("mark-{n}");
    let mut runs = Vec::new();
    for n in 0..SESSIONS {
        let env = json!({"MEETING": meeting.to_string_lossy(), "MARK": mark(n), "SESSIONS": SESSIONS.to_string()});
        runs.push(host.ask("run", &json!({"cmd": PROGRAM, "name": format!("session-{n}"), "env": env}))?);
    }
    let names: HashSet<&str> = runs.iter().filter_map(|run| run["terminal_name"].as_str()).collect();
    tell(names.len() == SESSIONS, "each session starts with a unique terminal name")?;

    let together = host.ask("wait", &json!({"target": "all", "until": "exit", "timeout_ms": 60_000}))?;
    let mut texts = Vec::new();
    for run in &runs {
        let snapshot = host.ask("snapshot", &json!({"run_id": run["run_id"], "scrollback": 1000}))?;
        let lines = snapshot["lines"].as_array().cloned().unwrap_or_default();
        texts.push(lines.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n"));
    }
    let all_met = texts.iter().enumerate().all(|(n, text)| text.contains(&format!("done: {}", mark(n))));
    tell(together["reason"] == "exit" && all_met, "all sessions run concurrently: each has waited for all the others")?;

    let own = |(n, text): (usize, &String)| {
        let others = (0..SESSIONS).filter(|&other| other != n).any(|other| text.contains(&mark(other)));
        text.matches(&mark(n)).count() == 10 && !others
    };
    tell(
        texts.iter().enumerate().all(own),
        "no interference between sessions: each has its own output and nothing else",
    )?;

    let mut pids: Vec<u64> = runs.iter().filter_map(|run| run["pid"].as_u64()).collect();
    let sessions = host.ask("sessions", &json!({}))?;
    let active = |sessions: &Json| -> u64 {
        sessions.as_object().into_iter().flatten().filter_map(|(_, session)| session["active_processes"].as_u64()).sum()
    };
    tell(
        active(&sessions) == 0 && pids.iter().all(|pid| is_gone(*pid)),
        "proper cleanup when sessions complete: no process is left, and the session info says so",
    )?;

    for _ in 0..2 {
        let run = host.ask("run", &json!({"cmd": "sleep 1000 & sleep 1000", "session": "session-0"}))?;
        pids.extend(run["pid"].as_u64());
    }
    let info = host.ask("sessions", &json!({}))?;
    let processes = &info[runs[0]["session_id"].as_str().unwrap_or_default()]["processes"];
    let named = processes.as_array().into_iter().flatten().all(|process| {
        let (session, run) = (runs[0]["session_id"].as_str(), process["run_id"].as_str());
        let tail = session.zip(run).map(|(session, run)| format!(":Session {}:{}", &session[..8], &run[..8]));
        process["process_name"].as_str().zip(tail).is_some_and(|(name, tail)| name.ends_with(&tail))
    });
    tell(active(&info) == 2 && named, "process names say which session and run they are of")?;
    let killed = host.ask("kill", &json!({"target": "session-0"}))?;
    tell(
        killed["killed"] == 2 && killed["total"] == 2 && pids.iter().all(|pid| is_gone(*pid)),
        &format!(
            "killing a session ends all of its processes: Killed {}/{} processes",
            killed["killed"], killed["total"]
        ),
    )?;

    let log = host.log_path.clone();
    host.end()?;
    let log = std::fs::read_to_string(&log)?;
    let labels: Vec<String> =
        runs.iter().filter_map(|run| Some(format!("[Session {}]", run["session_id"].as_str()?.get(..8)?))).collect();
    let labelled =
        log.lines().all(|line| line.contains("[Default]") || labels.iter().any(|label| line.contains(label)));
    let each = labels.iter().all(|label| log.contains(label));
    tell(labelled && each, "session labels appear in all log messages")?;
    Ok(fine)
}

/// A process that has ended; one that process 1 has yet to reap has, too.
fn is_gone(pid: u64) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
}

/// A host and the connection to it: as little of a client as will do.
struct Host {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    last_id: u64,
    log_path: String,
}

impl Host {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let mut host = Self { child, stdin, stdout: BufReader::new(stdout), last_id: 0, log_path: String::new() };
        let client =
            json!({"protocol": 1, "client": {"name": "multi_sessions", "version": "1"}, "frontend": "generic"});
        let reply = host.ask("initialize", &client)?;
        reply["log_path"].as_str().unwrap_or_default().clone_into(&mut host.log_path);
        Ok(host)
    }

    fn send(&mut self, message: Vec<Value>) -> io::Result<()> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &Value::Array(message)).map_err(io::Error::other)?;
        self.stdin.write_all(&bytes)?;
        self.stdin.flush()
    }

    /// Calls a method and waits for its answer. What the host tells meanwhile is acknowledged.
    fn ask(&mut self, method: &str, params: &Json) -> io::Result<Json> {
        self.last_id += 1;
        let id = self.last_id;
        let params = termi_value(params)?;
        self.send(vec![0.into(), id.into(), method.into(), Value::Array(vec![params])])?;
        loop {
            let message = rmpv::decode::read_value(&mut self.stdout).map_err(io::Error::other)?;
            let Value::Array(message) = message else { return Err(io::Error::other("not a message")) };
            match message.as_slice() {
                [kind, theirs, ..] if kind.as_u64() == Some(0) => {
                    let answer = vec![1.into(), theirs.clone(), Value::Nil, true.into()];
                    self.send(answer)?;
                }
                [kind, answered, error, result] if kind.as_u64() == Some(1) && answered.as_u64() == Some(id) => {
                    return match error {
                        Value::Nil => json_of(result),
                        error => Err(io::Error::other(format!("{method}: {error}"))),
                    };
                }
                _ => {}
            }
        }
    }

    /// Closes its standard input, as an editor that quits does, and waits until it has ended.
    fn end(self) -> io::Result<()> {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        child.wait().map(|_| ())
    }
}

fn termi_value(json: &Json) -> io::Result<Value> {
    let bytes = rmp_serde::to_vec_named(json).map_err(io::Error::other)?;
    rmpv::decode::read_value(&mut bytes.as_slice()).map_err(io::Error::other)
}

fn json_of(value: &Value) -> io::Result<Json> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(io::Error::other)?;
    rmp_serde::from_slice(&bytes).map_err(io::Error::other)
}
