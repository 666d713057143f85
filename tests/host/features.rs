//! The README's table of features: each row names tests, and those tests are there.

use std::{fs, path::Path};

/// `tests/host/limits.rs` and a function's name, as the table writes it: `limits::name`.
fn tests_named(row: &str) -> Vec<(String, String)> {
    let codes = row.split('`').skip(1).step_by(2);
    codes
        .filter_map(|code| {
            let (file, name) = code.rsplit_once("::")?;
            Some((file.to_owned(), name.to_owned()))
        })
        .collect()
}

fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = |line: &str| line.starts_with(&format!("fn {name}(")) || line.starts_with(&format!("async fn {name}("));
    // In Neovims each test is a body that a macro makes one of.
    if lines.iter().any(|line| line.starts_with("in_each_neovim! {")) {
        return lines.iter().any(|line| line.starts_with(&format!("fn {name}(editor")));
    }
    lines.iter().enumerate().any(|(number, line)| {
        at(line)
            && lines[..number]
                .iter()
                .rev()
                .take(3)
                .any(|before| before.starts_with("#[test]") || before.starts_with("#[tokio::test"))
    })
}

#[test]
fn each_feature_in_the_readme_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let table: Vec<&str> = readme
        .lines()
        .skip_while(|line| !line.starts_with("| feature |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(table.len() > 30, "the table of features: {} rows", table.len());
    for row in table {
        let named = tests_named(row.rsplit('|').nth(1).unwrap());
        assert!(!named.is_empty(), "no test is named: {row}");
        for (file, name) in named {
            let path = match file.split_once('/') {
                Some(_) => root.join(&file),
                None => root.join(format!("tests/host/{file}.rs")),
            };
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{row}", path.display()));
            assert!(is_test(&text, &name), "{} has no test {name}\n{row}", path.display());
        }
    }
}
