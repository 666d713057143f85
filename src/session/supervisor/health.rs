//! Whether the host and its sessions are well: each trouble that people run into is a check with advice.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use nix::{
    sys::{
        resource::{Resource, getrlimit},
        statvfs::statvfs,
    },
    unistd::{AccessFlags, access},
};

use super::{Supervisor, access::Permit, agents_check::agents_check, history::on_disk, logout::logout};
use crate::{
    history::HistoryStore,
    paths, process,
    protocol::{
        HealthCheck, HealthReply, HealthStatus, Result, RunInfo, SessionId, SessionInfo, SessionsReply, Status,
    },
    session::{error::gone, program::cgroup::Delegated},
    units,
};

/// From here on something is said to be nearly used up.
const NEARLY_PERCENT: u64 = 80;

/// Less room on a disk is worth a word.
const LITTLE_ROOM: u64 = 10 << 20;

/// A host that is larger is worth a look: it holds screens and transcripts, and those are bounded.
const LARGE_BEYOND_TRANSCRIPTS: u64 = 512 << 20;

const PTYS_ADVICE: &str = "end some sessions, or raise /proc/sys/kernel/pty/max";
const PROCESSES_ADVICE: &str = "end what is not needed, or raise /proc/sys/kernel/pid_max";

/// What is read of the log's end.
const LOG_TAIL: u64 = 64 << 10;

pub(super) fn check(name: &str, status: HealthStatus, detail: impl Into<String>, advice: Option<&str>) -> HealthCheck {
    HealthCheck {
        name: name.to_owned(),
        status,
        detail: detail.into(),
        advice: advice.map(str::to_owned),
        session_id: None,
        session_name: None,
        run_id: None,
    }
}

pub(super) fn ok(name: &str, detail: impl Into<String>) -> HealthCheck {
    check(name, HealthStatus::Ok, detail, None)
}

impl Supervisor {
    /// Looks after the host and each session. `log` is where the log is.
    ///
    /// # Errors
    /// When the host is ending.
    pub async fn health(&self, log: Option<String>) -> Result<HealthReply> {
        let sessions = self.sessions(&Permit::of_host()).await?;
        let (caps, held) = self
            .with(|table| {
                (
                    table.settings.told(),
                    table.sessions.iter().map(|session| session.transcript_limit as u64).sum::<u64>(),
                )
            })
            .await?;
        let (disk, socket) = (self.services.disk.clone(), self.settings.socket.clone());
        let uptime = self.services.started.elapsed();
        let leftovers = self.services.leftovers.get().copied();
        self.services.agent_rules.refresh().await;
        let rules_error = self.services.agent_rules.error();
        let folder = disk.as_ref().map(|disk| disk.folder().to_owned()).unwrap_or_default();
        let of_files = move || {
            let (log, disk) = (log.as_deref(), disk.as_ref());
            let mut checks = vec![log_check(log), labels(log), history(disk), runtime_folder(socket.as_deref())];
            checks.extend(unreadable_records());
            checks
        };
        let of_files = on_disk(&folder, of_files)
            .await
            .unwrap_or_else(|error| vec![check("history", HealthStatus::Warn, error.message, Some(HISTORY_ADVICE))]);
        let checks = tokio::task::spawn_blocking(move || {
            let active = sessions.values().map(|session| session.active_processes as u64).sum::<u64>();
            let mut checks = of_files;
            checks.push(terminals());
            checks.push(share("ptys", "PTYs of this machine", ptys(), PTYS_ADVICE));
            checks.push(share(
                "open_files",
                "descriptors of the host",
                descriptors(),
                "end some sessions, or raise the hard limit (`ulimit -Hn`)",
            ));
            checks.push(share("processes", "processes of this machine", processes(), PROCESSES_ADVICE));
            let cap = |most: usize| most as u64;
            checks.push(share(
                "sessions",
                "sessions",
                Some((sessions.len() as u64, cap(caps.max_sessions))),
                "end and dismiss some, or raise max_sessions",
            ));
            checks.push(share(
                "runs",
                "active runs",
                Some((active, cap(caps.max_runs))),
                "end some, or raise max_runs",
            ));
            checks.push(share(
                "transcripts",
                "bytes that transcripts may take",
                Some((held, cap(caps.max_transcripts_bytes))),
                "dismiss ended runs, or raise max_transcripts_bytes",
            ));
            checks.push(memory(held));
            checks.push(match Delegated::find() {
                Ok(delegated) => ok("cgroup", delegated.describe()),
                Err(why) => ok("cgroup", format!("{why}; limits are watched from /proc")),
            });
            checks.push(left_by_others(leftovers));
            checks.push(subreaper());
            checks.push(names(&sessions));
            checks.push(agents_check(caps.agent_hooks));
            checks.extend(rules_error.map(|why| {
                let why = format!("your own rules for agents cannot be used as they are: {why}");
                check("agent_rules", HealthStatus::Warn, why, Some("mend the file; it is read again by itself"))
            }));
            checks.extend(logout());
            checks.push(ok("uptime", format!("{}, pid {}", units::age(units::millis(uptime)), std::process::id())));
            checks.extend(sessions.iter().flat_map(|(id, session)| of_session(id, session)));
            checks
        });
        let checks = checks.await.map_err(|_| gone())?;
        let status = checks.iter().map(|check| check.status).max().unwrap_or(HealthStatus::Ok);
        Ok(HealthReply { status, checks })
    }
}

