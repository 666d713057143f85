//! A PTY with a program on it: started through the shim, read and written without ever blocking.

mod io;
mod link;
mod spawn;

pub use io::{Master, Read};
pub use link::ShimLink;
pub use spawn::{Spawn, Spawned, check_start, spawn, too_long};

/// Why no program runs.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The shim said why the program could not be started.
    #[error("{0:?}")]
    Program(crate::shim::StartError),
    /// The kernel had no descriptors, PTYs or processes left, or would not give them.
    #[error("{what}: {source}")]
    Resources {
        /// What was being made.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// portable-pty could not open or start.
    #[error("{what}: {reason}")]
    Pty {
        /// What was being done.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// The shim ended before the program ran.
    #[error("the process that starts programs ended before it could")]
    Shim,
    /// The program did not run within that time: the start was given up.
    #[error("the program did not run within {} s", .0.as_secs())]
    Slow(std::time::Duration),
}
