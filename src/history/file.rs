//! The history's files: JSON, one record a line, appended by any number of hosts, and rotated.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::fcntl::{Flock, FlockArg};

use crate::{paths, protocol::HistoryRecord};

/// The newest records.
pub const FILE: &str = "history.jsonl";
/// The records before them.
pub const OLD_FILE: &str = "history.1.jsonl";

/// When a file is this long, the next record begins another: two files hold some ten thousand runs.
const ROTATE_AT: u64 = 4 << 20;

/// A longer command is cut: a line must stay one that is quickly read.
const LONGEST_COMMAND: usize = 4096;

/// How long another host may hold the lock. One that was stopped in the middle must not hold up this one.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Appends records.
pub struct Appender {
    folder: PathBuf,
}

impl Appender {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Appends one record. The folder and the file are made again if they are gone.
    pub fn append(&self, record: &HistoryRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(&cut(record))?;
        line.push(b'\n');
        paths::make_folder(&self.folder)?;
        let mut file = self.open()?;
        let length = file.metadata()?.len();
        if file.is_locked() && length > 0 && length + line.len() as u64 > ROTATE_AT {
            fs::rename(self.folder.join(FILE), self.folder.join(OLD_FILE))?;
            // Whoever waits for the old file's lock finds that it is not the newest any more.
            file = self.open()?;
        }
        let length = file.metadata()?.len();
        if ends_within_a_line(&file, length)? {
            // What was cut off there costs no line but its own.
            line.insert(0, b'\n');
        }
        // One write: another host's line cannot come in between.
        match file.write(&line)? {
            count if count == line.len() => Ok(()),
            count => {
                // The disk is full: what there was room for is taken back. Without the lock, or where somebody has
                // written without it, another host's line may be behind it: then it stays, and ends at the next one.
                if file.is_locked() && file.metadata()?.len() == length + count as u64 {
                    file.set_len(length)?;
                }
                Err(io::Error::from_raw_os_error(libc::ENOSPC))
            }
        }
    }

    /// The file, locked unless another host holds it for too long.
    fn open(&self) -> io::Result<LockedFile> {
        let path = self.folder.join(FILE);
        let begun = Instant::now();
        loop {
            let file = open(OpenOptions::new().read(true).append(true).create(true).mode(0o600), &path)?;
            let opened = file.metadata()?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => {
                    if fs::metadata(&path).is_ok_and(|now| now.ino() == opened.ino()) {
                        return Ok(LockedFile::Locked(locked));
                    }
                }
                Err((file, _)) if begun.elapsed() > LOCK_TIMEOUT => return Ok(LockedFile::Plain(file)),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// Whether the last line is only half there, as after a power failure.
fn ends_within_a_line(file: &File, length: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = length.checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    Ok(last != [b'\n'])
}

/// Opens one of the files: neither a link nor a pipe, which would be waited for.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a regular file; remove it", path.display())))
}

/// Opens one of the files to read it.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().read(true), path)
}

/// A file with its lock, or without where it could not be had.
pub(super) enum LockedFile {
    Locked(Flock<File>),
    Plain(File),
}

impl LockedFile {
    /// Locks a file if nobody else has: without waiting, and not at all where its file system knows no locks.
    pub fn lock(file: File) -> Self {
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_or_else(|(file, _)| Self::Plain(file), Self::Locked)
    }

    fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

impl std::ops::Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Locked(file) => file,
            Self::Plain(file) => file,
        }
    }
}

impl Write for LockedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&**self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cut(record: &HistoryRecord) -> HistoryRecord {
    let mut record = record.clone();
    if record.command.len() > LONGEST_COMMAND {
        let end = (0..=LONGEST_COMMAND).rev().find(|&at| record.command.is_char_boundary(at)).unwrap_or(0);
        record.command.truncate(end);
        record.command.push('…');
    }
    record
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::{Exit, RunId, SessionId, Status};

    pub fn record(command: &str) -> HistoryRecord {
        HistoryRecord {
            session_id: SessionId::new(),
            session_name: "s".into(),
            group: None,
            label: None,
            run_id: RunId::new(),
            command: command.into(),
            program: "p".into(),
            cwd: "/".into(),
            started_at: 0,
            ended_at: 0,
            duration_ms: 0,
            status: Status::Exited,
            exit: Exit { code: Some(0), signal: None },
            reason: None,
            bytes: 0,
            template: None,
            output_path: None,
            host_pid: 1,
        }
    }

    #[test]
    fn hosts_that_append_at_once_lose_no_line_and_the_files_stay_bounded() {
        const HOSTS: usize = 4;
        const RECORDS: usize = 400;
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("termi");
        let long = "x".repeat(10_000);
        std::thread::scope(|scope| {
            for host in 0..HOSTS {
                let (state, long) = (&state, &long);
                scope.spawn(move || {
                    let appender = Appender::new(state.clone());
                    for n in 0..RECORDS {
                        appender.append(&record(&format!("{host}-{n} {long}"))).unwrap();
                    }
                });
            }
        });
        let read = |name: &str| fs::read_to_string(state.join(name)).unwrap();
        let (old, new) = (read(OLD_FILE), read(FILE));
        assert!(old.len() as u64 <= ROTATE_AT && new.len() as u64 <= ROTATE_AT);
        let lines: Vec<HistoryRecord> =
            old.lines().chain(new.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
        // Some 4.3 kB each: more than one file holds, less than two.
        for host in 0..HOSTS {
            let prefix = format!("{host}-");
            let of_host: Vec<usize> = lines
                .iter()
                .filter_map(|record| record.command.strip_prefix(&prefix)?.split(' ').next()?.parse().ok())
                .collect();
            assert_eq!(of_host, (0..RECORDS).collect::<Vec<_>>(), "of {host}");
        }
        assert!(lines.iter().all(|record| record.command.len() < LONGEST_COMMAND + 8));
    }

    fn commands(state: &Path) -> Vec<String> {
        let text = fs::read_to_string(state.join(FILE)).unwrap();
        let records = text.lines().filter_map(|line| serde_json::from_str::<HistoryRecord>(line).ok());
        records.map(|record| record.command).collect()
    }

    #[test]
    fn half_a_line_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let appender = Appender::new(folder.path().to_owned());
        for half in ["{\"half", "", "not a record\n"] {
            let path = folder.path().join(FILE);
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).unwrap();
            file.write_all(half.as_bytes()).unwrap();
            appender.append(&record(&format!("after {half}"))).unwrap();
        }
        assert_eq!(commands(folder.path()), ["after {\"half", "after ", "after not a record\n"]);
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 5, "no line is added where none was cut off: {text}");
    }

    #[test]
    fn without_the_lock_a_record_is_written_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let appender = Appender::new(folder.path().to_owned());
        appender.append(&record("a")).unwrap();
        let _held = LockedFile::lock(File::open(folder.path().join(FILE)).unwrap());
        appender.append(&record("b")).unwrap();
        assert_eq!(commands(folder.path()), ["a", "b"]);
    }

    #[test]
    fn a_folder_that_was_deleted_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("termi");
        let appender = Appender::new(state.clone());
        appender.append(&record("a")).unwrap();
        fs::remove_dir_all(&state).unwrap();
        appender.append(&record("b")).unwrap();
        assert_eq!(fs::read_to_string(state.join(FILE)).unwrap().lines().count(), 1);
        assert_eq!(fs::metadata(state.join(FILE)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(FILE)).unwrap();
        assert!(Appender::new(folder.path().to_owned()).append(&record("a")).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "");
    }
}
