//! What the plugin says: in one line, or above it for as long as nobody types, and never with a question for <Enter>;
//! what is misspelled, and what `:checkhealth termi` advises.

use crate::driver::Editor;

/// Whether Neovim waits for a key that it has asked for.
fn asks_for_a_key(editor: &mut Editor) -> bool {
    editor.lua("return vim.api.nvim_get_mode().blocking").as_bool().unwrap()
}

/// What `:checkhealth termi` says.
fn health(editor: &mut Editor) -> String {
    editor.ex("checkhealth termi");
    let lines = editor.lua_texts("return vim.api.nvim_buf_get_lines(0, 0, -1, false)");
    editor.take_messages();
    // How wide the window is decides where they are broken.
    lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "")
}

in_each_neovim! {
    fn a_message_that_does_not_fit_is_above_the_command_line_until_a_key(editor, start => start.size(80, 24)) {
        let text = format!("first of {}last", "many ".repeat(40));
        editor.input(&format!(":lua require('termi.ui.message').error('{text}')<CR>"));
        let screen = editor.sees("╭ termi ");
        assert!(screen.contains("first of many") && screen.contains("many last"), "all of it is seen:\n{screen}");
        assert!(!asks_for_a_key(editor));
        assert_eq!(editor.hears("many last").replace('\n', " "), format!("termi: {text}"), "and remembered");
        // The key does what it always does.
        editor.input("ihello");
        editor.sees_no("╭ termi ");
        editor.sees("hello");
        // One that fits is in the command line.
        editor.ex("stopinsert");
        editor.ex("lua require('termi.ui.message').info('short')");
        editor.hears("termi: short");
        assert!(!editor.screen().contains("╭ termi "));
    }

    fn messages_of_many_lines_and_of_narrow_screens_ask_for_no_key(editor, start => start.size(30, 16)) {
        for settings in ["set cmdheight=1", "set cmdheight=2", "set cmdheight=0"] {
            editor.ex(settings);
            editor.input(r":lua require('termi.ui.message').info(('line\n'):rep(30) .. 'the end of it')<CR>");
            editor.sees("the end of it");
            assert!(!asks_for_a_key(editor), "{settings}");
            let said = editor.take_messages();
            assert_eq!(said.matches("line").count(), 30, "{said}");
            editor.ex("Termi show ++name=x one");
            editor.hears("`:Termi show` takes ++open=… and no other option, not `++name`.");
            editor.ex("Termi nonsense");
            editor.hears("`nonsense` is not a subcommand. :Termi help lists them.");
            assert!(!asks_for_a_key(editor), "{settings}");
        }
        // What comes by itself has no command that Neovim would wait for.
        editor.ex("set cmdheight=1");
        editor.lua("vim.defer_fn(function() require('termi.ui.message').aside(('words '):rep(20) .. 'unasked') end, 0)");
        editor.sees("unasked");
        assert!(!asks_for_a_key(editor));
        editor.take_messages();
        // One after the other: the last is seen.
        editor.input(":TermiRun ++nme=x y<CR>:Termi rename a b c<CR>");
        editor.sees("too many words: `c`");
        assert!(!asks_for_a_key(editor));
        editor.take_messages();
    }

    fn another_plugins_notifications_get_the_whole_text(editor) {
        editor.lua("vim.notify = function(text) heard = text end");
        let text = format!("{}the end", "many ".repeat(40));
        editor.ex(&format!("lua require('termi.ui.message').error('{text}')"));
        assert_eq!(editor.lua_text("return heard"), format!("termi: {text}"));
        assert!(!editor.screen().contains("╭ termi "));
    }

    fn a_misspelled_word_is_told_with_the_likely_one(editor) {
        for (command, said) in [
            ("Termi histroy", "`histroy` is not a subcommand. Did you mean `history`?"),
            ("Termi zz", "`zz` is not a subcommand. :Termi help lists them."),
            ("TermiRun ++nme=x y", "++nme is not an option. Did you mean ++name?"),
            ("Termi connect zz", "there is no host `zz`: none is set up. :help termi-hosts"),
        ] {
            editor.ex(command);
            let heard = editor.hears(said);
            assert_eq!(heard.trim(), format!("termi: {said}"));
            assert!(heard.trim().chars().count() < 80);
        }
    }

    fn a_wrong_setup_is_told_without_the_plugins_own_frames(editor) {
        let file = editor.home.write("work/config.lua", "-- a person's\nrequire('termi').setup({ opne = 'split' })\n");
        let error = editor.try_lua(&format!("dofile([[{}]])", file.display())).unwrap_err();
        assert!(error.contains("termi: setup(): `opne` is not an option (did you mean `open`?)"), "{error}");
        assert!(error.contains("config.lua:2"), "the line that is wrong: {error}");
        for own in ["lua/termi/", "'fail'", "'pcall'"] {
            assert!(!error.contains(own), "{own} is of no use there: {error}");
        }
    }

    fn a_rename_takes_two_words(editor) {
        editor.ex("TermiRun ++name=web ++open=none sleep 100");
        editor.ex("Termi rename web srv 1");
        editor.hears(r"termi: too many words: `1`. Write a space in a name as `\ `.");
        assert_eq!(editor.lua_text("local _, its = next(require('termi').sessions()) return its.name"), "web");
        editor.ex(r"Termi rename web srv\ 1");
        editor.eventually_lua("it has that name", "select(2, next(require('termi').sessions())).name == 'srv 1'");
        editor.ex(r"TermiKill srv\ 1");
        editor.hears("Killed 1/1 processes");
    }

    fn the_short_help_has_what_is_completed(editor, start => start.size(80, 60)) {
        let help = editor.lua_text("return vim.api.nvim_exec2('Termi help', { output = true }).output");
        for line in help.lines() {
            assert!(line.chars().count() < 80, "it fits: {line:?}");
        }
        for name in editor.lua_texts("return vim.fn.getcompletion('Termi ', 'cmdline')") {
            let is_there = help.contains(&format!(":Termi {name}")) || help.contains(&format!("(also: {name})"));
            assert!(is_there, "{name} is not in:\n{help}");
        }
        editor.take_messages();
    }

    fn the_check_of_health_says_what_helps_with_a_wrong_binary(editor) {
        editor.lua("require('termi').setup({ binary = '/no/such/termi' })");
        let said = health(editor);
        assert!(said.contains("not found: looked for /no/such/termi"), "{said}");
        assert!(said.contains("Correct the option binary of setup(), or leave it out"), "{said}");
        assert!(!said.contains(":Termi build"), "building does not help: {said}");
        editor.ex("TermiRun ls");
        editor.hears("termi: `binary` is not executable: /no/such/termi. Correct it or leave it out.");
    }

    /// It was told twice, as a host whose programs had ended with it.
    fn a_binary_that_is_not_termi_is_reported_as_that_and_once(editor) {
        for binary in ["/bin/true", "/bin/echo", "/bin/false"] {
            editor.lua(&format!("require('termi').setup({{ binary = '{binary}' }})"));
            editor.ex("TermiRun ls");
            let said = editor.hears("Correct it or leave it out.");
            assert_eq!(said.trim(), format!("termi: `binary` is not termi: {binary}. Correct it or leave it out."));
            let said = health(editor);
            assert!(said.contains("is not termi") || said.contains("does not run"), "{said}");
            editor.ex("bwipeout");
        }
    }

    /// Debian 12 has 0.7: what the plugin loads there fails, and so did the check that would have told why.
    fn the_check_of_health_says_that_a_neovim_is_too_old_and_needs_nothing_to_do_so(editor) {
        let said = editor.lua_text(
            "local said = {}
             local has, uv, health = vim.fn.has, vim.uv, vim.health
             vim.fn.has = function() return 0 end
             vim.uv = nil
             vim.health = {
               report_start = function(text) said[#said + 1] = 'start: ' .. text end,
               report_error = function(text, advice) said[#said + 1] = 'error: ' .. text .. ': ' .. advice[1] end,
             }
             local ok, why = pcall(function()
               dofile(vim.api.nvim_get_runtime_file('lua/termi/health.lua', false)[1]).check()
             end)
             vim.fn.has, vim.uv, vim.health = has, uv, health
             assert(ok, why)
             return table.concat(said, '\\n')",
        );
        assert!(said.starts_with("start: Neovim\nerror: Neovim 0."), "{said}");
        assert!(said.ends_with("is too old: Install Neovim 0.10 or newer."), "{said}");
    }

    fn the_check_of_health_misses_the_tags_of_the_help(editor) {
        let doc = editor.home.work().join("runtime/doc");
        std::fs::create_dir_all(&doc).unwrap();
        std::fs::copy(crate::driver::repository().join("doc/termi.txt"), doc.join("termi.txt")).unwrap();
        // The plugin's own folder may have tags, as after a build.
        editor.lua("vim.cmd('set rtp-=' .. require('termi.rpc.binary').root())
            package.path = require('termi.rpc.binary').root() .. '/lua/?.lua;' .. package.path");
        editor.ex("set rtp^=runtime");
        let check = "local said = {}
            for _, level in ipairs({ 'start', 'ok', 'info', 'warn', 'error' }) do
                vim.health[level] = function(text, advice)
                    said[#said + 1] = level .. ': ' .. text .. ' ' .. (type(advice) == 'string' and advice or '')
                end
            end
            require('termi.health').check()
            return table.concat(said, '\\n')";
        let said = editor.lua_text(check);
        assert!(said.contains("warn: the help has no tags"), "{said}");
        assert!(said.contains(":helptags ALL"), "{said}");
        editor.ex("helptags runtime/doc");
        let said = editor.lua_text(check);
        assert!(said.contains("ok: the help has its tags"), "{said}");
    }
}
