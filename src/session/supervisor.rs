//! The supervisor: what can be done with sessions, for whatever serves clients.

use std::{
    ffi::OsString,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::future::{join_all, select_all};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, info, info_span};

use super::{
    Announcement, Announcer, Client, ClientId,
    command::{self, Command},
    names,
    run::{Ask, DEFAULT_GRACE, Identity, Kill, KillOutcome, Run},
    start_error,
    table::{Reserved, RunHandle, Sample, SessionWish, Table},
    waiter::Condition,
};
use crate::{
    process,
    protocol::{
        AttachParams, AttachReply, Bytes, Code, ColorsParams, Empty, Error, Format, InputParams, KillParams, KillReply,
        RemoveReply, RenameParams, RenameReply, ResizeParams, Result, RunId, RunParams, RunReply, SessionInfo,
        SessionsReply, SignalSpec, Size, SnapshotParams, SnapshotReply, Status, Stream, Target, Until, VisibleParams,
        WaitParams, WaitReason, WaitReply, check_display_text, check_name,
    },
    pty::{Spawn, spawn},
    term::{Colors, clamp_size},
};

/// Asks that may wait for one run. The run answers in microseconds; a client that asks faster waits.
const ASKS_WAITING: usize = 256;

/// The longest time a client may name: what a clock can still add.
const LONGEST_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// The least time between two looks at what processes use.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

/// What a supervisor is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder sessions start in when they are told none.
    pub cwd: PathBuf,
    /// What every program's environment begins with.
    pub env: Vec<(OsString, OsString)>,
    /// The socket programs can reach this host by.
    pub socket: Option<PathBuf>,
    /// The umask programs get.
    pub umask: u32,
    /// The soft limit of open files programs get.
    pub open_files: u64,
    /// The most a run's transcript may take, in bytes.
    pub transcript_limit: usize,
    /// How many ended runs are kept to be looked at.
    pub keep_ended: usize,
}

impl Settings {
    /// For a host with the given umask and limit of open files: the environment is its own, less what would
    /// mislead programs.
    #[must_use]
    pub fn new(umask: u32, open_files: u64) -> Self {
        let mut env = command::inherited_env();
        let own = [
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("TERM_PROGRAM", "termi"),
            ("TERM_PROGRAM_VERSION", env!("CARGO_PKG_VERSION")),
        ];
        env.extend(own.map(|(key, value)| (key.into(), value.into())));
        Self {
            cwd: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            env,
            socket: None,
            umask,
            open_files,
            transcript_limit: 500_000,
            keep_ended: 200,
        }
    }
}

type Job = Box<dyn FnOnce(&mut Table) + Send>;

/// A way to reach the table of sessions. Clones reach the same one.
#[derive(Clone)]
pub struct Supervisor {
    jobs: mpsc::Sender<Job>,
    announcer: Announcer,
    settings: std::sync::Arc<Settings>,
}

