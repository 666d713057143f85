//! Amounts as people read and write them: `512 MB`, `1m 30s`. All messages have them from here.

use std::time::Duration;

/// A duration in milliseconds, as the protocol writes it.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes, in units of 1024 as options take them: what was given as `512M` is `512 MB`, and `1536M` is no `1.5 GB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    // Memory comes in pages: a whole number of kilobytes may be any.
    let is_whole = |unit: u64| bytes.is_multiple_of(unit) && (unit > 1 << 10 || bytes < 1 << 20);
    if let Some((unit, name)) = UNITS.iter().find(|(unit, _)| bytes >= *unit && is_whole(*unit)) {
        return format!("{} {name}", bytes / unit);
    }
    #[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
    let of = |unit: u64| bytes as f64 / unit as f64;
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name @ "GB")) => format!("{:.2} {name}", of(*unit)),
        Some((unit, name)) => format!("{:.1} {name}", of(*unit)),
        None => format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" }),
    }
}

/// A duration: `0s`, `250ms`, `1.5s`, `3s`, `10m`, `4m 5s`, `2h 7m`, `3d 4h`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let two = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}{part}"),
    };
    match seconds {
        0 if ms > 0 => format!("{ms}ms"),
        // Cut, not rounded: what is over is not told before it is.
        0..60 if ms % 1000 >= 100 => format!("{seconds}.{}s", ms % 1000 / 100),
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "m"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

/// How old something is: a [`duration`] in whole seconds.
#[must_use]
pub fn age(ms: u64) -> String {
    duration(ms / 1000 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_they_were_given_in() {
        for (amount, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1000, "1000 bytes"),
            (300 << 10, "300 KB"),
            (1500, "1.5 KB"),
            (512 << 20, "512 MB"),
            (1536 << 20, "1536 MB"),
            (2 << 30, "2 GB"),
            (72_192 << 10, "70.5 MB"),
            (64_000_000, "61.0 MB"),
            (3_000_000_000, "2.79 GB"),
            (1 << 40, "1024 GB"),
        ] {
            assert_eq!(bytes(amount), text);
        }
    }

    #[test]
    fn durations_are_short_and_read_back_where_they_are_whole() {
        assert_eq!(
            [0, 1, 999, 1000, 1500, 1050, 59_999, 61_000, 600_000, 7_200_000, 7_500_000, 273_600_000].map(duration),
            ["0s", "1ms", "999ms", "1s", "1.5s", "1s", "59.9s", "1m 1s", "10m", "2h", "2h 5m", "3d 4h"]
        );
        assert_eq!([0, 999, 59_999, 61_000].map(age), ["0s", "0s", "59s", "1m 1s"]);
    }
}
