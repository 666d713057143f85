//! What shells and readers of manuals get from the command line's own definitions.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Command, ValueEnum};

use super::complain;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// termi completions bash > ~/.local/share/bash-completion/completions/termi
    Bash,
    /// termi completions zsh > "${fpath[1]}/_termi"
    Zsh,
    /// termi completions fish > ~/.config/fish/completions/termi.fish
    Fish,
}

impl From<Shell> for clap_complete::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The page of this subcommand; default: the one of termi
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Writes all pages into this folder instead, as ~/.local/share/man/man1
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// `termi completions`.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(clap_complete::Shell::from(args.shell), &mut command, "termi", &mut text);
    print(&text)
}

/// `termi man`.
pub(super) fn man(args: ManArgs, mut command: Command) -> ExitCode {
    command.build();
    if let Some(dir) = args.dir {
        return match std::fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(command, &dir)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("{}: {error}", dir.display())),
        };
    }
    let page = match args.command {
        None => command,
        Some(name) => match command.find_subcommand(&name) {
            Some(found) => found.clone(),
            None => {
                let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
                return fail(&format!("there is no subcommand {name:?}; there are {}", names.join(", ")));
            }
        },
    };
    let mut text = Vec::new();
    match clap_mangen::Man::new(page).render(&mut text) {
        Ok(()) => print(&text),
        Err(error) => fail(&error.to_string()),
    }
}

fn print(text: &[u8]) -> ExitCode {
    match std::io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&format!("standard output: {error}")),
        _ => ExitCode::SUCCESS,
    }
}

fn fail(message: &str) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}
