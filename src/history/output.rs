//! A run's whole output in a file, as the program wrote it: capped, and what is missing is marked.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::{HistoryStore, file::LockedFile};
use crate::paths;

/// Where outputs are, below the state folder.
pub const FOLDER: &str = "logs";

/// What an output may take if nobody says otherwise.
pub const DEFAULT_BYTES: u64 = 16 << 20;

/// What all outputs together may take when one more begins: the oldest go, of those that nothing is written to any more.
/// Where they leave no room the new one is not kept.
const ALL_BYTES: u64 = 512 << 20;

/// What of one output may wait for the disk. A page cache takes gigabytes a second; a disk that does not keep up
/// with a program costs a marked gap, never memory.
const WAITING_BYTES: usize = 8 << 20;

/// A run's output on its way to its file. Dropping it closes the file.
#[derive(Debug)]
pub struct Output {
    disk: HistoryStore,
    id: u64,
    path: PathBuf,
    limit: u64,
    written: u64,
    lost: u64,
    waiting: Arc<AtomicUsize>,
    kept: Arc<AtomicBool>,
}

/// Where an output is kept. That it cannot be is known a moment later, when its run may have ended.
#[derive(Debug, Clone)]
pub struct KeptPath {
    path: PathBuf,
    kept: Arc<AtomicBool>,
}

impl KeptPath {
    /// Of an output that was closed before this process began.
    #[must_use]
    pub fn of_closed(path: String) -> Self {
        Self { path: path.into(), kept: Arc::new(AtomicBool::new(true)) }
    }

    /// The path; none when nothing is kept there.
    #[must_use]
    pub fn get(&self) -> Option<String> {
        self.kept.load(Ordering::Relaxed).then(|| self.path.to_string_lossy().into_owned())
    }
}

/// An output put down as data, for a process that goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOutput {
    path: PathBuf,
    limit: u64,
    written: u64,
    lost: u64,
}

/// A part of it.
#[derive(Debug)]
pub struct Chunk {
    id: u64,
    what: Action,
}

impl Chunk {
    /// The number of its output.
    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

#[derive(Debug)]
enum Action {
    /// Begins a file; cleared when nothing more can be kept in it.
    Open(PathBuf, Arc<AtomicBool>),
    /// Goes on with a file that is there.
    Reopen(PathBuf, Arc<AtomicBool>),
    Bytes(Vec<u8>, Arc<AtomicUsize>),
    Close,
}

impl Output {
    pub(super) fn new(disk: HistoryStore, path: PathBuf, limit: u64) -> Self {
        let (id, kept) = (next_id(), Arc::new(AtomicBool::new(true)));
        disk.chunk(Chunk { id, what: Action::Open(path.clone(), Arc::clone(&kept)) });
        Self { disk, id, path, limit, written: 0, lost: 0, waiting: Arc::default(), kept }
    }

    pub(super) fn restore(disk: HistoryStore, saved: SavedOutput) -> Self {
        let SavedOutput { path, limit, written, lost } = saved;
        let (id, kept) = (next_id(), Arc::new(AtomicBool::new(true)));
        disk.chunk(Chunk { id, what: Action::Reopen(path.clone(), Arc::clone(&kept)) });
        Self { disk, id, path, limit, written, lost, waiting: Arc::default(), kept }
    }

    /// Puts it down as data. What waits for the disk is not in it: flush that first.
    #[must_use]
    pub fn save(&self) -> SavedOutput {
        SavedOutput { path: self.path.clone(), limit: self.limit, written: self.written, lost: self.lost }
    }

    /// Where it is kept, which holds after it was closed too.
    #[must_use]
    pub fn path(&self) -> KeptPath {
        KeptPath { path: self.path.clone(), kept: Arc::clone(&self.kept) }
    }

