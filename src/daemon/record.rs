//! What is remembered of the sessions for when everything else is gone, as after a reboot: a small file, written
//! whole or not at all, for its owner alone. No environment is in it.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle};
use tracing::warn;

use crate::{
    paths,
    protocol::{Access, Event},
    session::{Client, SessionOutline, Supervisor},
};

/// Several events make one writing.
const SETTLE: Duration = Duration::from_millis(100);

/// What changes without an event, as a shell's folder, is written this often.
const REFRESH: Duration = Duration::from_secs(60);

/// How many lines of each run's text are kept, if any are to be.
const TEXT_LINES: usize = 2000;

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Sessions that run.
    #[serde(default)]
    pub live: Vec<SessionOutline>,
    /// Sessions of an earlier daemon that were not started again yet.
    #[serde(default)]
    pub restorable: Vec<SessionOutline>,
}

impl Record {
    fn path() -> Result<PathBuf, String> {
        Ok(paths::state().map_err(|error| error.to_string())?.join("sessions.json"))
    }

    /// What was written last; nothing when there is nothing, or nothing that can be read.
    pub(super) fn load() -> Self {
        let read = || -> Result<Option<Self>, String> {
            let path = Self::path()?;
            match fs::read(&path) {
                Ok(bytes) => {
                    serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("{}: {error}", path.display()))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(format!("{}: {error}", path.display())),
            }
        };
        match read() {
            Ok(record) => record.unwrap_or_default(),
            Err(why) => {
                warn!("no sessions of an earlier daemon: {why}");
                Self::default()
            }
        }
    }

    fn save(&self) -> Result<(), String> {
        let path = Self::path()?;
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        write_whole(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Writes beside the file, then puts it in its place.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Keeps the record up to date until it is stopped.
pub(super) struct Keeper {
    supervisor: Supervisor,
    with_text: bool,
    /// Sessions of an earlier daemon.
    pub restorable: watch::Sender<Vec<SessionOutline>>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins. `resumed`: the sessions of the record that ran, still do.
    pub(super) fn start(supervisor: &Supervisor, with_text: bool, resumed: bool) -> Self {
        let mut old = Record::load();
        if !resumed {
            old.live.retain(|live| !old.restorable.iter().any(|other| other.name == live.name));
            old.restorable.append(&mut old.live);
        }
        let restorable = watch::Sender::new(old.restorable);
        let (kept, mut changed) = (supervisor.clone(), restorable.subscribe());
        let task = tokio::spawn(async move {
            let (client, outbox) = Client::new();
            let mut events = outbox.events;
            if kept.register(client, Access::Write.into()).await.is_err() {
                return;
            }
            let mut last = None;
            let mut warned = false;
            loop {
                let sessions = changed.borrow_and_update().clone();
                write(&kept, with_text, sessions, &mut last, &mut warned).await;
                let news = async {
                    loop {
                        tokio::select! {
                            event = events.next() => match event {
                                Some(event) if is_news(&event) => return true,
                                Some(_) => {}
                                None => return false,
                            },
                            changed = changed.changed() => return changed.is_ok(),
                        }
                    }
                };
                match tokio::time::timeout(REFRESH, news).await {
                    Ok(false) => return,
                    Ok(true) => tokio::time::sleep(SETTLE).await,
                    Err(_) => {}
                }
            }
        });
        Self { supervisor: supervisor.clone(), with_text, restorable, task }
    }

    /// Writes a last time and stops: what runs now can be started again, though it is about to be ended.
    pub(super) async fn stop(&self) {
        self.task.abort();
        let sessions = self.restorable.borrow().clone();
        write(&self.supervisor, self.with_text, sessions, &mut None, &mut false).await;
    }

    /// The user wanted everything to end: nothing of it comes back.
    pub(super) fn forget_live(&self) {
        self.task.abort();
        let record = Record { live: Vec::new(), restorable: self.restorable.borrow().clone() };
        if let Err(why) = record.save() {
            warn!("the record of sessions was not written: {why}");
        }
    }
}

async fn write(
    supervisor: &Supervisor,
    with_text: bool,
    restorable: Vec<SessionOutline>,
    last: &mut Option<Record>,
    warned: &mut bool,
) {
    let Ok(live) = supervisor.outline(with_text.then_some(TEXT_LINES)).await else { return };
    let record = Record { live, restorable };
    if last.as_ref() == Some(&record) {
        return;
    }
    let saved = record.clone();
    let outcome =
        tokio::task::spawn_blocking(move || saved.save()).await.unwrap_or_else(|error| Err(error.to_string()));
    match outcome {
        Ok(()) => (*last, *warned) = (Some(record), false),
        // A full disk is said once.
        Err(why) if !std::mem::replace(warned, true) => warn!("the record of sessions was not written: {why}"),
        Err(_) => {}
    }
}

fn is_news(event: &Event) -> bool {
    !matches!(
        event,
        Event::Output { .. }
            | Event::Attention { .. }
            | Event::Progress { .. }
            | Event::Clipboard { .. }
            | Event::ClipboardRequest { .. }
            | Event::InputStalled { .. }
            | Event::InputDropped { .. }
            | Event::Replacing { .. }
    )
}
