//! The plugin when things end around it: the host, Neovim, windows, buffers, its own modules.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::home::LOOK_EVERY;

/// A program, its child, and one that left the terminal: all deaf to polite signals.
const STUBBORN: &str = "trap '' HUP TERM INT; setsid -f sleep 1001; sleep 1002 & echo all here; sleep 1003; sleep 1004";

in_each_neovim! {
    fn a_killed_host_is_said_in_its_buffers_and_the_next_command_starts_another(editor) {
        editor.ex(&format!("TermiRun {STUBBORN}"));
        editor.sees("all here");
        kill(editor.home.host(), Signal::SIGKILL).unwrap();
        editor.sees("host ended");
        let said = editor.hears("the host ended unexpectedly");
        assert!(said.contains("SIGKILL") && !said.contains("traceback"), "{said}");
        editor.input("<C-\\><C-n>");
        editor.settle();
        editor.take_messages();
        let mut left = Vec::new();
        let gone = Instant::now() + Duration::from_secs(3);
        while Instant::now() < gone {
            left = editor.home.processes();
            left.retain(|(_, line)| line.contains("sleep"));
            if left.is_empty() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        assert!(left.is_empty(), "its programs are gone too, but for {left:#?}");
        editor.ex("TermiRun echo a new host");
        editor.sees("a new host");
        editor.sees("[Process exited 0");
    }

    fn quitting_neovim_ends_every_program_at_once(editor) {
        editor.ex(&format!("TermiRun {STUBBORN}"));
        editor.sees("all here");
        editor.ex("TermiRun! yes");
        editor.sees("y");
        editor.quit();
        editor.home.assert_deserted_within(Duration::from_secs(3));
    }

    fn nothing_is_orphaned_when_neovim_is_killed(editor) {
        editor.ex(&format!("TermiRun {STUBBORN}"));
        editor.sees("all here");
        editor.ex("TermiRun! yes");
        editor.sees("y");
        editor.kill();
        editor.home.assert_deserted_within(Duration::from_secs(3));
    }

    fn wiping_the_buffer_of_a_flood_leaves_it_running_and_found_again(editor) {
        editor.ex("TermiRun ++name=flood yes");
        editor.eventually("it pours", |screen| screen.contains("y") && screen.line(20) == "y");
        editor.ex("bwipeout!");
        editor.eventually_lua("no buffer has it", "vim.fn.bufnr('^termi://flood') == -1");
        assert_eq!(status(editor, "flood"), "active");
        editor.ex("Termi show flood");
        editor.eventually("it pours again", |screen| screen.line(20) == "y");
        editor.ex("TermiKill! flood");
        editor.hears("Killed 1/1 processes");
    }

    fn wiping_the_buffer_ends_the_program_where_that_is_configured(editor, start => start.setup("{ on_wipe = 'kill' }")) {
        editor.ex("TermiRun ++name=flood yes");
        editor.eventually("it pours", |screen| screen.line(20) == "y");
        editor.ex("bwipeout!");
        crate::home::eventually("it is gone", || !editor.home.runs("yes"));
    }

    fn closing_its_window_or_tab_page_leaves_a_flood_running(editor) {
        editor.ex("TermiRun ++name=flood yes");
        editor.eventually("it pours", |screen| screen.line(20) == "y");
        editor.ex("close");
        assert_eq!(status(editor, "flood"), "active");
        editor.ex("Termi show ++open=tab flood");
        editor.eventually("it pours again", |screen| screen.line(20) == "y");
        editor.ex("tabclose");
        assert_eq!(status(editor, "flood"), "active");
        assert_eq!(editor.lua_number("return #vim.api.nvim_list_tabpages()"), 1);
        editor.ex("Termi show flood");
        editor.eventually("and again", |screen| screen.line(20) == "y");
    }

    fn the_editor_is_quick_and_a_flood_is_stopped_while_it_pours(editor) {
        editor.ex("TermiRun ++name=flood yes pouring");
        editor.eventually("it pours", |screen| screen.line(20) == "pouring");
        editor.is_in_terminal_mode();
        editor.input("<C-c>");
        editor.sees("[Process ");
        let screen = editor.screen();
        assert!(screen.contains("SIGINT") || screen.contains("130"), "{screen}");
    }

    fn what_was_killed_has_failed_in_no_count(editor, start => start.setup("{ notify = { exit = 'always' } }")) {
        for name in ["one", "two", "three"] {
            editor.ex(&format!("TermiRun ++open=none ++name={name} sleep 1000"));
        }
        editor.ex("TermiRun ++open=none ++name=bad exit 3");
        editor.hears("bad exited 3");
        editor.ex("TermiKill! all");
        // A message of its own says that they ended, and no word of failure.
        let said = editor.hears("3 runs ended: ");
        assert!(!said.contains("failed"), "{said}");
        editor.ex("TermiSessions");
        editor.eventually("the list has them", |screen| (1..30).filter(|&row| screen.line(row).contains("killed")).count() == 3);
        assert_eq!(editor.lua_number("local _, _, failed = require('termi.model.run_state').counts() return failed"), 1);
        let summary = "local sessions, rows = require('termi.model.sessions'), require('termi.model.session_rows')
            return require('termi.model.status').summary(rows.all(sessions.fetch()))";
        assert_eq!(editor.lua_text(summary), "1 failed");
        let failures = "local sum = 0
            for _, row in ipairs(require('termi.rpc.client').call('stats', {}).rows) do sum = sum + row.failures end return sum";
        assert_eq!(editor.lua_number(failures), 1);
    }

    fn a_reload_of_the_plugin_while_output_pours_loses_nothing(editor) {
        editor.ex("TermiRun ++name=flood i=0; while :; do echo tick $i; i=$((i + 1)); done");
        editor.sees("tick");
        for _ in 0..3 {
            editor.lua("for name in pairs(package.loaded) do
                if name:match('^termi') then package.loaded[name] = nil end
            end");
            editor.set_up("{}");
            assert_eq!(status(editor, "flood"), "active");
            let seen = editor.screen().line(27);
            editor.eventually("it pours on", |screen| screen.contains("tick") && screen.line(27) != seen);
        }
        assert!(editor.home.runs("/bin/bash -c i=0; while :; do echo tick $i; i=$((i + 1)); done"));
        editor.ex("TermiKill");
        editor.hears("Killed 1/1 processes");
        editor.sees("[Process ");
    }

    /// The modules that were loaded before have names without a directory, and nothing unloads them.
    fn an_update_of_the_plugin_while_it_is_in_use_loses_nothing(editor) {
        editor.ex("TermiRun ++name=before cat");
        editor.is_in_terminal_mode();
        editor.lua("for name in pairs(package.loaded) do
                if name:match('^termi%.') and name ~= 'termi.config' then package.loaded[name] = nil end
            end
            package.loaded['termi.connection'] = { replied = function() end }
            package.loaded['termi.host'] = setmetatable({}, { __call = function() return true end })");
        editor.input("typed<CR>");
        editor.input("<C-\\><C-n>");
        editor.ex("TermiRun ++name=after echo printed");
        editor.sees("printed");
        assert_eq!(status(editor, "before"), "active");
        editor.ex("Termi show before");
        editor.input("again<CR>");
        editor.sees("again");
        editor.sees("typed");
        editor.ex("TermiKill! all");
        editor.sees("[Process ");
    }

    fn keys_in_a_buffer_whose_host_is_gone_raise_no_error(editor) {
        editor.ex("TermiRun cat");
        editor.is_in_terminal_mode();
        kill(editor.home.host(), Signal::SIGKILL).unwrap();
        editor.sees("host ended");
        editor.hears("the host ended unexpectedly");
        editor.input("<CR>abc<C-\\><C-n>iabc<C-\\><C-n>");
        editor.settle();
        editor.take_messages();
        editor.ex("Termi toggle");
        editor.ex("TermiSessions");
        editor.sees("No sessions yet.");
    }
}

fn status(editor: &mut crate::driver::Editor, name: &str) -> String {
    editor.lua_text(&format!(
        "for _, session in pairs(require('termi').sessions()) do
           if session.name == '{name}' then return session.processes[1].status end
         end
         return 'not there'"
    ))
}
