//! Program Status Protocol (OSC 7501, revision 0.2): records in which a program says what it is doing.
//!
//! `ESC ] 7501 ; key=value[:key=value…] ST`, at most 4096 bytes. A report replaces the record of its `id` whole;
//! `state=clear` takes it away, and those below it.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};

use crate::protocol::{self, AgentKind};

/// The longest report, from its first key on.
const REPORT_MAX: usize = 4096;
/// The longest id, and how deep its path may be.
const ID_MAX: usize = 128;
const ID_DEPTH_MAX: usize = 8;
const APP_MAX: usize = 64;
const TITLE_MAX: usize = 192;
const MESSAGE_MAX: usize = 2048;
/// Records of one run; a report of another is not taken.
const RECORDS_MAX: usize = 64;

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a program says that it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramState {
    /// It waits for its user.
    Idle,
    /// It works.
    Working,
    /// It cannot go on before its user answers.
    Blocked,
    /// It has finished.
    Done,
    /// It has failed.
    Error,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRecord {
    /// Which one: a path of at most 8 names; empty is the program itself.
    pub id: String,
    /// What it is doing.
    pub state: ProgramState,
    /// What it waits for.
    pub kind: Option<AgentKind>,
    /// How far it is, in percent.
    pub progress: Option<u8>,
    /// Which program it is.
    pub app: Option<String>,
    /// What it is about.
    pub title: Option<String>,
    /// What it asks or says.
    pub message: Option<String>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusReport {
    /// This is how it is now.
    Set(Box<StatusRecord>),
    /// Nothing is to be said of it, nor of what is below it.
    Clear(String),
}

impl StatusReport {
    /// Reads what stands behind the number; none when it is to be dropped: too long, with no state or one that there is
    /// not, with text that is no base64, has control characters, or is too long, or with a bad id.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let content = str::from_utf8(content).ok().filter(|content| content.len() <= REPORT_MAX)?;
        let mut state = None;
        let mut record = StatusRecord {
            id: String::new(),
            state: ProgramState::Idle,
            kind: None,
            progress: None,
            app: None,
            title: None,
            message: None,
        };
        for (key, value) in content.split(':').filter_map(|pair| pair.split_once('=')) {
            match key {
                "state" => state = Some(value),
                "kind" => {
                    record.kind = match value {
                        "permission" => Some(AgentKind::Permission),
                        "question" => Some(AgentKind::Question),
                        "auth" => Some(AgentKind::Auth),
                        _ => None,
                    }
                }
                "id" => record.id = id(value)?,
                "progress" => record.progress = value.parse().ok().filter(|percent| *percent <= 100),
                "app" => record.app = Some(plain(value, APP_MAX)?).filter(|app| !app.is_empty()),
                "title" => record.title = Some(decoded(value, TITLE_MAX)?),
                "msg" => record.message = Some(decoded(value, MESSAGE_MAX)?),
                // What later revisions add.
                _ => {}
            }
        }
        record.state = match state? {
            "idle" => ProgramState::Idle,
            "working" => ProgramState::Working,
            "blocked" => ProgramState::Blocked,
            "done" => ProgramState::Done,
            "error" => ProgramState::Error,
            "clear" => return Some(Self::Clear(record.id)),
            _ => return None,
        };
        Some(Self::Set(Box::new(record)))
    }
}

fn plain(text: &str, most: usize) -> Option<String> {
    // What turns the order of a text is no accident; what is only not seen, as a soft hyphen, costs no question.
    let is_hostile = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (text.len() <= most && !text.contains(is_hostile)).then(|| text.chars().filter(|c| !protocol::acts(*c)).collect())
}

fn id(path: &str) -> Option<String> {
    let is_fine =
        path.is_empty() || path.split('/').count() <= ID_DEPTH_MAX && path.split('/').all(|name| !name.is_empty());
    if is_fine { plain(path, ID_MAX) } else { None }
}

fn decoded(text: &str, most: usize) -> Option<String> {
    plain(str::from_utf8(&BASE64.decode(text).ok()?).ok()?, most)
}

/// The records of a run, in the order in which they first came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    records: Vec<StatusRecord>,
}

impl ProgramStatus {
    /// The records.
    #[must_use]
    pub fn records(&self) -> &[StatusRecord] {
        &self.records
    }

    /// Takes a report in.
    pub fn apply(&mut self, report: StatusReport) {
        match report {
            StatusReport::Set(record) => match self.records.iter().position(|old| old.id == record.id) {
                Some(at) => self.records[at] = *record,
                // The program's own has its place, however many are below it.
                None if self.records.len() < RECORDS_MAX || record.id.is_empty() => self.records.push(*record),
                // One that is over makes room.
                None => {
                    let is_over = |old: &StatusRecord| {
                        !old.id.is_empty() && !matches!(old.state, ProgramState::Working | ProgramState::Blocked)
                    };
                    if let Some(at) = self.records.iter().position(is_over) {
                        self.records.remove(at);
                        self.records.push(*record);
                    }
                }
            },
            StatusReport::Clear(id) => self.records.retain(|record| !is_within(&record.id, &id)),
        }
    }

