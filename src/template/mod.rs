//! Templates: named settings of runs. Pure: what they mean, in which order they start, and how a file of them reads.

mod file;
mod order;

use std::collections::BTreeMap;

pub use file::parse;
pub use order::{levels, order, with_dependencies};

use crate::protocol::{Code, Error, Result, RunParams, Stream, Template, check_name};

/// The most templates a host knows.
pub const MAX_TEMPLATES: usize = 1000;

/// What they may take together, as JSON. An answer lists them all, and must be one that a client reads, which has limits
/// of its own on bytes and values.
pub const MAX_TOTAL_BYTES: usize = 2 << 20;

/// Checks that templates can be kept together.
///
/// # Errors
/// `invalid_params` when they are too many, or too large.
pub fn check_room(all: &BTreeMap<String, Template>) -> Result<()> {
    let rule = "replace = true forgets the others";
    if all.len() > MAX_TEMPLATES {
        return Err(Error::invalid("set", all.len(), &format!("at most {MAX_TEMPLATES} templates are kept; {rule}")));
    }
    let bytes = serde_json::to_vec(all).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_TOTAL_BYTES {
        let rule = format!("all templates together take at most {} MiB; {rule}", MAX_TOTAL_BYTES >> 20);
        return Err(Error::invalid("set", format!("{bytes} bytes"), &rule));
    }
    Ok(())
}

/// The parameters of a run of a template: what is given wins, and variables are put together.
#[must_use]
pub fn apply(name: &str, template: &Template, given: RunParams) -> RunParams {
    let template = template.clone();
    let mut env = template.env;
    env.extend(given.env);
    let named = given.session.is_some() || given.name.is_some();
    let session = template.session.or(template.name).unwrap_or_else(|| name.to_owned());
    RunParams {
        cmd: given.cmd.or(template.cmd),
        session: given.session.or((!named).then_some(session)),
        name: given.name,
        label: given.label.or(template.label),
        group: given.group.or(template.group),
        cwd: given.cwd.or(template.cwd),
        env,
        size: given.size,
        timeout_ms: given.timeout_ms.or(template.timeout_ms),
        idle_timeout_ms: given.idle_timeout_ms.or(template.idle_timeout_ms),
        limits: match (given.limits, template.limits) {
            (Some(given), Some(template)) => Some(given.or(&template)),
            (given, template) => given.or(template),
        },
        template: Some(name.to_owned()),
        // What is left out reads as the terminal's.
        stream: if given.stream == Stream::default() { template.stream.unwrap_or_default() } else { given.stream },
        echo: given.echo,
        attach: given.attach,
        log: given.log.or(template.log),
        log_bytes: given.log_bytes.or(template.log_bytes),
        keep: given.keep.or(template.keep),
        transcript_bytes: given.transcript_bytes.or(template.transcript_bytes),
        origin_cwd: given.origin_cwd,
        origin_umask: given.origin_umask,
        origin_nice: given.origin_nice,
    }
}

/// Checks what a template says of the order: its name, and what it comes after.
///
/// # Errors
/// `invalid_params`, with the key first in the message.
pub fn check(name: &str, template: &Template) -> Result<()> {
    check_name("template", name)?;
    for after in template.after.iter().flat_map(|after| after.all()) {
        check_name("after.template", &after.template)?;
        if after.template == name {
            return Err(Error::invalid("after.template", name, "a template cannot come after itself"));
        }
        if after.timeout_ms == Some(0) {
            return Err(Error::invalid("after.timeout_ms", 0, "at least 1 millisecond"));
        }
        if let Some(crate::protocol::Until::Pattern(until)) = &after.until {
            crate::protocol::compile_pattern("after.until.pattern", &until.pattern)?;
        }
    }
    if let (Some(session), Some(name)) = (&template.session, &template.name)
        && session != name
    {
        return Err(Error::invalid("name", name, &format!("session is {session:?}: give one of the two")));
    }
    Ok(())
}

/// There is no such template.
#[must_use]
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: Vec<&str> = known.map(String::as_str).take(20).collect();
    let known = if known.is_empty() { "there is none".to_owned() } else { format!("known are: {}", known.join(", ")) };
    Error::new(Code::NotFound, format!("there is no template {name:?}; {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CommandSpec, Limits};

    #[test]
    fn what_is_given_wins_over_the_template() {
        let template: Template = serde_json::from_str(
            r#"{"cmd": "npm start", "group": "web", "env": {"A": "1", "B": "2"}, "limits": {"processes": 9, "cpu_seconds": 5},
                "stream": "json", "timeout_ms": 7}"#,
        )
        .unwrap();
        let plain = apply("server", &template, RunParams::default());
        assert_eq!(plain.session.as_deref(), Some("server"));
        assert_eq!((plain.stream, plain.timeout_ms), (Stream::Json, Some(7)));
        let given: RunParams =
            serde_json::from_str(r#"{"cmd": ["x"], "name": "n", "env": {"B": null}, "limits": {"processes": 3}}"#)
                .unwrap();
        let merged = apply("server", &template, given);
        assert_eq!(merged.cmd, Some(CommandSpec::Argv(vec!["x".into()])));
        assert_eq!((merged.session, merged.name.as_deref(), merged.group.as_deref()), (None, Some("n"), Some("web")));
        assert_eq!(merged.env["A"].as_deref(), Some("1"));
        assert_eq!(merged.env["B"], None);
        assert_eq!(merged.limits, Some(Limits { processes: Some(3), cpu_seconds: Some(5), ..Limits::default() }));
    }

    /// The schema in `doc/` is written from the types: `TERMI_BLESS=1 cargo test --lib schema` writes it anew.
    #[test]
    fn the_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/doc/termi.schema.json");
        let mut schema = serde_json::to_string_pretty(&schemars::schema_for!(file::TemplateFile)).unwrap();
        schema.push('\n');
        if std::env::var_os("TERMI_BLESS").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == schema, "doc/termi.schema.json is not that of the types; see this test's comment");
    }
}
