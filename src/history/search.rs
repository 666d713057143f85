//! Queries of the history: which runs match, and statistics of runs with something in common.

use std::{collections::HashMap, io::Read, path::Path};

use super::file::{FILE, OLD_FILE, open_to_read};
use crate::protocol::{HistoryParams, HistoryRecord, HistoryReply, StatsBy, StatsParams, StatsReply, StatsRow};

/// What of a file is read at most: twice what Termi itself would ever write.
const MAX_READ_BYTES: u64 = 8 << 20;

const DEFAULT_LIMIT: usize = 100;
const HIGHEST_LIMIT: usize = 1000;

/// The runs that fit, the newest first. What is no record is passed over.
#[must_use]
pub fn search(folder: &Path, wish: &HistoryParams) -> HistoryReply {
    let fits = Fits::new(wish.query.as_deref(), wish.group.as_deref(), wish.cwd.as_deref());
    let limit = wish.limit.unwrap_or(DEFAULT_LIMIT).min(HIGHEST_LIMIT);
    let (mut records, mut total) = (Vec::new(), 0);
    each(folder, |record| {
        if fits.fits(&record) {
            if total >= wish.offset && records.len() < limit {
                records.push(record);
            }
            total += 1;
        }
    });
    HistoryReply { records, total, path: Some(folder.join(FILE).to_string_lossy().into_owned()) }
}

/// A row for each key, those of most runs first.
#[must_use]
pub fn stats(folder: &Path, wish: &StatsParams) -> StatsReply {
    let fits = Fits::new(wish.query.as_deref(), wish.group.as_deref(), wish.cwd.as_deref());
    let mut groups: HashMap<String, Vec<HistoryRecord>> = HashMap::new();
    each(folder, |record| {
        if fits.fits(&record)
            && let Some(key) = key_of(&record, wish.by)
        {
            groups.entry(key).or_default().push(record);
        }
    });
    let mut rows: Vec<StatsRow> = groups.into_iter().filter_map(|(key, records)| row(key, &records)).collect();
    rows.sort_by(|a, b| b.count.cmp(&a.count).then(b.last_ended_at.cmp(&a.last_ended_at)).then(a.key.cmp(&b.key)));
    let total = rows.len();
    rows.truncate(wish.limit.unwrap_or(DEFAULT_LIMIT).min(HIGHEST_LIMIT));
    StatsReply { by: wish.by, rows, total }
}

fn key_of(record: &HistoryRecord, by: StatsBy) -> Option<String> {
    Some(match by {
        StatsBy::Command => record.command.clone(),
        StatsBy::Program => record.program.clone(),
        StatsBy::Session => record.session_name.clone(),
        StatsBy::Group => record.group.clone()?,
        StatsBy::Cwd => record.cwd.clone(),
    })
}

/// Of records with the newest first.
fn row(key: String, records: &[HistoryRecord]) -> Option<StatsRow> {
    let last = records.first()?;
    let mut durations: Vec<u64> = records.iter().map(|record| record.duration_ms).collect();
    durations.sort_unstable();
    // The smallest that so many of a hundred do not pass (nearest rank).
    let percentile = |percent: usize| durations[(durations.len() * percent).div_ceil(100).saturating_sub(1)];
    Some(StatsRow {
        key,
        count: records.len(),
        failures: records.iter().filter(|record| record.failed()).count(),
        median_ms: percentile(50),
        p95_ms: percentile(95),
        last_ended_at: last.ended_at,
        last_status: last.status,
        last_exit: last.exit,
    })
}

struct Fits<'a> {
    query: Option<String>,
    group: Option<&'a str>,
    cwd: Option<&'a str>,
}

impl<'a> Fits<'a> {
    fn new(query: Option<&str>, group: Option<&'a str>, cwd: Option<&'a str>) -> Self {
        Self { query: query.map(str::to_lowercase), group, cwd }
    }