    /// False once its file could not be made, or written, or was removed.
    fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// Keeps some more of it.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.written >= self.limit || !self.is_kept() {
            return;
        }
        if self.waiting.load(Ordering::Relaxed) + bytes.len() > WAITING_BYTES {
            self.lost += bytes.len() as u64;
            return;
        }
        let mut out = Vec::with_capacity(bytes.len());
        if self.lost > 0 {
            out.extend_from_slice(
                marker(&format!("{} bytes are missing: the disk was too slow", self.lost)).as_bytes(),
            );
            self.lost = 0;
        }
        let room = usize::try_from(self.limit - self.written).unwrap_or(usize::MAX);
        let fits = bytes.len().min(room);
        out.extend_from_slice(&bytes[..fits]);
        self.written += fits as u64;
        if self.written >= self.limit {
            out.extend_from_slice(
                marker(&format!("the output goes on, {} bytes of it are kept", self.limit)).as_bytes(),
            );
        }
        self.waiting.fetch_add(out.len(), Ordering::Relaxed);
        self.disk.chunk(Chunk { id: self.id, what: Action::Bytes(out, Arc::clone(&self.waiting)) });
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.disk.chunk(Chunk { id: self.id, what: Action::Close });
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn marker(text: &str) -> String {
    format!("\n[termi: {text}]\n")
}

/// The thread's side: the open files.
#[derive(Default)]
pub struct OpenFiles(HashMap<u64, OpenFile>);

/// An open file. Its lock tells every host that something is still written to it.
struct OpenFile {
    file: LockedFile,
    path: PathBuf,
    kept: Arc<AtomicBool>,
}

impl OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(bytes)?;
        if self.file.metadata()?.nlink() == 0 {
            let why = format!("{} was removed; what its run prints is not kept any more", self.path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        Ok(())
    }
}

impl OpenFiles {
    /// Takes a part in; says what came of it where something was written or failed: that a file could be opened says
    /// nothing yet, as a full disk has room for empty ones. After a failure nothing more of that output is written.
    pub fn take(&mut self, chunk: Chunk) -> Option<io::Result<()>> {
        match chunk.what {
            Action::Open(path, kept) => self.keep(chunk.id, open(&path), path, kept),
            Action::Reopen(path, kept) => {
                let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
                self.keep(chunk.id, opened, path, kept)
            }
            Action::Bytes(bytes, waiting) => {
                waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                let writing = self.0.get_mut(&chunk.id)?;
                let written = writing.write(&bytes);
                if written.is_err() {
                    writing.kept.store(false, Ordering::Relaxed);
                    self.0.remove(&chunk.id);
                }
                Some(written)
            }
            Action::Close => {
                self.0.remove(&chunk.id);
                None
            }
        }
    }

    fn keep(
        &mut self,
        id: u64,
        opened: io::Result<File>,
        path: PathBuf,
        kept: Arc<AtomicBool>,
    ) -> Option<io::Result<()>> {
        match opened {
            Ok(file) => {
                self.0.insert(id, OpenFile { file: LockedFile::lock(file), path, kept });
                None
            }
            Err(error) => {
                kept.store(false, Ordering::Relaxed);
                Some(Err(error))
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    if let Some(state) = folder.parent() {
        paths::make_folder(state)?;
    }
    paths::make_folder(folder)?;
    make_room(folder, ALL_BYTES)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Removes the oldest outputs until all together take no more than `most`, but none that a host still writes to.
fn make_room(folder: &Path, most: u64) -> io::Result<()> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut all: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in files {
        if all <= most {
            return Ok(());
        }
        if remove(&path).is_ok() {
            all -= length;
        }
    }
    if all <= most {
        return Ok(());
    }
    let why = format!(
        "the outputs of running programs in {} take {all} bytes, and all together may take {most}; a new one is not kept",
        folder.display()
    );
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

/// Removes an output that no host writes to: one that does has locked it.
fn remove(path: &Path) -> io::Result<()> {
    let options = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // One that may not be read is nobody's who writes here.
    if let Ok(file) = OpenOptions::new().read(true).custom_flags(options).open(path)
        && let Err((_, Errno::EWOULDBLOCK)) = Flock::lock(file, FlockArg::LockSharedNonblock)
    {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_output_is_kept_as_it_is_to_its_cap_and_says_where_it_stops() {
        let folder = tempfile::tempdir().unwrap();
        let disk = HistoryStore::start(folder.path().join("termi"));
        let mut output = disk.output("a.log", 10);
        output.push(b"\x1b[1mab");
        output.push(b"\r\ncdefgh");
        output.push(b"never");
        disk.flush().await;
        let text = fs::read_to_string(&output.path).unwrap();
        assert_eq!(text, "\x1b[1mab\r\ncd\n[termi: the output goes on, 10 bytes of it are kept]\n");
        assert_eq!(disk.trouble(), None);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_told_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("termi");
        fs::write(&state, "a file, not a folder").unwrap();
        let disk = HistoryStore::start(state.clone());
        disk.record(super::super::file::tests::record("lost"));
        disk.output("a.log", 10).push(b"lost");
        disk.flush().await;
        assert!(disk.trouble().is_some());
        fs::remove_file(&state).unwrap();
        disk.record(super::super::file::tests::record("kept"));
        disk.flush().await;
        assert_eq!(disk.trouble(), None);
        assert_eq!(super::super::search(&state, &Default::default()).total, 1);
    }

    #[test]
    fn the_oldest_outputs_give_way() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..4_u64 {
            let file = File::create(folder.path().join(n.to_string())).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(n)).unwrap();
        }
        let left = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            left.sort();
            left
        };
        let oldest = LockedFile::lock(File::open(folder.path().join("0")).unwrap());
        make_room(folder.path(), 250).unwrap();
        assert_eq!(left(), ["0", "3"], "what is written to stays");
        let newest = LockedFile::lock(File::open(folder.path().join("3")).unwrap());
        assert!(make_room(folder.path(), 150).unwrap_err().to_string().contains("take 200 bytes"));
        assert_eq!(left(), ["0", "3"]);
        drop((oldest, newest));
        make_room(folder.path(), 150).unwrap();
        assert_eq!(left(), ["3"]);
    }
}
