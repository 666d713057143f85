//! A project's `.termi.json`: read as text, refused with the one place that is wrong.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{MAX_TEMPLATES, check, order};
use crate::protocol::{Code, Error, Result, Template};

/// The file as people write it; the schema in `doc/` is of this type.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Termi's project file", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is wanted")]
pub struct TemplateFile {
    /// Where this schema is.
    #[schemars(rename = "$schema")]
    schema: Option<String>,
    /// Named settings of runs.
    templates: BTreeMap<String, Template>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object that holds `templates`")]
struct Outline<'a> {
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    #[serde(borrow)]
    templates: Pairs<'a>,
}

/// Each template's name and text, in the file's order, twice where it is there twice.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of templates by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// A place in the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn of(text: &str, offset: usize) -> Self {
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: before.matches('\n').count() + 1, column: text[line_start..offset].chars().count() + 1 }
    }

    /// Where an error is that was found in a part of the text.
    fn within(self, error: &serde_json::Error) -> Self {
        match error.line() {
            0 | 1 => Self { line: self.line, column: self.column + error.column().saturating_sub(1) },
            line => Self { line: self.line + line - 1, column: error.column() },
        }
    }
}

/// Reads a file. `known` are templates that those of the file may come after as well; `can_run` says what is wrong
/// with a template's run, the key first in its message.
///
/// # Errors
/// `invalid_params` with `path:line:column`, what is wrong there and what to do; `data` has `line` and `column`.
pub fn parse(
    text: &str,
    path: &Path,
    known: &BTreeMap<String, Template>,
    can_run: impl Fn(&str, &Template) -> Result<()>,
) -> Result<BTreeMap<String, Template>> {
    let refused = |place: Place, what: &str| {
        let Place { line, column } = place;
        Error::new(Code::InvalidParams, format!("{}:{line}:{column}: {what}", path.display()))
            .with_data(serde_json::json!({ "path": path.to_string_lossy(), "line": line, "column": column }))
    };
    let outline: Outline = serde_json::from_str(text)
        .map_err(|error| refused(Place { line: error.line(), column: error.column() }, &plain(&error)))?;
    let mut found: BTreeMap<String, Template> = BTreeMap::new();
    let mut places: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for (name, raw) in outline.templates.0 {
        // The part is a piece of the very text.
        let offset = raw.get().as_ptr() as usize - text.as_ptr() as usize;
        let named_at = quoted(&text[..offset], &name, true).map_or(offset, |at| at);
        let template: Template = serde_json::from_str(raw.get()).map_err(|error| {
            refused(Place::of(text, offset).within(&error), &format!("template {name:?}: {}", plain(&error)))
        })?;
        let checked = check(&name, &template).and_then(|()| can_run(&name, &template));
        if let Err(error) = checked {
            let at = key_of(&error.message, raw.get()).map_or(named_at, |at| offset + at);
            return Err(refused(Place::of(text, at), &format!("template {name:?}: {}", error.message)));
        }
        places.insert(name.clone(), (offset, raw.get()));
        if found.insert(name.clone(), template).is_some() {
            return Err(refused(Place::of(text, named_at), &format!("there are two templates {name:?}; rename one")));
        }
        if found.len() > MAX_TEMPLATES {
            return Err(refused(Place::of(text, named_at), &format!("there are more than {MAX_TEMPLATES} templates")));
        }
    }
    let mut all = known.clone();
    all.extend(found.clone());
    if let Err(error) = order(&all) {
        // At the first template of the file that the message names and that comes after something.
        let named = |(name, (offset, raw)): (&String, &(usize, &str))| {
            let is_named = error.message.contains(&format!("{name:?}")) || error.message.contains(&format!("{name} →"));
            is_named.then(|| quoted(raw, "after", false)).flatten().map(|at| offset + at)
        };
        let at = places.iter().find_map(named).unwrap_or(0);
        return Err(refused(Place::of(text, at), &error.message));
    }
    Ok(found)
}

