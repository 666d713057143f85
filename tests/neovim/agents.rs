//! Coding agents: their states in the list, in the statusline, in messages, and the way to who waits.

use crate::driver::Editor;

/// A program that reports these states (OSC 7501), the next one after each line that it is sent.
fn agent(reports: &[&str]) -> String {
    let report = |report: &&str| format!(r"printf '\033]7501;{report}\033\\'; read x");
    reports.iter().map(report).collect::<Vec<_>>().join("; ")
}

/// `approve ls`, in base64.
const ASKS: &str = "state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBscw==";
const WORKS: &str = "state=working:app=codex:progress=40";
const DONE: &str = "state=done:app=codex";

/// Starts one that no window shows.
fn start(editor: &mut Editor, name: &str, reports: &[&str]) {
    editor.lua(&format!("require('termi').run({{ cmd = [[{}]], name = '{name}', open = 'none' }})", agent(reports)));
}

/// Waits until the agents are in these states, in order.
fn are(editor: &mut Editor, states: &str) {
    editor.eventually_lua(
        &format!("the agents are {states}"),
        &format!(
            "table.concat(vim.tbl_map(function(run) return run.session_name .. ' ' .. run.agent.state end,
               require('termi').agents()), ', ') == '{states}'"
        ),
    );
}

