//! Vim with its client.

use crate::Editor;

#[test]
fn a_run_is_shown_in_its_colours_and_typed_into() {
    let vim = Editor::vim();
    vim.press(":TermiRun printf 'pl\\303\\244in \\033[1;38;2;10;200;30mgreen\\033[m \\033[8mgone\\033[m\\n'; read x; echo \"<$x>\"\r");
    vim.sees_row("pläin green gone");
    assert_eq!(vim.look("gone").fg, termi::protocol::Paint::Rgb(0, 0, 0), "hidden is of the background's colour");
    let look = vim.look("green");
    assert_eq!(look.fg, termi::protocol::Paint::Rgb(10, 200, 30));
    assert!(look.bold, "{look:?}");
    assert_eq!(vim.look("pläin"), termi::protocol::Style::default());
    vim.press("iwörds\r");
    vim.sees_row("<wörds>");
    vim.sees_row("── exited with code 0 ──");
    vim.press(":echo [b:termi->keys()->sort(), &filetype, &modifiable, bufname() =~ '^termi://printf/\\x\\{8}$']\r");
    vim.sees("[['run_id', 'session_id'], 'termi', 0, 1]");
    vim.quit("\x1b:qall\r");
}

#[test]
fn commands_send_interrupt_show_rename_and_restart() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one ++group=g trap 'echo stopped' INT; while :; do read x && echo \"got $x\"; done\r");
    vim.press(":TermiSend a b\r");
    vim.sees_row("got a b");
    vim.press(":Termi rename größe\r:Termi send größe words\r:Termi rename one\r");
    vim.sees_row("got words");
    vim.press("i");
    vim.sees("-- INSERT --");
    vim.press("\x03");
    vim.sees("stopped");
    vim.press("\x1b:wincmd p\r");
    vim.press(":call setline(1, ['first', 'second'])\r:1,2TermiSend one\r");
    vim.sees_row("got second");
    vim.press(":Termi rename one two three\r");
    vim.sees("too many words: `three`");
    vim.press(":Termi rename one two\r:TermiKill! two\r");
    vim.sees("Killed 1/1 processes");
    vim.sees_row("── ended by signal 9 ──");
    vim.press(":Termi restart two\r:Termi send two again\r");
    vim.sees_row("got again");
    vim.press(":TermiKill group:g\r");
    vim.sees_row("── ended by signal 1 ──");
    vim.quit("\x1b:qall!\r");
}

#[test]
fn options_are_completed_and_refused_by_name() {
    let vim = Editor::vim();
    vim.press(":echo getcompletion('TermiRun ++', 'cmdline')\r");
    vim.sees("['++cwd=', '++group=', '++idle=', '++name=', '++open=', '++session=', '++template=', '++timeout=']");
    vim.press(":TermiRun ++name=alpha ++group=beta ++open=none sleep 1000\r");
    vim.press(":echo getcompletion('TermiKill ', 'cmdline') getcompletion('TermiRun ++session=a', 'cmdline')\r");
    vim.sees("['alpha', 'group:beta', 'all'] ['++session=alpha']");
    for (command, said) in [
        ("TermiRun ++colour=red x", "++colour is not an option. There are ++cwd"),
        ("TermiRun ++name= x", "++name needs a value"),
        ("TermiRun ++timeout=soon x", "++timeout=soon is not a duration"),
        ("TermiRun ++open=wide x", "++open=wide must be one of split"),
        ("TermiRun ++name=../x true", "a name is 1 to 64 letters"),
        ("TermiKill nobody", "there is no session \"nobody\""),
        ("Termi fly", "`fly` is not a subcommand"),
    ] {
        vim.press(&format!(":{command}\r"));
        vim.sees(said);
        vim.press("\r\x0c");
    }
    vim.quit("\x1b:qall!\r");
}

#[test]
fn without_its_binary_or_its_host_it_says_what_to_do() {
    let vim = Editor::vim();
    vim.press(":let g:termi_binary = '/nowhere/termi'\r:TermiRun true\r");
    vim.sees("program not found: `/nowhere/termi`. Build it with");
    vim.press("\r:unlet g:termi_binary\r:TermiRun ++name=one sleep 1000\r");
    vim.press(":Termi stop\r");
    vim.sees("1 program still running");
    vim.press("\x1b:Termi stop!\r");
    vim.sees_row("── the host has ended ──");
    vim.press(":TermiRun echo there is another\r");
    vim.sees_row("there is another");
    vim.quit("\x1b:qall!\r");
}