impl Supervisor {
    /// Starts the task that owns the table.
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let (jobs, mut jobs_in) = mpsc::channel::<Job>(ASKS_WAITING);
        let (announcements, mut announced) = mpsc::unbounded_channel::<Announcement>();
        let mut table = Table::new(settings.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    job = jobs_in.recv() => match job {
                        Some(job) => job(&mut table),
                        None => return,
                    },
                    Some(announcement) = announced.recv() => table.tell(&announcement),
                }
            }
        });
        Self { jobs, announcer: Announcer(announcements), settings: std::sync::Arc::new(settings) }
    }

    /// Has something done by the table's owner.
    async fn with<T: Send + 'static>(&self, job: impl FnOnce(&mut Table) -> T + Send + 'static) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |table| _ = reply.send(job(table)));
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Makes a client known: it gets events from now on.
    pub async fn register(&self, client: Client) -> Result<()> {
        self.with(|table| table.clients.push(client)).await
    }

    /// Forgets a client and its views.
    pub async fn unregister(&self, client: ClientId) -> Result<()> {
        self.with(move |table| table.forget_client(client)).await
    }

    /// Tells all terminals a client's colours.
    pub async fn set_colors(&self, params: ColorsParams) -> Result<Empty> {
        let colors = Colors::new(params.foreground.as_deref(), params.background.as_deref());
        self.with(move |table| {
            table.colors = colors;
            for run in table.runs() {
                let _ = run.asks.try_send(Ask::Colors(colors));
            }
            Empty {}
        })
        .await
    }

    /// Starts a run. `client` gets a view of it if the parameters say so.
    ///
    /// # Errors
    /// Says what was wrong with the parameters, or why the program could not be started; no session is left behind.
    pub async fn run(&self, params: RunParams, client: Option<&Client>) -> Result<RunReply> {
        let wish = check_run(&params)?;
        let command = Command::new(params.cmd.as_ref())?;
        let base = self.settings.cwd.clone();
        let cwd = params.cwd.as_deref().map(|named| command::folder(named, &base));
        let program = command.program.clone();
        let reserved = self.with(move |table| table.reserve(SessionWish { cwd, program, ..wish })).await??;
        let session_id = reserved.session_id.clone();
        let span = info_span!("session", id = session_id.short());
        let started = self.start_run(params, command, reserved, client).instrument(span).await;
        if started.is_err() {
            self.with(move |table| table.release(&session_id)).await?;
        }
        started
    }

    async fn start_run(
        &self,
        params: RunParams,
        command: Command,
        reserved: Reserved,
        client: Option<&Client>,
    ) -> Result<RunReply> {
        let size =
            params.size.map_or(Size { rows: 24, cols: 80 }, |size| clamp_size(size.rows.into(), size.cols.into()));
        let process_name = names::process_name(&command.program, &reserved.session_id, &reserved.run_id);
        let what = Spawn {
            argv: command.argv.clone(),
            env: with_env(reserved.env, &reserved.terminal_name, &params),
            cwd: reserved.cwd,
            size,
            process_name: process_name.clone(),
            umask: self.settings.umask,
            open_files: self.settings.open_files,
        };
        match &command.shell {
            Some(shell) => info!("Using PTY with shell: {shell}"),
            None => info!("Using PTY"),
        }
        let spawned = spawn(what.clone()).await.map_err(|error| {
            let error = start_error(&error, &what);
            info!("not started: {error}");
            error
        })?;
        let pid = spawned.pid.unsigned_abs();
        info!(pid, shim = spawned.shim_pid, "{} started as {process_name}", command.program);
        let identity = Identity {
            run_id: reserved.run_id.clone(),
            session_id: reserved.session_id.clone(),
            process_name: process_name.clone(),
            command,
            spawn: what,
            timeout: params.timeout_ms.map(Duration::from_millis),
            idle_timeout: params.idle_timeout_ms.map(Duration::from_millis),
            transcript_limit: self.settings.transcript_limit,
        };
        let announcer = self.announcer.clone();
        let run = Run::new(
            identity,
            reserved.session_name.clone(),
            reserved.terminal_name.clone(),
            announcer,
            spawned,
            size,
            reserved.colors,
        );
        let (asks, asks_in) = mpsc::channel(ASKS_WAITING);
        let handle = RunHandle { run_id: reserved.run_id.clone(), session_id: reserved.session_id.clone(), asks };
        let view_id = match (params.attach, client) {
            (Some(format), Some(client)) => Some(queue_attach(&handle, client, format)?),
            _ => None,
        };
        let inserted = handle.clone();
        self.with(move |table| table.insert(inserted, pid)).await??;
        tokio::spawn(run.serve(asks_in).in_current_span());
        let view_id = match view_id {
            Some(answer) => answer.await.ok().map(|reply: AttachReply| reply.view_id),
            None => None,
        };
        Ok(RunReply {
            session_id: reserved.session_id,
            run_id: reserved.run_id,
            pid,
            terminal_name: reserved.terminal_name,
            process_name,
            session_name: reserved.session_name,
            view_id,
        })
    }

    /// All sessions and their runs.
    pub async fn sessions(&self) -> Result<SessionsReply> {
        struct Skeleton {
            id: crate::protocol::SessionId,
            info: SessionInfo,
            runs: Vec<RunHandle>,
        }
        let skeletons = self
            .with(|table| {
                table
                    .sessions
                    .iter()
                    .filter(|session| session.announced)
                    .map(|session| Skeleton {
                        id: session.id.clone(),
                        info: SessionInfo {
                            name: session.name.clone(),
                            label: session.label.clone(),
                            group: session.group.clone(),
                            cwd: session.cwd.to_string_lossy().into_owned(),
                            active_processes: 0,
                            run_ids: Vec::new(),
                            processes: Vec::new(),
                        },
                        runs: session.runs.clone(),
                    })
                    .collect::<Vec<_>>()
            })
            .await?;
        let mut sessions = SessionsReply::new();
        let mut shims = Vec::new();
        for Skeleton { id, mut info, runs } in skeletons {
            for (run, shim) in join_all(runs.iter().map(|run| ask(run, Ask::Info))).await.into_iter().flatten() {
                info.active_processes += usize::from(run.status == Status::Active);
                info.run_ids.push(run.run_id.clone());
                if let Some(shim) = shim.filter(|_| run.status == Status::Active) {
                    shims.push((run.run_id.clone(), shim));
                }
                info.processes.push(run);
            }
            sessions.insert(id, info);
        }
        self.add_usage(&mut sessions, shims).await?;
        Ok(sessions)
    }

    /// Fills in what the runs' process trees use.
    async fn add_usage(&self, sessions: &mut SessionsReply, shims: Vec<(RunId, i32)>) -> Result<()> {
        if shims.is_empty() {
            return Ok(());
        }
        let pids: Vec<i32> = shims.iter().map(|(_, shim)| *shim).collect();
        let used = tokio::task::spawn_blocking(move || process::usage(&pids)).await.map_err(|_| gone())?;
        let used: Vec<_> = shims.into_iter().map(|(run, _)| run).zip(used).collect();
        let usage = self
            .with(move |table| {
                used.into_iter()
                    .map(|(run, (ticks, pages))| {
                        let percent = sample(table, &run, ticks);
                        (run, (percent, pages * page_bytes()))
                    })
                    .collect::<std::collections::HashMap<_, _>>()
            })
            .await?;
        for run in sessions.values_mut().flat_map(|session| &mut session.processes) {
            if let Some((percent, bytes)) = usage.get(&run.run_id) {
                (run.cpu_percent, run.memory_bytes) = (Some(*percent), Some(*bytes));
            }
        }
        Ok(())
    }

    /// Ends what the target names and answers once it is gone.
    pub async fn kill(&self, params: KillParams) -> Result<KillReply> {
        let signal = params.signal.as_ref().map(signal_of).transpose()?;
        let grace = params.grace_ms.map_or(DEFAULT_GRACE, |ms| Duration::from_millis(ms.min(LONGEST_MS)));
        let runs = self.resolve(params.target).await?;
        self.kill_runs(&runs, Kill { signal, grace }).await
    }

    async fn kill_runs(&self, runs: &[RunHandle], kill: Kill) -> Result<KillReply> {
        let outcomes = join_all(runs.iter().map(|run| ask(run, |reply| Ask::Kill { kill, reply }))).await;
        let mut answer = KillReply::default();
        for KillOutcome { was_running, processes, left } in outcomes.into_iter().flatten() {
            answer.total += usize::from(was_running);
            answer.killed += usize::from(was_running && left == 0);
            answer.processes += processes;
        }
        Ok(answer)
    }

    async fn resolve(&self, target: Target) -> Result<Vec<RunHandle>> {
        self.with(move |table| table.resolve(&target)).await?
    }

    async fn one(&self, run_id: RunId) -> Result<RunHandle> {
        self.with(move |table| table.run(&run_id)).await?
    }

    /// The one run a target names.
    async fn only(&self, target: Target) -> Result<RunHandle> {
        let text = target.to_string();
        let mut runs = self.resolve(target).await?;
        match (runs.pop(), runs.is_empty()) {
            (Some(run), true) => Ok(run),
            (None, _) => Err(Error::new(Code::NotFound, format!("{text:?} has no runs"))),
            _ => Err(Error::new(Code::Ambiguous, format!("{text:?} has several runs; name one as SESSION:RUN"))),
        }
    }

    /// Types into a run.
    pub async fn input(&self, params: InputParams) -> Result<Empty> {
        let Bytes(data) = params.data;
        self.tell(params.run_id, Ask::Input { data, paste: params.paste }).await
    }

    /// Sizes a run's terminal.
    pub async fn resize(&self, params: ResizeParams) -> Result<Empty> {
        self.tell(params.run_id, Ask::Resize { rows: params.rows, cols: params.cols }).await
    }

    /// Closes a client's view of a run.
    pub async fn detach(&self, run_id: RunId, client: ClientId) -> Result<Empty> {
        self.tell(run_id, Ask::Detach(client)).await
    }

    /// Says whether a client's view can be seen.
    pub async fn visible(&self, params: VisibleParams, client: ClientId) -> Result<Empty> {
        self.tell(params.run_id, Ask::Visible { client, visible: params.visible }).await
    }

    async fn tell(&self, run_id: RunId, what: Ask) -> Result<Empty> {
        self.one(run_id).await?.asks.send(what).await.map_err(|_| run_gone())?;
        Ok(Empty {})
    }

    /// Opens a client's view of a run.
    pub async fn attach(&self, params: AttachParams, client: &Client) -> Result<AttachReply> {
        let run = self.one(params.run_id).await?;
        let (format, size, client) = (params.format, params.size, client.clone());
        ask(&run, |reply| Ask::Attach { client, format, size, reply }).await.ok_or_else(run_gone)
    }

    /// A run's screen and transcript.
    pub async fn snapshot(&self, params: SnapshotParams) -> Result<SnapshotReply> {
        let run = self.one(params.run_id).await?;
        let (format, scrollback) = (params.format, params.scrollback);
        ask(&run, |reply| Ask::Snapshot { format, scrollback, reply }).await.ok_or_else(run_gone)
    }

    /// Waits until all runs of the target have ended, or the first of them prints or is silent as asked.
    pub async fn wait(&self, params: WaitParams) -> Result<WaitReply> {
        let condition = Condition::new(&params.until)?;
        let runs = self.resolve(params.target).await?;
        let waits: Vec<_> = runs
            .iter()
            .map(|run| {
                let condition = condition.clone();
                Box::pin(ask(run, |reply| Ask::Wait { condition, reply }))
            })
            .collect();
        if waits.is_empty() {
            return Err(Error::new(Code::NotFound, "there is no run to wait for"));
        }
        let all = matches!(params.until, Until::Exit);
        let done =
            async { if all { join_all(waits).await.into_iter().flatten().last() } else { select_all(waits).await.0 } };
        let timeout = params.timeout_ms.map_or(LONGEST_MS, |ms| ms.min(LONGEST_MS));
        match tokio::time::timeout(Duration::from_millis(timeout), done).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(run_gone()),
            Err(_) => Ok(WaitReply { reason: WaitReason::Timeout, exit: None, line: None }),
        }
    }

    /// Renames a session.
    pub async fn rename(&self, params: RenameParams) -> Result<RenameReply> {
        let RenameParams { target, name } = params;
        let given = name.clone();
        let session_id = self.with(move |table| table.rename(&target, given)).await??;
        Ok(RenameReply { session_id, name })
    }

    /// Starts a run's command again.
    pub async fn restart(&self, target: Target) -> Result<RunReply> {
        let run = self.only(target).await?;
        self.kill_runs(std::slice::from_ref(&run), Kill { signal: None, grace: DEFAULT_GRACE }).await?;
        let session_id = run.session_id.clone();
        let named = self
            .with(move |table| {
                let terminal_name = table.next_terminal_name(&session_id);
                let session = table.sessions.iter().find(|session| session.id == session_id);
                session.map(|session| (session.name.clone(), terminal_name))
            })
            .await?;
        let (session_name, terminal_name) = named.ok_or_else(run_gone)?;
        let given = terminal_name.clone();
        let restarted =
            ask(&run, |reply| Ask::Restart { terminal_name: given, reply }).await.ok_or_else(run_gone)??;
        Ok(RunReply {
            session_id: run.session_id,
            run_id: run.run_id,
            pid: restarted.pid,
            terminal_name,
            process_name: restarted.process_name,
            session_name,
            view_id: None,
        })
    }

    /// Dismisses runs that have ended.
    pub async fn remove(&self, target: Target) -> Result<RemoveReply> {
        let explicit = !matches!(target, Target::All | Target::Group(_));
        let runs = self.resolve(target).await?;
        let infos: Vec<_> = join_all(runs.iter().map(|run| ask(run, Ask::Info))).await.into_iter().flatten().collect();
        let active = infos.iter().filter(|(run, _)| run.status == Status::Active).count();
        if explicit && active > 0 {
            let still = if active == 1 { "a run of it is" } else { "runs of it are" };
            return Err(Error::new(Code::StillRunning, format!("{still} still active; kill it first")));
        }
        let ended: Vec<_> =
            infos.into_iter().filter(|(run, _)| run.status != Status::Active).map(|(run, _)| run.run_id).collect();
        let removed = ended.len();
        // What a run left running goes with it: the shim ends it when its run's task does.
        self.with(move |table| ended.iter().for_each(|run| table.forget(run))).await?;
        Ok(RemoveReply { removed })
    }

    /// Ends every run and starts none any more. Answers once all are gone, or `grace` and a little are over.
    pub async fn shutdown(&self, grace: Duration) -> Result<KillReply> {
        let runs = self
            .with(|table| {
                table.closing = true;
                table.runs().cloned().collect::<Vec<_>>()
            })
            .await?;
        info!(runs = runs.len(), "ending every session");
        self.kill_runs(&runs, Kill { signal: None, grace }).await
    }
}

