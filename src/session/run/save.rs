//! A run put down as data, and taken up by the process that has this one's place.

use std::{
    io,
    time::{Duration, Instant, UNIX_EPOCH},
};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};

use super::{
    Identity, Notifications, Run, WatchedAgent,
    clients::Clients,
    input::Input,
    lifecycle::{Life, Lifecycle},
    output::Output,
    program::Program,
    size::SizeOwner,
    watch_limits,
};
use crate::{
    agent::Agent,
    history::{KeptPath, Output as OutputFile},
    process::handed_down,
    protocol::SessionId,
    pty::{Master, ShimLink, Spawn},
    session::{
        message::{Desired, RunMessage},
        program::{cgroup::Cgroup, input::InputQueue},
        services::Services,
        snapshot::{
            state::{SavedLife, SavedRun, SavedSpawn},
            time::unix_ms,
        },
        waits::Waits,
    },
    term::Terminal,
};

/// How long clients may take to come back after a replacement, before it counts that nobody has a view.
const REJOIN_TIMEOUT: Duration = Duration::from_secs(5);

impl Run {
    /// Takes what the shim has said and is here already: the next process has only what is still in the pipe.
    pub(super) async fn take_reports(&mut self) {
        while let Some(report) = self.program.link.as_mut().and_then(|link| link.report().now_or_never()) {
            match report {
                Some(report) => self.reported(report),
                None => self.shim_gone().await,
            }
        }
    }

    pub(super) fn save(&mut self) -> SavedRun {
        let spawn = &self.identity.spawn;
        SavedRun {
            run_id: self.identity.run_id.clone(),
            process_name: self.identity.process_name.clone(),
            command: self.identity.command.clone(),
            spawn: SavedSpawn {
                argv: spawn.argv.clone(),
                env: spawn.env.clone(),
                cwd: spawn.cwd.clone().into_os_string(),
                size: spawn.size,
                process_name: spawn.process_name.clone(),
                umask: spawn.umask,
                nice: spawn.nice,
                open_files: spawn.open_files,
                limits: spawn.limits,
                raw: spawn.raw,
                cgroup: spawn.cgroup.clone().into_os_string(),
            },
            timeout: self.identity.timeout,
            idle_timeout: self.identity.idle_timeout,
            limits: self.identity.limits.clone(),
            cgroup: self.identity.cgroup.as_ref().map(|group| group.folder().as_os_str().to_owned()),
            stream: self.identity.stream,
            group: self.identity.group.clone(),
            label: self.identity.label.clone(),
            template: self.identity.template.clone(),
            resume: self.identity.resume.clone(),
            output_limit: self.identity.output_limit,
            output: self.output.file.as_ref().map(OutputFile::save),
            output_path: self.kept_output(),
            lines: self.output.splitter.clone(),
            settled: self.lifecycle.tree_gone,
            terminal_name: self.program.terminal_name.clone(),
            terminal: self.terminal.save(),
            master: self.program.master.as_ref().map(Master::number),
            shim: self.program.link.as_mut().map(ShimLink::numbers),
            pid: self.program.pid,
            shim_pid: self.program.shim_pid,
            life: match self.lifecycle.life {
                Life::Active => SavedLife::Active,
                Life::Draining { exit, until } => {
                    SavedLife::Draining { exit, left: until.saturating_duration_since(Instant::now()) }
                }
                Life::Ended { exit, at, lasted } => SavedLife::Ended { exit, at_ms: unix_ms(at), lasted },
            },
            agent: self.agent.save(),
            status: self.lifecycle.status,
            reason: self.lifecycle.reason.clone(),
            rest_goes: self.lifecycle.kill_leftovers,
            left_running: self.lifecycle.left_running,
            unfed: self.output.pending[self.output.consumed..].to_vec(),
            input: self.input.queue.waiting(),
            started: self.program.started.elapsed(),
            started_at_ms: unix_ms(self.program.started_at),
            last_output: self.output.last_output.elapsed(),
            last_activity: self.input.last_activity.elapsed(),
            cwd: self.notifications.cwd().map(|cwd| cwd.as_os_str().to_owned()),
            focus: self.focus,
            bytes: self.output.bytes,
            cuts: self.output.cuts,
        }
    }

