//! How a run answers the messages in its mailbox.

use tokio::sync::oneshot;
use tracing::warn;

use super::{Life, Run, begin_output, focus, program::Program, watch_limits};
use crate::{
    protocol::{AttachReply, Code, Error, Event, Result, Status},
    pty::spawn,
    session::{
        client::{
            Client, ClientId,
            caller::Caller,
            viewer::{AttachOptions, Viewer},
        },
        error::start_error,
        message::{Restarted, RunMessage, Typed},
        program::{
            claude, input,
            limits::{self, Limit},
        },
        snapshot::state::Focus,
        waits::search::After,
    },
};

impl Run {
    pub(super) async fn handle(&mut self, message: RunMessage) {
        match message {
            RunMessage::Input { data, paste: false, .. } if self.is_told_focus(&data) => {}
            RunMessage::Input { client, data, paste } => {
                let data = self.as_typed(client, data, paste);
                self.type_in(data);
            }
            RunMessage::Send { client, data, paste, enter, reply } => {
                let mut data = self.as_typed(client, data, paste);
                data.extend(enter.then_some(b'\r'));
                let typed = matches!(self.lifecycle.life, Life::Active).then(|| {
                    self.terminal.flush();
                    let seq = After::now(&self.terminal).line();
                    Typed { taken: self.type_in(data), seq }
                });
                let _ = reply.send(typed);
            }
            RunMessage::Passed { shim, limit, reason } => self.passed(shim, limit, reason).await,
            RunMessage::Resize { client, size } => self.sized(client, size),
            // Whoever tightens the policy closes views behind it, but cannot close what is still in the queue.
            RunMessage::Attach { caller, .. } | RunMessage::Subscribe { caller, .. }
                if !self.may_be_read_by(&caller) => {}
            RunMessage::Attach { client, options, reply, .. } => self.attach(client, options, reply),
            RunMessage::Shim(reply) => _ = reply.send(self.program.link.is_some().then_some(self.program.shim_pid)),
            RunMessage::Subscribe { client, reply, .. } => _ = reply.send(self.subscribe(client)),
            RunMessage::Unsubscribe(client) => self.drop_subscribers(|subscriber| subscriber.client.id() == client),
            RunMessage::Detach(client) => self.drop_viewers(|viewer| viewer.client.id() == client),
            RunMessage::Visible { client, visible } => {
                if let Some(viewer) = self.clients.viewers.iter_mut().find(|viewer| viewer.client.id() == client) {
                    viewer.show(visible);
                }
            }
            RunMessage::Hold { client, hold } => {
                if let Some(viewer) = self.clients.viewers.iter_mut().find(|viewer| viewer.client.id() == client) {
                    viewer.hold(hold, &self.terminal);
                }
            }
            RunMessage::Lines(request) => self.request_lines(request),
            RunMessage::Snapshot { format, scrollback, reply } => _ = reply.send(self.snapshot(format, scrollback)),
            RunMessage::Prompts { client, reply } => _ = reply.send(self.prompts(client)),
            RunMessage::Link { client, row, col, reply } => _ = reply.send(self.link(client, row, col)),
            RunMessage::Clipboard { request, data, reply } => {
                let _ = reply.send(self.answer_clipboard(request, data.as_deref()));
            }
            RunMessage::Seen(reply) => {
                self.agent_is_seen();
                let _ = reply.send(());
            }
            RunMessage::AgentEvidence(reply) => _ = reply.send(self.agent_evidence()),
            RunMessage::AgentReport { params, reply } => _ = reply.send(self.agent_reports(params)),
            RunMessage::Foreground { group, names } => self.agent_is(group, &names),
            RunMessage::Kill { kill, reply } => self.begin_kill(kill, Status::Killed, None, Some(reply)).await,
            RunMessage::Wait { condition, reply } => self.wait(condition, reply),
            RunMessage::Info(reply) => _ = reply.send(self.publish()),
            RunMessage::LeftRunning(reply) => match self.lifecycle.life {
                Life::Ended { .. } if !self.lifecycle.is_left_known && self.program.link.is_some() => {
                    self.lifecycle.left_requests.push(reply)
                }
                Life::Ended { .. } => _ = reply.send(self.lifecycle.left_running),
                Life::Active | Life::Draining { .. } => _ = reply.send(0),
            },
            RunMessage::Spawn(reply) => _ = reply.send(self.identity.spawn.clone()),
            RunMessage::Restart { terminal_name, agent_hooks, reply } => {
                let outcome = self.restart(terminal_name, agent_hooks).await;
                let _ = reply.send(outcome);
            }
            RunMessage::Outline { lines, reply } => _ = reply.send(self.outline(lines)),
            RunMessage::Freeze { reply, mut thaw } => {
                if self.follow_desired() {
                    // It ends with its next turn, and is not carried over.
                    self.desired.mark_changed();
                    return;
                }
                self.take_reports().await;
                self.after_output();
                self.void_clipboard_requests();
                let _ = reply.send(Box::new(self.save()));
                // Nothing is ever sent: it ends with an error when the process goes on after all.
                let _ = thaw.changed().await;
            }
        }
    }

