//! Termi: a session host for text editors.
#![allow(missing_docs)]
pub mod cli;
pub mod host;
pub mod log;
pub mod paths;
pub mod process;
pub mod protocol;
pub mod pty;
pub mod rpc;
pub mod session;
pub mod shim;
pub mod term;
pub mod view;
