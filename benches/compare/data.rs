//! What programs print in the measurements: files in memory, the same for both sides.

use std::{ffi::CString, fmt::Write, fs::File, io::Write as _, os::fd::AsRawFd};

use nix::sys::memfd::{MemFdCreateFlag, memfd_create};

/// The last line of each file.
pub const LAST_LINE: &str = "THE-LAST-LINE-OF-ALL";

/// A file in memory that any program can open while this lives. Nothing of it is left, however this process ends.
pub struct Data {
    file: File,
    bytes: usize,
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
    /// Its path, for `cat`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Its length.
    #[allow(clippy::cast_precision_loss, reason = "megabytes")]
    pub fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }

    /// About `size` bytes of lines of a server's log, 96 bytes on average.
    pub fn log_lines(size: usize) -> Self {
        const LEVELS: [&str; 4] = ["INFO ", "DEBUG", "WARN ", "ERROR"];
        const PATHS: [&str; 4] = ["/api/v1/items", "/login", "/static/app.js", "/api/v1/users/search"];
        let mut numbers = Numbers::new();
        let mut seconds = 0;
        Self::new(size, |text| {
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

    /// The same of lines with an escape sequence every 12 bytes.
    pub fn colored_lines(size: usize) -> Self {
        let mut numbers = Numbers::new();
        Self::new(size, |text| {
            for _ in 0..=numbers.next(16) {
                write!(text, "\x1b[3{}m{:07x}", numbers.next(8), numbers.next(1 << 28))?;
            }
            text.write_char('\n')
        })
    }

    fn new(size: usize, mut line: impl FnMut(&mut String) -> std::fmt::Result) -> Self {
        let mut text = String::with_capacity(size + 1024);
        while text.len() < size {
            line(&mut text).unwrap();
        }
        // Whatever colour was last, this line has none.
        writeln!(text, "\x1b[m{LAST_LINE}").unwrap();
        let name = CString::new("termi-bench").unwrap();
        let mut file = File::from(memfd_create(&name, MemFdCreateFlag::MFD_CLOEXEC).unwrap());
        file.write_all(text.as_bytes()).unwrap();
        Self { file, bytes: text.len() }
    }
}
