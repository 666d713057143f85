//! Each command line that the clients' documentation prints, run as it is printed.

use std::sync::{Arc, OnceLock};

use crate::{Editor, project, support::Home};

/// The lines of a document that begin with `start`, without what indents them or comments them out.
fn printed(document: &str, start: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project(document)).unwrap();
    let lines = text.lines().map(|line| line.trim_start_matches([' ', '\t', ';']).trim_end().to_owned());
    let found: Vec<_> = lines.filter(|line| line.starts_with(start)).collect();
    assert!(!found.is_empty(), "{document} has no line that begins with {start:?}");
    found
}

/// Builds Termi as the clients' documentation says to, once: what the plugins start stands there.
fn built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        for line in printed("clients/vim/doc/termi-vim.txt", "cargo ") {
            let output =
                std::process::Command::new("sh").args(["-c", &line]).current_dir(project("")).output().unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        }
    });
}

/// An editor on a terminal whose home has this clone at `~/src/termi`, as the documents have it.
fn at_home(line: &str, vimrc: &str) -> (Editor, Arc<Home>) {
    let home = Home::new();
    let place = home.path().join("src");
    std::fs::create_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(project(""), place.join("termi")).unwrap();
    home.write(".vimrc", vimrc);
    let line = format!("export HOME={}; {line}", home.path().display());
    (Editor::start(&["sh".into(), "-c".into(), line]), home)
}

fn vim_runs(vim: &Editor) {
    vim.sees("[No Name]");
    vim.press(":TermiRun echo it runs\r");
    vim.sees_row("it runs");
}

#[test]
fn vims() {
    built();
    let document = "clients/vim/doc/termi-vim.txt";
    for line in printed(document, "vim ") {
        let (vim, _home) = at_home(&line, "set laststatus=2\n");
        vim_runs(&vim);
        vim.quit(":qall!\r");
    }
    for line in printed(document, "set runtimepath") {
        let (vim, _home) = at_home("vim", &format!("set laststatus=2\n{line}\n"));
        vim_runs(&vim);
        vim.quit(":qall!\r");
    }
}

#[test]
fn emacss() {
    built();
    for line in printed("clients/emacs/termi.el", "(load ").into_iter().chain(printed("README.md", "(load ")) {
        let (emacs, _home) = at_home(&format!("emacs -nw -Q --eval '{line}'"), "");
        emacs.sees("*scratch*");
        emacs.press("\x1bxtermi-run\recho it runs\r");
        emacs.sees_row("it runs");
        emacs.quit("\x18\x03");
    }
}
