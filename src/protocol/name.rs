use super::{Error, Result};

/// What a session's name may be, as told in every refusal.
pub const NAME_RULE: &str = "a name is 1 to 64 letters, digits, spaces or . _ - + @ # characters, starts with a letter, \
a digit or _, does not end with a space, and is not the word `all`";

const NAME_MAX_CHARS: usize = 64;

/// The longest label or group, in characters.
pub const DISPLAY_MAX_CHARS: usize = 200;

/// Checks a name of a session, template or group.
///
/// Names are parts of buffer names, targets (`SESSION:RUN`, `group:NAME`) and log lines, so path
/// separators, colons and control characters are refused.
///
/// # Errors
/// `invalid_params` with the value and the rule.
pub fn check_name(key: &str, name: &str) -> Result<()> {
    let fine = name.chars().count() <= NAME_MAX_CHARS
        && name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && !name.ends_with(' ')
        && name != "all"
        && name.chars().all(|c| c.is_alphanumeric() || " ._-+@#".contains(c));
    if fine { Ok(()) } else { Err(Error::invalid(key, shown(name), NAME_RULE)) }
}

/// The fewest digits of an id that stand for it in a target.
pub const ID_PREFIX_DIGITS: usize = 4;

/// A name of so many digits that an id may have is refused, as people write that many of an id.
const ID_LIKE_DIGITS: usize = 6;

/// Checks a session's name: what [`check_name`] checks, and that it is not to be mistaken for an id, or what people
/// write of one.
///
/// # Errors
/// `invalid_params` with the value and the rule.
pub fn check_session_name(key: &str, name: &str) -> Result<()> {
    check_name(key, name)?;
    if name.len() >= ID_LIKE_DIGITS && is_hexadecimal(name) {
        let rule = "it could be the beginning of an id; with six or more characters, use at least one that is not a \
                    digit or a letter from a to f";
        return Err(Error::invalid(key, name, rule));
    }
    Ok(())
}

/// Whether a text consists of the digits of ids.
#[must_use]
pub fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a word of a target may stand for an id that begins with it.
#[must_use]
pub fn is_id_prefix(word: &str) -> bool {
    word.len() >= ID_PREFIX_DIGITS && is_hexadecimal(word)
}

/// Checks text that is only ever shown, such as a label.
///
/// # Errors
/// `invalid_params` when it is too long or has control characters.
pub fn check_display_text(key: &str, text: &str) -> Result<()> {
    if text.chars().count() > DISPLAY_MAX_CHARS || text.chars().any(super::acts) {
        return Err(Error::invalid(key, shown(text), "at most 200 characters, none of them control characters"));
    }
    Ok(())
}

/// The value as an error shows it: its start, when it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_people_use_are_allowed() {
        for name in ["web", "session-1", "Überblick 2", "a", "x.y_z+@#", "_", "日本語", &"n".repeat(64)] {
            assert_eq!(check_name("name", name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_session_is_not_named_as_an_id_begins() {
        for name in ["cafe", "3000", "db", "1", "12345", "decades", "Facade", "facade-1", "2026-11-30"] {
            assert_eq!(check_session_name("name", name), Ok(()), "{name}");
        }
        for name in ["123456", "20261130", "facade", "5d1220c3fb424b5eba197c63ecce5b15"] {
            assert!(check_session_name("name", name).unwrap_err().message.contains("id"), "{name}");
        }
    }

    #[test]
    fn names_that_could_be_mistaken_for_something_else_are_refused_with_the_rule() {
        let long = "n".repeat(10_000);
        for name in [
            "",
            "../x",
            "/",
            "a/b",
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
            "a:b",
            "group:x",
            "all",
            " a",
            "a ",
            ".hidden",
            "-rf",
            &long,
        ] {
            let error = check_name("name", name).unwrap_err();
            assert!(error.message.contains(NAME_RULE), "{}", error.message);
            assert!(error.message.len() < 400, "a long value is cut in the message");
            assert!(!error.message.chars().any(char::is_control), "control characters are shown escaped");
        }
    }
}
