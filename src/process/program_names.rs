//! The names of the program in a terminal's foreground: what a person would say is running there.

use std::{ffi::OsStr, fs, io::Read, os::unix::ffi::OsStrExt, path::Path};

/// How many processes are looked at below a shell that runs a command line, and how deep.
const CHILDREN_MAX: usize = 8;
const DEPTH_MAX: usize = 3;
/// How much of a command line is read, in words.
const WORDS_MAX: usize = 8;
/// The same in bytes.
const LINE_MAX: u64 = 4096;

/// Names by which the program of a process group may be known, and which of its processes are interpreters: of these
/// [`script_names`] has the names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProgramNames {
    /// What the kernel calls its processes.
    pub names: Vec<String>,
    /// Processes that run a script.
    pub interpreters: Vec<i32>,
}

/// The names of a process group's leader and, where that is a shell, of what it runs. It waits for nothing: the kernel
/// has them without looking into a process's memory.
#[must_use]
pub fn program_names(group: i32) -> ProgramNames {
    let mut found = ProgramNames::default();
    collect(group, DEPTH_MAX, &mut found);
    found
}

fn collect(pid: i32, depth: usize, found: &mut ProgramNames) {
    let Ok(name) = fs::read(format!("/proc/{pid}/comm")) else { return };
    let name = String::from_utf8_lossy(name.trim_ascii_end()).into_owned();
    if is_shell(&name) && depth > 0 {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_ascii_whitespace().take(CHILDREN_MAX).filter_map(|child| child.parse().ok()) {
            collect(child, depth - 1, found);
        }
    } else if is_interpreter(&name) {
        found.interpreters.push(pid);
    }
    found.names.push(name);
}

/// The names of the programs that are scripts: of `node …/bin/gemini.js` it is `gemini`.
///
/// Command lines are in the memory of processes, and one that waits for a disk can hold up who reads it: not to be
/// called on a task that others wait for.
#[must_use]
pub fn script_names(interpreters: &[i32]) -> Vec<String> {
    let name = |pid: &i32| {
        let mut line = Vec::new();
        // A process can make its command line as long as its memory.
        fs::File::open(format!("/proc/{pid}/cmdline")).ok()?.take(LINE_MAX).read_to_end(&mut line).ok()?;
        let mut words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).take(WORDS_MAX).skip(1);
        let script = words.find(|word| !word.starts_with(b"-"))?;
        let name = Path::new(OsStr::from_bytes(script)).file_name()?.to_str()?;
        Some(name.split('.').next().unwrap_or_default().to_owned())
    };
    interpreters.iter().take(CHILDREN_MAX).filter_map(name).collect()
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "dash" | "zsh" | "fish" | "ksh" | "env")
}

fn is_interpreter(name: &str) -> bool {
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    // What Node calls its first thread.
    matches!(
        name,
        "node" | "nodejs" | "node-MainThread" | "MainThread" | "bun" | "deno" | "python" | "ruby" | "uv" | "npx"
    )
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

    fn names(mut child: Child) -> (Vec<String>, Vec<String>) {
        let found = program_names(child.id().cast_signed());
        let scripts = script_names(&found.interpreters);
        drop(child.stdin.take());
        child.wait().unwrap();
        (found.names, scripts)
    }

    #[test]
    fn a_script_goes_by_its_own_name_and_a_shells_command_by_the_commands() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("some-agent.py");
        fs::write(&script, "import sys; print('up', flush=True); sys.stdin.read()").unwrap();
        let (names_of, scripts) = names(started(Command::new("python3").arg("-u").arg(&script)));
        assert!(names_of[0].starts_with("python3") && scripts == ["some-agent"], "{names_of:?} {scripts:?}");
        let line = format!("true && python3 {}; true", script.display());
        let (names_of, scripts) = names(started(Command::new("sh").args(["-c", &line])));
        assert!(names_of.contains(&"sh".to_owned()) && scripts == ["some-agent"], "{names_of:?} {scripts:?}");
        assert_eq!(program_names(i32::MAX), ProgramNames::default());
    }
}
