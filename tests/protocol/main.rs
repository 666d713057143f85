//! The protocol as it is written: the document, the schema, the examples, and clients that nobody here wrote.
//!
//! `TERMI_BLESS=1 cargo test --test protocol` writes the schema and the generated parts of the document anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod document;
mod examples;
mod lua_types;
mod schema;

use std::path::{Path, PathBuf};

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Holds a file to what it should be, or writes it, where the one who runs the tests asks for that.
#[track_caller]
fn assert_is(path: &str, should_be: &str) {
    let file = project(path);
    if std::env::var_os("TERMI_BLESS").is_some() {
        return std::fs::write(file, should_be).unwrap();
    }
    let is = std::fs::read_to_string(&file).unwrap_or_default();
    if is != should_be {
        let line = is.lines().zip(should_be.lines()).take_while(|(is, should_be)| is == should_be).count();
        panic!(
            "{path} has drifted from the Rust types, first in line {}:\n  is        {:?}\n  should be {:?}\n\
             write it anew: TERMI_BLESS=1 cargo test --test protocol",
            line + 1,
            is.lines().nth(line).unwrap_or_default(),
            should_be.lines().nth(line).unwrap_or_default(),
        );
    }
}
