//! Shell completion: the scripts that shells load, and the candidates for the word that is being completed.
//!
//! The scripts call the binary for each completion (clap_complete's dynamic engine), so that they need not be made again
//! when a subcommand comes, and so that sessions, runs, groups and templates are completed as they are at that moment.
//! The engine's own scripts are good for its own version only, and bash's breaks words at `:`, as in `group:dev`: these
//! here are Termi's.

mod words;

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::ExitCode,
};

use clap::{Args, Command, ValueEnum};
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter, complete};

use super::{client, print, print_error};
pub(super) use words::split;

/// The hidden subcommand that the scripts call: the shell, and what is typed.
pub(super) const SUBCOMMAND: &str = "__complete";

#[derive(Debug, Args)]
#[command(after_help = "Setup, in the shell's startup file:\n  \
    bash, ~/.bashrc:                    eval \"$(termi completions bash)\"\n  \
    zsh, ~/.zshrc, after compinit:      source <(termi completions zsh)\n  \
    fish, ~/.config/fish/config.fish:   termi completions fish | source")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `termi completions`.
pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    let script = match args.shell {
        Shell::Bash => include_str!("termi.bash"),
        Shell::Zsh => include_str!("termi.zsh"),
        Shell::Fish => include_str!("termi.fish"),
    };
    match print(script.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print_error(&why);
            client::FAILED.into()
        }
    }
}

/// Prints the candidates, one a line: `VALUE`, or `VALUE<Tab>DESCRIPTION` for shells that show one. The arguments are the
/// shell's name and the words up to the cursor, the last of them the one to complete; for bash, which takes words apart
/// at colons, its idea of the word and the line up to the cursor.
pub(super) fn main(args: &[OsString], command: Command) -> ExitCode {
    let Some((shell, typed)) = args.split_first() else { return ExitCode::FAILURE };
    let text = if shell == "bash" {
        let [word, line] = typed else { return ExitCode::FAILURE };
        for_bash(command, &word.to_string_lossy(), &line.to_string_lossy())
    } else {
        let described = |candidate: &CompletionCandidate| {
            let value = candidate.get_value().to_string_lossy().into_owned();
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            match help.lines().next() {
                Some(help) => format!("{value}\t{help}\n"),
                None => format!("{value}\n"),
            }
        };
        candidates(command, typed.to_vec()).iter().map(described).collect()
    };
    // Nobody reads what would be wrong with that.
    if print(text.as_bytes()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What bash puts in the place of the word as it sees it, quoted.
fn for_bash(command: Command, word: &str, line: &str) -> String {
    let words::Line { words, is_quoted } = split(line);
    let current = words.last().map_or("", String::as_str);
    // All before it stays on the line.
    let stays =
        current.strip_suffix(split(word).words.last().map_or("", String::as_str)).unwrap_or_default().to_owned();
    let mut text = String::new();
    for candidate in candidates(command, words.into_iter().map(OsString::from).collect()) {
        let value = candidate.get_value().to_string_lossy();
        let value = value.strip_prefix(&stays).unwrap_or(&value);
        text.push_str(&if is_quoted { value.to_owned() } else { words::quoted(value) });
        text.push('\n');
    }
    text
}

/// The candidates for the last of the words.
fn candidates(mut command: Command, mut words: Vec<OsString>) -> Vec<CompletionCandidate> {
    let Some(current) = words.last().cloned() else { return Vec::new() };
    command.build();
    end_options(&command, &mut words);
    let at = words.len() - 1;
    let here = std::env::current_dir().ok();
    let mut found = complete(&mut command, words, at, here.as_deref()).unwrap_or_default();
    // Options are many: they are for who begins one.
    let wants_option = current.to_string_lossy().starts_with('-');
    found.retain(|candidate| wants_option || !candidate.get_value().to_string_lossy().starts_with('-'));
    found
}

/// Puts `--` before the command of `termi run`, behind which all is the program's.
fn end_options(command: &Command, words: &mut Vec<OsString>) {
    let Some(run) = words.get(1).and_then(|name| command.find_subcommand(name)) else { return };
    if !run.get_positionals().any(clap::Arg::is_trailing_var_arg_set) {
        return;
    }
    let takes_value = |word: &str| {
        let option = run.get_arguments().find(|arg| match word.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => arg.get_short().is_some_and(|short| word.ends_with(short)),
        });
        option.is_some_and(|option| option.get_num_args().is_some_and(|count| count.takes_values()))
    };
    let mut at = 2;
    while let Some(word) = words.get(at).filter(|_| at + 1 < words.len()) {
        let word = word.to_string_lossy();
        if word == "--" {
            return;
        }
        if !word.starts_with('-') {
            words.insert(at, "--".into());
            return;
        }
        at += if takes_value(&word) { 2 } else { 1 };
    }
}

/// Programs for the first word of a command, paths for the others.
pub(super) struct Program;

impl ValueCompleter for Program {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        self.complete_at(0, current)
    }

    fn complete_at(&self, at: usize, current: &OsStr) -> Vec<CompletionCandidate> {
        let text = current.to_string_lossy();
        if at > 0 || text.contains('/') {
            return PathCompleter::any().complete(current);
        }
        // All that there are would be thousands.
        if text.is_empty() {
            return Vec::new();
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let files = std::env::split_paths(&path).filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
        let mut names: Vec<OsString> = files
            .filter(|file| file.file_name().to_string_lossy().starts_with(&*text) && is_executable(&file.path()))
            .map(|file| file.file_name())
            .collect();
        names.sort();
        names.dedup();
        names.into_iter().map(CompletionCandidate::new).collect()
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn values(line: &str) -> Vec<String> {
        let words = split(line).words.into_iter().map(OsString::from).collect();
        let found = candidates(super::super::Cli::command(), words);
        found.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn options_are_for_who_begins_one_and_end_where_the_command_begins() {
        assert!(values("termi ").contains(&"run".to_owned()));
        assert!(!values("termi ").iter().any(|value| value.starts_with('-')));
        assert_eq!(values("termi run --wai"), ["--wait"]);
        assert_eq!(values("termi run -n x --wai"), ["--wait"]);
        assert!(values("termi run make --wai").is_empty(), "an option of make's");
        assert!(values("termi run -n x --env A=b make --wai").is_empty());
        assert_eq!(values("termi run --wait sh /bin/s").iter().filter(|value| *value == "/bin/sh").count(), 1);
        assert!(values("termi run s").contains(&"sh".to_owned()));
        assert!(values("termi __").is_empty() && values("termi shi").is_empty(), "what is hidden");
    }

    #[test]
    fn bash_replaces_what_it_takes_for_the_word() {
        let reply = |word: &str, line: &str| for_bash(super::super::Cli::command(), word, line);
        assert_eq!(reply("comp", "termi comp"), "completions\n");
        assert_eq!(reply("rea", "termi daemon --cross-session=rea"), "read\n");
        assert_eq!(reply("", "termi daemon --cross-session="), "off\nread\ngroup\nfull\n");
        assert_eq!(reply("--cross-session=rea", "termi daemon --cross-session=rea"), "--cross-session=read\n");
        assert_eq!(reply("\"rea", "termi daemon --cross-session \"rea"), "read\n");
    }
}
