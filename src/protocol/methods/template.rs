//! Templates: named settings of runs, and whole projects of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{CommandSpec, Error, Keep, KillReply, Limits, ReplySize, RunReply, Stream, Until};

method!(
    /// Makes templates known to the host, and answers with all that it knows.
    Templates = "templates", Write Host, TemplatesParams => TemplatesReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

method!(
    /// Reads the text of a project's `.termi.json`, which the client has found to be trusted, and answers with its
    /// templates or with the one thing that is wrong with it. Makes nothing known.
    ParseTemplates = "parse_templates", Write Host, ParseTemplatesParams => TemplatesReply {
        const REPLY_SIZE: ReplySize = ReplySize::Large;
    }
);

method!(
    /// Starts templates, each after what it is to come after. What runs already is left alone.
    Up = "up", Write Host, UpParams => UpReply
);

method!(
    /// Ends the runs of templates, the last started first.
    Down = "down", Write Host, DownParams => DownReply
);

/// Named settings of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What to run: a line for the user's shell, or a program with its arguments. None is an interactive shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<CommandSpec>,
    /// The session to run it in; default: one with the template's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The same as `session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A line for people, shown beside the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The group: what `up` and `down` can be given, and the group of its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The working directory. In a project's file, a relative one is relative to the file's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables to set, or with null to unset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Option<String>>,
    /// Ends the run this long after its start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Ends the run after this long without output and input, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
    /// Limits on its process tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What its output is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// Keeps its whole output in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<bool>,
    /// The most that this file may hold, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    /// Which ended runs of its session are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// What the transcripts of its session's runs may take together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript_bytes: Option<u64>,
    /// What `up` waits for before it starts this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<AfterSpec>,
    /// What takes its work up where it was, after the host was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<CommandSpec>,
}

/// One or several things to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "after is {\"template\": …, \"until\": …, \"timeout_ms\": …}, or an array of those")]
pub enum AfterSpec {
    /// One.
    One(After),
    /// All of them.
    All(Vec<After>),
}

impl AfterSpec {
    /// As a list.
    #[must_use]
    pub fn all(&self) -> &[After] {
        match self {
            Self::One(after) => std::slice::from_ref(after),
            Self::All(all) => all,
        }
    }
}

/// Another template, and how far it must have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The other template's name.
    pub template: String,
    /// `exit`: it has ended, with code 0. `{"pattern": "…"}`: it has printed a line that this regular expression
    /// matches. `{"idle_ms": …}`: it has been silent for so long. Left out: it has been started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Gives up after this long, in milliseconds; default 60000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Parameters of `templates`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct TemplatesParams {
    /// Templates to make known by their names, in place of those of the same names. Left out: none.
    #[serde(default)]
    pub set: Option<BTreeMap<String, Template>>,
    /// Forgets all others.
    #[serde(default)]
    pub replace: bool,
}

/// Parameters of `parse_templates`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ParseTemplatesParams {
    /// The file's text.
    pub text: String,
    /// Where the file is: errors name it, and its templates run in its directory.
    pub path: String,
}

/// Answer of `templates` and `parse_templates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplatesReply {
    /// By name.
    pub templates: BTreeMap<String, Template>,
    /// Their names, in an order in which they can be started.
    pub order: Vec<String>,
}

/// Parameters of `up`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpParams {
    /// Only templates of this group, and what they come after.
    #[serde(default)]
    pub group: Option<String>,
    /// Only these, and what they come after.
    #[serde(default)]
    pub templates: Option<Vec<String>>,
}

/// Parameters of `down`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct DownParams {
    /// Only templates of this group.
    #[serde(default)]
    pub group: Option<String>,
    /// Only these.
    #[serde(default)]
    pub templates: Option<Vec<String>>,
}

/// Answer of `up`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UpReply {
    /// What was started, in that order.
    pub started: Vec<Started>,
    /// What ran already.
    pub running: Vec<String>,
    /// What was not started, and why.
    pub failed: Vec<UpFailure>,
}

/// A template that was started.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Its name.
    pub template: String,
    /// Its run.
    #[serde(flatten)]
    pub run: RunReply,
}

/// A template that was not started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UpFailure {
    /// Its name.
    pub template: String,
    /// Why.
    pub error: Error,
}

/// Answer of `down`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DownReply {
    /// The templates whose runs were ended, in that order.
    pub templates: Vec<String>,
    /// What became of their runs.
    #[serde(flatten)]
    pub killed: KillReply,
}
