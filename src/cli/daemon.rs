//! `termi daemon` and `termi host --persist`.

use std::{process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};

use super::{client, print_error};
use crate::{
    daemon::{self, Daemonized, Options, Ready},
    log,
    protocol::CrossSession,
    rpc::Transport,
};

/// How many seconds a daemon that a client starts waits without sessions and clients.
const IDLE_VARIABLE: &str = "TERMI_DAEMON_IDLE_SECONDS";

/// The daemon's options.
#[derive(Debug, Args)]
pub(super) struct DaemonArgs {
    /// Go on in the background; returns once clients can connect
    #[arg(long)]
    detach: bool,
    /// End after this many seconds without sessions and clients; default 600, or $TERMI_DAEMON_IDLE_SECONDS
    #[arg(long, value_name = "SECONDS")]
    idle_exit: Option<u64>,
    /// What programs inside a session may do to other sessions; default read, with --replace what it is
    #[arg(long, value_enum, value_name = "POLICY", conflicts_with = "stop")]
    cross_session: Option<Policy>,
    /// Remember the last text of each run, for `restore` after a reboot
    #[arg(long)]
    keep_text: bool,
    /// Start `claude` with hooks that report its states
    #[arg(long, conflicts_with_all = ["stop", "replace"])]
    agent_hooks: bool,
    /// Put this binary in the place of the daemon that runs: its sessions go on
    #[arg(long, conflicts_with_all = ["detach", "idle_exit", "keep_text"])]
    replace: bool,
    /// End the daemon that runs, if no program runs in it
    #[arg(long, conflicts_with_all = ["detach", "replace", "idle_exit", "keep_text"])]
    stop: bool,
    /// Whether the state on standard input can be gone on with
    #[arg(long, hide = true)]
    check_state: bool,
    /// Go on with the state at this descriptor
    #[arg(long, hide = true)]
    resume: Option<i32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Policy {
    /// Nothing: they do not even see them
    Off,
    /// List them, read them and wait for them
    Read,
    /// The same, and everything within their own group
    Group,
    /// Everything
    Full,
}

impl From<Policy> for CrossSession {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Off => Self::Off,
            Policy::Read => Self::Read,
            Policy::Group => Self::Group,
            Policy::Full => Self::Full,
        }
    }
}

pub(super) fn run(args: &DaemonArgs) -> ExitCode {
    if args.check_state {
        return code(daemon::check_state());
    }
    if args.replace {
        return code(daemon::replace_running(args.cross_session.map(Into::into)));
    }
    if args.stop {
        return code(daemon::stop_running());
    }
    // Before the log, which has a thread.
    let ready = if args.detach {
        match daemon::daemonize() {
            Ok(Daemonized::Daemon(ready)) => ready,
            Ok(Daemonized::Starter(outcome)) => return code(outcome.map_err(|why| anyhow::anyhow!(why))),
            Err(error) => return code(Err(error.into())),
        }
    } else {
        Ready::default()
    };
    let log = log::open();
    if let Err(reason) = &log {
        print_error(&format!("cannot write a log: {reason}"));
    }
    let from_variable = || std::env::var(IDLE_VARIABLE).ok()?.parse().ok();
    let idle_exit = args.idle_exit.or_else(from_variable).map_or(daemon::IDLE_EXIT, Duration::from_secs);
    let cross_session = args.cross_session.unwrap_or(Policy::Read).into();
    let (keep_text, agent_hooks, resume) = (args.keep_text, args.agent_hooks, args.resume);
    let options = Options { idle_exit, cross_session, keep_text, agent_hooks, resume };
    code(daemon::run(log.as_ref().ok(), options, ready))
}

/// `termi host --persist`.
pub(super) fn bridge(transport: Transport) -> ExitCode {
    let _log = log::open();
    match daemon::bridge(transport) {
        Ok(daemon::Bridged::Left) => ExitCode::SUCCESS,
        Ok(daemon::Bridged::Replaced) => daemon::REPLACED_EXIT_CODE.into(),
        Err(error) => {
            print_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn code(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("{error:#}"));
            client::FAILED.into()
        }
    }
}