/// What can be seen where no host runs: the folders, the PTYs, what the machine has left.
#[must_use]
pub fn health_without_host(socket: &str) -> HealthReply {
    let folder = |name: &str, found: std::result::Result<std::path::PathBuf, paths::FolderError>| match found
        .map_err(|error| error.to_string())
        .and_then(|path| writable(&path).map(|()| path))
    {
        Ok(path) => ok(name, path.display().to_string()),
        Err(why) => check(name, HealthStatus::Error, why, Some("make it writable for you alone")),
    };
    let mut checks = vec![
        check("daemon", HealthStatus::Ok, format!("not running: nothing listens at {socket}"), None),
        folder("state_folder", paths::state()),
        folder("runtime_folder", paths::runtime()),
        terminals(),
        share("ptys", "PTYs of this machine", ptys(), PTYS_ADVICE),
        share("processes", "processes of this machine", processes(), PROCESSES_ADVICE),
        agents_check(false),
    ];
    checks.extend(unreadable_records());
    checks.extend(logout());
    let status = checks.iter().map(|check| check.status).max().unwrap_or(HealthStatus::Ok);
    HealthReply { status, checks }
}

/// The session records that no daemon could read whole; nothing when there are none.
fn unreadable_records() -> Option<HealthCheck> {
    let there: Vec<String> = paths::unreadable_records(&paths::session_record())
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    (!there.is_empty()).then(|| {
        check(
            "session_record",
            HealthStatus::Warn,
            format!("a daemon could not read all of what an earlier one recorded, and kept it as {}", there.join(", ")),
            Some("the log says why; mend and rename it to sessions.json while no daemon is running, or delete it"),
        )
    })
}

/// A file's or folder's room, or why it cannot be written.
fn writable(path: &Path) -> std::result::Result<(), String> {
    access(path, AccessFlags::W_OK).map_err(|errno| format!("{}: {}", path.display(), errno.desc()))?;
    let room = statvfs(path).map(|stat| stat.blocks_available() * stat.fragment_size()).unwrap_or(u64::MAX);
    if room < LITTLE_ROOM {
        return Err(format!("{}: {} are left on its disk", path.display(), units::bytes(room)));
    }
    Ok(())
}

fn log_check(log: Option<&str>) -> HealthCheck {
    const ADVICE: &str = "make room, or make the directory writable; $XDG_STATE_HOME decides where it is";
    match log {
        None => check("log", HealthStatus::Warn, "there is no log", Some(ADVICE)),
        Some(path) => match writable(Path::new(path)) {
            Ok(()) => ok("log", path),
            Err(why) => check("log", HealthStatus::Warn, why, Some(ADVICE)),
        },
    }
}

/// Each line of the log must say whose it is.
fn labels(log: Option<&str>) -> HealthCheck {
    let mut tail = String::new();
    if let Some(mut file) = log.and_then(|path| fs::File::open(path).ok()) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)));
        let mut bytes = Vec::new();
        let _ = file.take(LOG_TAIL).read_to_end(&mut bytes);
        tail = String::from_utf8_lossy(&bytes).into_owned();
    }
    // The first may have been cut, and the last may not be written to its end.
    let lines: Vec<&str> = tail.lines().skip(1).collect();
    let without =
        lines.iter().rev().skip(1).filter(|line| !line.contains("[Session ") && !line.contains("[Default]")).count();
    match without {
        0 => ok("labels", format!("the last {} lines of the log say whose they are", lines.len())),
        count => check(
            "labels",
            HealthStatus::Warn,
            format!("{count} lines of the log do not say whose they are"),
            Some("something else writes into that file, or a message has several lines; look at it"),
        ),
    }
}

