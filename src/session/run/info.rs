//! Replies about a run: its row in `sessions`, a snapshot of its screen, the event of its exit, its history record.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Identity, Life, Run};
use crate::{
    history::KeptPath,
    process,
    protocol::{
        Event, Exit, HistoryRecord, RunId, RunInfo, SessionId, SnapshotFormat, SnapshotLine, SnapshotReply, Status,
    },
    session::{
        message::Published,
        services::Announcement,
        snapshot::{
            outline::RunOutline,
            time::{millis, unix_ms},
        },
    },
    view::encode_line,
};

impl Run {
    pub(super) fn status(&self) -> Status {
        if matches!(self.lifecycle.life, Life::Ended { .. }) { self.lifecycle.status } else { Status::Active }
    }

    pub(super) fn exit(&self) -> Option<Exit> {
        match self.lifecycle.life {
            Life::Ended { exit, .. } => Some(exit),
            _ => None,
        }
    }

    /// What its events begin with: session, the session's name, run.
    pub(super) fn ids(&self) -> (SessionId, String, RunId) {
        (self.identity.session_id.clone(), self.session_name.clone(), self.identity.run_id.clone())
    }

    pub(super) fn announce(&self, event: Event) {
        self.services.announcer.announce(Announcement::Event { event, except: Vec::new() });
    }

    pub(super) fn exit_event(&self, exit: Exit, lasted: Duration) -> Event {
        let (session_id, session_name, run_id) = self.ids();
        Event::RunExited {
            session_id,
            session_name,
            run_id,
            status: self.lifecycle.status,
            exit,
            reason: self.lifecycle.reason.clone(),
            duration_ms: millis(lasted),
            left_running: self.lifecycle.left_running,
        }
    }

    /// Writes this end into the history, and closes the file of the whole output.
    pub(super) fn record_history(&mut self, exit: Exit, at: SystemTime, lasted: Duration) {
        self.output.file = None;
        let Some(disk) = &self.services.disk else { return };
        let Identity { session_id, run_id, command, spawn, group, label, .. } = &self.identity;
        disk.record(HistoryRecord {
            session_id: session_id.clone(),
            session_name: self.session_name.clone(),
            group: group.clone(),
            label: label.clone(),
            run_id: run_id.clone(),
            command: command.text.clone(),
            program: command.program.clone(),
            cwd: spawn.cwd.to_string_lossy().into_owned(),
            started_at: unix_ms(self.program.started_at),
            ended_at: unix_ms(at),
            duration_ms: millis(lasted),
            status: self.lifecycle.status,
            exit,
            reason: self.lifecycle.reason.clone(),
            bytes: self.output.bytes,
            template: self.identity.template.clone(),
            output_path: self.kept_output(),
            host_pid: std::process::id(),
        });
    }

    /// The file of the whole output, unless it is known that nothing is kept in it.
    pub(super) fn kept_output(&self) -> Option<String> {
        self.output.file_path.as_ref().and_then(KeptPath::get)
    }

    pub(super) fn snapshot(&self, format: SnapshotFormat, scrollback: usize) -> SnapshotReply {
        let transcript = self.terminal.transcript();
        let mut lines: Vec<_> =
            if scrollback == 0 { Vec::new() } else { transcript.lines_from(transcript.first()).collect() };
        lines.drain(..lines.len().saturating_sub(scrollback));
        let scrollback_lines = lines.len();
        lines.extend(self.terminal.rows());
        SnapshotReply {
            lines: lines
                .into_iter()
                .map(|line| match format {
                    SnapshotFormat::Text => SnapshotLine::Text(line.text),
                    SnapshotFormat::Ansi => SnapshotLine::Text(encode_line(&line)),
                    SnapshotFormat::Spans => SnapshotLine::Spans(line),
                })
                .collect(),
            scrollback_lines,
            cursor: self.terminal.cursor(),
            size: self.terminal.size(),
            title: self.terminal.title().to_owned(),
            truncated_bytes: transcript.dropped_bytes(),
            alternate_screen: self.terminal.modes().alternate_screen,
        }
    }

