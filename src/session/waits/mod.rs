//! All who wait for one run, and the search for what they wait for.
//!
//! A wait for a pattern first searches by itself through what there is. Once it has seen all of that, it joins the
//! others in one search over what comes, so that a run that prints pays for one wait, however many there are:
//!
//! ```text
//! added ─▶ alone: searches from the run's first line on ─▶ shared: one automaton for all ─▶ answered
//! ```

pub mod pattern_set;
pub mod search;
pub mod waiter;

use std::{
    mem,
    time::{Duration, Instant},
};

use regex::Regex;
use tokio::sync::oneshot;

use pattern_set::PatternSet;
use search::{Found, Matcher, Piece, Search};
use waiter::{Condition, Waiter};

use crate::{
    protocol::{AgentInfo, Code, Error, Exit, Result, WaitReply},
    term::Terminal,
};

/// So many may wait for one run.
pub const MAX_WAITS: usize = 1024;

/// Building the automaton anew may take so much of a core: one part in so many.
const BUILD_SHARE: u32 = 4;

/// A search that was too slow for all is tried again after so long.
const REBUILD_PAUSE: Duration = Duration::from_secs(10);

/// All who wait for a run.
#[derive(Default)]
pub struct Waits {
    /// Those that search by themselves, or for no text.
    alone: Vec<Waiter>,
    shared: Option<Shared>,
    building: Option<Building>,
    build_after: Option<Instant>,
    next_id: u64,
    /// Some have not looked at all that has come.
    lags: bool,
}

/// An automaton being built, off the run's task, for the waiters of these ids.
struct Building {
    ids: Vec<u64>,
    done: oneshot::Receiver<(Option<PatternSet>, Duration)>,
}

/// Those that search together, and how far they have come.
struct Shared {
    members: Members,
    search: Search,
}

/// The waiters of a set, in its order; none for those that are gone.
struct Members {
    set: PatternSet,
    waiters: Vec<Option<Waiter>>,
    /// The places of those that match what was searched last.
    hits: Vec<usize>,
}

impl Matcher for Members {
    fn finds(&mut self, piece: Piece<'_>) -> bool {
        self.hits.clear();
        let matches = |waiter: &Option<Waiter>| waiter.as_ref().is_some_and(|waiter| waiter.finds(piece));
        match self.set.matches(piece.text, piece.from) {
            // What the set finds, each pattern finds by itself, by the rules for pieces of a line.
            Some(places) => self.hits.extend(places.filter(|place| matches(&self.waiters[*place]))),
            None => self.hits.extend((0..self.waiters.len()).filter(|place| matches(&self.waiters[*place]))),
        }
        !self.hits.is_empty()
    }
}

/// What a run is at the time of a look.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub terminal: &'a Terminal,
    pub last_output: Instant,
    /// The coding agent that it is.
    pub agent: Option<&'a AgentInfo>,
    /// How its program ended, if all of its output is there.
    pub ended: Option<Exit>,
    /// When others have their turn.
    pub until: Instant,
}

impl Waits {
    pub fn is_empty(&self) -> bool {
        self.alone.is_empty() && self.shared.is_none()
    }

    /// Some have not looked at all that has come: no output is taken in before they have.
    pub fn lags(&self) -> bool {
        self.lags
    }

    /// Adds one, which looks at once, unless others have much to look at.
    pub fn add(&mut self, condition: Condition, answer: oneshot::Sender<Result<WaitReply>>, look: Look<'_>) {
        if self.count() >= MAX_WAITS {
            self.remove_done();
        }
        if self.count() >= MAX_WAITS {
            let why = format!("{MAX_WAITS} calls wait for this run already; end some of them");
            let _ = answer.send(Err(Error::new(Code::ResourceExhausted, why)));
            return;
        }
        self.next_id += 1;
        let mut waiter = Waiter::new(self.next_id, condition, answer, look);
        self.lags = self.lags || !waiter.check(look);
        self.alone.push(waiter);
        self.gather(look.terminal);
    }

