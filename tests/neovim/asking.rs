//! What programs ask for, at whatever moment: nothing of it takes a person's keys.

use crate::{driver::Editor, home::eventually};

/// Asks for the clipboard once the file `go` is there, and keeps the answer in `answer`. What is typed before is shown.
const ASKER: &str = r#"
stty raw -echo; printf 'ready\r\n'
while [ ! -e go ]; do sleep 0.01; done
printf '\033]52;c;?\a'
IFS= read -r -d $'\a' answer
printf '%s' "$answer" >answer.new; mv answer.new answer
printf 'answered\r\n'; sleep 1000
"#;

/// What the program is answered when it gets nothing, and when it gets `secret`.
const NOTHING: &str = "\u{1b}]52;c;";
const SECRET: &str = "\u{1b}]52;c;c2VjcmV0";

fn begin(editor: &mut Editor) {
    editor.home.write("work/ask.sh", ASKER);
    editor.lua(
        "vim.g.clipboard = { name = 'test', copy = { ['+'] = function() end, ['*'] = function() end },
           paste = { ['+'] = function() return { 'secret' } end, ['*'] = function() return { 'secret' } end } }
         vim.o.autoindent, vim.o.textwidth, _G.asked = false, 0, 0
         require('termi.rpc.bus').on_any(function(event)
           _G.asked = _G.asked + (event.type == 'clipboard_request' and 1 or 0)
         end)",
    );
}

fn answer(editor: &Editor) -> Option<String> {
    std::fs::read_to_string(editor.home.work().join("answer")).ok()
}

fn is_answered(editor: &Editor, wanted: &str) {
    eventually("it is answered", || answer(editor).is_some());
    assert_eq!(answer(editor).unwrap(), wanted);
}

/// Has the program ask, and waits until the request was handled. A question would have Neovim answer nothing.
fn asks(editor: &mut Editor) {
    editor.home.write("work/go", "");
    editor.eventually_lua("it has asked", "_G.asked == 1");
    assert!(!editor.lua("return vim.api.nvim_get_mode().blocking").as_bool().unwrap());
}

in_each_neovim! {
    fn a_program_that_no_window_shows_gets_nothing_and_no_key(editor) {
        begin(editor);
        editor.ex("TermiRun ++open=none ++name=evil bash ask.sh");
        editor.input("iShopping:<CR>1 milk<CR>");
        asks(editor);
        editor.input("2<CR>3 eggs<CR>2<CR>");
        is_answered(editor, NOTHING);
        editor.settle();
        assert_eq!(editor.buffer(), ["Shopping:", "1 milk", "2", "3 eggs", "2"]);
        assert_eq!(editor.lua_text("return vim.api.nvim_get_mode().mode"), "i");
        editor.hears("evil was denied your clipboard: no window shows it");
        editor.ex("Termi clipboard");
        editor.hears("no program waits for your clipboard");
    }

    fn a_program_in_another_window_asks_by_a_notice_and_a_command_answers(editor) {
        begin(editor);
        editor.ex("TermiRun ++name=told bash ask.sh");
        editor.sees("ready");
        editor.ex("wincmd w");
        editor.input("iShopping:<CR>1 milk<CR>");
        asks(editor);
        editor.input("2<CR>3 eggs<CR>2<CR>");
        editor.settle();
        assert_eq!(editor.buffer(), ["Shopping:", "1 milk", "2", "3 eggs", "2"]);
        assert_eq!(answer(editor), None, "nobody has answered");
        editor.hears("told wants to read your clipboard; :Termi clipboard answers");
        // Insert mode draws over a notice; this lasts.
        assert_eq!(editor.lua_number("return select(2, require('termi.model.run_state').counts())"), 1, "it waits for a person");
        assert_eq!(editor.lua_texts("return vim.fn.getcompletion('Termi clipboard ', 'cmdline')"), ["told"]);
        editor.input("<C-\\><C-n>:Termi clipboard<CR>");
        editor.sees("2: Yes, this once");
        editor.input("2<CR>");
        is_answered(editor, SECRET);
        editor.settle();
        editor.take_messages();
        editor.ex("Termi clipboard told");
        editor.hears("`told` is not waiting for your clipboard. A request expires after 30 s.");
    }

    fn a_program_in_the_current_window_asks_by_a_notice_and_gets_the_keys(editor) {
        begin(editor);
        // It shows what it reads before it reads the answer.
        let asker = ASKER.replace("IFS=", "head -c 4 | cat -v; printf '\\r\\n'; IFS=");
        editor.home.write("work/ask.sh", asker);
        editor.ex("TermiRun ++name=told bash ask.sh");
        editor.sees("ready");
        editor.is_in_terminal_mode();
        asks(editor);
        editor.input("2<CR>2<CR>");
        editor.sees("2^M2^M");
        editor.hears("told wants to read your clipboard; :Termi clipboard answers");
        assert_eq!(answer(editor), None, "nobody has answered");
        editor.is_in_terminal_mode();
        editor.input("<C-\\><C-n>:Termi clipboard<CR>");
        editor.sees("1: No");
        editor.input("1<CR>");
        is_answered(editor, NOTHING);
    }

    fn a_request_ends_with_its_time_and_with_its_program(editor) {
        begin(editor);
        editor.lua("require('termi.view.clipboard').LIFETIME_MS = 200");
        editor.ex("TermiRun ++name=told bash ask.sh");
        editor.sees("ready");
        asks(editor);
        is_answered(editor, NOTHING);
        editor.take_messages();
        editor.ex("Termi clipboard");
        editor.hears("no program waits for your clipboard");
        editor.lua("require('termi.view.clipboard').LIFETIME_MS = 100000");
        editor.ex("TermiRun! ++name=ends bash ask.sh");
        editor.eventually_lua("it has asked", "_G.asked == 2");
        editor.hears("ends wants to read your clipboard");
        editor.ex("TermiKill ends");
        editor.sees("[Process ");
        editor.take_messages();
        editor.ex("Termi clipboard");
        editor.hears("no program waits for your clipboard");
    }

    fn what_programs_tell_takes_no_key_of_who_types_a_command(editor, start => start.size(80, 24)) {
        editor.ex("TermiRun ++open=none ++name=loud sh -c 'while [ ! -e go ]; do sleep 0.01; done; printf \"\\a\"; printf \"\\033]9;first line of many words, which are more than one line of this screen can hold at once\\a\"; exit 3'");
        editor.lua("_G.exits = 0
            vim.api.nvim_create_autocmd('User', { pattern = 'TermiExited', callback = function() _G.exits = _G.exits + 1 end })");
        editor.input(":let g:typed = 'one");
        editor.eventually("the command line", |screen| screen.line(23).contains("let g:typed"));
        editor.home.write("work/go", "");
        editor.eventually_lua("it has ended", "_G.exits == 1");
        editor.input(" two'<CR>");
        editor.settle();
        assert_eq!(editor.lua_text("return vim.g.typed"), "one two");
        assert!(!editor.lua("return vim.api.nvim_get_mode().blocking").as_bool().unwrap());
        editor.input("ihello<CR>");
        editor.settle();
        assert_eq!(editor.buffer(), ["hello"]);
        editor.hears("loud exited 3");
    }
}
