//! Rules as data: by which programs, titles and screens an agent and its state are recognized.
//!
//! One file is in the binary, `rules.toml`; a user's own replaces agents of it by name, and adds others.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, OnceLock},
};

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::protocol::{AgentKind, AgentState};

/// The rules that are in the binary.
const BUILT_IN: &str = include_str!("rules.toml");

/// What a compiled pattern may take, so that a file cannot take the host's memory. Its time is linear in the text.
const PATTERN_BYTES: usize = 256 << 10;
/// The longest file, in bytes, and how many rules one agent may have.
pub const FILE_MAX: usize = 256 << 10;
const RULES_MAX: usize = 64;
/// How many patterns a user's file may have: all of them compiled take at most some 75 MB.
const PATTERNS_MAX: usize = 128;
/// As much of what is wrong with a file as is told, in characters.
const PROBLEM_MAX: usize = 300;
/// How many of a screen's last lines that are not blank a rule may look at.
const LINES_MAX: usize = 40;
const LINES: usize = 14;
/// What of a message is kept.
const MESSAGE_MAX: usize = 300;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    generic: AgentFile,
    #[serde(default)]
    agent: BTreeMap<String, AgentFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentFile {
    /// Names of its program, of its `app` in reports as well.
    #[serde(default)]
    programs: Vec<String>,
    /// The version that the rules were seen in.
    #[serde(default)]
    seen: Option<String>,
    #[serde(default)]
    title: Vec<toml::Spanned<TitleFile>>,
    #[serde(default)]
    screen: Vec<toml::Spanned<ScreenFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TitleFile {
    state: AgentState,
    #[serde(default)]
    kind: Option<AgentKind>,
    pattern: toml::Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScreenFile {
    state: AgentState,
    #[serde(default)]
    kind: Option<AgentKind>,
    #[serde(default)]
    lines: Option<usize>,
    all: Vec<toml::Spanned<String>>,
    #[serde(default)]
    none: Vec<toml::Spanned<String>>,
    #[serde(default)]
    message: Option<toml::Spanned<String>>,
}

impl AgentFile {
    fn patterns(&self) -> usize {
        let of_screen = |rule: &toml::Spanned<ScreenFile>| {
            let rule = rule.get_ref();
            rule.all.len() + rule.none.len() + usize::from(rule.message.is_some())
        };
        self.title.len() + self.screen.iter().map(of_screen).sum::<usize>()
    }
}

fn cut(text: &str) -> String {
    text.chars().take(PROBLEM_MAX).collect()
}

/// What is wrong with a pattern, in a line: those before the last draw an arrow below it.
fn why_not(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(most) => format!("too large: compiled it would take more than {most} bytes"),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    }
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct RulesError {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// What a rule recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The state that it stands for.
    pub state: AgentState,
    /// What is waited for.
    pub kind: Option<AgentKind>,
    /// What is asked.
    pub message: Option<String>,
    /// Which rule: the agent, or `generic`, what it looks at, and its place there from 1: `codex title 2`.
    pub rule: String,
    /// What it matched on.
    pub text: String,
}

/// A pattern that is compiled when it is first used: most are of agents that never run here.
#[derive(Debug)]
struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// One that is wrong matches nothing; a user's has been checked.
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| build(&self.text).ok()).as_ref()
    }

    fn is_match(&self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }
}

/// A word's edge in what `\b` stands for is one of ASCII's words: Unicode's cannot be searched for by an automaton, which
/// takes ten times as long, for each look at a screen.
fn with_ascii_edges(pattern: &str) -> String {
    let (mut edges, mut letters) = (String::with_capacity(pattern.len()), pattern.chars());
    while let Some(letter) = letters.next() {
        match (letter, if letter == '\\' { letters.next() } else { None }) {
            (_, Some('b')) => edges.push_str(r"(?-u:\b)"),
            (letter, next) => {
                edges.push(letter);
                edges.extend(next);
            }
        }
    }
    edges
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = &with_ascii_edges(pattern);
    RegexBuilder::new(pattern).multi_line(true).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build()
}

