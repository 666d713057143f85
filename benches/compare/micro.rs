//! What criterion's benchmarks of the parts have measured: read from what they left in `target/criterion`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use crate::{Plan, pairs::single, report::Row};

/// A row for each that says how many bytes it takes in; none when none was run.
pub fn rows(_plan: &Plan) -> Vec<Row> {
    let mut found = Vec::new();
    find(&crate::root().join("target/criterion"), &mut found);
    found.sort();
    found.iter().filter_map(|folder| row(folder)).collect()
}

/// Folders named `new`, which hold a benchmark's last results.
fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() && path.file_name().is_some_and(|name| name == "new") {
            found.push(path);
        } else if path.is_dir() {
            find(&path, found);
        }
    }
}

fn row(folder: &Path) -> Option<Row> {
    let read = |name: &str| -> Option<Json> { serde_json::from_str(&fs::read_to_string(folder.join(name)).ok()?).ok() };
    let (about, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let throughput = &about["throughput"];
    let bytes = throughput["Bytes"].as_f64().or_else(|| throughput["BytesDecimal"].as_f64())?;
    let nanoseconds = estimates["median"]["point_estimate"].as_f64()?;
    let what = format!("alone: {}", about["full_id"].as_str()?);
    Some(single("micro", what, "MB/s", &[bytes / 1e6 / (nanoseconds / 1e9)], None))
}
