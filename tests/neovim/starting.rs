//! Calls of the Lua API while the host is being started: each is answered, by the same host, and waits for no other.

use crate::driver::Editor;

/// Functions of Lua: `start(name)` makes one that starts a run and notes what came of it.
const NOTES: &str = "
    _G.runs, _G.errors = {}, {}
    function _G.start(name)
      return function()
        local ok, run = pcall(require('termi').run, { cmd = 'echo ' .. name .. '; exec sleep 1000', name = name })
        if ok then runs[name] = run else errors[#errors + 1] = run end
      end
    end
";

/// Waits until so many runs were started; each has a session and a buffer of its own that shows it.
fn all_are_started(editor: &mut Editor, count: usize) {
    editor.eventually_lua("all calls are answered", &format!("vim.tbl_count(runs) + #errors == {count}"));
    editor.lua(&format!(
        "assert(#errors == 0, vim.inspect(errors))
         local bufs = {{}}
         for name, run in pairs(runs) do
           assert(vim.b[run.buf].termi.run_id == run.run_id, name)
           assert(not bufs[run.buf], name)
           bufs[run.buf] = true
         end
         assert(vim.tbl_count(require('termi').sessions()) == {count})"
    ));
    // Of what no window shows nothing is drawn.
    for name in editor.lua_texts("return vim.tbl_keys(runs)") {
        editor.lua(&format!("assert(require('termi').attach('{name}').buf == runs['{name}'].buf)"));
        editor.eventually_lua("the buffer shows its run", &format!("vim.fn.getline(1) == '{name}'"));
    }
}

in_each_neovim! {
    fn two_calls_of_one_moment_are_both_answered(editor) {
        editor.lua(NOTES);
        editor.lua("for at = 1, 2 do vim.schedule(start('s' .. at)) end");
        all_are_started(editor, 2);
    }

    fn calls_of_any_kind_before_the_host_is_started_are_all_answered(editor) {
        editor.lua(NOTES);
        editor.lua(
            "for at = 1, 3 do vim.schedule(start('s' .. at)) end
             vim.defer_fn(start('now'), 0)
             vim.defer_fn(start('soon'), 2)
             vim.api.nvim_create_autocmd('User', { pattern = 'Wanted', callback = start('event') })
             vim.schedule(function() vim.api.nvim_exec_autocmds('User', { pattern = 'Wanted' }) end)
             vim.schedule(function()
               require('termi.rpc.client').request('sessions', {}, function(err) _G.said = err or 'answered' end)
             end)
             vim.schedule(function() _G.listed = vim.tbl_count(require('termi').sessions()) end)
             start('direct')()",
        );
        all_are_started(editor, 7);
        editor.eventually_lua("the request is answered", "said == 'answered' and listed");
        let hosts = editor.home.processes().iter().filter(|(_, line)| line.ends_with("termi host")).count();
        assert_eq!(hosts, 1);
    }

    fn a_configuration_starts_two_runs_when_neovim_has_started(editor, start => start.config(&format!(
        "{NOTES}
         require('termi').setup({{ binary = BINARY }})
         for at = 1, 2 do vim.api.nvim_create_autocmd('VimEnter', {{ callback = start('enter' .. at) }}) end
         vim.schedule(start('scheduled'))
         vim.defer_fn(start('timer'), 5)"
    ))) {
        all_are_started(editor, 4);
    }

    fn each_call_gets_one_error_when_the_host_cannot_be_started(editor) {
        editor.lua(NOTES);
        editor.lua("good = require('termi.config').get().binary require('termi').setup({ binary = '/bin/true' })");
        editor.lua("for at = 1, 3 do vim.schedule(start('s' .. at)) end start('direct')()");
        editor.eventually_lua("all calls are answered", "#errors == 4");
        let wanted = "termi: `binary` is not termi: /bin/true. Correct it or leave it out.";
        for error in editor.lua_texts("return errors") {
            assert_eq!(error, wanted);
        }
        assert_eq!(editor.take_messages(), "", "and nothing besides");
        editor.lua("errors = {} require('termi').setup({ binary = good }) vim.schedule(start('one')) vim.schedule(start('two'))");
        all_are_started(editor, 2);
    }

    fn a_host_that_does_not_answer_is_given_up_once_for_all(editor) {
        let deaf = editor.home.write("work/deaf", "#!/bin/sh\ncat >/dev/null\n");
        std::fs::set_permissions(&deaf, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        editor.lua(NOTES);
        editor.lua(&format!("require('termi').setup({{ binary = [[{}]], timeout_ms = 500 }})", deaf.display()));
        editor.lua("for at = 1, 3 do vim.schedule(start('s' .. at)) end start('direct')()");
        editor.eventually_lua("all calls are answered", "#errors == 4");
        for error in editor.lua_texts("return errors") {
            assert!(error.contains("did not answer `initialize` within 0.5 s"), "{error}");
        }
        assert_eq!(editor.take_messages(), "", "and nothing besides");
    }
}
