//! Who follows the output and who reads: windows stay at the end through floods, resets and sizes, and a reader is not
//! moved by a single line.

use std::cell::RefCell;

use crate::driver::{Editor, Grid};

/// Prints `100` numbered lines for each line that it is given, with that line in front; `end` ends it.
const BATCHES: &str =
    "stty -echo; seq -f 'first %g' 1 300; while read x && [ $x != end ]; do seq -f \"$x %g\" 1 100; done";

/// The same endlessly, from the first line on.
const FLOOD: &str = "i=0; while :; do echo tick $i; i=$((i + 1)); done";

fn send(editor: &mut Editor, text: &str) {
    editor.lua(&format!(
        "require('termi').send(require('termi.model.views').last().session_id, '{text}', {{ enter = true }})"
    ));
}

/// What the current window shows: its first line, and the lines of its screen.
fn shown(editor: &mut Editor) -> (i64, Vec<String>) {
    let top = editor.lua_number("return vim.fn.line('w0')");
    let lines =
        editor.lua_texts("return vim.api.nvim_buf_get_lines(0, vim.fn.line('w0') - 1, vim.fn.line('w$'), false)");
    (top, lines)
}

/// Waits until the host has been told that everybody reads: what is printed from then on waits.
fn is_held(editor: &mut Editor) {
    editor.eventually_lua("it is held", "require('termi.model.views').last().held");
}

/// How many lines wait, as the screen says.
fn waiting(screen: &Grid) -> Option<u64> {
    let (row, _) = screen.find("new lines")?;
    let line = screen.line(row);
    let (_, said) = line.rsplit_once('\u{2193}')?;
    said.split_whitespace().next()?.replace(',', "").parse().ok()
}

/// Waits until the screen says that more lines wait than it said at first: frames that were on their way before the
/// view was held are in by then.
fn more_waits(editor: &mut Editor) -> u64 {
    let first = waiting(editor.eventually("lines wait", |screen| waiting(screen).is_some())).unwrap();
    waiting(editor.eventually("more wait", |screen| waiting(screen) > Some(first))).unwrap()
}

/// Whether the current window shows the buffer's last line, as a Lua expression.
const AT_END: &str = "vim.fn.line('w$') == vim.fn.line('$') and vim.fn.line('.') >= vim.fn.line('$') - 1";

