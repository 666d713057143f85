//! What has ended and what it took (`:Termi history`, `:Termi stats`), and a project's programs started and ended
//! together (`:Termi up`, `:Termi down`).

use crate::driver::{Editor, Start};

/// Two programs, of which the second waits for a line of the first.
const FILE: &str = r#"{
  "templates": {
    "web": {"cmd": "echo serving; exec sleep 1000", "after": {"template": "db", "until": {"pattern": "^ready"}}},
    "db": {"cmd": "echo ready to accept; exec sleep 1000", "group": "data"}
  }
}
"#;

/// Answers the question whether `.termi.json` is to be trusted: it is looked at, and then trusted.
fn trust(editor: &mut Editor) {
    editor.ex("edit .termi.json");
    editor.ex("trust");
    editor.hears("in trust database");
    editor.ex("enew");
}

/// The names of the sessions that have an active run.
fn active(editor: &mut Editor) -> Vec<String> {
    editor.lua_texts(
        "local names = {}
         for _, session in pairs(require('termi').sessions()) do
           if session.active_processes > 0 then names[#names + 1] = session.name end
         end
         table.sort(names)
         return names",
    )
}

/// Starts what a file names that is not trusted, and answers Neovim's own question with another key than that it is.
fn up_answered(editor: &mut Editor, key: &str) {
    editor.home.write("work/.termi.json", FILE);
    editor.input(":Termi up<CR>");
    editor.sees(".termi.json");
    editor.input(key);
    editor.settle();
    let said = editor.hears("is not trusted");
    // One message, which fits the command line.
    assert_eq!(said.trim(), "termi: .termi.json is not trusted: `:trust` it and :Termi up again.");
}

in_each_neovim! {
    fn the_history_shows_what_has_ended_and_runs_it_again(editor, start => start.size(140, 40)) {
        editor.lua("require('termi').run({ cmd = 'exit 3', name = 'broken', open = 'none' })");
        editor.hears("broken");
        editor.lua("require('termi').run({ cmd = 'echo once more; exec sleep 1000', name = 'server', group = 'web', open = 'none' })");
        editor.ex("TermiKill server");
        editor.hears("Killed 1/1 processes");
        editor.ex("Termi history");
        let screen = editor.eventually("both runs", |screen| screen.contains("broken") && screen.contains("server @web"));
        assert!(screen.find("server @web").unwrap().0 < screen.find("broken").unwrap().0, "the newest is first:\n{screen}");
        let broken = screen.line(screen.find("broken").unwrap().0);
        assert!(broken.contains("exit 3") && broken.contains("exited 3"), "{broken}");
        assert_eq!(editor.lua_text("return vim.bo.filetype"), "termi-history");
        // What is searched is narrowed while it is typed.
        editor.input("fonce");
        editor.sees_no("broken");
        editor.input("<CR>");
        editor.sees("1 of 1, search: once");
        editor.input("y");
        editor.hears("yanked");
        assert_eq!(editor.lua_text("return vim.fn.getreg('\"')"), "echo once more; exec sleep 1000");
        editor.input("F");
        editor.sees("broken");
        editor.input("gg<CR>");
        editor.eventually_lua("its new run is shown", "vim.bo.filetype == 'termi'");
        editor.sees("once more");
        assert!(editor.lua_text("return vim.api.nvim_buf_get_name(0)").starts_with("termi://"));
        assert_eq!(active(editor).len(), 1);
        editor.take_messages();
    }

    fn all_that_is_known_of_an_ended_run_is_told_in_a_float(editor, start => start.size(80, 40)) {
        editor.ex("TermiRun ++name=slow ++group=web ++open=none ++timeout=200ms printf seen; exec sleep 1000");
        editor.hears("slow timed out");
        editor.ex("TermiSessions");
        editor.sees("■ timed out");
        editor.input("q");
        editor.ex("Termi history");
        // The same icon as in the list of sessions.
        editor.sees("■ timed out");
        let known = editor.lua("return require('termi.rpc.client').call('history', {}).records[1].run_id");
        editor.input("i");
        let screen = editor.sees(known.as_str().unwrap());
        let told = |name: &str| {
            let at = |row: &usize| screen.line(*row).contains(&format!("│ {name} "));
            let row = (0..40).find(at).unwrap_or_else(|| panic!("{name} is told:\n{screen}"));
            screen.line(row)
        };
        for (name, text) in [
            ("status", "■ timed out"),
            ("reason", "200ms"),
            ("command", "printf seen; exec sleep 1000"),
            ("directory", "/work"),
            ("session", "slow"),
            ("group", "web"),
            ("started", ":"),
            ("ended", ":"),
            ("took", "ms"),
            ("printed", "4 bytes"),
            ("session id", ""),
            ("run id", ""),
            ("host's pid", ""),
        ] {
            assert!(told(name).contains(text), "{name}: {screen}");
        }
        editor.input("q");
        editor.sees_no("host's pid");
        assert_eq!(editor.lua_text("return vim.bo.filetype"), "termi-history");
    }

    fn the_history_outlives_its_neovim_and_is_searched_by_the_command(editor) {
        editor.lua("require('termi').run({ cmd = 'true first', name = 'first', open = 'none' })");
        editor.lua("require('termi').run({ cmd = 'true second', name = 'second', open = 'none' })");
        editor.eventually_lua("both are remembered", "#require('termi.rpc.client').call('history', {}).records == 2");
        let home = std::rc::Rc::clone(&editor.home);
        editor.quit();
        let mut again = Start::new(editor.version).home(&home).editor();
        again.ex("Termi history second");
        again.sees("true second");
        assert!(!again.screen().contains("true first"));
        again.sees("1 of 1, search: second");
        again.quit();
    }

    fn the_statistics_count_runs_and_failures_and_lead_to_the_history(editor, start => start.size(140, 40)) {
        editor.ex("Termi stats");
        editor.sees("Nothing has ended yet.");
        editor.input("q");
        for name in ["a", "b", "c"] {
            // The second of the three fails.
            let fails = editor.home.work().join("fails");
            if name == "b" {
                std::fs::write(&fails, "").unwrap();
            }
            editor.lua(&format!(
                "require('termi').run({{ cmd = 'test ! -e fails', name = '{name}', open = 'none' }})"
            ));
            editor.eventually_lua(
                "it has ended and is remembered",
                &format!("(require('termi.rpc.client').call('history', {{}}).records[1] or {{}}).session_name == '{name}'"),
            );
            let _ = std::fs::remove_file(&fails);
        }
        editor.ex("Termi stats");
        let screen = editor.sees("test ! -e fails");
        let row = screen.line(screen.find("test ! -e fails").unwrap().0);
        let numbers: Vec<&str> = row.split("fails").last().unwrap().split_whitespace().take(2).collect();
        assert_eq!(numbers, ["3", "1"], "runs and failures: {row}");
        editor.input("<CR>");
        editor.sees("3 of 3, search: test ! -e fails");
        editor.take_messages();
    }

    fn a_trusted_file_is_started_in_order_and_ended_in_reverse(editor) {
        editor.home.write("work/.termi.json", FILE);
        trust(editor);
        editor.lua("vim.g.order = ''
            vim.api.nvim_create_autocmd('User', { pattern = 'TermiStarted', callback = function(event)
              vim.g.order = vim.g.order .. event.data.session_name .. ' '
            end })");
        editor.ex("Termi up");
        editor.hears("started db, web");
        assert_eq!(active(editor), ["db", "web"]);
        editor.eventually_lua("the order in which they started", "vim.g.order == 'db web '");
        editor.ex("Termi up");
        editor.hears("db, web run already");
        editor.ex("Termi down data");
        editor.hears("Killed 1/1 processes of db");
        assert_eq!(active(editor), ["web"]);
        editor.ex("Termi down");
        editor.hears("Killed 1/1 processes of web");
        assert_eq!(active(editor), [""; 0]);
        editor.ex("Termi down");
        editor.hears("none of the templates is running");
    }

    fn a_file_that_is_not_trusted_starts_nothing(editor) {
        up_answered(editor, "d");
        assert_eq!(active(editor), [""; 0]);
    }

    fn a_file_that_is_looked_at_first_is_trusted_there(editor) {
        up_answered(editor, "v");
        editor.sees("echo serving");
        editor.ex("trust");
        editor.hears("in trust database");
        editor.ex("Termi up");
        editor.hears("started db, web");
        editor.ex("Termi down");
        editor.hears("Killed 2/2 processes");
    }

    fn templates_of_setup_start_without_a_file_that_is_not_trusted(editor, start => start.setup(
        "{ templates = { ok = { cmd = 'exec sleep 1000' } } }"
    )) {
        editor.home.write("work/.termi.json", FILE);
        editor.input(":Termi up<CR>");
        editor.sees(".termi.json");
        editor.input("d");
        editor.settle();
        editor.hears("started ok; .termi.json is not trusted");
        editor.ex("TermiRun ++template=db");
        editor.hears("termi: .termi.json is not trusted: `:trust` it and try again.");
        editor.ex("Termi down");
        editor.hears("Killed 1/1 processes of ok");
    }

    fn a_template_that_there_is_not_is_told_with_what_there_is(editor) {
        editor.ex("TermiRun ++template=zz");
        editor.hears("termi: there is no template `zz`: none is set up. :help termi-templates");
        editor.set_up("{ templates = { server = { cmd = 'true' }, db = { cmd = 'true' } } }");
        editor.ex("TermiRun ++template=zz");
        editor.hears("termi: there is no template `zz`. There are: db, server.");
        editor.ex("TermiRun ++template=sevrer");
        editor.hears("termi: there is no template `sevrer`. Did you mean `server`?");
    }

    fn templates_of_setup_start_and_what_is_wrong_with_one_is_told(editor, start => start.setup(
        "{ templates = {
            ok = { cmd = 'exec sleep 1000', group = 'app' },
            bad = { cmd = { 'no-such-program' }, group = 'app' },
            other = { cmd = 'exec sleep 1001' },
        } }"
    )) {
        editor.ex("Termi up app");
        let said = editor.hears("bad was not started");
        assert!(said.contains("no-such-program"), "{said}");
        assert_eq!(active(editor), ["ok"], "only the group's");
        editor.ex("Termi down app");
        editor.hears("Killed 1/1 processes of ok");
        editor.ex("TermiRun ++template=other");
        editor.eventually_lua("it is shown", "vim.bo.filetype == 'termi'");
        assert_eq!(active(editor), ["other"]);
        editor.ex("TermiKill other");
        editor.hears("Killed 1/1 processes");
    }

    fn a_mistake_in_a_template_of_setup_disables_that_one_alone(editor) {
        editor.set_up(
            "{ templates = {
                web = { comand = 'x' },
                limited = { cmd = 'true', limits = { memory = 1 } },
                after = { cmd = 'true', after = { template = 'web' } },
                ok = { cmd = 'exec sleep 1000', group = 'app', transcript_bytes = 100000, log = false },
            } }",
        );
        editor.hears("the template `limited` is left out: `limits.memory` is not an option");
        editor.set_up("{ templates = { web = { comand = 'x' }, after = { cmd = 'true', after = { template = 'web' } },
            ok = { cmd = 'exec sleep 1000', group = 'app' } } }");
        editor.hears("setup(): the template `web` is left out: `comand` is not an option of templates. Did you mean `cmd`?");
        editor.ex("TermiRun ++template=web");
        editor.hears("termi: the template `web` is left out: `comand` is not an option of templates");
        editor.ex("TermiRun ++template=after");
        editor.hears("termi: the template `after` is left out: it comes after `web`, which is left out");
        editor.ex("Termi up");
        editor.hears("started ok; left out for mistakes: after, web");
        assert_eq!(active(editor), ["ok"]);
        editor.ex("TermiKill ok");
        editor.hears("Killed 1/1 processes");
    }

    fn a_mistake_in_the_file_is_told_with_its_line(editor) {
        editor.home.write("work/.termi.json", "{\n  \"templates\": {\n    \"web\": {\"comand\": \"x\"}\n  }\n}\n");
        trust(editor);
        editor.ex("Termi up");
        let said = editor.hears("comand");
        assert!(said.contains(".termi.json") && said.contains('3'), "{said}");
        assert_eq!(active(editor), [""; 0]);
    }
}