#[test]
fn programs_are_told_the_size_of_their_window() {
    let vim = Editor::vim();
    vim.press(":TermiRun trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done\r");
    vim.sees_row("18 120");
    vim.press(":vsplit\r");
    // The one on the right is the narrower.
    vim.sees("18 59");
    // Out of sight it is not kept up to date; back in sight, it is.
    vim.press(":only\r:enew\r");
    vim.until("it is out of sight", |screen| !screen.iter().any(|row| row.contains("18 59")));
    vim.press(":buffer termi\r");
    vim.sees_row("37 120");
    vim.quit("\x1b:qall!\r");
}

/// Vim keeps CTRL-\ for itself in its terminals, which left no key to detach with.
#[test]
fn the_detach_key_detaches_in_vims_own_terminal_and_the_session_goes_on() {
    for arguments in ["", "'--persist'"] {
        let vim = Editor::vim();
        vim.press(&format!(":let g:termi_host_args = [{arguments}]\r"));
        vim.press(":TermiRun ++name=one ++open=none while read x; do echo \"got $x\"; done\r");
        for word in ["a", "b"] {
            vim.press(":Termi attach one\r");
            vim.sees("termi attach one");
            vim.press(&format!("word {word}\r"));
            vim.sees_row(&format!("got word {word}"));
            vim.press("\x1c");
            vim.until("its window is closed", |screen| !screen.iter().any(|row| row.contains("termi attach one")));
            vim.press(&format!(":echo 'mode' mode() '{word}'\r"));
            vim.sees(&format!("mode n {word}"));
        }
        // The other way to leave a terminal's mode is there still.
        vim.press(":Termi attach one\r");
        vim.sees_row("got word b");
        vim.press("\x17N:echo 'mode' mode() 'c'\r");
        vim.sees("mode n c");
        vim.press("i\x1c");
        vim.until("its window is closed", |screen| !screen.iter().any(|row| row.contains("termi attach one")));
        vim.press(":TermiKill one\r");
        vim.sees("Killed 1/1 processes");
        vim.press(":Termi stop!\r");
        vim.quit("\x1b:qall!\r");
    }
}

#[test]
fn what_cannot_be_attached_is_said() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one ++open=none cat\r:Termi attach nobody\r");
    vim.sees("no session or run matches `nobody`");
    vim.press("\r\x0c:Termi help\r");
    vim.sees("TERMI FOR VIM");
    vim.quit("\x1b:qall!\r");
}

#[test]
fn two_pluses_alone_end_the_options() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one ++ echo ++name=two\r");
    vim.sees_row("++name=two");
    vim.press(":echo 'named' bufname()\r");
    vim.sees("named termi://one/");
    vim.quit("\x1b:qall!\r");
}

/// In windows side by side the program has the size of the narrowest that shows it, and only of those.
#[test]
fn a_window_that_shows_another_buffer_no_longer_counts_for_the_size() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++open=current trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done\r");
    vim.sees_row("37 120");
    vim.press(":vsplit | vertical resize 70 | wincmd l\r");
    vim.sees("37 49");
    vim.press(":enew\r");
    vim.sees("37 70");
    vim.press(":close\r");
    vim.until("it has the whole again", |screen| screen.iter().filter(|row| row.trim_end() == "37 120").count() == 2);
    vim.quit(":qall!\r");
}

#[test]
fn what_is_typed_does_not_pile_up_and_showing_says_nothing() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one while read x; do echo \"got $x\"; done\r");
    vim.sees("termi://one/");
    vim.press("iwords\r");
    vim.sees_row("got words");
    vim.press("more\r");
    vim.sees_row("got more");
    vim.until("one line to type in", |screen| screen.iter().filter(|row| row.starts_with('»')).count() == 1);
    vim.press("\x1b:hide | Termi show one\r");
    vim.until("it is shown without a word", |screen| {
        screen.iter().any(|row| row.starts_with("got more")) && !screen.iter().any(|row| row.contains("No lines"))
    });
    vim.press(":TermiSessions\r");
    vim.sees("active     one");
    vim.until("so is the list", |screen| !screen.iter().any(|row| row.contains("No lines")));
    vim.quit(":qall!\r");
}

