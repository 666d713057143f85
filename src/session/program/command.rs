//! From what a client asks to run to what is executed.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

use crate::protocol::{CommandSpec, Error, Result};

/// Variables of the editor, the terminal or the multiplexer that the host was started in, which would mislead a program in
/// this one. A name that ends in `*` stands for all that begin so.
const NOT_INHERITED: &[&str] = &[
    // What a terminal says of itself.
    "COLORFGBG",
    "COLUMNS",
    "LINES",
    "TERMCAP",
    "TERM_PROGRAM*",
    "TERM_SESSION_ID",
    "TERM_FEATURES",
    "TERMINAL_EMULATOR",
    "LC_TERMINAL*",
    "WINDOWID",
    "VTE_VERSION",
    "GNOME_TERMINAL_*",
    "KONSOLE_*",
    "KITTY_*",
    "GHOSTTY_*",
    "WEZTERM_*",
    "ALACRITTY_*",
    "ITERM_*",
    "TILIX_ID",
    "TERMINATOR_UUID",
    "WT_*",
    "VSCODE_*",
    "CMUX_*",
    "WARP_*",
    // A multiplexer.
    "TMUX*",
    "STY",
    "WINDOW",
    "ZELLIJ*",
    "HERDR_*",
    "ABDUCO_*",
    "DVTM*",
    "SHPOOL_*",
    "ZMX_*",
    // An editor.
    "VIM",
    "VIMRUNTIME",
    "MYVIMRC",
    "NVIM_LISTEN_ADDRESS",
    "NVIM_LOG_FILE",
    "VIM_TERMINAL",
    "VIM_SERVERNAME",
    "INSIDE_EMACS",
    // A coding agent.
    "CLAUDECODE",
    "CLAUDE_CODE_*",
    "CLAUDE_PID",
    "CODEX_*",
    "GEMINI_CLI",
    "QWEN_CODE",
    "OPENCODE",
    "OPENCODE_PID",
    "COPILOT_CLI",
    "CURSOR_AGENT",
    "CURSOR_TRACE_ID",
    // Another host.
    "TERMI_SOCKET",
    "TERMI_SHIM",
];

/// Names among those that people set themselves: where something is, who they are, and how a program is to behave.
const SETTINGS: &[&str] = &[
    "TMUX_TMPDIR",
    "CODEX_HOME",
    "CODEX_API_KEY",
    "CODEX_CA_CERTIFICATE",
    "CLAUDE_CODE_API_KEY*",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CODE_SKIP_*",
    "CLAUDE_CODE_DISABLE_*",
    "CLAUDE_CODE_ENABLE_*",
    "CLAUDE_CODE_MAX_*",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_SHELL*",
];

/// A command, ready to be executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// As people write it.
    pub text: String,
    /// The program's name, for names of sessions and processes.
    pub program: String,
    /// The shell, when one runs the command or is it.
    pub shell: Option<String>,
}

impl Command {
    /// Reads a command: a line goes to the user's shell, none at all is the shell itself.
    ///
    /// # Errors
    /// `invalid_params` when it is empty or holds a NUL.
    pub fn new(spec: Option<&CommandSpec>) -> Result<Self> {
        let shell = user_shell();
        let shell_text = shell.to_string_lossy().into_owned();
        match spec {
            None => Ok(Self {
                program: base_name(&shell_text),
                text: shell_text.clone(),
                argv: vec![shell],
                shell: Some(shell_text),
            }),
            Some(CommandSpec::Line(line)) if line.trim().is_empty() => {
                Err(Error::invalid("cmd", line, "empty; leave cmd out to start a shell"))
            }
            Some(CommandSpec::Line(line)) => {
                no_nul("cmd", line)?;
                Ok(Self {
                    program: program_of(line),
                    text: line.clone(),
                    argv: vec![shell, "-c".into(), line.into()],
                    shell: Some(shell_text),
                })
            }
            Some(CommandSpec::Argv(argv)) => {
                let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
                    return Err(Error::invalid("cmd", argv, "its first element must name a program"));
                };
                for arg in argv {
                    no_nul("cmd", arg)?;
                }
                Ok(Self {
                    program: base_name(program),
                    text: argv.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" "),
                    argv: argv.iter().map(OsString::from).collect(),
                    shell: None,
                })
            }
        }
    }
}

impl Command {
    /// Whether it is an interactive shell.
    pub fn is_shell(&self) -> bool {
        self.shell.is_some() && self.argv.len() == 1
    }

    /// The command of the parameters that it was made from; none when its arguments cannot be told, as they are not UTF-8.
    #[allow(clippy::option_option, reason = "none at all is one: an interactive shell")]
    pub fn spec(&self) -> Option<Option<CommandSpec>> {
        if self.is_shell() {
            return Some(None);
        }
        if self.shell.is_some() {
            return Some(Some(CommandSpec::Line(self.text.clone())));
        }
        let argv: Option<Vec<String>> = self.argv.iter().map(|arg| arg.to_str().map(str::to_owned)).collect();
        argv.map(|argv| Some(CommandSpec::Argv(argv)))
    }
}

/// Refuses text the kernel would cut at a NUL.
pub fn no_nul(key: &str, text: &str) -> Result<()> {
    if text.contains('\0') { Err(Error::invalid(key, text, "must not hold a NUL character")) } else { Ok(()) }
}

