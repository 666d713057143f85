//! Claude's hooks, given to it as an argument where a run starts it: no file of the user's is changed, and the command
//! that is shown and kept stays as it was given.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use super::command::quoted;
use crate::{
    agent::claude_settings,
    process::own_executable,
    pty::{Spawn, too_long},
};

const OPTION: &str = "--settings";

/// Shells that take a quoted argument as [`quoted`] writes it.
const SHELLS: &[&str] = &["sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"];

/// Words that may stand before a command, as in `exec claude`.
const BEFORE: &[&str] = &["exec", "env", "time", "nohup", "command", "(", "{", "!"];

/// What is started, with Claude's hooks if it is Claude and was not given settings.
pub fn with_hooks(what: Spawn) -> Spawn {
    let termi = own_executable();
    // Of a binary that was deleted there is no path.
    let Some(termi) = termi.to_str().filter(|path| !path.starts_with("/proc/")) else { return what };
    match argv_with(&what.argv, &claude_settings(&quoted(termi))) {
        Some(argv) => {
            let hooked = Spawn { argv, ..what.clone() };
            // A run that can be started without them is.
            if too_long(&hooked) { what } else { hooked }
        }
        None => what,
    }
}

fn argv_with(argv: &[OsString], settings: &str) -> Option<Vec<OsString>> {
    let is_option = |arg: &OsString| {
        arg.to_str()
            .is_some_and(|arg| arg.strip_prefix(OPTION).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
    };
    match argv {
        [program, rest @ ..] if base_name(program) == Some("claude") => {
            let given = [OsString::from(OPTION), OsString::from(settings)];
            let argv = || [program.clone()].into_iter().chain(given).chain(rest.iter().cloned()).collect();
            (!rest.iter().any(is_option)).then(argv)
        }
        [shell, flag, line] if flag == "-c" && base_name(shell).is_some_and(|shell| SHELLS.contains(&shell)) => {
            // fish reads a backslash within quotes.
            if base_name(shell) == Some("fish") && settings.contains(['\'', '\\']) {
                return None;
            }
            let line = line_with(line.to_str()?, settings)?;
            Some(vec![shell.clone(), flag.clone(), line.into()])
        }
        _ => None,
    }
}

/// A shell's line with the settings behind its first command, if that is Claude. What else the line does is left alone.
fn line_with(line: &str, settings: &str) -> Option<String> {
    if line.contains(OPTION) {
        return None;
    }
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let end = rest.find(|c: char| c.is_whitespace() || ";|&<>)".contains(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if base_name(OsStr::new(word)) == Some("claude") {
            // A function of that name is being defined.
            if after.trim_start_matches([' ', '\t']).starts_with('(') {
                return None;
            }
            let before = &line[..line.len() - after.len()];
            return Some(format!("{before} {OPTION} {}{after}", quoted(settings)));
        }
        let is_assignment = word.split_once('=').is_some_and(|(key, value)| is_name(key) && is_plain(value));
        if !(is_assignment || BEFORE.contains(&word)) {
            return None;
        }
        rest = after;
    }
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a word is what it looks like: no quote begins in it that another word ends.
fn is_plain(word: &str) -> bool {
    !word.contains(['\'', '"', '`', '\\', '$', '('])
}

/// The last part of a path that is written without quotes and variables.
fn base_name(path: &OsStr) -> Option<&str> {
    let text = path.to_str()?;
    let plain = |c: char| c.is_alphanumeric() || "-_./+@~".contains(c);
    text.chars().all(plain).then(|| Path::new(text).file_name()?.to_str()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(argv: &[&str]) -> Option<Vec<String>> {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        argv_with(&argv, "{it's}").map(|argv| argv.iter().map(|arg| arg.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn claude_gets_its_hooks_before_all_other_arguments() {
        assert_eq!(with(&["claude"]).unwrap(), ["claude", "--settings", "{it's}"]);
        assert_eq!(
            with(&["/opt/bin/claude", "--", "x"]).unwrap(),
            ["/opt/bin/claude", "--settings", "{it's}", "--", "x"]
        );
        for argv in [
            &["claude", "--settings", "x"][..],
            &["claude", "-p", "x", "--settings={}"],
            &["codex"],
            &["claude-code"],
            &["bash"],
            &[],
        ] {
            assert_eq!(with(argv), None, "{argv:?}");
        }
    }

    #[test]
    fn a_line_of_shell_that_starts_claude_gets_them_too() {
        let given = r"--settings '{it'\''s}'";
        for (line, expected) in [
            ("claude", "claude GIVEN"),
            ("claude \"fix; it\"", "claude GIVEN \"fix; it\""),
            ("  A=b exec ~/bin/claude -p x|tee y", "  A=b exec ~/bin/claude GIVEN -p x|tee y"),
            ("claude; echo over", "claude GIVEN; echo over"),
            ("(claude)", "-"),
            ("claude () { echo mine; }; claude", "-"),
            ("( claude)", "( claude GIVEN)"),
            ("cd x && claude", "-"),
            ("A='b claude' x", "-"),
            ("echo claude", "-"),
            ("\"claude\"", "-"),
            ("claude --settings x", "-"),
            ("", "-"),
        ] {
            let found = with(&["/bin/zsh", "-c", line]).map(|argv| argv[2].clone());
            assert_eq!(found.unwrap_or_else(|| "-".to_owned()), expected.replace("GIVEN", given), "{line}");
        }
        assert_eq!(with(&["/bin/nu", "-c", "claude"]), None, "a shell that quotes in another way");
        assert_eq!(with(&["/bin/bash", "-lc", "claude"]), None);
        assert_eq!(with(&["/usr/bin/fish", "-c", "claude"]), None, "within whose quotes a backslash is none");
    }
}