#[derive(Debug)]
struct TitleRule {
    name: String,
    state: AgentState,
    kind: Option<AgentKind>,
    pattern: Pattern,
}

#[derive(Debug)]
struct ScreenRule {
    name: String,
    state: AgentState,
    kind: Option<AgentKind>,
    lines: usize,
    all: Vec<Pattern>,
    none: Vec<Pattern>,
    message: Option<Pattern>,
}

#[derive(Debug, Default)]
struct AgentRules {
    programs: Vec<String>,
    seen: Option<String>,
    title: Vec<TitleRule>,
    screen: Vec<ScreenRule>,
}

/// The rules for all agents.
#[derive(Debug)]
pub struct Rules {
    generic: AgentRules,
    agents: BTreeMap<String, AgentRules>,
}

impl Rules {
    /// Those in the binary. They are read when they are first used, and each pattern is compiled when it is.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static RULES: LazyLock<Rules> = LazyLock::new(|| {
            // A test reads them.
            Rules::parse(BUILT_IN, false)
                .unwrap_or_else(|_| Rules { generic: AgentRules::default(), agents: BTreeMap::new() })
        });
        &RULES
    }

    /// Those in the binary with a user's own: an agent of the same name is replaced, generic rules come before.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn with_users(text: &str) -> Result<Arc<Self>, RulesError> {
        let own = Self::parse(text, true)?;
        let mut rules = Self::parse(BUILT_IN, false)?;
        rules.generic.title.splice(0..0, own.generic.title);
        rules.generic.screen.splice(0..0, own.generic.screen);
        rules.agents.extend(own.agents);
        Ok(rules.into())
    }

    /// Reads a file; `checks` whether each pattern can be compiled.
    fn parse(text: &str, checks: bool) -> Result<Self, RulesError> {
        if text.len() > FILE_MAX {
            return Err(RulesError {
                line: 1,
                problem: format!("the file has {} bytes; {FILE_MAX} are read", text.len()),
            });
        }
        let file: File = toml::from_str(text).map_err(|error| RulesError {
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            problem: cut(error.message()),
        })?;
        if checks {
            let count = file.agent.values().chain([&file.generic]).map(AgentFile::patterns).sum::<usize>();
            if count > PATTERNS_MAX {
                let problem = format!("the file has {count} patterns; at most {PATTERNS_MAX} are read");
                return Err(RulesError { line: 1, problem });
            }
        }
        let generic = compile("generic", file.generic, text, checks)?;
        let agents =
            file.agent.into_iter().map(|(name, agent)| Ok((name.clone(), compile(&name, agent, text, checks)?)));
        Ok(Self { generic, agents: agents.collect::<Result<_, _>>()? })
    }

    /// The agent whose program has this name.
    #[must_use]
    pub fn agent_of_program(&self, program: &str) -> Option<&str> {
        let is_named = |(name, agent): &(&String, &AgentRules)| {
            *name == program || agent.programs.iter().any(|its| its == program)
        };
        self.agents.iter().find(is_named).map(|(name, _)| name.as_str())
    }

    /// The agents that are known, each with the version that its rules were seen in.
    pub fn agents(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.agents.iter().map(|(name, agent)| (name.as_str(), agent.seen.as_deref()))
    }

    /// What an agent's title says.
    #[must_use]
    pub fn of_title(&self, app: &str, title: &str) -> Option<Match> {
        let rule = self.of(app).flat_map(|rules| &rules.title).find(|rule| rule.pattern.is_match(title))?;
        Some(Match {
            state: rule.state,
            kind: rule.kind,
            message: None,
            rule: rule.name.clone(),
            text: title.to_owned(),
        })
    }

    /// What the last lines of an agent's screen say.
    #[must_use]
    pub fn of_screen(&self, app: &str, lines: &[String]) -> Option<Match> {
        let screen = LastLines::new(lines);
        self.of(app).flat_map(|rules| &rules.screen).find_map(|rule| rule.matches(screen.last(rule.lines)))
    }

    /// How many of a screen's last lines an agent's rules look at.
    #[must_use]
    pub fn screen_lines(&self, app: &str) -> usize {
        self.of(app).flat_map(|rules| &rules.screen).map(|rule| rule.lines).max().unwrap_or(0)
    }

    fn of(&self, app: &str) -> impl Iterator<Item = &AgentRules> {
        self.agents.get(app).into_iter().chain([&self.generic])
    }
}

