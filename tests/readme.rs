//! The README's performance section is what was measured, not what somebody wrote.
#![allow(dead_code, unused_imports, reason = "what makes the results is the benchmarks' business")]

#[path = "../benches/compare/report/mod.rs"]
mod report;

#[test]
fn the_performance_section_is_made_from_the_committed_results() {
    let results = include_str!("../benches/results.json");
    let results: report::Results = serde_json::from_str(results).expect("benches/results.json holds results");
    let readme = include_str!("../README.md");
    let made = report::with_section(readme, &results).expect("the section's place");
    // A whole README would be too much to compare by eye.
    let differs = readme.lines().zip(made.lines()).find(|(is, should_be)| is != should_be);
    assert_eq!(differs, None, "the first line that differs; `make bench-readme` makes the section anew");
    assert_eq!(readme.len(), made.len(), "`make bench-readme` makes the section anew");
}
