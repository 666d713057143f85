//! Recordings of real agents, played in virtual time: what is believed, against what was true.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    protocol::{AgentKind, AgentSource, AgentState, Size},
    term::Terminal,
};

/// How often a host looks at a screen that changes.
const LOOK_EVERY: f64 = 0.15;
/// A change of the truth is to be seen after this long, in seconds.
const LATENCY: f64 = 1.0;

struct Entry {
    at: f64,
    kind: String,
    text: String,
}

fn recording(name: &str) -> Vec<Entry> {
    let path = format!("{}/tests/fixtures/agents/tui-{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    // Lone surrogates stand for bytes that are no UTF-8.
    let surrogate = regex::Regex::new(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}").unwrap();
    let read = |line: &str| {
        let (at, kind, text): (f64, String, String) = serde_json::from_str(&surrogate.replace_all(line, "?")).unwrap();
        Entry { at, kind, text }
    };
    text.lines().map(read).collect()
}

/// What is left out of a recording before it is played.
#[derive(Debug, Clone, Copy, Default)]
struct Without {
    titles: bool,
    reports: bool,
}

/// An agent in a terminal, and its clock.
struct Player {
    terminal: Terminal,
    agent: Agent,
    began: Instant,
    without: Without,
    looked: (f64, u64),
}

impl Player {
    fn new(app: &str, size: Size, without: Without) -> Self {
        let mut agent = Agent::default();
        let began = Instant::now();
        agent.on_program(&[app.to_owned()], Now { instant: began, unix_ms: 0 });
        Self { terminal: Terminal::new(size, 1 << 20), agent, began, without, looked: (-1.0, 0) }
    }

    fn now(&self, at: f64) -> Now {
        let passed = Duration::from_secs_f64(at);
        Now { instant: self.began + passed, unix_ms: u64::try_from(passed.as_millis()).unwrap() }
    }

    fn play(&mut self, entry: &Entry) {
        let now = self.now(entry.at);
        match entry.kind.as_str() {
            "o" => self.prints(&entry.text, entry.at),
            "i" if !entry.text.starts_with('\x1b') => self.agent.on_input(now),
            "x" => {
                self.terminal.end_program_status();
                self.agent.on_exit(self.terminal.program_status(), now);
            }
            _ => {}
        }
    }

    fn prints(&mut self, text: &str, at: f64) {
        let title = self.terminal.title().to_owned();
        let pattern = match self.without {
            Without { titles: true, .. } => Some("\x1b\\][02];[^\x07\x1b]*(\x07|\x1b\\\\)"),
            Without { reports: true, .. } => Some("\x1b\\]7501;[^\x07\x1b]*(\x07|\x1b\\\\)"),
            _ => None,
        };
        let text = match pattern {
            Some(pattern) => regex::Regex::new(pattern).unwrap().replace_all(text, "").into_owned(),
            None => text.to_owned(),
        };
        self.terminal.feed(text.as_bytes());
        let (effects, now) = (self.terminal.take_effects(), self.now(at));
        if effects.status_changed {
            self.agent.on_status(self.terminal.program_status(), now);
        }
        if self.terminal.title() != title {
            self.agent.on_title(self.terminal.title(), now);
        }
        if effects.bell {
            self.agent.on_attention(None, now);
        }
    }

    /// What time alone brings: a look at a screen that has changed, and what has stood for long enough.
    fn passes(&mut self, at: f64) {
        let now = self.now(at);
        let change = self.terminal.change();
        if change != self.looked.1 && at - self.looked.0 >= LOOK_EVERY {
            self.agent.on_screen(&self.terminal.bottom_lines(self.agent.screen_lines()), now);
            self.looked = (at, change);
        }
        if self.agent.deadline().is_some_and(|due| due <= now.instant) {
            self.agent.on_deadline(now);
        }
    }

    fn state(&self) -> Option<AgentState> {
        self.agent.info().map(|info| info.state)
    }
}

fn is_right(truth: &str, state: Option<AgentState>) -> bool {
    use AgentState::{Blocked, Done, Error, Ready, Starting, Working};
    match truth {
        "blocked" => state == Some(Blocked),
        "working" => state == Some(Working),
        _ => matches!(state, Some(Ready | Done | Error | Starting)),
    }
}

/// Of how many samples of a recording how many are right, and the longest time for which a blocked agent was not shown
/// as such, once it had been for the time in which that is to be seen. What is true before `from` is not judged: nothing
/// was shown yet.
fn judge(name: &str, size: Size, without: Without, from: f64) -> (usize, usize, f64) {
    let app = name.split('-').next().unwrap().trim_end_matches(|letter: char| letter.is_ascii_digit());
    let entries = recording(name);
    let mut player = Player::new(app, size, without);
    let end = entries.iter().rfind(|entry| entry.kind != "x").map_or(0.0, |entry| entry.at);
    let (mut truth, mut changed) = ("skip".to_owned(), 0.0);
    let (mut right, mut all, mut missed, mut longest) = (0, 0, 0.0_f64, 0.0_f64);
    let mut rest = entries.iter().peekable();
    for step in 0.. {
        let at = f64::from(step) * 0.05;
        if at > end {
            break;
        }
        while let Some(entry) = rest.next_if(|entry| entry.at <= at) {
            if entry.kind == "state" && entry.text != truth {
                (truth, changed) = (entry.text.clone(), entry.at);
            }
            // The answer is given: from here on it is not known how it is until the next entry about it.
            if entry.kind == "i" && entry.at > from && truth == "blocked" && entry.text.ends_with('\r') {
                "skip".clone_into(&mut truth);
            }
            player.play(entry);
        }
        player.passes(at);
        if truth == "skip" || at < changed.max(from) + LATENCY || player.state().is_none() {
            continue;
        }
        let fits = is_right(&truth, player.state());
        all += 1;
        right += usize::from(fits);
        missed = if truth == "blocked" && !fits { missed + 0.05 } else { 0.0 };
        longest = longest.max(missed);
        if !fits && std::env::var_os("TERMI_TEST_AGENTS").is_some() {
            println!("{name} {size:?} {at:.2}: {truth}, shown {:?} {:?}", player.state(), player.agent.explain());
        }
    }
    (right, all, longest)
}

/// Recordings, the size that each was made at, and from when on it shows anything to be judged.
const RECORDINGS: [(&str, u16, f64); 7] = [
    ("aider-visible", 72, 24.4),
    ("amp-visible", 72, 6.05),
    ("claude-hidden", 180, 0.0),
    ("claude2-visible-b", 72, 0.0),
    ("codex-visible", 72, 0.0),
    ("copilot-visible", 72, 0.0),
    ("opencode-visible", 72, 0.0),
];

/// At sizes on which what was drawn for another one stands where it was drawn.
#[test]
fn states_are_those_of_the_recordings() {
    for (rows, cols) in [(48, 72), (60, 200)] {
        for without in
            [Without::default(), Without { titles: true, reports: false }, Without { titles: false, reports: true }]
        {
            for (name, made_at, from) in RECORDINGS.into_iter().filter(|(_, made_at, _)| *made_at <= cols) {
                let (right, all, longest) = judge(name, Size { rows, cols }, without, from);
                let said = format!(
                    "{name} (made for {made_at} columns) at {rows}x{cols}, {without:?}: {right} of {all}, blocked \
                     missed for {longest:.2} s"
                );
                println!("{said}");
                // OpenCode draws nothing of its first prompt for ten seconds.
                let least = if name.starts_with("opencode") { 80 } else { 98 };
                assert!(all > 90 && right * 100 >= all * least && longest <= 1.0, "{said}");
            }
        }
    }
}

/// A program's own reports do not depend on its size.
#[test]
fn reports_are_right_at_any_size() {
    for (rows, cols) in [(24, 80), (10, 20)] {
        for name in ["claude2-visible-b", "codex-visible"] {
            let (right, all, longest) = judge(name, Size { rows, cols }, Without::default(), 0.0);
            assert!(
                right * 100 >= all * 98 && longest <= 1.0,
                "{name} at {rows}x{cols}: {right} of {all}, {longest:.2} s"
            );
        }
    }
}

/// An agent that is told things at times, in milliseconds.
struct Told {
    agent: Agent,
    began: Instant,
    terminal: Terminal,
}

impl Told {
    fn new(program: &str) -> Self {
        let mut told = Self {
            agent: Agent::default(),
            began: Instant::now(),
            terminal: Terminal::new(Size { rows: 24, cols: 80 }, 1 << 16),
        };
        told.agent.on_program(&[program.to_owned()], told.at(0));
        told
    }

    fn at(&self, ms: u64) -> Now {
        Now { instant: self.began + Duration::from_millis(ms), unix_ms: ms }
    }

    fn shows(&mut self, ms: u64, lines: &[&str]) -> AgentState {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        self.agent.on_screen(&lines, self.at(ms));
        self.state(ms)
    }

    fn reports(&mut self, ms: u64, content: &str) -> AgentState {
        self.terminal.feed(format!("\x1b]7501;{content}\x1b\\").as_bytes());
        self.agent.on_status(self.terminal.program_status(), self.at(ms));
        self.state(ms)
    }

    /// What is believed once that time has passed.
    fn state(&mut self, ms: u64) -> AgentState {
        let now = self.at(ms);
        if self.agent.deadline().is_some_and(|due| due <= now.instant) {
            self.agent.on_deadline(now);
        }
        self.agent.info().unwrap().state
    }
}

const DIALOG: [&str; 4] = ["Do you want to proceed?", "❯ 1. Yes", "  2. No", "Esc to cancel"];
const BUSY: [&str; 2] = ["✽ Thinking… (3s)", "  esc to interrupt"];
const BOX: [&str; 2] = ["────", "❯"];

#[test]
fn a_dialog_counts_once_it_has_stood_and_prose_that_quotes_one_does_not() {
    let mut told = Told::new("claude");
    assert_eq!(told.shows(0, &BOX), AgentState::Ready);
    assert_eq!(told.shows(100, &BUSY), AgentState::Working);
    assert_eq!(told.shows(200, &DIALOG), AgentState::Working, "a moment alone is none");
    assert_eq!(told.state(499), AgentState::Working);
    assert_eq!(told.state(500), AgentState::Blocked);
    let info = told.agent.info().unwrap();
    assert_eq!((info.kind, info.message.as_deref()), (Some(AgentKind::Permission), Some("Do you want to proceed?")));
    assert_eq!((info.since, info.source), (500, Some(AgentSource::Screen)));
    assert_eq!(told.shows(600, &BUSY), AgentState::Blocked, "nor is a moment without it");
    assert_eq!(told.state(900), AgentState::Working);
    let quoted: Vec<&str> = ["● The dialog reads:"].into_iter().chain(DIALOG).chain(BOX).collect();
    told.shows(1000, &quoted);
    assert_eq!(told.state(2000), AgentState::Done);
}

#[test]
fn work_that_flickers_is_one_state() {
    let mut told = Told::new("claude");
    told.shows(0, &BUSY);
    for step in 1..50 {
        let lines: &[&str] = if step % 2 == 0 { &BUSY } else { &BOX };
        assert_eq!(told.shows(step * 200, lines), AgentState::Working, "{step}");
    }
    told.shows(10_000, &BOX);
    assert_eq!(told.state(10_600), AgentState::Done);
}

#[test]
fn no_screen_overrules_a_report_and_no_part_that_is_done_its_whole() {
    let mut told = Told::new("codex");
    assert_eq!(told.reports(0, "state=working:app=codex"), AgentState::Working);
    told.shows(100, &DIALOG);
    assert_eq!(told.state(2000), AgentState::Working);
    assert_eq!(told.reports(3000, "state=done:id=sub/agent"), AgentState::Working);
    assert_eq!(told.reports(3000, "state=blocked:id=sub/agent:app=tool:kind=question:msg=d2h5"), AgentState::Blocked);
    assert_eq!(told.agent.info().unwrap().message.as_deref(), Some("why"));
    assert_eq!(told.agent.info().unwrap().app, "codex", "its own name, not its part's");
    told.agent.on_seen();
    told.reports(3500, "state=blocked:id=sub/agent:kind=question:msg=d2hhdA==");
    assert!(!told.agent.info().unwrap().seen, "another question");
    assert_eq!(told.reports(4000, "state=clear:id=sub"), AgentState::Working);
    assert_eq!(told.reports(5000, "state=idle"), AgentState::Ready);
    let believed: Vec<_> = told.agent.explain().into_iter().map(|its| (its.source, its.believed)).collect();
    assert_eq!(believed, [(AgentSource::Osc, true), (AgentSource::Screen, false)]);
}

#[test]
fn a_title_that_blinks_is_one_state_and_one_that_says_nothing_leaves_it_to_the_screen() {
    let mut told = Told::new("codex");
    for step in 0..20 {
        let sign = if step % 2 == 0 { '!' } else { '.' };
        told.agent.on_title(&format!("[ {sign} ] Action Required | project"), told.at(step * 1000));
        assert_eq!(told.state(step * 1000 + 500), AgentState::Blocked, "{step}");
    }
    assert_eq!(told.agent.info().unwrap().since, 500);
    let mut claude = Told::new("claude");
    claude.agent.on_title("✳ Claude Code", claude.at(0));
    claude.shows(0, &DIALOG);
    assert_eq!(claude.state(500), AgentState::Blocked);
    claude.agent.on_title("✶ Claude Code", claude.at(600));
    claude.shows(600, &BOX);
    assert_eq!(claude.state(1200), AgentState::Working, "a box to type in is there while it works, too");
}

#[test]
fn what_a_hook_waits_for_is_taken_back_by_an_answer_and_a_bell_by_work() {
    let mut told = Told::new("claude");
    let report = |state| Report {
        app: "claude".to_owned(),
        state: Some(state),
        kind: Some(AgentKind::Permission),
        message: Some("approve\u{202e} ls".to_owned()),
        agent_session: Some("id".to_owned()),
    };
    told.agent.on_report(AgentSource::Hook, report(AgentState::Blocked), told.at(0));
    let info = told.agent.info().unwrap();
    assert_eq!((info.state, info.message.as_deref()), (AgentState::Blocked, Some("approve ls")));
    told.shows(100, &BUSY);
    assert_eq!(told.state(2000), AgentState::Blocked, "a hook is exact");
    told.agent.on_input(told.at(2000));
    assert_eq!(told.state(2400), AgentState::Working);
    let mut told = Told::new("claude");
    told.agent.on_attention(Some("needs you"), told.at(0));
    assert_eq!(told.state(400), AgentState::Blocked);
    told.shows(500, &BUSY);
    assert_eq!(told.state(900), AgentState::Working);
    assert!(told.agent.explain().iter().all(|its| its.source != AgentSource::Bell));
}

#[test]
fn what_outlives_a_replacement_is_all_but_what_has_not_stood_yet() {
    let mut told = Told::new("claude");
    told.shows(0, &DIALOG);
    told.state(400);
    told.agent.on_seen();
    let saved = serde_json::to_string(&told.agent.save()).unwrap();
    let agent = Agent::restore(serde_json::from_str(&saved).unwrap());
    assert_eq!(agent.info(), told.agent.info());
    assert!(agent.info().unwrap().seen);
}

#[test]
fn a_users_rules_add_and_replace_and_their_errors_have_lines() {
    let own =
        "\n[agent.mine]\nprograms = ['my-agent']\n[[agent.mine.screen]]\nstate = 'blocked'\nall = ['^ANSWER ME']\n";
    let rules = Rules::with_users(own).unwrap();
    assert_eq!(rules.agent_of_program("my-agent"), Some("mine"));
    assert_eq!(rules.agent_of_program("claude-code"), Some("claude"), "with those of the binary");
    let found = rules.of_screen("mine", &["before".to_owned(), "ANSWER ME now".to_owned()]).unwrap();
    assert_eq!(
        (found.state, found.rule.as_str(), found.text.as_str()),
        (AgentState::Blocked, "mine screen 1", "ANSWER ME")
    );
    let replaced = Rules::with_users("[agent.codex]\n").unwrap();
    assert_eq!(replaced.of_title("codex", "[ ! ] Action Required"), None);
    assert!(Rules::built_in().agents().count() > 10);
    assert!(Rules::with_users(include_str!("rules.toml")).is_ok(), "each of the binary's can be compiled");
    for (text, line, problem) in [
        ("[agent.x]\nprogram = 'y'\n", 2, "unknown field"),
        ("[[agent.x.title]]\nstate = 'asleep'\npattern = 'x'\n", 2, "unknown variant"),
        ("\n\n[[agent.x.title]]\nstate = 'done'\npattern = '('\n", 5, "unclosed group"),
        ("[[agent.x.screen]]\nstate = 'done'\nall = []\n", 1, "needs a pattern"),
        ("[[agent.x.screen]]\nstate = 'done'\nall = ['x']\nlines = 41\n", 1, "1 to 40"),
        ("[[agent.x.title]]\nstate = 'done'\npattern = '(((a{99}){99}){99}){99}'\n", 3, "too large"),
        ("agent = 3", 1, "invalid type"),
    ] {
        let error = Rules::with_users(text).unwrap_err();
        assert!(error.problem.contains(problem), "{text}: {error}");
        assert_eq!(error.line, line, "{text}: {error}");
    }
    let endless = format!("[[agent.x.title]]\nstate = 'done'\npattern = '{}'\n", "(a*)*".repeat(1000));
    let error = Rules::with_users(&endless).map(|rules| rules.of_title("x", &"a".repeat(10_000)).is_some());
    assert!(error.is_err() || error == Ok(true), "such a pattern is refused, or takes a time in line with its text");
}

/// The edge of a word is that of ASCII's: what Unicode takes for one cannot be searched for by an automaton.
#[test]
fn a_words_edge_in_a_users_pattern_is_found_beside_what_is_no_ascii() {
    let own = "[[generic.screen]]\nstate = 'blocked'\nall = ['│ \\bwait\\b', '\\\\b']\n";
    let rules = Rules::with_users(own).unwrap();
    let is_found = |line: &str| rules.of_screen("x", &[line.to_owned()]).is_some();
    assert!(is_found(r"│ wait… \b") && !is_found(r"│ waits \b") && !is_found("│ wait b"));
}
