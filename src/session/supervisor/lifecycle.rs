//! The state machine of runs, as the table of sessions knows them: each run is in one state, and every transition
//! is in one match.
//!
//! What takes several steps, as a restart does, is a state of its own: nothing else can take the run between them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::protocol::{Code, Error, RunId, SessionId};

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It has an id, and its program is being started for the first time.
    Starting,
    /// Its program has not ended.
    Active,
    /// A restart has it: what runs is being ended, or the next program started. `ended` is how its last program
    /// ended, if that has. `killed`: somebody wanted it ended meanwhile, and no next program is started.
    Restarting { ended: Option<End>, killed: bool },
    /// Its program has ended. It can be discarded; restarted, dismissed and evicted only if nothing lives on.
    Ended(End),
}

/// The end of a run's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub at: Instant,
    /// Processes that it started live on, or it is not known yet that none does.
    pub lives_on: bool,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Its first program runs.
    Started,
    /// Its first program could not be started.
    NotStarted,
    /// Its program has ended. `lives_on`: processes that it started may live on.
    Exited { lives_on: bool },
    /// After its end: whether processes that its program started live on.
    Settled { lives_on: bool },
    /// Somebody ends it.
    Killed,
    /// A restart takes it: of what has ended only if nothing lives on, or with `force`.
    RestartBegins { force: bool },
    /// The restart's program runs.
    Restarted,
    /// The restart is over, whichever way.
    RestartEnds,
    /// It is removed or evicted, if nothing of it lives on.
    Dismissed,
    /// It is removed, with what lives on of it.
    Discarded,
}

/// Why a transition is not to be had in a run's state; the run stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such run.
    Unknown,
    /// It is being started.
    Starting,
    /// Its program has not ended.
    Active,
    /// It is being restarted.
    Restarting,
    /// Its program has ended, and processes that it started live on.
    LivesOn,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::new(Code::NotFound, "the run was dismissed meanwhile"),
            Refusal::Starting => Self::new(Code::StillRunning, "the run is still being started; try again in a moment"),
            Refusal::Active => Self::new(Code::StillRunning, "the run is still active; kill it first"),
            Refusal::Restarting => {
                Self::new(Code::StillRunning, "the run is being restarted; wait until it has been, or kill it")
            }
            Refusal::LivesOn => Self::new(
                Code::LivesOn,
                "the run's program has ended, but processes that it started live on; kill the run to end them, or \
                 repeat this with `force`",
            ),
        }
    }
}

impl RunState {
    /// The state after a transition; none when the run is gone.
    ///
    /// Exits and starts come from the run's own task, in order, but may come late: a restart that failed can be over
    /// here before the exit is known that it brought about.
    fn after(self, transition: Transition, now: Instant) -> Result<Option<Self>, Refusal> {
        Ok(match (self, transition) {
            (Self::Starting, Transition::Started) => Some(Self::Active),
            (Self::Starting, Transition::NotStarted) => None,
            (Self::Starting, Transition::RestartBegins { .. } | Transition::Dismissed | Transition::Discarded) => {
                return Err(Refusal::Starting);
            }

            (Self::Active, Transition::Exited { lives_on }) => Some(Self::Ended(End { at: now, lives_on })),
            (Self::Active, Transition::RestartBegins { .. }) => Some(Self::Restarting { ended: None, killed: false }),
            (Self::Active, Transition::Dismissed | Transition::Discarded) => return Err(Refusal::Active),

            (Self::Restarting { ended, killed }, Transition::Exited { lives_on }) => {
                Some(Self::Restarting { ended: ended.or(Some(End { at: now, lives_on })), killed })
            }
            (Self::Restarting { ended: Some(end), killed }, Transition::Settled { lives_on }) => {
                Some(Self::Restarting { ended: Some(End { lives_on, ..end }), killed })
            }
            (Self::Restarting { ended, .. }, Transition::Killed) => Some(Self::Restarting { ended, killed: true }),
            (Self::Restarting { .. }, Transition::Restarted) => Some(Self::Active),
            (Self::Restarting { ended: Some(end), .. }, Transition::RestartEnds) => Some(Self::Ended(end)),
            (Self::Restarting { ended: None, .. }, Transition::RestartEnds) => Some(Self::Active),
            (Self::Restarting { .. }, Transition::RestartBegins { .. } | Transition::Dismissed | Transition::Discarded) => {
                return Err(Refusal::Restarting);
            }

            (Self::Ended(End { lives_on: true, .. }), Transition::RestartBegins { force: false }) => {
                return Err(Refusal::LivesOn);
            }
            (Self::Ended(end), Transition::RestartBegins { .. }) => {
                Some(Self::Restarting { ended: Some(end), killed: false })
            }
            (Self::Ended(end), Transition::Settled { lives_on }) => Some(Self::Ended(End { lives_on, ..end })),
            (Self::Ended(End { lives_on: true, .. }), Transition::Dismissed) => return Err(Refusal::LivesOn),
            (Self::Ended(_), Transition::Dismissed | Transition::Discarded) => None,

            // A restart that has succeeded is over: by then its program may have ended.
            (Self::Active | Self::Ended(_), Transition::RestartEnds)
            // Its own task ends it, and says so.
            | (Self::Starting | Self::Active | Self::Ended(_), Transition::Killed)
            // Of a restart that was over already: its program runs all the same.
            | (Self::Active, Transition::Restarted)
            // These do not happen in these states, and would change nothing.
            | (
                Self::Starting,
                Transition::Exited { .. }
                | Transition::Settled { .. }
                | Transition::Restarted
                | Transition::RestartEnds,
            )
            | (Self::Active | Self::Restarting { ended: None, .. }, Transition::Settled { .. })
            | (
                Self::Active | Self::Restarting { .. } | Self::Ended(_),
                Transition::Started | Transition::NotStarted,
            )
            | (Self::Ended(_), Transition::Exited { .. }) => Some(self),
            (Self::Ended(_), Transition::Restarted) => Some(Self::Active),
        })
    }
}

