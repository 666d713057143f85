//! The table, for a terminal and for the README.

use std::fmt::Write;

use super::{Results, Row, Target};

const README_BEGIN: &str = "<!-- Made by `make bench-readme` from benches/results.json: do not edit by hand. -->\n";
const README_END: &str = "<!-- The end of what `make bench-readme` makes. -->\n";

const HEAD: [&str; 6] = ["what", "Termi", "against", "ratio (least to most)", "target", "met"];

/// The rows in columns, for a terminal.
pub fn table(results: &Results) -> String {
    let rows: Vec<[String; 6]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(results.rows.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = format!("{}\n\n", place(results));
    for row in &rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(text, "{}", line.join("  ").trim_end()).expect("a string takes all");
    }
    for row in &results.rows {
        if let Some(failure) = &row.failure {
            writeln!(text, "\n{}: not measured: {failure}", row.what).expect("a string takes all");
        }
    }
    text
}

/// The README's section, without its markers.
fn markdown(results: &Results) -> String {
    if results.rows.is_empty() {
        return "No figures are kept here yet: `make bench` prints them, and `make bench-readme` puts them here.\n"
            .to_owned();
    }
    let mut text = format!("{}\n\n", place(results));
    let mut line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes all");
    };
    line(&HEAD.map(str::to_owned));
    line(&HEAD.map(|_| "---".to_owned()));
    for row in &results.rows {
        line(&cells(row));
    }
    text
}

/// The README with the section put between its markers.
///
/// # Errors
/// When a marker is missing.
pub fn with_section(readme: &str, results: &Results) -> Result<String, String> {
    let missing = |marker: &str| format!("README.md has no line {marker:?}");
    let (before, rest) = readme.split_once(README_BEGIN).ok_or_else(|| missing(README_BEGIN))?;
    let (_, after) = rest.split_once(README_END).ok_or_else(|| missing(README_END))?;
    Ok(format!("{before}{README_BEGIN}{}{README_END}{after}", markdown(results)))
}

fn place(results: &Results) -> String {
    let machine = &results.machine;
    let cores = if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
    let minutes = results.took_s.div_ceil(60);
    let mut text = format!(
        "Measured on {} on {cores} of {}, Linux {}, Neovim {}, tmux {}, in {minutes} min.",
        machine.date, machine.processor, machine.kernel, machine.neovim, machine.tmux
    );
    if results.quick {
        text += " A quick try: the figures mean little.";
    }
    if !results.only.is_empty() {
        write!(text, " Only: {}.", results.only.join(", ")).expect("a string takes all");
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    let value = row.value.map_or_else(|| "-".to_owned(), |value| figure(value, &row.unit));
    let (against, ratio) = match &row.against {
        Some(against) => (
            format!("{}: {}", against.name, figure(against.value, &row.unit)),
            format!("{} ({} to {})", short(against.ratio), short(against.least), short(against.most)),
        ),
        None => (String::new(), String::new()),
    };
    let target = match row.target {
        Some(Target::RatioAtLeast(least)) => format!("at least {least} times"),
        Some(Target::RatioAtMost(most)) => format!("at most {most} times"),
        Some(Target::ValueBelow(most)) => format!("under {}", figure(most, &row.unit)),
        None => String::new(),
    };
    let met = match row.is_met() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    [row.what.clone(), value, against, ratio, target, met.to_owned()]
}

fn figure(value: f64, unit: &str) -> String {
    format!("{} {unit}", short(value))
}

/// Three digits that count, and no more than that after the point.
fn short(value: f64) -> String {
    let size = value.abs();
    let digits = if size >= 100.0 || size == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