/// The last lines of a screen as one text.
struct LastLines {
    text: String,
    /// Where each begins.
    starts: Vec<usize>,
}

impl LastLines {
    fn new(lines: &[String]) -> Self {
        let (mut text, mut starts) = (String::new(), Vec::with_capacity(lines.len()));
        for line in lines {
            if !starts.is_empty() {
                text.push('\n');
            }
            starts.push(text.len());
            text.push_str(line);
        }
        Self { text, starts }
    }

    fn last(&self, count: usize) -> &str {
        let first = self.starts.len().saturating_sub(count);
        &self.text[self.starts.get(first).copied().unwrap_or(0)..]
    }
}

impl ScreenRule {
    fn matches(&self, text: &str) -> Option<Match> {
        let mut found = self.all.iter().map(|pattern| pattern.regex()?.find(text));
        let first = found.next()??.as_str().trim().to_owned();
        if !found.all(|found| found.is_some()) || self.none.iter().any(|pattern| pattern.is_match(text)) {
            return None;
        }
        let message = self.message.as_ref().and_then(Pattern::regex).and_then(|pattern| {
            // The last that fits: what is asked stands above the answers, and below what was said before.
            let found = pattern.captures_iter(text).last()?;
            let message = found.get(1).or(found.get(0))?.as_str().trim();
            (!message.is_empty()).then(|| message.chars().take(MESSAGE_MAX).collect())
        });
        Some(Match { state: self.state, kind: self.kind, message, rule: self.name.clone(), text: first })
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn compile(name: &str, agent: AgentFile, text: &str, checks: bool) -> Result<AgentRules, RulesError> {
    let regex = |pattern: &toml::Spanned<String>| match checks.then(|| build(pattern.get_ref())) {
        Some(Err(error)) => {
            let problem = cut(&format!("agent {name}: {:?} is {}", cut(pattern.get_ref()), why_not(&error)));
            Err(RulesError { line: line_of(text, pattern.span().start), problem })
        }
        Some(Ok(_)) | None => Ok(Pattern::new(pattern.get_ref())),
    };
    let most = agent.title.len().max(agent.screen.len());
    if most > RULES_MAX {
        let problem = format!("agent {name} has {most} rules; at most {RULES_MAX} are read");
        return Err(RulesError { line: 1, problem });
    }
    let title = agent.title.into_iter().enumerate().map(|(index, rule)| {
        let TitleFile { state, kind, pattern } = rule.into_inner();
        Ok(TitleRule { name: format!("{name} title {}", index + 1), state, kind, pattern: regex(&pattern)? })
    });
    let title = title.collect::<Result<_, _>>()?;
    let screen = agent.screen.into_iter().enumerate().map(|(index, rule)| {
        let at = rule.span().start;
        let rule = rule.into_inner();
        let lines = rule.lines.unwrap_or(LINES);
        if rule.all.is_empty() || !(1..=LINES_MAX).contains(&lines) {
            let problem = format!("agent {name}: a screen rule needs a pattern in `all`, and 1 to {LINES_MAX} `lines`");
            return Err(RulesError { line: line_of(text, at), problem });
        }
        let each = |patterns: &[toml::Spanned<String>]| patterns.iter().map(&regex).collect::<Result<Vec<_>, _>>();
        Ok(ScreenRule {
            name: format!("{name} screen {}", index + 1),
            state: rule.state,
            kind: rule.kind,
            lines,
            all: each(&rule.all)?,
            none: each(&rule.none)?,
            message: rule.message.as_ref().map(&regex).transpose()?,
        })
    });
    Ok(AgentRules { programs: agent.programs, seen: agent.seen, title, screen: screen.collect::<Result<_, _>>()? })
}