/// A run that has ended, with nothing of it living on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    pub session: SessionId,
    pub run: RunId,
    pub at: Instant,
}

#[derive(Debug)]
struct Entry {
    session: SessionId,
    state: RunState,
}

/// The states of all runs.
#[derive(Debug, Default)]
pub struct Lifecycle {
    runs: HashMap<RunId, Entry>,
    /// Those that have ended and of which nothing lives on, the oldest first.
    evictable: VecDeque<EndedRun>,
}

impl Lifecycle {
    /// A run that is about to be started.
    pub fn reserve(&mut self, session: &SessionId, run: &RunId) {
        self.runs.insert(run.clone(), Entry { session: session.clone(), state: RunState::Starting });
    }

    /// Takes up a run from another process: an active one, or one that has ended; whether anything of that lives on.
    pub fn take_up(&mut self, session: &SessionId, run: &RunId, ended: Option<Duration>, lives_on: bool) {
        self.reserve(session, run);
        let now = Instant::now();
        let state = match ended {
            None => RunState::Active,
            Some(ago) => RunState::Ended(End { at: now.checked_sub(ago).unwrap_or(now), lives_on }),
        };
        self.set(run, Some(state));
    }

    /// Carries out a transition.
    ///
    /// # Errors
    /// When the run's state does not allow it, or there is no such run; nothing has changed then.
    pub fn apply(&mut self, run: &RunId, transition: Transition) -> Result<(), Refusal> {
        self.apply_at(run, transition, Instant::now())
    }

    fn apply_at(&mut self, run: &RunId, transition: Transition, now: Instant) -> Result<(), Refusal> {
        let state = self.state(run).ok_or(Refusal::Unknown)?.after(transition, now)?;
        self.set(run, state);
        Ok(())
    }

    /// The one place where a state changes, so that the order of ends is in step with it.
    fn set(&mut self, run: &RunId, state: Option<RunState>) {
        let Some(entry) = self.runs.get_mut(run) else { return };
        if let RunState::Ended(End { lives_on: false, .. }) = entry.state {
            self.evictable.retain(|ended| ended.run != *run);
        }
        match state {
            None => _ = self.runs.remove(run),
            Some(state) => {
                entry.state = state;
                if let RunState::Ended(End { at, lives_on: false }) = state {
                    let place = self.evictable.partition_point(|ended| ended.at <= at);
                    self.evictable.insert(place, EndedRun { session: entry.session.clone(), run: run.clone(), at });
                }
            }
        }
    }

    pub fn state(&self, run: &RunId) -> Option<RunState> {
        self.runs.get(run).map(|entry| entry.state)
    }

    /// Why a run could not be taken out by that transition now; none when it could.
    pub fn refuses(&self, run: &RunId, transition: Transition) -> Option<Refusal> {
        self.state(run)?.after(transition, Instant::now()).err()
    }

    pub fn has_ended(&self, run: &RunId) -> bool {
        matches!(self.state(run), Some(RunState::Ended(_)))
    }

    /// It has ended, and nothing of it lives on.
    pub fn is_over(&self, run: &RunId) -> bool {
        matches!(self.state(run), Some(RunState::Ended(End { lives_on: false, .. })))
    }

    /// Those that may give way: they have ended and nothing of them lives on. The oldest first.
    pub fn evictable(&self) -> &VecDeque<EndedRun> {
        &self.evictable
    }