    /// What worked or waited does so no longer: a shell's prompt began, or the program has ended.
    pub fn end(&mut self) {
        self.records.retain(|record| !matches!(record.state, ProgramState::Working | ProgramState::Blocked));
    }

    /// Forgets all (RIS).
    pub fn reset(&mut self) {
        self.records.clear();
    }
}

fn is_within(id: &str, above: &str) -> bool {
    above.is_empty() || id.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Option<StatusReport> {
        StatusReport::parse(content.as_bytes())
    }

    fn set(content: &str) -> StatusRecord {
        match read(content) {
            Some(StatusReport::Set(record)) => *record,
            other => panic!("{content}: {other:?}"),
        }
    }

    #[test]
    fn a_report_is_read_whole_and_what_is_unknown_in_it_left_out() {
        let record =
            set("state=blocked:app=some-agent:kind=permission:id=a/b:progress=40:new=1:title=dA==:msg=YXBwcm92ZSBscw");
        assert_eq!(
            (record.state, record.kind, record.progress),
            (ProgramState::Blocked, Some(AgentKind::Permission), Some(40))
        );
        assert_eq!((record.id.as_str(), record.app.as_deref()), ("a/b", Some("some-agent")));
        assert_eq!((record.title.as_deref(), record.message.as_deref()), (Some("t"), Some("approve ls")));
        assert_eq!(set("state=idle:progress=101:kind=other").progress, None);
        let unseen = format!("state=blocked:msg={}", BASE64.encode("a\u{200f}p\u{ad}prove\u{feff}"));
        assert_eq!(set(&unseen).message.as_deref(), Some("approve"));
        assert_eq!(read("state=clear:id=a"), Some(StatusReport::Clear("a".to_owned())));
    }

    #[test]
    fn what_breaks_a_rule_is_dropped() {
        let long = |bytes: usize| BASE64.encode("x".repeat(bytes));
        assert!(read(&format!("state=done:msg={}", long(MESSAGE_MAX))).is_some());
        for bad in [
            String::new(),
            "app=x".to_owned(),
            "state=".to_owned(),
            "state=busy".to_owned(),
            "state=done:msg=!!".to_owned(),
            format!("state=done:msg={}", BASE64.encode("a\x1b[2Jb")),
            format!("state=done:msg={}", BASE64.encode([0xff, 0xfe])),
            format!("state=done:msg={}", BASE64.encode("a\u{202e}b")),
            format!("state=done:msg={}", long(MESSAGE_MAX + 1)),
            format!("state=done:title={}", long(TITLE_MAX + 1)),
            format!("state=done:id={}", "i".repeat(ID_MAX + 1)),
            "state=done:id=1/2/3/4/5/6/7/8/9".to_owned(),
            "state=done:id=a//b".to_owned(),
            format!("state=done:new={}", "x".repeat(REPORT_MAX)),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
        assert_eq!(StatusReport::parse(b"state=done:app=\xff"), None);
    }

    #[test]
    fn records_replace_each_other_by_id_and_are_bounded() {
        let mut status = ProgramStatus::default();
        let mut apply = |content: &str| {
            status.apply(read(content).unwrap());
            status.clone()
        };
        apply("state=working:id=a:progress=1");
        assert_eq!(apply("state=done:id=a").records()[0].progress, None, "whole");
        for number in 0..1000 {
            apply(&format!("state=working:id=a/{number}"));
        }
        assert_eq!(apply("state=working:id=b").records().len(), RECORDS_MAX);
        let has = |status: &ProgramStatus, id: &str| status.records().iter().any(|record| record.id == id);
        assert!(!has(&apply("state=blocked:id=c"), "c"), "all of them are at work");
        apply("state=done:id=a/7");
        assert!(has(&apply("state=blocked:id=c"), "c"), "one that is over makes room");
        apply("state=clear:id=c");
        assert_eq!(apply("state=blocked").records().last().unwrap().state, ProgramState::Blocked);
        assert_eq!(apply("state=clear:id=a").records().len(), 1, "a, and what is below it");
        apply("state=done:id=ab");
        assert_eq!(apply("state=clear:id=a").records().len(), 2);
        status.end();
        assert_eq!(status.records().len(), 1);
        status.apply(StatusReport::Clear(String::new()));
        assert!(status.records().is_empty());
    }
}
