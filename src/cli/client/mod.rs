//! The commands that speak with a running host: for shells, scripts and agents.
//!
//! Each connects to `$TERMI_SOCKET`, as programs inside a session have it, else to the user's daemon, which only `run`
//! starts. Exit codes: 0, or the program's own where a command is about one program; [`TIMED_OUT`] when the time was
//! up; [`FAILED`] for all that Termi could not do, arguments that make no sense among them, as timeout(1) and env(1) say it.

mod agents;
mod attach;
pub(super) mod candidates;
mod connection;
mod doctor;
mod duration;
mod history;
pub(super) mod hook;
mod hooks;
mod kill;
mod ls;
mod manage;
mod output;
mod project;
mod run;
mod send;
mod stats;
mod stdin;
mod tail;
mod target;
mod wait;

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::print_error;
use crate::{
    client::{self, Client, ClientError, Inbox},
    daemon::{self, ConnectError},
    paths,
    protocol::{Code, Exit, JoinReply, Status},
};

/// The time was up, as timeout(1) says it.
const TIMED_OUT: u8 = 124;

/// Termi itself could not do what was asked.
pub(super) const FAILED: u8 = 125;

/// Between two attempts at a host that closes the connection.
const REJOIN_DELAY: std::time::Duration = std::time::Duration::from_millis(10);

/// A wait for a pattern: the program ended without it.
const NO_MATCH: u8 = 1;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts a program in a session
    Run(run::Args),
    /// Lists sessions and their runs
    Ls(ls::Args),
    /// Lists coding agents and what each is doing, those that wait for you first
    Agents(agents::Args),
    /// Tells what a coding agent does: called by its hooks
    Hook(hook::Args),
    /// Prints how the hooks of a coding agent are set up
    Hooks(hooks::Args),
    /// Ends runs, whole process trees, and says how many
    Kill(kill::Args),
    /// Shows a run on this terminal and types into it
    Attach(attach::Args),
    /// Types text into runs
    Send(send::Args),
    /// Starts runs again, under the same ids
    Restart(manage::RestartArgs),
    /// Gives a session another name
    Rename(manage::RenameArgs),
    /// Dismisses runs that have ended, and what they printed
    Rm(manage::RmArgs),
    /// Start templates: those of the project in this directory, or those that the host knows
    Up(project::UpArgs),
    /// Ends the runs of templates
    Down(project::DownArgs),
    /// Starts again what ran when the machine went down
    Restore(manage::RestoreArgs),
    /// Prints the last lines of a run's output
    Tail(tail::Args),
    /// Waits until runs end, print something or fall silent
    Wait(wait::Args),
    /// Lists runs that have ended, of all hosts
    History(history::Args),
    /// Says how often commands ran and failed, and how long they took
    Stats(stats::Args),
    /// Checks the installation and the sessions, and advises what to do about problems
    Doctor(doctor::Args),
}

/// Why a command has nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody to speak to.
    #[error("no daemon is running: nothing listens at {0}; `termi run` starts one{restore}", restore = restore_hint())]
    NobodyThere(String),
    /// A program inside a session whose host is gone.
    #[error(
        "the host of $TERMI_SOCKET has ended: nothing listens at {0}; `env -u TERMI_SOCKET termi …` connects to the daemon"
    )]
    HostGone(String),
    /// The host went before it answered.
    #[error(
        "the host closed the connection before it answered: `{method}` may have been carried out or not; see `termi ls` \
         before you repeat the command"
    )]
    Unanswered {
        /// What it was called for.
        method: &'static str,
    },
    /// The host went while a command waited.
    #[error("the host has ended, and its sessions with it{restore}", restore = restore_hint())]
    HostEnded,
    /// The daemon, or the way to it.
    #[error(transparent)]
    Join(ConnectError),
    /// The host, or the way to it.
    #[error(transparent)]
    Client(ClientError),
    /// No session, run or group goes by this name.
    #[error("{0}; `termi ls` lists them{earlier}", earlier = earlier_hint())]
    NotFound(String),
    /// What was asked cannot be.
    #[error("{0}")]
    Asked(String),
    /// This side of it.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            // What else is not there, such as a template, `termi ls` does not list.
            ClientError::Refused(error) if error.code == Code::NotFound && error.names_a_target() => {
                Self::NotFound(error.message)
            }
            error => Self::Client(error),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Client(ClientError::Connect { path, source }) if is_absence(&source) => {
                Self::NobodyThere(path.display().to_string())
            }
            other => Self::Join(other),
        }
    }
}

/// What to do where the last daemon ended without a shutdown, as in a crash: what ran is on record.
fn restore_hint() -> &'static str {
    if daemon::recorded_sessions() == (0, 0) { "" } else { "; `termi restore` starts again what ran before" }
}

/// The same where another daemon has started since.
fn earlier_hint() -> &'static str {
    match daemon::recorded_sessions() {
        (_, 0) => "",
        _ => ", and `termi restore --list` those of an earlier daemon, which can be started again",
    }
}

fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused)
}