    /// Those that have ended and how long ago, the oldest first, for another process.
    pub fn put_down(&self) -> Vec<(SessionId, RunId, Duration)> {
        let mut ended: Vec<_> = self
            .runs
            .iter()
            .filter_map(|(run, entry)| match entry.state {
                RunState::Ended(End { at, .. }) => Some((entry.session.clone(), run.clone(), at.elapsed())),
                _ => None,
            })
            .collect();
        ended.sort_by_key(|(.., ago)| std::cmp::Reverse(*ago));
        ended
    }

    /// How many are not over: those that are being started among them, and those of which something lives on.
    pub fn unended(&self) -> usize {
        self.runs.len() - self.evictable.len()
    }

    /// The sessions in which a run is being started for the first time.
    pub fn starting(&self) -> HashSet<SessionId> {
        let starting = |entry: &&Entry| entry.state == RunState::Starting;
        self.runs.values().filter(starting).map(|entry| entry.session.clone()).collect()
    }

    /// A program is being started or restarted.
    pub fn is_under_way(&self) -> bool {
        self.runs.values().any(|entry| match entry.state {
            RunState::Starting | RunState::Restarting { .. } => true,
            RunState::Active | RunState::Ended(_) => false,
        })
    }
}

#[cfg(test)]
mod law {
    use proptest::prelude::*;

    use super::*;

    const RUNS: usize = 4;

    fn transitions() -> impl Strategy<Value = Vec<(usize, Transition)>> {
        use Transition::{
            Discarded, Dismissed, Exited, Killed, NotStarted, RestartBegins, RestartEnds, Restarted, Settled, Started,
        };
        let told = [true, false].into_iter().flat_map(|lives_on| [Exited { lives_on }, Settled { lives_on }]);
        let begins = [true, false].map(|force| RestartBegins { force });
        let all = [Started, NotStarted, Killed, Restarted, RestartEnds, Dismissed, Discarded];
        let all: Vec<Transition> = all.into_iter().chain(begins).chain(told).collect();
        proptest::collection::vec((0..RUNS, proptest::sample::select(all)), 0..200)
    }

    proptest! {
        #[test]
        fn each_run_is_in_one_state_and_none_is_dismissed_that_is_not_over(steps in transitions()) {
            let (session, runs) = (SessionId::new(), [(); RUNS].map(|()| RunId::new()));
            let mut lifecycle = Lifecycle::default();
            let begin = Instant::now();
            runs.iter().for_each(|run| lifecycle.reserve(&session, run));
            for (second, (at, transition)) in steps.into_iter().enumerate() {
                let (run, now) = (&runs[at], begin + Duration::from_secs(second as u64));
                let before = lifecycle.state(run);
                let outcome = lifecycle.apply_at(run, transition, now);
                let after = lifecycle.state(run);
                if outcome.is_err() {
                    prop_assert_eq!(before, after, "what is refused changes nothing");
                }
                if let (Some(before), None) = (before, after) {
                    let is_over = matches!(
                        (before, transition),
                        (RunState::Ended(End { lives_on: false, .. }), Transition::Dismissed)
                            | (RunState::Ended(_), Transition::Discarded)
                            | (RunState::Starting, Transition::NotStarted)
                    );
                    prop_assert!(is_over, "{before:?} was gone after {transition:?}");
                }
                if let (Some(RunState::Restarting { .. }), Some(after)) = (before, after) {
                    let is_left = !matches!(after, RunState::Restarting { .. });
                    let may_leave = matches!(transition, Transition::Restarted | Transition::RestartEnds);
                    prop_assert!(may_leave || !is_left, "{transition:?} took it out of a restart");
                }
                let living = matches!(before, Some(RunState::Ended(End { lives_on: true, .. })));
                if living && transition == (Transition::RestartBegins { force: false }) {
                    prop_assert_eq!(outcome, Err(Refusal::LivesOn));
                }
                prop_assert!(before.is_some() || after.is_none(), "a run that is gone came back");
                // The order of ends is that of the states.
                let evictable: Vec<_> = lifecycle.evictable().iter().map(|ended| ended.run.clone()).collect();
                for run in &runs {
                    let listed = evictable.iter().filter(|other| *other == run).count();
                    prop_assert_eq!(listed, usize::from(lifecycle.is_over(run)));
                }
                prop_assert!(lifecycle.evictable().iter().is_sorted_by_key(|ended| ended.at));
                let there = runs.iter().filter(|run| lifecycle.state(run).is_some()).count();
                prop_assert_eq!(lifecycle.unended() + evictable.len(), there);
            }
        }
    }
}
