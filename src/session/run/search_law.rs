//! The law of searches: a pattern finds what a line shows, and nothing else, whatever the terminal went through.

use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*, sample::select};
use regex::Regex;

use super::lines::read as read_lines;
use crate::{
    protocol::Size,
    session::waits::search::{Found, Search},
    term::{Terminal, clamp_size},
};

const LIMIT: usize = 40_000;

/// What a terminal goes through.
#[derive(Debug, Clone)]
enum Step {
    Output(String),
    Size(u8, u8),
}

/// Few letters, so that patterns are met, and met again where text is drawn over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab]{1,12}",
        4 => "[ab \u{4f60}\u{e9}]{1,40}",
        3 => "[ab]{1,3}\r\n",
        2 => Just("\r\n".to_owned()),
        1 => vec("[ab]{0,9}", 1..30).prop_map(|lines| lines.join("\r\n")),
        // Longer than what is searched at a time, with something to find anywhere in it.
        1 => ("[ab]{0,9}", 0_usize..9000, "[ab]{0,9}", 0_usize..9000)
            .prop_map(|(one, before, other, after)| one + &"x".repeat(before) + &other + &"x".repeat(after)),
    ]
}

fn control() -> impl Strategy<Value = String> {
    select(vec![
        "\x1b[2J",
        "\x1b[H\x1b[2J",
        "\x1b[H\x1b[J",
        "\x1b[J",
        "\x1b[3J",
        "\x1b[H",
        "\x1b[K",
        "\x1b[A",
        "\r",
        "\x08",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[2;3r",
        "\x1b[r",
        "\x1b[L",
        "\x1b[M",
        "\x1b[2S",
        "\x1b[2T",
        "\x1bc",
    ])
    .prop_map(str::to_owned)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => text().prop_map(Step::Output),
        3 => control().prop_map(Step::Output),
        2 => (1_u8..9, 2_u8..30).prop_map(|(rows, cols)| Step::Size(rows, cols)),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{3,8}",
        1 => "\\^[ab]{2,6}",
        1 => "[ab]{2,6}\\$",
        1 => "[ab]{2,4}\\.\\*[ab]{1,3}",
        1 => "[ab]{4,6}\\.\\*",
        1 => "\\\\b[ab]{2,6}\\\\b",
        1 => Just("^$".to_owned()),
    ]
}

/// The lines that a client reads, whole ones and unfinished ones.
fn shown(terminal: &Terminal) -> Vec<String> {
    let read = |partial| read_lines(terminal, false, partial, None, None).lines;
    let mut lines = read(true);
    lines.extend(read(false));
    lines
}

fn brief(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| format!("{line:.200}")).collect()
}

fn search(search: &mut Search, pattern: &Regex, terminal: &Terminal) -> Option<String> {
    match search.go_on(&mut &*pattern, terminal, Instant::now() + Duration::from_secs(60)) {
        Found::Line(line) => Some(line),
        Found::Nothing => None,
        Found::NotYet | Found::TooSlow => panic!("{pattern} was given up"),
    }
}

/// Matches that begin and end in a line of any length must not be longer than what pieces of it have in common.
fn is_in_reach(pattern: &Regex, line: &str) -> bool {
    pattern.shortest_match(line).is_some()
        && (line.len() < 8000 || !pattern.as_str().trim_end_matches(".*").contains(".*"))
}

fn holds(terminal: &Terminal, searches: &mut Vec<(Regex, Search)>) -> Result<(), TestCaseError> {
    let lines = shown(terminal);
    // What a full-screen program draws no line shows; blanks at the end of a row may be its own.
    let inked = |text: &str| text.replace(' ', "");
    let drawn: Option<String> =
        terminal.modes().alternate_screen.then(|| terminal.rows().map(|row| inked(&row.text)).collect());
    let mut all = Ok(());
    searches.retain_mut(|(pattern, begun)| {
        let mut check = || {
            let (before, after) = (search(begun, pattern, terminal), search(&mut Search::default(), pattern, terminal));
            let wanted = lines.iter().any(|line| is_in_reach(pattern, line));
            for (found, when) in [(&before, "before"), (&after, "after")] {
                if wanted {
                    prop_assert!(found.is_some(), "{} asked {} is not found in {:?}", pattern, when, brief(&lines));
                }
                if let Some(line) = found {
                    let is_drawn = drawn.as_ref().is_some_and(|drawn| drawn.contains(&inked(line)));
                    prop_assert!(is_drawn || lines.contains(line), "{:.200} is no line of {:?}", line, brief(&lines));
                    prop_assert!(pattern.is_match(line), "{} does not match {:.200}", pattern, line);
                }
            }
            Ok(before.is_none())
        };
        check().unwrap_or_else(|error| {
            all = Err(error);
            true
        })
    });
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_line_shows_is_found_and_nothing_else(
        (rows, cols) in (1_u32..9, 2_u32..30),
        patterns in vec(pattern(), 12),
        steps in vec(step(), 1..40),
        cut in 1_usize..50,
    ) {
        let mut terminal = Terminal::new(clamp_size(rows, cols), LIMIT);
        let mut searches: Vec<(Regex, Search)> =
            patterns.iter().map(|pattern| (Regex::new(pattern).unwrap(), Search::default())).collect();
        for step in steps {
            match step {
                Step::Size(rows, cols) => _ = terminal.resize(Size { rows: rows.into(), cols: cols.into() }),
                Step::Output(text) if text.len() > 200 => terminal.feed(text.as_bytes()),
                Step::Output(text) => {
                    for piece in text.as_bytes().chunks(cut) {
                        terminal.feed(piece);
                        holds(&terminal, &mut searches)?;
                    }
                }
            }
            holds(&terminal, &mut searches)?;
        }
    }
}
