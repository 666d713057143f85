use std::{convert::Infallible, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a call acts on: a session's id, its unique prefix or its name; `SESSION:RUN`;
/// `group:NAME`; or `all`.
///
/// A bare word is looked up as a session first, then as a run's id or unique prefix. A prefix has at least 4 digits,
/// and no session has a name with which an id begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Target {
    /// Every session.
    All,
    /// Every session of a group.
    Group(String),
    /// One run of a session.
    Run {
        /// The session's id, prefix or name.
        session: String,
        /// The run's id or prefix.
        run: String,
    },
    /// A session (or a run, by its id).
    Session(String),
}

impl From<String> for Target {
    fn from(text: String) -> Self {
        if text == "all" {
            return Self::All;
        }
        match text.split_once(':') {
            Some(("group", name)) => Self::Group(name.to_owned()),
            Some((session, run)) => Self::Run { session: session.to_owned(), run: run.to_owned() },
            None => Self::Session(text),
        }
    }
}

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text.to_owned()))
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Run { session, run } => write!(f, "{session}:{run}"),
            Self::Session(session) => f.write_str(session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_reads_back_as_written() {
        for (text, target) in [
            ("all", Target::All),
            ("group:web", Target::Group("web".into())),
            ("build:def6", Target::Run { session: "build".into(), run: "def6".into() }),
            ("build", Target::Session("build".into())),
        ] {
            assert_eq!(Target::from(text.to_owned()), target);
            assert_eq!(target.to_string(), text);
        }
    }
}