    fn count(&self) -> usize {
        self.alone.len() + self.shared.as_ref().map_or(0, |shared| shared.members.living().count())
    }

    /// Has all of them look at what has come, as far as there is time.
    pub fn check(&mut self, look: Look<'_>) {
        self.lags = false;
        if let Some(shared) = &mut self.shared {
            match shared.check(look) {
                Found::TooSlow => self.part(),
                found => self.lags = matches!(found, Found::NotYet),
            }
        }
        for waiter in &mut self.alone {
            self.lags |= !waiter.check(look);
        }
        self.gather(look.terminal);
    }

    /// Takes together those who search by themselves, once all have seen all that has come.
    fn gather(&mut self, terminal: &Terminal) {
        if !self.lags {
            self.join(terminal);
            if self.build_due().is_some_and(|due| Instant::now() >= due) {
                self.build();
            }
        }
    }

    /// Each searches by itself again.
    fn part(&mut self) {
        let Some(Shared { members, search }) = self.shared.take() else { return };
        let waiters = members.waiters.into_iter().flatten();
        let search = search.anew();
        self.alone.extend(waiters.map(|waiter| waiter.from(search.clone())));
        (self.building, self.build_after) = (None, Some(Instant::now() + REBUILD_PAUSE));
        self.lags = true;
    }

    /// Takes those together that an automaton is there for. All of them have seen all that has come.
    fn join(&mut self, terminal: &Terminal) {
        let Some(mut building) = self.building.take() else { return };
        let (set, took) = match building.done.try_recv() {
            Ok(built) => built,
            Err(oneshot::error::TryRecvError::Empty) => return self.building = Some(building),
            Err(oneshot::error::TryRecvError::Closed) => (None, REBUILD_PAUSE),
        };
        self.build_after = Some(Instant::now() + took * BUILD_SHARE);
        let Some(set) = set else {
            self.build_after = Some(Instant::now() + REBUILD_PAUSE);
            return;
        };
        let mut search: Option<Search> = None;
        if let Some(shared) = self.shared.take() {
            self.alone.extend(shared.members.waiters.into_iter().flatten().map(|one| one.from(shared.search.clone())));
        }
        let mut waiters: Vec<Option<Waiter>> = building.ids.iter().map(|_| None).collect();
        for waiter in mem::take(&mut self.alone) {
            let place = building.ids.binary_search(&waiter.id).ok();
            match place.filter(|_| !waiter.is_done() && waiter.search.has_seen(terminal)) {
                Some(place) => {
                    // From the place of the one that would look back furthest.
                    search = Some(match search.take() {
                        Some(search) => search.earlier(&waiter.search),
                        None => waiter.search.clone(),
                    });
                    waiters[place] = Some(waiter);
                }
                None => self.alone.push(waiter),
            }
        }
        let members = Members { set, waiters, hits: Vec::new() };
        self.shared = search.map(|search| Shared { members, search: search.anew() });
    }

    /// When an automaton is to be built for all: some search by themselves who could search with others.
    fn build_due(&self) -> Option<Instant> {
        let mut by_themselves = self.alone.iter().filter(|waiter| waiter.pattern().is_some() && !waiter.is_done());
        let enough = by_themselves.nth(usize::from(self.shared.is_none())).is_some();
        (enough && self.building.is_none()).then(|| self.build_after.unwrap_or_else(Instant::now))
    }

