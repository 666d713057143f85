//! What is kept on disk: a line for each run that has ended, and whole outputs where they are wanted.
//!
//! One thread writes, so that no run ever waits for a disk. A disk that is full, read-only or gone costs what would
//! have been written, one warning, and nothing else.

mod file;
mod output;
mod search;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use tokio::sync::oneshot;
use tracing::{info, warn};

pub use file::{FILE, OLD_FILE};
pub use output::{DEFAULT_BYTES, FOLDER, KeptPath, Output, SavedOutput};
pub use search::{search, stats};

use crate::protocol::HistoryRecord;
use file::Appender;
use output::{Chunk, OpenFiles};

/// Records that may wait for the disk: more are not kept.
const RECORDS_WAITING: usize = 4096;

/// How long an ending host waits for the disk.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The store of records and outputs: a handle of the thread that writes. Clones reach the same one; it ends when the last
/// is dropped.
#[derive(Debug, Clone)]
pub struct HistoryStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    jobs: Sender<Job>,
    state: PathBuf,
    recording: AtomicBool,
    waiting: Arc<AtomicUsize>,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// What could not be written, and why.
#[derive(Debug)]
struct Trouble {
    of: Source,
    reason: String,
}

/// What is written: records, or the output of that number. Outputs are numbered in the order they begin.
#[derive(Debug, Clone, Copy)]
enum Source {
    Records,
    Output(u64),
}

impl Source {
    /// That this could be written shows that the trouble of another is over: of two outputs only the younger one
    /// shows that, as what is open already may go on where nothing can be made; a record is small enough for
    /// a disk that has no room for outputs.
    fn clears(self, trouble: Self) -> bool {
        match (self, trouble) {
            (Self::Records, Self::Records) => true,
            (Self::Output(id), Self::Output(failed)) => id > failed,
            _ => false,
        }
    }
}

#[derive(Debug)]
enum Job {
    Record(Box<HistoryRecord>),
    Output(Chunk),
    Flush(oneshot::Sender<()>),
}

impl HistoryStore {
    /// Starts the thread. `state` is the folder that history and outputs are in; it need not be there yet.
    #[must_use]
    pub fn start(state: PathBuf) -> Self {
        let (jobs, jobs_in) = mpsc::channel();
        let (waiting, trouble) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let writer = Writer { state: state.clone(), waiting: Arc::clone(&waiting), trouble: Arc::clone(&trouble) };
        if let Err(error) = std::thread::Builder::new().name("termi-disk".into()).spawn(move || writer.run(&jobs_in)) {
            warn!("there will be no history: {error}");
        }
        Self(Arc::new(Shared { jobs, state, recording: AtomicBool::new(true), waiting, trouble }))
    }

    /// Whether records are kept from now on.
    pub fn set_recording(&self, recording: bool) {
        self.0.recording.store(recording, Ordering::Relaxed);
    }

    /// Keeps a record, if records are kept and not too many wait already.
    pub fn record(&self, record: HistoryRecord) {
        if self.0.recording.load(Ordering::Relaxed) && self.0.waiting.load(Ordering::Relaxed) < RECORDS_WAITING {
            self.0.waiting.fetch_add(1, Ordering::Relaxed);
            // Without its thread there is no history, as was said at the start.
            let _ = self.0.jobs.send(Job::Record(Box::new(record)));
        }
    }

    /// Begins to keep a run's whole output, at most `limit` bytes of it, in a file of that name.
    #[must_use]
    pub fn output(&self, name: &str, limit: u64) -> Output {
        Output::new(self.clone(), self.0.state.join(FOLDER).join(name), limit)
    }

    /// Goes on with an output that another process has put down.
    #[must_use]
    pub fn restore_output(&self, saved: SavedOutput) -> Output {
        Output::restore(self.clone(), saved)
    }

    /// Waits until what was to be kept until now is, but not for long.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.0.jobs.send(Job::Flush(done)).is_ok() {
            let _ = tokio::time::timeout(FLUSH_TIMEOUT, is_done).await;
        }
    }

    /// The folder that history and outputs are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.state
    }

    /// Why nothing can be kept at the moment, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().map(|trouble| trouble.reason.clone())
    }

    fn chunk(&self, chunk: Chunk) {
        let _ = self.0.jobs.send(Job::Output(chunk));
    }
}

/// The thread's own.
struct Writer {
    state: PathBuf,
    waiting: Arc<AtomicUsize>,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl Writer {
    fn run(self, jobs: &Receiver<Job>) {
        let history = Appender::new(self.state.clone());
        let mut outputs = OpenFiles::default();
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Record(record) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    let outcome = history.append(&record).map_err(|error| format!("the history: {error}"));
                    self.tell(Source::Records, outcome);
                }
                Job::Output(chunk) => {
                    let of = Source::Output(chunk.id());
                    if let Some(outcome) = outputs.take(chunk) {
                        self.tell(of, outcome.map_err(|error| format!("the output of a run: {error}")));
                    }
                }
                Job::Flush(done) => _ = done.send(()),
            }
        }
    }

    /// One warning when it begins, one line when it is over.
    fn tell(&self, of: Source, outcome: Result<(), String>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (outcome, trouble.as_ref().map(|trouble| trouble.of)) {
            (Err(reason), None) => {
                warn!("{reason}; what cannot be written is lost, and sessions go on");
                *trouble = Some(Trouble { of, reason });
            }
            (Ok(()), Some(failed)) if of.clears(failed) => {
                info!("the history is written again");
                *trouble = None;
            }
            _ => {}
        }
    }
}