    fn may_be_read_by(&self, caller: &Caller) -> bool {
        caller.reads(*self.services.cross_session.borrow(), &self.identity.session_id)
    }

    /// What a client types, as the program is to get it.
    fn as_typed(&mut self, client: ClientId, data: Vec<u8>, paste: bool) -> Vec<u8> {
        // A report of the focus is no key.
        if paste || !focus::is_report(&data) {
            self.agent_is_typed_to();
            self.typed_by(client);
        }
        // The program has the size before it has the key.
        self.apply_size();
        if paste { input::pasted(&data, self.terminal.modes().bracketed_paste) } else { data }
    }

    /// The tree has passed a limit and grows on, perhaps: it is not asked first.
    async fn passed(&mut self, shim: i32, limit: Limit, reason: String) {
        if shim != self.program.shim_pid || self.program.link.is_none() {
            return;
        }
        warn!("{} {reason}", self.identity.command.program);
        self.begin_kill(limits::ending(limit), Status::Killed, Some(reason), None).await;
    }

    pub(super) fn attach(&mut self, client: Client, options: AttachOptions, reply: oneshot::Sender<AttachReply>) {
        if client.is_gone() {
            return;
        }
        self.close_viewers(|viewer| viewer.client.id() == client.id());
        let id = Viewer::next_id();
        let client_id = client.id();
        self.clients.viewers.push(Viewer::new(id, client, options, &self.terminal));
        match options.size {
            Some(size) => self.sized(client_id, size),
            None => self.hand_on_size(),
        }
        self.apply_size();
        let (session_id, session_name, run_id) = self.ids();
        let _ = reply.send(AttachReply {
            view_id: id,
            session_id,
            run_id,
            session_name,
            status: self.status(),
            size: self.terminal.size(),
            title: self.terminal.title().to_owned(),
            exit: self.exit(),
        });
    }

    pub(super) async fn restart(&mut self, terminal_name: String, agent_hooks: bool) -> Result<Restarted> {
        if self.lifecycle.killing.is_some() || !matches!(self.lifecycle.life, Life::Ended { .. }) {
            return Err(Error::new(Code::StillRunning, "the run is still ending; try again in a moment"));
        }
        if let Some(group) = &mut self.identity.cgroup {
            group.begin();
        }
        let what = &mut self.identity.spawn;
        what.size = self.terminal.size();
        for (key, value) in &mut what.env {
            if key == "TERMI_TERMINAL" {
                *value = terminal_name.clone().into();
            }
        }
        let what = &*what;
        let begun = if agent_hooks { claude::with_hooks(what.clone()) } else { what.clone() };
        let spawned = spawn(begun).await.map_err(|error| start_error(&error, what))?;
        // Who was still to be told of the first life's end is told before the second begins.
        if let Some(exit) = self.pending_exit_event() {
            self.clients.deliver_exit(&exit);
        }
        self.identity.leave_cgroup(spawned.cgroup_errno);
        self.terminal.start_over(&format!("── {} · started again ──", self.identity.command.text));
        self.agent_begins();
        let watch = watch_limits(&self.services, spawned.shim_pid, &self.identity, &self.own);
        self.program = Program::new(spawned, terminal_name, watch);
        self.lifecycle.restart();
        self.output.restart(begin_output(&self.services, &self.identity, self.program.started_at));
        self.input.restart();
        self.focus = Focus::default();
        self.after_output();
        let (session_id, session_name, run_id) = self.ids();
        let pid = self.program.pid.unsigned_abs();
        self.announce(Event::RunRestarted { session_id, session_name, run_id, pid });
        Ok(Restarted { pid, process_name: self.identity.process_name.clone() })
    }
}
