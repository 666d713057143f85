//! Standard input and output without a thread in between.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as StdUnixStream,
    },
};

use nix::sys::stat::{SFlag, fstat};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{UnixStream, unix::pipe},
};

use crate::process::non_blocking;

/// A reader and a writer, whatever kind of thing they are.
pub type Streams = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

/// Opens standard input and output. Editors give pipes or sockets, which are watched directly; anything
/// else (a file, a terminal) is read and written by tokio's own threads.
///
/// # Errors
/// When a descriptor cannot be copied or watched.
pub fn stdio() -> io::Result<Streams> {
    let input: Box<dyn AsyncRead + Send + Unpin> = match kind(io::stdin())? {
        (fd, SFlag::S_IFSOCK) => Box::new(socket(fd)?),
        (fd, SFlag::S_IFIFO) => Box::new(pipe::Receiver::from_owned_fd(non_blocking(fd)?)?),
        _ => Box::new(tokio::io::stdin()),
    };
    let output: Box<dyn AsyncWrite + Send + Unpin> = match kind(io::stdout())? {
        (fd, SFlag::S_IFSOCK) => Box::new(socket(fd)?),
        (fd, SFlag::S_IFIFO) => Box::new(pipe::Sender::from_owned_fd(non_blocking(fd)?)?),
        _ => Box::new(tokio::io::stdout()),
    };
    Ok((input, output))
}

fn kind(stream: impl AsFd) -> io::Result<(OwnedFd, SFlag)> {
    let fd = stream.as_fd().try_clone_to_owned()?;
    let mode = fstat(std::os::fd::AsRawFd::as_raw_fd(&fd))?.st_mode;
    Ok((fd, SFlag::from_bits_truncate(mode) & SFlag::S_IFMT))
}

fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
    let stream = StdUnixStream::from(fd);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
