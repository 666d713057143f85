//! Notifications: bells, desktop notifications, progress, clipboards and the working directory that a program sends by
//! escape sequences (BEL, OSC 7, 9, 52, 777), as events.
//!
//! Programs can send them in a flood. Progress and clipboards, of which only the last counts, are throttled and coalesced;
//! bells and notifications, of which each counts, are rate limited.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tracing::{debug, warn};

use super::Run;
use crate::{
    protocol::{AttentionKind, Code, Error, Event, ProgressState, Result, RunProgress, Secret, Selection},
    term::{CLIPBOARD_MAX, ClipboardLoad, ClipboardStore, Cwd, Effects, Progress, Selection as Which},
};

/// Throttle of bells.
const BELL_INTERVAL: Duration = Duration::from_secs(1);

/// Rate limit of notifications: so many in a window.
const MAX_NOTIFICATIONS: usize = 5;
const NOTIFICATIONS_WINDOW: Duration = Duration::from_secs(1);

/// The throttle of progress and clipboards: quicker than one can see, slower than any flood.
const THROTTLE_INTERVAL: Duration = Duration::from_millis(100);

/// Questions for a clipboard that may be open at a time: each is a question to a person.
const REQUESTS_MAX: usize = 4;

/// Clipboard text that may be on its way to clients, for a client that has stopped reading.
const COPIES_MAX: usize = 2 << 20;

/// A throttled value: the last one counts, and is sent at intervals.
#[derive(Debug)]
struct Throttled<T> {
    pending: Option<T>,
    next: Option<Instant>,
}

impl<T> Default for Throttled<T> {
    fn default() -> Self {
        Self { pending: None, next: None }
    }
}

impl<T> Throttled<T> {
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
        self.next = Some(now + THROTTLE_INTERVAL);
        Some(value)
    }
}

/// The notifications of a program: rate limits, throttled values, and open clipboard requests.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    last_bell: Option<Instant>,
    notified: VecDeque<Instant>,
    progress: Throttled<Progress>,
    last_progress: Progress,
    clipboard: Throttled<ClipboardStore>,
    primary: Throttled<ClipboardStore>,
    /// Clipboard text that clients may still hold.
    copies: Vec<(Weak<str>, usize)>,
    requests: VecDeque<(u64, ClipboardLoad)>,
    last_request: u64,
    /// Where it says that it works.
    cwd: Option<PathBuf>,
}

impl Notifications {
    /// Where the program says that it works.
    pub(super) fn cwd(&self) -> Option<&Path> {
        self.cwd.as_deref()
    }

    /// How far the program is, as clients were told last; none while it shows none.
    pub(super) fn progress(&self) -> Option<RunProgress> {
        let (state, percent) = told(self.last_progress);
        (state != ProgressState::None).then_some(RunProgress { state, percent })
    }

    /// What another process has put down.
    pub(super) fn resumed(cwd: Option<PathBuf>) -> Self {
        Self { cwd, ..Self::default() }
    }

