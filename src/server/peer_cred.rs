//! Identifies who is at the other end of a socket, by its credentials (SO_PEERCRED, SO_PEERPIDFD).

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    unistd::{Pid, Uid},
};
use tokio::net::UnixStream;

use crate::{
    process::Proc,
    protocol::Access,
    session::{Caller, Supervisor},
};

/// A process tree is never deeper than this; the bound ends a loop that a racing look at `/proc` may show.
const DEEPEST: usize = 100_000;

/// What the user's processes outside of all sessions may do at a socket.
#[derive(Debug, Clone, Copy)]
pub enum Outsiders {
    /// Everything.
    MayChange,
    /// Look; but those below this process, whose host it is, may do everything.
    MayLook(Pid),
}

/// Who connected, by the process that did (SO_PEERCRED, unix(7)): one below a run's shim is a program of that run
/// and its session. None for another user's process.
///
/// A process that is gone already, or that cannot be placed, is a program of no session that is known.
pub(super) async fn caller(stream: &UnixStream, supervisor: &Supervisor, outsiders: Outsiders) -> Option<Caller> {
    let peer = stream.peer_cred().ok().filter(|peer| peer.uid() == Uid::effective().as_raw())?;
    let place = identified(peer_pidfd(stream.as_fd()), || place(peer.pid(), outsiders));
    Some(match (place, outsiders) {
        (Place::Outside, Outsiders::MayChange) | (Place::BelowOwner, _) => Caller::outside(Access::Write),
        (Place::Outside, Outsiders::MayLook(_)) => Caller::outside(Access::Read),
        (Place::Unknown, _) => Caller::unknown(),
        (Place::Below(child), _) => match supervisor.run_of_shim(child).await {
            Some((session, run)) => Caller::program(session, run),
            None => Caller::unknown(),
        },
    })
}

/// A descriptor of the process that connected (SO_PEERPIDFD, Linux 6.5): its number may be another's by now, this is
/// not.
fn peer_pidfd(stream: BorrowedFd) -> io::Result<OwnedFd> {
    let mut pidfd: libc::c_int = -1;
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&pidfd)).unwrap_or(0);
    let (value, length) = (&raw mut pidfd, &raw mut length);
    // SAFETY: both outlive the call, and the length is that of the value.
    let result =
        unsafe { libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERPIDFD, value.cast(), length) };
    if result != 0 || pidfd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(pidfd) })
}

/// Where the peer is by its number, if that was its own while it was looked at: as long as the process lives, no other
/// has it. A kernel that has no descriptor for the peer leaves the number alone to go by.
fn identified(pidfd: io::Result<OwnedFd>, look: impl FnOnce() -> Place) -> Place {
    match pidfd {
        Ok(pidfd) => {
            let place = look();
            if lives(&pidfd) { place } else { Place::Unknown }
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => look(),
        // It is gone, or no descriptor is left to tell.
        Err(_) => Place::Unknown,
    }
}

/// Whether a process has not been reaped. One that may not be signalled is there all the same.
fn lives(pidfd: &OwnedFd) -> bool {
    // SAFETY: plain system calls on numbers; no signal is sent.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), 0, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    result == 0 || Errno::last() == Errno::EPERM
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Not below this process.
    Outside,
    /// Nor this, but below the one whose host this is.
    BelowOwner,
    /// Below this child of this process.
    Below(i32),
    Unknown,
}

fn place(pid: Option<i32>, outsiders: Outsiders) -> Place {
    // Whoever started this host lives while it is its parent.
    let owner = match outsiders {
        Outsiders::MayLook(owner) if owner == Pid::parent() && owner.as_raw() > 1 => Some(owner.as_raw()),
        _ => None,
    };
    let me = std::process::id().cast_signed();
    // In another pid namespace it has no number here.
    let Some(mut pid) = pid.filter(|&pid| pid > 0) else { return Place::Unknown };
    for _ in 0..DEEPEST {
        match Proc::read(pid) {
            None => return Place::Unknown,
            Some(process) if process.parent == me => return Place::Below(pid),
            Some(_) if Some(pid) == owner => return Place::BelowOwner,
            Some(process) if process.parent <= 1 => return Place::Outside,
            Some(process) => pid = process.parent,
        }
    }
    Place::Unknown
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::net::{UnixListener, UnixStream as Stream},
        process::{Child, Command, Stdio},
    };

    use nix::{
        sys::{
            socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket},
            wait::waitpid,
        },
        unistd::{ForkResult, fork},
    };

    use super::*;

    /// A connection whose peer has ended and is reaped, and the number that it had.
    fn orphaned() -> (Stream, OwnedFd, i32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let address = UnixAddr::new(&path).unwrap();
        let ours = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        // SAFETY: the child makes two system calls and nothing else.
        let child = match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                let connected = connect(ours.as_raw_fd(), &address).is_ok();
                // SAFETY: it ends the child, which has nothing to clean up.
                unsafe { libc::_exit(i32::from(!connected)) }
            }
            ForkResult::Parent { child } => child,
        };
        waitpid(child, None).unwrap();
        (listener.accept().unwrap().0, ours, child.as_raw())
    }

    /// A process of that number, a child of this one, if the kernel can be made to give it one: root can.
    fn reused(number: i32) -> Option<Child> {
        for _ in 0..200 {
            fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).ok()?;
            let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
            if child.id().cast_signed() == number {
                return Some(child);
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        None
    }

    #[test]
    fn a_number_that_another_process_has_by_now_is_not_the_callers() {
        let (stream, _ours, number) = orphaned();
        let look = || place(Some(number), Outsiders::MayChange);
        assert_eq!(identified(peer_pidfd(stream.as_fd()), look), Place::Unknown, "it is gone");
        let Some(mut other) = reused(number) else { return };
        let by_number = identified(Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT)), look);
        let (by_pidfd, kernel) = (identified(peer_pidfd(stream.as_fd()), look), peer_pidfd(stream.as_fd()));
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(by_number, Place::Below(number), "without a descriptor the number is all there is");
        if kernel.is_err_and(|error| error.raw_os_error() == Some(libc::ENOPROTOOPT)) {
            return;
        }
        assert_eq!(by_pidfd, Place::Unknown);
    }

    #[test]
    fn one_that_lives_is_where_it_is_and_one_that_cannot_be_identified_nowhere() {
        let (ours, theirs) = Stream::pair().unwrap();
        let here = || place(Some(std::process::id().cast_signed()), Outsiders::MayChange);
        assert_ne!(here(), Place::Unknown);
        assert_eq!(identified(peer_pidfd(ours.as_fd()), here), here());
        assert_eq!(identified(Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT)), here), here());
        for errno in [libc::ESRCH, libc::EINVAL, libc::EMFILE] {
            assert_eq!(identified(Err(io::Error::from_raw_os_error(errno)), here), Place::Unknown);
        }
        drop(theirs);
    }
}
