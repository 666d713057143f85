//! The pipes to a shim: orders to it, reports from it.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::unix::pipe,
};

use crate::shim::{Order, Plan, Report};

/// Speaks with one run's shim. Dropping it makes the shim end everything below it.
#[derive(Debug)]
pub struct ShimLink {
    orders: pipe::Sender,
    reports: Lines<BufReader<pipe::Receiver>>,
}

impl ShimLink {
    pub(super) fn new(orders: pipe::Sender, reports: pipe::Receiver) -> Self {
        Self { orders, reports: BufReader::new(reports).lines() }
    }

    /// Takes the two pipes over from the process whose place this one has.
    ///
    /// # Errors
    /// When they cannot be watched.
    pub fn take_over(orders: OwnedFd, reports: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(pipe::Sender::from_owned_fd(orders)?, pipe::Receiver::from_owned_fd(reports)?))
    }

    /// The descriptors' numbers: orders, then reports.
    #[must_use]
    pub fn numbers(&mut self) -> (i32, i32) {
        (self.orders.as_raw_fd(), self.reports.get_mut().get_ref().as_raw_fd())
    }

    /// The next report; none when the shim has ended.
    ///
    /// Safe to drop and call again: no report is lost.
    pub async fn report(&mut self) -> Option<Report> {
        loop {
            let line = self.reports.next_line().await.ok()??;
            match serde_json::from_str(&line) {
                Ok(report) => return Some(report),
                Err(error) => tracing::error!(%error, "a report of the shim could not be read"),
            }
        }
    }

    /// Says what to start, before anything else.
    pub(super) async fn plan(&mut self, plan: &Plan) -> io::Result<()> {
        self.orders.write_all(&plan.to_bytes()).await
    }

    /// Gives an order.
    ///
    /// # Errors
    /// When the shim has ended.
    pub async fn order(&mut self, order: Order) -> io::Result<()> {
        let mut line = serde_json::to_vec(&order)?;
        line.push(b'\n');
        self.orders.write_all(&line).await
    }
}
