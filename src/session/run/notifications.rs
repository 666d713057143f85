//! What a program asked for, and to whom it is told: bells, notifications, progress, clipboards, its folder.
//!
//! Programs can ask in a flood. What only its last counts of (progress, a clipboard) is told at intervals; of what
//! each counts (bells, notifications), so many a second.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tracing::{debug, warn};

use super::Run;
use crate::{
    protocol::{AttentionKind, Code, Error, Event, ProgressState, Result, Secret, Selection},
    term::{CLIPBOARD_MAX, ClipboardLoad, ClipboardStore, Cwd, Effects, Progress, Selection as Which},
};

/// A bell rings at most this often.
const BELL_INTERVAL: Duration = Duration::from_secs(1);

/// So many notifications are told in a second.
const NOTIFICATIONS: usize = 5;
const NOTIFICATIONS_WINDOW: Duration = Duration::from_secs(1);

/// Progress and clipboards are told at most this often: quicker than one can see, slower than any flood.
const PACE: Duration = Duration::from_millis(100);

/// Questions for a clipboard that may be open at a time: each is a question to a person.
const REQUESTS_MAX: usize = 4;

/// Clipboard text that may be on its way to clients, for a client that has stopped reading.
const COPIES_MAX: usize = 2 << 20;

/// A value of which the last counts, told at intervals.
#[derive(Debug)]
struct Paced<T> {
    pending: Option<T>,
    next: Option<Instant>,
}

impl<T> Default for Paced<T> {
    fn default() -> Self {
        Self { pending: None, next: None }
    }
}

impl<T> Paced<T> {
    fn due(&self) -> Option<Instant> {
        self.pending.as_ref().map(|_| self.next.unwrap_or_else(Instant::now))
    }

    /// The value, when it is time for it.
    fn take(&mut self) -> Option<T> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        let value = self.pending.take()?;
        self.next = Some(now + PACE);
        Some(value)
    }
}

/// What was heard of a program and is not forgotten at once.
#[derive(Debug, Default)]
pub(super) struct Heard {
    last_bell: Option<Instant>,
    notified: VecDeque<Instant>,
    progress: Paced<Progress>,
    told_progress: Progress,
    clipboard: Paced<ClipboardStore>,
    primary: Paced<ClipboardStore>,
    /// Clipboard text that clients may still hold.
    copies: Vec<(Weak<str>, usize)>,
    requests: VecDeque<(u64, ClipboardLoad)>,
    last_request: u64,
    /// Where it says that it works.
    cwd: Option<PathBuf>,
}

impl Heard {
    /// Where the program says that it works.
    pub(super) fn cwd(&self) -> Option<&Path> {
        self.cwd.as_deref()
    }

    /// What another process has put down.
    pub(super) fn resumed(cwd: Option<PathBuf>) -> Self {
        Self { cwd, ..Self::default() }
    }

    /// When something is due to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.progress.due(), self.clipboard.due(), self.primary.due()].into_iter().flatten().min()
    }

    /// There is room for another notification in this second.
    fn may_notify(&mut self) -> bool {
        let now = Instant::now();
        self.notified.retain(|at| now - *at < NOTIFICATIONS_WINDOW);
        let may = self.notified.len() < NOTIFICATIONS;
        if may {
            self.notified.push_back(now);
        }
        may
    }

    /// There is room for another copy on its way to clients.
    fn may_copy(&mut self, text: &Arc<str>) -> bool {
        self.copies.retain(|(copy, _)| copy.strong_count() > 0);
        let waiting: usize = self.copies.iter().map(|(_, bytes)| bytes).sum();
        let may = waiting + text.len() <= COPIES_MAX;
        if may {
            self.copies.push((Arc::downgrade(text), text.len()));
        }
        may
    }
}

impl Run {
    /// Takes in what the program asked for.
    pub(super) fn hear(&mut self, effects: Effects) {
        if !effects.replies.is_empty() && self.input.push(effects.replies) {
            self.write();
        }
        if effects.bell && self.heard.last_bell.is_none_or(|last| last.elapsed() >= BELL_INTERVAL) {
            self.heard.last_bell = Some(Instant::now());
            self.want_attention(AttentionKind::Bell, None);
        }
        for notification in effects.notifications {
            if self.heard.may_notify() {
                self.want_attention(AttentionKind::Notification, Some(notification.text()));
            } else {
                debug!("a notification is left out: more than {NOTIFICATIONS} in a second");
            }
        }
        if let Some(progress) = effects.progress {
            self.heard.progress.pending = Some(progress);
        }
        if let Some(cwd) = effects.cwd {
            // What runs on another machine, over ssh, has folders of its own.
            if is_here(&cwd) {
                self.heard.cwd = Some(cwd.path);
            }
        }
        for copied in effects.copies {
            match copied.selection {
                Which::Clipboard => self.heard.clipboard.pending = Some(copied),
                Which::Primary => self.heard.primary.pending = Some(copied),
            }
        }
        if effects.copy_refused {
            warn!("a copy to the clipboard was refused: it is larger than {CLIPBOARD_MAX} bytes");
        }
        for paste in effects.pastes {
            self.ask_for_clipboard(paste);
        }
        self.tell_paced();
    }

