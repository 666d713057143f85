//! Saves the sessions for when everything else is gone, as after a reboot: a small file, written
//! whole or not at all, for its owner alone. No environment is in it.

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tracing::warn;

use crate::{
    paths,
    protocol::{Access, Event},
    session::{Client, SessionOutline, Supervisor},
};

/// Several events make one writing.
const WRITE_DEBOUNCE: Duration = Duration::from_millis(100);

/// What changes without an event, as a shell's folder, is written this often.
const REFRESH: Duration = Duration::from_secs(60);

/// How many lines of each run's text are kept, if any are to be.
const TEXT_LINES: usize = 2000;

/// The largest record that is read: a thousand runs with all the text that is kept of each.
const MAX_BYTES: u64 = 256 << 20;

/// As many faults of a file as are logged.
const MAX_FAULTS: usize = 10;

/// How long the end of a daemon, or its replacement, waits for a disk that does not answer.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedSessions {
    /// Sessions that run.
    #[serde(default)]
    pub live: Vec<SessionOutline>,
    /// Sessions of an earlier daemon that were not started again yet.
    #[serde(default)]
    pub restorable: Vec<SessionOutline>,
}

/// What one reading of the file came to.
struct Loaded {
    record: SavedSessions,
    /// Nothing is lost by writing the file anew: what could not be read of it is kept aside.
    may_write: bool,
}

impl SavedSessions {
    fn path() -> Result<PathBuf, String> {
        // The directory is made if it is missing, and is nobody else's.
        paths::state().map_err(|error| error.to_string())?;
        Ok(paths::session_record())
    }

