//! Reading what a program printed, while it runs and after it has ended.

use crate::driver::Editor;

/// Runs what prints 300 lines first, and reads at one of them.
fn read_at(editor: &mut Editor, program: &str, line: u32) {
    editor.ex(&format!("TermiRun {program}"));
    editor.eventually_lua("all is there", "vim.api.nvim_buf_line_count(0) > 299");
    editor.ex(&line.to_string());
    editor.eventually_lua("it is held", "require('termi.model.views').last().held");
}

in_each_neovim! {
    fn what_left_the_screen_is_read_and_searched_in_normal_mode(editor) {
        editor.ex("TermiRun seq -f 'line %g of many' 1 500; sleep 100");
        editor.sees("line 500 of many");
        editor.input("<C-\\><C-n>gg");
        editor.sees("line 1 of many");
        editor.ex("/line 250 of");
        let screen = editor.sees("line 250 of many");
        assert_eq!(screen.find("line 250 of").unwrap().0, screen.cursor().0, "the cursor is on it:\n{screen}");
        editor.input("GA");
        editor.is_in_terminal_mode();
        editor.sees("line 500 of many");
    }

    fn reading_further_up_is_not_disturbed_by_new_output(editor) {
        editor.ex("TermiRun seq 1 300; while read x; do seq -f \"$x %g\" 1 50; done");
        editor.eventually_lua("all is there", "vim.api.nvim_buf_line_count(0) > 299");
        editor.ex("100");
        editor.ex("normal! zt");
        let (row, _) = editor.sees("100").cursor();
        assert_eq!(editor.screen().line(row), "100");
        editor.eventually_lua("it is held", "require('termi.model.views').last().held");
        editor.lua("require('termi').send(vim.b.termi.session_id, 'more', { enter = true })");
        let screen = editor.sees(" \u{2193} 51 new lines ");
        assert_eq!(screen.line(row), "100", "what is read stays:\n{screen}");
        assert_eq!(screen.cursor().0, row);
        editor.input("G");
        let screen = editor.sees("more 50");
        assert!(!screen.contains("new lines"), "{screen}");
    }

    fn the_notice_goes_when_its_window_shows_something_else(editor) {
        read_at(editor, "seq 1 300; while read x; do seq -f \"$x %g\" 1 50; done", 100);
        editor.lua("require('termi').send(vim.b.termi.session_id, 'more', { enter = true })");
        editor.sees(" \u{2193} 51 new lines ");
        editor.ex("enew");
        editor.sees_no("new lines");
    }

    fn how_a_run_ended_is_said_in_the_corner_while_someone_reads_and_below_its_text_then(editor) {
        read_at(editor, "seq 1 300; read x; seq 301 310; exit 4", 290);
        editor.lua("require('termi').send(vim.b.termi.session_id, '', { enter = true })");
        let screen = editor.sees(" new lines  [Process exited 4");
        assert_eq!(screen.to_string().matches("[Process exited").count(), 1, "in the corner alone:\n{screen}");
        editor.input("G");
        editor.sees("310");
        let screen = editor.sees_no("new lines");
        assert_eq!(screen.to_string().matches("[Process exited 4").count(), 1, "{screen}");
    }

    fn what_is_missing_above_the_screen_is_said_to_who_reads_in_a_flood(editor) {
        editor.ex("TermiRun sh -c 'seq 1 100; read x; seq 101 1000000000'");
        editor.eventually_lua("all is there", "vim.api.nvim_buf_line_count(0) > 99");
        editor.lua("require('termi').send(vim.b.termi.session_id, '', { enter = true })");
        editor.eventually_lua("it is far behind", "(tonumber(vim.fn.getline('$')) or 0) > 100000");
        editor.input("<C-\\><C-n>10k");
        editor.eventually_lua("it is held", "require('termi.model.views').last().held");
        editor.eventually_lua("word has come", "require('termi.model.views').last().skipped_rows");
        editor.ex("execute line('$') - winheight(0)");
        editor.sees("lines are not shown here while you read");
        editor.input("G");
        editor.sees_no("while you read");
    }

    fn all_lines_are_in_the_buffer_in_order_when_the_program_has_ended(editor) {
        for _ in 0..3 {
            editor.ex("TermiRun seq 1 1000");
            editor.sees("[Process exited 0");
            let screen = editor.screen();
            assert!(screen.contains("1000"), "the last line is seen:\n{screen}");
            let expected: Vec<String> = (1..=1000).map(|number: i32| number.to_string()).collect();
            let lines = editor.buffer();
            let differs = lines.iter().zip(&expected).find(|(is, wanted)| is != wanted);
            assert_eq!(differs, None);
            assert_eq!(lines.len(), 1000);
        }
    }

    fn a_flood_ends_with_its_last_line(editor) {
        editor.ex("TermiRun seq 1 200000");
        editor.sees("[Process exited 0");
        editor.sees("200000");
        assert_eq!(editor.buffer().pop().unwrap(), "200000");
        editor.eventually_lua("the lines before are brought in", "vim.api.nvim_buf_line_count(0) > 1000");
        // Where the editor could not keep up, a line says how much was left out.
        let lines = editor.buffer();
        let (left_out, numbers): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("lines"));
        let numbers: Vec<i64> = numbers.iter().map(|line| line.parse().unwrap_or_else(|_| panic!("{line:?}"))).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "what is kept is in order");
        assert!(!left_out.is_empty() || numbers.len() >= 10_000, "{} lines from {:?}", lines.len(), &lines[..3]);
    }

    fn a_run_that_has_ended_stays_readable_and_takes_no_keys(editor) {
        editor.ex("TermiRun printf 'final words'; exit 2");
        editor.sees("[Process exited 2");
        editor.eventually_lua("normal mode", "vim.api.nvim_get_mode().mode:find('n')");
        let row = editor.screen().find("final words").unwrap().0;
        for keys in ["i", "A", "abc", "<CR>", "<Esc>", "<C-\\><C-n>", "gg", "G", "a", "<C-\\><C-n>", "p"] {
            editor.input(keys);
            editor.settle();
        }
        editor.input("<C-\\><C-n>");
        editor.settle();
        let screen = editor.screen();
        assert_eq!(screen.find("final words").unwrap().0, row, "it still stands there:\n{screen}");
        assert!(screen.contains("[Process exited 2"), "{screen}");
        assert_eq!(editor.take_messages().matches("E21").count(), 0);
    }

    fn the_line_that_says_how_it_ended_comes_into_view_when_the_screen_is_full(editor) {
        editor.ex("TermiRun seq 1 40; printf end");
        let screen = editor.sees("[Process exited 0");
        let (row, _) = screen.find("end").unwrap();
        assert_eq!(screen.find("[Process exited 0").unwrap().0, row + 1, "{screen}");
    }

    fn the_line_stays_in_view_when_neovim_brings_the_buffer_up_to_date_late(editor) {
        editor.ex("TermiRun seq 1 40; printf end");
        editor.sees("[Process exited 0");
        // As when the end is told right after the last words.
        editor.lua(
            "local buf = vim.fn.bufnr('termi://seq')
            vim.api.nvim_chan_send(require('termi.model.views').of_buf(buf).chan, '\\27[H\\27[99;4H')
            require('termi.view.exit_status').show(buf, '[Process exited 0 at last]', false)
            vim.defer_fn(function() vim.g.later = 1 end, 100)",
        );
        editor.eventually_lua("the update", "vim.g.later == 1");
        editor.sees("[Process exited 0 at last]");
    }

    fn a_soft_wrapped_line_is_one_line_of_the_transcript(editor) {
        let long = "word ".repeat(60);
        let file = editor.home.write("work/long", format!("{long}\n"));
        editor.ex(&format!("TermiRun cat {}; seq 1 50", file.display()));
        editor.sees("[Process exited 0");
        editor.ex("Termi transcript");
        editor.eventually_lua("the transcript", "vim.fn.bufname():find('^termi%-transcript://')");
        let lines = editor.buffer();
        assert_eq!(lines[0].trim_end(), long.trim_end());
        assert_eq!(lines.last().unwrap(), "50");
    }

    /// Neovim has room for some 20,000 groups of all plugins together, and frees none of them.
    fn a_picture_of_many_colours_leaves_other_plugins_their_highlight_groups(editor, start => start.size(130, 20)) {
        let cells = "for (n = 0; n < 24000; n++) printf \"\\033[38;2;%d;%d;%dm#%s\", n % 256, n / 256, n % 251, n % 100 == 99 ? \"\\n\" : \"\"";
        let program = editor.home.write("work/picture.awk", format!("BEGIN {{ {cells}; print \"\\033[m\\033[31mplain red\" }}\n"));
        editor.ex(&format!("TermiRun awk -f {}", program.display()));
        editor.sees("[Process exited 0");
        editor.ex("Termi transcript");
        editor.eventually_lua("the last line has its colour",
            "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('termi.transcript'), {vim.fn.line('$') - 1, 0}, -1, {}) > 0");
        let groups = "return #vim.tbl_filter(function(name) return name:find('^TermiText') end, vim.tbl_keys(vim.api.nvim_get_hl(0, {})))";
        let count = editor.lua_number(groups);
        assert!((1000..=2000).contains(&count), "{count} groups");
        editor.ex("highlight OthersOwn guifg=#123456");
        assert_eq!(editor.lua_number("return vim.api.nvim_get_hl(0, { name = 'OthersOwn' }).fg"), 0x12_3456);
    }

    fn restart_runs_the_program_again_in_the_same_buffer(editor) {
        editor.ex("TermiRun echo run >> runs; wc -l < runs; test $(wc -l < runs) -gt 1 && sleep 100");
        editor.sees("[Process exited 1");
        let buffer = editor.lua_number("return vim.api.nvim_get_current_buf()");
        editor.ex("Termi restart");
        editor.sees("2");
        editor.sees_no("[Process exited");
        assert_eq!(editor.lua_number("return vim.api.nvim_get_current_buf()"), buffer);
    }
}