/// doc/faults.md row 32.
#[test]
fn what_lives_on_is_listed_and_ended_only_when_the_answer_is_yes() {
    let vim = Editor::vim();
    let seconds = crate::support::unique_seconds();
    vim.press(&format!(
        ":TermiRun ++name=agent ++open=none setsid sleep {seconds} </dev/null >/dev/null 2>&1 & \
         until pgrep -fx 'sleep {seconds}' >/dev/null; do :; done\r:TermiSessions\r"
    ));
    vim.until("its long status leaves the columns in line", |screen| {
        let title = screen.iter().find_map(|row| row.find("NAME"));
        let row = screen.iter().find(|row| row.starts_with("exited 0, 1 lives on "));
        title.is_some() && row.and_then(|row| row.find("agent")) == title
    });
    vim.press("/agent\rx");
    vim.sees("lives on. End it?");
    vim.press("n");
    vim.until("the question is gone", |screen| !screen.iter().any(|row| row.contains("End it?")));
    vim.press(":Termi remove agent\r");
    vim.sees("lives on. End it?");
    vim.press("y");
    vim.sees("Removed 1 and ended 1 that lived on");
    vim.quit(":qall!\r");
}

#[test]
fn the_list_and_the_history_say_which_signal_ended_a_run() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one ++open=none kill -9 $$\r:TermiSessions\r");
    vim.sees("signal 9   one");
    vim.press(":Termi history\r");
    vim.sees("signal 9    one");
    vim.quit(":qall!\r");
}

#[test]
fn the_list_has_groups_a_filter_and_a_word_for_lines_without_a_run() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one ++group=web ++open=none sleep 1000\r");
    vim.press(":TermiRun ++name=two ++group=db ++open=none sleep 1000\r:TermiSessions\r");
    vim.until("groups are together", |screen| {
        let at = |text: &str| screen.iter().position(|row| row.starts_with(text));
        at("active     two              db").is_some_and(|two| at("active     one              web") == Some(two + 1))
    });
    vim.press("/^active.*one\r:TermiRun ++name=new ++group=a ++open=none sleep 1000\r");
    vim.sees("active     new              a ");
    vim.press("K");
    vim.sees("killed     one");
    vim.press(":TermiKill all\r");
    vim.sees("killed     new");
    vim.press(":Termi restart two\r:Termi restart one\r");
    vim.until("both run", |screen| {
        ["one", "two"].iter().all(|name| screen.iter().any(|row| row.starts_with(&format!("active     {name}"))))
    });
    vim.press("ggK");
    vim.sees("No run is on this line.");
    vim.press("fWEB\r");
    vim.sees("(filter: WEB)");
    vim.until("only that one is listed", |screen| {
        screen.iter().any(|row| row.starts_with("active     one")) && !screen.iter().any(|row| row.contains("two "))
    });
    vim.press("f\x15nothing\r");
    vim.sees("No session has `nothing` in it; f changes the filter.");
    vim.press("q:echo 'windows' winnr('$')\r");
    vim.sees("windows 1");
    vim.quit(":qall!\r");
}

#[test]
fn the_history_runs_a_command_again_and_the_transcript_has_every_line() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++name=one seq 25000\r");
    vim.sees_row("── exited with code 0 ──");
    vim.press(":Termi transcript\r");
    vim.press(":echo 'lines' line('$') getline(1) getline('$') &modeline &modifiable\r");
    vim.sees("lines 25000 1 25000 0 0");
    vim.press("q:TermiRun ++name=live ++open=current printf 'a\\nb\\nhalf'; exec sleep 1000\r");
    vim.sees_row("half");
    vim.press(":Termi transcript live\r:echo 'now' getline(1, '$')\r");
    vim.sees("now ['a', 'b', 'half']");
    vim.press("q");
    vim.press(":Termi history seq\r");
    vim.sees("seq 25000");
    vim.press("j\r");
    vim.until("it runs again", |screen| screen.iter().any(|row| row.contains("termi://seq/")));
    vim.press(":Termi history nothing like it\r");
    vim.sees("No run that has ended has `nothing like it` in it.");
    vim.quit(":qall!\r");
}

#[test]
fn with_persist_sessions_outlive_vim_and_its_connection() {
    let vim = Editor::vim();
    vim.press(":let g:termi_persist = 1\r");
    vim.press(":TermiRun ++name=one echo here; while read x; do echo \"got $x\"; done\r");
    vim.sees_row("here");
    // The connection is lost, and then the daemon's binary is replaced, which ends connections, too.
    for (loss, line) in
        [("call job_stop(job_info()[0])", "one"), ("call system(g:termi_binary .. ' daemon --replace')", "two")]
    {
        vim.press(&format!(":{loss}\r"));
        vim.sees("connected to the daemon again");
        vim.press(&format!(":echo ''\r:Termi send one {line}\r"));
        let screen = vim.sees_row(&format!("got {line}"));
        assert_eq!(screen.iter().filter(|row| row.trim_end() == "here").count(), 1, "{screen:#?}");
    }
    vim.press(":bwipeout! | Termi show one\r");
    vim.sees_row("here");
    vim.press(":TermiKill! one\r");
    vim.sees_row("── ended by signal 9 ──");
    // A run that had ended before: its buffer shows what it does after a restart. No other view is alive now.
    vim.press(":only | TermiRun ++name=two ++open=current echo x >>$HOME/count; echo \"run $(wc -l <$HOME/count)\"\r");
    vim.sees_row("run 1");
    vim.sees_row("── exited with code 0 ──");
    vim.press(":echo '' | call system(g:termi_binary .. ' daemon --replace')\r");
    vim.sees("connected to the daemon again");
    vim.press(":Termi restart two\r");
    vim.sees_row("run 2");
    vim.quit(":qall!\r");
}

