//! What a program prints, names or sends is an attacker's: it sets no option, asks for no key, and nothing that is
//! pasted acts.

use crate::Editor;

/// Shows what it gets, control characters as `^X`.
const SHOWS_KEYS: &str = "stty -isig -icanon -echo; exec cat -v";

#[test]
fn vim_reads_no_modeline_in_what_a_program_prints() {
    let vim = Editor::vim();
    vim.press(":set modeline | autocmd User Other let g:other = 1\r");
    vim.press(":TermiRun ++name=one echo ' vim: set textwidth=7:'; exec sleep 1000\r");
    vim.sees_row(" vim: set textwidth=7:");
    vim.press(":doautocmd User Other\r:echo 'width' &textwidth g:other\r");
    vim.sees("width 0 1");
    vim.press(":TermiSessions\r");
    vim.until("the list has it", |screen| {
        screen.iter().any(|row| row.contains("active") && row.contains("vim: set textwidth=7"))
    });
    vim.press(":doautocmd User Other\r:echo 'list' &textwidth\r");
    vim.sees("list 0");
    vim.quit(":qall!\r");
}

#[test]
fn what_a_program_notifies_of_takes_no_key_from_whoever_types() {
    let vim = Editor::vim();
    vim.press(":call setline(1, ['first', 'second'])\r");
    vim.press(
        ":TermiRun ++name=loud read x; printf '\\033]9;%01500d\\007' 7; read x; printf '\\033]9;over\\007'; cat\r",
    );
    vim.press(":wincmd p\r:Termi send loud go\r");
    vim.sees("loud: 00000");
    // At Vim's hit-enter prompt a `d` would scroll.
    vim.press("dd");
    vim.until("a line is deleted", |screen| !screen.iter().any(|row| row.contains("first")));
    // On the command line, too, nothing is in the way.
    vim.press(":echo 'said' ");
    vim.press("\x12=execute('Termi send loud go')\r");
    vim.press("'more'\r");
    vim.sees("said more");
    vim.quit(":qall!\r");
}

#[test]
fn a_host_that_dies_asks_for_no_key_and_the_list_goes_on_with_the_next() {
    let vim = Editor::vim();
    vim.press(":call setline(1, ['first', 'second'])\r:TermiRun ++name=one ++open=none sleep 1000\r:TermiSessions\r");
    vim.sees("active     one");
    // The question after what there is stays without an answer.
    vim.press(":call job_stop(job_info()[0], '19') | exe 'TermiSessions' | call job_stop(job_info()[0], 'kill')\r");
    vim.sees("the host ended with");
    vim.press(":wincmd p\rdd");
    vim.until("a line is deleted", |screen| !screen.iter().any(|row| row.contains("first")));
    vim.press(":TermiRun ++name=fresh ++open=none sleep 1000\r");
    vim.sees("active     fresh");
    vim.quit(":qall!\r");
}

#[test]
fn what_vim_pastes_has_no_control_characters() {
    let vim = Editor::vim();
    vim.press(&format!(":TermiRun ++name=shown {SHOWS_KEYS}\r"));
    vim.press(":wincmd p\r");
    vim.press(
        ":call setline(1, [\"a\\<Esc>[201~\\x03b\", \"c\\x7f\\u009b\\<Esc>\\u0301d\\te\", \"f\\ng\"])\r:1,3TermiSend shown\r",
    );
    vim.sees_row("a[201~b");
    vim.sees_row("cd      e");
    vim.sees_row("fg");
    // In the line to type in it is the same.
    vim.press(":let @a = \"x\\<Esc>[201~y\\x03z\" | let @b = \"one\\ntwo\"\r:wincmd p\rA\x12\x12a\r");
    vim.sees_row("x[201~yz");
    // Several lines go in as one paste, in their order, and none stays.
    vim.press("\x12\x12b\r");
    vim.until("both lines, and one line to type in", |screen| {
        let at = |text: &str| screen.iter().position(|row| row.trim_end() == text);
        at("two").is_some_and(|two| two > 0 && screen[two - 1].trim_end() == "one" && screen[two + 1].trim_end() == "»")
    });
    vim.quit("\x1b:qall!\r");
}

/// Vim has 20,000 highlight groups for everyone, and never frees one.
#[test]
fn a_picture_in_true_colours_leaves_groups_for_others() {
    let vim = Editor::vim();
    vim.press(":only | wincmd _\r");
    let page = "BEGIN { for (i = 0; i < 1900; i++) { n = p * 1900 + i; printf \"\\033[48;2;%d;%d;%dm \", n % 256, n / 256 % 256, n / 65536 } printf \"\\033[m\\npage %d\\n\", p }";
    let path = std::env::temp_dir().join(format!("termi-picture-{}.awk", std::process::id()));
    std::fs::write(&path, page).unwrap();
    vim.press(&format!(
        ":TermiRun! ++open=current stty -echo; p=0; while read x; do p=$((p+1)); printf '\\033[H\\033[2J'; awk -v p=$p -f {}; done\r",
        path.display()
    ));
    for page in 1..=12 {
        vim.press(":TermiSend x\r");
        vim.sees_row(&format!("page {page}"));
    }
    vim.press(":echo 'groups' getcompletion('Termi', 'highlight')->len() <= 2010\r");
    vim.sees("groups 1");
    vim.press(":highlight Mine guifg=#123456\r:echo 'mine' hlexists('Mine')\r");
    vim.sees("mine 1");
    std::fs::remove_file(path).unwrap();
    vim.quit(":qall!\r");
}

#[test]
fn an_error_in_a_users_autocommand_stops_nothing() {
    let vim = Editor::vim();
    vim.press(":autocmd User TermiStarted throw 'my own fault'\r");
    vim.press(":TermiRun ++name=one echo here; exec sleep 1000\r");
    vim.sees("my own fault");
    vim.press("\x0c");
    vim.sees_row("here");
    vim.press(":TermiSessions\r");
    vim.sees("active     one");
    vim.press(":TermiRun ++name=two ++open=none sleep 1000\r");
    vim.sees("active     two");
    vim.quit(":qall!\r");
}
