//! How much output a terminal takes in a second: the emulator alone, and with guard, screen and transcript.
//!
//! `cargo bench --bench terminal`; `-- --test` runs each once and measures nothing.

#![allow(missing_docs, reason = "criterion's macros document nothing")]

use std::hint::black_box;

use alacritty_terminal::{
    event::VoidListener,
    grid::Dimensions,
    term::{Config, Term},
    vte::ansi::Processor,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use termi::{
    protocol::Size,
    term::{Terminal, Transcript},
};

const SIZE: Size = Size { rows: 48, cols: 160 };

/// What is read from a PTY at a time.
const READ: usize = 4096;

/// What comes between two looks in a flood of 30 MB a second.
const SEEN: usize = 512 << 10;

struct Cells;

impl Dimensions for Cells {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }
    fn screen_lines(&self) -> usize {
        usize::from(SIZE.rows)
    }
    fn columns(&self) -> usize {
        usize::from(SIZE.cols)
    }
}

/// Lines of a log.
fn plain() -> Vec<u8> {
    let line = |n: usize| {
        format!(
            "2026-11-25T12:34:{:02}.{:03}Z INFO server::http: request {n} GET /api/v1/items/{} 200 in {} ms\r\n",
            n / 1000 % 60,
            n % 1000,
            n % 977,
            n % 89
        )
    };
    (0..10_000).map(line).collect::<String>().into_bytes()
}

/// The same with an escape every twelve bytes or so.
fn coloured() -> Vec<u8> {
    let line = |n: usize| {
        let words = (0..8).map(|word| format!("\x1b[3{}mword{:03}", (n + word) % 8, (n * 7 + word) % 1000));
        words.collect::<String>() + "\x1b[m\r\n"
    };
    (0..12_000).map(line).collect::<String>().into_bytes()
}

/// What a full-screen program draws.
fn drawn() -> Vec<u8> {
    let cell = |n: usize| format!("\x1b[{};{}H\x1b[38;5;{}mx{}\x1b[K", n % 47 + 1, n * 13 % 150 + 1, n % 256, n % 10);
    (0..40_000).map(cell).collect::<String>().into_bytes()
}

fn terminal(c: &mut Criterion) {
    for (name, bytes) in [("plain", plain()), ("coloured", coloured()), ("drawn", drawn())] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
        group.bench_function("emulator alone", |b| {
            let mut term = Term::new(Config { scrolling_history: 0, ..Config::default() }, &Cells, VoidListener);
            let mut parser: Processor = Processor::new();
            b.iter(|| bytes.chunks(READ).for_each(|chunk| parser.advance(&mut term, black_box(chunk))));
        });
        group.bench_function("terminal", |b| {
            let mut terminal = Terminal::new(SIZE, 500_000);
            b.iter(|| bytes.chunks(READ).for_each(|chunk| terminal.feed(black_box(chunk))));
        });
        // As in a flood: somebody looks 60 times a second.
        group.bench_function("terminal, seldom seen", |b| {
            let mut terminal = Terminal::new(SIZE, 500_000);
            b.iter(|| {
                for piece in bytes.chunks(SEEN) {
                    piece.chunks(READ).for_each(|chunk| _ = terminal.feed_update(black_box(chunk)));
                    terminal.flush();
                }
            });
        });
        group.finish();
    }
}

fn transcript(c: &mut Criterion) {
    for (name, bytes) in [("plain", plain()), ("coloured", coloured())] {
        let mut terminal = Terminal::new(SIZE, 64 << 20);
        terminal.feed(&bytes);
        let rows: Vec<_> = terminal.transcript().rows_from(0).collect();
        let text: usize = rows.iter().map(|row| row.line.text.len()).sum();
        let mut group = c.benchmark_group(format!("transcript, {name}, bytes of text"));
        group.throughput(Throughput::Bytes(text as u64)).sample_size(20);
        group.bench_function("push", |b| {
            let mut transcript = Transcript::new(500_000);
            b.iter(|| rows.iter().for_each(|row| transcript.push(black_box(&row.line), row.wrapped)));
        });
        group.bench_function("read", |b| {
            let transcript = terminal.transcript();
            b.iter(|| transcript.rows_from(0).map(|row| row.line.text.len()).sum::<usize>());
        });
        group.finish();
    }
}

criterion_group!(benches, terminal, transcript);
criterion_main!(benches);
