//! Sessions that outlive Neovim: left, killed, come back to, shared, and carried over to another daemon's binary.

use crate::driver::{Editor, Look, Start};

/// More than a screen of coloured text, then an echo of what is typed.
const SCRIPT: &str = r#"printf '\033]2;title of %s\007' "$1"
i=0
while [ $i -lt 60 ]; do printf '\033[3%dmline %d of %s\033[m\n' $((i % 8)) $i "$1"; i=$((i + 1)); done
while read x; do echo "$1 got $x"; done
"#;

const PERSIST: &str = "{ persist = true }";

/// A run as its window shows it, cell by cell, and all that can be read above.
#[derive(Debug, PartialEq)]
struct Picture {
    cells: Vec<(String, Look)>,
    text: Vec<String>,
    title: String,
}

fn start_ten(editor: &mut Editor) {
    editor.home.write("work/s.sh", SCRIPT);
    for n in 0..10 {
        editor.ex(&format!("TermiRun ++name=s{n} ++open=current sh s.sh s{n}"));
        editor.sees(&format!("line 59 of s{n}"));
    }
}

fn picture(editor: &mut Editor, name: &str) -> Picture {
    editor.ex(&format!("Termi show ++open=current {name}"));
    editor.sees(&format!("line 59 of {name}"));
    editor.eventually_lua(
        "the view is whole",
        "vim.iter(vim.api.nvim_buf_get_lines(0, 0, -1, false)):any(function(l) return l:find('^line 0 of') end)",
    );
    editor.input("<C-\\><C-n>G");
    editor.settle();
    let last = format!("line 59 of {name}");
    editor.eventually("it is drawn", |screen| screen.contains(&last));
    let screen = editor.screen();
    let cells = (0..27).flat_map(|row| (0..100).map(move |column| (row, column)));
    let cells = cells.map(|(row, column)| (screen.cell(row, column).to_owned(), screen.look_at(row, column))).collect();
    Picture { cells, text: editor.buffer(), title: editor.lua_text("return vim.b.term_title") }
}

fn pictures(editor: &mut Editor) -> Vec<Picture> {
    (0..10).map(|n| picture(editor, &format!("s{n}"))).collect()
}

/// The same, of views that are filled again only now that they are shown.
fn refilled(editor: &mut Editor, name: &str, before: &Picture) -> Picture {
    let until = std::time::Instant::now() + crate::home::PATIENCE;
    loop {
        let now = picture(editor, name);
        if now == *before || std::time::Instant::now() > until {
            return now;
        }
    }
}

fn compare(now: &[Picture], before: &[Picture]) {
    for (n, (now, before)) in now.iter().zip(before).enumerate() {
        assert_eq!(now.text, before.text, "text of s{n}");
        assert_eq!(now.title, before.title);
        let differs = now.cells.iter().zip(&before.cells).position(|(a, b)| a != b);
        let shown = differs.map(|at| (at / 100, at % 100, &now.cells[at], &before.cells[at]));
        assert_eq!(shown, None, "a cell of s{n}");
    }
}

fn types(editor: &mut Editor, name: &str, word: &str) {
    editor.ex(&format!("Termi show ++open=current {name}"));
    editor.is_in_terminal_mode();
    editor.input(&format!("{word}<CR>"));
    editor.sees(&format!("{name} got {word}"));
}

fn end_daemon(editor: &mut Editor) {
    editor.ex("Termi stop!");
    editor.hears("the host was stopped");
}