in_each_neovim! {
    fn agents_are_listed_with_who_has_waited_longest_first(editor) {
        editor.lua("assert(#require('termi').agents() == 0)");
        editor.lua("require('termi').run({ cmd = 'sleep 100', name = 'none', open = 'none' })");
        start(editor, "worker", &[WORKS]);
        start(editor, "finished", &[DONE]);
        start(editor, "asks", &[WORKS, ASKS]);
        are(editor, "finished done, worker working, asks working");
        start(editor, "asks-too", &[ASKS]);
        are(editor, "asks-too blocked, finished done, worker working, asks working");
        editor.lua("require('termi').send('asks', '', { enter = true })");
        are(editor, "asks-too blocked, asks blocked, finished done, worker working");
        editor.lua(
            "local run = require('termi').agents()[1]
             local agent = run.agent
             assert(agent.app == 'codex' and agent.kind == 'permission' and agent.message == 'approve ls', vim.inspect(run))
             assert(agent.source == 'osc' and agent.seen == false and run.host == nil, vim.inspect(run))
             assert(require('termi').sessions()[run.session_id].processes[1].agent.state == 'blocked')",
        );
        // What has ended is reported as an end.
        editor.lua("require('termi').kill('asks-too')");
        are(editor, "asks blocked, finished done, worker working");
        editor.take_messages();
    }

    fn a_user_autocommand_tells_of_each_state(editor) {
        editor.lua(
            "heard = {}
             vim.api.nvim_create_autocmd('User', { pattern = 'TermiAgent', callback = function(event)
               heard[#heard + 1] = event.data
             end })",
        );
        start(editor, "told", &[WORKS, ASKS, "state=clear"]);
        editor.eventually_lua("it works", "#heard == 1");
        editor.lua("require('termi').send('told', '', { enter = true })");
        editor.eventually_lua("it asks", "#heard == 2");
        editor.lua("require('termi').send('told', '', { enter = true })");
        editor.eventually_lua("it is no agent any more", "#heard > 2 and heard[#heard].agent == nil");
        editor.lua(
            "local works, asks = unpack(heard)
             assert(works.agent.state == 'working' and works.agent.progress == 40 and works.was == nil, vim.inspect(heard))
             assert(asks.agent.state == 'blocked' and asks.was == 'working', vim.inspect(heard))
             local run = vim.b[works.buf].termi
             for _, data in ipairs(heard) do
               assert(data.session_name == 'told' and data.host == '' and data.run_id == run.run_id, vim.inspect(heard))
               assert(data.session_id == run.session_id, vim.inspect(heard))
             end",
        );
        editor.eventually_lua("none is left", "#require('termi').agents() == 0");
        editor.take_messages();
    }

    fn the_list_shows_what_agents_do_and_ask(editor, start => start.size(120, 30)) {
        start(editor, "worker", &[WORKS]);
        start(editor, "asks", &[ASKS]);
        start(editor, "finished", &[DONE]);
        start(editor, "broken", &["state=error:app=codex:msg=bm8gbmV0d29yaw=="]);
        start(editor, "idle", &["state=idle:app=codex"]);
        are(editor, "asks blocked, broken error, finished done, worker working, idle ready");
        editor.ex("TermiSessions");
        let of = |name: &'static str, parts: &'static [&'static str]| move |screen: &crate::driver::Grid| {
            screen.find(&format!(" {name} ")).is_some_and(|(row, _)| {
                let line = screen.line(row);
                parts.iter().all(|part| line.contains(part))
            })
        };
        editor.eventually("what is asked", of("asks", &["◆ asks ", "approve ls"]));
        editor.eventually("whose turn it is", of("finished", &["✓ your turn "]));
        editor.eventually("the error", of("broken", &["✗ error ", "no network"]));
        editor.eventually("how far it is", of("worker", &["● working 40% "]));
        editor.eventually("who is ready", of("idle", &["✓ ready "]));
        editor.lua("require('termi').run({ cmd = [[echo more; sleep 100]], session = 'asks', open = 'none' })");
        editor.sees("2 runs: 1 waiting, 1 running");
        editor.eventually("a session is as its worst run", of("asks", &["◆ asks ", "approve ls"]));
        editor.input("fapprove<CR>");
        editor.sees("filter: approve 1/5");
        editor.input("F");
        for _ in 0..6 {
            editor.input("s");
        }
        let screen = editor.sees("Name (attention ↑)");
        let rows = ["asks", "broken", "finished", "worker", "idle"].map(|name| screen.find(&format!(" {name} ")).unwrap().0);
        assert!(rows.is_sorted(), "{rows:?}\n{screen}");
        editor.resize(60, 30);
        // The question counts for more than the command.
        editor.eventually("what is asked, where it is narrow", of("asks", &["◆ asks ", "approve ls"]));
        editor.take_messages();
    }

    fn an_agent_of_an_older_host_is_a_run_as_any(editor) {
        start(editor, "asks", &[ASKS]);
        are(editor, "asks blocked");
        editor.lua(
            "local run = require('termi').agents()[1]
             require('termi.model.run_state').runs()[run.run_id].agent = nil
             local client, request = require('termi.rpc.client'), nil
             request = client.request
             client.request = function(name, params, callback, host)
               if name ~= 'sessions' then return request(name, params, callback, host) end
               request(name, params, function(err, sessions)
                 for _, session in pairs(sessions or {}) do
                   for _, process in ipairs(session.processes) do process.agent = nil end
                 end
                 callback(err, sessions)
               end, host)
             end",
        );
        editor.ex("TermiSessions");
        editor.sees("● running");
        editor.take_messages();
    }

    fn next_goes_to_who_has_waited_longest(editor) {
        editor.ex("Termi next");
        editor.hears("no agent waits for you.");
        start(editor, "finished", &[DONE]);
        are(editor, "finished done");
        start(editor, "worker", &[WORKS]);
        start(editor, "asks", &[ASKS, WORKS]);
        are(editor, "asks blocked, finished done, worker working");
        start(editor, "asks-too", &[ASKS]);
        are(editor, "asks blocked, asks-too blocked, finished done, worker working");
        let shows = |editor: &mut Editor, name: &str| {
            editor.eventually_lua(
                &format!("{name} is shown"),
                &format!("vim.api.nvim_buf_get_name(0):find('termi://{name}/', 1, true) and vim.fn.mode() == 't'"),
            );
        };
        editor.ex("Termi next");
        shows(editor, "finished");
        editor.lua("vim.keymap.set('t', '<C-y>', '<Plug>(termi-next)')");
        editor.input("<C-y>");
        shows(editor, "asks");
        editor.input("<C-y>");
        shows(editor, "asks-too");
        // Both were looked at, and still ask; who is done waits no longer.
        editor.eventually_lua(
            "the host knows who was looked at",
            "table.concat(vim.tbl_map(function(run) return run.session_name .. ' ' .. tostring(run.agent.seen) end,
               require('termi').agents()), ', ') == 'asks true, asks-too true, worker false, finished true'",
        );
        editor.input("<C-y>");
        shows(editor, "asks");
        editor.input("<CR>");
        are(editor, "asks-too blocked, worker working, asks working, finished done");
        editor.input("<C-y>");
        shows(editor, "asks-too");
        editor.input("<C-y>");
        editor.hears("no other agent waits for you.");
        editor.take_messages();
    }

    fn who_is_looked_at_is_seen_once_a_state(editor) {
        editor.lua(
            "asked = 0
             local client, request = require('termi.rpc.client'), nil
             request = client.request
             client.request = function(name, ...)
               asked = asked + (name == 'seen' and 1 or 0)
               return request(name, ...)
             end
             heard = 0
             vim.api.nvim_create_autocmd('User', { pattern = 'TermiAgent', callback = function() heard = heard + 1 end })",
        );
        editor.ex(&format!("TermiRun ++name=agent {}", agent(&[WORKS, ASKS, WORKS, DONE])));
        are(editor, "agent working");
        editor.is_in_terminal_mode();
        editor.input("<CR>");
        editor.eventually_lua("it is seen as it asks", "(require('termi').agents()[1] or { agent = {} }).agent.seen == true");
        editor.input("<C-\\><C-n><C-w>w<C-w>wi");
        editor.is_in_terminal_mode();
        assert_eq!(editor.lua_number("return asked"), 1);
        editor.input("<CR>");
        are(editor, "agent working");
        // Nobody looks.
        editor.lua("vim.api.nvim_exec_autocmds('FocusLost', {})");
        editor.input("<CR>");
        are(editor, "agent done");
        assert_eq!(editor.lua("return require('termi').agents()[1].agent.seen").as_bool(), Some(false));
        editor.lua("vim.api.nvim_exec_autocmds('FocusGained', {})");
        editor.eventually_lua("now somebody does", "require('termi').agents()[1].agent.seen");
        assert_eq!(editor.lua_number("return asked"), 2);
    }

    fn a_host_without_the_method_is_not_asked(editor) {
        editor.lua(
            "local client = require('termi.rpc.client')
             local info, request = client.info, client.request
             client.info = function(...)
               local real = vim.deepcopy(info(...))
               real.capabilities.methods = vim.tbl_filter(function(name) return name ~= 'seen' end, real.capabilities.methods)
               return real
             end
             client.request = function(name, ...)
               assert(name ~= 'seen', 'it is asked')
               return request(name, ...)
             end",
        );
        editor.ex(&format!("TermiRun ++name=agent {}", agent(&[ASKS])));
        are(editor, "agent blocked");
        editor.input("<C-\\><C-n><C-w>w");
        assert!(!editor.take_messages().contains("asked"));
    }

    fn the_statusline_counts_who_waits_who_is_done_and_who_works(editor) {
        editor.ex("set laststatus=2 statusline=%{v:lua.require'termi'.statusline()}");
        start(editor, "worker", &[WORKS]);
        editor.sees("● 1");
        start(editor, "asks", &[ASKS, WORKS]);
        editor.sees("● 1 ◆ 1");
        start(editor, "finished", &[DONE]);
        editor.sees("● 1 ◆ 1 ✓ 1");
        start(editor, "broken", &["state=error:app=codex"]);
        editor.sees("● 1 ✗ 1 ◆ 1 ✓ 1");
        // Those that have nothing to show are in no count.
        start(editor, "idle", &["state=idle:app=codex"]);
        are(editor, "asks blocked, broken error, finished done, worker working, idle ready");
        editor.sees("● 1 ✗ 1 ◆ 1 ✓ 1");
        editor.ex("Termi show finished");
        editor.sees_no("✓ 1");
        editor.lua("require('termi').send('asks', '', { enter = true })");
        editor.sees("● 2 ✗ 1");
        editor.sees_no("◆ 1");
        editor.take_messages();
    }

    fn who_begins_to_wait_is_told_in_one_message(editor) {
        start(editor, "asks", &[WORKS, ASKS]);
        start(editor, "finishes", &[WORKS, DONE]);
        start(editor, "breaks", &[WORKS, "state=error:app=codex:msg=bm8gbmV0d29yaw=="]);
        are(editor, "asks working, finishes working, breaks working");
        editor.lua("said = {}; vim.notify = function(text) said[#said + 1] = text end");
        editor.lua("require('termi').send('asks', '', { enter = true })");
        editor.eventually_lua("what is asked", "vim.deep_equal(said, { 'termi: asks asks: approve ls' })");
        editor.lua("said = {}; require('termi').send('breaks', '', { enter = true })");
        editor.eventually_lua("the error", "vim.deep_equal(said, { 'termi: breaks stopped at an error: no network' })");
        editor.lua("said = {}; require('termi').send('finishes', '', { enter = true })");
        editor.eventually_lua("the end", "vim.deep_equal(said, { 'termi: finishes is done: your turn' })");
        for name in ["one", "two"] {
            start(editor, name, &[WORKS, ASKS]);
        }
        are(editor, "asks blocked, breaks error, finishes done, one working, two working");
        // What the host says of both comes in one turn.
        editor.lua(
            "said = {}
             local host, agents = require('termi.host'), require('termi').agents()
             for _, name in ipairs({ 'one', 'two' }) do
               for _, run in ipairs(agents) do
                 if run.session_name == name then
                   host.receive('event', { type = 'agent_state', session_id = run.session_id, session_name = name,
                     run_id = run.run_id, was = 'working', agent = vim.tbl_extend('force', run.agent, { state = 'blocked' }) })
                 end
               end
             end",
        );
        editor.eventually_lua("both at once", "vim.deep_equal(said, { 'termi: 2 agents: one waits for you, two waits for you' })");
    }

    fn a_bell_of_an_agent_is_not_told_besides(editor) {
        let rings = format!(r"read x; {}; printf '\a'", agent(&[WORKS]));
        let rings_at_once = format!(r"read x; printf '\033]7501;{ASKS}\033\\\a'; read x");
        let others = r"read x; printf '\a'; read x";
        for (name, cmd) in [("agent", format!("{rings}; {}", agent(&[ASKS]))), ("sudden", rings_at_once), ("other", others.to_owned())] {
            editor.lua(&format!("require('termi').run({{ cmd = [[{cmd}]], name = '{name}', open = 'none' }})"));
        }
        editor.lua(
            "said, rings = {}, {}
             vim.notify = function(text) said[#said + 1] = text end
             vim.api.nvim_create_autocmd('User', { pattern = 'TermiAttention', callback = function(event)
               rings[event.data.session_name] = true
             end })",
        );
        editor.lua("require('termi').send('agent', '', { enter = true })");
        are(editor, "agent working");
        for name in ["agent", "sudden"] {
            editor.lua(&format!("require('termi').send('{name}', '', {{ enter = true }})"));
            editor.eventually_lua("it rings, and says more", &format!("rings['{name}'] and #said > 0"));
            assert_eq!(editor.lua_texts("return said"), [format!("termi: {name} asks: approve ls")]);
            editor.lua("said = {}");
        }
        // A bell that were told besides would come before this one.
        editor.lua("require('termi').send('other', '', { enter = true })");
        editor.eventually_lua("others ring", "vim.deep_equal(said, { 'termi: other rings' })");
        are(editor, "agent blocked, sudden blocked");
    }

    fn who_is_in_view_is_not_told_of(editor) {
        editor.ex(&format!("TermiRun ++name=agent {}", agent(&[WORKS, ASKS, WORKS, DONE])));
        are(editor, "agent working");
        start(editor, "hidden", &[WORKS, ASKS]);
        are(editor, "agent working, hidden working");
        editor.lua("said = {}; vim.notify = function(text) said[#said + 1] = text end");
        editor.is_in_terminal_mode();
        // In a window that is not the current one, too.
        editor.input("<C-\\><C-n><C-w>w");
        editor.eventually_lua("another window is the current one", "vim.bo.buftype == ''");
        editor.lua("require('termi').send('agent', '', { enter = true })");
        are(editor, "agent blocked, hidden working");
        editor.lua("require('termi').send('hidden', '', { enter = true })");
        editor.eventually_lua("only the other is told of", "vim.deep_equal(said, { 'termi: hidden asks: approve ls' })");
        editor.lua("said = {}; require('termi').send('agent', '', { enter = true })");
        are(editor, "hidden blocked, agent working");
        editor.lua("vim.api.nvim_exec_autocmds('FocusLost', {})");
        editor.lua("require('termi').send('agent', '', { enter = true })");
        editor.eventually_lua("it is told to who comes back", "vim.deep_equal(said, { 'termi: agent is done: your turn' })");
    }

    fn claude_gets_hooks_by_an_option_and_checkhealth_says_so(editor, start => start.setup("{ agents = { hooks = true } }")) {
        let claude = editor.home.write("claude", "#!/bin/sh\necho \"first: $1\" last: $3\nread x\n");
        std::fs::set_permissions(&claude, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let claude = claude.display();
        editor.lua(&format!("require('termi').run({{ cmd = {{ '{claude}', '-p' }}, name = 'agent', open = 'current' }})"));
        editor.eventually_lua("it has them", "vim.fn.getline(1) == 'first: --settings last: -p'");
        editor.ex("checkhealth termi");
        editor.eventually_lua("the report", "vim.bo.filetype == 'checkhealth' and vim.fn.search('log: ', 'nw') > 0");
        let report = editor.buffer().join("\n");
        assert!(report.contains("Coding agents") && !report.contains("ERROR"), "{report}");
    }

    fn nothing_is_told_of_agents_where_that_is_switched_off(editor, start => start.setup("{ notify = { agent = 'never' } }")) {
        start(editor, "quiet", &[ASKS]);
        let rings = format!(r"printf '\033]7501;{ASKS}\033\\\a'; read x");
        are(editor, "quiet blocked");
        editor.lua(&format!("require('termi').run({{ cmd = [[{rings}]], name = 'rings', open = 'none' }})"));
        let said = editor.hears("rings rings");
        assert!(!said.contains("quiet"), "{said}");
    }

    fn who_waits_in_a_group_is_not_below_who_waits_for_nobody(editor, start => start.size(60, 30)) {
        editor.lua(&format!("require('termi').run({{ cmd = [[{}]], name = 'asks', group = 'dev', open = 'none' }})",
            // A question that wants the whole width.
            agent(&["state=blocked:app=codex:msg=YXBwcm92ZSBybSAtcmYgbm9kZV9tb2R1bGVzIGFuZCB0aGVuIGJ1aWxkIGFsbCBvZiBpdA=="])));
        are(editor, "asks blocked");
        start(editor, "worker", &[WORKS]);
        are(editor, "asks blocked, worker working");
        editor.ex("TermiSessions");
        for _ in 0..6 {
            editor.input("s");
        }
        // At this width the whole title does not fit.
        editor.sees("attention ↑ ");
        editor.sees_no("(attention");
        let screen = editor.eventually("all are listed", |screen| screen.find("worker").is_some());
        let rows = ["▾ dev", "◆ asks", "▾ no group", "● working 40%"].map(|text| screen.find(text).map(|at| at.0));
        assert!(rows.is_sorted() && rows[0].is_some(), "{rows:?}\n{screen}");
        editor.take_messages();
    }

    fn next_goes_on_from_who_was_looked_at(editor) {
        for name in ["one", "two", "three"] {
            start(editor, name, &[DONE]);
            editor.eventually_lua(
                &format!("{name} is done"),
                &format!("vim.iter(require('termi').agents()):any(function(run) return run.session_name == '{name}' end)"),
            );
        }
        editor.ex("Termi show two");
        for name in ["three", "one"] {
            editor.ex("stopinsert");
            editor.ex("Termi next");
            editor.eventually_lua(name, &format!("vim.api.nvim_buf_get_name(0):find('termi://{name}/', 1, true)"));
        }
        editor.ex("Termi next");
        editor.hears("no agent waits for you.");
        editor.take_messages();
    }

    fn another_question_is_told(editor) {
        start(editor, "asks", &[WORKS, ASKS, "state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBybQ=="]);
        are(editor, "asks working");
        editor.lua("said = {}; vim.notify = function(text) said[#said + 1] = text end");
        editor.lua("require('termi').send('asks', '', { enter = true })");
        editor.eventually_lua("what is asked", "vim.deep_equal(said, { 'termi: asks asks: approve ls' })");
        editor.lua("said = {}; require('termi').send('asks', '', { enter = true })");
        editor.eventually_lua("what is asked then", "vim.deep_equal(said, { 'termi: asks asks: approve rm' })");
    }

    fn how_far_a_program_is_stands_in_the_list(editor, start => start.size(120, 30)) {
        editor.lua(r"require('termi').run({ cmd = [[printf '\033]9;4;1;40\007'; read x]], name = 'get', open = 'none' })");
        editor.ex("TermiSessions");
        editor.sees("● running 40%  get ");
    }

    fn the_program_in_the_current_window_has_neovims_focus(editor) {
        // Shows each report that it is sent, once it has asked for them.
        let shows = "stty raw -echo; printf '\\033[?1004h'; echo ready; while c=$(head -c 3 | tail -c 1); do printf '%s' $c; done";
        editor.ex("TermiRun ++name=plain ++open=current stty raw -echo; echo here; exec cat -v");
        editor.sees("here");
        editor.ex(&format!("TermiRun ++name=asked ++open=split {shows}"));
        editor.sees("ready");
        editor.is_in_terminal_mode();
        let gain = |editor: &mut Editor| editor.lua("vim.api.nvim_exec_autocmds('FocusGained', {})");
        let lose = |editor: &mut Editor| editor.lua("vim.api.nvim_exec_autocmds('FocusLost', {})");
        // No report twice, though both the loss and the gain may be told twice.
        lose(editor);
        lose(editor);
        editor.sees("O");
        gain(editor);
        gain(editor);
        editor.sees("OI");
        // In another window it has no focus to lose; the program there never asked.
        editor.input("<C-\\><C-n><C-w>w");
        editor.eventually_lua("the other is current", "vim.api.nvim_buf_get_name(0):find('termi://plain/', 1, true)");
        lose(editor);
        gain(editor);
        editor.lua("require('termi').send('plain', 'typed')");
        let screen = editor.sees("typed");
        assert!(screen.find("^[[").is_none(), "{screen}");
        // Neovim from 0.11 on says by itself that terminal mode has ended.
        assert!(screen.find("OIOO").is_none() && screen.find("OIOI").is_none(), "{screen}");
    }
}
