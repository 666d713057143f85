//! A test that cannot be done on this machine. The harness knows no such result: such a test says why, and passes.

use std::{env, fs::OpenOptions, io::Write as _, thread};

/// Says that the current test is skipped, and why: past the harness, which shows no output of tests that pass, and in
/// the file that `$TERMI_TEST_SKIPPED` names, which `make test` reports. Where CI is set nothing may be skipped.
pub fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("skipped: {test}: {}\n", why.trim().replace('\n', "; "));
    assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty() || ci == "false"), "in CI no test may be {line}");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("TERMI_TEST_SKIPPED") {
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list of skipped tests can be written");
    }
}
