//! What a configuration builds on: the Lua API, autocommands, completion, health and help.

/// Makes the tags of the plugin's help, in a copy of it: the tests leave the repository alone.
fn make_tags(editor: &mut crate::driver::Editor) {
    let doc = editor.home.path().join("config/nvim/doc");
    std::fs::create_dir_all(&doc).unwrap();
    std::fs::copy(crate::driver::repository().join("doc/termi.txt"), doc.join("termi.txt")).unwrap();
    editor.ex(&format!("set rtp^={}", doc.parent().unwrap().display()));
    editor.ex(&format!("helptags {}", doc.display()));
}

/// The part of a text between two others.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from:?}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("no {to:?} after {from:?}")).0
}

in_each_neovim! {
    /// `run` takes what the protocol has, and validation, types, arguments, completion and help agree on it.
    fn the_options_of_run_are_those_of_one_table(editor) {
        let table = "local o = require('termi.core.run_options') ";
        let read = |path: &str| std::fs::read_to_string(crate::driver::repository().join(path)).unwrap();
        let annotations = editor.lua_texts(&format!(
            "{table} return vim.tbl_map(function(option) return option.field .. '? ' .. option.type end, o.list)"
        ));
        let init = read("lua/termi/init.lua");
        let class = between(&init, "---@class termi.RunOpts\n", "\n\n");
        let fields: Vec<&str> = class.lines().map(|line| line.strip_prefix("---@field ").unwrap()).collect();
        assert_eq!(fields.len(), annotations.len(), "{fields:#?}");
        for (field, annotation) in fields.iter().zip(&annotations) {
            let is_so = field.strip_prefix(annotation.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
            assert!(is_so, "lua/termi/init.lua: {field:?} is {annotation:?} in the table");
        }

        let names = editor.lua_texts(&format!(
            "{table} return vim.tbl_map(function(option) return option.field end, o.list)"
        ));
        let help = read("doc/termi.txt");
        let section = between(&help, "*termi.run()*", "Returns a table");
        let told: Vec<&str> =
            section.lines().filter_map(|line| line.trim().strip_prefix("• ")?.split(' ').next()).collect();
        assert_eq!(told, names, ":help termi.run()");

        let mut keys = editor.lua_texts(&format!("{table} return o.keys()"));
        let section = between(&help, "Options; a space in a value", "{time} is a number");
        let mut told: Vec<&str> = section
            .lines()
            .filter_map(|line| line.trim().strip_prefix("++")?.split([' ', '=']).next())
            .collect();
        let mut completed = editor.lua_texts("return vim.fn.getcompletion('TermiRun ++', 'cmdline')");
        for list in [&mut keys, &mut completed] {
            list.sort_unstable();
        }
        told.sort_unstable();
        assert_eq!(told, keys, ":help :TermiRun");
        let completed: Vec<&str> = completed.iter().map(|key| key.trim_start_matches('+').trim_end_matches('=')).collect();
        assert_eq!(completed, keys, "completion");

        // What a view decides is no option: its size, how it is sent, and that it is a terminal's.
        let schema: serde_json::Value = serde_json::from_str(&read("doc/protocol.schema.json")).unwrap();
        let params = schema["$defs"]["RunParams"]["properties"].as_object().unwrap();
        let mut of_the_protocol: Vec<&str> =
            params.keys().map(String::as_str).filter(|name| !["size", "attach", "stream", "echo"].contains(name)).collect();
        let mut sent = editor.lua_texts(&format!(
            "{table} local sent = {{}}
             for _, option in ipairs(o.list) do sent[#sent + 1] = option.wire and option.field or nil end
             return sent"
        ));
        of_the_protocol.sort_unstable();
        sent.sort_unstable();
        assert_eq!(sent, of_the_protocol, "what goes to the host");
        let members = editor.lua(&format!(
            "{table} for _, option in ipairs(o.list) do
               for _, argument in ipairs(option.args) do
                 assert(not argument.member or option.members[argument.member], argument.key)
               end
             end
             return vim.iter(o.list):fold({{}}, function(all, option) all[option.field] = option.members return all end)"
        ));
        for (field, of) in [("limits", "Limits"), ("keep", "Keep")] {
            let its = members.as_map().unwrap().iter().find(|(name, _)| name.as_str() == Some(field)).unwrap();
            let mut its: Vec<&str> = its.1.as_map().unwrap().iter().filter_map(|(name, _)| name.as_str()).collect();
            its.sort_unstable();
            let mut known: Vec<&String> = schema["$defs"][of]["properties"].as_object().unwrap().keys().collect();
            known.sort_unstable();
            assert_eq!(its, known, "{field}");
        }
    }

    fn each_option_of_run_reaches_the_host(editor) {
        editor.lua(
            "run = require('termi').run({
               cmd = 'seq 30000; echo $KIND; ulimit -n', name = 'long', label = 'a label', transcript_bytes = 64000,
               log = true, log_bytes = 1000, keep = { count = 1 }, limits = { open_files = 77 }, env = { KIND = 'api' },
             })",
        );
        editor.sees("[Process exited 0");
        editor.lua(
            "local snapshot = require('termi').snapshot('long')
             assert(snapshot.truncated_bytes > 60000, snapshot.truncated_bytes)
             local text = table.concat(snapshot.lines, '\\n')
             assert(text:find('30000\\napi\\n77', 1, true), text:sub(-100))
             assert(require('termi').sessions()[run.session_id].label == 'a label')",
        );
        editor.ex("TermiRun ++name=typed ++label=more\\ words ++transcript=64k ++log ++log_size=2k ++keep=1 ++keep_for=1h \
            ++open_files=78 ++memory=1G ++cpu=60 ++processes=50 ++env=KIND=command seq 30000; echo $KIND; ulimit -n");
        editor.sees("command");
        editor.lua(
            "vim.wait(10000, function()
               return require('termi').snapshot('typed').lines[1] and #vim.tbl_filter(function(session)
                 return session.name == 'typed' and session.active_processes == 0 and session.label == 'more words'
               end, vim.tbl_values(require('termi').sessions())) == 1
             end)
             local snapshot = require('termi').snapshot('typed')
             assert(snapshot.truncated_bytes > 60000, snapshot.truncated_bytes)
             local text = table.concat(snapshot.lines, '\\n')
             assert(text:find('30000\\ncommand\\n78', 1, true), text:sub(-100))
             local records = require('termi.rpc.client').call('history', {}).records
             assert(#records == 2)
             for _, record in ipairs(records) do
               assert(vim.uv.fs_stat(record.output_path).size < 2500, record.output_path)
             end",
        );
    }

    /// What fell out of the transcript before the wait began cannot match.
    fn a_wait_reports_how_much_text_could_not_be_searched(editor) {
        editor.lua(
            "local termi = require('termi')
             function wait_for(target, opts)
               local got
               termi.wait(target, opts, function(err, result) got = { err = err, result = result } end)
               assert(vim.wait(10000, function() return got ~= nil end), 'no answer')
               return got
             end
             termi.run({ cmd = 'echo FIRSTLINE; seq 30000; read x', name = 'long', transcript_bytes = 64000 })
             local found = wait_for('long', { pattern = '^30000$' })
             assert(found.result.reason == 'pattern' and not found.result.unsearched_bytes, vim.inspect(found))
             local missed = wait_for('long', { pattern = 'FIRSTLINE', timeout_ms = 50 })
             assert(missed.result.reason == 'timeout' and missed.result.unsearched_bytes > 60000, vim.inspect(missed))
             termi.send('long', '', { enter = true })
             local over = wait_for('long', { pattern = 'FIRSTLINE' })
             assert(over.result.reason == 'exit' and over.result.unsearched_bytes > 60000, vim.inspect(over))
             -- Where nothing was cut, and where nothing was searched, there is nothing to report.
             assert(not wait_for('long', {}).result.unsearched_bytes)
             termi.run({ cmd = 'echo hello', name = 'short' })
             local none = wait_for('short', { pattern = 'NOPE' })
             assert(none.result.reason == 'exit' and not none.result.unsearched_bytes, vim.inspect(none))
             local missing = wait_for('nobody', { pattern = 'x' })
             assert(missing.err and missing.err:find('nobody'), vim.inspect(missing))",
        );
    }

    fn what_is_wrong_with_an_option_of_run_is_named(editor) {
        for (given, said) in [
            ("{ transcipt_bytes = 1 }", "run(): `transcipt_bytes` is not an option. Did you mean `transcript_bytes`?"),
            ("{ limits = { memory = 1 } }", "run(): `limits.memory` is not an option"),
            ("{ limits = { cpu_second = 1 } }", "Did you mean `cpu_seconds`?"),
            ("{ keep = { count = 'x' } }", "run(): `keep.count` must be a number, not \"x\""),
            ("{ log = 'yes' }", "run(): `log` must be a boolean, not \"yes\""),
        ] {
            let error = editor.try_lua(&format!("require('termi').run({given})")).unwrap_err();
            assert!(error.contains(said), "{given}: {error}");
        }
        for (given, said) in [
            ("++log=yes true", "++log takes no value: write ++log"),
            ("++memory=lots true", "++memory=lots is not a size. Write 500k, 16M or 2G; a plain number is bytes."),
            ("++keep=-1 true", "++keep=-1 is not a whole number above 0."),
            ("++env=A true", "++env=A is not a variable. Write ++env=NAME=value."),
            ("++keep_for true", "++keep_for needs a value: ++keep_for=…"),
        ] {
            editor.ex(&format!("TermiRun {given}"));
            editor.hears(said);
        }
    }

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
            ("TermiRun ++", &["++host=", "++session=", "++name=", "++label=", "++group=", "++cwd=", "++env=", "++timeout=", "++idle=", "++memory=", "++cpu=", "++processes=", "++open_files=", "++transcript=", "++keep=", "++keep_for=", "++log", "++log_size=", "++template=", "++open="][..]),
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