#[test]
fn what_floats_has_its_own_size_and_is_kept_up_to_date() {
    let vim = Editor::vim();
    vim.press(":TermiRun ++open=float i=0; while sleep 0.05; do echo \"line $((i=i+1)) of $(stty size)\"; done\r");
    vim.sees("of 19 90");
    // Windows beside it are none of its own.
    vim.press(":split\r");
    vim.sees("line 40");
    vim.quit(":qall!\r");
}

#[test]
fn short_output_is_seen_whole_in_a_window_that_is_not_the_current_one() {
    let vim = Editor::vim();
    vim.press(":TermiRun! ++name=log read x; seq 901 909\r:wincmd p\r");
    vim.press(":Termi send log go\r");
    vim.sees_row("── exited with code 0 ──");
    vim.sees_row("901");
    vim.quit("\x1b:qall\r");
}

#[test]
fn a_program_begins_at_the_width_of_the_window_that_will_show_it() {
    let vim = Editor::vim();
    vim.press(":vsplit\r:TermiRun ++open=current stty size\r");
    vim.sees("37 60 ");
    vim.press(":only\r:TermiRun ++open=current stty size\r");
    vim.sees_row("37 120");
    vim.quit("\x1b:qall\r");
}

/// Columns that have no room are left out whole, the least important first, and long texts are cut with an ellipsis.
#[test]
fn a_narrow_list_and_history_have_the_columns_that_fit() {
    let vim = Editor::vim_sized((24, 60));
    vim.press(":TermiRun ++name=a-session-with-a-long-name ++open=none echo what it said; exec sleep 1000\r");
    vim.press(":TermiRun ++name=日本語のとても長い名前 ++open=none sleep 1000\r:TermiSessions\r");
    vim.sees_row("STATUS     NAME            COMMAND         AGE  LAST LINE");
    let is_whole = |row: &str, start: &str, end: &str| row.starts_with(start) && row.trim_end().ends_with(end);
    vim.until("the columns are in line", |screen| {
        screen.iter().any(|row| is_whole(row, "active     a-session-with… echo what i… ", "s  what it said"))
            && screen.iter().any(|row| row.starts_with("active     日本語のとても… sleep 1000 "))
    });
    // A group takes the room of something else: its column goes after those that are measured.
    vim.press(":TermiRun ++name=third ++group=web ++open=none sleep 1000\r:TermiKill! third\r");
    vim.sees("Killed 1/1 processes");
    vim.sees("killed     third");
    vim.press("fthird\r");
    vim.sees("(filter: third)");
    vim.press(":Termi history\r");
    vim.until("the history has the columns that fit", |screen| {
        screen.iter().any(|row| row.starts_with("ENDED ") && row.trim_end().ends_with(" COMMAND"))
            && screen.iter().any(|row| is_whole(row, "20", " sleep 1000") && row.contains("killed      third "))
    });
    vim.quit(":qall!\r");
}

/// A program that reports these states (OSC 7501), the next one after each line that it is sent.
fn agent(reports: &[&str]) -> String {
    let report = |report: &&str| format!(r"printf '\033]7501;{report}\033\\'; read x");
    reports.iter().map(report).collect::<Vec<_>>().join("; ")
}

/// `approve ls`, in base64.
const ASKS: &str = "state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBscw==";
/// `approve rm`.
const ASKS_MORE: &str = "state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBybQ==";

