//! Durations as they are written: `30`, `0.5`, `90s`, `10m`, `2h`, `500ms`.

/// What stands for one in a command's help.
pub const VALUE: &str = "DURATION";

/// A duration in milliseconds: seconds, with a fraction or a unit.
pub fn parse(text: &str) -> Result<u64, String> {
    let rule = "a duration is 30 or 0.5 (seconds), or has a unit: 500ms, 90s, 10m, 2h";
    let (number, factor) = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3600e3)]
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1e3));
    let ms = number.parse::<f64>().map_err(|_| rule.to_owned())? * factor;
    // Ten years; the host says so too.
    if !ms.is_finite() || !(1.0..=315_360_000_000.0).contains(&ms) {
        return Err(format!("{rule}; from 1 ms to 10 years"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was just checked")]
    Ok(ms.round() as u64)
}

/// The same, where none at all is a choice.
pub fn parse_or_zero(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if number.parse() == Ok(0.0) && ["", "ms", "s", "m", "h"].contains(&&text[number.len()..]) {
        return Ok(0);
    }
    parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units_and_refused_with_the_rule() {
        assert_eq!(
            ["30", "0.5", "90s", "10m", "2h", "500ms"].map(|text| parse(text).unwrap()),
            [30_000, 500, 90_000, 600_000, 7_200_000, 500]
        );
        assert_eq!(["0", "0s", "0.0", "1ms"].map(|text| parse_or_zero(text).unwrap()), [0, 0, 0, 1]);
        for bad in ["", "s", "-1", "0 s"] {
            assert!(parse_or_zero(bad).unwrap_err().contains("500ms"), "{bad}");
        }
        for bad in ["", "x", "-1", "0", "inf", "1e300", "5 apples"] {
            assert!(parse(bad).unwrap_err().contains("500ms"), "{bad}");
        }
    }
}
