//! Input of the program: typed into its terminal, or queued while it does not read.

use std::time::Instant;

use tracing::{debug, warn};

use super::Run;
use crate::{
    protocol::Event,
    pty::Master,
    session::{
        client::viewer::Viewer,
        program::input::{self, InputQueue},
    },
};

/// The program's input: what waits to be read, and when something was typed or printed last.
pub(super) struct Input {
    pub queue: InputQueue,
    pub last_activity: Instant,
}

impl Input {
    pub fn new() -> Self {
        Self { queue: InputQueue::new(), last_activity: Instant::now() }
    }

    /// The program's next life: it is not idle yet.
    pub fn restart(&mut self) {
        self.last_activity = Instant::now();
    }
}

impl Run {
    pub(super) fn write(&mut self) {
        match &mut self.program.master {
            Some(master) => self.input.queue.write_to(master),
            None => self.input.queue.clear(),
        }
    }

    /// Types; false when the program does not read, and so much waits for it that this was refused.
    pub(super) fn type_in(&mut self, bytes: Vec<u8>) -> bool {
        let Some(master) = &self.program.master else { return false };
        self.input.last_activity = Instant::now();
        self.clients.viewers.iter_mut().for_each(Viewer::expect_echo);
        debug!(bytes = bytes.len(), run = self.identity.run_id.short(), "input");
        if !self.input.queue.is_empty() && is_interrupt(master, &bytes) {
            // The program does not read, so the key would wait behind what it has not read: the terminal's
            // driver would have thrown that away and sent the signal, and so does Termi.
            self.input.queue.clear();
            master.discard_input();
            if let Some(group) = master.foreground() {
                let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGINT);
            }
            return true;
        }
        let count = bytes.len();
        let taken = self.input.queue.push(bytes);
        if taken {
            self.write();
        } else {
            warn!("input of {count} bytes refused: {} wait, at most {} may", self.input.queue.bytes(), input::LIMIT);
            let (session_id, session_name, run_id) = self.ids();
            self.announce(Event::InputDropped {
                session_id,
                session_name,
                run_id,
                dropped_bytes: count,
                limit_bytes: input::LIMIT,
            });
        }
        taken
    }
}

/// Whether these bytes are the key that interrupts programs on this terminal.
fn is_interrupt(master: &Master, bytes: &[u8]) -> bool {
    use nix::sys::termios::{LocalFlags, SpecialCharacterIndices::VINTR, tcgetattr};
    let Ok(settings) = tcgetattr(master) else { return false };
    settings.local_flags.contains(LocalFlags::ISIG) && bytes == [settings.control_chars[VINTR as usize]]
}