    /// When the next throttled value is due.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.progress.due(), self.clipboard.due(), self.primary.due()].into_iter().flatten().min()
    }

    /// There is room for another notification in this second.
    fn may_notify(&mut self) -> bool {
        let now = Instant::now();
        self.notified.retain(|at| now - *at < NOTIFICATIONS_WINDOW);
        let may = self.notified.len() < MAX_NOTIFICATIONS;
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
    /// Turns what the program asked for by escape sequences into replies and events.
    pub(super) fn handle_effects(&mut self, effects: Effects) {
        if !effects.replies.is_empty() && self.input.queue.push(effects.replies) {
            self.write();
        }
        if effects.bell && self.notifications.last_bell.is_none_or(|last| last.elapsed() >= BELL_INTERVAL) {
            self.notifications.last_bell = Some(Instant::now());
            self.announce_attention(AttentionKind::Bell, None);
        }
        for notification in effects.notifications {
            if self.notifications.may_notify() {
                self.announce_attention(AttentionKind::Notification, Some(notification.text()));
            } else {
                debug!("a notification is left out: more than {MAX_NOTIFICATIONS} in a second");
            }
        }
        if let Some(progress) = effects.progress {
            self.notifications.progress.pending = Some(progress);
        }
        if let Some(cwd) = effects.cwd {
            // What runs on another machine, over ssh, has folders of its own.
            if is_here(&cwd) {
                self.notifications.cwd = Some(cwd.path);
            }
        }
        for copied in effects.copies {
            match copied.selection {
                Which::Clipboard => self.notifications.clipboard.pending = Some(copied),
                Which::Primary => self.notifications.primary.pending = Some(copied),
            }
        }
        if effects.copy_refused {
            warn!("a copy to the clipboard was refused: it is larger than {CLIPBOARD_MAX} bytes");
        }
        for paste in effects.pastes {
            self.ask_for_clipboard(paste);
        }
        self.flush_throttled();
    }

    fn announce_attention(&self, kind: AttentionKind, message: Option<String>) {
        let (session_id, session_name, run_id) = self.ids();
        self.announce(Event::Attention { session_id, session_name, run_id, kind, message });
    }

    /// Sends the throttled values that are due.
    pub(super) fn flush_throttled(&mut self) {
        if let Some(progress) = self.notifications.progress.take() {
            self.announce_progress(progress);
        }
        if let Some(copied) = self.notifications.clipboard.take() {
            self.send_clipboard(copied);
        }
        if let Some(copied) = self.notifications.primary.take() {
            self.send_clipboard(copied);
        }
    }

    fn announce_progress(&mut self, progress: Progress) {
        if std::mem::replace(&mut self.notifications.last_progress, progress) == progress {
            return;
        }
        let (state, percent) = told(progress);
        let (session_id, session_name, run_id) = self.ids();
        self.announce(Event::Progress { session_id, session_name, run_id, state, percent });
    }

    /// To those who look at the run: what it shows is what they may have.
    fn send_clipboard(&mut self, copied: ClipboardStore) {
        if self.clients.viewers.is_empty() {
            debug!(bytes = copied.text.len(), "a copy to the clipboard is left out: nobody has a view");
            return;
        }
        if !self.notifications.may_copy(&copied.text) {
            warn!("a copy to the clipboard was refused: its clients have not taken those before");
            return;
        }
        let (session_id, session_name, run_id) = self.ids();
        let (selection, data) = (selection(copied.selection), Secret(copied.text));
        let event = Event::Clipboard { session_id, session_name, run_id, selection, data };
        for viewer in &self.clients.viewers {
            viewer.client.event(event.clone());
        }
    }

    fn ask_for_clipboard(&mut self, asked: ClipboardLoad) {
        let may_answer = self.clients.viewers.iter().any(|viewer| !viewer.read_only);
        if !may_answer || self.notifications.requests.len() == REQUESTS_MAX {
            // The program waits for an answer that nobody will give.
            self.give_clipboard(&asked, b"");
            return;
        }
        self.notifications.last_request += 1;
        let (session_id, session_name, run_id) = self.ids();
        let (request, selection) = (self.notifications.last_request, selection(asked.selection));
        self.notifications.requests.push_back((request, asked));
        let event = Event::ClipboardRequest { session_id, session_name, run_id, request, selection };
        for viewer in self.clients.viewers.iter().filter(|viewer| !viewer.read_only) {
            viewer.client.event(event.clone());
        }
    }

    /// Nobody will be there to answer what was asked: the programs do not wait for it.
    pub(super) fn void_clipboard_requests(&mut self) {
        for (_, asked) in std::mem::take(&mut self.notifications.requests) {
            self.give_clipboard(&asked, b"");
        }
    }

    fn give_clipboard(&mut self, asked: &ClipboardLoad, text: &[u8]) {
        if self.input.queue.push(asked.answer(text).into_bytes()) {
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
        let at = self.notifications.requests.iter().position(|(open, _)| *open == request);
        let Some((_, asked)) = at.and_then(|at| self.notifications.requests.remove(at)) else {
            return Err(Error::new(
                Code::NotFound,
                format!("the run has no open clipboard request {request}; it was answered, or the program has ended"),
            ));
        };
        self.give_clipboard(&asked, text.unwrap_or_default());
        Ok(())
    }

    /// The program has ended: what it last said is told, what it asked is void, and it shows no progress any more.
    pub(super) fn end_notifications(&mut self) {
        for paced in [&mut self.notifications.clipboard, &mut self.notifications.primary] {
            paced.next = None;
        }
        self.notifications.progress = Throttled::default();
        self.flush_throttled();
        self.announce_progress(Progress::None);
        self.notifications =
            Notifications { last_request: self.notifications.last_request, ..Notifications::default() };
    }
}

/// As the protocol tells it.
fn told(progress: Progress) -> (ProgressState, Option<u8>) {
    match progress {
        Progress::None => (ProgressState::None, None),
        Progress::Normal(percent) => (ProgressState::Normal, Some(percent)),
        Progress::Error(percent) => (ProgressState::Error, Some(percent)),
        Progress::Indeterminate => (ProgressState::Indeterminate, None),
        Progress::Paused(percent) => (ProgressState::Paused, Some(percent)),
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
