//! `:TermiSessions`: the live list, its keys, and how it fits its window.

in_each_neovim! {
    fn an_empty_list_says_what_to_do(editor) {
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        editor.sees(":TermiRun {command} starts one");
        assert_eq!(editor.lua_text("return vim.bo.filetype"), "termi-sessions");
    }

    fn the_list_shows_what_runs_and_follows_what_happens(editor, start => start.size(140, 40)) {
        editor.ex("TermiRun ++name=server ++open=none echo listening on 80; sleep 100");
        editor.ex("TermiRun ++name=failing ++open=none exit 3");
        editor.ex("TermiSessions");
        let screen = editor.eventually("both rows", |screen| {
            screen.contains("listening on 80") && screen.contains("exited 3")
        });
        let header = screen.line(screen.find("Status").unwrap().0);
        for title in ["Name", "Command", "PID", "Age", "CPU", "Mem", "Last line"] {
            assert!(header.contains(title), "{title} is a column:\n{screen}");
        }
        let server = screen.line(screen.find("server").unwrap().0);
        assert!(server.contains("running"), "{server}");
        let pid = editor.lua_number(
            "for _, session in pairs(require('termi').sessions()) do
               if session.name == 'server' then return session.processes[1].pid end
             end",
        );
        assert!(server.contains(&format!(" {pid} ")), "{server}");
        editor.lua("require('termi').run({ cmd = 'sleep 103', name = 'newcomer', open = 'none' })");
        editor.sees("newcomer");
        editor.lua("require('termi').kill('server')");
        editor.eventually("the server's row says so", |screen| {
            screen.find("server").is_some_and(|(row, _)| screen.line(row).contains("killed"))
        });
    }

    fn the_cursor_stays_on_its_session_when_rows_move(editor) {
        editor.ex("TermiRun ++name=bb ++group=zz ++open=none sleep 100");
        editor.ex("TermiSessions");
        let (row, _) = editor.sees("bb @zz").find("bb @zz").unwrap();
        assert_eq!(editor.screen().cursor().0, row);
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = 'aa', group = 'aa', open = 'none' })");
        editor.sees("aa @aa");
        editor.eventually("the cursor follows its row down", |screen| {
            screen.find("bb @zz").is_some_and(|(now, _)| now == row + 1 && screen.cursor().0 == now)
        });
    }

    fn its_keys_show_kill_restart_rename_and_dismiss(editor) {
        editor.ex("TermiRun ++name=victim ++open=none echo in view; sleep 100");
        editor.ex("TermiSessions");
        editor.sees("victim");
        editor.input("K");
        editor.sees("killed");
        editor.hears("Killed 1/1 processes");
        editor.input("R");
        editor.sees("running");
        editor.input("x");
        editor.hears("victim still runs");
        editor.input("r");
        editor.input("<C-u>phoenix<CR>");
        editor.sees("phoenix");
        editor.sees_no("victim");
        editor.input("<CR>");
        editor.eventually_lua("its run is shown", "vim.bo.filetype == 'termi'");
        editor.sees("in view");
        assert!(editor.lua_text("return vim.api.nvim_buf_get_name(0)").starts_with("termi://phoenix/"));
        editor.ex("TermiSessions");
        editor.input("K");
        // The list's own word: the run's buffer says it too, and a moment earlier.
        editor.sees("■ killed");
        editor.input("x");
        editor.sees("No sessions yet.");
        editor.take_messages();
    }

    fn the_list_is_closed_and_helps(editor) {
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        editor.input("?");
        editor.sees("kill the run and all its processes");
        editor.input("q");
        editor.sees_no("kill the run and all its processes");
        editor.input("q");
        editor.sees_no("No sessions yet.");
    }

    fn a_key_on_no_session_says_so(editor) {
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        editor.input("K");
        editor.hears("there is no run on this line");
    }

    fn forty_sessions_are_listed_and_scrolled(editor) {
        editor.lua("for number = 1, 40 do
            require('termi').run({ cmd = { 'sleep', '100' }, name = ('job-%02d'):format(number), open = 'none' })
        end");
        editor.ex("TermiSessions");
        editor.sees("job-01");
        assert_eq!(editor.lua_number("return vim.api.nvim_buf_line_count(0)"), 41);
        editor.input("G");
        editor.sees("job-40");
        editor.ex("TermiKill all");
        editor.hears("Killed 40/40 processes");
    }

    fn a_narrow_list_keeps_what_matters(editor, start => start.size(30, 24)) {
        editor.lua("require('termi').run({ cmd = 'sleep 100', open = 'none',
            name = 'a-session-with-a-name-far-longer-than-the-window' })");
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = '日本語のとても長い名前のセッションです', open = 'none' })");
        editor.ex("TermiSessions");
        let screen = editor.eventually("both rows", |screen| screen.contains("a-session") && screen.contains("日本語"));
        for name in ["a-session", "日本語"] {
            let line = screen.line(screen.find(name).unwrap().0);
            assert!(line.contains('…'), "it is cut where the window ends: {line:?}");
        }
        let rows = editor.lua_texts("return vim.api.nvim_buf_get_lines(0, 0, -1, false)");
        let widest = editor.lua_number(
            "return vim.iter(vim.api.nvim_buf_get_lines(0, 0, -1, false)):map(vim.fn.strdisplaywidth):fold(0, math.max)",
        );
        assert!(widest <= 30, "no row is wider than the window: {rows:#?}");
    }

    fn a_wide_list_uses_the_room(editor, start => start.size(200, 30)) {
        let text = "something to say ".repeat(6);
        editor.lua(&format!("require('termi').run({{ cmd = 'echo {text}; sleep 100', name = 'talker', open = 'none' }})"));
        editor.ex("TermiSessions");
        editor.sees(text.trim());
    }

    fn runs_of_one_session_are_a_tree(editor) {
        editor.ex("TermiRun ++name=many ++open=none sleep 101");
        editor.ex("TermiRun ++session=many ++open=none sleep 102");
        editor.ex("TermiRun ++session=many ++open=none sleep 103");
        editor.ex("TermiSessions");
        let screen = editor.eventually("three rows", |screen| screen.contains("sleep 103"));
        let row = screen.find("many").unwrap().0;
        assert!(screen.line(row + 1).contains("├ "), "{screen}");
        assert!(screen.line(row + 2).contains("└ "), "{screen}");
    }
}