/// Whether a variable of a client's environment is one for its programs: not one of the terminal that the client is
/// in, and not one that Termi sets itself.
#[must_use]
pub fn is_inherited(key: &str) -> bool {
    is_env_name(key) && !misleads(key) && !matches!(key, "TERM" | "COLORTERM") && !key.starts_with("TERMI_")
}

fn misleads(key: &str) -> bool {
    let is_among = |names: &[&str]| {
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => key == *name,
        })
    };
    is_among(NOT_INHERITED) && !is_among(SETTINGS)
}

/// What of the host's own environment programs get.
pub fn inherited_env() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(key, _)| !key.to_str().is_some_and(misleads)).collect()
}

/// The folder a client named: `~` is the home folder, what is relative is so to `base`.
pub fn folder(named: &str, base: &Path) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match named.strip_prefix('~') {
        Some("") => home().unwrap_or_else(|| base.join(named)),
        Some(rest) if rest.starts_with('/') => home().map_or_else(|| base.join(named), |home| home.join(&rest[1..])),
        _ => base.join(named),
    }
}

/// `$SHELL`, else the one in the user database, else `/bin/sh`.
fn user_shell() -> OsString {
    std::env::var_os("SHELL")
        .filter(|shell| Path::new(shell).is_absolute())
        .or_else(|| User::from_uid(Uid::current()).ok().flatten().map(|user| user.shell.into_os_string()))
        .filter(|shell| !shell.is_empty())
        .unwrap_or_else(|| "/bin/sh".into())
}

fn base_name(program: &str) -> String {
    Path::new(program).file_name().map_or_else(|| program.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The program a shell line starts: its first word that is not an assignment or a word before a command.
fn program_of(line: &str) -> String {
    let skipped = |word: &&str| {
        let assignment =
            word.split_once('=').is_some_and(|(key, _)| key.chars().all(|c| c.is_alphanumeric() || c == '_'));
        assignment || matches!(*word, "exec" | "env" | "sudo" | "time" | "nohup" | "command" | "(" | "{" | "!")
    };
    let word = line.split([' ', '\t', '\n', ';', '|', '&']).filter(|word| !word.is_empty()).find(|word| !skipped(word));
    base_name(word.unwrap_or("sh").trim_matches(['(', ')', '"', '\'']))
}

/// An argument as a shell would want it, where that is worth quoting.
#[must_use]
pub fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}

/// Whether a variable's name can stand in an environment.
pub fn is_env_name(name: &str) -> bool {
    let bytes = OsStr::new(name).as_bytes();
    !bytes.is_empty() && !bytes.contains(&b'=') && !bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_a_multiplexer_or_an_agent_says_of_itself_is_not_inherited_and_a_setting_is() {
        for key in [
            "TMUX",
            "TMUX_PANE",
            "STY",
            "ZELLIJ",
            "ZELLIJ_SESSION_NAME",
            "CLAUDECODE",
            "CLAUDE_CODE_ENTRYPOINT",
            "CLAUDE_CODE_SSE_PORT",
            "CODEX_SANDBOX",
            "CODEX_THREAD_ID",
            "CMUX_SURFACE_ID",
            "GHOSTTY_RESOURCES_DIR",
            "KITTY_LISTEN_ON",
            "WEZTERM_UNIX_SOCKET",
            "VSCODE_IPC_HOOK_CLI",
            "HERDR_PANE_ID",
            "TERM_PROGRAM_VERSION",
            "LC_TERMINAL",
            "INSIDE_EMACS",
            "TERMI_SOCKET",
            "TERM",
            "",
        ] {
            assert!(!is_inherited(key), "{key}");
        }
        for key in [
            "PATH",
            "TMUX_TMPDIR",
            "CODEX_HOME",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "NVIM",
            "LC_TIME",
            "STYLE",
            "TERMUX_VERSION",
            "GEMINI_API_KEY",
        ] {
            assert!(is_inherited(key), "{key}");
        }
    }

    #[test]
    fn the_program_of_a_line_is_the_word_people_mean() {
        for (line, program) in [
            ("npm run dev", "npm"),
            ("RUST_LOG=debug FOO= cargo test", "cargo"),
            ("exec /usr/bin/htop -d 1", "htop"),
            ("sleep 1; echo done", "sleep"),
            ("(cd x && make)", "cd"),
            ("for i in 1 2; do echo; done", "for"),
        ] {
            assert_eq!(program_of(line), program, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_value() {
        for spec in [
            CommandSpec::Line(" ".into()),
            CommandSpec::Line("a\0b".into()),
            CommandSpec::Argv(vec![]),
            CommandSpec::Argv(vec![String::new()]),
            CommandSpec::Argv(vec!["a".into(), "\0".into()]),
        ] {
            assert!(Command::new(Some(&spec)).unwrap_err().message.starts_with("cmd is "));
        }
    }

    #[test]
    fn an_argument_vector_is_shown_as_a_shell_would_want_it() {
        let spec = CommandSpec::Argv(vec!["/bin/echo".into(), "it's".into(), "plain".into(), String::new()]);
        let command = Command::new(Some(&spec)).unwrap();
        assert_eq!(command.text, r"/bin/echo 'it'\''s' plain ''");
        assert_eq!((command.program.as_str(), command.shell), ("echo", None));
    }
}
