//! The log: a file, never the standard output. Each line carries the session it is about.
//!
//! A warning that comes a hundred times is from then on written once a second, with how many like it were left out.
//!
//! Bytes that programs print or people type, and values of environment variables, are never logged, at any level.

mod rate_limit;

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tracing::{Event, Subscriber};
use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{paths, protocol::printable};
use rate_limit::RateLimit;

/// Set to 1, it turns on detailed session and stream logging.
pub const DEBUG_VARIABLE: &str = "TERMI_STREAM_DEBUG";

/// Days of logs that are kept.
const KEEP_FILES: usize = 7;

/// What is written of an event's text, in bytes. A client may name a method of 16 MiB.
const LONGEST_TEXT: usize = 4096;

/// An open log. Dropping it writes out what waits.
pub struct Log {
    /// The file that is being written today.
    pub path: PathBuf,
    _guard: WorkerGuard,
}

/// Opens the log in the state folder, rolling daily.
///
/// # Errors
/// When the folder or the file cannot be used; the host then runs without a log.
pub fn open() -> Result<Log, String> {
    let folder = paths::state().map_err(|error| error.to_string())?;
    let (appender, path) = begin(&folder)?;
    // Lines that the disk is too slow for are dropped and counted, the host never waits.
    let appender = Lasting { folder, path: path.clone(), appender, failing: false };
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let debug = std::env::var_os(DEBUG_VARIABLE).is_some_and(|value| value == "1");
    let filter = EnvFilter::new(if debug { "info,termi=debug" } else { "warn,termi=info" });
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).event_format(Labelled::default());
    tracing_subscriber::registry().with(filter).with(layer).try_init().map_err(|error| error.to_string())?;
    Ok(Log { path, _guard: guard })
}

fn begin(folder: &Path) -> Result<(RollingFileAppender, PathBuf), String> {
    // Opened, a pipe would wait for its other end, and a link lead elsewhere.
    let is_file = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    if let Some(odd) = logs(folder).find(|path| !is_file(path)) {
        return Err(format!("{} is not a regular file; remove it", odd.display()));
    }
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("termi")
        .filename_suffix("log")
        .max_log_files(KEEP_FILES)
        .build(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = newest(folder).unwrap_or_else(|| folder.join("termi.log"));
    paths::make_private(&path);
    Ok((appender, path))
}

/// A log that outlasts its disk: a line that cannot be written is lost, the first one is told on the standard
/// error, and a folder that was deleted is made again.
struct Lasting {
    folder: PathBuf,
    path: PathBuf,
    appender: RollingFileAppender,
    failing: bool,
}

impl Lasting {
    fn try_write(&mut self, line: &[u8]) -> Result<(), String> {
        if !self.path.exists() {
            // Deleted, or the day has changed: then there is a newer one.
            match newest(&self.folder) {
                Some(path) => self.path = path,
                None => {
                    paths::make_folder(&self.folder).map_err(|error| error.to_string())?;
                    (self.appender, self.path) = begin(&self.folder)?;
                }
            }
        }
        self.appender.write_all(line).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Write for Lasting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.try_write(line) {
            Ok(()) => self.failing = false,
            Err(reason) => {
                if !std::mem::replace(&mut self.failing, true) {
                    #[allow(clippy::print_stderr, reason = "there is nowhere else to say it")]
                    {
                        eprintln!("termi: the log cannot be written, and sessions go on without it: {reason}");
                    }
                }
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.appender.flush();
        Ok(())
    }
}

fn newest(folder: &Path) -> Option<PathBuf> {
    logs(folder).max()
}

fn logs(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("termi.") && name.ends_with(".log")
    })
}

/// `2026-11-22T14:03:05Z INFO [Session abc12345] cursor-agent exited with code 0`
#[derive(Default)]
struct Labelled {
    rate_limit: RateLimit,
}

impl<S, N> FormatEvent<S, N> for Labelled
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(note) = self.rate_limit.admit(event.metadata()) else { return Ok(()) };
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {:>5} ", event.metadata().level())?;
        let session =
            context.event_scope().into_iter().flatten().filter(|span| span.name() == "session").find_map(|span| {
                let fields = span.extensions();
                let fields = fields.get::<FormattedFields<N>>()?;
                Some(fields.fields.split_once('=')?.1.trim_matches('"').to_owned())
            });
        match session {
            Some(session) => write!(writer, "[Session {session}] ")?,
            None => write!(writer, "[Default] ")?,
        }
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        writeln!(writer, "{}{note}", on_one_line(&text))
    }
}

/// An event's text as one line, and no longer than a line should be. Names of methods and programs are others' words:
/// with line ends in them they would write lines of the log.
fn on_one_line(text: &str) -> String {
    let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let mut line = printable(&text[..end]);
    if end < text.len() {
        line.push_str(&format!("… ({} bytes)", text.len()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_text_is_one_line_and_not_without_end() {
        assert_eq!(on_one_line("a\n2026-11-30 ERROR b\r\u{9b}\u{1b}c"), r"a\n2026-11-30 ERROR b\r\u{9b}\u{1b}c");
        assert_eq!(on_one_line("ä€ plain"), "ä€ plain");
        let long = on_one_line(&"€".repeat(1 << 20));
        assert!(long.len() < LONGEST_TEXT + 40 && long.ends_with("… (3145728 bytes)"), "{}", long.len());
    }
}
