//! The tables of features and of faults: each row names tests, those tests are there, and tests cite rows that are there.

use std::{collections::BTreeSet, fs, path::Path};

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

/// The rows of the table with this head, after whether each names tests that there are.
fn rows<'a>(page: &'a str, head: &str) -> Vec<&'a str> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with(head))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(table.len() > 30, "the table {head}: {} rows", table.len());
    for row in &table {
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
    table
}

#[test]
fn each_feature_names_tests_that_there_are() {
    rows(include_str!("../../doc/features.md"), "| feature |");
}

#[test]
fn each_fault_names_tests_that_there_are_and_each_test_a_fault_that_is_in_the_table() {
    let table = rows(include_str!("../../doc/faults.md"), "| # |");
    let numbers: BTreeSet<u32> =
        table.iter().map(|row| row.split('|').nth(1).unwrap().trim().parse().expect("a number")).collect();
    assert_eq!(numbers.len(), table.len(), "no number twice");
    let cited = regex::Regex::new(r"faults\.md,? rows? (\d+)(?: and (\d+))?").unwrap();
    let mut found = 0;
    for suite in ["host", "daemon", "cli", "editors", "neovim"] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(suite)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for row in cited.captures_iter(&text).flat_map(|row| [row.get(1), row.get(2)]).flatten() {
                found += 1;
                let number: u32 = row.as_str().parse().unwrap();
                assert!(numbers.contains(&number), "{} cites row {number}", path.display());
            }
        }
    }
    assert!(found > 15, "the citations are read: {found}");
}
