//! Who is at the other end of a connection.

use nix::unistd::Uid;
use tokio::net::UnixStream;

use crate::{process::Proc, protocol::Access, rpc::Caller, session::Supervisor};

/// A process tree is never deeper than this; the bound ends a loop that a racing look at `/proc` may show.
const DEEPEST: usize = 100_000;

/// Who connected, by the process that did (SO_PEERCRED, unix(7)): one below a run's shim is a program of that run's
/// session. None for another user's process.
///
/// A process that is gone already, or that cannot be placed, may look only.
pub(super) async fn of(stream: &UnixStream, supervisor: &Supervisor, outsiders: Access) -> Option<Caller> {
    let peer = stream.peer_cred().ok().filter(|peer| peer.uid() == Uid::effective().as_raw())?;
    Some(match place(peer.pid()) {
        Place::Outside => Caller::of(outsiders),
        Place::Below(child) => match supervisor.session_of_shim(child).await {
            Some(session) => Caller::program(session),
            None => Caller::of(Access::Read),
        },
        Place::Unknown => Caller::of(Access::Read),
    })
}

enum Place {
    /// Not below this process.
    Outside,
    /// Below this child of this process.
    Below(i32),
    Unknown,
}

fn place(pid: Option<i32>) -> Place {
    let me = std::process::id().cast_signed();
    // In another pid namespace it has no number here.
    let Some(mut pid) = pid.filter(|&pid| pid > 0) else { return Place::Unknown };
    for _ in 0..DEEPEST {
        match Proc::read(pid) {
            None => return Place::Unknown,
            Some(process) if process.parent == me => return Place::Below(pid),
            Some(process) if process.parent <= 1 => return Place::Outside,
            Some(process) => pid = process.parent,
        }
    }
    Place::Unknown
}
