//! Termi is a session host for text editors: one process that an editor starts, that runs many programs
//! on PTYs of their own, keeps their screens, and sends the editor what it needs to show them.
//!
//! # The way of the data
//!
//! ```text
//! keys  : editor ─▶ rpc ─▶ session ─▶ pty ─▶ program
//! output: program ─▶ pty ─▶ term (and its transcript) ─▶ view ─▶ rpc ─▶ editor
//! ```
//!
//! Lower layers return values or send messages; none calls upward. One task owns one run's state, the
//! supervisor's task owns the table of sessions, and nothing is locked between them.
//!
//! # The components, in reading order
//!
//! - [`protocol`]: the wire contract. Each method is a type with its name, parameters and answer. Knows
//!   no transport.
//! - [`term`]: a run's emulated screen, its modes, and the transcript of what left it. Pure: no I/O.
//! - [`view`]: what a client has been sent of a run, and the frame that brings it up to date. Pure.
//! - [`shim`]: the small process between the host and each program; starts it and ends its whole tree.
//! - [`pty`]: opens a PTY, starts the shim on it, reads and writes without blocking.
//! - [`history`]: what is kept on disk of runs: a line for each, and whole outputs.
//! - [`agent`]: what state a coding agent is in, by its reports, its title and its screen. Pure.
//! - [`template`]: named settings of runs: what they mean, their order, a file of them. Pure.
//! - [`session`]: the supervisor, sessions and runs. Knows no editor and no transport.
//! - [`rpc`]: connections; msgpack-RPC behind a guard, JSON-RPC, and the one place where methods meet
//!   sessions.
//! - [`server`]: what a host and the daemon share: the socket and who calls, children, signals.
//! - [`host`]: a whole host on standard input and output, whose sessions end with it.
//! - [`daemon`]: the same at a socket, whose sessions outlive their clients; and the way to it.
//! - [`client`]: the other end of a connection, for whatever of Termi's own speaks to a host or daemon.
//! - [`cli`]: the command line.
//! - [`process`], [`paths`], [`log`], [`units`]: what the kernel says of processes, where files are, what is logged, and
//!   amounts as people read them.
//!
//! # What is deliberately absent
//!
//! - Nothing below [`rpc`] knows that there are editors: Neovim is a way for messages to travel.
//! - No queue grows with a program's output: a view has one frame in flight, and what comes meanwhile is
//!   merged in the terminal.
//! - No process is ever signalled that is not below the run's own shim.

pub mod agent;
pub mod cli;
pub mod client;
pub mod daemon;
pub mod history;
pub mod host;
pub mod log;
pub mod paths;
pub mod process;
pub mod protocol;
pub mod pty;
pub mod rpc;
pub mod server;
pub mod session;
pub mod shim;
pub mod template;
pub mod term;
pub mod units;
pub mod view;
