//! A connection that outlives a re-exec of the daemon: what only reads and waits goes on over a new one.

use std::time::{Duration, Instant};

use super::{Failure, connect};
use crate::{
    client::{Client, ClientError, Inbox},
    protocol::{Access, Code, Method},
};

/// A connection that was lost sooner than this was not lost to a re-exec.
const SHORT: Duration = Duration::from_secs(1);

/// So many short ones in a row are the host's answer.
const MAX_SHORT: u32 = 10;

/// Between two attempts.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// A connection to whoever has the sessions, made again when it is lost.
pub struct Connection {
    pub client: Client,
    // Kept for the connection to stay open; nothing comes that is not asked for.
    _inbox: Inbox,
    since: Instant,
    short: u32,
}

impl Connection {
    /// # Errors
    /// As [`connect`].
    pub async fn open() -> Result<Self, Failure> {
        Ok(Self::over(connect().await?))
    }

    pub fn over((client, inbox): (Client, Inbox)) -> Self {
        Self { client, _inbox: inbox, since: Instant::now(), short: 0 }
    }

    /// Calls a method that changes nothing, and again over a new connection when this one is lost: `params` are made
    /// anew each time.
    ///
    /// # Errors
    /// When the host refuses, or is gone with its sessions.
    pub async fn read<M: Method>(&mut self, params: impl Fn() -> M::Params) -> Result<M::Reply, Failure> {
        const { assert!(matches!(M::ACCESS, Access::Read), "a call that changes something is not made twice") };
        loop {
            match self.client.call::<M>(params()).await {
                Err(ClientError::Closed) => {}
                // It is being replaced at this moment, or ends.
                Err(ClientError::Refused(error)) if error.code == Code::ShuttingDown => {}
                other => return Ok(other?),
            }
            self.again().await?;
        }
    }

    async fn again(&mut self) -> Result<(), Failure> {
        self.short = if self.since.elapsed() < SHORT { self.short + 1 } else { 0 };
        if self.short > MAX_SHORT {
            return Err(ClientError::Closed.into());
        }
        tokio::time::sleep(RETRY_DELAY).await;
        let (client, inbox) = connect().await.map_err(|error| match error {
            Failure::NobodyThere(_) | Failure::HostGone(_) => Failure::HostEnded,
            error => error,
        })?;
        (self.client, self._inbox, self.since) = (client, inbox, Instant::now());
        Ok(())
    }
}