in_each_neovim! {
    fn a_window_that_follows_is_at_the_end_after_each_flood(editor) {
        editor.ex("TermiRun echo ready; while read x; do seq -f \"$x %g\" 1 30000; done");
        editor.sees("ready");
        for mode in ["terminal", "normal", "another window"] {
            editor.ex("stopinsert");
            match mode {
                "terminal" => {
                    editor.input("i");
                    editor.is_in_terminal_mode();
                }
                "another window" => editor.ex("wincmd p"),
                _ => {}
            }
            send(editor, mode.split(' ').next().unwrap());
            let last = format!("{} 30000", mode.split(' ').next().unwrap());
            editor.sees(&last);
            // What was skipped has been brought in, and the window is at the end of it.
            editor.eventually_lua(
                "the view is filled",
                "vim.api.nvim_buf_line_count(require('termi.model.views').last().buf) > 4000",
            );
            let screen = editor.sees(&last);
            assert!(!screen.contains("new lines"), "{mode}:\n{screen}");
        }
        editor.ex("wincmd p");
        editor.eventually_lua("it is at the end", AT_END);
    }

    fn a_view_that_is_filled_after_a_flood_does_not_flash(editor) {
        editor.ex("TermiRun echo ready; while read x; do seq -f \"$x %g\" 1 30000; done");
        editor.sees("ready");
        editor.lua("local buf = vim.api.nvim_get_current_buf()
            local function look()
              if vim.fn.getbufline(buf, '$')[1] == '' and vim.tbl_contains(vim.fn.getbufline(buf, 1, '$'), 'flood 29000') then
                vim.o.statusline = 'it is filled'
              else
                vim.defer_fn(look, 5)
              end
            end
            look()");
        send(editor, "flood");
        editor.sees("flood 30000");
        let flash = RefCell::new(None);
        editor.eventually("it is filled", |screen| {
            if !screen.contains("flood 30000") {
                flash.replace(Some(screen.to_string()));
            }
            screen.contains("it is filled")
        });
        assert_eq!(flash.into_inner(), None, "seen while it was filled");
    }

    fn a_reader_is_not_moved_by_a_line_while_output_pours_and_sees_how_much_waits(editor) {
        editor.ex(&format!("TermiRun {FLOOD}"));
        editor.sees("tick 30");
        editor.input("<C-\\><C-n>10k");
        editor.settle();
        more_waits(editor);
        let before = shown(editor);
        let cursor = editor.lua_number("return vim.fn.line('.')");
        let first = more_waits(editor);
        for _ in 0..3 {
            more_waits(editor);
            assert_eq!(shown(editor), before, "it stands still");
            assert_eq!(editor.lua_number("return vim.fn.line('.')"), cursor);
        }
        assert!(more_waits(editor) > first);
        editor.input("G");
        editor.sees_no("new lines");
        editor.eventually_lua("it is at the end", AT_END);
        let newest = editor.lua_text("return vim.fn.getline(vim.fn.line('$') - 1)");
        editor.eventually("it goes on", |screen| screen.contains("tick") && !screen.contains(&newest));
        editor.eventually_lua("it is still at the end", AT_END);
    }

    fn terminal_mode_catches_up_and_so_does_the_last_line(editor) {
        editor.ex(&format!("TermiRun {BATCHES}"));
        editor.sees("first 300");
        for keys in ["i", "G", "100j", "<C-d><C-d><C-d><C-d><C-d><C-d><C-d><C-d>"] {
            editor.input("<C-\\><C-n>50k");
            editor.settle();
            is_held(editor);
            let name = keys.chars().find(char::is_ascii_alphanumeric).unwrap();
            send(editor, &format!("by{name}"));
            editor.sees("100 new lines");
            editor.input(keys);
            editor.sees(&format!("by{name} 100"));
            editor.sees_no("new lines");
            let lines = editor.buffer();
            let last = lines.iter().rposition(|line| line.starts_with(&format!("by{name}"))).unwrap();
            let expected: Vec<String> = (1..=100).map(|number| format!("by{name} {number}")).collect();
            assert_eq!(lines[last - 99..=last], expected, "each line is there, in order");
        }
    }

    fn a_step_up_from_the_end_is_enough_even_in_a_flood(editor) {
        editor.ex(&format!("TermiRun {FLOOD}"));
        editor.sees("tick 30");
        editor.input("<C-\\><C-n>k");
        editor.sees("new lines");
        // Frames that were on their way have moved the end a little.
        editor.input("2000j");
        editor.sees_no("new lines");
        editor.input("v");
        editor.sees("new lines");
        editor.input("<Esc>G");
        editor.sees_no("new lines");
    }

    fn of_two_windows_one_follows_and_the_other_stands_still(editor, start => start.size(100, 40)) {
        editor.ex(&format!("TermiRun {BATCHES}"));
        editor.sees("first 300");
        editor.ex("split");
        editor.ex("150");
        editor.ex("normal! zt");
        let before = shown(editor);
        assert_eq!(before.1[0], "first 150");
        // The other window follows: frames go on, and this one does not move. A flood has the view filled anew.
        editor.ex("wincmd p");
        for batch in ["one", "two"] {
            send(editor, batch);
            editor.sees(&format!("{batch} 100"));
            editor.ex("wincmd p");
            assert_eq!(shown(editor), before);
            assert_eq!(editor.lua_text("return vim.fn.getline('.')"), "first 150");
            editor.ex("wincmd p");
        }
        // Both read: the view is held.
        editor.ex("normal! 20k");
        is_held(editor);
        send(editor, "three");
        editor.sees("100 new lines");
        let screen = editor.screen();
        assert!(!screen.contains("three 100"), "{screen}");
        editor.input("G");
        editor.sees("three 100");
        editor.ex("wincmd p");
        assert_eq!(shown(editor), before);
        editor.ex("wincmd p");
        editor.eventually_lua("it is at the end", AT_END);
    }

    fn a_reading_window_finds_its_text_again_when_the_view_is_filled_anew_for_another(editor, start => start.size(100, 40)) {
        editor.ex("TermiRun echo ready; while read x; do seq -f \"$x %g\" 1 30000; done");
        editor.sees("ready");
        send(editor, "one");
        editor.sees("one 30000");
        editor.eventually_lua("the view is filled", "vim.api.nvim_buf_line_count(0) > 4000");
        editor.ex("split");
        editor.ex("call search('one 29000', 'b')");
        editor.ex("normal! zt");
        editor.ex("wincmd p");
        // A new size has the view filled anew.
        editor.ex("resize +3");
        editor.ex("wincmd p");
        editor.eventually_lua("the same text", "vim.fn.getline('.') == 'one 29000' and vim.fn.line('.') == vim.fn.line('w0')");
        let screen = editor.screen();
        assert!(screen.contains("one 30000"), "the other is at the end:\n{screen}");
    }

    fn what_is_on_the_alternate_screen_is_not_held_back(editor) {
        editor.ex(
            r"TermiRun seq 1 100; read x; printf '\033[?1049h\033[2J'; i=0; while [ ! -e stop ]; do i=$((i + 1)); printf '\033[Htick %d\033[12;1Hbelow' $i; done; printf '\033[?1049l'; seq -f 'after %g' 1 100; sleep 100",
        );
        editor.sees("100");
        editor.is_in_terminal_mode();
        editor.input("<CR>");
        editor.sees("tick");
        editor.input("<C-\\><C-n>kkkk");
        editor.settle();
        for _ in 0..3 {
            let now = editor.sees("tick");
            let (row, _) = now.find("tick").unwrap();
            let was = now.line(row);
            editor.eventually("it goes on", |screen| screen.line(row) != was && screen.contains("tick"));
        }
        // Back on the primary screen, the reader reads.
        editor.home.write("work/stop", "");
        editor.eventually_lua("it is back", "vim.tbl_contains(vim.api.nvim_buf_get_lines(0, 0, -1, false), '99')");
        editor.input("G");
        editor.sees("after 100");
    }

    fn a_kill_and_an_exit_are_said_to_a_reader_who_is_not_moved(editor) {
        for how in ["kill", "exit"] {
            editor.ex(&format!("TermiRun ++name={how} {BATCHES}"));
            editor.sees("first 300");
            editor.input("<C-\\><C-n>100k");
            editor.settle();
            is_held(editor);
            let before = shown(editor);
            send(editor, "more");
            editor.sees("100 new lines");
            if how == "kill" {
                editor.ex("TermiKill");
                editor.hears("Killed 1/1 processes");
            } else {
                send(editor, "end");
            }
            let screen = editor.sees("[Process");
            assert!(screen.contains("new lines  [Process"), "{screen}");
            assert_eq!(shown(editor), before, "{how}");
            editor.input("G");
            editor.sees("more 100");
            let screen = editor.sees("[Process");
            assert!(!screen.contains("new lines"), "{screen}");
        }
    }

    fn a_narrow_window_says_it_in_fewer_words(editor) {
        editor.ex(&format!("TermiRun ++open=vsplit {BATCHES}"));
        editor.sees("first 300");
        editor.ex("vertical resize 20");
        editor.eventually_lua("it is at the end", AT_END);
        editor.input("<C-\\><C-n>50k");
        editor.settle();
        is_held(editor);
        for batch in 1..=10 {
            send(editor, &format!("{batch}"));
        }
        let screen = editor.sees("\u{2193} 1,000 new lines");
        let (row, _) = screen.find("\u{2193} 1,000").unwrap();
        assert_eq!(row, 27, "in the window's last row:\n{screen}");
        assert!(screen.line(row).ends_with("new lines"), "in its corner:\n{screen}");
        editor.ex("vertical resize 12");
        let screen = editor.sees_no("new lines");
        assert!(screen.contains(" \u{2193} 1,000"), "{screen}");
        editor.ex("vertical resize 6");
        let screen = editor.sees_no("1,000");
        assert!(screen.contains("\u{2193}"), "{screen}");
        editor.ex("close");
        editor.sees_no("\u{2193}");
    }

    fn a_new_size_while_someone_reads_keeps_their_text_in_sight(editor) {
        editor.ex(&format!("TermiRun {BATCHES}"));
        editor.sees("first 300");
        editor.ex("150");
        editor.ex("normal! zt");
        for size in ["resize 8", "resize 20", "vsplit", "only", "resize 10"] {
            editor.ex(size);
            editor.eventually("the text is there", |screen| screen.contains("first 150"));
            assert_eq!(editor.lua_text("return vim.fn.getline('.')"), "first 150", "after {size}");
        }
        is_held(editor);
        send(editor, "more");
        editor.sees("100 new lines");
        editor.sees("first 150");
        editor.input("G");
        editor.sees("more 100");
        editor.eventually_lua("it is at the end", AT_END);
    }

    fn a_reader_whose_window_is_hidden_and_shown_again_starts_at_the_end(editor) {
        editor.ex(&format!("TermiRun {BATCHES}"));
        editor.sees("first 300");
        editor.input("<C-\\><C-n>100k");
        editor.settle();
        is_held(editor);
        send(editor, "more");
        editor.sees("100 new lines");
        editor.ex("Termi hide");
        editor.sees_no("new lines");
        editor.ex("Termi toggle");
        editor.sees("more 100");
    }

    fn a_reload_of_the_plugin_does_not_disturb_a_reader(editor) {
        editor.ex(&format!("TermiRun {FLOOD}"));
        editor.sees("tick 30");
        editor.input("<C-\\><C-n>12k");
        more_waits(editor);
        let before = shown(editor);
        for _ in 0..2 {
            editor.lua("for name in pairs(package.loaded) do
                if name:match('^termi') then package.loaded[name] = nil end
            end");
            editor.set_up("{}");
            editor.lua("require('termi').sessions()");
            more_waits(editor);
            assert_eq!(shown(editor).1, before.1);
        }
        editor.input("G");
        editor.sees_no("new lines");
        editor.eventually_lua("it is at the end", AT_END);
    }
}
