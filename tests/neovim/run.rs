//! `:TermiRun`: what a program prints, where it is shown, and the options in front of the command.

use crate::driver::Look;

in_each_neovim! {
    fn the_output_of_a_command_is_seen_with_how_it_ended(editor) {
        editor.ex("TermiRun echo hello from a program");
        editor.sees("hello from a program");
        editor.sees("[Process exited 0 after ");
        let look = editor.screen().look_of("hello from");
        assert!(!look.bold && !look.reverse, "plain text looks plain: {look:?}");
    }

    fn how_a_program_failed_is_said_below_its_output(editor) {
        editor.ex("TermiRun echo before; exit 7");
        let screen = editor.sees("[Process exited 7 after ");
        let (output, _) = screen.find("before").unwrap();
        let (ending, _) = screen.find("[Process exited 7").unwrap();
        assert_eq!(ending, output + 1, "it stands right below the output:\n{screen}");
        assert_eq!(editor.buffer(), ["before"], "it is not taken for output");
        editor.ex("TermiRun kill -SEGV $$");
        editor.sees("by SIGSEGV after ");
    }

    fn attributes_and_colours_are_seen_as_the_program_set_them(editor) {
        editor.ex(r"TermiRun printf '\033[1mbold\033[m \033[3mitalic\033[m \033[4mlined\033[m \033[9mstruck\033[m\n'; printf '\033[38;2;18;52;86mtrue\033[m \033[48;5;196mindexed\033[m \033[7minverse\033[m\n'");
        let screen = editor.sees("[Process exited 0");
        let plain = Look { foreground: None, background: None, ..Look::default() };
        let attributes = |text| Look { foreground: None, background: None, ..screen.look_of(text) };
        assert_eq!(attributes("bold"), Look { bold: true, ..plain });
        assert_eq!(attributes("italic"), Look { italic: true, ..plain });
        assert_eq!(attributes("lined"), Look { underline: true, ..plain });
        assert_eq!(attributes("struck"), Look { strikethrough: true, ..plain });
        assert_eq!(attributes("inverse"), Look { reverse: true, ..plain });
        assert_eq!(screen.look_of("true").foreground, Some(0x12_34_56));
        assert_eq!(screen.look_of("indexed").background, Some(0xff_00_00));
    }

    fn the_sixteen_colours_follow_the_colour_scheme_as_in_a_terminal(editor) {
        editor.lua("vim.g.terminal_color_1 = '#aa1122'; vim.g.terminal_color_12 = '#3344ff'");
        editor.ex(r"TermiRun printf '\033[31mdark\033[m \033[94mbright\033[m\n'");
        let screen = editor.sees("[Process exited 0");
        assert_eq!(screen.look_of("dark").foreground, Some(0xaa_11_22));
        assert_eq!(screen.look_of("bright").foreground, Some(0x33_44_ff));
    }

    fn wide_characters_emoji_and_combining_marks_stand_in_their_cells(editor) {
        let text = editor.home.write("work/wide", "日本語|\n😀👍|\ne\u{301}o\u{308}|\nплощадь|\n");
        editor.ex(&format!("TermiRun cat {}", text.display()));
        let screen = editor.sees("[Process exited 0");
        let (top, left) = screen.find("日本語").unwrap();
        assert_eq!(screen.cell(top, left + 6), "|", "each is two cells wide:\n{screen}");
        assert_eq!(screen.cell(top + 1, left), "😀");
        assert_eq!(screen.cell(top + 1, left + 4), "|", "so is an emoji:\n{screen}");
        assert_eq!(screen.cell(top + 2, left), "e\u{301}", "a mark shares its letter's cell");
        assert_eq!(screen.cell(top + 2, left + 2), "|");
        assert_eq!(screen.line(top + 3), "площадь|");
    }

    fn the_tab_pages_termi_window_is_used_again_and_a_bang_makes_another(editor) {
        let windows = "return #vim.api.nvim_tabpage_list_wins(0)";
        editor.ex("TermiRun echo first");
        editor.sees("first");
        assert_eq!(editor.lua_number(windows), 2);
        editor.ex("TermiRun echo second; sleep 100");
        editor.sees("second");
        editor.sees_no("first");
        assert_eq!(editor.lua_number(windows), 2);
        editor.ex("TermiRun! echo third");
        editor.sees("third");
        editor.sees("second");
        assert_eq!(editor.lua_number(windows), 3);
        editor.ex("tabnew");
        editor.ex("TermiRun echo elsewhere");
        let screen = editor.sees("elsewhere");
        assert!(!screen.contains("third"), "a tab page has its own Termi window:\n{screen}");
    }

    fn open_says_where_the_run_is_shown(editor) {
        for (how, windows, tabs, floats) in [
            ("split", 2, 1, false),
            ("vsplit", 2, 1, false),
            ("float", 2, 1, true),
            ("current", 1, 1, false),
            ("tab", 1, 2, false),
        ] {
            editor.ex("lua vim.iter(vim.api.nvim_list_wins()):skip(1):each(function(win) vim.api.nvim_win_close(win, true) end)");
            editor.ex("enew");
            editor.ex(&format!("TermiRun ++open={how} echo shown in {how}; sleep 100"));
            editor.sees(&format!("shown in {how}"));
            assert_eq!(editor.lua_number("return #vim.api.nvim_tabpage_list_wins(0)"), windows, "{how}");
            assert_eq!(editor.lua_number("return #vim.api.nvim_list_tabpages()"), tabs, "{how}");
            let is_float = editor.lua("return vim.api.nvim_win_get_config(0).relative ~= ''");
            assert_eq!(is_float.as_bool(), Some(floats), "{how}");
            assert_eq!(editor.lua_text("return vim.bo.filetype"), "termi", "{how}");
        }
    }

    fn a_run_that_is_opened_nowhere_runs_all_the_same(editor) {
        editor.ex("TermiRun ++open=none ++name=unseen touch made-unseen; sleep 100");
        let made = editor.home.work().join("made-unseen");
        crate::home::eventually("the program runs", || made.exists());
        assert_eq!(editor.lua_number("return #vim.api.nvim_tabpage_list_wins(0)"), 1);
        assert_eq!(editor.lua_text("return vim.bo.filetype"), "");
        editor.ex("Termi show unseen");
        assert_eq!(editor.lua_text("return vim.bo.filetype"), "termi");
    }

    fn a_split_is_as_high_and_wide_as_the_options_say(editor, start => start.size(100, 40).setup(
        "{ split = { position = 'above', size = 10 }, vsplit = { position = 'left', size = 0.3 } }"
    )) {
        editor.ex("TermiRun stty size; sleep 100");
        let screen = editor.sees("10 100");
        assert_eq!(screen.find("10 100").unwrap().0, 0, "it is above:\n{screen}");
        editor.ex("only | enew");
        editor.ex("TermiRun ++open=vsplit stty size; sleep 100");
        let screen = editor.sees("38 30");
        assert_eq!(screen.find("38 30").unwrap(), (0, 0), "it is at the left:\n{screen}");
    }

    fn a_session_is_named_grouped_and_used_again(editor) {
        editor.ex("TermiRun ++name=build ++group=ci sleep 101");
        editor.ex("TermiRun ++session=build sleep 102");
        let found = editor.lua_text(
            "local _, session = next(require('termi').sessions())
             return ('%s %s %d'):format(session.name, session.group, #session.processes)",
        );
        assert_eq!(found, "build ci 2");
        let name = editor.lua_text("return vim.api.nvim_buf_get_name(0)");
        let run = editor.lua_text("return vim.b.termi.run_id:sub(1, 8)");
        assert_eq!(name, format!("termi://build/{run}"));
    }

    fn cwd_is_where_the_program_runs(editor) {
        let folder = editor.home.work().join("a folder");
        std::fs::create_dir(&folder).unwrap();
        editor.ex(r#"TermiRun ++cwd=a\ folder basename "$PWD""#);
        editor.sees("[Process exited 0");
        assert_eq!(editor.buffer(), ["a folder"]);
        editor.ex("lcd a\\ folder");
        editor.ex(r#"TermiRun basename "$PWD"; echo and here"#);
        editor.sees("and here");
        assert_eq!(editor.buffer(), ["a folder", "and here"], "without it, the window's directory");
    }

    fn timeout_and_idle_end_a_run_and_the_buffer_says_so(editor) {
        editor.ex("TermiRun ++timeout=300ms echo started; sleep 100");
        editor.sees("[Process timed out");
        editor.ex("TermiRun ++idle=300ms echo once; sleep 100");
        editor.sees("once");
        editor.sees("[Process timed out");
        crate::home::eventually("both are gone", || !editor.home.runs("sleep 100"));
    }

    fn the_command_reaches_the_shell_untouched(editor) {
        editor.ex(r#"TermiRun echo "50% of #1" 'a  b' \\ $((6*7)) | tr a-z A-Z"#);
        editor.sees("[Process exited 0");
        assert_eq!(editor.buffer(), [r"50% OF #1 A  B \ 42"]);
    }

    fn a_wrong_option_gets_one_readable_error(editor) {
        for (command, complaint) in [
            ("TermiRun ++colour=red ls", "termi: ++colour is not an option. :help :TermiRun lists them."),
            ("TermiRun ++open=sideways ls", "termi: ++open=sideways must be one of split, vsplit,"),
            ("TermiRun ++timeout=soon ls", "termi: ++timeout=soon is not a duration."),
            ("TermiRun ++name= ls", "termi: ++name needs a value"),
            ("TermiRun ++cwd=no/such/folder ls", "no/such/folder"),
            ("TermiRun ++session=../y ls", "../y"),
            ("TermiRun ++name=../x ls", "../x"),
            ("Termi dance", "termi: `dance` is not a subcommand."),
        ] {
            // A long message asks for a key. This one does nothing where none is asked for.
            editor.input(&format!(":{command}<CR><C-\\><C-n>"));
            let said = editor.hears(complaint);
            assert_eq!(said.matches("termi: ").count(), 1, "one error:\n{said}");
            for noise in ["traceback", ".lua:", "E5108"] {
                assert!(!said.contains(noise), "{noise} is for nobody to read:\n{said}");
            }
            assert_eq!(editor.lua_number("return #vim.api.nvim_tabpage_list_wins(0)"), 1, "{command}: no window stays");
            assert_eq!(editor.lua_number("return #vim.tbl_keys(require('termi').sessions())"), 0, "{command}");
        }
        editor.ex("TermiRun echo all is well");
        editor.sees("all is well");
    }

    fn terminal_mode_is_entered_with_a_run_as_configured(editor) {
        editor.ex("TermiRun sleep 100");
        editor.is_in_terminal_mode();
        editor.set_up("{ start_insert = false }");
        editor.ex("TermiRun echo calm; sleep 100");
        editor.sees("calm");
        assert_eq!(editor.lua_text("return vim.api.nvim_get_mode().mode"), "nt");
    }

    fn terminal_windows_have_the_options_of_terminals_and_others_keep_theirs(editor) {
        editor.ex("set number relativenumber signcolumn=yes scrolloff=5 list");
        let options = "return ('%s %s %s %d %s'):format(
            vim.wo.number, vim.wo.relativenumber, vim.wo.signcolumn, vim.wo.scrolloff, vim.wo.list)";
        editor.ex("TermiRun ++open=current sleep 100");
        assert_eq!(editor.lua_text(options), "false false no 0 false");
        editor.ex("enew");
        assert_eq!(editor.lua_text(options), "true true yes 5 true");
    }
}
