//! What a configuration builds on: the Lua API, autocommands, completion, health and help.

/// Makes the tags of the plugin's help, in a copy of it: the tests leave the repository alone.
fn make_tags(editor: &mut crate::driver::Editor) {
    let doc = editor.home.path().join("config/nvim/doc");
    std::fs::create_dir_all(&doc).unwrap();
    std::fs::copy(crate::driver::repository().join("doc/termi.txt"), doc.join("termi.txt")).unwrap();
    editor.ex(&format!("set rtp^={}", doc.parent().unwrap().display()));
    editor.ex(&format!("helptags {}", doc.display()));
}

in_each_neovim! {
    fn nothing_is_loaded_before_it_is_used(editor, start => start.without_setup()) {
        let loaded = "return vim.tbl_filter(function(name) return vim.startswith(name, 'termi') end, vim.tbl_keys(package.loaded))";
        assert_eq!(editor.lua_texts("return vim.fn.getcompletion('Termi', 'command')").len(), 4);
        assert_eq!(editor.lua_texts(loaded), Vec::<String>::new());
        assert!(!editor.home.processes().iter().any(|(_, line)| line.ends_with("termi host")), "no host runs");
        editor.set_up("{}");
        editor.ex("TermiRun echo used");
        editor.sees("used");
    }

    fn run_returns_what_it_started(editor) {
        let run = editor.lua(
            "run = require('termi').run({ cmd = { 'sleep', '100' }, name = 'api', group = 'tests', env = { A = 'b' } })
             return vim.tbl_keys(run)",
        );
        let fields: Vec<&str> = run.as_array().unwrap().iter().filter_map(rmpv::Value::as_str).collect();
        for field in ["session_id", "run_id", "pid", "terminal_name", "buf"] {
            assert!(fields.contains(&field), "{field} is not in {fields:?}");
        }
        editor.lua("assert(vim.deep_equal(vim.b[run.buf].termi, { session_id = run.session_id, run_id = run.run_id }))");
        editor.lua("assert(vim.startswith(run.terminal_name, 'termi-session-' .. run.session_id .. '-'))");
        editor.lua("assert(vim.bo[run.buf].filetype == 'termi')");
        let pid = editor.lua_number("return run.pid");
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
        editor.lua(
            "local session = require('termi').sessions()[run.session_id]
             assert(session.name == 'api' and session.group == 'tests' and session.active_processes == 1)
             local process = session.processes[1]
             assert(process.run_id == run.run_id and process.pid == run.pid and process.status == 'active')
             assert(process.process_name == ('sleep:Session %s:%s'):format(run.session_id:sub(1, 8), run.run_id:sub(1, 8)))",
        );
    }

    fn kill_send_attach_and_toggle_do_what_they_say(editor) {
        editor.lua("run = require('termi').run({ cmd = 'cat', name = 'echoing' })");
        assert_eq!(editor.lua_number("return require('termi').send('echoing', 'some words', { enter = true })"), 1);
        editor.sees("some words");
        assert_eq!(editor.lua("return require('termi').toggle()").as_bool(), Some(false));
        editor.sees_no("some words");
        assert_eq!(editor.lua("return require('termi').toggle()").as_bool(), Some(true));
        editor.sees("some words");
        editor.ex("close");
        editor.lua("assert(require('termi').attach('echoing').buf == run.buf)");
        editor.sees("some words");
        editor.lua("assert(vim.deep_equal(require('termi').kill(run.session_id:sub(1, 10)).killed, 1))");
        editor.sees("[Process ");
    }

    fn errors_of_the_api_are_sentences_without_a_place(editor) {
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = 'there', open = 'none' })");
        for (call, part) in [
            ("run({ command = 'ls' })", "`command` is not an option"),
            ("run({ cmd = 3 })", "`cmd` must be a string or table"),
            ("run({ cmd = { 'no-such-program-anywhere' } })", "no-such-program-anywhere"),
            ("run({ cmd = 'ls', cwd = '/no/such/folder' })", "/no/such/folder"),
            ("kill('nobody')", "nobody"),
            ("kill()", "a target is"),
            ("kill('there', { signal = 'NOSUCH' })", "NOSUCH"),
            ("attach('nobody')", "nobody"),
            ("send('nobody', 'x')", "nobody"),
            ("rename('there', '../x')", "../x"),
            ("remove('there')", "run"),
            ("setup({ colour = 'red' })", "`colour` is not an option. See :help termi-config"),
            ("setup({ open = 'sideways', split = { size = -1 } })", "`open` must be one of split,"),
            ("setup('fast')", "setup() takes a table"),
        ] {
            let error = editor.try_lua(&format!("return require('termi').{call}")).expect_err(call);
            assert!(error.contains(part), "{call} said {error:?}");
            let message = error.strip_prefix("Error executing lua: ").or(error.strip_prefix("Lua: ")).unwrap_or(&error);
            // Neovim itself adds the traceback that follows.
            let first = message.lines().next().unwrap();
            assert!(first.starts_with("termi: ") && !first.contains(".lua:"), "{call} said {first:?}");
        }
        editor.lua("assert(vim.tbl_count(require('termi').sessions()) == 1)");
    }

    fn user_autocommands_tell_of_runs(editor) {
        editor.lua(
            "heard = {}
             vim.api.nvim_create_autocmd('User', { pattern = 'Termi*', callback = function(event)
               heard[#heard + 1] = { event.match, event.data }
             end })
             run = require('termi').run({ cmd = \"printf '\\\\a'; read x; exit 5\", name = 'told' })",
        );
        editor.eventually_lua("the bell is heard", "#heard == 2");
        editor.input("<CR>");
        editor.eventually_lua("the end is heard", "#heard == 3");
        editor.lua(
            "local started, attention, exited = unpack(heard)
             assert(started[1] == 'TermiStarted' and started[2].pid == run.pid and started[2].buf == run.buf, vim.inspect(heard))
             assert(attention[1] == 'TermiAttention' and attention[2].kind == 'bell', vim.inspect(heard))
             assert(exited[1] == 'TermiExited' and exited[2].exit.code == 5 and exited[2].status == 'exited', vim.inspect(heard))
             for _, event in ipairs(heard) do
               assert(event[2].run_id == run.run_id and event[2].session_id == run.session_id, vim.inspect(heard))
               assert(event[2].session_name == 'told', vim.inspect(heard))
             end",
        );
    }

    fn kill_says_how_many_it_ended(editor) {
        editor.ex("TermiRun ++name=pair sleep 101");
        editor.ex("TermiRun ++session=pair sleep 102");
        editor.ex("TermiKill");
        editor.hears("Killed 2/2 processes");
        crate::home::eventually("both are gone", || !editor.home.runs("sleep 101") && !editor.home.runs("sleep 102"));
        editor.ex("TermiRun ++name=stubborn trap '' HUP TERM INT; echo deaf; while :; do sleep 0.1; done");
        editor.sees("deaf");
        editor.ex("TermiKill! stubborn");
        editor.hears("Killed 1/1 processes");
        editor.sees("by SIGKILL");
        editor.ex("wincmd w");
        editor.ex("TermiKill");
        editor.hears("this buffer shows no session");
        editor.ex("TermiKill nobody");
        editor.hears("nobody");
    }

    fn every_command_completes(editor) {
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = 'alpha', group = 'greek', open = 'none' })");
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = 'two words', open = 'none' })");
        std::fs::create_dir(editor.home.work().join("folder")).unwrap();
        for (line, candidates) in [
            ("TermiRun ++", &["++host=", "++session=", "++name=", "++group=", "++cwd=", "++timeout=", "++idle=", "++template=", "++open="][..]),
            ("TermiRun ++open=", &["++open=split", "++open=vsplit", "++open=tab", "++open=float", "++open=current", "++open=none"]),
            ("TermiRun! ++open=v", &["++open=vsplit"]),
            ("TermiRun ++session=al", &["++session=alpha"]),
            ("TermiRun ++group=", &["++group=greek"]),
            ("TermiRun ++cwd=fol", &["++cwd=folder/"]),
            ("TermiRun ++name=x headx", &[]),
            ("TermiRun ls fol", &["folder/"]),
            ("TermiKill al", &["alpha", "all"]),
            ("TermiKill! two", &["two\\ words"]),
            ("TermiKill gr", &["group:greek"]),
            ("Termi kill alp", &["alpha"]),
            ("Termi show alp", &["alpha"]),
            ("Termi re", &["remove", "rename", "restart", "restore"]),
            ("TermiSessions ", &[]),
        ] {
            let found = editor.lua_texts(&format!("return vim.fn.getcompletion([[{line}]], 'cmdline')"));
            assert_eq!(found, candidates, "{line}");
        }
        let programs = editor.lua_texts("return vim.fn.getcompletion('TermiRun hea', 'cmdline')");
        assert!(programs.contains(&"head".to_owned()), "{programs:?}");
        assert!(editor.lua_texts("return vim.fn.getcompletion('Termi ', 'cmdline')").len() > 10);
    }

    fn checkhealth_finds_everything_in_place(editor) {
        editor.ex("set termguicolors");
        make_tags(editor);
        editor.ex("checkhealth termi");
        editor.eventually_lua("the report", "vim.bo.filetype == 'checkhealth' and vim.fn.search('log: ', 'nw') > 0");
        let report = editor.buffer().join("\n");
        for line in ["Neovim", "version", "answers", "a program runs on a PTY", "log: "] {
            let found = report.lines().find(|report| report.contains(line) && report.contains("OK"));
            assert!(found.is_some(), "no OK about {line:?} in\n{report}");
        }
        for bad in ["ERROR", "WARNING"] {
            assert!(!report.contains(bad), "{report}");
        }
    }

    fn a_missing_binary_is_told_once_with_what_to_do(editor, start => start.without_setup()) {
        editor.lua("require('termi').setup({ binary = '/nowhere/termi' })");
        editor.input(":TermiRun ls<CR><C-\\><C-n>");
        let said = editor.hears("/nowhere/termi");
        assert!(said.contains("Correct it or leave it out"), "{said}");
        assert!(!said.contains("traceback"), "{said}");
    }

    fn help_opens_and_its_links_lead_somewhere(editor) {
        make_tags(editor);
        editor.ex("help termi");
        editor.sees("termi.txt");
        for tag in [":TermiRun", ":TermiSessions", ":TermiKill", ":Termi", "termi-api", "termi-config", "TermiExited"] {
            editor.ex(&format!("help {tag}"));
            assert_eq!(editor.lua_text("return vim.fn.expand('%:t')"), "termi.txt", "{tag}");
        }
    }
}