/// Puts an attach into a new run's queue before anything else can come.
fn queue_attach(run: &RunHandle, client: &Client, format: Format) -> Result<oneshot::Receiver<AttachReply>> {
    let (reply, answer) = oneshot::channel();
    let attach = Ask::Attach { client: client.clone(), format, size: None, reply };
    run.asks.try_send(attach).map_err(|_| run_gone())?;
    Ok(answer)
}

/// Asks a run; none when it is gone.
async fn ask<T>(run: &RunHandle, what: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    run.asks.send(what(reply)).await.ok()?;
    answer.await.ok()
}

fn check_run(params: &RunParams) -> Result<SessionWish> {
    let unsupported =
        |what: &str| Err(Error::new(Code::Unsupported, format!("{what}: this version of Termi cannot do that yet")));
    if let Some(name) = &params.name {
        check_name("name", name)?;
        if let Some(session) = params.session.as_ref().filter(|session| *session != name) {
            return Err(Error::invalid(
                "name",
                name,
                &format!("a run in session {session:?} has that session's name; leave name out"),
            ));
        }
    }
    if let Some(group) = &params.group {
        check_name("group", group)?;
    }
    if let Some(label) = &params.label {
        check_display_text("label", label)?;
    }
    if let Some(cwd) = &params.cwd {
        command::no_nul("cwd", cwd)?;
    }
    for (key, value) in &params.env {
        if !command::is_env_name(key) {
            return Err(Error::invalid("env", key, "a variable's name must not be empty or hold `=` or NUL"));
        }
        if value.as_ref().is_some_and(|value| value.contains('\0')) {
            return Err(Error::new(
                Code::InvalidParams,
                format!("env {key:?}: its value must not hold a NUL character"),
            ));
        }
    }
    for (key, value) in [("timeout_ms", params.timeout_ms), ("idle_timeout_ms", params.idle_timeout_ms)] {
        if let Some(ms) = value.filter(|ms| *ms == 0 || *ms > LONGEST_MS) {
            return Err(Error::invalid(key, ms, "from 1 millisecond to 10 years; leave it out for no limit"));
        }
    }
    if params.limits.as_ref().is_some_and(|limits| *limits != crate::protocol::Limits::default()) {
        return unsupported("limits");
    }
    if let Some(template) = &params.template {
        return unsupported(&format!("template {template:?}"));
    }
    if params.stream == Stream::Json {
        return unsupported("stream \"json\"");
    }
    Ok(SessionWish {
        session: params.session.clone(),
        name: params.name.clone(),
        label: params.label.clone(),
        group: params.group.clone(),
        ..SessionWish::default()
    })
}