    /// Takes a run up.
    ///
    /// # Errors
    /// When its descriptors cannot be watched.
    pub fn restore(
        saved: SavedRun,
        session_id: SessionId,
        desired: watch::Receiver<Desired>,
        services: Services,
        own: mpsc::WeakSender<RunMessage>,
        transcript_limit: watch::Receiver<usize>,
    ) -> io::Result<Self> {
        let SavedSpawn { argv, env, cwd, size, process_name, umask, nice, open_files, limits, raw, cgroup } =
            saved.spawn;
        let (cwd, cgroup) = (cwd.into(), cgroup.into());
        let identity = Identity {
            run_id: saved.run_id,
            session_id,
            process_name: saved.process_name,
            command: saved.command,
            spawn: Spawn { argv, env, cwd, size, process_name, umask, nice, open_files, limits, raw, cgroup },
            timeout: saved.timeout,
            idle_timeout: saved.idle_timeout,
            transcript_limit,
            limits: saved.limits,
            cgroup: saved.cgroup.map(|folder| Cgroup::take_over(folder.into())),
            stream: saved.stream,
            group: saved.group,
            label: saved.label,
            template: saved.template,
            resume: saved.resume,
            output_limit: saved.output_limit,
        };
        let session_name = desired.borrow().session_name.clone();
        let now = Instant::now();
        let ago = |how_long: Duration| now.checked_sub(how_long).unwrap_or(now);
        let mut queue = InputQueue::new();
        // It fitted before.
        let _ = queue.push(saved.input);
        let watch = saved.shim.and_then(|_| watch_limits(&services, saved.shim_pid, &identity, &own));
        let file = services.disk.as_ref().zip(saved.output).map(|(disk, saved)| disk.restore_output(saved));
        let file_path = file.as_ref().map(OutputFile::path).or(saved.output_path.map(KeptPath::of_closed));
        Ok(Self {
            identity,
            session_name,
            desired,
            published: watch::Sender::default(),
            services,
            own,
            terminal: Terminal::restore(saved.terminal),
            program: Program {
                terminal_name: saved.terminal_name,
                master: saved.master.map(|fd| Master::new(handed_down(fd))).transpose()?,
                link: saved
                    .shim
                    .map(|(orders, reports)| ShimLink::take_over(handed_down(orders), handed_down(reports)))
                    .transpose()?,
                pid: saved.pid,
                shim_pid: saved.shim_pid,
                watch,
                started: ago(saved.started),
                started_at: UNIX_EPOCH + Duration::from_millis(saved.started_at_ms),
            },
            lifecycle: Lifecycle {
                life: match saved.life {
                    SavedLife::Active => Life::Active,
                    SavedLife::Draining { exit, left } => Life::Draining { exit, until: now + left },
                    SavedLife::Ended { exit, at_ms, lasted } => {
                        Life::Ended { exit, at: UNIX_EPOCH + Duration::from_millis(at_ms), lasted }
                    }
                },
                status: saved.status,
                reason: saved.reason,
                kill_leftovers: saved.rest_goes,
                left_running: saved.left_running,
                is_left_known: saved.settled || saved.left_running > 0 || saved.shim.is_none(),
                tree_gone: saved.settled,
                ..Lifecycle::new()
            },
            output: Output {
                pending: saved.unfed,
                last_output: ago(saved.last_output),
                file_path,
                bytes: saved.bytes,
                cuts: saved.cuts,
                ..Output::new(file, saved.lines)
            },
            input: Input { queue, last_activity: ago(saved.last_activity) },
            size: SizeOwner::default(),
            clients: Clients { rejoined_until: Some(now + REJOIN_TIMEOUT), ..Clients::new() },
            waits: Waits::default(),
            line_requests: Vec::new(),
            notifications: Notifications::resumed(saved.cwd.map(Into::into)),
            agent: WatchedAgent::new(Agent::restore(saved.agent)),
            focus: saved.focus,
        })
    }
}
