//! How fast a program that prints a lot is done: `cat` of a file in memory, from its start until its end is told and
//! its last line is on the screen.

use std::time::{Duration, Instant};

use crate::{
    Plan,
    data::{Data, LAST_LINE},
    editor::Editor,
    pairs::{Ratio, paired},
    peers::{Tmux, bare_pty},
    report::{Row, Target},
};

/// `:terminal` needs 20 s for 50 MB on a quiet machine.
const LIMIT: Duration = Duration::from_secs(300);

pub fn rows(plan: &Plan) -> Vec<Row> {
    let size = if plan.quick { 5_000_000 } else { 50_000_000 };
    let mut editor = Editor::start(&plan.nvim, "");
    let window = window_size(&mut editor);
    let tmux = Tmux::start(window);
    let mut rows = Vec::new();
    for (kind, make, of_the_limit) in
        [("log lines", Data::log_lines as fn(usize) -> Data, 0.8), ("coloured lines", Data::colored_lines, 0.65)]
    {
        let mut speeds: [Vec<f64>; 4] = Default::default();
        let mut round = |data: &Data, speeds: Option<&mut [Vec<f64>; 4]>| {
            let path = data.path();
            let cat = ["cat", path.as_str()];
            let times = [
                bare_pty(&cat, window),
                in_neovim(&mut editor, "termi", &cat),
                tmux.drain(&path, LAST_LINE),
                in_neovim(&mut editor, "terminal", &cat),
            ];
            for (speeds, time) in speeds.into_iter().flatten().zip(times) {
                speeds.push(data.megabytes() / time.as_secs_f64());
            }
        };
        round(&make(size / 10), None);
        let data = make(size);
        for _ in 0..plan.pairs() {
            round(&data, Some(&mut speeds));
        }
        let [limit, own, tmux, terminal] = &speeds;
        for (peer, speeds, target) in [
            ("cat read from a PTY and thrown away", limit, of_the_limit),
            (":terminal", terminal, 8.0),
            ("tmux, detached", tmux, 3.0),
        ] {
            let what = format!("drain {} MB of {kind} through a visible view", size / 1_000_000);
            let target = Some(Target::RatioAtLeast(target));
            rows.push(paired("drain", what, "MB/s", own, (peer, speeds), Ratio::Own, target));
        }
    }
    rows
}

/// The terminal's rows and columns in the window that both use: what a program in it is told.
fn window_size(editor: &mut Editor) -> (u16, u16) {
    let sizes = ["termi", "terminal"].map(|side| {
        in_neovim_then(editor, side, &["sh", "-c", &format!("stty size; echo {LAST_LINE}")], |editor| {
            editor.screen().text().lines().next().unwrap().to_owned()
        })
        .1
    });
    assert_eq!(sizes[0], sizes[1], "both sides' terminals have the same size");
    let (rows, columns) = sizes[0].split_once(' ').unwrap_or_else(|| panic!("stty said {:?}", sizes[0]));
    (rows.parse().unwrap(), columns.parse().unwrap())
}

fn in_neovim(editor: &mut Editor, side: &str, command: &[&str]) -> Duration {
    in_neovim_then(editor, side, command, |_| ()).0
}

fn in_neovim_then<T>(
    editor: &mut Editor,
    side: &str,
    command: &[&str],
    look: impl FnOnce(&mut Editor) -> T,
) -> (Duration, T) {
    editor.clean();
    let arguments: Vec<String> = command.iter().map(|argument| format!("[[{argument}]]")).collect();
    let begun = Instant::now();
    editor.begin_lua(&format!("start('{side}', {{ {} }})", arguments.join(", ")));
    editor.hears(LIMIT, "ended");
    editor.shows_within(LIMIT, "the last line", |screen| screen.contains(LAST_LINE));
    let took = begun.elapsed();
    let seen = look(editor);
    editor.clean();
    (took, seen)
}
