//! Aids for reading: the transcript with its colours, prompts, links, and the clipboard for programs.

use crate::driver::Editor;

/// Hands the plugin an event as the host sends it, of the run in the current buffer.
fn host_tells(editor: &mut Editor, fields: &str) {
    editor.lua(&format!(
        "local run = vim.b[require('termi.model.views').last().buf].termi
         require('termi.host').receive('event', vim.tbl_extend('force', {{
           session_id = run.session_id, run_id = run.run_id, session_name = 'told',
         }}, {fields}))"
    ));
}

/// Has the plugin's host be one that knows these methods; what is sent to them is kept in `_G.asked`.
fn pretend(editor: &mut Editor, method: &str, reply: &str) {
    editor.lua(&format!(
        "local client = require('termi.rpc.client')
         local info, request = client.info, client.request
         client.info = function()
           local real = vim.deepcopy(info())
           table.insert(real.capabilities.methods, '{method}')
           return real
         end
         client.request = function(name, params, callback)
           if name ~= '{method}' then return request(name, params, callback) end
           _G.asked = params
           callback(nil, {reply})
         end"
    ));
}

in_each_neovim! {
    fn the_transcript_has_the_programs_colours_and_says_when_it_was_taken(editor) {
        editor.ex(r"TermiRun printf 'plain \033[1;38;2;1;2;3mloud\033[m \033[4;31mred\033[m \033]8;;https://example.org/x\033\\link\033]8;;\033\\\n'; seq 1 50");
        editor.sees("[Process exited 0");
        editor.ex("Termi transcript");
        editor.eventually_lua("the transcript", "vim.bo.filetype == 'termi-transcript'");
        editor.sees("[As of ");
        let lines = editor.buffer();
        assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("plain loud red link", "50"));
        let look = |editor: &mut Editor, text: &str, field: &str| {
            editor.lua(&format!(
                "local space = vim.api.nvim_get_namespaces()['termi.transcript']
                 local col = vim.fn.getline(1):find('{text}') - 1
                 for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, {{ 0, col }}, {{ 0, col }}, {{ details = true }})) do
                   local look = vim.api.nvim_get_hl(0, {{ name = mark[4].hl_group }})
                   look.url, look.ends = mark[4].url, mark[4].end_col - col
                   return look.{field}
                 end"
            ))
        };
        assert_eq!(look(editor, "loud", "bold").as_bool(), Some(true));
        assert_eq!(look(editor, "loud", "fg").as_i64(), Some(0x0001_0203));
        assert_eq!(look(editor, "loud", "ends").as_i64(), Some(4));
        assert_eq!(look(editor, "red", "underline").as_bool(), Some(true));
        assert_eq!(look(editor, "link", "url").as_str(), Some("https://example.org/x"));
    }

    fn a_transcript_does_not_have_every_directory_searched_for_a_program(editor) {
        let plain = editor.home.work().join("with space");
        std::fs::create_dir(&plain).unwrap();
        for (said, wanted) in [
            ("/**".to_owned(), None),
            ("/;".to_owned(), None),
            ("/$HOME".to_owned(), None),
            (plain.to_str().unwrap().to_owned(), Some(plain.to_str().unwrap().replace(' ', "\\ "))),
        ] {
            let program = editor.home.write("work/says.sh", format!("printf '\\033]7;file://%s\\007said' '{said}'; exec sleep 1000"));
            editor.lua(&format!("_G.run = require('termi').run({{ cmd = {{ 'sh', [[{}]] }} }})", program.display()));
            editor.sees("said");
            editor.eventually_lua(
                "the host knows",
                &format!("select(2, next(vim.tbl_filter(function(s) return s.processes[1].run_id == run.run_id end, require('termi').sessions()))).processes[1].cwd == [[{said}]]"),
            );
            editor.lua("require('termi.browse.transcript').open(run.session_id)");
            let path = editor.lua_text("return vim.bo.path");
            let default = editor.lua_text("return vim.go.path");
            let first = path.strip_suffix(&default).unwrap().trim_end_matches(',');
            assert!(!first.contains("**") && !first.contains(';') && !first.contains('$'), "{said}: {path}");
            if let Some(wanted) = wanted {
                assert_eq!(first, wanted);
            }
            editor.ex("bwipeout!");
            editor.lua("require('termi').kill(run.session_id)");
            editor.sees("[Process ");
            editor.ex("bwipeout!");
        }
    }

    fn a_transcript_that_follows_is_kept_up_to_date_and_leaves_a_reader_alone(editor) {
        editor.ex("TermiRun ++name=it stty -echo; seq 1 100; while read x; do seq -f \"$x %g\" 1 100; done");
        editor.sees("100");
        editor.ex("Termi transcript ++follow it");
        editor.eventually_lua("the transcript", "vim.bo.filetype == 'termi-transcript' and vim.fn.getline('$') == '100'");
        editor.lua("require('termi').send('it', 'more', { enter = true })");
        editor.eventually_lua("what came", "vim.fn.getline('$') == 'more 100' and vim.fn.line('.') == vim.fn.line('$')");
        editor.ex("50");
        editor.ex("normal! zt");
        editor.lua("require('termi').send('it', 'again', { enter = true })");
        editor.eventually_lua("what came", "vim.fn.getline('$') == 'again 100'");
        assert_eq!(editor.lua_number("return vim.fn.line('.')"), 50);
        assert_eq!(editor.lua_number("return vim.fn.line('w0')"), 50);
        assert_eq!(editor.buffer().len(), 300);
    }

    fn a_large_transcript_is_opened_whole(editor) {
        editor.ex(r"TermiRun seq -f 'line %g' 1 5000 | sed 's/line/\x1b[32mline\x1b[m/'");
        editor.sees("[Process exited 0");
        editor.ex("Termi transcript");
        editor.eventually_lua("all colours are there", "#vim.api.nvim_buf_get_extmarks(0,
            vim.api.nvim_get_namespaces()['termi.transcript'], 0, -1, {}) >= vim.fn.line('$') - 1");
        let lines = editor.buffer();
        assert_eq!(lines.last().unwrap(), "line 5000");
    }

    fn keys_go_from_prompt_to_prompt(editor) {
        editor.ex("TermiRun seq 1 100; sleep 100");
        editor.sees("100");
        editor.input("<C-\\><C-n>G");
        editor.settle();
        // Prompts stand at 20, 50 and 90: the last row of the screen is the empty one below 100.
        pretend(editor, "prompts", "{ rows = { 11, 51, 81 } }");
        for (keys, line) in [("[[", "90"), ("[[", "50"), ("]]", "90"), ("2[[", "20"), ("[[", "20"), ("9]]", "90")] {
            editor.input(keys);
            editor.eventually_lua(&format!("{keys} goes to {line}"), &format!("vim.fn.getline('.') == '{line}'"));
        }
    }

    fn a_link_is_opened_by_gx(editor) {
        editor.ex("TermiRun printf 'see \u{4f60} here'; sleep 100");
        editor.sees("here");
        editor.input("<C-\\><C-n>0");
        editor.lua("vim.ui.open = function(uri) _G.opened = uri end");
        pretend(editor, "link", "{ uri = 'https://example.org/a' }");
        editor.input("fh");
        editor.input("gx");
        editor.eventually_lua("it is opened", "_G.opened == 'https://example.org/a'");
        assert_eq!(editor.lua_number("return _G.asked.col"), 7, "in cells, from 0");
        assert_eq!(editor.lua_number("return _G.asked.row"), 14, "rows above the last one");
        // No link there: what Neovim takes for one.
        editor.lua("local client, request = require('termi.rpc.client'), nil
            request = client.request
            client.request = function(name, params, callback)
              if name == 'link' then return callback(nil, {}) end
              return request(name, params, callback)
            end");
        editor.input("gx");
        editor.eventually_lua("the word is opened", "tostring(_G.opened):find('here')");
    }

    fn what_a_program_copies_is_in_a_register(editor) {
        editor.lua("local held = {}
            vim.g.clipboard = { name = 'test', copy = {
              ['+'] = function(lines) held['+'] = lines end, ['*'] = function(lines) held['*'] = lines end,
            }, paste = {
              ['+'] = function() return held['+'] or {} end, ['*'] = function() return held['*'] or {} end,
            } }");
        editor.ex("TermiRun cat");
        editor.is_in_terminal_mode();
        host_tells(editor, "{ type = 'clipboard', selection = 'clipboard', data = 'copied' }");
        host_tells(editor, "{ type = 'clipboard', selection = 'primary', data = 'selected' }");
        editor.eventually_lua("it is in +", "vim.fn.getreg('+') == 'copied'");
        editor.eventually_lua("it is in *", "vim.fn.getreg('*') == 'selected'");
        editor.set_up("{ clipboard = { copy = false } }");
        host_tells(editor, "{ type = 'clipboard', selection = 'clipboard', data = 'not this' }");
        host_tells(editor, "{ type = 'attention', kind = 'progress' }");
        editor.settle();
        assert_eq!(editor.lua_text("return vim.fn.getreg('+')"), "copied");
    }

    fn a_program_reads_the_clipboard_only_if_a_person_agrees(editor) {
        editor.lua("vim.g.clipboard = { name = 'test', copy = { ['+'] = function() end, ['*'] = function() end },
            paste = { ['+'] = function() return { 'secret' } end, ['*'] = function() return { 'chosen' } end } }");
        editor.ex("TermiRun cat");
        editor.is_in_terminal_mode();
        editor.lua("_G.choices = {}
            vim.ui.select = function(items, opts, on_choice) _G.prompt, _G.items, _G.choose = opts.prompt, items, on_choice end");
        pretend(editor, "clipboard", "{}");
        let request = "{ type = 'clipboard_request', selection = 'clipboard', request = 1 }";
        host_tells(editor, request);
        editor.hears("told wants to read your clipboard; :Termi clipboard answers");
        // Another request meanwhile is refused.
        host_tells(editor, "{ type = 'clipboard_request', selection = 'clipboard', request = 2 }");
        editor.eventually_lua("it is refused", "_G.asked and _G.asked.request == 2 and _G.asked.data == nil");
        assert!(editor.lua("return _G.choose == nil").as_bool().unwrap(), "nothing is asked before the person wants it");
        for (choice, data) in [("1", "nil"), ("nil", "nil"), ("2", "'secret'"), ("3", "'secret'")] {
            editor.ex("Termi clipboard");
            editor.eventually_lua("the person is asked", "_G.choose and _G.prompt:find('told wants to read your clipboard')");
            editor.lua(&format!("_G.asked = nil _G.choose(_G.items[{choice}])"));
            editor.eventually_lua("it is answered", &format!("_G.asked.request == 1 and _G.asked.data == {data}"));
            editor.lua("_G.choose, _G.asked = nil, nil");
            host_tells(editor, request);
            if choice != "3" {
                editor.hears("told wants to read your clipboard");
            }
        }
        editor.eventually_lua("allowed for good", "_G.asked and _G.asked.data == 'secret' and _G.choose == nil");
        for (policy, data) in [("deny", "nil"), ("allow", "'chosen'")] {
            editor.set_up(&format!("{{ clipboard = {{ paste = '{policy}' }} }}"));
            editor.lua("_G.asked = nil");
            host_tells(editor, "{ type = 'clipboard_request', selection = 'primary', request = 3 }");
            editor.eventually_lua("it is answered", &format!("_G.asked and _G.asked.request == 3 and _G.asked.data == {data}"));
        }
    }
}