const HISTORY_ADVICE: &str = "make room, or make the directory writable; sessions go on without it";

fn history(disk: Option<&HistoryStore>) -> HealthCheck {
    let Some(disk) = disk else { return ok("history", "is not kept") };
    match disk.trouble() {
        Some(why) => check("history", HealthStatus::Warn, why, Some(HISTORY_ADVICE)),
        // It is made with the first record.
        None if !disk.folder().exists() => ok("history", format!("{} is not there yet", disk.folder().display())),
        None => match writable(disk.folder()) {
            Ok(()) => ok("history", disk.folder().display().to_string()),
            Err(why) => check("history", HealthStatus::Warn, why, Some(HISTORY_ADVICE)),
        },
    }
}

fn runtime_folder(socket: Option<&Path>) -> HealthCheck {
    const ADVICE: &str =
        "programs cannot reach this host; make $XDG_RUNTIME_DIR/termi your own with mode 0700, and restart the host";
    match socket {
        None => check("runtime_folder", HealthStatus::Warn, "the host has no socket", Some(ADVICE)),
        Some(socket) if !socket.exists() => {
            check("runtime_folder", HealthStatus::Warn, format!("{} is gone", socket.display()), Some(ADVICE))
        }
        Some(socket) => ok("runtime_folder", socket.display().to_string()),
    }
}

