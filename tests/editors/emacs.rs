//! Emacs with its client: its ERT tests, what its compiler and checkdoc say, and what is seen on a terminal.

use std::process::Output;

use crate::{
    Editor, project,
    support::{Daemon, Home, TERMI},
};

fn batch(arguments: &[&str]) -> Output {
    let home = Home::new();
    let source = std::fs::read_to_string(project("clients/emacs/termi.el")).unwrap();
    home.write("termi.el", &source);
    let mut emacs = home.host().command_of("emacs");
    emacs.args(["-Q", "--batch"]).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn it_compiles_without_warnings() {
    let output = batch(&["--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile", "termi.el"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
}

#[test]
fn checkdoc_has_nothing_to_say() {
    let output = batch(&["--eval", "(checkdoc-file \"termi.el\")"]);
    assert!(output.status.success());
    assert_eq!(said(&output), "");
}

#[test]
fn its_own_tests_pass() {
    let (folder, tests) = (project("clients/emacs"), project("clients/emacs/termi-tests.el"));
    let output =
        batch(&["-L", folder.to_str().unwrap(), "-l", tests.to_str().unwrap(), "-f", "ert-run-tests-batch-and-exit"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("0 unexpected"), "{}", said(&output));
}

#[test]
fn a_run_is_shown_in_its_colours_and_typed_into() {
    let emacs = Editor::emacs();
    emacs.press("\x1bxtermi-run\rprintf 'pl\\303\\244in \\033[1mbold\\033[m\\n'; read x; echo \"<$x>\"\r");
    emacs.sees_row("pläin bold");
    assert!(emacs.look("bold").bold);
    assert!(!emacs.look("pläin").bold);
    emacs.press("words\r");
    emacs.sees_row("<words>");
    emacs.sees_row("── exited with code 0 ──");
    emacs.quit("\x18\x03");
}

#[test]
fn a_run_is_shown_where_open_says() {
    let emacs = Editor::emacs();
    emacs.press("\x1bxtermi-run\r++open=vsplit echo beside\r");
    emacs.until("it stands beside", |screen| {
        screen.iter().any(|row| row.find("beside").is_some_and(|column| column >= 50) && !row.contains("echo"))
    });
    emacs.press("\x1bxtermi-run\r++open=float echo above all\r");
    emacs.sees_row("above all");
    // On a terminal what floats is a frame of its own, which the mode line tells.
    emacs.sees("-F2 ");
    emacs.press("\x1bxdelete-frame\r");
    emacs.sees("beside");
    emacs.press("\x1bxtermi-run\r++open=wide true\r");
    emacs.sees("++open=wide must be one of split, vsplit");
    emacs.quit("\x18\x03");
}

/// In windows side by side the program has the size of the narrowest that shows it, and only of those.
#[test]
fn a_window_that_shows_another_buffer_no_longer_counts_for_the_size() {
    let emacs = Editor::emacs();
    emacs.press("\x1bxtermi-run\r++open=current trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done\r");
    emacs.sees_row("36 119");
    // The left window has 70 columns, the right one 50.
    emacs.press("\x183\x1b10\x18}");
    emacs.sees("36 49");
    emacs.press("\x18o\x18b*scratch*\r");
    emacs.sees("36 68");
    // A window that is gone no longer counts either.
    emacs.press("\x180");
    emacs.until("it has all of the frame again", |screen| {
        screen.iter().filter(|row| row.trim_end() == "36 119").count() == 2
    });
    emacs.quit("\x18\x03");
}

#[test]
fn a_buffer_that_no_window_shows_gets_no_frames_until_one_does() {
    let emacs = Editor::emacs();
    let eval = |code: &str| emacs.press(&format!("\x1b:{code}\r"));
    emacs.press("\x1bxtermi-run\r++name=one ++open=current read x; echo marked; exec sleep 1000\r");
    emacs.sees("*termi one/");
    emacs.press("\x1bxtermi-run\r++name=two ++open=current while read x; do echo \"got $x\"; done\r");
    emacs.sees("*termi two/");
    eval("(termi-send-string \"one\" \"go\")");
    eval("(while (not (string-search \"marked\" (format \"%s\" (termi--sessions)))) (accept-process-output nil 0.05))");
    // What the host sends afterwards has come: a frame of the other would have come before it.
    eval("(termi-send-string \"two\" \"words\")");
    emacs.sees_row("got words");
    let of_one = "(seq-find (lambda (buffer) (string-prefix-p \"*termi one\" (buffer-name buffer))) (buffer-list))";
    eval(&format!(
        "(with-current-buffer {of_one} (format \"drawn-%s\" (and (string-search \"marked\" (buffer-string)) t)))"
    ));
    emacs.sees("drawn-nil");
    eval(&format!("(switch-to-buffer {of_one})"));
    emacs.sees_row("marked");
    emacs.quit("\x18\x03");
}

/// Where Debian has an Emacs package.
fn package(name: &str) -> String {
    let place = std::path::Path::new("/usr/share/emacs/site-lisp/elpa-src");
    let mut found = place.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_it = |path: &std::path::PathBuf| {
        path.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(&format!("{name}-")))
    };
    let found = found.find(is_it).unwrap_or_else(|| panic!("{name} is missing: run scripts/setup"));
    found.to_str().unwrap().to_owned()
}

#[test]
fn with_evil_the_keys_of_the_list_and_the_buffer_are_the_same() {
    let client = project("clients/emacs");
    let (evil, goto_chg) = (package("evil"), package("goto-chg"));
    let arguments = ["emacs", "-nw", "-Q", "-L", &evil, "-L", &goto_chg, "-l", "evil", "-f", "evil-mode", "-L"];
    let mut command = arguments.map(String::from).to_vec();
    command.extend([client.to_str().unwrap().to_owned(), "-l".into(), "termi".into()]);
    let emacs = Editor::start(&command);
    emacs.sees("*scratch*");
    emacs.press("\x1bxtermi-run\r++name=one while read x; do echo \"got $x\"; done\r");
    emacs.sees("*termi one/");
    emacs.press("words\r");
    emacs.sees_row("got words");
    emacs.press("\x1bxtermi-sessions\r");
    emacs.sees("active     one");
    emacs.press("\x1b<k");
    emacs.sees("Killed 1/1 processes");
    emacs.sees("killed     one");
    emacs.quit("\x18\x03");
}

fn eval(emacs: &Editor, code: &str) {
    emacs.press(&format!("\x1b:{code}\r"));
}

/// An Emacs whose sessions belong to the daemon of its home.
fn with_daemon() -> (Editor, Daemon) {
    let emacs = Editor::emacs();
    let daemon = Daemon::of(emacs.host.home());
    eval(&emacs, "(setq termi-host-arguments '(\"--persist\"))");
    (emacs, daemon)
}

/// A replaced daemon ends its connections, and so does a bridge that is killed: the sessions go on.
#[test]
fn a_lost_connection_to_the_daemon_is_made_again() {
    let (emacs, _daemon) = with_daemon();
    emacs
        .press("\x1bxtermi-run\r++name=over ++open=current echo x >>$HOME/count; echo \"run $(wc -l <$HOME/count)\"\r");
    emacs.sees_row("run 1");
    emacs.sees_row("── exited with code 0 ──");
    emacs.press("\x1bxtermi-run\r++name=hidden ++open=current while read x; do echo \"got $x\"; done\r");
    emacs.sees("*termi hidden/");
    emacs
        .press("\x1bxtermi-run\r++name=flow ++open=current i=0; while sleep 0.01; do echo \"line $((i=i+1))\"; done\r");
    emacs.sees("line 5");
    let losses = [
        "(call-process termi-program nil nil nil \"daemon\" \"--replace\")",
        "(signal-process (jsonrpc--process termi--connection) 'kill)",
        "(call-process termi-program nil nil nil \"daemon\" \"--replace\")",
    ];
    for (count, loss) in losses.iter().enumerate() {
        // What is typed before the connection is made again arrives, and the command after it works.
        eval(&emacs, &format!("(progn {loss} (termi-send-string \"hidden\" \"words-{count}\"))"));
        // The lines go on: those of 100 later come on the connection that was made again.
        let last =
            |screen: &[String]| screen.iter().rev().find_map(|row| row.trim_end().strip_prefix("line ")?.parse().ok());
        let now: u32 = last(&emacs.sees("line ")).unwrap();
        emacs.until("the output goes on", |screen| last(screen).is_some_and(|line: u32| line > now + 100));
    }
    emacs.press("\x1bxtermi-kill\rflow\r");
    emacs.sees("Killed");
    emacs.sees("── ended by signal");
    let lines = "(split-string (buffer-substring (point-min) termi--bottom) \"\\n\" t)";
    let wanted = "(lambda (n) (format \"line %d\" n))";
    eval(
        &emacs,
        &format!(
            "(let ((lines {lines})) (message \"each-once-%s of %d\" (equal lines (mapcar {wanted} (number-sequence 1 (length lines)))) (length lines)))"
        ),
    );
    emacs.sees("each-once-t of");
    emacs.press("\x1bxtermi-show\rhidden\r");
    for count in 0..losses.len() {
        let screen = emacs.sees_row(&format!("got words-{count}"));
        assert_eq!(
            screen.iter().filter(|row| row.trim_end() == format!("got words-{count}")).count(),
            1,
            "{screen:#?}"
        );
    }
    // The buffer of a run that had ended shows what it prints when it starts again.
    let of_over = "(seq-find (lambda (buffer) (string-prefix-p \"*termi over\" (buffer-name buffer))) (buffer-list))";
    eval(&emacs, &format!("(progn (switch-to-buffer {of_over}) (termi--call 'restart '(:target \"over\")))"));
    emacs.sees_row("run 2");
    eval(&emacs, "(with-current-buffer (messages-buffer) (message \"given-up-%d\" (how-many \"the next command\" 1)))");
    emacs.sees("given-up-0");
    emacs.press("\x1bxtermi-kill\rhidden\r");
    emacs.sees("Killed");
    emacs.quit("\x18\x03");
}

/// Emacs that writes to a bridge which is just gone closes the pipe, and never learns how the bridge ended.
#[test]
fn a_bridge_that_was_gone_when_it_was_written_to_is_lost_unless_it_said_why() {
    let emacs = Editor::emacs();
    let cases =
        [("--persist", "", "t"), ("--persist", "echo termi: the daemon ended >&2; ", "nil"), ("--rpc", "", "nil")];
    for (number, (argument, says, again)) in cases.into_iter().enumerate() {
        let command = format!("exec <&-; {says}exec 2>&-; echo; exec sleep 1000");
        let stderr = "(get-buffer-create \" *termi stderr*\")";
        let process = format!(
            "(make-process :name \"closed\" :connection-type 'pipe :noquery t :sentinel 'ignore :stderr {stderr} \
             :command (list \"sh\" \"-c\" \"{command}\"))"
        );
        eval(
            &emacs,
            &format!(
                "(let* ((termi-host-arguments (list \"{argument}\")) (termi--process {process})) \
                 (accept-process-output termi--process 30) (ignore-errors (process-send-string termi--process \"x\")) \
                 (prog1 (format \"closed-%S again-%S of %d\" (termi--closed-p) (and (termi--may-rejoin-p) t) {number}) \
                 (delete-process termi--process) (kill-buffer {stderr})))"
            ),
        );
        emacs.sees(&format!("closed-t again-{again} of {number}"));
    }
    emacs.quit("\x18\x03");
}

#[test]
fn a_daemon_that_is_killed_is_reported_once_and_the_next_command_starts_another() {
    let (emacs, daemon) = with_daemon();
    emacs.press("\x1bxtermi-run\r++name=one ++open=current echo here; exec sleep 1000\r");
    emacs.sees_row("here");
    let pid = daemon.pid();
    daemon.kill_9();
    emacs.sees(&format!("Termi: the daemon (process {pid}) ended, its sessions and programs with it"));
    let screen = emacs.sees_row("── the host has ended ──");
    assert!(screen.iter().any(|row| row.trim_end() == "here"), "{screen:#?}");
    eval(
        &emacs,
        "(with-current-buffer (messages-buffer) (message \"reported-%d\" (how-many \"(process [0-9]+) ended\" 1)))",
    );
    emacs.sees("reported-1");
    emacs.press("\x1bxtermi-run\r++name=two ++open=current echo there is another; exec sleep 1000\r");
    emacs.sees_row("there is another");
    assert_ne!(daemon.pid(), pid);
    emacs.press("\x1bxtermi-kill\rtwo\r");
    emacs.sees("Killed 1/1 processes");
    emacs.quit("\x18\x03");
}

#[test]
fn attempts_to_connect_again_are_given_up_with_a_word() {
    let (emacs, _daemon) = with_daemon();
    emacs.press("\x1bxtermi-run\r++name=one ++open=current echo here; exec sleep 1000\r");
    emacs.sees_row("here");
    eval(
        &emacs,
        "(progn (setq termi-program \"/bin/false\") (signal-process (jsonrpc--process termi--connection) 'kill))",
    );
    emacs.sees(
        "Termi: the connection to the daemon was lost (the host ended with code 1); the next command tries again",
    );
    emacs.sees_row("── the host has ended ──");
    eval(&emacs, &format!("(progn (setq termi-program \"{TERMI}\") (termi-show \"one\"))"));
    emacs.until("it is shown again, to be typed into", |screen| {
        let at = |start: &str| screen.iter().rposition(|row| row.starts_with(start));
        at("here").is_some_and(|row| at("»") == Some(row + 1))
    });
    emacs.press("\x1bxtermi-kill\rone\r");
    emacs.sees("Killed 1/1 processes");
    emacs.quit("\x18\x03");
}

/// Columns that have no room are left out whole, the least important first, and long texts are cut with an ellipsis.
#[test]
fn a_narrow_list_has_the_columns_that_fit() {
    let emacs = Editor::emacs_sized((24, 60));
    emacs.press("\x1bxtermi-run\r++name=a-session-with-a-long-name ++open=none echo what it said; exec sleep 1000\r");
    emacs.press("\x1bxtermi-run\r++name=日本語のとても長い名前 ++open=none sleep 1000\r\x1bxtermi-sessions\r");
    emacs.sees_row("Status     Name            Command         Age Last line");
    emacs.until("the columns are in line", |screen| {
        let cut =
            |row: &String| row.starts_with("active     a-session-with… echo what i…") && row.contains("s what it said");
        screen.iter().any(cut) && screen.iter().any(|row| row.starts_with("active     日本語のとても… sleep 1000 "))
    });
    // In half of that, those that are left are cut, and nothing is clipped or wrapped.
    emacs.press("\x183");
    emacs.until("it fits half of the frame", |screen| {
        screen.iter().any(|row| row.matches("active     a-session-with-…").count() == 2)
    });
    emacs.quit("\x18\x03");
}
