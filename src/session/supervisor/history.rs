//! The history of runs that have ended, and statistics of it, looked up on disk.

use std::{path::Path, time::Duration};

use tokio::sync::Semaphore;

use super::Supervisor;
use crate::{
    history,
    protocol::{Code, Error, HistoryParams, HistoryReply, Result, StatsParams, StatsReply},
    session::error::gone,
    units,
};

/// The longest text that is looked for.
const MAX_QUERY_BYTES: usize = 1000;

impl Supervisor {
    /// Runs that have ended, the newest first.
    ///
    /// # Errors
    /// `invalid_params` when the text is longer than any that could be found.
    pub async fn history(&self, params: HistoryParams) -> Result<HistoryReply> {
        check_query(params.query.as_deref())?;
        let Some(disk) = self.services.disk.clone() else {
            return Ok(HistoryReply { records: Vec::new(), total: 0, path: None });
        };
        // What has just ended is to be found.
        disk.flush().await;
        let folder = disk.folder().to_owned();
        on_disk(&folder, move || history::search(disk.folder(), &params)).await
    }

    /// What commands took and how they ended.
    ///
    /// # Errors
    /// As for [`history`](Self::history).
    pub async fn stats(&self, params: StatsParams) -> Result<StatsReply> {
        check_query(params.query.as_deref())?;
        let Some(disk) = self.services.disk.clone() else {
            return Ok(StatsReply { by: params.by, rows: Vec::new(), total: 0 });
        };
        disk.flush().await;
        let folder = disk.folder().to_owned();
        on_disk(&folder, move || history::stats(disk.folder(), &params)).await
    }
}

/// How long a disk may take to answer a look: a second is much.
const DISK_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks that may be under way. Each that does not come back keeps a thread, of which starts need some.
static LOOKS: Semaphore = Semaphore::const_new(16);

/// Looks at files, off the tasks that serve runs, and not for ever: on a disk that does not answer, nobody waits for
/// more than [`DISK_TIMEOUT`].
///
/// # Errors
/// `resource_exhausted` when the disk does not answer.
pub(super) async fn on_disk<T: Send + 'static>(folder: &Path, look: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    on_disk_within(DISK_TIMEOUT, folder, look).await
}

async fn on_disk_within<T: Send + 'static>(
    patience: Duration,
    folder: &Path,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let looking = async {
        let place = LOOKS.acquire().await.map_err(|_| gone())?;
        let look = move || {
            let _place = place;
            look()
        };
        tokio::task::spawn_blocking(look).await.map_err(|_| gone())
    };
    tokio::time::timeout(patience, looking).await.unwrap_or_else(|_| {
        let text = format!(
            "the disk of {} did not answer within {}",
            folder.display(),
            units::duration(units::millis(patience))
        );
        Err(Error::new(Code::ResourceExhausted, format!("{text}; sessions go on without it")))
    })
}

fn check_query(query: Option<&str>) -> Result<()> {
    match query {
        Some(query) if query.len() > MAX_QUERY_BYTES => {
            Err(Error::invalid("query", format!("{} bytes", query.len()), "at most 1000 bytes"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_not_waited_for_for_ever() {
        let (answers, answered) = std::sync::mpsc::channel::<()>();
        let folder = Path::new("/mnt/dead");
        let stuck = on_disk_within(Duration::from_millis(1), folder, move || answered.recv().is_ok()).await;
        assert!(stuck.unwrap_err().message.starts_with("the disk of /mnt/dead did not answer"));
        assert!(on_disk(folder, || true).await.unwrap());
        drop(answers);
    }
}
