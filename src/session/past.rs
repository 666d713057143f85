//! What is remembered of runs that have ended.

use super::{Supervisor, supervisor::gone};
use crate::{
    history,
    protocol::{Error, HistoryParams, HistoryReply, Result, StatsParams, StatsReply},
};

/// The longest text that is looked for.
const LONGEST_QUERY: usize = 1000;

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
        tokio::task::spawn_blocking(move || history::search(disk.folder(), &params)).await.map_err(|_| gone())
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
        tokio::task::spawn_blocking(move || history::stats(disk.folder(), &params)).await.map_err(|_| gone())
    }
}

fn check_query(query: Option<&str>) -> Result<()> {
    match query {
        Some(query) if query.len() > LONGEST_QUERY => {
            Err(Error::invalid("query", format!("{} bytes", query.len()), "at most 1000 bytes"))
        }
        _ => Ok(()),
    }
}
