//! doc/faults.md row 52: each snippet of the README, the help and the protocol's document is executed as it is printed, by one
//! who has just installed Termi. What cannot be is named here, with its reason, and parsed.

mod extract;
mod shell;

use std::os::unix::fs::{PermissionsExt, symlink};

use extract::{Snippet, all, read, spans};

use crate::{
    driver::{Editor, Start, Version, repository},
    install,
};

/// How a snippet is tested.
enum How {
    /// Lua, executed whole; then a Lua expression becomes true.
    Lua(&'static str),
    /// By a test of its own, which takes the snippet from here.
    ItsOwn,
    /// Lua that is parsed only: why.
    ParsedLua(&'static str),
    /// Not executed: why.
    Listed(&'static str),
}

/// A snippet by its document, its language and the beginning of its first line.
type Entry = (&'static str, &'static str, &'static str, How);

/// All of them.
const SNIPPETS: &[Entry] = &[
    ("README.md", "sh", "make demo ", How::Listed("CI makes the demo, without a terminal and in 60x20, and the tests")),
    ("README.md", "lua", "{ url = ", How::ParsedLua("needs lazy.nvim, from the network; it executes build.lua")),
    ("README.md", "lua", "vim.api.nvim_create_autocmd('PackChanged', {", How::ItsOwn),
    ("README.md", "vim", "Plug ", How::ItsOwn),
    ("README.md", "sh", "cargo install --path", How::Listed("builds for minutes what make demo has built")),
    ("README.md", "vim", "\" A shell", How::ItsOwn),
    ("README.md", "lua", "vim.api.nvim_create_autocmd('User', {", How::Lua("said('tests ended with signal ')")),
    ("README.md", "lua", "require('termi').setup({ hosts", How::Lua("require('termi.rpc.remote').names()[1] == 'gpu'")),
    ("README.md", "console", "$ termi run --name web", How::ItsOwn),
    ("README.md", "vim", "Plug 'file:///home/me/src/termi', {'rtp'", How::ItsOwn),
    ("README.md", "lisp", "(load ", How::Listed("the tests of editors execute it in Emacs")),
    ("doc/termi.txt", "lua", "{ url = ", How::ParsedLua("needs lazy.nvim, from the network; it executes build.lua")),
    ("doc/termi.txt", "lua", "vim.api.nvim_create_autocmd('PackChanged', {", How::ItsOwn),
    ("doc/termi.txt", "vim", "Plug ", How::ItsOwn),
    ("doc/termi.txt", "vim", ":TermiRun", How::ItsOwn),
    ("doc/termi.txt", "vim", ":TermiRun ++name=server ", How::ItsOwn),
    ("doc/termi.txt", "vim", ":TermiRun ++session=server ", How::ItsOwn),
    ("doc/termi.txt", "vim", ":TermiSessions", How::ItsOwn),
    ("doc/termi.txt", "vim", ":TermiKill server", How::ItsOwn),
    (
        "doc/termi.txt",
        "lua",
        "vim.keymap.set({ 'n', 't' }, '<C-\\\\><C-\\\\>'",
        How::Lua("vim.fn.maparg('<C-\\\\><C-\\\\>', 't') == '<Plug>(termi-toggle)' and vim.fn.maparg('gs', 'x') ~= ''"),
    ),
    ("doc/termi.txt", "lua", "require('termi').setup({", How::ItsOwn),
    ("doc/termi.txt", "lua", "require('termi').setup({", How::ItsOwn),
    ("doc/termi.txt", "json", "{ \"templates\"", How::ItsOwn),
    ("doc/termi.txt", "toml", "[agent.mine]", How::Listed("the tests of the host use it: agents.rs")),
    ("doc/termi.txt", "lua", "local run = ", How::Lua("listed('make test')")),
    ("doc/termi.txt", "lua", "local termi = ", How::Lua("listed('npm test')")),
    ("doc/termi.txt", "lua", "vim.o.statusline = ", How::Lua("drawn('[No Name]')")),
    ("doc/termi.txt", "lua", "vim.api.nvim_create_autocmd('User', {", How::ItsOwn),
    ("doc/termi.txt", "lua", "require('termi').setup({", How::ItsOwn),
    ("doc/termi.txt", "vim", ":TermiRun ++host=gpu ", How::ItsOwn),
    ("doc/protocol.md", "js", "{\"view_id\": 2, \"seq\": 1", How::ItsOwn),
    ("doc/protocol.md", "js", "{\"view_id\": 1, \"seq\": 7", How::ItsOwn),
];

/// The snippet of a document that begins so; where several do, the one that holds `part`.
fn snippet(document: &str, begin: &str, part: &str) -> Snippet {
    let mut fits = all();
    fits.retain(|snippet| {
        snippet.document == document && snippet.first_line().starts_with(begin) && snippet.text.contains(part)
    });
    assert_eq!(fits.len(), 1, "{document}: {begin:?} with {part:?} is one snippet, not {fits:#?}");
    fits.remove(0)
}

/// The entry of the table that fits best.
fn entry_of(snippet: &Snippet) -> Option<&'static Entry> {
    let fits = |(document, language, begin, _): &&Entry| {
        snippet.document == *document && snippet.language == *language && snippet.first_line().starts_with(begin)
    };
    SNIPPETS.iter().filter(fits).max_by_key(|(_, _, begin, _)| begin.len())
}

#[test]
fn every_snippet_is_tested_or_listed_with_its_reason() {
    let found: Vec<_> = all();
    for snippet in &found {
        assert!(entry_of(snippet).is_some(), "this one is not tested: {snippet:#?}");
    }
    assert_eq!(found.len(), SNIPPETS.len(), "the table above has as many entries as there are snippets");
    for entry in SNIPPETS {
        let is_there =
            found.iter().filter_map(entry_of).any(|its| (its.0, its.1, its.2) == (entry.0, entry.1, entry.2));
        assert!(is_there, "{} {:?} is there no more", entry.0, entry.2);
        if let How::ParsedLua(reason) | How::Listed(reason) = entry.3 {
            assert!(!reason.is_empty());
        }
    }
}

/// An editor of somebody who has installed Termi and the programs that the documents name.
fn newcomer(editor: &mut Editor) {
    install::install(editor, &install::copying());
    let bin = editor.home.path().join("bin");
    symlink(env!("CARGO_BIN_EXE_termi"), bin.join("termi")).unwrap();
    for (name, script) in PROGRAMS {
        let program = editor.home.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    editor.lua(
        "function said(text)
           return vim.api.nvim_exec2('messages', { output = true }).output:find(text, 1, true) ~= nil
         end
         function listed(command)
           for _, session in pairs(require('termi').sessions()) do
             for _, process in ipairs(session.processes) do
               if process.command == command then
                 return true
               end
             end
           end
         end
         function drawn(text)
           return vim.api.nvim_eval_statusline(vim.o.statusline, {}).str:find(text, 1, true) ~= nil
         end",
    );
}

/// Programs that stand in for those which the snippets run.
const PROGRAMS: &[(&str, &str)] = &[
    ("npm", "case \"$*\" in 'run dev') echo ready in 5 ms; exec sleep 1000;; *) echo testing; exec sleep 1000;; esac"),
    ("postgres", "echo ready; exec sleep 1000"),
    ("python3", "echo Serving HTTP; exec sleep 1000"),
    ("htop", "exec sleep 1000"),
    ("curl", "echo curled"),
    (
        "make",
        "case \"$*\" in tests) echo running 3 tests; printf 'Replace 2 snapshots? [y/N] '; read answer; echo 3 passed;;
         *) echo made; exec sleep 1000;; esac",
    ),
    // Another machine, which is this one with a runtime directory of its own.
    (
        "ssh",
        "while [ \"$1\" != gpu ]; do shift; done; shift
         export XDG_RUNTIME_DIR=$HOME/gpu XDG_STATE_HOME=$HOME/gpu/state; mkdir -p -m 700 \"$XDG_RUNTIME_DIR\"; exec \"$@\"",
    ),
];

/// Ends the daemon of the machine `gpu`.
fn end_gpu(editor: &Editor) {
    for words in [&["kill", "all"][..], &["daemon", "--stop"]] {
        let bin = editor.home.path().join("bin");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let output = editor.home.command(bin.join("ssh")).env("PATH", path).args(["gpu", "termi"]).args(words).output();
        assert!(output.is_ok(), "{output:?}");
    }
}

fn lua(editor: &mut Editor, snippet: &Snippet) {
    // Over several lines, as it is pasted into a file.
    let file = editor.home.write("work/snippet.lua", &snippet.text);
    editor.ex(&format!("luafile {}", file.display()));
}

fn setup_of(part: &str) -> Snippet {
    snippet("doc/termi.txt", "require('termi').setup({", part)
}

in_each_neovim! {
    fn lua_does_what_it_says(editor, start => start.without_setup()) {
        newcomer(editor);
        for found in all() {
            match entry_of(&found).map(|entry| &entry.3) {
                Some(How::Lua(expected)) => {
                    lua(editor, &found);
                    editor.eventually_lua(&format!("{expected}: {}", found.first_line()), expected);
                    let error = editor.lua_text("return vim.v.errmsg");
                    assert_eq!(error, "", "{found:#?}");
                    editor.ex("tabonly | only | enew");
                    if editor.lua("return next(require('termi').sessions()) ~= nil").as_bool() == Some(true) {
                        editor.lua("require('termi').kill('all') require('termi').remove('all')");
                    }
                    editor.take_messages();
                }
                Some(How::ParsedLua(_)) => _ = editor.lua(&format!("assert(load([==[return {}]==]))", found.text)),
                _ => {}
            }
        }
    }

    fn the_commands_of_the_readme_do_what_they_say(editor, start => start.without_setup()) {
        newcomer(editor);
        editor.lua("require('termi').setup({ templates = { templated = { cmd = 'sleep 1000', group = 'dev' } } })");
        let found = snippet("README.md", "\" A shell", ":Termi up dev");
        let mut shown = vec![];
        for command in found.commands() {
            // Where keys go to a list or a program, as where commands are typed.
            editor.ex(command.trim_start_matches(':'));
            match command {
                ":TermiRun" => _ = editor.sees("$"),
                ":TermiSessions" => _ = editor.sees("Status"),
                ":Termi restart group:dev" => editor.eventually_lua("it runs again", "listed('npm run dev')"),
                ":TermiKill web" => _ = editor.hears("Killed 1/1 processes"),
                ":Termi up dev" => _ = editor.hears("started templated"),
                ":Termi down dev" => _ = editor.hears("Killed 1/1 processes of templated"),
                _ if command.contains("npm run dev") => _ = editor.sees("ready in 5 ms"),
                _ if command.contains("curl") => _ = editor.sees("curled"),
                _ => {}
            }
            let error = editor.lua_text("return vim.v.errmsg");
            assert_eq!(error, "", "{command}");
            shown.push(command.to_owned());
        }
        assert!(shown.len() > 10, "{shown:?}");
        editor.ex("silent! only");
    }

    fn the_first_look_of_the_help_does_what_it_says(editor, start => start.without_setup()) {
        newcomer(editor);
        let help = |begin: &str, part: &str| {
            snippet("doc/termi.txt", begin, part).text.trim().trim_start_matches(':').to_owned()
        };
        let shell = all().into_iter().find(|snippet| snippet.document == "doc/termi.txt" && snippet.text.trim() == ":TermiRun");
        editor.ex(shell.expect("a shell").text.trim().trim_start_matches(':'));
        editor.sees("$");
        editor.ex(&help(":TermiRun ++name=server", ""));
        editor.sees("Serving HTTP");
        editor.ex(&help(":TermiRun ++session=server", ""));
        editor.sees("curled");
        editor.ex(&help(":TermiSessions", ""));
        editor.sees("server");
        editor.ex(&help(":TermiKill server", ""));
        editor.hears("Killed 1/1 processes");
        // The mappings wait for keys.
        editor.ex("wincmd p");
    }

    fn the_options_of_the_help_are_the_defaults(editor, start => start.without_setup()) {
        newcomer(editor);
        lua(editor, &setup_of("binary = false"));
        editor.lua("assert(vim.deep_equal(require('termi.config').get(), require('termi.config').defaults()))");
        editor.ex("TermiRun echo with the defaults");
        editor.sees("with the defaults");
    }

    fn the_templates_of_the_help_start_in_their_order(editor, start => start.without_setup()) {
        newcomer(editor);
        lua(editor, &setup_of("postgres"));
        editor.ex("Termi up");
        editor.hears("started db, server");
        editor.ex("Termi down");
        editor.hears("Killed 2/2 processes");
    }

    fn the_project_file_of_the_help_is_read(editor, start => start.without_setup()) {
        newcomer(editor);
        editor.home.write("work/.termi.json", snippet("doc/termi.txt", "{ \"templates\"", "").text);
        editor.ex("edit .termi.json");
        editor.ex("trust");
        editor.ex("Termi up");
        editor.hears("started server");
        editor.take_messages();
    }

    fn the_event_of_the_help_is_heard(editor, start => start.without_setup()) {
        newcomer(editor);
        lua(editor, &snippet("doc/termi.txt", "vim.api.nvim_create_autocmd('User', {", ""));
        editor.ex("TermiRun ++name=tests true");
        editor.hears("all tests pass");
    }

    fn the_other_machine_of_the_help_runs_it(editor, start => start.without_setup()) {
        newcomer(editor);
        lua(editor, &setup_of("gpu = {"));
        // Directories there need not be those of here.
        std::fs::create_dir_all(editor.home.work()).unwrap();
        for command in snippet("doc/termi.txt", ":TermiRun ++host=gpu", "").commands() {
            editor.ex(command.trim_start_matches(':'));
            match command {
                ":TermiSessions" => _ = editor.sees("build@gpu"),
                _ if command.contains("make") => _ = editor.sees("made"),
                _ => {}
            }
            assert_eq!(editor.lua_text("return vim.v.errmsg"), "", "{command}");
        }
        editor.quit();
        end_gpu(editor);
    }

    fn vim_plug_is_told_to_build(editor, start => start.without_setup()) {
        // vim-plug's command takes its arguments so; the rest of it is from the network.
        editor.ex("command! -nargs=+ Plug let g:plug = [<args>]");
        for document in ["README.md", "doc/termi.txt"] {
            editor.ex(snippet(document, "Plug ", "{ 'do'").text.trim());
            assert_eq!(editor.lua_text("return vim.g.plug[2]['do']"), "cargo build --release --locked");
        }
        editor.ex(snippet("README.md", "Plug ", "'rtp'").text.trim());
        let of_vim = editor.lua_text("return vim.g.plug[2]['do'] .. ' in ' .. vim.g.plug[2].rtp");
        assert_eq!(of_vim, "cargo build --release --locked in clients/vim");
    }
}

/// What is written by hand of the protocol: frames, which clients read as these types.
#[test]
fn the_frames_of_the_protocol_are_frames() {
    for (begin, count) in [("{\"view_id\": 2, \"seq\": 1", 2), ("{\"view_id\": 1, \"seq\": 7", 1)] {
        let text = snippet("doc/protocol.md", begin, "").text;
        let values: Vec<serde_json::Value> =
            serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(values.len(), count);
        for value in values {
            let frame: termi::protocol::Frame = serde_json::from_value(value.clone()).unwrap();
            let read = serde_json::to_value(&frame).unwrap();
            for (key, its) in value.as_object().unwrap() {
                assert!(read.get(key).is_some(), "{key} ({its}) is not of a frame: {read}");
            }
        }
    }
}

/// `vim.pack` clones what the snippet names, here from a repository of the test.
#[test]
fn vim_pack_installs_it_and_builds() {
    for document in ["README.md", "doc/termi.txt"] {
        Editor::test(Start::new(Version::Newest).without_setup(), |editor| {
            newcomer(editor);
            let source = editor.home.path().join("source");
            std::fs::create_dir(&source).unwrap();
            let script = "cp -r lua plugin doc Cargo.toml build.lua \"$1\" && cd \"$1\" && git init -q && git add . &&
                git -c user.name=t -c user.email=t@example.org commit -qm first &&
                git config --global url.\"file://$1\".insteadOf file:///home/me/src/termi";
            let mut command = editor.home.command("sh");
            let output = command.args(["-c", script, "sh"]).arg(&source).current_dir(repository()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            // What was installed by hand for the other tests is out of the way.
            editor.lua("vim.opt.rtp:remove(vim.env.HOME .. '/termi')");
            editor.ex("delcommand TermiRun");
            editor.lua("vim.g.loaded_termi = nil");
            // `--clean` leaves the directory out that packages of a person are in.
            editor.lua("vim.opt.packpath:prepend(vim.fn.stdpath('data') .. '/site')");
            let file =
                editor.home.write("work/snippet.lua", snippet(document, "vim.api.nvim_create_autocmd('Pack", "").text);
            editor.input(&format!(":luafile {}<CR>", file.display()));
            editor.sees("installed");
            editor.input("y");
            editor.eventually_lua(
                "it is built",
                "#vim.fn.glob(vim.fn.stdpath('data') .. '/site/pack/*/opt/termi/target/release/termi') > 0",
            );
            editor.settle();
            editor.ex("TermiRun echo packed");
            editor.sees("packed");
            editor.take_messages();
        });
    }
}

/// What stands in backquotes within the text is no snippet to paste, but its commands, options and targets exist.
#[test]
fn commands_within_the_text_exist() {
    let mut checked = 0;
    Editor::test(Start::new(Version::Newest), |editor| {
        let subcommands = editor.lua_texts("return require('termi.command').names()");
        let keys = editor.lua_texts("return require('termi.core.run_options').keys()");
        for document in ["README.md", "doc/termi.txt", "doc/protocol.md"] {
            for span in spans(document) {
                let words: Vec<&str> = span.split(' ').collect();
                match words[0] {
                    ":Termi" | ":Termi!" if words.len() > 1 && words[1].starts_with(char::is_alphabetic) => {
                        let name = words[1].trim_end_matches('!');
                        assert!(subcommands.iter().any(|known| known == name), "{document}: `{span}`");
                    }
                    "termi" if words.len() > 1 => shell::exists(document, &words[1..]),
                    "make" if words.len() > 1 => {
                        let makefile = read("Makefile");
                        assert!(makefile.contains(&format!("\n{}:", words[1])), "{document}: `{span}`");
                    }
                    _ => continue,
                }
                for option in words.iter().filter_map(|word| word.strip_prefix("++")).filter(|word| !word.is_empty()) {
                    let key = option.split('=').next().unwrap();
                    assert!(keys.iter().any(|known| known == key) || key == "follow", "{document}: `{span}`");
                }
                checked += 1;
            }
        }
    });
    assert!(checked > 30, "{checked}");
}
