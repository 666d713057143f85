//! A user's rules for coding agents: read when they are first needed, and again when their file has changed.
//!
//! There is no clock of its own: whoever uses the rules has the file looked at, at most every two seconds, off its task.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{info, warn};

use crate::agent::{FILE_MAX, Rules};

/// How often the file is looked at, as long as somebody uses the rules.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How long who wants to see the newest rules waits for a disk.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The rules, shared by all runs.
#[derive(Debug, Clone)]
pub struct AgentRules(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    loaded: Mutex<Loaded>,
}

/// The rules as they are now.
#[derive(Debug, Clone, Default)]
pub struct CurrentRules {
    /// Another number for other rules; those of the binary alone are 0.
    pub version: u64,
    /// None for those in the binary.
    pub rules: Option<Arc<Rules>>,
    /// Why the file cannot be used; the rules are those from before then.
    pub error: Option<String>,
}

#[derive(Debug, Default)]
struct Loaded {
    current: CurrentRules,
    /// What the file was when it was read last; none when there was none.
    stamp: Option<Stamp>,
    looked: Option<Instant>,
    is_looking: bool,
}

/// Changes when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl AgentRules {
    /// Those of a file, which need not be there.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Arc::new(Shared { path, loaded: Mutex::default() }))
    }

    /// The rules as they were last read, if that is another version. The file is looked at beside, if that is long
    /// enough ago.
    pub fn other_than(&self, version: u64) -> Option<CurrentRules> {
        let mut loaded = self.lock();
        let is_due = loaded.looked.is_none_or(|last| last.elapsed() >= LOOK_INTERVAL);
        if is_due && !loaded.is_looking {
            loaded.is_looking = true;
            let rules = self.clone();
            tokio::task::spawn_blocking(move || rules.look());
        }
        (loaded.current.version != version).then(|| loaded.current.clone())
    }

    /// Why the file cannot be used as it is.
    pub fn error(&self) -> Option<String> {
        self.lock().current.error.clone()
    }

    /// Looks at the file now, for at most a second.
    pub async fn refresh(&self) {
        if !std::mem::replace(&mut self.lock().is_looking, true) {
            let rules = self.clone();
            let looking = tokio::task::spawn_blocking(move || rules.look());
            // A disk that does not answer leaves the rules as they are.
            let _ = tokio::time::timeout(READ_TIMEOUT, looking).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        let path = &self.0.path;
        let before = self.lock().stamp;
        let found = stamp(path).and_then(|stamp| match stamp {
            Some(now) if before == Some(now) => Ok(None),
            Some(now) => Ok(Some((Some(now), read(path)?))),
            None => Ok(Some((None, String::new()))),
        });
        // Before the lock, for which runs wait: to compile patterns takes long.
        let found = found.map(|found| found.map(|(stamp, text)| (stamp, Rules::with_users(&text))));
        let mut loaded = self.lock();
        (loaded.is_looking, loaded.looked) = (false, Some(Instant::now()));
        let told = |why: String| Some(format!("{}: {why}", path.display()));
        let error = match found {
            Ok(None) => return,
            Ok(Some((None, _))) if before.is_none() => None,
            Ok(Some((None, _))) => {
                info!("{} is gone: the rules for agents are those of the binary", path.display());
                loaded.stamp = None;
                loaded.current.rules = None;
                loaded.current.version += 1;
                None
            }
            Ok(Some((stamp, rules))) => {
                loaded.stamp = stamp;
                match rules {
                    Ok(rules) => {
                        info!("read {}", path.display());
                        loaded.current.rules = Some(rules);
                        loaded.current.version += 1;
                        None
                    }
                    Err(error) => told(error.to_string()),
                }
            }
            Err(error) => told(error.to_string()),
        };
        if let Some(why) = error.as_ref().filter(|_| error != loaded.current.error) {
            warn!("the rules for agents stay as they were: {why}");
        }
        loaded.current.error = error;
    }
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<String> {
    // A pipe would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let most = u64::try_from(FILE_MAX).unwrap_or(u64::MAX);
    if meta.len() > most {
        return Err(io::Error::other(format!("it has {} bytes; at most {most} are read", meta.len())));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        io::Error::other(format!("line {line}: not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_when_it_is_another_and_a_mistake_leaves_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agents.toml");
        let rules = AgentRules::new(path.clone());
        let look = || {
            rules.look();
            let loaded = rules.lock();
            (loaded.current.version, loaded.current.rules.is_some(), loaded.current.error.clone())
        };
        assert_eq!(look(), (0, false, None), "there is none");
        fs::write(&path, "[agent.mine]\nprograms = ['mine-cli']\n").unwrap();
        assert_eq!(look(), (1, true, None));
        assert_eq!(look(), (1, true, None), "it is the same");
        fs::write(&path, "[agent.mine]\n\n[[agent.mine.title]]\nstate = 'blocked'\npattern = '('\n").unwrap();
        let (version, has_rules, error) = look();
        let error = error.unwrap();
        assert!(
            version == 1 && has_rules && error.contains("agents.toml: line 5: agent mine: \"(\" is not"),
            "{error}"
        );
        assert!(rules.lock().current.rules.as_ref().unwrap().agent_of_program("mine-cli").is_some());
        fs::write(&path, b"# \n\xff").unwrap();
        assert!(look().2.unwrap().contains("line 2: not UTF-8"));
        fs::remove_file(&path).unwrap();
        assert_eq!(look(), (2, false, None), "those of the binary again");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(look().2.unwrap().contains("not a regular file"), "and nothing hangs");
        fs::remove_file(&path).unwrap();
        assert_eq!(look(), (2, false, None), "what was wrong is gone");
        let many =
            format!("[[generic.screen]]\nstate = 'working'\nall = ['x']\nnone = [{}]\n", "'\\w{5}',".repeat(129));
        fs::write(&path, many).unwrap();
        assert!(look().2.unwrap().contains("130 patterns; at most 128"), "whatever they are for");
        fs::write(&path, "#".repeat(300_000)).unwrap();
        assert!(look().2.unwrap().contains("it has 300000 bytes; at most 262144"));
        fs::write(&path, format!("[[generic.title]]\nstate = 'working'\npattern = '{}'\n", "(".repeat(200_000)))
            .unwrap();
        assert!(look().2.unwrap().len() < 1000, "a mistake is told in short");
    }
}
