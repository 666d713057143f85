//! The command line.

mod client;
mod completion;
mod daemon;
mod manual;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use nix::sys::signal::{SigHandler, Signal};

use crate::{host, log, protocol::printable, rpc::Transport, shim};

/// A session host for text editors: runs programs on PTYs of their own and pushes their screens into editor buffers.
#[derive(Debug, Parser)]
#[command(name = "termi", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, at the start")]
enum Command {
    /// Serves one editor on standard input and output; ends when standard input closes
    Host {
        /// How to speak with the editor
        #[arg(long, value_enum, default_value = "msgpack")]
        rpc: Rpc,
        /// Join the user's daemon, starting it when there is none: sessions outlive the editor
        #[arg(long)]
        persist: bool,
    },
    /// Serves the user's clients on a socket; its sessions outlive them
    Daemon(daemon::DaemonArgs),
    #[command(flatten)]
    Client(Box<client::Command>),
    /// Prints the script that completes commands, sessions, groups and templates in a shell
    Completions(completion::CompletionsArgs),
    /// Prints a page of the manual
    Man(manual::ManArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rpc {
    /// msgpack-RPC, as Neovim speaks it
    Msgpack,
    /// JSON-RPC 2.0 behind Content-Length headers, as language servers speak it
    Json,
}

impl From<Rpc> for Transport {
    fn from(rpc: Rpc) -> Self {
        match rpc {
            Rpc::Msgpack => Self::Msgpack,
            Rpc::Json => Self::Json,
        }
    }
}

/// Runs the command line with these arguments, the program's own name first.
#[must_use]
pub fn main(mut args: Vec<OsString>) -> ExitCode {
    // Every run starts one: no time is spent on reading options it does not have.
    if args.get(1).is_some_and(|arg| arg == shim::SUBCOMMAND) {
        return shim::main(args.split_off(2));
    }
    if args.get(1).is_some_and(|arg| arg == completion::SUBCOMMAND) {
        return completion::main(&args.split_off(2), Cli::command());
    }
    if args.get(1).is_some_and(|arg| arg == client::hook::SUBCOMMAND) {
        let mut given = args.iter().skip(2).cloned();
        let (agent, event) = (given.next(), given.next());
        if !agent.as_ref().is_some_and(|arg| arg == "--help" || arg == "-h") {
            return client::hook::main(agent, event);
        }
    }
    ignore_file_size_signal();
    let Cli { command } = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        // Help and version go to standard output and are no failure.
        Err(asked) if !asked.use_stderr() => return print_usage(&asked, ExitCode::SUCCESS),
        Err(wrong) => return print_usage(&wrong, client::FAILED.into()),
    };
    match command {
        Command::Host { rpc, persist: true } => daemon::bridge(rpc.into()),
        Command::Host { rpc, persist: false } => run_host(rpc.into()),
        Command::Daemon(args) => daemon::run(&args),
        Command::Client(command) => client::main(*command),
        Command::Completions(args) => completion::completions(&args),
        Command::Man(args) => manual::man(args, Cli::command()),
    }
}

/// Prints help, or what is wrong with the arguments. Whoever does not read it needs no word about that.
fn print_usage(usage: &clap::Error, code: ExitCode) -> ExitCode {
    let _ = usage.print();
    code
}

/// A file that has reached RLIMIT_FSIZE is a write that fails (EFBIG), as on a full disk, for the log, the history and
/// outputs that are kept: SIGXFSZ would end the process and all its sessions. Programs get it back at its default.
fn ignore_file_size_signal() {
    // SAFETY: to ignore a signal runs no code of ours.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

fn run_host(transport: Transport) -> ExitCode {
    let log = log::open();
    if let Err(reason) = &log {
        print_error(&format!("cannot write a log: {reason}"));
    }
    match host::run(transport, log.as_ref().ok()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes text to standard output. Whoever stops reading wants no more of it.
fn print(text: &[u8]) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

#[allow(clippy::print_stderr, reason = "this is the command line's voice")]
fn print_error(message: &str) {
    let lines: Vec<String> = message.split('\n').map(printable).collect();
    eprintln!("termi: {}", lines.join("\n"));
}
