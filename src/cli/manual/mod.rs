//! `termi man`: the manual's pages. Names, options and descriptions are the command line's own definitions, what follows
//! them is in [`pages`].

mod pages;

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::{Args, Command};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{client, print, print_error};
use pages::{FILES, PAGES, Page, SET, VARIABLES, Variable};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The page of this subcommand; default: the one of termi
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Write all pages into this directory instead, as ~/.local/share/man/man1
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// `termi man`.
pub(super) fn man(args: ManArgs, command: Command) -> ExitCode {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let outcome = match (args.dir, args.command) {
        (Some(dir), _) => {
            let written = fs::create_dir_all(&dir)
                .and_then(|()| all(&command).try_for_each(|page| fs::write(dir.join(file_name(page)), render(page)?)));
            written.map_err(|error| format!("{}: {error}", dir.display()))
        }
        (None, name) => one(&command, name.as_deref().unwrap_or_default()).and_then(|page| {
            let text = render(page).map_err(|error| error.to_string())?;
            print(&text)
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print_error(&why);
            client::FAILED.into()
        }
    }
}

/// The commands that have a page.
fn all(command: &Command) -> impl Iterator<Item = &Command> {
    std::iter::once(command).chain(command.get_subcommands().filter(|command| !command.is_hide_set()))
}

fn one<'a>(command: &'a Command, name: &str) -> Result<&'a Command, String> {
    let is_it = |page: &&Command| if name.is_empty() { page.get_name() == "termi" } else { page.get_name() == name };
    all(command).find(is_it).ok_or_else(|| {
        let names: Vec<_> = all(command).skip(1).map(Command::get_name).collect();
        format!("there is no subcommand {name:?}; there are {}", names.join(", "))
    })
}

fn file_name(command: &Command) -> String {
    format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()))
}

fn render(command: &Command) -> io::Result<Vec<u8>> {
    let version = format!("termi {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(version).manual("Termi");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut end = Roff::new();
    if let Some(notes) = command.get_after_help() {
        end.control("SH", ["NOTES"]);
        // Where lines are broken, as in a list, they stay so.
        for line in notes.to_string().lines() {
            end.text([roman(line.trim_start())]).control("br", []);
        }
    }
    let name = Some(command.get_name()).filter(|name| *name != "termi").unwrap_or_default();
    if let Some(page) = PAGES.iter().find(|page| page.name == name) {
        sections(&mut end, page);
    }
    end.control("SH", ["SEE ALSO"]);
    end.text([
        roman(if name.is_empty() { "The page of each subcommand, as " } else { "" }),
        bold(match name {
            "" => "termi-run",
            _ => "termi",
        }),
        roman("(1)"),
    ]);
    end.to_writer(&mut text)?;
    Ok(text)
}

/// What a page has beside its options.
fn sections(end: &mut Roff, page: &Page) {
    section(end, "EXIT STATUS", page.exit.iter().copied());
    let is_about = |name: &str, wanted: &[&str]| wanted.iter().any(|start| name.starts_with(start));
    let variable = |variable: &Variable| (variable.name, variable.what);
    if page.name.is_empty() {
        section(end, "ENVIRONMENT", VARIABLES.iter().map(variable));
        end.control("PP", []).text([roman("Each program gets:")]);
        list(end, SET.iter().map(variable));
    } else {
        let own = VARIABLES.iter().filter(|variable| is_about(variable.name, page.variables));
        section(end, "ENVIRONMENT", own.map(variable));
    }
    section(end, "FILES", FILES.iter().copied().filter(|(path, _)| is_about(path, page.files)));
    section(end, "EXAMPLES", page.examples.iter().copied());
}

fn section<'a>(end: &mut Roff, title: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut entries = entries.peekable();
    if entries.peek().is_some() {
        end.control("SH", [title]);
        list(end, entries);
    }
}

fn list<'a>(end: &mut Roff, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, what) in entries {
        end.control("TP", []).text([bold(name)]).text([roman(what)]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory, Parser};
    use regex::Regex;

    use super::{
        super::{Cli, completion},
        *,
    };

    fn command() -> Command {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        command
    }

    #[test]
    fn each_subcommand_has_a_page_with_its_sections_and_nothing_else_has_one() {
        let command = command();
        let pages: Vec<&str> = all(&command).map(|page| page.get_name()).collect();
        let written: Vec<&str> =
            PAGES.iter().map(|page| if page.name.is_empty() { "termi" } else { page.name }).collect();
        assert_eq!(pages.iter().collect::<BTreeSet<_>>(), written.iter().collect::<BTreeSet<_>>());
        for page in all(&command) {
            let text = String::from_utf8(render(page).unwrap()).unwrap();
            for title in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
                let title = title.replace(' ', "\\ ");
                let titles = [format!(".SH {title}\n"), format!(".SH \"{}\"\n", title.replace("\\ ", " "))];
                assert!(titles.iter().any(|title| text.contains(title)), "{title} of {}:\n{text}", page.get_name());
            }
        }
    }

    #[test]
    fn each_example_is_a_command_of_its_page() {
        for page in PAGES {
            for (example, _) in page.examples {
                // The one command of termi's in it, as in `eval "$(termi …)"`.
                let line = &example[example.find("termi").unwrap()..];
                let line = line.trim_end_matches("\"").trim_end_matches(')').split(" | ").next().unwrap();
                let words = completion::split(line).words;
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
                assert!(page.name.is_empty() || words[1] == page.name, "{example} of {}", page.name);
            }
        }
    }

    /// The source, without the modules of tests at the end of files.
    fn source() -> Vec<String> {
        let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut texts = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.extension().is_some_and(|kind| kind == "rs") {
                    let text = fs::read_to_string(entry).unwrap();
                    texts.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
                }
            }
        }
        texts
    }

    #[test]
    fn the_variables_are_those_that_the_code_reads_and_those_that_it_sets() {
        let reads = Regex::new(r#"(?:\bvar(?:_os)?|\babsolute)\(\s*"([A-Z_]+)"|const \w*VARIABLE: &str = "([A-Z_]+)""#)
            .unwrap();
        let mut read = BTreeSet::new();
        for text in source() {
            let names =
                reads.captures_iter(&text).map(|found| found.get(1).or(found.get(2)).unwrap().as_str().to_owned());
            // What only tests are told by.
            read.extend(
                names.filter(|name| !["TERMI_TEST_", "TERMI_UPDATE_"].iter().any(|start| name.starts_with(start))),
            );
            if text.contains("temp_dir()") {
                read.insert("TMPDIR".to_owned());
            }
        }
        let told: BTreeSet<String> = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect();
        assert_eq!(told, read);
        let code = source().concat();
        for variable in SET {
            assert!(code.contains(&format!("\"{}\"", variable.name)), "{}", variable.name);
        }
    }

    #[test]
    fn the_files_are_those_that_the_code_names() {
        let code = source().concat();
        for (path, _) in FILES {
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap().trim_start_matches('*');
            assert!(code.contains(name), "{name}");
        }
    }

    #[test]
    fn what_a_page_is_about_is_there() {
        for page in PAGES {
            for start in page.files {
                assert!(FILES.iter().any(|(path, _)| path.starts_with(start)), "{start} of {}", page.name);
            }
            for start in page.variables.iter().filter(|_| !page.name.is_empty()) {
                assert!(VARIABLES.iter().any(|variable| variable.name.starts_with(start)), "{start} of {}", page.name);
            }
        }
    }
}