/// What becomes of a command.
pub type Outcome = Result<ExitCode, Failure>;

/// Carries out a command.
pub fn main(command: Command) -> ExitCode {
    match command {
        Command::Run(args) => block_on(run::run(args)),
        Command::Ls(args) => block_on(ls::run(args)),
        Command::Agents(args) => block_on(agents::run(args)),
        Command::Hook(args) => hook::run(args),
        Command::Hooks(args) => block_on(std::future::ready(hooks::run(&args))),
        Command::Kill(args) => block_on(kill::run(args)),
        Command::Attach(args) => block_on(attach::run(args)),
        Command::Send(args) => block_on(send::run(args)),
        Command::Restart(args) => block_on(manage::restart(args)),
        Command::Rename(args) => block_on(manage::rename(args)),
        Command::Rm(args) => block_on(manage::rm(args)),
        Command::Up(args) => block_on(project::up(args)),
        Command::Down(args) => block_on(project::down(args)),
        Command::Restore(args) => block_on(manage::restore(args)),
        Command::Tail(args) => block_on(tail::run(args)),
        Command::Wait(args) => block_on(wait::run(args)),
        Command::History(args) => block_on(history::run(args)),
        Command::Stats(args) => block_on(stats::run(args)),
        Command::Doctor(args) => block_on(doctor::run(args)),
    }
}

fn block_on(command: impl Future<Output = Outcome>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("the runtime could not be started: {error}"));
            return FAILED.into();
        }
    };
    let outcome = runtime.block_on(command);
    // A read of standard input may still be under way.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| match error {
        // Who stops reading, as `head` does, wants no more of it and no complaint.
        Failure::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        error => {
            print_error(&error.to_string());
            FAILED.into()
        }
    })
}

/// A connection to whoever has the sessions, and what that has said of itself.
struct Reached {
    client: Client,
    inbox: Inbox,
    daemon: JoinReply,
}

impl Reached {
    fn over(stream: client::Stream, daemon: JoinReply) -> Self {
        let (client, inbox) = Client::over(stream);
        Self { client, inbox, daemon }
    }
}

/// A connection to whoever has the sessions.
async fn connect() -> Result<(Client, Inbox), Failure> {
    let Reached { client, inbox, .. } = reach(false).await?;
    Ok((client, inbox))
}

/// The same; with `start`, the daemon is started when there is none.
async fn reach(start: bool) -> Result<Reached, Failure> {
    let here = client::whereabouts("termi");
    let inside = std::env::var_os("TERMI_SOCKET").map(PathBuf::from).filter(|path| path.is_absolute());
    let Some(path) = inside else {
        let joined = daemon::connect(&here, start).await?;
        return Ok(Reached::over(joined.stream, joined.daemon));
    };
    let gone = || Failure::HostGone(path.display().to_string());
    let attempts = async {
        loop {
            let mut stream = match client::open(&path).await {
                Ok(stream) => stream,
                Err(error) if !error.is_nobody_there() => return Err(error.into()),
                // The daemon may have it elsewhere now.
                Err(_) if path.ends_with(paths::DAEMON_SOCKET) => {
                    let joined = daemon::connect(&here, false).await.map_err(|_| gone())?;
                    return Ok(Reached::over(joined.stream, joined.daemon));
                }
                Err(_) => return Err(gone()),
            };
            match client::join(&mut stream, &here).await {
                Ok(daemon) => return Ok(Reached::over(stream, daemon)),
                // It is just being replaced, or ends.
                Err(ClientError::Closed) => tokio::time::sleep(REJOIN_DELAY).await,
                Err(error) => return Err(error.into()),
            }
        }
    };
    match tokio::time::timeout(daemon::CONNECT_TIMEOUT, attempts).await {
        Ok(reached) => reached,
        Err(_) => Err(ConnectError::Silent(path.clone()).into()),
    }
}

/// The program's own code; 128 and the number for a signal, as shells say it; 124 when a timeout ended it.
fn exit_code(status: Option<Status>, exit: Option<Exit>) -> ExitCode {
    let code = match exit {
        _ if status == Some(Status::TimedOut) => TIMED_OUT,
        Some(Exit { code: Some(code), .. }) => u8::try_from(code & 0xff).unwrap_or(FAILED),
        Some(Exit { signal: Some(signal), .. }) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
        _ => FAILED,
    };
    code.into()
}

/// How a run is, in a word or two.
fn status_text(status: Status, exit: Option<Exit>) -> String {
    match (status, exit) {
        (Status::Active, _) => "active".to_owned(),
        (Status::Exited, Some(Exit { code: Some(code), .. })) => format!("exited {code}"),
        (Status::Exited, Some(Exit { signal: Some(signal), .. })) => {
            format!("ended by {}", crate::process::signal_name(signal))
        }
        (Status::Exited, _) => "exited".to_owned(),
        (Status::Killed, _) => "killed".to_owned(),
        (Status::TimedOut, _) => "timed out".to_owned(),
        (Status::Failed, _) => "failed".to_owned(),
    }
}
