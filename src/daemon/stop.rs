//! `termi daemon --stop`: shuts the running daemon down.

use std::{env, time::Duration};

use super::connect::with_running;
use crate::{
    client::{Client, ClientError, whereabouts},
    process::Proc,
    protocol::{Empty, Sessions, Shutdown, Status},
};

/// How long the daemon's own end is waited for, once it has answered; and how often it is looked for.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// `termi daemon --stop`: ends the daemon that runs, with what it keeps of runs that have ended.
///
/// # Errors
/// When there is none, or programs still run in it, processes that live on after their run's end among them.
pub fn stop_running() -> anyhow::Result<()> {
    with_running(&whereabouts("termi daemon --stop"), "no daemon is running", async |joined| {
        let (client, _inbox) = Client::over(joined.stream);
        let sessions = client.call::<Sessions>(Empty {}).await?;
        let runs = || sessions.values().flat_map(|session| &session.processes);
        let left: usize = runs().filter(|run| run.status != Status::Active).map(|run| run.left_running).sum();
        let active = runs().filter(|run| run.status == Status::Active).count();
        // What it advises below would end the shell that it is typed in.
        let own = env::var("TERMI_RUN").ok().and_then(|own| {
            sessions.values().find(|session| session.processes.iter().any(|run| run.run_id.as_str() == own))
        });
        if let Some(session) = own {
            anyhow::bail!(
                "this command runs inside session {:?} of the daemon, which would end with it; run it outside of Termi",
                session.name
            );
        }
        anyhow::ensure!(
            active > 0 || left == 0,
            "no run is active, but {left} process{} on (`termi ls`); `termi kill all` ends what lives on",
            if left == 1 { " that ended runs have started lives" } else { "es that ended runs have started live" }
        );
        anyhow::ensure!(
            active == 0,
            "{active} program{} still running; `termi kill all` ends {}",
            if active == 1 { " is" } else { "s are" },
            if active == 1 { "it" } else { "them" }
        );
        let daemon = i32::try_from(joined.daemon.pid).ok().and_then(Proc::read);
        match client.call::<Shutdown>(Empty {}).await {
            Ok(_) | Err(ClientError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        // Its last writes come after its answer: whoever is told that it is stopped finds nothing of it at work.
        let is_there = || daemon.as_ref().and_then(Proc::again).is_some_and(|now| !now.zombie);
        let gone = async {
            while is_there() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, gone).await;
        Ok(())
    })
}