    fn build(&mut self) {
        let shared = self.shared.iter().flat_map(|shared| shared.members.living());
        let waiters = self.alone.iter().filter(|waiter| !waiter.is_done()).chain(shared);
        let mut all: Vec<(u64, Regex)> =
            waiters.filter_map(|waiter| Some((waiter.id, waiter.pattern()?.clone()))).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        let (ids, patterns): (Vec<u64>, Vec<Regex>) = all.into_iter().unzip();
        let (tell, done) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            let set = PatternSet::new(&patterns);
            // Nobody may wait any more.
            let _ = tell.send((set, begun.elapsed()));
        });
        self.building = Some(Building { ids, done });
    }

    /// Forgets those that have their answer, or of whom nobody waits for one.
    pub fn remove_done(&mut self) {
        self.alone.retain(|waiter| !waiter.is_done());
        if let Some(shared) = &mut self.shared {
            for waiter in &mut shared.members.waiters {
                waiter.take_if(|waiter| waiter.is_done());
            }
            if shared.members.living().next().is_none() {
                self.shared = None;
            }
        }
    }

    /// When the clock alone may bring what one of them waits for, or what they search with.
    pub fn deadline(&self, last_output: Instant) -> Option<Instant> {
        let idle = self.alone.iter().filter_map(|waiter| waiter.deadline(last_output)).min();
        idle.into_iter().chain(self.build_due()).min()
    }
}

impl Members {
    fn living(&self) -> impl Iterator<Item = &Waiter> {
        self.waiters.iter().flatten().filter(|waiter| !waiter.is_done())
    }
}

impl Shared {
    /// Goes on searching, and answers those whose wait is over.
    fn check(&mut self, look: Look<'_>) -> Found {
        for waiter in self.members.waiters.iter_mut().flatten() {
            waiter.follow(look.terminal, &mut self.search);
        }
        loop {
            match self.search.go_on(&mut self.members, look.terminal, look.until) {
                Found::Line(line) => {
                    for place in mem::take(&mut self.members.hits) {
                        if let Some(mut waiter) = self.members.waiters[place].take() {
                            waiter.found(line.clone());
                        }
                    }
                    // The others may be in the same line.
                }
                Found::Nothing => break,
                other => return other,
            }
        }
        if let Some(exit) = look.ended {
            self.members.waiters.iter_mut().flatten().for_each(|waiter| waiter.ended(exit));
        }
        Found::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Now, SearchFrom, Size, Until, UntilPattern, WaitReason};

