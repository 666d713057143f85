//! The snippets of the documents, as printed.

use crate::driver::repository;

/// What can be pasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    pub document: &'static str,
    pub language: String,
    pub text: String,
}

impl Snippet {
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The lines that are commands: of a block of Vim script, without its comments.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('"'))
    }
}

pub fn read(document: &str) -> String {
    std::fs::read_to_string(repository().join(document)).unwrap()
}

/// Every block of code of every document.
pub fn all() -> Vec<Snippet> {
    let mut found = fenced("README.md", &read("README.md"));
    found.extend(indented("doc/termi.txt", &read("doc/termi.txt")));
    found.extend(fenced("doc/protocol.md", &written_by_hand(&read("doc/protocol.md"))));
    found
}

/// The parts of the protocol's document that are not generated: what is, tests/protocol replays.
fn written_by_hand(text: &str) -> String {
    let mut kept = String::new();
    let mut generated = false;
    for line in text.lines() {
        generated = (generated || line.ends_with(": generated -->")) && line != "<!-- end -->";
        if !generated {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// Of Markdown.
fn fenced(document: &'static str, text: &str) -> Vec<Snippet> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            found.push(Snippet { document, language: language.to_owned(), text: body.join("\n") });
        }
    }
    found
}

/// Of Vim's help: from a line that ends in `>vim` to one that begins at the margin, which may be `<`.
fn indented(document: &'static str, text: &str) -> Vec<Snippet> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, language)) = line.rsplit_once('>').filter(|(before, language)| {
            (before.is_empty() || before.ends_with(' '))
                && (language.is_empty() || language.chars().all(|letter| letter.is_ascii_lowercase()))
        }) else {
            continue;
        };
        let mut body = Vec::new();
        while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with([' ', '\t'])) {
            body.push(line.strip_prefix("    ").unwrap_or(line));
        }
        let text = body.join("\n").trim_matches('\n').to_owned();
        if !text.is_empty() {
            found.push(Snippet { document, language: language.to_owned(), text });
        }
    }
    found
}

/// What stands between backquotes within a document's lines, outside of its blocks of code.
pub fn spans(document: &str) -> Vec<String> {
    let text = read(document);
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.split("\n\n").flat_map(|paragraph| {
        // A span may be broken over lines; tables and blocks are lines of their own.
        if paragraph.contains("```") || paragraph.starts_with('|') {
            paragraph.lines().map(str::to_owned).collect::<Vec<_>>()
        } else {
            vec![paragraph.split_whitespace().collect::<Vec<_>>().join(" ")]
        }
    }) {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}