in_each_neovim! {
    fn ten_sessions_of_a_killed_neovim_are_there_cell_by_cell_and_typing_goes_on(
        editor, start => start.setup(PERSIST)
    ) {
        start_ten(editor);
        let before = pictures(editor);
        editor.kill();
        let mut again = Start::new(editor.version).home(&editor.home).setup(PERSIST).editor();
        again.hears("10 sessions still running");
        compare(&pictures(&mut again), &before);
        for n in 0..10 {
            types(&mut again, &format!("s{n}"), "hello");
        }
        end_daemon(&mut again);
        again.quit();
    }

    fn leaving_asks_nothing_and_says_what_runs_at_the_next_start(editor, start => start.setup(PERSIST)) {
        editor.ex("TermiRun ++name=here cat");
        editor.is_in_terminal_mode();
        editor.input("<C-\\><C-n>:qall<CR>");
        editor.wait_end();
        let mut again = Start::new(editor.version).home(&editor.home).setup(PERSIST).editor();
        let said = again.hears("still running");
        assert!(said.contains("1 session still running"), "{said}");
        again.ex("TermiSessions");
        again.sees("here");
        again.ex("TermiKill here");
        again.hears("Killed 1/1 processes");
        again.quit();
        let mut last = Start::new(editor.version).home(&editor.home).setup(PERSIST).editor();
        last.settle();
        last.ex("TermiSessions");
        end_daemon(&mut last);
        assert!(!last.take_messages().contains("still running"));
        last.quit();
    }

    fn sessions_of_the_current_folder_are_offered_first(editor, start => start.setup(PERSIST)) {
        std::fs::create_dir(editor.home.path().join("work/sub")).unwrap();
        editor.ex("TermiRun ++name=aaa ++open=none cat");
        editor.ex("TermiRun ++name=bbb ++open=none ++cwd=sub cat");
        let offered = "return vim.fn.getcompletion('Termi attach ', 'cmdline')";
        assert_eq!(editor.lua_texts(offered)[..2], ["aaa", "bbb"]);
        editor.ex("cd sub");
        assert_eq!(editor.lua_texts(offered)[..2], ["bbb", "aaa"]);
        end_daemon(editor);
    }

    fn a_neovim_shows_everything_again_by_itself_when_the_daemon_gets_another_binary(
        editor, start => start.setup(PERSIST)
    ) {
        start_ten(editor);
        let before = pictures(editor);
        types(editor, "s3", "before");
        let binary = env!("CARGO_BIN_EXE_termi");
        let output = editor.home.command(binary).args(["daemon", "--replace"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Without doing anything but typing on.
        editor.input("a<BS>after<CR>");
        editor.sees("s3 got after");
        let mut wanted = before;
        wanted.remove(3);
        let others = (0..10).filter(|n| *n != 3).zip(&wanted);
        let now: Vec<Picture> = others.map(|(n, before)| refilled(editor, &format!("s{n}"), before)).collect();
        compare(&now, &wanted);
        for n in 0..10 {
            types(editor, &format!("s{n}"), "hello");
        }
        end_daemon(editor);
    }

    /// Its view is not attached when the connection is made again, as nothing more comes for it: until it is restarted.
    fn a_run_that_had_ended_before_the_daemon_got_another_binary_is_shown_when_it_starts_again(
        editor, start => start.setup(PERSIST)
    ) {
        editor.ex("TermiRun ++name=again ++open=current echo run >>count; echo \"run number $(wc -l <count)\"");
        editor.sees("[Process exited 0");
        let output = editor.home.command(env!("CARGO_BIN_EXE_termi")).args(["daemon", "--replace"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        editor.eventually_lua("it is connected again", "require('termi.model.views').last().unattached == true");
        editor.ex("Termi restart again");
        editor.sees("run number 2");
        end_daemon(editor);
    }

    fn two_neovims_show_the_same_sessions_at_once(editor, start => start.setup(PERSIST)) {
        start_ten(editor);
        let mut other = Start::new(editor.version).home(&editor.home).setup(PERSIST).editor();
        other.hears("still running");
        let (one, two) = (pictures(editor), pictures(&mut other));
        compare(&two, &one);
        types(&mut other, "s9", "from-the-other");
        editor.ex("Termi show ++open=current s9");
        editor.sees("s9 got from-the-other");
        types(editor, "s9", "from-the-first");
        other.sees("s9 got from-the-first");
        // Another size than the first one's: what fits is shown, and all of it once this one types.
        other.resize(60, 20);
        types(&mut other, "s9", "small");
        editor.sees("s9 got small");
        other.quit();
        types(editor, "s9", "alone");
        end_daemon(editor);
    }

    fn a_killed_daemon_is_said_and_the_next_command_starts_another(editor, start => start.setup(PERSIST)) {
        editor.ex("TermiRun ++name=lost cat");
        editor.is_in_terminal_mode();
        let daemons = editor.home.processes().into_iter().filter(|(_, line)| line.contains(" daemon --detach"));
        let pids: Vec<_> = daemons.map(|(pid, _)| pid).collect();
        assert_eq!(pids.len(), 1);
        nix::sys::signal::kill(pids[0], nix::sys::signal::Signal::SIGKILL).unwrap();
        editor.hears(&format!("the daemon (process {}) ended", pids[0]));
        editor.sees("host ended");
        editor.input("<C-\\><C-n>");
        editor.settle();
        editor.take_messages();
        editor.ex("TermiRun echo a new daemon");
        editor.sees("a new daemon");
        end_daemon(editor);
    }
}
