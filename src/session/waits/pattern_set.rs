//! Many patterns searched for at once: one automaton goes over a text once, however many patterns there are.

use regex::Regex;
use regex_automata::{
    Input, MatchKind, PatternSet as Matches,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson,
};

/// What the automaton of a set may take, and what it may remember of itself as it searches, in bytes.
const AUTOMATON_BYTES: usize = 16 << 20;
const CACHE_BYTES: usize = 16 << 20;

/// Patterns, by their places.
#[derive(Debug)]
pub struct PatternSet {
    automaton: DFA,
    cache: Cache,
    matches: Matches,
}

impl PatternSet {
    /// A set of patterns; none when it would be too large. Takes milliseconds for a hundred patterns.
    pub fn new(patterns: &[Regex]) -> Option<Self> {
        let patterns: Vec<&str> = patterns.iter().map(Regex::as_str).collect();
        let automaton = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    // It gives up a text that is not ASCII, if a pattern has word boundaries in it.
                    .unicode_word_boundary(true)
                    .cache_capacity(CACHE_BYTES)
                    .skip_cache_capacity_check(true)
                    // And one that makes it forget again and again what it has just learned.
                    .minimum_cache_clear_count(Some(8))
                    .minimum_bytes_per_state(Some(10)),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(AUTOMATON_BYTES)))
            .build_many(&patterns)
            .ok()?;
        let (cache, matches) = (automaton.create_cache(), Matches::new(patterns.len()));
        Some(Self { automaton, cache, matches })
    }

    /// The places of the patterns that match in a text, from there on; none when it cannot tell.
    pub fn matches(&mut self, text: &str, from: usize) -> Option<impl Iterator<Item = usize> + '_> {
        self.matches.clear();
        let input = Input::new(text).range(from..);
        self.automaton.try_which_overlapping_matches(&mut self.cache, &input, &mut self.matches).ok()?;
        // Most texts match nothing: their places are not gone through.
        let found = (!self.matches.is_empty()).then(|| self.matches.iter());
        Some(found.into_iter().flatten().map(|pattern| pattern.as_usize()))
    }
}
