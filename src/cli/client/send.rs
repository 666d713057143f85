//! `termi send`.

use std::{io::Read, process::ExitCode};

use super::{FAILED, Failure, Outcome, connection::Connection, output};
use crate::protocol::{Bytes, SendInput, SendParams, SendReply, Target};

#[derive(Debug, clap::Args)]
#[command(after_help = "Text that begins with a hyphen comes behind `--`: termi send web -- --help")]
pub struct Args {
    /// Target: a session's id, unique prefix or name, SESSION:RUN, group:NAME, or all
    #[arg(add = super::candidates::active_targets())]
    target: Target,
    /// The text; several words are joined with spaces. `-` alone reads standard input
    #[arg(required = true)]
    text: Vec<String>,
    /// The Return key after it
    #[arg(long)]
    enter: bool,
    /// As keys, even several lines: by default those go in as one paste, so that none is run half-typed
    #[arg(long)]
    keys: bool,
    /// Print the answer as JSON: {sent, refused, seq?}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    let mut data = args.text.join(" ").into_bytes();
    if data == b"-" {
        data.clear();
        let read = std::io::stdin().lock().read_to_end(&mut data);
        read.map_err(|source| Failure::Io { what: "standard input", source })?;
    }
    let paste = !args.keys && data.contains(&b'\n');
    let params = SendParams { target: args.target.clone(), data: Bytes(data), enter: args.enter, paste };
    let mut connection = Connection::open().await?;
    let reply = connection.change::<SendInput>(|| params.clone()).await?;
    let SendReply { sent, refused, .. } = reply;
    if args.json {
        output::json(&reply)?;
    }
    if refused > 0 {
        super::print_error(&format!("{refused} of {} runs do not read their input", sent + refused));
        return Ok(FAILED.into());
    }
    if sent == 0 {
        return Err(Failure::Asked(format!("{} has no active run to send to", args.target)));
    }
    Ok(ExitCode::SUCCESS)
}