    /// Reads what was written last, session by session. A file that cannot be read whole is kept aside first.
    fn load() -> Loaded {
        let nothing = |may_write| Loaded { record: Self::default(), may_write };
        let path = match Self::path() {
            Ok(path) => path,
            Err(why) => {
                warn!("no record of sessions: {why}");
                return nothing(true);
            }
        };
        let (record, faults) = match read_regular(&path) {
            Ok(bytes) => Self::read(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing(true),
            Err(error) => (Self::default(), vec![error.to_string()]),
        };
        if faults.is_empty() {
            return Loaded { record, may_write: true };
        }
        let place = path.display();
        for fault in faults.iter().take(MAX_FAULTS) {
            warn!("{place} cannot be read whole: {fault}");
        }
        let may_write = match keep_aside(&path) {
            Ok(aside) => {
                warn!("{place} is kept as {}; what can be read of it is restorable", aside.display());
                true
            }
            Err(why) => {
                warn!("{place} could not be kept aside ({why}), and stays as it is: no session is recorded");
                false
            }
        };
        Loaded { record, may_write }
    }

    /// The sessions that can be read, and what is wrong with the others.
    fn read(bytes: &[u8]) -> (Self, Vec<String>) {
        /// Each session is read by itself: one that another version wrote does not cost the others.
        #[derive(Deserialize)]
        struct Raw {
            #[serde(default)]
            live: Vec<Value>,
            #[serde(default)]
            restorable: Vec<Value>,
        }
        let raw: Raw = match serde_json::from_slice(bytes) {
            Ok(raw) => raw,
            Err(error) => return (Self::default(), vec![error.to_string()]),
        };
        let mut faults = Vec::new();
        let mut read = |sessions: Vec<Value>| -> Vec<SessionOutline> {
            let one = |value: Value| {
                let name = value.get("name").map_or_else(|| "without a name".to_owned(), Value::to_string);
                serde_json::from_value(value).map_err(|error| faults.push(format!("session {name}: {error}"))).ok()
            };
            sessions.into_iter().filter_map(one).collect()
        };
        let record = Self { live: read(raw.live), restorable: read(raw.restorable) };
        (record, faults)
    }

    fn save(&self) -> Result<(), String> {
        let path = Self::path()?;
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        write_whole(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// How many sessions are on record: those that run, or ran when their daemon ended without a shutdown, and those of
/// earlier daemons. Nothing is kept aside or written.
pub fn recorded() -> (usize, usize) {
    read_regular(&paths::session_record()).map_or((0, 0), |bytes| {
        let (record, _) = SavedSessions::read(&bytes);
        (record.live.len(), record.restorable.len())
    })
}

/// A regular file's content: nothing that never ends, or is waited for.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if meta.len() > MAX_BYTES {
        return Err(io::Error::other(format!("it has {} bytes, at most {MAX_BYTES} are read", meta.len())));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Gives a file a second name, under which nothing overwrites it.
fn keep_aside(path: &Path) -> Result<PathBuf, String> {
    for aside in paths::unreadable_records(path) {
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without links: the file is moved, unless something has that name.
            Err(_) if aside.symlink_metadata().is_err() => {
                return fs::rename(path, &aside).map(|()| aside).map_err(|error| error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("there are too many of its kind: read or delete sessions.json.bad and those beside it".to_owned())
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

/// What the task that writes the record is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// To write what is so by now.
    Flush,
    /// To write what runs now, which is about to be ended, as what can be started again; and nothing more.
    Stop,
    /// To write that nothing runs, as the user wanted everything to end; and nothing more.
    ForgetLive,
}

/// Keeps the record up to date. Its one task does all writing, so that no earlier record comes after a later one.
pub(super) struct Keeper {
    /// Sessions of an earlier daemon.
    pub restorable: watch::Sender<Vec<SessionOutline>>,
    orders: mpsc::Sender<(Order, oneshot::Sender<()>)>,
}

/// A way to have the record written.
#[derive(Clone)]
pub(super) struct Flusher(mpsc::Sender<(Order, oneshot::Sender<()>)>);

impl Flusher {
    /// Has the record written as of now, as far as the disk lets it.
    pub(super) async fn flush(&self) {
        order(&self.0, Order::Flush).await;
    }
}

impl Keeper {
    /// Begins. `resumed`: the sessions of the record that ran, still do.
    pub(super) fn start(supervisor: &Supervisor, with_text: bool, resumed: bool) -> Self {
        let Loaded { record: mut old, may_write } = SavedSessions::load();
        if !resumed {
            // What ran last is what a name stands for.
            old.restorable.retain(|older| !old.live.iter().any(|live| live.name == older.name));
            old.restorable.append(&mut old.live);
        }
        let restorable = watch::Sender::new(old.restorable);
        let (orders, orders_in) = mpsc::channel(4);
        if may_write {
            let writer = Writer { supervisor: supervisor.clone(), with_text, last: None, warned: false };
            tokio::spawn(writer.run(restorable.subscribe(), orders_in));
        }
        Self { restorable, orders }
    }

    pub(super) fn flusher(&self) -> Flusher {
        Flusher(self.orders.clone())
    }

    /// Writes a last time and stops: what runs now can be started again, though it is about to be ended.
    pub(super) async fn stop(&self) {
        order(&self.orders, Order::Stop).await;
    }

    /// The user wanted everything to end: nothing of it comes back.
    pub(super) async fn forget_live(&self) {
        order(&self.orders, Order::ForgetLive).await;
    }
}

/// Has an order carried out, within a time.
async fn order(orders: &mpsc::Sender<(Order, oneshot::Sender<()>)>, order: Order) {
    let carried_out = async {
        let (done, is_done) = oneshot::channel();
        // Without a task there is nothing that may be written.
        if orders.send((order, done)).await.is_ok() {
            let _ = is_done.await;
        }
    };
    if timeout(LAST_WRITE, carried_out).await.is_err() {
        warn!("the record of sessions was not written within {LAST_WRITE:?} ({order:?})");
    }
}

struct Writer {
    supervisor: Supervisor,
    with_text: bool,
    /// What was written last.
    last: Option<SavedSessions>,
    /// That it could not be written was logged.
    warned: bool,
}

impl Writer {
    async fn run(
        mut self,
        mut restorable: watch::Receiver<Vec<SessionOutline>>,
        mut orders: mpsc::Receiver<(Order, oneshot::Sender<()>)>,
    ) {
        let (client, outbox) = Client::new();
        let mut events = outbox.events;
        if self.supervisor.register(client, Access::Write.into()).await.is_err() {
            return;
        }
        loop {
            let sessions = restorable.borrow_and_update().clone();
            let asked = tokio::select! {
                // Whoever wants a last word does not wait for an outline of what stands still.
                biased;
                Some(asked) = orders.recv() => Some(asked),
                live = self.live() => {
                    if let Some(live) = live {
                        self.write(SavedSessions { live, restorable: sessions }).await;
                    }
                    let news = async {
                        loop {
                            tokio::select! {
                                asked = orders.recv() => return asked,
                                event = events.next() => match event {
                                    Some(event) if is_news(&event) => return None,
                                    Some(_) => {}
                                    // Nothing changes any more but by an order.
                                    None => return orders.recv().await,
                                },
                                Ok(()) = restorable.changed() => return None,
                            }
                        }
                    };
                    match timeout(REFRESH, news).await {
                        Ok(None) => timeout(WRITE_DEBOUNCE, orders.recv()).await.ok().flatten(),
                        Ok(asked) => asked,
                        Err(_) => None,
                    }
                }
            };
            let Some((order, done)) = asked else {
                if orders.is_closed() {
                    return;
                }
                continue;
            };
            let live = if order == Order::ForgetLive { Some(Vec::new()) } else { self.live().await };
            if let Some(live) = live {
                let sessions = restorable.borrow_and_update().clone();
                self.write(SavedSessions { live, restorable: sessions }).await;
            }
            let _ = done.send(());
            if order != Order::Flush {
                return;
            }
        }
    }

    /// What runs; nothing when the supervisor is gone.
    async fn live(&self) -> Option<Vec<SessionOutline>> {
        self.supervisor.outline(self.with_text.then_some(TEXT_LINES)).await.ok()
    }

    async fn write(&mut self, record: SavedSessions) {
        if self.last.as_ref() == Some(&record) {
            return;
        }
        let saved = record.clone();
        let outcome =
            tokio::task::spawn_blocking(move || saved.save()).await.unwrap_or_else(|error| Err(error.to_string()));
        match outcome {
            Ok(()) => (self.last, self.warned) = (Some(record), false),
            // A full disk is said once.
            Err(why) if !std::mem::replace(&mut self.warned, true) => {
                warn!("the record of sessions was not written: {why}");
            }
            Err(_) => {}
        }
    }
}

fn is_news(event: &Event) -> bool {
    !matches!(
        event,
        Event::Output { .. }
            | Event::Attention { .. }
            | Event::AgentState { .. }
            | Event::Progress { .. }
            | Event::Clipboard { .. }
            | Event::ClipboardRequest { .. }
            | Event::InputStalled { .. }
            | Event::InputDropped { .. }
            | Event::Replacing { .. }
    )
}
