//! The names of the program in a terminal's foreground: what a person would say is running there.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

/// How many processes are looked at below a shell that runs a command line, and how deep.
const CHILDREN_MAX: usize = 8;
const DEPTH_MAX: usize = 3;
/// How much of a command line is read, in words.
const WORDS_MAX: usize = 8;

/// Names by which the program of a process group may be known: its own, its command's, and that of the script which an
/// interpreter runs. Of a shell that is not at its prompt also those of what it runs.
///
/// Reads of processes, which one that waits for a disk can hold up: not to be called on a task that others wait for.
#[must_use]
pub fn program_names(group: i32) -> Vec<String> {
    let mut names = Vec::new();
    collect(group, DEPTH_MAX, &mut names);
    names
}

fn collect(pid: i32, depth: usize, names: &mut Vec<String>) {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return };
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
    let Some(program) = words.first().and_then(|word| base_name(word)) else { return };
    let comm = fs::read(format!("/proc/{pid}/comm")).ok();
    let comm = comm.and_then(|comm| base_name(comm.trim_ascii_end()));
    let is_shell = matches!(program.trim_start_matches('-'), "sh" | "bash" | "dash" | "zsh" | "fish" | "ksh" | "env");
    let script = words[1..].iter().find(|word| !word.starts_with(b"-")).and_then(|word| base_name(word));
    names.extend([Some(program), comm].into_iter().flatten());
    if is_shell {
        if depth > 0 {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().take(CHILDREN_MAX).filter_map(|child| child.parse().ok()) {
                collect(child, depth - 1, names);
            }
        }
    } else if names.iter().any(|name| is_interpreter(name)) {
        // A package's entry is `…/gemini.js` or `…/gemini`.
        names.extend(script.map(|name| name.split('.').next().unwrap_or_default().to_owned()));
    }
}

fn is_interpreter(name: &str) -> bool {
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    matches!(name, "node" | "nodejs" | "bun" | "deno" | "python" | "ruby" | "uv" | "npx" | "MainThread")
}

fn base_name(word: &[u8]) -> Option<String> {
    let name = Path::new(OsStr::from_bytes(word)).file_name()?.to_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// Starts it and waits for its first line.
    fn started(command: &mut Command) -> Child {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        child
    }

    fn names(mut child: Child) -> Vec<String> {
        let names = program_names(child.id().cast_signed());
        drop(child.stdin.take());
        child.wait().unwrap();
        names
    }

    #[test]
    fn a_script_goes_by_its_own_name_and_a_shells_command_by_the_commands() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("some-agent");
        fs::write(&script, "print('up', flush=True); input()").unwrap();
        let found = names(started(Command::new("python3").arg("-u").arg(&script)));
        assert!(found.contains(&"some-agent".to_owned()) && found.contains(&"python3".to_owned()), "{found:?}");
        let line = format!("true && python3 {}; true", script.display());
        let found = names(started(Command::new("sh").args(["-c", &line])));
        assert!(found[0] == "sh" && found.contains(&"some-agent".to_owned()), "{found:?}");
        assert_eq!(program_names(i32::MAX), Vec::<String>::new());
    }
}
