//! Ending the daemon from outside.

use super::join::with_running;
use crate::{
    client::{Client, ClientError, whereabouts},
    protocol::{Empty, Sessions, Shutdown},
};

/// `termi daemon --stop`: ends the daemon that runs, with what it keeps of runs that have ended.
///
/// # Errors
/// When there is none, or programs still run in it.
pub fn stop_running() -> anyhow::Result<()> {
    with_running(&whereabouts("termi daemon --stop"), "no daemon runs", async |joined| {
        let (client, _inbox) = Client::over(joined.stream);
        let sessions = client.call::<Sessions>(Empty {}).await?;
        let active: usize = sessions.values().map(|session| session.active_processes).sum();
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
