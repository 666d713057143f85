use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer when a call could not be carried out.
///
/// `code` is stable and meant for programs, `message` for people: what was wrong, with the value,
/// and what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{message}")]
pub struct Error {
    /// Which kind of failure this is.
    pub code: Code,
    /// What was wrong and what to do about it.
    pub message: String,
    /// Details for programs, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The answer to a call.
pub type Result<T> = std::result::Result<T, Error>;

/// Every error code of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The host has no such method.
    UnknownMethod,
    /// A parameter is missing, of the wrong type or out of range.
    InvalidParams,
    /// The client asked for a protocol version that the host does not speak.
    ProtocolMismatch,
    /// This connection may only look.
    Forbidden,
    /// No session, run or group goes by that target.
    NotFound,
    /// The target fits more than one session or run.
    Ambiguous,
    /// Another session has that name.
    NameTaken,
    /// The program is not at its path, or not on `$PATH`.
    ProgramNotFound,
    /// The program is there, but cannot be executed.
    NotExecutable,
    /// The script's `#!` line names an interpreter that is not there.
    BadInterpreter,
    /// The working directory does not exist or cannot be entered.
    BadCwd,
    /// No file descriptors, PTYs, processes or memory were left; or one asked for more at once than one may.
    ResourceExhausted,
    /// The program could not be started for another reason.
    StartFailed,
    /// The target still runs.
    StillRunning,
    /// The target has ended, and processes that it started live on.
    LivesOn,
    /// Processes were left that could not be ended (they belong to another user).
    KillIncomplete,
    /// The host knows the parameter, but this version cannot carry it out.
    Unsupported,
    /// The host is ending.
    ShuttingDown,
    /// A fault of Termi's own: the log has more.
    Internal,
}

impl Error {
    /// An error without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same error with details for programs.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// Whether what it did not find is a session, a run or a group, which lists of sessions show.
    #[must_use]
    pub fn names_a_target(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.get("kind").is_some())
    }

    /// A value of `key` that is not allowed.
    pub fn invalid(key: &str, value: impl std::fmt::Debug, rule: &str) -> Self {
        Self::new(Code::InvalidParams, format!("{key} is {value:?}: {rule}"))
    }
}

/// Whether a character acts on a terminal, or on a text's order and lines, instead of being shown: control characters,
/// separators of lines and paragraphs, and the format characters (Unicode's category Cf) that mark or turn the order of
/// what follows them (the bidirectional algorithm, UAX 9) or take no room, so that nobody sees them. Joiners are not
/// among them: words of Persian and of Hindi, and emoji, are spelled with them.
#[must_use]
pub fn acts(letter: char) -> bool {
    let separates = matches!(letter, '\u{2028}' | '\u{2029}');
    let turns =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_unseen = matches!(
        letter,
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    );
    letter.is_control() || separates || turns || is_unseen
}

/// A text that quotes others' words, for a terminal: what acts there is shown escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if acts(letter) { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    shown
}
