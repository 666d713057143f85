//! Who is at the other end of a connection.

use nix::unistd::{Pid, Uid};
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

/// Who connected, by the process that did (SO_PEERCRED, unix(7)): one below a run's shim is a program of that run's
/// session. None for another user's process.
///
/// A process that is gone already, or that cannot be placed, is a program of no session that is known.
pub(super) async fn caller(stream: &UnixStream, supervisor: &Supervisor, outsiders: Outsiders) -> Option<Caller> {
    let peer = stream.peer_cred().ok().filter(|peer| peer.uid() == Uid::effective().as_raw())?;
    Some(match (place(peer.pid(), outsiders), outsiders) {
        (Place::Outside, Outsiders::MayChange) | (Place::BelowOwner, _) => Caller::outside(Access::Write),
        (Place::Outside, Outsiders::MayLook(_)) => Caller::outside(Access::Read),
        (Place::Unknown, _) => Caller::unknown(),
        (Place::Below(child), _) => match supervisor.session_of_shim(child).await {
            Some(session) => Caller::program(session),
            None => Caller::unknown(),
        },
    })
}

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
