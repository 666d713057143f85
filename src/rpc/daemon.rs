//! Requests that connections hand on to the daemon: to replace itself, and to restore sessions.

use tokio::sync::{mpsc, oneshot};

use super::client_env::ClientEnv;
use crate::protocol::{Code, Empty, Error, ReplaceParams, RestorableReply, RestoreParams, RestoreReply, Result};

/// One thing asked of the daemon.
pub enum DaemonRequest {
    /// To put another binary in its place. Answered only when it could not be done.
    Replace(ReplaceParams, oneshot::Sender<Result<Empty>>),
    /// Which sessions it could start again.
    Restorable(oneshot::Sender<RestorableReply>),
    /// To start them again, with what the client has.
    Restore(RestoreParams, ClientEnv, oneshot::Sender<RestoreReply>),
}

/// The daemon behind a connection.
#[derive(Clone)]
pub struct Daemon {
    /// How often another binary was put in its place.
    pub generation: u32,
    /// The first generation since which every call that was carried out was answered.
    pub answered_since: u32,
    /// Where it is asked.
    pub requests: mpsc::Sender<DaemonRequest>,
}

impl Daemon {
    pub(super) async fn replace(&self, params: ReplaceParams) -> Result<Empty> {
        self.request(|reply| DaemonRequest::Replace(params, reply)).await?
    }

    pub(super) async fn restorable(&self) -> Result<RestorableReply> {
        self.request(DaemonRequest::Restorable).await
    }

    pub(super) async fn restore(&self, params: RestoreParams, client_env: ClientEnv) -> Result<RestoreReply> {
        self.request(|reply| DaemonRequest::Restore(params, client_env, reply)).await
    }

    async fn request<T>(&self, what: impl FnOnce(oneshot::Sender<T>) -> DaemonRequest) -> Result<T> {
        let gone = || Error::new(Code::ShuttingDown, "the daemon is ending");
        let (reply, answer) = oneshot::channel();
        self.requests.send(what(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}
