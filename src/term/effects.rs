//! What output does besides changing the screen: the bell, notifications, the clipboard, replies to queries.

use std::{fmt, path::PathBuf, sync::Arc};

/// The effects of output that has been read. Everything in it is bounded: a flood of one kind keeps its
/// first or its last, as says each field.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Answers to its queries, to be written back to it; those that are too many are not given.
    pub replies: Vec<u8>,
    /// It rang the bell.
    pub bell: bool,
    /// Desktop notifications (OSC 9, 99, 777); the first few.
    pub notifications: Vec<Notification>,
    /// How far its work is (OSC 9;4); the last.
    pub progress: Option<Progress>,
    /// It said where it works (OSC 7); the last.
    pub cwd: Option<Cwd>,
    /// Text for a clipboard (OSC 52); the last of each.
    pub copies: Vec<ClipboardStore>,
    /// It asks for a clipboard (OSC 52); the first few.
    pub pastes: Vec<ClipboardLoad>,
    /// The records of what it is doing (OSC 7501) are others than before.
    pub status_changed: bool,
    /// It tried to copy more than it may.
    pub copy_refused: bool,
}

/// A desktop notification; texts are free of control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    /// Its title, or nothing.
    pub title: String,
    /// Its text, or nothing.
    pub body: String,
}

impl Notification {
    /// All of it in one line.
    #[must_use]
    pub fn text(&self) -> String {
        match (self.title.as_str(), self.body.as_str()) {
            ("", text) | (text, "") => text.to_owned(),
            (title, body) => format!("{title}: {body}"),
        }
    }
}

/// How far a program says its work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Progress {
    /// It shows none, or no longer.
    #[default]
    None,
    /// So many percent.
    Normal(u8),
    /// It failed at so many percent.
    Error(u8),
    /// It works, and cannot tell how far it is.
    Indeterminate,
    /// It waits at so many percent.
    Paused(u8),
}

/// A folder that a program named as its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cwd {
    /// The machine it is on; empty for this one.
    pub host: String,
    /// Its absolute path.
    pub path: PathBuf,
}

/// Which clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// What copy and paste use.
    Clipboard,
    /// The text that is selected (X11).
    Primary,
}

/// Text for a clipboard (OSC 52). Its content is shown to nobody else, and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ClipboardStore {
    /// Where to.
    pub selection: Selection,
    /// The text.
    pub text: Arc<str>,
}

impl fmt::Debug for ClipboardStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes to {:?}", self.text.len(), self.selection)
    }
}

/// A program's request for the content of a clipboard (OSC 52).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipboardLoad {
    /// Which one.
    pub selection: Selection,
    /// How the program named it, to be named the same in the answer.
    name: String,
    /// What ends the answer.
    end: &'static str,
}

impl ClipboardLoad {
    pub(super) fn new(selection: Selection, name: &str, end: &'static str) -> Self {
        Self { selection, name: name.to_owned(), end }
    }

    /// The answer to be written to the program.
    #[must_use]
    pub fn answer(&self, text: &[u8]) -> String {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(text);
        format!("\x1b]52;{};{data}{}", self.name, self.end)
    }
}