    /// What is worth remembering of it, while it has not ended.
    pub(super) fn outline(&self, lines: Option<usize>) -> Option<RunOutline> {
        if matches!(self.lifecycle.life, Life::Ended { .. }) {
            return None;
        }
        let command = &self.identity.command;
        let is_shell = command.is_shell();
        let here = is_shell.then(|| process::cwd(self.program.pid)).flatten();
        let cwd = here.as_ref().unwrap_or(&self.identity.spawn.cwd).to_str()?.to_owned();
        let text = lines.map(|lines| {
            let snapshot = self.snapshot(SnapshotFormat::Ansi, lines);
            let mut text: Vec<String> = snapshot
                .lines
                .into_iter()
                .map(|line| match line {
                    SnapshotLine::Text(text) => text,
                    SnapshotLine::Spans(line) => line.text,
                })
                .collect();
            while text.pop_if(|line| line.is_empty()).is_some() {}
            text
        });
        let in_ms = |limit: Option<Duration>| limit.map(millis);
        Some(RunOutline {
            cmd: command.spec()?,
            command: command.text.clone(),
            cwd,
            timeout_ms: in_ms(self.identity.timeout),
            idle_timeout_ms: in_ms(self.identity.idle_timeout),
            limits: self.identity.limits.clone(),
            template: None,
            text,
        })
    }

    /// How many processes live on after its end: what lives may have started others since it was counted.
    fn left_now(&self) -> usize {
        match self.lifecycle.life {
            Life::Ended { .. } if self.lifecycle.left_running > 0 && self.program.link.is_some() => {
                process::tree(self.program.shim_pid).len()
            }
            _ => self.lifecycle.left_running,
        }
    }

    /// Publishes a copy of what it is by now.
    pub(super) fn publish(&mut self) -> Arc<Published> {
        // Its last line is read, in the turn of a flood too.
        self.terminal.flush();
        let shim = self.program.link.is_some().then_some(self.program.shim_pid);
        let copy = Arc::new(Published { info: self.info(), shim });
        self.published.send_replace(Some(Arc::clone(&copy)));
        copy
    }

    fn info(&self) -> RunInfo {
        let active = !matches!(self.lifecycle.life, Life::Ended { .. });
        let (ended_at, lasted) = match self.lifecycle.life {
            Life::Ended { at, lasted, .. } => (Some(unix_ms(at)), lasted),
            _ => (None, self.program.started.elapsed()),
        };
        // What the program says of itself counts more: a shell's folder, not that of what started it.
        let said = self.notifications.cwd().map(Path::to_path_buf);
        let cwd = said.or_else(|| process::cwd(self.program.pid)).filter(|_| active);
        RunInfo {
            run_id: self.identity.run_id.clone(),
            pid: self.program.pid.unsigned_abs(),
            status: self.status(),
            process_name: self.identity.process_name.clone(),
            terminal_name: self.program.terminal_name.clone(),
            command: self.identity.command.text.clone(),
            program: self.identity.command.program.clone(),
            started_at: unix_ms(self.program.started_at),
            ended_at,
            duration_ms: millis(lasted),
            exit: self.exit(),
            reason: self.lifecycle.reason.clone(),
            bytes: self.output.bytes,
            last_line: self.terminal.last_line(),
            title: self.terminal.title().to_owned(),
            agent: self.agent.info(),
            progress: self.notifications.progress(),
            cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()).unwrap_or_default(),
            memory_bytes: None,
            cpu_percent: None,
            process_count: None,
            limits: self.identity.limits.clone(),
            timeout_ms: self.identity.timeout.map(millis),
            idle_timeout_ms: self.identity.idle_timeout.map(millis),
            unread_input_bytes: self.input.queue.bytes(),
            stream: self.identity.stream,
            output_path: self.kept_output(),
            template: self.identity.template.clone(),
            resume: self.identity.resume.clone(),
            left_running: self.left_now(),
            attached: !self.clients.viewers.is_empty(),
        }
    }
}