    fn look(terminal: &Terminal) -> Look<'_> {
        let now = Instant::now();
        Look { terminal, last_output: now, agent: None, ended: None, until: now + Duration::from_secs(60) }
    }

    fn add(waits: &mut Waits, pattern: &str, terminal: &Terminal) -> oneshot::Receiver<Result<WaitReply>> {
        let (tell, answer) = oneshot::channel();
        waits.add(Condition::new(&Until::pattern(pattern)).unwrap(), tell, look(terminal));
        answer
    }

    /// Checks until all search together.
    async fn together(waits: &mut Waits, terminal: &Terminal) {
        while !waits.alone.is_empty() || waits.building.is_some() {
            waits.check(look(terminal));
            waits.remove_done();
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn each_is_answered_with_its_line_by_the_shared_search() {
        let mut terminal = Terminal::new(Size { rows: 5, cols: 40 }, 1 << 20);
        terminal.feed("one\r\ntwo é\r\n".as_bytes());
        let mut waits = Waits::default();
        let mut early = add(&mut waits, "^two", &terminal);
        assert_eq!(early.try_recv().unwrap().unwrap().line.as_deref(), Some("two é"), "what is there already");
        waits.remove_done();
        let patterns: Vec<String> = (0..200).map(|number| format!(r"^x{number}\b")).collect();
        let mut answers: Vec<_> = patterns.iter().map(|pattern| add(&mut waits, pattern, &terminal)).collect();
        let mut word = add(&mut waits, r"\bé+\b", &terminal);
        let mut twice = add(&mut waits, r"x7\d é", &terminal);
        assert_eq!(word.try_recv().unwrap().unwrap().line.as_deref(), Some("two é"));
        together(&mut waits, &terminal).await;
        for number in (0..200).rev() {
            // Some lines wrap, some are in a text that the automaton does not take.
            let line = match number % 3 {
                0 => format!("x{number} and so on"),
                1 => format!("x{number} é"),
                _ => format!("x{number} {}", "long ".repeat(30)),
            };
            terminal.feed(format!("{line}\r\n").as_bytes());
            assert!(answers[number].try_recv().is_err());
            waits.check(look(&terminal));
            let reply = answers[number].try_recv().expect("answered").unwrap();
            assert_eq!((reply.reason, reply.line.as_deref()), (WaitReason::Pattern, Some(line.trim_end())));
            if number == 79 {
                assert_eq!(twice.try_recv().unwrap().unwrap().line, Some(line), "two for one line");
            }
        }
        waits.remove_done();
        assert!(waits.is_empty());
    }

    /// Whenever it joins, and however many there are, a wait finds what one that is alone finds.
    #[tokio::test]
    async fn one_that_comes_late_finds_what_was_before_it_and_misses_nothing_after() {
        let mut terminal = Terminal::new(Size { rows: 3, cols: 20 }, 1 << 20);
        let mut waits = Waits::default();
        let mut answers = Vec::new();
        for step in 0..400 {
            answers.push((step, add(&mut waits, &format!("^line {}$", step / 2 + step % 7), &terminal)));
            terminal.feed(format!("line {step}\r\n").as_bytes());
            waits.check(look(&terminal));
            if step % 5 == 0 {
                tokio::task::yield_now().await;
            }
            waits.remove_done();
        }
        for (step, mut answer) in answers {
            let line = format!("line {}", step / 2 + step % 7);
            assert_eq!(answer.try_recv().expect(&line).unwrap().line, Some(line), "of wait {step}");
        }
    }

    /// Those that search together begin where the earliest does.
    #[tokio::test]
    async fn together_with_others_one_finds_nothing_from_before_its_time() {
        let mut terminal = Terminal::new(Size { rows: 5, cols: 20 }, 1 << 20);
        let mut waits = Waits::default();
        terminal.feed(b"one\r\ntwo\r\n");
        let until = |pattern: &str, after| Until::Pattern(UntilPattern { pattern: pattern.to_owned(), after });
        let begin = |waits: &mut Waits, terminal: &Terminal, pattern: &str, after| {
            let (tell, answer) = oneshot::channel();
            waits.add(Condition::new(&until(pattern, after)).unwrap(), tell, look(terminal));
            answer
        };
        let mut all = begin(&mut waits, &terminal, "three", None);
        let mut new = begin(&mut waits, &terminal, "two", Some(SearchFrom::Now(Now::Now)));
        let mut from = begin(&mut waits, &terminal, "one", Some(SearchFrom::Line(1)));
        together(&mut waits, &terminal).await;
        for text in ["x\r\n", "y", "\x1b[3;1Hz"] {
            terminal.feed(text.as_bytes());
            waits.check(look(&terminal));
            assert!(new.try_recv().is_err() && from.try_recv().is_err(), "after {text:?}");
        }
        terminal.feed(b"\r\nanother two\r\none more\r\nthree\r\n");
        waits.check(look(&terminal));
        let line = |answer: &mut oneshot::Receiver<Result<WaitReply>>| answer.try_recv().unwrap().unwrap().line;
        assert_eq!(line(&mut new).as_deref(), Some("another two"));
        assert_eq!(line(&mut from).as_deref(), Some("one more"));
        assert_eq!(line(&mut all).as_deref(), Some("three"));
    }

    #[test]
    fn a_run_has_so_many_waits_and_no_more() {
        let terminal = Terminal::new(Size { rows: 3, cols: 20 }, 1 << 20);
        let mut waits = Waits::default();
        let mut answers: Vec<_> = (0..MAX_WAITS).map(|_| add_idle(&mut waits, &terminal)).collect();
        let refused = add_idle(&mut waits, &terminal).try_recv().unwrap().unwrap_err();
        assert_eq!(refused.code, Code::ResourceExhausted);
        // Who has gone makes room.
        answers.truncate(10);
        assert!(add_idle(&mut waits, &terminal).try_recv().is_err());
    }

    fn add_idle(waits: &mut Waits, terminal: &Terminal) -> oneshot::Receiver<Result<WaitReply>> {
        let (tell, answer) = oneshot::channel();
        waits.add(Condition::Idle(Duration::from_secs(1000)), tell, look(terminal));
        answer
    }
}
