//! Writes styles as SGR, and links as OSC 8.

use std::fmt::Write as _;

use crate::protocol::{Paint, Style, Underline};

/// Writes what changes the look from one to the other: only what differs, or all of it from a reset, whichever
/// is shorter.
pub fn change(data: &mut String, from: &Style, to: &Style) {
    if from == to {
        return;
    }
    let link_differs = from.link != to.link;
    let start = data.len();
    if !same_without_link(from, to) {
        data.push_str("\x1b[");
        let codes = data.len();
        delta(data, from, to);
        let whole = whole(to);
        // A reset ends a link in some terminals and not in others: one that goes on is not put at risk.
        if (to.link.is_none() || link_differs) && whole.len() < data.len() - codes {
            data.truncate(codes);
            data.push_str(&whole);
        } else {
            // Each code begins with the semicolon that parts it from the one before.
            data.remove(codes);
        }
        data.push('m');
    }
    debug_assert!(data.len() > start || link_differs);
    if link_differs {
        let _ = write!(data, "\x1b]8;;{}\x1b\\", to.link.as_deref().unwrap_or_default());
    }
}

fn same_without_link(a: &Style, b: &Style) -> bool {
    (a.fg, a.bg, a.underline_color, a.underline) == (b.fg, b.bg, b.underline_color, b.underline)
        && flags(a) == flags(b)
        && (a.bold, a.dim) == (b.bold, b.dim)
}

/// The flags that have a code of their own to end them: italic, inverse, hidden, struck out.
fn flags(style: &Style) -> [bool; 4] {
    [style.italic, style.inverse, style.hidden, style.strikeout]
}

/// The codes of a look from a reset on. The default look has none: that is a reset too.
fn whole(style: &Style) -> String {
    let mut codes = String::new();
    delta(&mut codes, &Style::default(), style);
    if !codes.is_empty() {
        codes.insert(0, '0');
    }
    codes
}

/// The codes of what differs, each after a semicolon.
fn delta(data: &mut String, from: &Style, to: &Style) {
    // Bold and faint end by the same code.
    let ends = from.bold && !to.bold || from.dim && !to.dim;
    if ends {
        data.push_str(";22");
    }
    for (was, is, code) in [(from.bold, to.bold, ";1"), (from.dim, to.dim, ";2")] {
        if is && (ends || !was) {
            data.push_str(code);
        }
    }
    for ((was, is), code) in flags(from).into_iter().zip(flags(to)).zip([3, 7, 8, 9]) {
        if was != is {
            // Writing to a String cannot fail.
            let _ = write!(data, ";{}", if is { code } else { code + 20 });
        }
    }
    if from.underline != to.underline {
        data.push_str(match to.underline {
            Underline::None => ";24",
            Underline::Single => ";4",
            Underline::Double => ";4:2",
            Underline::Curl => ";4:3",
            Underline::Dotted => ";4:4",
            Underline::Dashed => ";4:5",
        });
    }
    if from.fg != to.fg {
        paint(data, to.fg, 30);
    }
    if from.bg != to.bg {
        paint(data, to.bg, 40);
    }
    if from.underline_color != to.underline_color {
        let _ = match to.underline_color {
            Paint::Default => write!(data, ";59"),
            Paint::Indexed(index) => write!(data, ";58:5:{index}"),
            Paint::Rgb(r, g, b) => write!(data, ";58:2::{r}:{g}:{b}"),
        };
    }
}

/// The codes of a foreground (`base` 30) or background (40).
fn paint(data: &mut String, paint: Paint, base: u8) {
    let _ = match paint {
        Paint::Default => write!(data, ";{}", base + 9),
        Paint::Indexed(index @ 0..8) => write!(data, ";{}", base + index),
        Paint::Indexed(index @ 8..16) => write!(data, ";{}", base + 60 + index - 8),
        Paint::Indexed(index) => write!(data, ";{};5;{index}", base + 8),
        Paint::Rgb(r, g, b) => write!(data, ";{};2;{r};{g};{b}", base + 8),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(from: &Style, to: &Style) -> String {
        let mut data = String::new();
        change(&mut data, from, to);
        data
    }

    #[test]
    fn only_what_differs_is_written_unless_a_reset_is_shorter() {
        let plain = Style::default();
        let red = Style { fg: Paint::Indexed(1), ..plain.clone() };
        let bold = Style { bold: true, ..red.clone() };
        let loud = Style { italic: true, underline: Underline::Curl, bg: Paint::Rgb(1, 2, 3), ..bold.clone() };
        assert_eq!(changed(&plain, &red), "\x1b[31m");
        assert_eq!(changed(&red, &bold), "\x1b[1m");
        assert_eq!(changed(&bold, &red), "\x1b[22m");
        assert_eq!(changed(&bold, &Style { dim: true, ..red.clone() }), "\x1b[22;2m");
        assert_eq!(changed(&loud, &plain), "\x1b[m");
        assert_eq!(changed(&loud, &red), "\x1b[0;31m");
        assert_eq!(changed(&loud, &loud), "");
    }

    #[test]
    fn a_link_that_goes_on_is_not_reset() {
        let link = |style: Style| Style { link: Some("http://example.org/".into()), ..style };
        let plain = link(Style::default());
        let loud = link(Style { bold: true, italic: true, fg: Paint::Indexed(3), ..Style::default() });
        assert_eq!(changed(&loud, &plain), "\x1b[22;23;39m");
        assert_eq!(changed(&loud, &Style::default()), "\x1b[m\x1b]8;;\x1b\\");
        assert_eq!(changed(&Style::default(), &plain), "\x1b]8;;http://example.org/\x1b\\");
    }
}
