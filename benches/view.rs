//! What a frame costs on a screen of 48 by 160: in time by criterion, in bytes as a line before each.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use termi::{
    protocol::{Format, FrameBody, Size},
    term::Terminal,
    view::View,
};

const SIZE: Size = Size { rows: 48, cols: 160 };

/// A screen of coloured lines, as a build prints them, and a view that shows it.
fn shown(format: Format) -> (Terminal, View) {
    let mut terminal = Terminal::new(SIZE, 1 << 20);
    for n in 0..200 {
        terminal.feed(log_line(n).as_bytes());
    }
    let mut view = View::new(format, &terminal);
    while view.next_frame(&terminal).is_some_and(|frame| !frame.is_current) {}
    (terminal, view)
}

fn log_line(n: usize) -> String {
    format!(
        "\x1b[32m2026-01-01 12:00:{:02}\x1b[m \x1b[1;33mWARN\x1b[m worker-{n}: request {} took \x1b[36m{} ms\x1b[m, which is longer than others\r\n",
        n % 60,
        n * 31,
        n * 7 % 1000
    )
}

/// Makes a frame after each change, and times nothing but the frame.
fn measure(
    criterion: &mut Criterion,
    name: &str,
    format: Format,
    mut change: impl FnMut(&mut Terminal, &mut View, usize),
) {
    let (mut terminal, mut view) = shown(format);
    let mut n = 0;
    let mut bytes = 0;
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                n += 1;
                change(&mut terminal, &mut view, n);
                let begun = Instant::now();
                let frame = view.next_frame(&terminal);
                taken += begun.elapsed();
                bytes = match frame.expect("something has changed").body {
                    FrameBody::Ansi { data } => data.len(),
                    FrameBody::Spans(update) => update.lines.iter().map(|row| row.line.text.len()).sum(),
                };
            }
            taken
        });
    });
    println!("{name:<40} {bytes} bytes");
}

fn frames(criterion: &mut Criterion) {
    use Format::{Ansi, Spans};
    measure(criterion, "frame: nothing changed but the cursor", Ansi, |terminal, _, n| {
        terminal.feed(if n % 2 == 0 { b"\x1b[5;5H" } else { b"\x1b[6;6H" });
    });
    let one_cell = |terminal: &mut Terminal, _: &mut View, n: usize| {
        terminal.feed(format!("\x1b[24;80H{}", char::from(b'a' + (n % 26) as u8)).as_bytes());
    };
    measure(criterion, "frame: one cell", Ansi, one_cell);
    measure(criterion, "frame: one cell, as spans", Spans, one_cell);
    let one_line = |terminal: &mut Terminal, _: &mut View, n: usize| terminal.feed(log_line(n).as_bytes());
    measure(criterion, "frame: one line scrolled", Ansi, one_line);
    measure(criterion, "frame: one line scrolled, as spans", Spans, one_line);
    measure(criterion, "frame: a part scrolled down by 1 row", Ansi, |terminal, _, n| {
        terminal.feed(b"\x1b[2;47r\x1b[2H\x1bM\x1b[r\x1b[2H");
        terminal.feed(log_line(n).trim_end().as_bytes());
    });
    measure(criterion, "frame: 40 lines scrolled", Ansi, |terminal, _, n| {
        (0..40).for_each(|k| terminal.feed(log_line(n * 40 + k).as_bytes()));
    });
    measure(criterion, "frame: every row of a full screen", Ansi, |terminal, _, n| {
        terminal.feed(b"\x1b[?1049h\x1b[H");
        (0..47).for_each(|k| terminal.feed(log_line(n * 48 + k * k).as_bytes()));
    });
    measure(criterion, "frame: the whole view anew", Ansi, |terminal, view, _| view.start_over(terminal));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).without_plots();
    targets = frames
}
criterion_main!(benches);
