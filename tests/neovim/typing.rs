//! What is typed, pasted or clicked reaches the program as in any terminal.

/// Starts a program that shows each byte it reads, as `cat -v` does, in a terminal without echo.
const SHOW_INPUT: &str = "stty raw -echo; printf 'ready\\r\\n'; cat -v";

in_each_neovim! {
    fn a_shell_is_typed_into(editor) {
        editor.ex("TermiRun");
        editor.sees("$ ");
        editor.type_text("echo '<answer>' $((40 + 2))");
        editor.input("<CR>");
        editor.sees("<answer> 42");
        // The arrow up brings it back; the arrows left move into it.
        editor.input("<Up><Left><Left>");
        editor.type_text("+ 1");
        editor.input("<CR>");
        editor.sees("<answer> 43");
        editor.type_text("exit 3");
        editor.input("<CR>");
        editor.sees("[Process exited 3");
    }

    fn control_c_interrupts_the_program_and_not_the_shell(editor) {
        editor.ex("TermiRun");
        editor.sees("$ ");
        editor.type_text("sleep 100; echo \"status $?\"");
        editor.input("<CR>");
        crate::home::eventually("it runs", || editor.home.runs("sleep 100"));
        editor.input("<C-c>");
        editor.sees("^C");
        editor.type_text("echo after $?");
        editor.input("<CR>");
        editor.sees("after 130");
    }

    fn keys_have_the_codes_that_the_programs_modes_ask_for(editor) {
        editor.ex(&format!("TermiRun {}", SHOW_INPUT));
        editor.sees("ready");
        editor.input("<Up><F5><M-x>é<C-Space>");
        editor.sees("^[[A^[[15~^[xM-CM-)^@");
        editor.ex(&format!("TermiRun printf '\\033[?1h'; {}", SHOW_INPUT));
        editor.sees("ready");
        editor.input("<Up><Down>");
        editor.sees("^[OA^[OB");
    }

    fn a_paste_is_bracketed_for_a_program_that_asked_for_it(editor) {
        editor.ex(&format!("TermiRun printf '\\033[?2004h'; {}", SHOW_INPUT));
        editor.sees("ready");
        editor.is_in_terminal_mode();
        editor.paste("one\ntwo");
        editor.sees("^[[200~one");
        editor.sees("two^[[201~");
    }

    fn a_paste_is_plain_for_a_program_that_did_not_ask(editor) {
        editor.ex(&format!("TermiRun {}", SHOW_INPUT));
        editor.sees("ready");
        editor.is_in_terminal_mode();
        editor.paste("one\ntwo");
        let screen = editor.sees("two");
        assert!(!screen.contains("200~"), "no brackets:\n{screen}");
    }

    fn a_paste_of_several_lines_is_not_carried_out_by_a_shell(editor) {
        editor.ex("TermiRun bash --norc");
        editor.sees("bash-");
        editor.is_in_terminal_mode();
        editor.paste("touch one\ntouch two\n");
        editor.sees("touch two");
        assert!(!editor.home.work().join("one").exists(), "it waits for <CR>");
        editor.input("<CR>");
        let two = editor.home.work().join("two");
        crate::home::eventually("both are carried out", || two.exists());
    }

    fn no_key_of_a_paste_reaches_a_program_however_it_is_pasted(editor) {
        // Neovim itself takes out escapes, tabs, backspace and delete.
        let attack = "a\u{3}b\u{4}c\u{15}d\u{9b}e\tf";
        editor.lua(&format!("vim.fn.setreg('a', [[{attack} by put]])"));
        for modes in ["", "\\033[?2004h"] {
            editor.ex(&format!("TermiRun! printf '{modes}'; {SHOW_INPUT}"));
            editor.sees("ready");
            editor.is_in_terminal_mode();
            editor.paste(&format!("{attack} by paste\nline"));
            editor.input("!");
            // A terminal UI pastes what is large in parts.
            for (part, phase) in [("start\u{3}", 1), (" middle\u{4}\n", 2), ("end", 3)] {
                editor.lua(&format!("vim.api.nvim_paste([[{part}]], true, {phase})"));
            }
            editor.input("?");
            editor.sees("end");
            editor.input("<C-\\><C-n>");
            editor.input("\"apa");
            editor.sees("by put");
            editor.input(".<C-c>");
            editor.sees(".^C");
            let text = editor.buffer().join("");
            let typed = text.split_once("ready").unwrap().1.trim_end();
            let (begin, end) = if modes.is_empty() { ("", "") } else { ("^[[200~", "^[[201~") };
            let pasted = |text: &str| format!("{begin}{text}{end}");
            let wanted = [
                pasted("abcdef by paste^Mline"),
                "!".to_owned(),
                pasted("start middle^Mend"),
                "?".to_owned(),
                pasted("abcdef by put"),
                ".^C".to_owned(),
            ];
            assert_eq!(typed, wanted.concat());
            editor.ex("Termi kill");
            editor.sees("[Process ");
            editor.ex("bwipeout!");
            editor.take_messages();
        }
    }

    fn a_paste_with_control_characters_is_not_carried_out_by_a_shell(editor) {
        editor.ex("TermiRun ++name=shell bash --norc");
        editor.sees("bash-");
        editor.is_in_terminal_mode();
        let file = editor.home.work().join("carried-out");
        editor.paste("echo a\u{3}\ntouch carried-out\n");
        editor.sees("touch carried-out");
        editor.ex("new");
        // A selection, a range, and one line alone are no keys either.
        editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'echo b\\3', 'touch carried-out', 'x\\3touch carried-out\\15' })");
        editor.ex("1,2Termi send! shell");
        editor.ex("3Termi send! shell");
        editor.lua("require('termi').send('shell', { 'last\\3' })");
        editor.eventually_lua("all is typed", "table.concat(require('termi').snapshot('shell').lines, ''):find('last')");
        assert!(!file.exists(), "{}", editor.screen());
        editor.ex("Termi kill shell");
        editor.hears("Killed 1/1");
        assert!(!file.exists());
    }

    fn mouse_reports_reach_a_program_that_asks_for_them(editor) {
        editor.ex("set mouse=a");
        editor.ex(&format!("TermiRun printf '\\033[?1000h\\033[?1006h'; {}", SHOW_INPUT));
        let (row, column) = editor.sees("ready").find("ready").unwrap();
        editor.is_in_terminal_mode();
        editor.mouse("left", "press", row + 3, column + 7);
        editor.mouse("left", "release", row + 3, column + 7);
        editor.sees("^[[<0;8;4M^[[<0;8;4m");
        editor.mouse("wheel", "down", row + 1, column);
        editor.sees("^[[<65;1;2M");
    }

    fn a_chat_of_ten_thousand_keys_arrives_in_order(editor) {
        editor.ex("TermiRun stty -echo; echo ready; head -n 200 | cksum");
        editor.sees("ready");
        let mut all = String::new();
        for line in 0..200 {
            all.push_str(&format!("line {line} of what is typed, fifty characters long.\n"));
        }
        let file = editor.home.write("work/typed", &all);
        editor.input(&all.replace('\n', "<CR>"));
        editor.sees("[Process exited 0");
        let typed = editor.buffer().pop().unwrap();
        let sum = std::process::Command::new("cksum").stdin(std::fs::File::open(file).unwrap()).output().unwrap();
        assert_eq!(typed.trim(), String::from_utf8(sum.stdout).unwrap().trim());
    }

    fn text_and_lines_are_sent_from_another_buffer(editor) {
        editor.ex("TermiRun ++name=reader stty -echo; echo ready; cat");
        editor.sees("ready");
        editor.ex("wincmd w");
        editor.ex("Termi send reader typed from elsewhere");
        editor.sees("typed from elsewhere");
        editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'alpha line', 'beta line', 'gamma line' })");
        editor.ex("2,3Termi send reader");
        editor.eventually_lua(
            "both lines arrive",
            "vim.tbl_contains(require('termi').snapshot('reader').lines, 'gamma line')",
        );
        let lines = editor.lua_texts("return require('termi').snapshot('reader').lines");
        assert!(lines.contains(&"beta line".to_owned()) && !lines.contains(&"alpha line".to_owned()), "{lines:?}");
    }
}
