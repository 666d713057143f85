//! How soon the editor answers while 16 programs in 16 windows print as fast as they can.

use std::time::{Duration, Instant};

use crate::{
    Plan,
    data::Numbers,
    editor::Editor,
    pairs::{Ratio, milliseconds, paired, quantile},
    report::{Row, Target},
};

const WINDOWS: usize = 16;

/// Sixteen windows of one size, each with a program, or with nothing.
const LUA: &str = "
function _G.windows(count, side, cmd)
  local rows = math.sqrt(count)
  for row = 1, rows do
    if row > 1 then vim.cmd('botright split') end
  end
  for row = rows, 1, -1 do
    vim.cmd(row .. 'wincmd w')
    for _ = 2, rows do vim.cmd('vsplit') end
  end
  vim.cmd('wincmd =')
  local wins = vim.api.nvim_tabpage_list_wins(0)
  assert(#wins == count, 'there are ' .. #wins .. ' windows')
  for _, win in ipairs(wins) do
    vim.api.nvim_set_current_win(win)
    if side ~= 'idle' then
      start(side, cmd)
    end
  end
  vim.cmd.stopinsert()
end";

pub fn rows(plan: &Plan) -> Vec<Row> {
    let stretch = Duration::from_secs(if plan.quick { 1 } else { 4 });
    let mut taken: [[Vec<f64>; 2]; 3] = Default::default();
    for _ in 0..plan.pairs() {
        for (taken, side) in taken.iter_mut().zip(["idle", "termi", "terminal"]) {
            // Each in an editor of its own: one that has had a `:terminal` flood answers slowly for long after it.
            let mut editor = Editor::start(&plan.nvim, LUA);
            let times = answers(&mut editor, side, stretch);
            taken[0].push(quantile(&times, 0.5));
            taken[1].push(quantile(&times, 0.99));
        }
    }
    let [idle, own, terminal] = &taken;
    let what = |share: &str| format!("editor round trip while {WINDOWS} visible views flood, {share}");
    let row = |share, at: usize, (peer, of): (&str, &[Vec<f64>; 2]), ratio, target| {
        paired("flood", what(share), "ms", &own[at], (peer, &of[at]), ratio, target)
    };
    let terminals = format!("{WINDOWS} :terminals");
    vec![
        row("p50", 0, ("idle Neovim", idle), Ratio::Own, None),
        row("p99", 1, ("idle Neovim", idle), Ratio::Own, Some(Target::RatioAtMost(2.0))),
        row("p50", 0, (&terminals, terminal), Ratio::Other, Some(Target::RatioAtLeast(40.0))),
        row("p99", 1, (&terminals, terminal), Ratio::Other, None),
    ]
}

/// Milliseconds that the editor took to answer, each asked after a short pause: asked without one, a stall of any
/// length would count once among thousands.
fn answers(editor: &mut Editor, side: &str, stretch: Duration) -> Vec<f64> {
    editor.clean();
    editor.lua(&format!("windows({WINDOWS}, '{side}', {{ 'yes' }})"));
    if side != "idle" {
        editor.shows("each window shows its flood", |screen| screen.text().matches(['y']).count() >= WINDOWS * 8);
    }
    editor.pause(Duration::from_millis(500));
    let flushes = editor.screen().flushes();
    let mut numbers = Numbers::new();
    let mut times = Vec::new();
    let until = Instant::now() + stretch;
    // Where an answer takes long, there are to be some all the same.
    while Instant::now() < until || times.len() < 20 {
        let begun = Instant::now();
        editor.call("nvim_eval", vec!["1".into()]);
        times.push(milliseconds(begun.elapsed()));
        editor.pause(Duration::from_micros(1000 + numbers.next(3000)));
    }
    let flushed = editor.screen().flushes() > flushes;
    assert!(flushed || side == "idle", "the views stand still");
    editor.clean();
    times
}
