//! How soon a typed key is on the screen: from the key's way into Neovim to the end of the redraw that shows it.

use std::time::{Duration, Instant};

use crate::{
    Plan,
    data::Numbers,
    editor::Editor,
    pairs::{Ratio, milliseconds, paired, quantile},
    report::{Row, Target},
};

/// Above the window that is typed in, one with another session, so that it is seen too.
pub const LUA: &str = "
function _G.beside(side, other, cmd)
  start(side, other)
  vim.cmd('belowright split')
  start(side, cmd)
end
function _G.alone(side, cmd)
  start(side, cmd)
end";

/// With a prompt that is the same on every machine, and ends in no letter.
const BASH: &str = "{ 'env', 'PS1=> ', 'bash', '--norc', '--noprofile', '-i' }";
pub const CAT: &str = "{ 'cat' }";

pub fn rows(plan: &Plan) -> Vec<Row> {
    let keys = if plan.quick { 30 } else { 150 };
    let mut editor = Editor::start(&plan.nvim, LUA);
    let mut rows = Vec::new();
    for (name, cmd) in [("cat", CAT), ("bash's prompt", BASH)] {
        let what = format!("key to echo on screen, {name}");
        let sides = ["termi", "terminal"].map(|side| format!("alone('{side}', {cmd})"));
        let targets = [Some(Target::RatioAtMost(1.1)), Some(Target::RatioAtMost(1.2))];
        rows.extend(pair(plan, &mut editor, keys, &what, ":terminal", sides, targets));
    }
    let what = "key to echo on screen, cat, while another session floods beside it";
    let sides = ["{ 'yes' }", CAT].map(|other| format!("beside('termi', {other}, {CAT})"));
    rows.extend(pair(plan, &mut editor, keys, what, "the other idle", sides, [None, Some(Target::RatioAtMost(2.0))]));
    rows
}

fn pair(
    plan: &Plan,
    editor: &mut Editor,
    keys: usize,
    what: &str,
    peer: &str,
    sides: [String; 2],
    targets: [Option<Target>; 2],
) -> [Row; 2] {
    let mut taken: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..=plan.pairs() {
        for (taken, side) in taken.iter_mut().zip(&sides) {
            let times = echoes(editor, side, keys);
            // The first round warms up.
            if round > 0 {
                taken[0].push(quantile(&times, 0.5));
                taken[1].push(quantile(&times, 0.99));
            }
        }
    }
    let [own, other] = &taken;
    let row = |share: &str, at: usize| {
        paired("echo", format!("{what}, {share}"), "ms", &own[at], (peer, &other[at]), Ratio::Own, targets[at])
    };
    [row("p50", 0), row("p99", 1)]
}

/// Milliseconds from each key to its echo.
pub fn echoes(editor: &mut Editor, start: &str, keys: usize) -> Vec<f64> {
    editor.clean();
    editor.lua(start);
    editor.lua("vim.cmd.startinsert()");
    if start.contains("PS1") {
        editor.shows("bash's prompt", |screen| {
            let (row, column) = screen.cursor();
            column == 2 && screen.at(row, 0) == Some('>')
        });
    }
    editor.input("q");
    editor.shows("the first key", |screen| {
        let (row, column) = screen.cursor();
        column > 0 && screen.at(row, column - 1) == Some('q')
    });
    let first = editor.screen().cursor().1 - 1;
    let mut numbers = Numbers::new();
    let mut times = Vec::new();
    while times.len() < keys {
        if times.len() % 60 == 0 {
            editor.input("<C-u>");
            editor.shows("an empty line", |screen| screen.cursor().1 == first);
            editor.pause(Duration::from_millis(100));
        }
        let (row, column) = editor.screen().cursor();
        let key = char::from(b'a' + u8::try_from(numbers.next(26)).unwrap());
        let begun = Instant::now();
        editor.input(&key.to_string());
        editor.shows("the key's echo", |screen| screen.at(row, column) == Some(key));
        times.push(milliseconds(begun.elapsed()));
        // The cursor may follow the echo in a redraw of its own.
        editor.shows("the cursor after the echo", |screen| screen.cursor() == (row, column + 1));
        editor.pause(Duration::from_millis(10 + numbers.next(30)));
    }
    editor.clean();
    times
}
