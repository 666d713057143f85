//! Full-screen programs: cell by cell the same text in a Termi window as in tmux, at the same size.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    driver::Editor,
    home::{Home, LOOK_EVERY, PATIENCE},
    tmux::{Key, Tmux},
};

const COLUMNS: u16 = 80;
const ROWS: u16 = 22;

/// A program in a Termi window that fills the screen, and in a pane of tmux of the window's size.
struct Twins<'a> {
    editor: &'a mut Editor,
    tmux: Tmux<'a>,
}

impl Twins<'_> {
    /// Runs `body` with both.
    fn of(editor: &mut Editor, command: &str, body: impl FnOnce(&mut Twins)) {
        let home = Home::new();
        for name in ["poem", "page.c"] {
            let text = std::fs::read(editor.home.path().join(name)).unwrap();
            home.write(name, text);
        }
        editor.ex("set laststatus=0 shortmess+=F noshowmode");
        // The home's path differs; what a program shows must not.
        let command = format!("cd $HOME && TERM=xterm-256color COLORTERM=truecolor {command}");
        let tmux = Tmux::start(&home, COLUMNS, ROWS, &command);
        editor.ex(&format!("TermiRun ++open=current {command}"));
        editor.is_in_terminal_mode();
        body(&mut Twins { editor, tmux });
    }

    fn press(&mut self, keys: &[Key]) {
        self.tmux.press(keys);
        for key in keys {
            self.editor.input(&key.for_neovim());
        }
    }

    /// Waits until both show a text and are the same, cell by cell and with the cursor.
    fn agree_on(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let wanted = self.tmux.lines();
            let screen = self.editor.screen();
            let is: Vec<String> = (0..usize::from(ROWS)).map(|row| screen.line(row)).collect();
            let cursors = (screen.cursor(), self.tmux.cursor());
            let is_there = wanted.iter().any(|line| line.contains(text));
            if is_there && is == wanted && cursors.0 == cursors.1 {
                return;
            }
            assert!(
                Instant::now() < until,
                "in vain: {text:?} in both, and both the same; cursors {cursors:?}; tmux shows\n{}\nand Termi\n{}",
                wanted.join("\n"),
                is.join("\n"),
            );
            thread::sleep(LOOK_EVERY.max(Duration::from_millis(30)));
        }
    }
}

fn write_texts(editor: &Editor) {
    let lines = |number: i32| format!("{number:3} the quick brown fox jumps — über 日本 — over line {number}\n");
    editor.home.write("poem", (1..=200).map(lines).collect::<String>());
    editor.home.write(
        "page.c",
        "#include <stdio.h>\n\n/* says hello */\nint main(void) {\n\tputs(\"hello\");\n\treturn 0;\n}\n",
    );
}

in_each_neovim! {
    fn less_scrolls_and_searches(editor, start => start.size(COLUMNS, ROWS + 1)) {
        write_texts(editor);
        Twins::of(editor, "less poem", |twins| {
            twins.agree_on("over line 21");
            twins.press(&[Key::Text(" ")]);
            twins.agree_on("over line 42");
            twins.press(&[Key::Text("/line 77"), Key::Enter]);
            twins.agree_on("over line 77");
            twins.press(&[Key::Text("k"), Key::Up, Key::Down, Key::Text("G")]);
            twins.agree_on("over line 200");
            twins.press(&[Key::Text("g")]);
            twins.agree_on("over line 1");
            twins.press(&[Key::Text("q")]);
            twins.editor.sees("[Process exited 0");
        });
    }

    fn vim_inserts_splits_and_scrolls(editor, start => start.size(COLUMNS, ROWS + 1)) {
        write_texts(editor);
        Twins::of(editor, "vim --clean -n -i NONE +'set noruler noshowcmd syntax=c' page.c", |twins| {
            twins.agree_on("says hello");
            twins.press(&[Key::Text("Gonew words, ñ and 日本語"), Key::Enter, Key::Text("second"), Key::Escape]);
            twins.agree_on("second");
            twins.press(&[Key::Text("ggdd"), Key::Text(":split poem"), Key::Enter]);
            twins.agree_on("over line 1");
            twins.press(&[Key::Control('f'), Key::Control('e'), Key::Control('e')]);
            twins.agree_on("over line 12");
            twins.press(&[Key::Text(":vsplit"), Key::Enter, Key::Text("50%zt")]);
            twins.agree_on("over line 100");
            twins.press(&[Key::Text(":qall!"), Key::Enter]);
            twins.editor.sees("[Process exited 0");
        });
    }

    fn htop_draws_its_help(editor, start => start.size(COLUMNS, ROWS + 1)) {
        write_texts(editor);
        Twins::of(editor, "HTOPRC=/dev/null htop --delay=100", |twins| {
            twins.tmux.sees("PID");
            twins.editor.sees("PID");
            twins.press(&[Key::Text("h")]);
            twins.agree_on("Memory bar:");
            twins.press(&[Key::Text("q")]);
            twins.press(&[Key::Text("q")]);
            twins.editor.sees("[Process exited 0");
        });
    }

    fn tmux_within_splits_its_window(editor, start => start.size(COLUMNS, ROWS + 1)) {
        write_texts(editor);
        // A prompt that says the same however often less has drawn it: its own names the file only at first. And the
        // first pane has its size before less starts in it: where less stands after a new width is less's own affair.
        let inner = "env -u TMUX LESS='-Ps?e(END):more.' tmux -S $HOME/inner -f /dev/null new-session 'tmux wait-for go; exec less poem' \\; set status-right '' \\; set status-left in: \\; split-window -h 'less page.c' \\; wait-for -S go";
        Twins::of(editor, inner, |twins| {
            twins.agree_on("says hello");
            twins.press(&[Key::Control('b'), Key::Text("o"), Key::Text("/line 60"), Key::Enter]);
            twins.agree_on("60 the quick");
            twins.press(&[Key::Text("q")]);
            // The other pane's pager is at its end all the time; a key that comes before this pane is gone is lost.
            twins.editor.sees_no("60 the quick");
            twins.agree_on("(END)");
            twins.press(&[Key::Text("q")]);
            twins.editor.sees("[Process exited");
        });
    }

    fn the_pager_of_git_log_shows_history(editor, start => start.size(COLUMNS, ROWS + 1)) {
        write_texts(editor);
        let history = "git init -q . && git config user.name T && git config user.email t@example.org && \
            export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' && \
            for n in $(seq 1 40); do git commit -q --allow-empty -m \"change number $n\"; done; \
            LESS=R git -c color.ui=always log --graph";
        Twins::of(editor, history, |twins| {
            twins.agree_on("change number 40");
            twins.press(&[Key::Text(" ")]);
            twins.press(&[Key::Text("/number 20"), Key::Enter]);
            twins.agree_on("change number 20");
            twins.press(&[Key::Text("q")]);
            twins.editor.sees("[Process exited");
        });
    }
}
