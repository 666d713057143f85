//! The terminal's size: the program, the kernel and every view have the same.

use serde_json::json;

use crate::support::{Host, eventually};

const REPORTER: &str = "trap 'echo size $(stty size)' WINCH; echo ready; while :; do sleep 0.02; done";

#[test]
fn a_resize_reaches_the_program_with_its_signal() {
    let host = Host::start();
    let run = host.run_seen(REPORTER);
    host.wait_pattern(&run, "ready");
    for (rows, cols) in [(30, 100), (5, 20), (50, 200)] {
        host.notify("resize", json!({"run_id": run.run_id, "rows": rows, "cols": cols}));
        host.wait_pattern(&run, &format!("^size {rows} {cols}$"));
        host.wait_for("a frame of that size", |state| {
            let last = &state.views[&run.run_id].last;
            (last["rows"] == rows && last["cols"] == cols).then_some(())
        });
    }
}

#[test]
fn sizes_no_terminal_can_have_are_brought_to_one_that_it_can() {
    let host = Host::start();
    let run = host.run_line("while read x; do stty size; done");
    for (rows, cols, shown) in [
        (0, 0, "1 2"),
        (1, 1, "1 2"),
        (65_535, 65_535, "500 1000"),
        (4_000_000_000_u64, 80, "500 80"),
        (24, 80, "24 80"),
    ] {
        host.notify("resize", json!({"run_id": run.run_id, "rows": rows, "cols": cols}));
        eventually("the terminal's size", || {
            let size = host.ask("snapshot", json!({"run_id": run.run_id}))["size"].clone();
            format!("{} {}", size["rows"], size["cols"]) == shown
        });
    }
    host.input(&run.run_id, "\r");
    host.wait_pattern(&run, "^24 80$");
    for size in [json!({"rows": 0, "cols": 0}), json!({"rows": 65_535, "cols": 65_535})] {
        let params = json!({"cmd": "stty size", "size": size});
        let run = host.run(params);
        host.wait_exited(&run.run_id);
        let clamped = host.ask("snapshot", json!({"run_id": run.run_id}))["size"].clone();
        assert!(clamped["rows"].as_u64().unwrap() >= 1 && clamped["rows"].as_u64().unwrap() <= 500, "{clamped}");
    }
    let memory = crate::support::proc::resident_bytes(host.pid());
    assert!(memory < 300 << 20, "{memory} bytes");
}

#[test]
fn of_a_thousand_sizes_the_last_one_stands_in_the_program_and_on_screen() {
    let host = Host::start();
    let run = host.run_seen(REPORTER);
    host.wait_pattern(&run, "ready");
    for n in 0..1000 {
        host.notify("resize", json!({"run_id": run.run_id, "rows": 10 + n % 40, "cols": 20 + n % 90}));
    }
    host.notify("resize", json!({"run_id": run.run_id, "rows": 33, "cols": 111}));
    host.wait_pattern(&run, "^size 33 111$");
    host.wait_for("the view has the last size", |state| {
        let last = &state.views[&run.run_id].last;
        (last["rows"] == 33 && last["cols"] == 111).then_some(())
    });
    host.wait_screen(&run.run_id, "and the program's last word", |screen| {
        screen.iter().any(|row| row == "size 33 111")
    });
    let text = host.text(&run);
    let last = text.iter().rfind(|line| line.starts_with("size"));
    assert_eq!(last.unwrap(), "size 33 111");
}

#[test]
fn a_run_that_has_ended_takes_a_size_for_its_view() {
    let host = Host::start();
    let run = host.run_seen("echo some words that wrap");
    host.wait_exited(&run.run_id);
    host.notify("resize", json!({"run_id": run.run_id, "rows": 10, "cols": 10}));
    host.wait_for("the text in ten columns", |state| {
        let view = &state.views[&run.run_id];
        let widest = view.screen().iter().map(String::len).max()?;
        (view.last["cols"] == 10 && widest == 10 && view.text().concat() == "some words that wrap").then_some(())
    });
}
