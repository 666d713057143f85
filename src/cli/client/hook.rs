//! `termi hook`: a hook of a coding agent, which tells the host of its run what the agent does.
//!
//! An agent waits for its hooks, and takes what they print and how they exit for orders. So nothing is printed, the exit
//! code is 0 whatever comes of it, and after a fifth of a second it ends without having told anybody.

use std::{
    ffi::OsString,
    io::Read,
    os::fd::AsFd,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::builder::PossibleValuesParser;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{
    agent::{hook_report, hooked_agents},
    client::{self, ClientError},
    protocol::{AgentReport, AgentReportParams, Code, RunId},
};

/// Its name, looked for before the command line is read: whatever stands behind it, it does not complain.
pub const SUBCOMMAND: &str = "hook";

/// From its start to its end.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Longer input is not read: what a tool printed may be in it.
const INPUT_MAX: usize = 1 << 20;

/// Between two attempts at a host that is being replaced.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// The arguments, for the help: they are read without [`clap`], which would complain.
#[derive(Debug, clap::Args)]
#[command(after_help = "Reads the JSON that the agent gives to its hooks from standard input. Prints nothing, always \
    exits with 0, and takes 200 ms at most. `termi hooks` prints how hooks are set up.")]
pub struct Args {
    /// The agent
    #[arg(value_parser = PossibleValuesParser::new(hooked_agents()))]
    agent: String,
    /// The event, for an agent that does not name it in its JSON
    event: Option<String>,
}

/// What the command line gives it as text.
pub fn run(args: Args) -> ExitCode {
    main(Some(args.agent.into()), args.event.map(Into::into))
}

/// Tells the host, if there is one and there is something to tell. Always succeeds.
#[must_use]
pub fn main(agent: Option<OsString>, event: Option<OsString>) -> ExitCode {
    let _ = report(agent, event);
    ExitCode::SUCCESS
}

fn report(agent: Option<OsString>, event: Option<OsString>) -> Option<()> {
    let until = Instant::now() + TIMEOUT;
    let (agent, event) = (agent?.into_string().ok()?, event.and_then(|event| event.into_string().ok()));
    // Outside of a session there is nobody to tell.
    let socket = std::env::var_os("TERMI_SOCKET").map(PathBuf::from).filter(|path| path.is_absolute())?;
    let run: RunId = std::env::var("TERMI_RUN").ok()?.into();
    let input = read_input(until)?;
    let report = AgentReportParams { run_id: Some(run), ..hook_report(&agent, event.as_deref(), &input)? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let telling = async { tokio::time::timeout_at(until.into(), tell(&socket, report)).await.ok() };
    runtime.block_on(telling);
    runtime.shutdown_background();
    Some(())
}

/// Tells it; again, while the daemon is being replaced.
async fn tell(socket: &std::path::Path, report: AgentReportParams) {
    loop {
        if let Ok((client, _inbox)) = client::connect(socket).await {
            match client.call::<AgentReport>(report.clone()).await {
                Err(ClientError::Closed) => {}
                Err(ClientError::Refused(error)) if error.code == Code::ShuttingDown => {}
                _ => return,
            }
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Standard input to its end, or to the end of the JSON in it: not every agent closes it. None when it is too long or
/// does not come in time.
fn read_input(until: Instant) -> Option<Vec<u8>> {
    let mut stdin = std::io::stdin().lock();
    let (mut input, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).ok()?;
        {
            let mut wait = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            if left.is_zero() || poll(&mut wait, timeout).ok()? == 0 {
                return None;
            }
        }
        match stdin.read(&mut chunk).ok()? {
            0 => return Some(input),
            count => input.extend(&chunk[..count]),
        }
        if input.len() > INPUT_MAX {
            return None;
        }
        let is_whole = || serde_json::from_slice::<serde::de::IgnoredAny>(&input).is_ok();
        if input.trim_ascii_end().ends_with(b"}") && is_whole() {
            return Some(input);
        }
    }
}
