//! Termi against `:terminal`, tmux and the bare PTY, side by side in one run.
//!
//! ```text
//! cargo bench --bench compare -- [quick] [only=SUBJECT,...]   measures, prints the table, writes the results
//! cargo bench --bench compare -- readme                       makes them the committed ones, and the README's
//! cargo bench --bench compare -- render                       shows the committed ones in the README anew
//! ```
//!
//! Each subject is one file: it measures and returns rows. What they stand on: `editor` (a real Neovim with a UI whose
//! redraw events are read), `pairs` (both sides in turn, ratios of neighbours), `data` (what is printed), `peers`
//! (bare PTY and tmux), and the tests' own host and client.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says why and ends")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]
#![allow(dead_code, reason = "what supports the tests is shared")]

mod data;
mod editor;
#[path = "../../tests/neovim/home.rs"]
mod home;
mod pairs;
mod peers;
mod report;
#[path = "../../tests/support/mod.rs"]
mod support;

mod agents;
mod attach;
mod bytes;
mod crowd;
mod drain;
mod echo;
mod flood;
mod json;
mod machine;
mod micro;
mod sessions;
mod start;
mod waits;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use report::{Results, Row};

/// How much is measured, and with what.
struct Plan {
    nvim: PathBuf,
    quick: bool,
}

impl Plan {
    /// Counted pairs; one before them warms up.
    fn pairs(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }
}

type Subject = (&'static str, fn(&Plan) -> Vec<Row>);

const SUBJECTS: [Subject; 13] = [
    ("drain", drain::rows),
    ("flood", flood::rows),
    ("echo", echo::rows),
    ("memory", crowd::memory_rows),
    ("idle", crowd::idle_rows),
    ("sessions", sessions::rows),
    ("attach", attach::rows),
    ("bytes", bytes::rows),
    ("json", json::rows),
    ("micro", micro::rows),
    ("start", start::rows),
    ("waits", waits::rows),
    ("agents", agents::rows),
];

fn main() -> ExitCode {
    let mut quick = false;
    let mut only = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // `cargo test --benches` must not measure anything.
            "--test" => return ExitCode::SUCCESS,
            "--bench" => {}
            "quick" => quick = true,
            "readme" => return done(keep()),
            "render" => return done(render()),
            other => match other.strip_prefix("only=") {
                Some(names) => only.extend(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned)),
                None => {
                    return done(Err(format!("{other:?} is no argument; there are: quick, only=NAME, readme, render")));
                }
            },
        }
    }
    done(measure(quick, only))
}

fn done(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn measured() -> PathBuf {
    root().join("target/bench/results.json")
}

fn measure(quick: bool, only: Vec<String>) -> Result<(), String> {
    let known = SUBJECTS.map(|(name, _)| name);
    if let Some(name) = only.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is no subject {name:?}; there are: {}", known.join(", ")));
    }
    let begun = Instant::now();
    let plan = Plan { nvim: machine::neovim(root()), quick };
    let machine = machine::describe(&plan.nvim);
    let mut rows = Vec::new();
    for (name, subject) in SUBJECTS {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            eprintln!("bench: {name}, after {} s", begun.elapsed().as_secs());
            rows.extend(rows_of(name, subject, &plan));
        }
    }
    let results = Results { machine, took_s: begun.elapsed().as_secs(), quick, only, rows };
    fs::create_dir_all(measured().parent().unwrap()).map_err(|error| error.to_string())?;
    fs::write(measured(), to_json(&results)).map_err(|error| error.to_string())?;
    println!("{}", report::table(&results));
    let failed: Vec<&str> =
        results.rows.iter().filter(|row| row.failure.is_some()).map(|row| row.subject.as_str()).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", "))) }
}

/// What one subject cannot measure costs the others nothing.
fn rows_of(name: &str, subject: fn(&Plan) -> Vec<Row>, plan: &Plan) -> Vec<Row> {
    catch_unwind(AssertUnwindSafe(|| subject(plan))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let row = Row {
            subject: name.to_owned(),
            what: name.to_owned(),
            value: None,
            unit: String::new(),
            against: None,
            target: None,
            runs: 0,
            failure: Some(said.unwrap_or_else(|| "it ended without a word".to_owned())),
        };
        vec![row]
    })
}

fn to_json(results: &Results) -> String {
    serde_json::to_string_pretty(results).unwrap() + "\n"
}

/// Makes the last results the ones that are committed and that the README shows.
fn keep() -> Result<(), String> {
    let results = load(&measured()).map_err(|error| format!("{error}: run `make bench` first"))?;
    if results.quick || !results.only.is_empty() {
        return Err("the last results are of a quick try or of some subjects only: run `make bench` first".to_owned());
    }
    if let Some(row) = results.rows.iter().find(|row| row.failure.is_some()) {
        return Err(format!("{} was not measured: mend that and run `make bench` again", row.what));
    }
    fs::write(committed(), to_json(&results)).map_err(|error| error.to_string())?;
    render()
}

fn render() -> Result<(), String> {
    let readme = root().join("README.md");
    let written = report::with_section(&read(&readme)?, &load(&committed())?)?;
    fs::write(&readme, written).map_err(|error| error.to_string())
}

fn committed() -> PathBuf {
    root().join("benches/results.json")
}

fn load(path: &Path) -> Result<Results, String> {
    serde_json::from_str(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
