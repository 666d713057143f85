//! Starting runs: from `run` parameters, checked, to a program on its PTY.

use std::{ffi::OsString, time::Duration};

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug, info, info_span};

use super::{
    MAX_MS, Supervisor,
    access::Permit,
    names,
    table::{Reserved, SessionSpec},
};
use crate::{
    history::DEFAULT_BYTES,
    protocol::{
        AttachReply, Code, CommandSpec, Error, Format, Result, RunId, RunParams, RunReply, SessionId, Size, Stream,
        Template, check_display_text, check_name, check_session_name,
    },
    pty::{Spawn, spawn},
    session::{
        client::{Client, caller::Caller, viewer::AttachOptions},
        error::{run_gone, start_error},
        message::{Desired, MAILBOX_CAPACITY, RunHandle, RunMessage},
        program::{
            cgroup::Delegated,
            claude,
            command::{self, Command},
            limits,
        },
        run::{Identity, Run},
    },
    term::clamp_size,
};

/// What a session's transcripts may be allowed to take: a few screens at least; at most what a host with a hundred such
/// sessions can still hold.
const TRANSCRIPT_BYTES: std::ops::RangeInclusive<u64> = 64_000..=64_000_000;

/// What a run is started from.
struct Start {
    params: RunParams,
    resume: Option<CommandSpec>,
    command: Command,
    reserved: Reserved,
    /// Text that it begins below.
    under: Option<String>,
}

impl Supervisor {
    /// Starts a run. `client` gets a view of it if the parameters say so.
    ///
    /// # Errors
    /// Says what was wrong with the parameters, or why the program could not be started; no session is left behind.
    pub async fn run(&self, params: RunParams, client: Option<&Client>, permit: &Permit) -> Result<RunReply> {
        self.run_with(params, client, None, permit, |_, _| {}).await
    }

    /// Starts a run for a client that is told of it. `introduce` is called before the run has its first event or frame.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn run_introduced(
        &self,
        params: RunParams,
        client: &Client,
        permit: &Permit,
        introduce: impl FnOnce(SessionId, RunId) + Send,
    ) -> Result<RunReply> {
        self.run_with(params, Some(client), None, permit, introduce).await
    }

    /// Starts a run below the text of an earlier one, with escape sequences for looks.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn run_under(&self, params: RunParams, text: String) -> Result<RunReply> {
        self.run_with(params, None, Some(text), &Permit::of_host(), |_, _| {}).await
    }

    async fn run_with(
        &self,
        params: RunParams,
        client: Option<&Client>,
        under: Option<String>,
        permit: &Permit,
        introduce: impl FnOnce(SessionId, RunId) + Send,
    ) -> Result<RunReply> {
        let (params, template) = self.with_template(params).await?;
        let spec = check_run(&params)?;
        let command = Command::new(params.cmd.as_ref())?;
        let base = self.settings.cwd.clone();
        let folder = |named: &String| command::folder(named, &base);
        let (cwd, new_session_cwd) = (params.cwd.as_ref().map(folder), params.origin_cwd.as_ref().map(folder));
        let program = command.program.clone();
        let (caller, permit) = (permit.caller().clone(), permit.clone());
        let reserved = self
            .with(move |table| table.reserve(SessionSpec { cwd, new_session_cwd, program, ..spec }, &permit))
            .await??;
        let run_id = reserved.run_id.clone();
        let span = info_span!("session", id = reserved.session_id.short());
        let resume = template.and_then(|template| template.resume);
        let start = Start { params, resume, command, reserved, under };
        let started = self.start_run(start, client, &caller, introduce).instrument(span).await;
        if started.is_err() {
            self.with(move |table| table.release(&run_id)).await?;
        }
        started
    }

    async fn start_run(
        &self,
        start: Start,
        client: Option<&Client>,
        caller: &Caller,
        introduce: impl FnOnce(SessionId, RunId) + Send,
    ) -> Result<RunReply> {
        let Start { params, resume, command, reserved, under } = start;
        let size =
            params.size.map_or(Size { rows: 24, cols: 80 }, |size| clamp_size(size.rows.into(), size.cols.into()));
        let process_name = names::process_name(&command.program, &reserved.session_id, &reserved.run_id);
        let cgroup = match &reserved.limits {
            limits if limits.memory_bytes.is_some() || limits.processes.is_some() => {
                Delegated::find().ok().and_then(|delegated| {
                    debug!("control groups: {}", delegated.describe());
                    delegated.make(&reserved.run_id, limits)
                })
            }
            _ => None,
        };
        let what = Spawn {
            argv: command.argv.clone(),
            env: with_env(reserved.env, &reserved.terminal_name, &params),
            cwd: reserved.cwd,
            size,
            process_name: process_name.clone(),
            umask: params.origin_umask.unwrap_or(self.settings.umask),
            nice: params.origin_nice,
            open_files: self.settings.open_files,
            limits: limits::for_kernel(&reserved.limits),
            raw: params.stream == Stream::Json,
            cgroup: cgroup.as_ref().map(|group| group.folder().to_owned()).unwrap_or_default(),
        };
        match &command.shell {
            Some(shell) => info!("Using PTY with shell: {shell}"),
            None => info!("Using PTY"),
        }
        let begun = if reserved.agent_hooks { claude::with_hooks(what.clone()) } else { what.clone() };
        let spawned = spawn(begun).await.map_err(|error| {
            let error = start_error(&error, &what);
            info!("not started: {error}");
            error
        })?;
        if params.echo == Some(false) {
            spawned.master.set_echo(false);
        }
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
            transcript_limit: reserved.transcript_share,
            limits: reserved.limits,
            cgroup,
            stream: params.stream,
            group: reserved.group,
            label: reserved.label,
            template: params.template.clone(),
            resume,
            output_limit: params
                .log
                .unwrap_or(params.log_bytes.is_some())
                .then(|| params.log_bytes.unwrap_or(DEFAULT_BYTES)),
        };
        let (mailbox, messages) = mpsc::channel(MAILBOX_CAPACITY);
        let stream = params.stream;
        let (desired, desires) = Desired::new(reserved.session_name.clone());
        let mut run = Run::new(
            identity,
            desires,
            reserved.terminal_name.clone(),
            self.services.clone(),
            mailbox.downgrade(),
            spawned,
            reserved.colors,
        );
        if let Some(text) = under {
            run.begin_under(&text);
        }
        let handle = RunHandle {
            run_id: reserved.run_id.clone(),
            session_id: reserved.session_id.clone(),
            mailbox,
            desired,
            published: run.published(),
            template: params.template.clone(),
        };
        let view_id = match (params.attach, client) {
            (Some(format), Some(client)) => Some(queue_attach(&handle, client, format, params.size, caller.clone())?),
            _ => None,
        };
        if let Some(client) = client.filter(|_| stream == Stream::Json) {
            let (reply, _) = oneshot::channel();
            // Nothing can be in its queue before it but an attach.
            let follow = RunMessage::Subscribe { client: client.clone(), caller: caller.clone(), reply };
            let _ = handle.mailbox.try_send(follow);
        }
        introduce(reserved.session_id.clone(), reserved.run_id.clone());
        let inserted = handle.clone();
        let session_name = self.with(move |table| table.insert(inserted, pid)).await??;
        tokio::spawn(run.serve(messages).in_current_span());
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
            session_name,
            view_id,
        })
    }
}