/// serde's message without the place, which stands before it already.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// Where a key that an error's message begins with stands in a template's text.
fn key_of(message: &str, raw: &str) -> Option<usize> {
    let path = message.split([' ', ':']).next()?;
    path.split('.').rev().find_map(|key| quoted(raw, key, false))
}

/// Where a word stands in quotes: the first, or the last.
fn quoted(text: &str, word: &str, last: bool) -> Option<usize> {
    let quoted = serde_json::to_string(word).ok()?;
    if last { text.rfind(&quoted) } else { text.find(&quoted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text, Path::new("/p/.termi.json"), &BTreeMap::new(), crate::session::check_template).unwrap_err().message
    }

    #[test]
    fn a_file_reads_as_it_is_meant() {
        let text = r#"{
  "$schema": "https://example.org/termi.schema.json",
  "templates": {
    "db": {"cmd": ["postgres", "-D", "data"], "cwd": "db", "group": "data"},
    "server": {"cmd": "npm start", "after": {"template": "db", "until": {"pattern": "ready to accept"}}},
    "client": {"cmd": "npm run client", "cwd": "/abs", "after": [{"template": "server", "until": {"idle_ms": 500}}]}
  }
}"#;
        let found = parse(text, Path::new("/p/.termi.json"), &BTreeMap::new(), |_, _| Ok(())).unwrap();
        assert_eq!(found["client"].cwd.as_deref(), Some("/abs"));
        assert_eq!(order(&found).unwrap(), ["db", "server", "client"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_column() {
        for (text, told) in [
            ("{\n  \"templates\": {\n    \"a\": {\"cmd\": \"x\",}\n  }\n}", "/p/.termi.json:3:"),
            (
                "{\n  \"templates\": {\n    \"a\": {\n      \"cmdd\": \"x\"\n    }\n  }\n}",
                "/p/.termi.json:4:12: template \"a\": unknown field `cmdd`",
            ),
            ("{\"templates\": {\"a\": {\"timeout_ms\": \"5\"}}}", ":1:"),
            ("{\"templates\": {\n\"a\": {\"cmd\": 5}}}", ": a command is a string, or an array of strings"),
            ("{\"templates\": {\n \"a\": {\n  \"timeout_ms\": 0}}}", ":3:3: template \"a\": timeout_ms is 0"),
            ("{\"templates\": {\n \"../a\": {}}}", ":2:2: template \"../a\": template is \"../a\""),
            ("{\"templates\": {\n \"a\": {\"group\": \"x/y\"}}}", ":2:8: template \"a\": group is \"x/y\""),
            (
                "{\"templates\": {\n \"a\": {\"after\": {\"template\": \"b\", \"until\": {\"pattern\": \"(\"}}}}}",
                "not a regular expression",
            ),
            ("{\"templates\": {\n \"a\": {},\n \"a\": {}}}", ":3:2: there are two templates \"a\""),
            (
                "{\"templates\": {\n \"a\": {\"after\": {\"template\": \"b\"}}}}",
                ":2:8: after.template of \"a\": there is no template \"b\"",
            ),
            (
                "{\"templates\": {\"a\": {\"after\": {\"template\": \"b\"}},\n\"b\": {\"after\": {\"template\": \"a\"}}}}",
                "a → b → a",
            ),
            ("{\"templates\": {\"a\": {\"after\": {\"template\": \"a\"}}}}", "cannot come after itself"),
            ("{\"template\": {}}", ":1:11: unknown field `template`"),
            ("[]", ":1:"),
            ("", ":1:0: EOF"),
        ] {
            let message = refusal(text);
            assert!(message.starts_with("/p/.termi.json:") && message.contains(told), "{text}\n{message}\nnot: {told}");
            assert!(!message.contains(" at line "), "one place is enough: {message}");
        }
    }
}
