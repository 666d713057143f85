//! A command line's words, as shells split it: quotes and backslashes, and nothing that would be expanded.

/// A line, split.
pub struct Line {
    /// Its words, without their quotes. The last one is where the line ends: it may be empty.
    pub words: Vec<String>,
    /// Whether it ends inside quotes.
    pub is_quoted: bool,
}

/// Splits a line.
pub fn split(line: &str) -> Line {
    let mut words = vec![String::new()];
    let (mut quote, mut has_begun) = (None, false);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let word = words.last_mut();
        let Some(word) = word else { break };
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some('"'), '\\') if matches!(rest.peek(), Some('"' | '\\' | '$' | '`')) => word.extend(rest.next()),
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, has_begun) = (Some(c), true),
            (None, '\\') => {
                word.extend(rest.next());
                has_begun = true;
            }
            (None, c) if c.is_whitespace() => {
                if has_begun {
                    words.push(String::new());
                }
                has_begun = false;
            }
            (None, c) => {
                word.push(c);
                has_begun = true;
            }
        }
    }
    Line { words, is_quoted: quote.is_some() }
}

/// A word as it may stand on a line outside of quotes.
pub fn quoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if !(c.is_alphanumeric() || "-_./:=@%+,".contains(c)) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_shells_do_it() {
        let words = |line: &str| split(line).words;
        assert_eq!(words("termi kill we"), ["termi", "kill", "we"]);
        assert_eq!(words("  termi  kill "), ["termi", "kill", ""]);
        assert_eq!(words(r#"a 'b c' "d \"e\" f" g\ h '' i"j"k"#), ["a", "b c", "d \"e\" f", "g h", "", "ijk"]);
        assert!(split("a 'b c").is_quoted && !split("a 'b c'").is_quoted);
        for word in ["plain", "a b", "it's", "$x;&", "日本"] {
            let line = quoted(word);
            assert_eq!(words(&line), [word]);
        }
    }
}
