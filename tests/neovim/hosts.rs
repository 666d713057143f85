//! Other machines: runs over a real sshd, one list over all, connections that are lost and come back.

use nix::sys::signal::{Signal, kill};

use crate::{
    home::eventually,
    machine::{Machine, ssh_clients},
};

/// Answers what is typed; and once the file `go` is there says so, makes the file `gone`, and goes on.
const SCRIPT: &str = r#"echo "on $MACHINE"
(until [ -e go ]; do read -t 0.05 <>/dev/ptmx x; done; echo "printed meanwhile"; touch gone) &
while read x; do echo "got $x"; done
"#;

fn start_script(editor: &mut crate::driver::Editor, machine: &Machine) {
    machine.home.write("work/s.sh", SCRIPT);
    editor.ex(&format!("TermiRun ++host=gpu ++name=there ++cwd={} bash s.sh", machine.home.work().display()));
    editor.sees("on gpu");
    editor.is_in_terminal_mode();
}

in_each_neovim! {
    fn a_run_on_another_machine_is_seen_typed_into_and_listed_beside_those_here(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        editor.ex("TermiRun ++name=here cat");
        start_script(editor, &machine);
        editor.input("over ssh<CR>");
        editor.sees("got over ssh");
        editor.lua("assert(vim.api.nvim_buf_get_name(0):find('^termi://there@gpu/'), vim.api.nvim_buf_get_name(0))");
        editor.ex("TermiSessions");
        editor.sees("running   there@gpu");
        editor.sees("running   here  ");
        editor.ex("Termi send there@gpu by command");
        editor.sees("got by command");
        editor.ex("close");
        editor.ex("Termi transcript there");
        editor.eventually_lua("the text is there", "vim.iter(vim.api.nvim_buf_get_lines(0, 0, -1, false)):any(function(l) return l == 'got over ssh' end)");
    }

    fn what_another_machine_says_of_a_run_here_is_not_believed(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        editor.ex("TermiRun ++name=here cat");
        editor.lua("here = vim.b.termi here.buf = vim.api.nvim_get_current_buf()");
        start_script(editor, &machine);
        editor.lua(
            "there = vim.b.termi
             local receive = require('termi.host').receive
             local function event(fields)
               return receive('event', vim.tbl_extend('force', { session_id = here.session_id, run_id = here.run_id }, fields), 'gpu')
             end
             event({ type = 'run_exited', status = 'exited', exit = { code = 0 }, session_name = 'here' })
             event({ type = 'session_renamed', session_name = 'forged' })
             event({ type = 'session_removed' })
             -- Its own run and the other's session; what names neither is the host's own affair.
             event({ type = 'run_exited', run_id = there.run_id, status = 'exited', exit = { code = 0 } })
             event({ type = 'events_lost', session_id = vim.NIL, run_id = vim.NIL })
             local frame = { view_id = 4711, run_id = here.run_id, seq = 1, reset = true, data = 'FORGED' }
             assert(receive('frame', frame, 'gpu') == false)",
        );
        editor.settle();
        editor.lua(
            "assert(require('termi.rpc.routing').of(here.run_id) == '')
             local its = require('termi.model.views').of_run(here.run_id)
             assert(not its.ended and its.session_name == 'here')
             assert(not require('termi.model.views').of_run(there.run_id).ended)
             assert(vim.tbl_count(require('termi').sessions()) == 2)",
        );
        editor.ex("lua vim.api.nvim_set_current_buf(here.buf)");
        editor.input("itypedhere<CR>");
        editor.eventually_lua("it is typed here", "vim.tbl_contains(require('termi').snapshot('here').lines, 'typedhere')");
        assert!(!editor.screen().contains("FORGED"));
        editor.lua("assert(not vim.tbl_contains(require('termi').snapshot('there@gpu').lines, 'typedhere'))");
    }

    fn what_is_done_to_a_session_is_done_on_its_host(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        editor.ex("TermiRun ++name=same cat -u");
        editor.ex("TermiRun ++host=gpu ++name=same cat -A");
        eventually("it runs there", || machine.home.runs("cat -A"));
        editor.eventually_lua("it is shown", "vim.b.termi ~= nil and vim.b.termi.host == 'gpu'");
        let offered = editor.lua_texts("return vim.fn.getcompletion('Termi kill sa', 'cmdline')");
        assert_eq!(offered, ["same", "same@gpu"]);
        editor.ex("TermiKill same");
        editor.hears("`same` exists on several hosts: same@gpu, same@local");
        editor.ex("Termi rename same@gpu other");
        editor.eventually_lua("it is renamed", "vim.api.nvim_buf_get_name(0):find('^termi://other@gpu/')");
        editor.ex("TermiKill other");
        editor.hears("Killed 1/1 processes");
        assert!(!machine.home.runs("cat -A") && editor.home.runs("cat -u"));
        editor.ex("Termi restart other@gpu");
        eventually("it runs there again", || machine.home.runs("cat -A"));
        editor.sees_no("[Process killed");
        editor.ex("TermiSessions");
        editor.sees("running   other@gpu");
        editor.input("/other@gpu<CR>K");
        editor.hears("Killed 1/1 processes");
        assert!(!machine.home.runs("cat -A") && editor.home.runs("cat -u"));
        editor.ex("Termi restart other");
        eventually("it runs there once more", || machine.home.runs("cat -A"));
        editor.ex("TermiKill all@local");
        editor.hears("Killed 1/1 processes");
        assert!(machine.home.runs("cat -A") && !editor.home.runs("cat -u"));
        editor.ex("TermiRun ++name=another ++open=none cat -u");
        editor.ex("TermiKill all");
        editor.hears("Killed 2/2 processes");
    }

    fn a_run_there_has_the_folder_and_environment_of_there(editor) {
        let machine = Machine::new();
        editor.lua("vim.env.FROM_HERE = 'yes'");
        let more = "cwd = function(here) seen = here; return '/usr' end, env = { ADDED = 'for gpu' }";
        editor.set_up(&machine.options(more));
        editor.ex("TermiRun ++host=gpu echo \"in $(pwd), ($ADDED) ($FROM_HERE)\"");
        editor.sees("in /usr, (for gpu) ()");
        assert_eq!(editor.lua_text("return seen"), editor.lua_text("return vim.fn.getcwd()"));
        editor.ex("TermiRun ++host=gpu ++cwd=/etc pwd");
        editor.sees("/etc");
        let run = "local run = require('termi').run({ host = 'gpu', cmd = 'exit 3' }); return run.host";
        assert_eq!(editor.lua_text(run), "gpu");
        editor.sees("[Process exited 3");
    }

    fn a_lost_connection_is_said_and_the_view_goes_on_where_it_was(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        start_script(editor, &machine);
        editor.input("before<CR>");
        editor.sees("got before");
        for pid in ssh_clients(&editor.home) {
            kill(pid, Signal::SIGKILL).unwrap();
        }
        editor.sees("[Connection to gpu lost, trying again]");
        machine.home.write("work/go", "");
        editor.hears("connected to gpu again");
        editor.sees_no("[Connection to gpu lost");
        editor.sees("printed meanwhile");
        editor.sees("got before");
        editor.input("after<CR>");
        editor.sees("got after");
    }

    fn a_machine_that_cannot_be_reached_is_listed_so_and_comes_back_with_all_that_happened(editor) {
        let mut machine = Machine::new();
        editor.set_up(&machine.options(""));
        editor.ex("TermiRun ++host=gpu ++name=ending ++open=none read x");
        editor.eventually_lua("it runs there", "vim.tbl_count(require('termi').sessions()) == 1");
        start_script(editor, &machine);
        editor.lua("vim.api.nvim_create_autocmd('User', { pattern = 'TermiExited', callback = function(e) ended = e.data.session_name end })");
        editor.lua(
            "troubles = {}
             require('termi.rpc.bus').on_any(function(event)
               if event.type == 'host_lost' then
                 table.insert(troubles, require('termi.rpc.remote').status_text('gpu'))
               end
             end)",
        );
        // What a program prints may be seen before the event of its start.
        editor.eventually_lua("both are known", "vim.tbl_count(require('termi.model.run_state').runs()) == 2");
        machine.stop();
        editor.sees("[Connection to gpu lost, trying again]");
        editor.input("while away<CR>");
        machine.home.write("work/go", "");
        eventually("the program goes on", || machine.home.work().join("gone").exists());
        machine.termi(&["kill", "ending"]);
        editor.ex("Termi sessions");
        editor.sees("gpu: connection lost, trying again");
        editor.sees("(2 runs there)");
        editor.eventually_lua("it was tried in vain", "#troubles >= 3");
        let troubles = editor.lua_texts("return vim.list_slice(troubles, 1, 3)");
        assert_eq!(troubles, [1, 2, 4].map(|seconds| format!("connection lost, trying again in {seconds} s")));
        editor.ex("TermiKill there@gpu");
        let said = editor.hears("`:Termi connect gpu` connects it now");
        assert!(said.contains("gpu: connection lost, trying again"), "{said}");
        machine.start();
        editor.sees("running   there@gpu");
        editor.sees_no("connection lost");
        editor.sees("printed meanwhile");
        editor.sees("got while away");
        editor.eventually_lua("the end is told", "ended == 'ending'");
    }

    fn a_machine_that_does_not_answer_holds_up_nothing_here(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        start_script(editor, &machine);
        editor.ex("TermiSessions");
        editor.sees("running   there@gpu");
        // As when the network is gone and nobody has noticed yet.
        let clients = ssh_clients(&editor.home);
        for pid in &clients {
            kill(*pid, Signal::SIGSTOP).unwrap();
        }
        editor.ex("TermiRun ++name=here cat -u");
        let screen = editor.sees("running   here");
        assert!(screen.contains("running   there@gpu"), "what was known of it is still listed:\n{screen}");
        editor.ex("TermiKill here");
        editor.hears("Killed 1/1 processes");
        for pid in &clients {
            kill(*pid, Signal::SIGCONT).unwrap();
        }
        editor.ex("Termi send there@gpu late");
        eventually("it is typed", || machine.termi(&["tail", "there"]).contains("got late"));
    }

    fn why_a_machine_cannot_be_used_is_said_with_what_to_do(editor) {
        let mut machine = Machine::new();
        editor.set_up(&machine.options_with("no-termi-here", ""));
        editor.ex("TermiRun ++host=gpu true");
        editor.hears("gpu has no termi: no-termi-here: command not found. Install it, or set hosts.gpu.cmd");
        editor.lua("assert(#vim.api.nvim_list_wins() == 1)");
        editor.ex("TermiRun ++host=cpu true");
        editor.hears("there is no host `cpu`. Did you mean `gpu`?");
        machine.stop();
        editor.ex("Termi connect gpu");
        let said = editor.hears("cannot connect to gpu: ");
        assert!(said.contains("Connection refused"), "{said}");
        editor.set_up("{ hosts = { gpu = { cmd = { 'no-such-ssh' } } } }");
        editor.ex("Termi connect gpu");
        editor.hears("cannot connect to gpu: `no-such-ssh` is not executable");
        editor.set_up("{ hosts = { gpu = { cmd = { 'sleep', '100' } } } }");
        editor.ex("TermiRun ++host=gpu true");
        editor.sees("[Connecting to gpu");
        editor.ex("Termi disconnect gpu");
        editor.hears("gpu was disconnected");
        let complaint = editor.try_lua("require('termi').setup({ hosts = { gpu = { command = {} } } })").unwrap_err();
        assert!(complaint.contains("needs a list as the `cmd` of gpu"), "{complaint}");
        let complaint = editor.try_lua("require('termi').setup({ hosts = { ['local'] = { cmd = { 'a' } } } })").unwrap_err();
        assert!(complaint.contains("`local`, which is this machine"), "{complaint}");
    }

    fn a_machine_wanted_from_the_start_is_connected_and_its_sessions_are_listed(editor) {
        let machine = Machine::new();
        machine.termi(&["run", "--name", "old", "--", "cat", "-A"]);
        editor.set_up(&machine.options("auto = true"));
        editor.ex("TermiSessions");
        editor.sees("running   old@gpu");
        editor.ex("Termi attach old@gpu");
        editor.is_in_terminal_mode();
        editor.input("seen<CR>");
        editor.sees("seen$");
        editor.ex("checkhealth termi");
        editor.eventually_lua("health lists it", "vim.fn.search('gpu: connected: version') > 0");
        editor.ex("close");
        editor.ex("Termi disconnect gpu");
        editor.sees("[Disconnected from gpu: :Termi connect gpu shows it again]");
        editor.ex("Termi connect gpu");
        editor.hears("connected to gpu");
        editor.sees_no("[Disconnected");
        assert_eq!(editor.lua_texts("return vim.fn.getcompletion('TermiRun ++host=', 'cmdline')"), ["++host=gpu"]);
    }

    fn a_daemon_that_dies_there_is_said_and_another_is_joined(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        start_script(editor, &machine);
        let daemons = machine.home.processes().into_iter().filter(|(_, line)| line.contains(" daemon --detach"));
        let pids: Vec<_> = daemons.map(|(pid, _)| pid).collect();
        assert_eq!(pids.len(), 1);
        kill(pids[0], Signal::SIGKILL).unwrap();
        editor.hears(&format!("the connection to gpu is lost, trying again: the daemon (process {})", pids[0]));
        editor.sees("[gpu no longer has this run]");
        editor.ex("TermiRun ++host=gpu echo a new daemon on $MACHINE");
        editor.sees("a new daemon on gpu");
    }

    fn another_binary_for_the_daemon_there_is_not_noticed(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        start_script(editor, &machine);
        machine.termi(&["daemon", "--replace"]);
        editor.input("typed on<CR>");
        editor.sees("got typed on");
        editor.sees("on gpu");
        let said = editor.take_messages();
        assert!(!said.contains("lost") && !said.contains("again"), "{said}");
    }

    fn a_reloaded_plugin_goes_on_with_the_machines_it_has(editor) {
        let machine = Machine::new();
        editor.set_up(&machine.options(""));
        start_script(editor, &machine);
        editor.ex("TermiRun ++name=here cat -u");
        editor.is_in_terminal_mode();
        editor.lua("for name in pairs(package.loaded) do if name:find('^termi') then package.loaded[name] = nil end end");
        editor.set_up(&machine.options(""));
        editor.ex("TermiSessions");
        editor.sees("running   there@gpu");
        editor.ex("close");
        editor.ex("Termi show there");
        editor.is_in_terminal_mode();
        editor.input("reloaded<CR>");
        editor.sees("got reloaded");
    }
}