    fn want_attention(&self, kind: AttentionKind, message: Option<String>) {
        let (session_id, session_name, run_id) = self.who();
        self.announce(Event::Attention { session_id, session_name, run_id, kind, message });
    }

    /// Tells what is due by now.
    pub(super) fn tell_paced(&mut self) {
        if let Some(progress) = self.heard.progress.take() {
            self.tell_progress(progress);
        }
        if let Some(copied) = self.heard.clipboard.take() {
            self.tell_copied(copied);
        }
        if let Some(copied) = self.heard.primary.take() {
            self.tell_copied(copied);
        }
    }

    fn tell_progress(&mut self, progress: Progress) {
        if std::mem::replace(&mut self.heard.told_progress, progress) == progress {
            return;
        }
        let (state, percent) = match progress {
            Progress::None => (ProgressState::None, None),
            Progress::Normal(percent) => (ProgressState::Normal, Some(percent)),
            Progress::Error(percent) => (ProgressState::Error, Some(percent)),
            Progress::Indeterminate => (ProgressState::Indeterminate, None),
            Progress::Paused(percent) => (ProgressState::Paused, Some(percent)),
        };
        let (session_id, session_name, run_id) = self.who();
        self.announce(Event::Progress { session_id, session_name, run_id, state, percent });
    }

    /// To those who look at the run: what it shows is what they may have.
    fn tell_copied(&mut self, copied: ClipboardStore) {
        if self.viewers.is_empty() {
            debug!(bytes = copied.text.len(), "a copy to the clipboard is left out: nobody has a view");
            return;
        }
        if !self.heard.may_copy(&copied.text) {
            warn!("a copy to the clipboard was refused: its clients have not taken those before");
            return;
        }
        let (session_id, session_name, run_id) = self.who();
        let (selection, data) = (selection(copied.selection), Secret(copied.text));
        let event = Event::Clipboard { session_id, session_name, run_id, selection, data };
        for viewer in &self.viewers {
            viewer.client.event(event.clone());
        }
    }

    fn ask_for_clipboard(&mut self, asked: ClipboardLoad) {
        let may_answer = self.viewers.iter().any(|viewer| !viewer.read_only);
        if !may_answer || self.heard.requests.len() == REQUESTS_MAX {
            // The program waits for an answer that nobody will give.
            self.give_clipboard(&asked, b"");
            return;
        }
        self.heard.last_request += 1;
        let (session_id, session_name, run_id) = self.who();
        let (request, selection) = (self.heard.last_request, selection(asked.selection));
        self.heard.requests.push_back((request, asked));
        let event = Event::ClipboardRequest { session_id, session_name, run_id, request, selection };
        for viewer in self.viewers.iter().filter(|viewer| !viewer.read_only) {
            viewer.client.event(event.clone());
        }
    }

    /// Nobody will be there to answer what was asked: the programs do not wait for it.
    pub(super) fn void_clipboard_requests(&mut self) {
        for (_, asked) in std::mem::take(&mut self.heard.requests) {
            self.give_clipboard(&asked, b"");
        }
    }

    fn give_clipboard(&mut self, asked: &ClipboardLoad, text: &[u8]) {
        if self.input.push(asked.answer(text).into_bytes()) {
            self.write();
        } else {
            debug!("the answer about a clipboard is left out: the program does not read");
        }
    }

    /// A client's answer to a request.
    pub(super) fn answer_clipboard(&mut self, request: u64, text: Option<&[u8]>) -> Result<()> {
        if let Some(text) = text.filter(|text| text.len() > CLIPBOARD_MAX) {
            let rule = format!("at most {CLIPBOARD_MAX} bytes; leave data out to give the program nothing");
            return Err(Error::invalid("data", format!("{} bytes", text.len()), &rule));
        }
        let at = self.heard.requests.iter().position(|(open, _)| *open == request);
        let Some((_, asked)) = at.and_then(|at| self.heard.requests.remove(at)) else {
            return Err(Error::new(
                Code::NotFound,
                format!("the run has no open clipboard request {request}; it was answered, or the program has ended"),
            ));
        };
        self.give_clipboard(&asked, text.unwrap_or_default());
        Ok(())
    }

    /// The program has ended: what it last said is told, what it asked is void, and it shows no progress any more.
    pub(super) fn stop_hearing(&mut self) {
        for paced in [&mut self.heard.clipboard, &mut self.heard.primary] {
            paced.next = None;
        }
        self.heard.progress = Paced::default();
        self.tell_paced();
        self.tell_progress(Progress::None);
        self.heard = Heard { last_request: self.heard.last_request, ..Heard::default() };
    }
}

fn selection(which: Which) -> Selection {
    match which {
        Which::Clipboard => Selection::Clipboard,
        Which::Primary => Selection::Primary,
    }
}

/// Whether a folder that a program named is on this machine: it names none, or this one, in short or in full.
fn is_here(cwd: &Cwd) -> bool {
    let host = cwd.host.as_str();
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let own = nix::unistd::gethostname().unwrap_or_default();
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    own.to_str().is_some_and(|own| own.eq_ignore_ascii_case(host) || short(own).eq_ignore_ascii_case(&short(host)))
}