#[test]
fn agents_that_wait_come_first_and_say_what_for() {
    let vim = Editor::vim();
    let run = |name: &str, command: &str| vim.press(&format!(":TermiRun ++open=none ++name={name} {command}\r"));
    run("plain", r"printf '\033]9;4;1;7\007'; read x");
    run("works", &agent(&["state=working:app=codex:progress=40"]));
    run("finished", &agent(&["state=done:app=codex"]));
    run("broken", &agent(&["state=error:app=codex:msg=bm8gbmV0d29yaw=="]));
    run("asks", &agent(&["state=working:app=codex", ASKS]));
    vim.press(":TermiSessions\r");
    vim.sees("● working 40% ");
    vim.press(":Termi send asks go\r");
    vim.until("who waits is on top", |screen| {
        let at = |start: &str, name: &str, end: &str| {
            screen.iter().position(|row| row.starts_with(start) && row.contains(name) && row.trim_end().ends_with(end))
        };
        let order = [
            at("STATUS", "NAME", "LAST LINE"),
            at("◆ asks ", " asks ", "approve ls"),
            at("✗ error ", " broken ", "no network"),
            at("✓ your turn ", " finished ", ""),
            at("active  7% ", " plain ", ""),
            at("● working 40% ", " works ", ""),
        ];
        order[0].is_some_and(|first| order.iter().enumerate().all(|(number, at)| *at == Some(first + number)))
    });
    vim.press("fapprove\r");
    vim.until("the filter finds what is asked", |screen| {
        screen.iter().any(|row| row.contains("approve ls")) && !screen.iter().any(|row| row.contains("finished"))
    });
    vim.quit(":qall!\r");
}

#[test]
fn what_begins_to_wait_is_said_gone_to_and_seen() {
    let vim = Editor::vim();
    vim.press(":autocmd User TermiAgent let g:told = g:termi_event.session_name .. ' ' .. g:termi_event.agent.state\r");
    vim.press(":TermiRun ++name=plain sleep 1000\r:Termi next\r");
    vim.sees("no agent waits for you");
    let run = |name: &str, command: &str| vim.press(&format!(":TermiRun ++open=none ++name={name} {command}\r"));
    run("finished", &agent(&["state=working:app=codex", "state=done:app=codex"]));
    run("asks", &agent(&["state=working:app=codex", ASKS, ASKS_MORE, "state=working:app=codex", ASKS]));
    vim.press(":Termi send finished go\r");
    vim.sees("finished is done: your turn");
    vim.press(":Termi send asks go\r");
    vim.sees("asks asks: approve ls");
    // Another question is news.
    vim.press(":Termi send asks go\r");
    vim.sees("asks asks: approve rm");
    vim.press(":echo 'heard' g:told\r");
    vim.sees("heard asks blocked");
    let shows = |name: &str| {
        vim.press(":echo 'in' bufname()\r");
        vim.sees(&format!("in termi://{name}/"));
    };
    // In the order in which they began to wait, whatever for.
    vim.press(":Termi next\r");
    shows("finished");
    vim.press(":Termi next\r");
    shows("asks");
    // Who is done was looked at.
    vim.press(":Termi next\r");
    vim.sees("no other agent waits for you");
    vim.press(":TermiSessions\r");
    vim.until("who is done no longer stands on top", |screen| {
        let at = |name: &str| screen.iter().position(|row| row.contains(name) && row.contains(" printf "));
        at(" asks ") < at(" finished ") && screen.iter().any(|row| row.starts_with("active") && row.contains("plain"))
    });
    // What is in view is not told of, unless Vim has no focus.
    vim.press(":echo '' | Termi send asks go\r");
    vim.until("it works", |screen| screen.iter().any(|row| row.starts_with("● working ")));
    vim.press(":Termi send asks go\r");
    vim.until("it asks", |screen| screen.iter().any(|row| row.starts_with("◆ asks ")));
    vim.press(
        ":echo 'messages' execute('messages')->split(\"\\n\")->filter({_, text -> text =~ 'approve ls'})->len()\r",
    );
    vim.sees("messages 1");
    vim.quit(":qall!\r");
}

#[test]
fn nothing_is_said_of_agents_where_that_is_switched_off() {
    let vim = Editor::vim();
    vim.press(":let g:termi_notify_agent = 'never'\r");
    vim.press(&format!(":TermiRun ++open=none ++name=quiet {}\r:TermiSessions\r", agent(&[ASKS])));
    vim.sees("approve ls");
    vim.press(":let g:termi_notify_agent = 'sometimes'\r");
    vim.press(&format!(":TermiRun ++open=none ++name=loud {}\r", agent(&[ASKS])));
    vim.sees("g:termi_notify_agent is 'sometimes'; it must be one of hidden, always, never");
    vim.press(":echo 'messages' execute('messages') =~ 'quiet asks'\r");
    vim.sees("messages 0");
    vim.quit(":qall!\r");
}
