//! Ends leftover processes, which are found by the mark of a run in their environment: those of hosts that were killed,
//! and what left a run's tree where the system refuses a subreaper.
//!
//! A host that is killed is survived by its shims, which end what is below them; where these were killed too, nobody is
//! left who would. To end somebody else's process would be worse than to leave one of ours, so that everything must
//! speak for it: the variables of a run, a host that is gone, the same namespaces, and no living host or shim above.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use super::{
    environment::Environment,
    strays::{LOOKS, end_now, freeze},
    tree::{Proc, all},
};

/// Ends what is left of hosts that are gone, as the socket tells that their programs were given. Gives how many
/// processes there were.
pub fn end_leftovers(is_gone: impl Fn(&Path) -> bool) -> usize {
    end_marked(|pid| socket_of(pid).is_some_and(|socket| is_gone(&socket)))
}

/// Ends what has left the tree of a run whose shim is this process. Gives how many processes there were.
pub fn end_escaped(run_id: &[u8]) -> usize {
    end_marked(|pid| Environment::of_own(pid).is_some_and(|env| env.variable("TERMI_RUN") == Some(run_id)))
}

fn end_marked(is_marked: impl Fn(i32) -> bool) -> usize {
    let mut ended = HashSet::new();
    for _ in 0..LOOKS {
        let found = freeze(|| marked(&is_marked));
        if found.is_empty() {
            break;
        }
        ended.extend(found.iter().map(|process| (process.pid, process.started)));
        found.iter().for_each(end_now);
    }
    ended.len()
}

fn marked(is_marked: &impl Fn(i32) -> bool) -> Vec<Proc> {
    let processes: HashMap<i32, Proc> = all().map(|process| (process.pid, process)).collect();
    let here = Surroundings::of("self");
    // Hosts and shims, this one among them, and all below them.
    let mut kept: HashMap<i32, bool> = HashMap::from([(std::process::id().cast_signed(), true)]);
    let mut found: HashSet<i32> = HashSet::new();
    for process in processes.values() {
        let is_left = !process.zombie
            && is_marked(process.pid)
            && !is_below_host(process.pid, &processes, &mut kept)
            && Surroundings::of(&process.pid.to_string())
                .is_some_and(|its| here.as_ref().is_some_and(|here| its.fits(here)));
        if is_left {
            found.insert(process.pid);
        }
    }
    // With what they have started, as far as it is no host's: it may have thrown its environment away.
    loop {
        let below: Vec<i32> = processes
            .values()
            .filter(|process| !process.zombie && found.contains(&process.parent) && !found.contains(&process.pid))
            .map(|process| process.pid)
            .filter(|pid| !is_below_host(*pid, &processes, &mut kept))
            .collect();
        if below.is_empty() {
            return found.iter().filter_map(|pid| processes.get(pid).copied()).collect();
        }
        found.extend(below);
    }
}

/// Whether a process, or one above it, is Termi's own: a host, a daemon, a shim.
fn is_below_host(pid: i32, processes: &HashMap<i32, Proc>, known: &mut HashMap<i32, bool>) -> bool {
    let (mut way, mut at) = (Vec::new(), pid);
    let answer = loop {
        if let Some(&answer) = known.get(&at) {
            break answer;
        }
        way.push(at);
        if is_termi(at) {
            break true;
        }
        // A loop that a racing read may show ends here.
        known.insert(at, false);
        match processes.get(&at) {
            Some(process) if process.parent > 1 => at = process.parent,
            _ => break false,
        }
    };
    known.extend(way.into_iter().map(|pid| (pid, answer)));
    answer
}

fn is_termi(pid: i32) -> bool {
    let is_named_so = fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with(b"termi"));
    let exe = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    is_named_so || exe(&pid.to_string()).is_some_and(|its| exe("self") == Some(its))
}

/// The socket of the host that a program of this user's belongs to, as its environment says.
fn socket_of(pid: i32) -> Option<PathBuf> {
    let env = Environment::of_own(pid)?;
    let is_id = |id: &[u8]| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit);
    if !env.variable("TERMI_RUN").is_some_and(is_id) || !env.variable("TERMI_SESSION").is_some_and(is_id) {
        return None;
    }
    Some(PathBuf::from(std::ffi::OsString::from_vec(env.variable("TERMI_SOCKET")?.to_vec())))
}

/// What makes a number or a path mean the same to two processes.
#[derive(PartialEq, Eq)]
struct Surroundings {
    namespaces: [PathBuf; 3],
    cgroup: Vec<u8>,
}

impl Surroundings {
    fn of(pid: &str) -> Option<Self> {
        let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
        let cgroup = fs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        Some(Self { namespaces: [link("ns/pid")?, link("ns/mnt")?, link("root")?], cgroup })
    }

    /// In a service of its own a process is its manager's, which may have got the variables of a run with
    /// `systemctl --user import-environment`.
    fn fits(&self, here: &Self) -> bool {
        let is_service = |line: &[u8]| OsStr::from_bytes(line).to_string_lossy().trim_end().ends_with(".service");
        let in_service = self.cgroup.split(|&byte| byte == b'\n').any(is_service);
        self.namespaces == here.namespaces && (!in_service || self.cgroup == here.cgroup)
    }
}
