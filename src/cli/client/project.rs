//! `termi up` and `termi down`: the runs that a project needs, by templates.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{FAILED, Failure, Outcome, complain, connect, connect_or_start, output};
use crate::{
    client::Client,
    protocol::{Down, DownParams, ParseTemplates, ParseTemplatesParams, Templates, TemplatesParams, Up, UpParams},
};

/// A project's file.
const FILE: &str = ".termi.json";

/// A larger one is not read: the host takes no more.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "The templates of the .termi.json in this directory, or in the nearest one above it, are made \
    known to the host first, and without names these are started. To run `termi up` in a directory says that you trust \
    its file, as with make.")]
pub struct UpArgs {
    /// Templates by name; default: all of the project here, or all that the host knows where there is none
    templates: Vec<String>,
    /// Only those of this group
    #[arg(long, short)]
    group: Option<String>,
    /// Print the answer as JSON: {started, running, failed}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct DownArgs {
    /// Templates by name; default: all of the project here, or all that the host knows where there is none
    templates: Vec<String>,
    /// Only those of this group
    #[arg(long, short)]
    group: Option<String>,
}

pub async fn up(args: UpArgs) -> Outcome {
    let file = project_file()?;
    let (client, _inbox) = connect_or_start().await?;
    let own = match &file {
        Some((path, text)) => Some(make_known(&client, path, text).await?),
        None => None,
    };
    let templates = chosen(args.templates, own);
    let reply = client.call::<Up>(UpParams { group: args.group, templates }).await?;
    if args.json {
        output::json(&reply)?;
    } else {
        for started in &reply.started {
            output::line(&format!(
                "{}: started {}:{}",
                started.template,
                started.run.session_name,
                started.run.run_id.short()
            ))?;
        }
        for name in &reply.running {
            output::line(&format!("{name}: is already running"))?;
        }
    }
    for failure in &reply.failed {
        complain(&format!("{}: {}", failure.template, failure.error));
    }
    Ok(if reply.failed.is_empty() { ExitCode::SUCCESS } else { FAILED.into() })
}

pub async fn down(args: DownArgs) -> Outcome {
    let file = project_file()?;
    let (client, _inbox) = connect().await?;
    let own = match &file {
        Some((path, text)) => Some(make_known(&client, path, text).await?),
        None => None,
    };
    let templates = chosen(args.templates, own);
    let reply = client.call::<Down>(DownParams { group: args.group, templates }).await?;
    output::line(&format!("Killed {}/{} processes", reply.killed.killed, reply.killed.total))?;
    Ok(if reply.killed.killed == reply.killed.total { ExitCode::SUCCESS } else { FAILED.into() })
}

/// The templates that were named, else those of the project.
fn chosen(named: Vec<String>, own: Option<Vec<String>>) -> Option<Vec<String>> {
    if named.is_empty() { own } else { Some(named) }
}

/// Makes a file's templates known to the host; gives their names.
async fn make_known(client: &Client, path: &Path, text: &str) -> Result<Vec<String>, Failure> {
    let path = path.display().to_string();
    let parsed = client.call::<ParseTemplates>(ParseTemplatesParams { text: text.to_owned(), path }).await?;
    client.call::<Templates>(TemplatesParams { set: Some(parsed.templates), replace: false }).await?;
    Ok(parsed.order)
}

/// The nearest project's file, here or above.
fn project_file() -> Result<Option<(PathBuf, String)>, Failure> {
    let here = std::env::current_dir().map_err(|source| Failure::Io { what: "the current directory", source })?;
    for directory in here.ancestors() {
        let path = directory.join(FILE);
        if !path.is_file() {
            continue;
        }
        let failed = |why: String| Failure::Asked(format!("{}: {why}", path.display()));
        let file = std::fs::File::open(&path).map_err(|error| failed(error.to_string()))?;
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed("is larger than 1 MiB".to_owned()));
        }
        return Ok(Some((path, text)));
    }
    Ok(None)
}
