//! What programs print in the measurements: files in memory, the same for both sides.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// The last line of each file.
pub const LAST_LINE: &str = "THE-LAST-LINE-OF-ALL";

/// A folder of files on tmpfs; gone when dropped.
pub struct Data {
    folder: tempfile::TempDir,
    size: usize,
}

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
pub struct Numbers(u64);

impl Numbers {
    pub fn new() -> Self {
        Self(1)
    }

    pub fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

impl Data {
    /// Files of about `size` bytes each.
    pub fn new(size: usize) -> Self {
        let memory = Path::new("/dev/shm");
        assert!(memory.is_dir(), "there is no tmpfs at /dev/shm: a disk's speed would be measured");
        let folder = tempfile::Builder::new().prefix("termi-bench-").tempdir_in(memory).unwrap();
        Self { folder, size }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lines of a server's log, 96 bytes on average.
    pub fn log_lines(&self) -> PathBuf {
        const LEVELS: [&str; 4] = ["INFO ", "DEBUG", "WARN ", "ERROR"];
        const PATHS: [&str; 4] = ["/api/v1/items", "/login", "/static/app.js", "/api/v1/users/search"];
        let mut numbers = Numbers::new();
        let mut seconds = 0;
        self.file("log", |text| {
            seconds += numbers.next(2);
            let level = LEVELS[usize::try_from(numbers.next(4)).unwrap()];
            let path = PATHS[usize::try_from(numbers.next(4)).unwrap()];
            let (minute, second, milli) = (seconds / 60 % 60, seconds % 60, numbers.next(1000));
            let (worker, request) = (numbers.next(16), numbers.next(1 << 30));
            let (status, took) = (200 + numbers.next(300), numbers.next(900));
            writeln!(
                text,
                "2026-01-02T10:{minute:02}:{second:02}.{milli:03}Z {level} worker-{worker:02} request={request:08x} \
                 path={path} status={status} took={took}ms"
            )
        })
    }

    /// Lines with an escape sequence every 12 bytes.
    pub fn colored_lines(&self) -> PathBuf {
        let mut numbers = Numbers::new();
        self.file("colored", |text| {
            for _ in 0..=numbers.next(16) {
                write!(text, "\x1b[3{}m{:07x}", numbers.next(8), numbers.next(1 << 28))?;
            }
            text.write_char('\n')
        })
    }

    fn file(&self, name: &str, mut line: impl FnMut(&mut String) -> std::fmt::Result) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut text = String::with_capacity(self.size + 1024);
        while text.len() < self.size {
            line(&mut text).unwrap();
        }
        // Whatever colour was last, this line has none.
        writeln!(text, "\x1b[m{LAST_LINE}").unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}
