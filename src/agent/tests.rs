//! Recordings of real agents, played in virtual time: what is believed, against what was true.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    protocol::{AgentState, Size},
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
            self.agent.on_screen(&self.terminal.bottom_lines(LINES_MAX), now);
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
            if entry.kind == "i" && truth == "blocked" && entry.text.ends_with('\r') {
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