    fn fits(&self, record: &HistoryRecord) -> bool {
        let holds = |query: &String| {
            let texts = [Some(&record.command), Some(&record.session_name)];
            let optional = [record.label.as_ref(), record.group.as_ref(), record.reason.as_ref()];
            texts.into_iter().chain(optional).flatten().any(|text| text.to_lowercase().contains(query))
        };
        self.query.as_ref().is_none_or(holds)
            && self.group.is_none_or(|group| record.group.as_deref() == Some(group))
            && self.cwd.is_none_or(|cwd| record.cwd == cwd)
    }
}

/// Every record, the newest first.
fn each(folder: &Path, mut take: impl FnMut(HistoryRecord)) {
    for name in [FILE, OLD_FILE] {
        let mut text = Vec::new();
        // A file that is not there, or not to be read, holds no records.
        let _ = open_to_read(&folder.join(name)).and_then(|file| file.take(MAX_READ_BYTES).read_to_end(&mut text));
        for line in text.split(|&byte| byte == b'\n').rev().filter(|line| !line.is_empty()) {
            if let Ok(record) = serde_json::from_slice(line) {
                take(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{Appender, tests::record};
    use super::*;
    use crate::protocol::{Exit, Status};

    fn folder_with(records: &[HistoryRecord]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let appender = Appender::new(folder.path().to_owned());
        records.iter().for_each(|record| appender.append(record).unwrap());
        folder
    }

    #[test]
    fn runs_are_found_by_text_group_and_folder_the_newest_first() {
        let mut records: Vec<HistoryRecord> = (0..10).map(|n| record(&format!("Make test{n}"))).collect();
        records[3].group = Some("web".into());
        records[4].cwd = "/srv".into();
        records[5].reason = Some("ran longer than its timeout".into());
        let folder = folder_with(&records);
        // A line that was cut, or is not Termi's.
        std::fs::write(folder.path().join(OLD_FILE), "{\"half\": \n\nnot json\n").unwrap();
        let find = |wish: HistoryParams| -> Vec<String> {
            search(folder.path(), &wish).records.into_iter().map(|record| record.command).collect()
        };
        let wish = HistoryParams::default;
        assert_eq!(find(wish()).len(), 10);
        assert_eq!(find(wish())[0], "Make test9");
        assert_eq!(find(HistoryParams { query: Some("make TEST3".into()), ..wish() }), ["Make test3"]);
        assert_eq!(find(HistoryParams { query: Some("timeout".into()), ..wish() }), ["Make test5"]);
        assert_eq!(find(HistoryParams { group: Some("web".into()), ..wish() }), ["Make test3"]);
        assert_eq!(find(HistoryParams { cwd: Some("/srv".into()), ..wish() }), ["Make test4"]);
        let page = search(folder.path(), &HistoryParams { limit: Some(2), offset: 8, ..wish() });
        assert_eq!((page.records[1].command.as_str(), page.records.len(), page.total), ("Make test0", 2, 10));
    }

    #[test]
    fn statistics_are_of_all_runs_of_a_command() {
        let mut records: Vec<HistoryRecord> =
            (1..=20).map(|n| HistoryRecord { duration_ms: n * 10, ..record("b") }).collect();
        records[0].exit = Exit { code: Some(1), signal: None };
        records[1].status = Status::TimedOut;
        (records[2].status, records[2].reason) = (Status::Killed, Some("a limit".into()));
        (records[3].status, records[3].exit) = (Status::Killed, Exit { code: None, signal: Some(1) });
        records[19].ended_at = 77;
        records.push(HistoryRecord { duration_ms: 5, ..record("a") });
        let folder = folder_with(&records);
        let told = stats(folder.path(), &StatsParams::default());
        let b = &told.rows[0];
        assert_eq!((b.key.as_str(), b.count, b.failures), ("b", 20, 3), "somebody's kill is no failure");
        assert_eq!((b.median_ms, b.p95_ms, b.last_ended_at), (100, 190, 77));
        assert_eq!((told.rows[1].median_ms, told.rows[1].p95_ms, told.total), (5, 5, 2));
        let by_group = stats(folder.path(), &StatsParams { by: StatsBy::Group, ..StatsParams::default() });
        assert!(by_group.rows.is_empty());
    }
}
