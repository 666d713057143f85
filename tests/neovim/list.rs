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
        editor.sees("running   bb");
        editor.input("sj");
        let row = editor.sees("running   bb").find("running   bb").unwrap().0;
        editor.eventually("the cursor is on it", |screen| screen.cursor().0 == row);
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = 'aa', group = 'aa', open = 'none' })");
        editor.sees("running   aa");
        // The newcomer's group and its line come above.
        editor.eventually("the cursor follows its row down", |screen| {
            screen.find("running   bb").is_some_and(|(now, _)| now == row + 2 && screen.cursor().0 == now)
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

    fn its_help_is_scrolled_where_the_screen_is_too_small(editor, start => start.size(30, 24)) {
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        editor.input("?");
        let screen = editor.sees("Termi sessions ─");
        assert!(screen.contains("j ↓ ") && screen.contains(" more ╯"), "it says that there is more:\n{screen}");
        assert!(!screen.contains("@@@") && !screen.contains("this help"), "{screen}");
        assert!(!screen.contains("k ↑"), "nothing is above:\n{screen}");
        editor.input("j");
        editor.sees("k ↑ 1 ");
        editor.input("G");
        let screen = editor.sees("this help");
        assert!(!screen.contains("j ↓ "), "nothing is below:\n{screen}");
        editor.resize(80, 40);
        let screen = editor.sees("show the run in the Termi window; fold a group; connect a host");
        assert!(screen.contains("this help") && !screen.contains(" more ╯"), "all of it is seen:\n{screen}");
        editor.input("q");
        editor.sees_no("this help");
    }

    fn a_filter_cuts_no_title(editor, start => start.size(80, 24)) {
        editor.ex("TermiRun ++name=worker ++open=none sleep 200");
        editor.ex("TermiRun ++name=server ++open=none sleep 100");
        editor.ex("TermiSessions");
        editor.sees("server");
        for filter in ["s", "sl", "sle", "slee", "sleep", "sleep 1", "sleep 10"] {
            editor.input(&format!("f<C-u>{filter}<CR>"));
            let screen = editor.sees(&format!("  filter: {filter} "));
            let bar = screen.line(screen.find("filter: ").unwrap().0);
            let titles: Vec<_> = bar.split("filter: ").next().unwrap().split("  ").map(str::trim).collect();
            for title in titles.into_iter().filter(|title| !title.is_empty()) {
                let whole = ["Status", "Name", "Command", "PID", "↓Age", "CPU", "Mem", "Last line"];
                assert!(whole.contains(&title), "{title:?} is no title: {bar:?}");
            }
        }
    }

    fn the_summary_of_a_group_takes_empty_cells_before_it_is_cut(editor, start => start.size(60, 20)) {
        for name in ["a-session-with-a-name-far-too-long", "another-session-with-a-name-far-too-long"] {
            editor.ex(&format!("TermiRun ++name={name} ++group=web ++open=none echo many words in a long command; sleep 100"));
        }
        editor.ex("TermiSessions");
        editor.sees("…  echo");
        editor.sees("2 sessions: 2 running");
    }

    fn a_key_on_no_session_says_so(editor) {
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        editor.input("K");
        editor.hears("no run is on this line");
    }

    fn forty_sessions_are_listed_and_scrolled(editor) {
        editor.lua("for number = 1, 40 do
            require('termi').run({ cmd = { 'sleep', '100' }, name = ('job-%02d'):format(number), open = 'none' })
        end");
        editor.ex("TermiSessions");
        editor.sees("job-01");
        assert_eq!(editor.lua_number("return vim.api.nvim_buf_line_count(0)"), 40);
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
        let screen = editor.eventually("all rows", |screen| screen.contains("sleep 103"));
        let row = screen.find("many").unwrap().0;
        assert!(screen.line(row).contains("3 runs: 3 running"), "{screen}");
        assert!(screen.line(row + 1).contains("├ "), "{screen}");
        assert!(screen.line(row + 2).contains("├ "), "{screen}");
        assert!(screen.line(row + 3).contains("└ "), "{screen}");
    }

    fn sessions_and_groups_fold(editor) {
        editor.ex("TermiRun ++name=many ++group=web ++open=none sleep 101");
        editor.ex("TermiRun ++session=many ++open=none sleep 102");
        editor.ex("TermiRun ++name=other ++group=web ++open=none sleep 103");
        editor.ex("TermiSessions");
        let screen = editor.eventually("all rows", |screen| screen.contains("sleep 102") && screen.contains("sleep 103"));
        let heading = screen.line(screen.find("▾ web").unwrap().0);
        assert!(heading.contains("2 sessions: 3 running"), "{heading}");
        // From a run of it, the session folds, and the cursor is on its line.
        editor.input("jjza");
        let screen = editor.sees_no("sleep 102");
        let many = screen.find("many").unwrap().0;
        assert!(screen.line(many).starts_with('▸'), "{screen}");
        assert_eq!(screen.cursor().0, many);
        editor.input("zo");
        editor.sees("sleep 102");
        editor.input("gg<CR>");
        editor.sees("▸ web");
        editor.sees_no("sleep 103");
        editor.input("zR");
        editor.sees("sleep 103");
        editor.input("zM");
        editor.sees("▸ web");
        editor.sees_no("many");
    }

    fn a_key_sorts_by_one_thing_after_another(editor, start => start.size(140, 30)) {
        editor.ex("TermiRun ++name=bbb ++open=none sleep 100");
        editor.ex("TermiRun ++name=aaa ++open=none exit 3");
        editor.ex("TermiRun ++name=ccc ++open=none sleep 100");
        editor.ex("TermiSessions");
        let order = |names: [&'static str; 3]| move |screen: &crate::driver::Grid| {
            let rows = names.map(|name| screen.find(name).map(|found| found.0));
            rows.iter().all(Option::is_some) && rows.is_sorted()
        };
        editor.sees("exited 3");
        editor.sees("↓Age");
        editor.eventually("the oldest is first", order(["bbb", "aaa", "ccc"]));
        editor.input("s");
        editor.sees("Name ↑");
        editor.eventually("by name", order(["aaa", "bbb", "ccc"]));
        editor.input("S");
        editor.sees("Name ↓");
        editor.eventually("by name, turned round", order(["ccc", "bbb", "aaa"]));
        editor.input("s");
        editor.sees("Status ↑");
        editor.eventually("what failed is first", order(["aaa", "bbb", "ccc"]));
        for title in ["↓CPU", "↓Mem", "Last line ↓", "Name (attention ↑)", "↓Age"] {
            editor.input("s");
            editor.sees(title);
        }
    }

    fn a_filter_narrows_while_it_is_typed(editor, start => start.size(120, 30)) {
        editor.ex("TermiRun ++name=server ++group=web ++open=none sleep 100");
        editor.ex("TermiRun ++name=worker ++open=none sleep 200");
        editor.ex("TermiRun ++name=broken ++open=none exit 3");
        editor.ex("TermiSessions");
        editor.sees("exited 3");
        editor.input("f20");
        editor.sees_no("server");
        editor.sees("filter: 20 1/3");
        editor.sees("worker");
        editor.input("<C-u>we");
        editor.sees_no("worker");
        editor.sees("server");
        editor.input("<C-u>exited<CR>");
        editor.sees_no("server");
        editor.sees("broken");
        editor.input("fxyz<Esc>");
        editor.sees("broken");
        editor.sees("filter: exited 1/3");
        editor.input("f<C-u>no such thing<CR>");
        editor.sees("Nothing matches `no such thing`.");
        editor.input("F");
        editor.sees("server");
        editor.sees("worker");
        editor.sees_no("filter:");
    }

    fn what_lives_on_is_listed_and_ended_only_when_the_answer_is_yes(editor, start => start.size(140, 30)) {
        let seconds = format!("7100.{}{}", std::process::id(), editor.lua_text("return tostring(vim.version().minor)"));
        let alive = || {
            let found = std::process::Command::new("pgrep").args(["-fc", &format!("^sleep {seconds}")]).output().unwrap();
            String::from_utf8(found.stdout).unwrap().trim().parse::<usize>().unwrap()
        };
        editor.ex("TermiRun ++name=plain ++open=none true");
        editor.ex(&format!(
            "TermiRun ++name=agent ++open=none setsid sleep {seconds} </dev/null >/dev/null 2>&1 & \
             until pgrep -fx 'sleep {seconds}' >/dev/null; do :; done"
        ));
        editor.ex("TermiSessions");
        let screen = editor.sees("done, 1 lives on");
        let row = screen.line(screen.find("done, 1 lives on").unwrap().0);
        assert!(row.contains("agent"), "{row}");
        for key in ["gg/agent<CR>x", "R", "X"] {
            editor.input(key);
            editor.sees("1 process of agent lives on. End it?");
            editor.input("n");
            editor.sees_no("End it?");
            assert_eq!(alive(), 1);
        }
        editor.sees("done, 1 lives on");
        editor.sees_no("plain");
        editor.input("X");
        editor.sees("1 process of agent lives on. End it?");
        editor.input("y");
        editor.hears("dismissed 1 run and ended 1 process");
        editor.sees("No sessions yet.");
        assert_eq!(alive(), 0);
    }

    fn remove_and_restart_end_what_lives_on_only_when_forced(editor, start => start.size(140, 30)) {
        let seconds = format!("7200.{}{}", std::process::id(), editor.lua_text("return tostring(vim.version().minor)"));
        editor.ex(&format!(
            "TermiRun ++name=agent ++open=none setsid sleep {seconds} </dev/null >/dev/null 2>&1 & \
             until pgrep -fx 'sleep {seconds}' >/dev/null; do :; done"
        ));
        editor.ex("TermiSessions");
        editor.sees("done, 1 lives on");
        let refused = editor.lua_text("return select(2, pcall(require('termi').remove, 'agent'))");
        assert!(refused.contains("live on"), "{refused}");
        let refused = editor.lua_text("return select(2, pcall(require('termi').restart, 'agent'))");
        assert!(refused.contains("live on"), "{refused}");
        editor.ex("lua require('termi').restart('agent', { force = true })");
        editor.eventually_lua(
            "the new program has ended, and what lives on of it can be ended",
            "(function()
              local ok, removed = pcall(require('termi').remove, 'agent', { force = true })
              return ok and removed.processes == 1
            end)()",
        );
        editor.sees("No sessions yet.");
    }

    fn what_is_marked_is_killed_and_dismissed_together(editor) {
        for name in ["aaa", "bbb", "ccc"] {
            editor.ex(&format!("TermiRun ++name={name} ++open=none sleep 100"));
        }
        editor.ex("TermiSessions");
        editor.sees("ccc");
        editor.input("m<Tab>");
        editor.sees("2 marked");
        editor.input("K");
        editor.sees("Kill 2 runs: aaa, bbb?");
        editor.input("n");
        editor.sees_no("Kill 2 runs");
        editor.input("K");
        editor.sees("Kill 2 runs: aaa, bbb?");
        editor.input("y");
        editor.hears("Killed 2/2 processes");
        editor.eventually("both say so", |screen| {
            ["aaa", "bbb"].iter().all(|name| screen.find(name).is_some_and(|(row, _)| screen.line(row).contains("killed")))
        });
        editor.sees_no("marked");
        // A selection of lines does as well; what still runs is left alone.
        editor.input("ggVGx");
        editor.sees("Dismiss 2 runs: aaa, bbb?");
        editor.input("y");
        editor.sees_no("aaa");
        editor.sees("ccc");
        editor.input("VR");
        editor.hears("restarted ccc");
    }

    fn a_preview_shows_a_screen_without_disturbing_it(editor, start => start.size(100, 30)) {
        editor.ex("TermiRun ++name=first ++open=none trap 'echo disturbed' WINCH; printf '\\033[31mseen\\033[0m here\\n'; while :; do sleep 0.1; done");
        editor.ex("TermiRun ++name=second ++open=none echo other text; sleep 100");
        editor.ex("TermiSessions");
        editor.eventually("both have printed", |screen| screen.contains("seen here") && screen.contains("other text"));
        editor.input("p");
        let screen = editor.sees("│seen here");
        assert!(screen.contains("first  ● running"), "{screen}");
        assert_ne!(screen.look_of("seen here").foreground, screen.look_at(screen.find("│seen here").unwrap().0, 6).foreground);
        editor.input("j");
        editor.sees("│other text");
        editor.sees("second  ● running");
        editor.input("p");
        editor.sees_no("│other text");
        editor.input("q");
        let text = editor.lua_texts("return require('termi').snapshot('first').lines").join("\n");
        assert!(!text.contains("disturbed"), "{text}");
    }

    fn nothing_ticks_when_nobody_looks(editor) {
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        assert!(editor.lua("return require('termi.list').ticks()").as_bool().unwrap());
        editor.input("q");
        editor.eventually_lua("the timer is gone", "not require('termi.list').ticks()");
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
        editor.ex("tabnew");
        editor.eventually_lua("the timer is gone", "not require('termi.list').ticks()");
        editor.ex("tabclose");
        editor.eventually_lua("it ticks again", "require('termi.list').ticks()");
    }

    fn only_what_changed_is_written(editor, start => start.setup("{ list = { refresh_ms = 3600000 } }")) {
        for name in ["aaa", "bbb", "ccc"] {
            editor.ex(&format!("TermiRun ++name={name} ++open=none sleep 100"));
        }
        editor.ex("TermiSessions");
        editor.sees("ccc");
        editor.lua("written = {}
            vim.api.nvim_buf_attach(0, false, { on_lines = function(_, _, _, first, last)
                written[#written + 1] = ('%d-%d'):format(first, last)
            end })");
        editor.input("jm");
        editor.sees("1 marked");
        assert_eq!(editor.lua_texts("return written"), ["1-2"]);
    }

    fn ends_at_once_are_told_at_once(editor) {
        editor.lua("for number = 1, 40 do
            local code = number % 4 == 0 and 3 or 0
            require('termi').run({ cmd = 'read line; exit ' .. code, name = ('job-%02d'):format(number), open = 'none' })
        end");
        editor.lua("require('termi').send('all', '', { enter = true })");
        editor.eventually_lua(
            "all ends are told, in few messages and with no prompt",
            "(function()
                local told, failed, messages = 0, 0, 0
                for line in vim.api.nvim_exec2('messages', { output = true }).output:gmatch('[^\\n]+') do
                    local runs = tonumber(line:match('(%d+) runs? ended') or line:match('exited') and 1)
                    told = told + (runs or 0)
                    messages = messages + (runs and 1 or 0)
                    failed = failed + tonumber(line:match('(%d+) failed') or line:match('exited 3') and 1 or 0)
                end
                return told == 40 and failed == 10 and messages < 20 and not vim.api.nvim_get_mode().blocking
            end)()",
        );
        editor.take_messages();
    }

    fn groups_are_sent_to_restarted_and_completed(editor) {
        for name in ["one", "two"] {
            editor.ex(&format!("TermiRun ++name={name} ++group=web ++open=none cat"));
        }
        editor.ex("TermiRun ++name=other ++open=none cat");
        let line = |name: &str| format!("vim.iter(require('termi').snapshot('{name}').lines):join('|')");
        editor.ex("Termi send group:web hello both");
        for name in ["one", "two"] {
            // Once as typed, once as cat says it.
            editor.eventually_lua("it has come", &format!("{}:find('hello both|hello both', 1, true)", line(name)));
        }
        assert!(!editor.lua_text(&format!("return {}", line("other"))).contains("hello"));
        editor.ex("Termi restart group:web");
        editor.hears("restarted 2 runs");
        for command in ["TermiKill", "Termi restart", "Termi send"] {
            // Completion waits for the host only so long: on a busy machine it offers nothing, and does when asked again.
            let found = format!("vim.deep_equal(vim.fn.getcompletion('{command} gr', 'cmdline'), {{ 'group:web' }})");
            editor.eventually_lua(command, &found);
        }
        editor.ex("TermiKill group:web");
        editor.hears("Killed 2/2 processes");
    }

    fn an_unknown_target_is_told_in_one_way(editor) {
        editor.ex("TermiRun ++name=some ++open=none sleep 100");
        editor.ex("TermiKill nosuch");
        editor.hears("there is no session `nosuch`. :TermiSessions lists them.");
        editor.ex("Termi restart group:none");
        editor.hears("no session is in the group `none`. :TermiSessions lists them.");
        // Whoever finds out, and in whatever command.
        for command in ["Termi show nosuch", "Termi transcript nosuch", "Termi send nosuch x", "Termi rename nosuch x"] {
            editor.ex(command);
            editor.hears("termi: there is no session `nosuch`. :TermiSessions lists them.");
        }
        editor.ex("Termi show some:zz");
        editor.hears("termi: there is no run `some:zz`. :TermiSessions lists them.");
    }

    fn the_statusline_counts(editor) {
        editor.ex("set laststatus=2 statusline=%{v:lua.require'termi'.statusline()}");
        editor.ex("TermiRun ++name=alive ++open=none sleep 100");
        editor.ex("TermiRun ++name=failing ++open=none exit 3");
        editor.sees("● 1 ✗ 1");
        editor.ex("Termi show failing");
        // Who has looked at it knows.
        editor.sees_no("✗ 1");
        editor.ex("TermiRun ++name=ringer ++open=none printf '\\a'; sleep 100");
        editor.sees("● 2 ◆ 1");
        editor.take_messages();
    }
}

/// Whether a line is as drawn, `#` standing for any one character: numbers that differ from run to run.
fn is_as_drawn(line: &str, drawn: &str) -> bool {
    let drawn = drawn.trim_end();
    line.chars().count() == drawn.chars().count()
        && line.chars().zip(drawn.chars()).all(|(is, wanted)| wanted == '#' || is == wanted)
}

/// Waits until the window of the list, the lowest, begins with these lines.
fn sees_list(editor: &mut crate::driver::Editor, lines: &[&str]) {
    editor.eventually(&format!("the list is:\n{}", lines.join("\n")), |screen| {
        let first = screen.find("[No Name]").map_or(0, |(row, _)| row + 1);
        lines.iter().enumerate().all(|(index, drawn)| is_as_drawn(&screen.line(first + index), drawn))
    });
}

in_each_neovim! {
    fn it_fits_narrow_and_wide_windows(editor, start => start.size(80, 24)) {
        editor.ex("TermiSessions");
        for width in [30, 80, 200] {
            editor.resize(width, 24);
            let more = if width == 30 {
                [":TermiRun {command} starts one", ":TermiRun alone a shell"]
            } else {
                [":TermiRun {command} starts one, :TermiRun alone a shell.", ""]
            };
            sees_list(editor, &["No sessions yet.", more[0], more[1]]);
        }
        let (name, said) = ("n".repeat(64), "w".repeat(80));
        editor.lua(&format!(
            "require('termi').run({{ cmd = 'echo {said}; sleep 100', name = '{name}', open = 'none' }})"
        ));
        for sessions in [1, 40] {
            for number in 2..=sessions {
                editor.lua(&format!(
                    "require('termi').run({{ cmd = {{ 'sleep', '100' }}, name = 'job-{number:02}', open = 'none' }})"
                ));
            }
            for width in [30, 80, 200] {
                editor.resize(width, 24);
                let [head, first, second] = drawn_at(width);
                let more = if sessions == 1 { String::new() } else { second };
                sees_list(editor, &[&head, &first, &more]);
            }
        }
        editor.input("G");
        editor.sees("job-40");
    }

    fn wide_characters_stay_in_their_columns(editor, start => start.size(100, 30)) {
        for (name, label) in [("plain", ""), ("日本語のとても長い名前のセッションです", "🚀 ⚠️ e\u{301}"), ("other", "👩‍👩‍👧")] {
            editor.lua(&format!(
                "require('termi').run({{ cmd = 'echo 漢字🎉; sleep 100', name = '{name}', label = '{label}', open = 'none' }})"
            ));
        }
        editor.ex("TermiSessions");
        editor.eventually("the columns are straight", |screen| {
            let columns: Vec<_> = (0..30)
                .filter(|&row| screen.line(row).contains("running"))
                .map(|row| [screen.column(row, "echo"), screen.column(row, "M  漢")])
                .collect();
            columns.len() == 3 && columns[0].iter().all(Option::is_some) && columns.iter().all(|its| *its == columns[0])
        });
    }
}

/// The list's first lines at a width.
fn drawn_at(width: u16) -> [String; 3] {
    let n = |count| "n".repeat(count);
    let w = |count| "w".repeat(count);
    match width {
        30 => [
            "     Name                 ↓Age".to_owned(),
            format!("# ●  {}…  ######", n(16)),
            format!("# ●  {:17}  ######", "job-02"),
        ],
        80 => [
            "  Status      Name             Command          ↓Age   CPU   Mem  Last line".to_owned(),
            format!("# ● running   {}…  echo {}…  ######  ####  ####  {}…", n(14), w(7), w(13)),
            format!("# ● running   {:15}  {:13}  ######  ####  ####", "job-02", "sleep 100"),
        ],
        _ => [
            format!(
                "  Status      {:35}  {:38}      PID    ↓Age   CPU   Mem  {:72}  ? help",
                "Name", "Command", "Last line"
            ),
            format!("# ● running   {}…  echo {}…  #######  ######  ####  ####  {}", n(34), w(32), w(80)),
            format!("# ● running   {:35}  {:38}  #######  ######  ####  ####", "job-02", "sleep 100"),
        ],
    }
}

/// A host with as many sessions as a person will ever have: once, as it takes its time.
#[test]
fn five_hundred_sessions_are_listed() {
    let start = crate::driver::Start::new(crate::driver::Version::Newest);
    crate::driver::Editor::test(start, |editor| {
        editor.lua(
            "started = 0
            for number = 1, 500 do
                local params = { cmd = { 'sleep', '100' }, name = ('job-%03d'):format(number) }
                require('termi.rpc.client').request('run', params, function(err)
                    assert(not err, err and err.message)
                    started = started + 1
                end)
            end",
        );
        editor.ex("TermiSessions");
        editor.input("s");
        editor.eventually_lua("all are listed", "vim.api.nvim_buf_line_count(0) == 500");
        // The cursor stays on the run that was listed first, whichever of them started first.
        editor.input("gg");
        editor.sees("job-001");
        editor.input("G");
        editor.sees("job-500");
        editor.input("f250");
        editor.sees("filter: 250 1/500");
        editor.sees_no("job-500");
        editor.input("<Esc>");
        editor.sees("job-500");
        editor.input("ggVG");
        editor.input("K");
        editor.sees("Kill 500 runs");
        editor.input("n");
        editor.sees_no("Kill 500 runs");
        // Ended one by one from here: ending all at once takes the host longer than this test is about.
        editor.lua(
            "for _, row in ipairs(require('termi.list.content').rows()) do
                vim.uv.kill(row.process.pid, 'sigkill')
            end",
        );
        for left in [400, 300, 200, 100, 1] {
            editor.eventually_lua("they go", &format!("require('termi.model.run_state').counts() < {left}"));
        }
        editor.sees("SIGKILL");
    });
}
