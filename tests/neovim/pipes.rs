//! `:Termi pipe`: what one run prints is typed into another.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{home::eventually, machine::Machine};

/// Says what it is told, in lines of its own.
const SAYER: &str = r#"while read -r x; do printf "$x\n"; done"#;

/// Keeps what is typed into it, as it comes.
const KEEPER: &str = "stty -echo -icanon -icrnl; echo ready; exec cat >kept";

fn kept(editor: &crate::driver::Editor) -> String {
    let bytes = std::fs::read(editor.home.work().join("kept")).unwrap_or_default();
    String::from_utf8(bytes).unwrap()
}

/// Waits until a text was echoed and said; the window may be held by who reads in it.
fn is_answered(editor: &mut crate::driver::Editor, text: &str) {
    let lines = "vim.iter(require('termi').snapshot('sayer').lines)";
    let count = format!("#{lines}:filter(function(line) return line == '{text}' end):totable() == 2");
    editor.eventually_lua("it is answered", &count);
}

fn start_both(editor: &mut crate::driver::Editor) {
    editor.home.write("work/sayer.sh", SAYER);
    editor.home.write("work/keeper.sh", KEEPER);
    editor.ex("TermiRun ++name=keeper sh keeper.sh");
    editor.sees("ready");
    editor.ex("TermiRun ++name=sayer bash sayer.sh");
    editor.ex("Termi send sayer said before");
    is_answered(editor, "said before");
}

in_each_neovim! {
    fn each_new_line_of_one_run_is_typed_into_another_without_what_could_act_there(editor) {
        start_both(editor);
        assert_eq!(editor.lua_texts("return vim.fn.getcompletion('Termi pipe sayer k', 'cmdline')"), ["keeper"]);
        editor.ex("Termi pipe sayer keeper");
        editor.hears("each new line of sayer is now typed into keeper");
        editor.ex(r"Termi send sayer red \033[31mtext\033[m\tand\033]0;title\007 \303\244");
        let wanted = "red \\033[31mtext\\033[m\\tand\\033]0;title\\007 \\303\\244\rred text        and ä\r";
        eventually("it is typed", || kept(editor).ends_with("ä\r"));
        assert_eq!(kept(editor), wanted);
        editor.ex("Termi unpipe sayer keeper");
        editor.hears("ended 1 pipe");
        editor.ex("Termi send sayer said after");
        is_answered(editor, "said after");
        editor.ex("Termi send! keeper end");
        eventually("nothing came between", || kept(editor) == format!("{wanted}end"));
    }

    fn a_pipe_into_itself_or_round_in_a_circle_is_refused(editor) {
        for name in ["one", "two", "three"] {
            editor.ex(&format!("TermiRun ++name={name} ++open=none cat"));
        }
        editor.ex("Termi pipe one one");
        editor.hears("a run cannot be piped into itself");
        editor.ex("Termi pipe one two");
        editor.ex("Termi pipe two three");
        editor.hears("each new line of two is now typed into three");
        editor.ex("Termi pipe three one");
        editor.hears("one is already piped into three");
        editor.ex("Termi pipe one two");
        editor.hears("the pipe from one to two already exists");
        editor.ex("Termi unpipe three");
        editor.hears("nothing of three is piped");
        editor.ex("Termi pipe one nobody");
        editor.hears("there is no session `nobody`. :TermiSessions lists them.");
        editor.ex("Termi pipe one");
        editor.hears("usage: :Termi pipe {from} {to}");
    }

    fn a_pipe_ends_with_either_end_and_the_last_line_gets_through(editor) {
        start_both(editor);
        editor.ex("TermiRun ++name=brief ++open=none read x; echo the last line");
        editor.ex("Termi pipe brief keeper");
        editor.ex("Termi pipe sayer keeper");
        editor.ex("Termi send! brief x");
        editor.lua("require('termi').send('brief', '', { enter = true })");
        editor.hears("the pipe from brief to keeper ended: brief has ended");
        eventually("it is typed", || kept(editor).ends_with("the last line\r"));
        editor.ex("TermiKill keeper");
        editor.hears("the pipe from sayer to keeper ended: keeper has ended");
        editor.ex("Termi pipe sayer keeper");
        editor.hears("keeper has ended. `:Termi restart keeper` starts it again.");
    }

    fn a_flood_through_a_pipe_leaves_the_editor_free_and_what_is_lost_is_counted(editor) {
        editor.home.write("work/keeper.sh", KEEPER);
        let keeper = "return require('termi').run({ name = 'keeper', cmd = { 'sh', 'keeper.sh' } }).pid";
        let keeper = Pid::from_raw(editor.lua_number(keeper).try_into().unwrap());
        editor.sees("ready");
        editor.ex("TermiRun ++name=flood ++open=none read x; seq 1 1000000; echo done");
        editor.ex("Termi pipe flood keeper");
        // Who reads nothing makes all that is printed wait.
        kill(keeper, Signal::SIGSTOP).unwrap();
        editor.lua("require('termi').send('flood', '', { enter = true })");
        editor.eventually_lua("all is printed", "require('termi.model.run_state').count_active('') == 1");
        editor.ex("TermiRun echo the editor is free");
        editor.sees("the editor is free");
        kill(keeper, Signal::SIGCONT).unwrap();
        let said = editor.hears("the pipe from flood to keeper ended");
        // The program reads on for a moment.
        eventually("the last line gets through", || kept(editor).ends_with("done\r"));
        let text = kept(editor);
        let count = text.matches('\r').count();
        let said: Vec<&str> = said.lines().filter(|line| line.contains(" skipped")).collect();
        let skipped: usize = said
            .iter()
            .map(|line| {
                let number = line.split('…').nth(1).unwrap().trim().split(' ').next().unwrap();
                number.replace(',', "").parse::<usize>().unwrap()
            })
            .sum();
        // The empty line is that of the Return key, which the terminal has echoed.
        assert_eq!(count + skipped, 1_000_002, "{said:?}");
        assert!(!said.is_empty() && said.len() < 10, "said once each time it catches up: {said:?}");
        let kilobytes = editor.lua_number("collectgarbage(); return math.floor(collectgarbage('count'))");
        assert!(kilobytes < 50_000, "Lua holds {kilobytes} kB");
    }

    fn a_pipe_leads_to_another_machine_and_outlives_a_lost_connection(editor) {
        let mut machine = Machine::new();
        editor.set_up(&machine.options(""));
        editor.home.write("work/sayer.sh", SAYER);
        machine.home.write("work/keeper.sh", KEEPER);
        editor.ex(&format!("TermiRun ++host=gpu ++name=keeper ++cwd={} sh keeper.sh", machine.home.work().display()));
        editor.sees("ready");
        editor.ex("TermiRun ++name=sayer bash sayer.sh");
        editor.ex("Termi pipe sayer keeper@gpu");
        editor.hears("each new line of sayer is now typed into keeper@gpu");
        let kept = |machine: &Machine| std::fs::read_to_string(machine.home.work().join("kept")).unwrap_or_default();
        editor.ex("Termi send sayer one");
        eventually("it is typed there", || kept(&machine) == "one\rone\r");
        machine.stop();
        editor.hears("the connection to gpu is lost");
        editor.ex("Termi send sayer two");
        is_answered(editor, "two");
        machine.start();
        eventually("it is typed there", || kept(&machine) == "one\rone\rtwo\rtwo\r");
    }
}
