//! The README's pictures show the list of today: each editor plays its picture's scene, and says in the list's header, its
//! keys and its columns what the picture says there.

use serde_json::json;

use crate::{Editor, project, support::TERMI};

/// Of `scripts/picture` and `scripts/demo`.
const OF_CLIENTS: (u16, u16) = (34, 110);
const OF_THE_DEMO: (u16, u16) = (36, 130);

/// The rows of a picture's text. `examples/picture` places each word by its column.
fn rows_of(picture: &str) -> Vec<String> {
    const WIDTH: f64 = 8.4;
    const MARGIN: f64 = 12.0;
    let svg = std::fs::read_to_string(project(picture)).unwrap();
    let mut rows: Vec<(String, String)> = Vec::new();
    for element in svg.split("<text ").skip(1) {
        let (attributes, rest) = element.split_once('>').unwrap();
        let word = rest.split_once('<').unwrap().0.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let value = |name: &str| attributes.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0;
        let y = value("y").to_owned();
        let column = ((value("x").parse::<f64>().unwrap() - MARGIN) / WIDTH).round();
        if rows.last().is_none_or(|(last, _)| *last != y) {
            rows.push((y, String::new()));
        }
        let text = &mut rows.last_mut().unwrap().1;
        while (text.chars().count() as f64) < column {
            text.push(' ');
        }
        text.push_str(&word);
    }
    rows.into_iter().map(|(_, text)| text).collect()
}

/// What of a list's row is the same in each run of the scene: what measures, counts or tells the time is `0`, and where a
/// word is cut depends on the width of those.
fn lasting(row: &str) -> String {
    // Whether it has printed since somebody looked is told by when it did.
    let words = row.split_whitespace().filter(|word| *word != "•").map(|word| match word {
        _ if word.contains(|c: char| c.is_ascii_digit()) => "0",
        _ if word.contains('…') => "…",
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// From the list's header on, `count` rows that have text, of that. The rows of runs end with their last line, which comes
/// and goes.
fn list(screen: &[String], header: &str, count: usize) -> Vec<String> {
    let rows = screen.iter().skip_while(|row| !row.trim_start().starts_with(header)).map(|row| lasting(row));
    let is_whole = |row: &str| row.starts_with(header) || row.contains("<CR>");
    rows.filter(|row| !row.is_empty())
        .take(count)
        .map(|row| if is_whole(&row) { row } else { row.split(" 0").next().unwrap().to_owned() })
        .collect()
}

#[track_caller]
fn shows_what_its_picture_shows(editor: Editor, picture: &str, header: &str, count: usize, quit: &str) {
    let drawn = list(&rows_of(picture), header, count);
    assert_eq!(drawn.len(), count, "{picture} shows no list under {header:?}");
    let what = format!("{picture}'s {drawn:#?}; when the list is meant to be another, `scripts/picture` draws it anew");
    editor.until(&what, |screen| list(screen, header, count) == drawn);
    editor.quit(quit);
}

fn scene(command: &[&str], (rows, cols): (u16, u16), env: &[(&str, &str)]) -> Editor {
    let mut environment = json!({"TERMI_SOCKET": null, "TERM": "tmux-256color", "COLORTERM": "truecolor",
        "PICTURE_LOG": "git --no-pager log --color=always --no-merges -1", "PICTURE_SERVER": "python3 -u -m http.server --bind 127.0.0.1 0"});
    for (key, value) in env {
        environment[key] = json!(value);
    }
    Editor::start_in(&command.iter().map(|&part| part.to_owned()).collect::<Vec<_>>(), (rows, cols), environment)
}

#[test]
fn of_vim() {
    let plugin = format!(
        "set rtp^={} termguicolors shortmess+=I | let g:termi_binary = '{TERMI}'",
        project("clients/vim").display()
    );
    let command = ["vim", "-u", "NONE", "-i", "NONE", "-N", "--cmd", &plugin, "-S", "scripts/picture.vim"];
    let vim = scene(&command, OF_CLIENTS, &[]);
    shows_what_its_picture_shows(vim, "doc/vim.svg", "STATUS", 4, "\x1b:qall!\r");
}

#[test]
fn of_emacs() {
    let program = format!("(setq termi-program \"{TERMI}\")");
    let command =
        ["emacs", "-nw", "-Q", "-L", "clients/emacs", "-l", "termi", "--eval", &program, "-l", "scripts/picture.el"];
    let emacs = scene(&command, OF_CLIENTS, &[]);
    shows_what_its_picture_shows(emacs, "doc/emacs.svg", "Status", 4, "\x18\x03");
}

#[test]
fn of_neovim() {
    let nvim = std::env::var("TERMI_TEST_NVIM_0_12")
        .unwrap_or_else(|_| project("target/neovim/0.12/bin/nvim").to_str().unwrap().to_owned());
    let plugin = format!("set runtimepath^={}", project("").display());
    let work = tempfile::tempdir().unwrap();
    let command = [&*nvim, "--clean", "--cmd", &plugin, "-c", "luafile scripts/demo.lua"];
    // Its compiler is the user's, whose home this is not.
    let home = std::env::var("HOME").unwrap();
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    let env =
        [("RUSTUP_HOME", &*rustup), ("TERMI_DEMO_WORK", work.path().to_str().unwrap()), ("TERMI_DEMO_BINARY", TERMI)];
    let neovim = scene(&command, OF_THE_DEMO, &env);
    shows_what_its_picture_shows(neovim, "doc/termi.svg", "Status", 10, "\x1b:qall!\r");
}
