//! A run put down as data, and taken up by the process that has this one's place.

use std::{
    io,
    time::{Duration, Instant, UNIX_EPOCH},
};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};

use super::{Identity, Life, Notifications, RateMeter, Run, WatchedAgent, watch_limits};
use crate::{
    agent::Agent,
    history::{KeptPath, Output},
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
const REJOIN_PATIENCE: Duration = Duration::from_secs(5);

impl Run {
    /// Takes what the shim has said and is here already: the next process has only what is still in the pipe.
    pub(super) async fn take_reports(&mut self) {
        while let Some(report) = self.link.as_mut().and_then(|link| link.report().now_or_never()) {
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
            output: self.output.as_ref().map(Output::save),
            output_path: self.kept_output(),
            lines: self.lines.clone(),
            settled: self.tree_gone,
            terminal_name: self.terminal_name.clone(),
            terminal: self.terminal.save(),
            master: self.master.as_ref().map(Master::number),
            shim: self.link.as_mut().map(ShimLink::numbers),
            pid: self.pid,
            shim_pid: self.shim_pid,
            life: match self.life {
                Life::Active => SavedLife::Active,
                Life::Draining { exit, until } => {
                    SavedLife::Draining { exit, left: until.saturating_duration_since(Instant::now()) }
                }
                Life::Ended { exit, at, lasted } => SavedLife::Ended { exit, at_ms: unix_ms(at), lasted },
            },
            status: self.status,
            reason: self.reason.clone(),
            rest_goes: self.kill_leftovers,
            left_running: self.left_running,
            unfed: self.unfed[self.fed..].to_vec(),
            input: self.input.waiting(),
            started: self.started.elapsed(),
            started_at_ms: unix_ms(self.started_at),
            last_output: self.last_output.elapsed(),
            last_activity: self.last_activity.elapsed(),
            agent: self.agent.save(),
            cwd: self.notifications.cwd().map(|cwd| cwd.as_os_str().to_owned()),
            focus: self.focus,
            bytes: self.bytes,
            cuts: self.cuts,
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
        let mut input = InputQueue::new();
        // It fitted before.
        let _ = input.push(saved.input);
        let watch = saved.shim.and_then(|_| watch_limits(&services, saved.shim_pid, &identity, &own));
        let output = services.disk.as_ref().zip(saved.output).map(|(disk, saved)| disk.restore_output(saved));
        Ok(Self {
            output_path: output.as_ref().map(Output::path).or(saved.output_path.map(KeptPath::of_closed)),
            output,
            lines: saved.lines,
            subscribers: Vec::new(),
            tree_gone: saved.settled,
            watch,
            identity,
            session_name,
            desired,
            published: watch::Sender::default(),
            terminal_name: saved.terminal_name,
            services,
            own,
            terminal: Terminal::restore(saved.terminal),
            master: saved.master.map(|fd| Master::new(handed_down(fd))).transpose()?,
            link: saved
                .shim
                .map(|(orders, reports)| ShimLink::take_over(handed_down(orders), handed_down(reports)))
                .transpose()?,
            pid: saved.pid,
            shim_pid: saved.shim_pid,
            life: match saved.life {
                SavedLife::Active => Life::Active,
                SavedLife::Draining { exit, left } => Life::Draining { exit, until: now + left },
                SavedLife::Ended { exit, at_ms, lasted } => {
                    Life::Ended { exit, at: UNIX_EPOCH + Duration::from_millis(at_ms), lasted }
                }
            },
            status: saved.status,
            reason: saved.reason,
            killing: None,
            kill_leftovers: saved.rest_goes,
            left_running: saved.left_running,
            is_left_known: saved.settled || saved.left_running > 0 || saved.shim.is_none(),
            left_asks: Vec::new(),
            unfed: saved.unfed,
            fed: 0,
            slice: 4096,
            closed_until: None,
            input,
            wanted_size: None,
            size_of: None,
            refit: false,
            viewers: Vec::new(),
            acks: mpsc::unbounded_channel(),
            waits: Waits::default(),
            line_requests: Vec::new(),
            started: ago(saved.started),
            started_at: UNIX_EPOCH + Duration::from_millis(saved.started_at_ms),
            last_output: ago(saved.last_output),
            last_activity: ago(saved.last_activity),
            notifications: Notifications::resumed(saved.cwd.map(Into::into)),
            agent: WatchedAgent::new(Agent::restore(saved.agent)),
            focus: saved.focus,
            rejoined_until: Some(now + REJOIN_PATIENCE),
            bytes: saved.bytes,
            rate: RateMeter::default(),
            cuts: saved.cuts,
        })
    }
}
