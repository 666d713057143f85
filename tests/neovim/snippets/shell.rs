//! The command line of the documents: each line is executed in a shell, and prints what the document prints below it.

use super::{PROGRAMS, snippet};
use crate::{
    home::{Home, eventually},
    tmux::{Key, Tmux},
};

/// That a subcommand is there and knows these options.
pub fn exists(document: &str, words: &[&str]) {
    let home = Home::new();
    let help = home.command(env!("CARGO_BIN_EXE_termi")).args(["help", words[0]]).output().unwrap();
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success(), "{document}: `termi {}`: there is no `{}`", words.join(" "), words[0]);
    for option in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
        let option = option.split('=').next().unwrap();
        assert!(text.contains(option), "{document}: `termi {}` has no {option}:\n{text}", words.join(" "));
    }
}

/// Whether two words say the same, but for what is new each time: ids, process ids, ages.
fn is_like(is: &str, printed: &str) -> bool {
    let id = |word: &str| word.len() == 8 && word.chars().all(|letter| letter.is_ascii_hexdigit());
    let run = |word: &str| word.split_once(':').filter(|(_, its)| id(its)).map(|(name, _)| name.to_owned());
    let pid = |word: &str| word.len() > 2 && word.chars().all(|letter| letter.is_ascii_digit());
    let age = |word: &str| word.strip_suffix('s').is_some_and(|rest| rest.parse::<f32>().is_ok());
    is == printed
        || (id(is) && id(printed))
        || (pid(is) && pid(printed))
        || (age(is) && age(printed))
        || run(is).is_some_and(|name| run(printed) == Some(name))
}

#[test]
fn the_session_of_the_readme_prints_what_it_says() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::new();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_termi"), bin.join("termi")).unwrap();
    for (name, script) in PROGRAMS {
        let program = home.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let shell = |line: &str| {
        let output =
            home.command("bash").env("PATH", &path).args(["-c", &format!("{{ {line}\n}} 2>&1")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };

    let session = snippet("README.md", "$ termi run --name web", "").text;
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in session.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push((command, Vec::new())),
            None => steps.last_mut().expect("a command comes first").1.push(line),
        }
    }
    for (command, printed) in &steps {
        let is = if command.starts_with("termi attach") {
            // What the snippet's comment says: Ctrl-\ detaches.
            let file = home.write("work/attach.sh", format!("export PATH={path}\n{command}\necho; read wait\n"));
            let tmux = Tmux::start(&home, 100, 20, &format!("bash {}", file.display()));
            tmux.sees("ready in 5 ms");
            tmux.press(&[Key::Control('\\')]);
            let shown = tmux.eventually("it has detached", |lines| lines.iter().any(|line| line.contains("detached")));
            tmux.press(&[Key::Enter]);
            shown.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
        } else {
            shell(command)
        };
        let lines: Vec<Vec<&str>> = is.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected: Vec<Vec<&str>> = printed.iter().map(|line| line.split_whitespace().collect()).collect();
        let same = lines.len() == expected.len()
            && lines.iter().zip(&expected).all(|(is, printed)| {
                is.len() == printed.len() && is.iter().zip(printed).all(|(is, printed)| is_like(is, printed))
            });
        assert!(same, "$ {command}\nprints\n{is}\nand not\n{}", printed.join("\n"));
    }
    assert!(steps.len() > 6, "{}", steps.len());

    shell("termi kill all; termi daemon --stop");
    eventually("nothing is left", || home.processes().is_empty());
}