/// Whether a terminal could be opened at all.
fn terminals() -> HealthCheck {
    match fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx") {
        Ok(_) => ok("terminals", "/dev/ptmx can be opened"),
        Err(error) => check(
            "terminals",
            HealthStatus::Error,
            format!("/dev/ptmx: {error}"),
            Some("no session can be started; mount devpts, or let this user open /dev/ptmx"),
        ),
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn ptys() -> Option<(u64, u64)> {
    number("/proc/sys/kernel/pty/nr").zip(number("/proc/sys/kernel/pty/max"))
}

fn descriptors() -> Option<(u64, u64)> {
    let used = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some((used, getrlimit(Resource::RLIMIT_NOFILE).ok()?.0))
}

fn processes() -> Option<(u64, u64)> {
    Some((process::count() as u64, number("/proc/sys/kernel/pid_max")?))
}

/// How much of something that is bounded is used.
fn share(name: &str, what: &str, used: Option<(u64, u64)>, advice: &str) -> HealthCheck {
    let Some((used, most)) = used else { return ok(name, format!("{what}: not known")) };
    let detail = format!("{used} of {most} {what}");
    if used >= most {
        check(name, HealthStatus::Error, detail, Some(advice))
    } else if used.saturating_mul(100) >= most.saturating_mul(NEARLY_PERCENT) {
        check(name, HealthStatus::Warn, detail, Some(advice))
    } else {
        ok(name, detail)
    }
}

fn memory(transcripts: u64) -> HealthCheck {
    let used = process::Proc::read(std::process::id().cast_signed()).map_or(0, |own| own.pages * process::page_bytes());
    let detail = format!("the host takes {}", units::bytes(used));
    if used > transcripts + LARGE_BEYOND_TRANSCRIPTS {
        let advice =
            "more than its transcripts explain: tell Termi's makers what ran, and restart the host when you can";
        return check("memory", HealthStatus::Warn, detail, Some(advice));
    }
    ok("memory", detail)
}

/// Whether what daemonizes below a run stays in its tree (PR_SET_CHILD_SUBREAPER, prctl(2)).
fn subreaper() -> HealthCheck {
    match nix::sys::prctl::set_child_subreaper(true) {
        Ok(()) => ok("subreaper", "what daemonizes stays in its run's tree"),
        Err(errno) => check(
            "subreaper",
            HealthStatus::Warn,
            format!("prctl(PR_SET_CHILD_SUBREAPER): {errno}"),
            Some(
                "what daemonizes leaves its run's tree and is not ended with it; the next host finds it by its \
                 environment. Is this an emulated system, or a kernel before 3.4?",
            ),
        ),
    }
}

/// What was found at this host's start of hosts that were killed with all their shims.
fn left_by_others(ended: Option<usize>) -> HealthCheck {
    match ended {
        None => ok("leftovers", "not looked for yet"),
        Some(0) => ok("leftovers", "no process of an earlier host was left"),
        Some(ended) => check(
            "leftovers",
            HealthStatus::Warn,
            format!("{ended} processes of an earlier host that was killed were ended at this one's start"),
            Some(
                "nothing is to be done; end hosts by closing their editor, `termi kill all` or SIGTERM, not by SIGKILL",
            ),
        ),
    }
}

/// Names are how people and programs tell sessions and processes apart.
fn names(sessions: &SessionsReply) -> HealthCheck {
    let runs = || sessions.values().flat_map(|session| &session.processes);
    let distinct = |names: Vec<&str>| names.iter().collect::<std::collections::HashSet<_>>().len() == names.len();
    let fine = distinct(sessions.values().map(|session| session.name.as_str()).collect())
        && distinct(runs().map(|run| run.terminal_name.as_str()).collect())
        && distinct(runs().map(|run| run.process_name.as_str()).collect());
    if fine {
        ok("names", format!("the names of {} sessions and {} runs differ", sessions.len(), runs().count()))
    } else {
        check(
            "names",
            HealthStatus::Warn,
            "two sessions or runs have the same name",
            Some("name them by their ids, and rename one"),
        )
    }
}

fn of_session(id: &SessionId, session: &SessionInfo) -> Vec<HealthCheck> {
    let mut found: Vec<HealthCheck> = session.processes.iter().flat_map(of_run).collect();
    if found.is_empty() {
        let ended = session.processes.len() - session.active_processes;
        found.push(ok("session", format!("{} active, {ended} ended", session.active_processes)));
    }
    for check in &mut found {
        check.session_id = Some(id.clone());
        check.session_name = Some(session.name.clone());
    }
    found
}

fn of_run(run: &RunInfo) -> Vec<HealthCheck> {
    let mut found = Vec::new();
    let mut say = |detail: String, advice: &str| found.push(check("session", HealthStatus::Warn, detail, Some(advice)));
    let (program, reason) = (&run.program, run.reason.as_deref().unwrap_or("for a reason that is not known"));
    if run.unread_input_bytes > 0 {
        let advice = "it does not read: it waits for something else, is stopped (Ctrl-S, SIGSTOP), or hangs; Ctrl-C, Ctrl-Q or kill";
        say(format!("{program} has not read {} bytes that were typed", run.unread_input_bytes), advice);
    }
    if run.status == Status::Active && process::Proc::read(run.pid.cast_signed()).is_none() {
        say(format!("{program} is gone, and its end has not been told"), "wait a moment, then kill the run");
    }
    match run.status {
        Status::Killed if run.reason.is_some() => {
            say(format!("{program} {reason}"), "raise that limit (`limits`), or let it do less at once")
        }
        Status::TimedOut => {
            say(format!("{program} {reason}"), "raise its timeout, or look at its last lines for what it waited for")
        }
        Status::Failed => say(format!("{program} was lost: {reason}"), "start it again; the log has more"),
        _ => {}
    }
    if run.left_running > 0 && run.status != Status::Active {
        say(
            format!("{program} left {} processes running", run.left_running),
            "kill the session to end them, if they are not wanted",
        );
    }
    let nearly = |used: Option<u64>, limit: Option<u64>| {
        used.zip(limit).filter(|(used, limit)| used.saturating_mul(100) >= limit.saturating_mul(NEARLY_PERCENT))
    };
    if let Some((used, limit)) = nearly(run.memory_bytes, run.limits.memory_bytes) {
        say(
            format!("{program} takes {} of the {} it may", units::bytes(used), units::bytes(limit)),
            "raise limits.memory_bytes if it is to live",
        );
    }
    if let Some((used, limit)) = nearly(run.process_count, run.limits.processes) {
        say(format!("{program} has {used} of the {limit} processes it may"), "raise limits.processes if it is to live");
    }
    let silence = run.timeout_ms.filter(|limit| {
        run.status == Status::Active && run.duration_ms.saturating_mul(100) >= limit.saturating_mul(95)
    });
    if let Some(limit) = silence {
        say(
            format!("{program} is about to pass its timeout of {:?}", Duration::from_millis(limit)),
            "raise its timeout the next time",
        );
    }
    for check in &mut found {
        check.run_id = Some(run.run_id.clone());
    }
    found
}
