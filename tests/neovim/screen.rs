//! The program's terminal as the window shows it: alternate screen, cursor, title and sizes.

use crate::driver::{CursorShape, Grid, Version};

/// Prints its terminal's size, and again whenever that changes. Not a shell's trap: bash forgets a signal that comes while
/// the trap for the one before is carried out, until another comes.
const SHOW_SIZE: &str = "python3 -c 'import os, signal as s; w = {s.SIGWINCH}; s.pthread_sigmask(s.SIG_BLOCK, w); \
    [print(z.lines, z.columns, flush=True) or s.sigwait(w) for z in iter(os.get_terminal_size, None)]'";

in_each_neovim! {
    fn splits_of_several_runs_share_the_room(editor) {
        for (how, size, least) in [("vsplit", "width", 10), ("split", "height", 3)] {
            for _ in 0..4 {
                editor.ex(&format!("TermiRun! ++open={how} sleep 100"));
            }
            editor.eventually_lua(
                "each has some",
                &format!(
                    "(function() for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do \
                     if vim.api.nvim_win_get_{size}(win) < {least} then return false end end return true end)()"
                ),
            );
            editor.lua("vim.cmd('silent! only!')");
        }
    }

    fn the_alternate_screen_comes_and_goes_and_the_text_below_stays(editor) {
        // No bare numbers: a run's id, which the status line shows, may have them in it.
        editor.ex(
            r"TermiRun seq 1 30 | sed s/^/row/; read x; printf '\033[?1049h\033[2J\033[Habove'; seq 100 150 | sed s/^/more/; read x; printf '\033[?1049l'; read x",
        );
        editor.sees("row30");
        editor.is_in_terminal_mode();
        editor.input("<CR>");
        editor.sees("more150");
        editor.sees_no("row30");
        editor.input("<CR>");
        editor.sees("row30");
        editor.sees_no("more150");
        let expected: Vec<String> = (1..=30).map(|number: i32| format!("row{number}")).collect();
        let mut lines = editor.buffer();
        lines.retain(|line| !line.is_empty());
        assert_eq!(lines, expected, "what was above leaves no trace");
    }

    fn the_cursor_is_where_the_program_put_it(editor) {
        editor.ex(r"TermiRun ++open=current printf '\033[5;9Hhere\033[11;21H'; sleep 100");
        editor.sees("here");
        editor.is_in_terminal_mode();
        editor.eventually("the cursor is at row 11, column 21", |screen| screen.cursor() == (10, 20));
    }

    fn the_cursor_is_where_the_program_put_it_when_terminal_mode_is_entered_later(editor, start => start.setup("{ start_insert = false }")) {
        editor.ex(r"TermiRun ++open=current printf '\033[5;9Hhere\033[11;21H'; sleep 100");
        editor.sees("here");
        for _ in 0..5 {
            editor.input("Gi");
            editor.is_in_terminal_mode();
            editor.eventually("the cursor is at row 11, column 21", |screen| screen.cursor() == (10, 20));
            editor.input("<C-\\><C-n>");
            editor.settle();
        }
    }

    fn a_hidden_cursor_is_hidden_and_shown_again(editor) {
        editor.ex(r"TermiRun printf '\033[?25lhidden'; read x; printf '\033[?25hshown'; read x");
        editor.sees("hidden");
        editor.is_in_terminal_mode();
        editor.eventually("no cursor", Grid::cursor_is_hidden);
        editor.input("<CR>");
        editor.sees("shown");
        // Neovim 0.10 does not show it again in `:terminal` either.
        if editor.version == Version::Newest {
            editor.eventually("a cursor", |screen| !screen.cursor_is_hidden());
        }
    }

    fn the_programs_title_is_the_buffers_term_title(editor) {
        editor.ex(r"TermiRun printf '\033]2;ünder way\007titled'; sleep 100");
        editor.sees("titled");
        editor.eventually_lua("the title", "vim.b.term_title == 'ünder way'");
    }

    fn the_program_learns_each_size_that_its_window_gets(editor, start => start.size(100, 40)) {
        editor.ex(&format!("TermiRun {SHOW_SIZE}"));
        editor.sees("15 100");
        editor.ex("resize 9");
        editor.sees("9 100");
        editor.ex("wincmd L | vertical resize 33");
        editor.sees("38 33");
        editor.resize(120, 30);
        editor.sees("28 ");
        let shown = editor.lua_number("return vim.api.nvim_win_get_width(0)");
        editor.sees(&format!("28 {shown}"));
    }

    fn columns_before_the_text_are_not_the_programs(editor) {
        editor.ex(&format!("TermiRun ++open=current {SHOW_SIZE}"));
        editor.sees("28 100");
        editor.ex("setlocal signcolumn=yes");
        editor.sees("28 98");
        editor.ex("setlocal signcolumn=no number numberwidth=6");
        editor.sees("28 94");
        editor.ex("setlocal nonumber");
        editor.eventually_lua(
            "the whole width again",
            "select(2, table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n'):gsub('28 100', '')) == 2",
        );
    }

    fn of_two_windows_the_wider_and_the_taller_count(editor, start => start.size(100, 40)) {
        editor.ex(&format!("TermiRun ++open=current {SHOW_SIZE}"));
        editor.sees("38 100");
        editor.ex("vsplit | vertical resize 30");
        editor.sees("38 69");
        editor.ex("wincmd h | close");
        editor.eventually_lua(
            "the whole width again",
            "select(2, table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n'):gsub('38 100', '')) == 2",
        );
    }

    fn a_run_that_is_shown_again_is_up_to_date(editor) {
        editor.ex("TermiRun ++name=hidden echo early; while [ ! -e go ]; do sleep 0.02; done; echo late; sleep 100");
        editor.sees("early");
        editor.ex("Termi hide");
        editor.sees_no("early");
        editor.home.write("work/go", "");
        editor.eventually_lua("it went on", "vim.tbl_contains(require('termi').snapshot('hidden').lines, 'late')");
        editor.ex("Termi toggle");
        let screen = editor.sees("late");
        assert!(screen.contains("early"), "nothing is lost:\n{screen}");
    }
}

in_each_neovim! {
    fn the_cursors_shape_follows_the_program_where_neovim_can_show_it(editor) {
        // Neovim 0.10 has no shape of its own for terminal mode.
        if editor.version == Version::Newest {
            editor.ex(r"TermiRun printf '\033[6 qbar'; read x; printf '\033[4 qline'; read x; printf '\033[1 qblock'; read x");
            editor.sees("bar");
            editor.is_in_terminal_mode();
            let is = |shape: &str, blinks| {
                let wanted = CursorShape { shape: shape.to_owned(), blinks };
                move |screen: &Grid| screen.cursor_shape() == wanted
            };
            editor.eventually("a steady bar", is("vertical", false));
            editor.input("<CR>");
            editor.sees("line");
            editor.eventually("a steady line", is("horizontal", false));
            editor.input("<CR>");
            editor.sees("block");
            editor.eventually("a blinking block", is("block", true));
        }
    }
}
