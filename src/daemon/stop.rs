//! Ending the daemon from outside.

use super::join::with_running;
use crate::{
    client::{Client, ClientError, whereabouts},
    protocol::{Empty, Sessions, Shutdown, Status},
};

/// `termi daemon --stop`: ends the daemon that runs, with what it keeps of runs that have ended.
///
/// # Errors
/// When there is none, or programs still run in it, processes that live on after their run's end among them.
pub fn stop_running() -> anyhow::Result<()> {
    with_running(&whereabouts("termi daemon --stop"), "no daemon runs", async |joined| {
        let (client, _inbox) = Client::over(joined.stream);
        let sessions = client.call::<Sessions>(Empty {}).await?;
        let runs = || sessions.values().flat_map(|session| &session.processes);
        let left: usize = runs().filter(|run| run.status != Status::Active).map(|run| run.left_running).sum();
        let active = runs().filter(|run| run.status == Status::Active).count();
        anyhow::ensure!(
            active > 0 || left == 0,
            "no run is active, but {left} process{} on (`termi ls`); `termi kill all` ends what lives on",
            if left == 1 { " that ended runs have started lives" } else { "es that ended runs have started live" }
        );
        anyhow::ensure!(
            active == 0,
            "{active} program{} still running; `termi kill all` ends them",
            if active == 1 { " is" } else { "s are" }
        );
        match client.call::<Shutdown>(Empty {}).await {
            Ok(_) | Err(ClientError::Closed) => Ok(()),
            Err(error) => Err(error.into()),
        }
    })
}