fn with_env(mut env: Vec<(OsString, OsString)>, terminal_name: &str, params: &RunParams) -> Vec<(OsString, OsString)> {
    env.push(("TERMI_TERMINAL".into(), terminal_name.into()));
    for (key, value) in &params.env {
        env.retain(|(other, _)| other != key.as_str());
        if let Some(value) = value {
            env.push((key.into(), value.into()));
        }
    }
    env
}

fn signal_of(spec: &SignalSpec) -> Result<i32> {
    let rule = "a signal's number from 1 to 64, or its name (TERM, SIGINT)";
    match spec {
        SignalSpec::Number(number @ 1..=64) => Ok(*number),
        SignalSpec::Number(number) => Err(Error::invalid("signal", number, rule)),
        SignalSpec::Name(name) => process::signal_number(name).ok_or_else(|| Error::invalid("signal", name, rule)),
    }
}

/// Processor use since the last look, in percent of one core.
fn sample(table: &mut Table, run: &RunId, ticks: u64) -> f64 {
    let now = Instant::now();
    let last = table.samples.get(run).copied();
    match last {
        Some(last) if now - last.at < SAMPLE_INTERVAL => return last.percent,
        _ => {}
    }
    let percent = last.map_or(0.0, |last| {
        // A tree that lost a process has used less in all than before: that is no use at all.
        let used = ticks.saturating_sub(last.ticks);
        #[allow(clippy::cast_precision_loss, reason = "ticks since the last look are few")]
        let seconds = used as f64 / ticks_a_second();
        (seconds / (now - last.at).as_secs_f64() * 1000.0).round() / 10.0
    });
    table.samples.insert(run.clone(), Sample { ticks, at: now, percent });
    percent
}

#[allow(clippy::cast_precision_loss, reason = "it is 100 on Linux")]
fn ticks_a_second() -> f64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64
}

fn page_bytes() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

fn gone() -> Error {
    Error::new(Code::ShuttingDown, "the host is ending")
}

fn run_gone() -> Error {
    Error::new(Code::NotFound, "the run was dismissed meanwhile")
}