/// Puts an attach into a new run's queue before anything else can come.
fn queue_attach(
    run: &RunHandle,
    client: &Client,
    format: Format,
    size: Option<Size>,
    caller: Caller,
) -> Result<oneshot::Receiver<AttachReply>> {
    let (reply, answer) = oneshot::channel();
    let options = AttachOptions { format, size, read_only: false, scrollback: None };
    let attach = RunMessage::Attach { client: client.clone(), caller, options, reply };
    run.mailbox.try_send(attach).map_err(|_| run_gone())?;
    Ok(answer)
}

/// What a file of a run's whole output may be capped at.
const LOG_BYTES: std::ops::RangeInclusive<u64> = 1000..=1_000_000_000_000;

/// Checks what a template says of its runs.
///
/// # Errors
/// As `run` would, with the key first in the message.
pub(crate) fn check_template(name: &str, template: &Template) -> Result<()> {
    check_run(&crate::template::apply(name, template, RunParams::default()))?;
    Command::new(template.cmd.as_ref()).map(|_| ())
}

fn check_run(params: &RunParams) -> Result<SessionSpec> {
    if let Some(name) = &params.name {
        check_session_name("name", name)?;
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
        if let Some(ms) = value.filter(|ms| *ms == 0 || *ms > MAX_MS) {
            return Err(Error::invalid(key, ms, "from 1 millisecond to 10 years; leave it out for no limit"));
        }
    }
    if let Some(bytes) = params.transcript_bytes.filter(|bytes| !TRANSCRIPT_BYTES.contains(bytes)) {
        let rule = format!(
            "from {} to {} bytes; leave it out for the default",
            TRANSCRIPT_BYTES.start(),
            TRANSCRIPT_BYTES.end()
        );
        return Err(Error::invalid("transcript_bytes", bytes, &rule));
    }
    if let Some(bytes) = params.log_bytes.filter(|bytes| !LOG_BYTES.contains(bytes)) {
        return Err(Error::invalid("log_bytes", bytes, "from 1000 bytes to 1 TB"));
    }
    if let Some(limits) = &params.limits {
        limits::check(limits)?;
    }
    Ok(SessionSpec {
        session: params.session.clone(),
        name: params.name.clone(),
        label: params.label.clone(),
        group: params.group.clone(),
        transcript_limit: params.transcript_bytes.and_then(|bytes| usize::try_from(bytes).ok()),
        limits: params.limits.clone().unwrap_or_default(),
        keep: params.keep,
        ..SessionSpec::default()
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
