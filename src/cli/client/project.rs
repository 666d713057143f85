//! `termi up` and `termi down`: the runs that a project needs, by templates.

use std::{
    fs::OpenOptions,
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

use nix::unistd::Uid;

use super::{FAILED, Failure, Outcome, connection::Connection, output, print_error};
use crate::protocol::{
    Down, DownParams, ParseTemplates, ParseTemplatesParams, Templates, TemplatesParams, Up, UpParams,
};

/// A project's file.
const FILE: &str = ".termi.json";

/// A larger one is not read: the host takes no more.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "The templates of the .termi.json in this directory, or in the nearest one above it, are made \
    known to the host first, and without names these are started. To run `termi up` in a directory says that you trust \
    its file, as with make; one in a directory above must be yours, or root's.")]
pub struct UpArgs {
    /// Templates by name; default: all of the project here, or all that the host knows where there is none
    #[arg(add = super::candidates::templates())]
    templates: Vec<String>,
    /// Only those of this group
    #[arg(long, short, add = super::candidates::groups())]
    group: Option<String>,
    /// Print the answer as JSON: {started, running, failed}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct DownArgs {
    /// Templates by name; default: all of the project here, or all that the host knows where there is none
    #[arg(add = super::candidates::templates())]
    templates: Vec<String>,
    /// Only those of this group
    #[arg(long, short, add = super::candidates::groups())]
    group: Option<String>,
    /// Print the answer as JSON: {templates, killed, total, processes}
    #[arg(long)]
    json: bool,
}

pub async fn up(args: UpArgs) -> Outcome {
    let file = project_file()?;
    let mut connection = Connection::open_or_start().await?;
    let templates = chosen(&mut connection, args.templates, file).await?;
    let params = || UpParams { group: args.group.clone(), templates: templates.clone() };
    let reply = connection.change::<Up>(params).await?;
    if args.json {
        output::json(&reply)?;
    } else {
        for started in &reply.started {
            output::line(&format!("{}: started {}", started.template, output::run_name(&started.run)))?;
        }
        for name in &reply.running {
            output::line(&format!("{name}: is already running"))?;
        }
    }
    for failure in &reply.failed {
        print_error(&format!("{}: {}", failure.template, failure.error));
    }
    Ok(if reply.failed.is_empty() { ExitCode::SUCCESS } else { FAILED.into() })
}

pub async fn down(args: DownArgs) -> Outcome {
    let file = project_file()?;
    let mut connection = Connection::open().await?;
    let templates = chosen(&mut connection, args.templates, file).await?;
    let params = || DownParams { group: args.group.clone(), templates: templates.clone() };
    let reply = connection.change::<Down>(params).await?;
    if args.json {
        output::json(&reply)?;
    } else {
        output::line(&format!("Killed {}/{} processes", reply.killed.killed, reply.killed.total))?;
    }
    Ok(if reply.killed.killed == reply.killed.total { ExitCode::SUCCESS } else { FAILED.into() })
}

/// The templates that were named, else those of the project's file, if there is one. Its templates are made known to the
/// host first.
async fn chosen(
    connection: &mut Connection,
    named: Vec<String>,
    file: Option<(PathBuf, String)>,
) -> Result<Option<Vec<String>>, Failure> {
    let mut own = None;
    if let Some((path, text)) = file {
        let path = path.display().to_string();
        let params = || ParseTemplatesParams { text: text.clone(), path: path.clone() };
        let parsed = connection.change::<ParseTemplates>(params).await?;
        let params = || TemplatesParams { set: Some(parsed.templates.clone()), replace: false };
        connection.change::<Templates>(params).await?;
        own = Some(parsed.order);
    }
    Ok(if named.is_empty() { own } else { Some(named) })
}

/// The nearest project's file, here or above.
fn project_file() -> Result<Option<(PathBuf, String)>, Failure> {
    let here = std::env::current_dir().map_err(|source| Failure::Io { what: "the current directory", source })?;
    nearest_file(&here, Uid::effective())
}

/// The names of the templates in the project's file, as far as it can be read.
pub fn template_names() -> Vec<String> {
    let Ok(Some((_, text))) = project_file() else { return Vec::new() };
    let file: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let templates = file.get("templates").and_then(serde_json::Value::as_object);
    templates.map(|templates| templates.keys().cloned().collect()).unwrap_or_default()
}

/// The file in a directory, or in the nearest one above it. Who enters a directory may be taken to know what is in it,
/// but not what others put above it, as in /tmp: a file there that belongs to neither the user nor root is refused.
fn nearest_file(here: &Path, user: Uid) -> Result<Option<(PathBuf, String)>, Failure> {
    for directory in here.ancestors() {
        let path = directory.join(FILE);
        if !path.is_file() {
            continue;
        }
        let failed = |why: String| Failure::Asked(format!("{}: {why}", path.display()));
        let io = |error: std::io::Error| failed(error.to_string());
        // By now it may be a pipe, which would be waited for.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).map_err(io)?;
        let owner = Uid::from_raw(file.metadata().map_err(io)?.uid());
        if directory != here && owner != user && !owner.is_root() {
            let why = format!("belongs to another user (uid {owner}); if you trust it, run this in its directory");
            return Err(failed(why));
        }
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(io)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed("is larger than 1 MiB".to_owned()));
        }
        return Ok(Some((path, text)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anyone may put a file into /tmp, and `termi up` in a directory below it ran what that said.
    #[test]
    fn a_file_above_that_belongs_to_others_is_refused_and_one_here_is_trusted() {
        let top = tempfile::tempdir().unwrap();
        let below = top.path().join("project/src");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(top.path().join(FILE), "{}").unwrap();
        // Root's own would be trusted; who is not root cannot give it away, and need not.
        let _ = std::os::unix::fs::chown(top.path().join(FILE), Some(1234), None);
        let owner = Uid::from_raw(std::fs::metadata(top.path().join(FILE)).unwrap().uid());
        let stranger = Uid::from_raw(owner.as_raw() + 1);
        let (path, text) = nearest_file(&below, owner).unwrap().unwrap();
        assert_eq!((path, text.as_str()), (top.path().join(FILE), "{}"));
        assert!(nearest_file(top.path(), stranger).unwrap().is_some(), "in the directory itself");
        let why = nearest_file(&below, stranger).unwrap_err().to_string();
        assert!(why.contains(&format!("uid {owner}")) && why.contains("in its directory"), "{why}");
        std::fs::write(below.join(FILE), "{}").unwrap();
        assert_eq!(nearest_file(&below, stranger).unwrap().unwrap().0, below.join(FILE), "the nearest counts");
    }
}
