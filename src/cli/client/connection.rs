//! A connection that outlives a re-exec of the daemon: calls that were not carried out are made again over a new one.

use std::time::{Duration, Instant};

use super::{Failure, Reached, reach};
use crate::{
    client::{Client, ClientError, Inbox},
    daemon::CONNECT_TIMEOUT,
    protocol::{Access, Code, Error, JoinReply, Method},
};

/// A connection that was lost sooner than this was not lost to a re-exec.
const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// So many short ones in a row are the host's answer.
const MAX_SHORT: u32 = 10;

/// Between two attempts.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// A connection to whoever has the sessions, made again when it is lost.
pub struct Connection {
    pub client: Client,
    // Kept for the connection to stay open; nothing comes that is not asked for.
    inbox: Inbox,
    /// Who is at the other end.
    daemon: JoinReply,
    /// Whether a daemon is started where there is none.
    starts: bool,
    since: Instant,
    short: u32,
}

impl Connection {
    /// A connection to whoever has the sessions.
    ///
    /// # Errors
    /// As [`super::connect`].
    pub async fn open() -> Result<Self, Failure> {
        Self::reach(false).await
    }

    /// The same, and the daemon is started when there is none.
    ///
    /// # Errors
    /// As [`super::connect`].
    pub async fn open_or_start() -> Result<Self, Failure> {
        Self::reach(true).await
    }

    async fn reach(starts: bool) -> Result<Self, Failure> {
        let Reached { client, inbox, daemon } = reach(starts).await?;
        Ok(Self { client, inbox, daemon, starts, since: Instant::now(), short: 0 })
    }

    /// The same, which starts no daemon from now on: what it is about is gone with the one that it had.
    pub fn without_start(self) -> Self {
        Self { starts: false, ..self }
    }

    /// Both ends of it, for who reads what the host sends.
    pub fn into_parts(self) -> (Client, Inbox) {
        (self.client, self.inbox)
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

    /// Calls a method that changes something, and again over a new connection when it is known that it was not carried
    /// out: it is never carried out twice.
    ///
    /// # Errors
    /// When the host refuses, or is gone; [`Failure::Unanswered`] when it may have been carried out.
    pub async fn change<M: Method>(&mut self, params: impl Fn() -> M::Params) -> Result<M::Reply, Failure> {
        self.attempt::<M>(params).await?.map_err(|refused| ClientError::Refused(refused).into())
    }

    /// The same, and what the host refuses is told apart from a host that is gone.
    ///
    /// # Errors
    /// As for [`change`](Self::change).
    pub async fn attempt<M: Method>(
        &mut self,
        params: impl Fn() -> M::Params,
    ) -> Result<Result<M::Reply, Error>, Failure> {
        let until = Instant::now() + CONNECT_TIMEOUT;
        loop {
            match self.client.call::<M>(params()).await {
                // It is being replaced at this moment, or ends.
                Err(ClientError::Refused(error)) if error.code == Code::ShuttingDown && Instant::now() < until => {
                    self.again().await?;
                }
                Err(ClientError::Refused(error)) => return Ok(Err(error)),
                Err(ClientError::Closed) => {
                    let before = self.daemon.clone();
                    let unanswered = || Failure::Unanswered { method: M::NAME };
                    self.again().await.map_err(|_| unanswered())?;
                    if !self.daemon.follows(&before) {
                        return Err(unanswered());
                    }
                }
                other => return Ok(Ok(other?)),
            }
        }
    }

    async fn again(&mut self) -> Result<(), Failure> {
        self.short = if self.since.elapsed() < MIN_LIFETIME { self.short + 1 } else { 0 };
        if self.short > MAX_SHORT && !self.starts {
            return Err(ClientError::Closed.into());
        }
        tokio::time::sleep(RETRY_DELAY).await;
        let Reached { client, inbox, daemon } = reach(self.starts).await.map_err(|error| match error {
            Failure::NobodyThere(_) | Failure::HostGone(_) => Failure::HostEnded,
            error => error,
        })?;
        // However often it is replaced, it is the same daemon.
        if daemon.pid == self.daemon.pid && daemon.generation > self.daemon.generation {
            self.short = 0;
        }
        (self.client, self.inbox, self.daemon, self.since) = (client, inbox, daemon, Instant::now());
        Ok(())
    }
}
