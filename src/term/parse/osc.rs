//! Reads operating system commands (OSC).

use std::{os::unix::ffi::OsStringExt, path::PathBuf, str};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::string_filter::{CLIPBOARD_MAX, End};
use crate::term::{
    effects::{ClipboardLoad, ClipboardStore, Cwd, Notification, Progress, Selection},
    program_status::StatusReport,
};

/// The longest texts that are kept, in characters: more than any window's title bar or notification shows.
const TITLE_MAX: usize = 500;
const NOTIFICATION_MAX: usize = 2000;

/// The longest path, in bytes: the kernel's own bound.
const PATH_MAX: usize = 4096;

/// The longest link, and its id, in bytes: as the specification of OSC 8 advises, and VTE keeps.
const LINK_MAX: usize = 2083;
const LINK_ID_MAX: usize = 250;

/// Programs pad their base64, or do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One OSC.
#[derive(Debug, PartialEq, Eq)]
pub enum Osc {
    /// The window's title (0, 2).
    Title(String),
    /// The working folder (7).
    Cwd(Cwd),
    /// A notification (9, 777).
    Notify(Notification),
    /// A part of one (99).
    Chunk(Chunk),
    /// Progress (9;4).
    Progress(Progress),
    /// A shell's prompt begins (133;A).
    Prompt,
    /// A command ended, with this code if it is told (133;D).
    CommandEnd(Option<i32>),
    /// Text for a clipboard (52).
    Copy(ClipboardStore),
    /// More of it than one may copy.
    CopyTooLong,
    /// A question for a clipboard (52).
    Paste(ClipboardLoad),
    /// What a program says that it is doing (7501); none when the report is to be dropped.
    Status(Option<StatusReport>),
    /// Whether anybody takes such reports (7501).
    StatusQuery(&'static str),
    /// A link that is no good: what follows belongs to none (8).
    NoLink,
    /// Something that the emulator knows: colours, links, the cursor's shape.
    Emulator,
    /// Something that nobody here knows.
    Unknown,
}

/// A part of a kitty notification (OSC 99).
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which notification it is of.
    pub id: String,
    /// Nothing more of it follows.
    pub done: bool,
    /// It is of the body, not the title; none for what is neither.
    pub is_body: Option<bool>,
    /// Its text.
    pub text: String,
}

/// Reads the content of an OSC.
pub fn read(content: &[u8], end: End) -> Osc {
    let (number, rest) = split(content, b';');
    let rest = rest.unwrap_or_default();
    match number {
        b"0" | b"2" => Osc::Title(clean(rest, TITLE_MAX).trim().to_owned()),
        b"4" | b"10" | b"11" | b"12" | b"22" | b"50" | b"104" | b"110" | b"111" | b"112" => Osc::Emulator,
        b"7" => cwd(rest).map_or(Osc::Unknown, Osc::Cwd),
        b"8" => {
            let (params, uri) = split(rest, b';');
            let is_fine = params.len() <= LINK_ID_MAX
                && uri.is_some_and(|uri| uri.len() <= LINK_MAX && str::from_utf8(uri).is_ok_and(no_controls));
            if is_fine { Osc::Emulator } else { Osc::NoLink }
        }
        b"9" => notification_or_progress(rest),
        b"52" => clipboard(rest, end),
        b"99" => chunk(rest),
        b"133" => match split(rest, b';') {
            // The prompt of a line that goes on is none to jump to.
            (b"A", params) if !params.is_some_and(|params| has(params, b"k=s")) => Osc::Prompt,
            (b"D", code) => {
                let code = code.map(|code| split(code, b';').0);
                Osc::CommandEnd(code.and_then(|code| str::from_utf8(code).ok()?.parse().ok()))
            }
            _ => Osc::Unknown,
        },
        b"7501" if rest == b"?" => Osc::StatusQuery(end.as_str()),
        b"7501" => Osc::Status(StatusReport::parse(rest)),
        b"777" => match split(rest, b';') {
            (b"notify", Some(text)) => {
                let (title, body) = split(text, b';');
                notify(title, body.unwrap_or_default())
            }
            _ => Osc::Unknown,
        },
        _ => Osc::Unknown,
    }
}

/// What stands for an OSC that was too long, from how it began.
pub fn refused(start: &[u8]) -> Osc {
    match split(start, b';').0 {
        b"8" => Osc::NoLink,
        b"52" => Osc::CopyTooLong,
        _ => Osc::Unknown,
    }
}

fn split(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(end) => (&bytes[..end], Some(&bytes[end + 1..])),
        None => (bytes, None),
    }
}

fn has(params: &[u8], wanted: &[u8]) -> bool {
    params.split(|byte| *byte == b';').any(|param| param == wanted)
}

/// Text that can be shown anywhere: no control characters, none of those that turn the direction of writing.
pub fn clean(bytes: &[u8], most: usize) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !crate::protocol::acts(*c)).take(most).collect()
}

fn no_controls(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn notify(title: &[u8], body: &[u8]) -> Osc {
    let text = |bytes| clean(bytes, NOTIFICATION_MAX).trim().to_owned();
    let notification = Notification { title: text(title), body: text(body) };
    if notification == Notification::default() { Osc::Unknown } else { Osc::Notify(notification) }
}

/// OSC 9 is iTerm2's notification. ConEmu's commands begin with a number from 1 to 12 and go by the same name; of
/// those, 4 is progress and the others are nothing to tell a person.
fn notification_or_progress(rest: &[u8]) -> Osc {
    let (first, params) = split(rest, b';');
    let command = str::from_utf8(first).ok().filter(|text| text.len() <= 2).and_then(|text| text.parse::<u8>().ok());
    match (command, params) {
        (Some(4), params) => progress(params.unwrap_or_default()).map_or(Osc::Unknown, Osc::Progress),
        (Some(1..=12), Some(_)) => Osc::Unknown,
        _ => notify(b"", rest),
    }
}

fn progress(params: &[u8]) -> Option<Progress> {
    let (state, percent) = split(params, b';');
    let percent = split(percent.unwrap_or_default(), b';').0;
    let percent = match percent {
        b"" => 0,
        digits => str::from_utf8(digits).ok()?.parse::<u32>().ok()?.min(100) as u8,
    };
    match state {
        b"" | b"0" => Some(Progress::None),
        b"1" => Some(Progress::Normal(percent)),
        b"2" => Some(Progress::Error(percent)),
        b"3" => Some(Progress::Indeterminate),
        b"4" => Some(Progress::Paused(percent)),
        _ => None,
    }
}

/// `file://host/path`, percent-encoded (OSC 7).
fn cwd(uri: &[u8]) -> Option<Cwd> {
    let rest = uri.strip_prefix(b"file://")?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let host = str::from_utf8(&rest[..slash]).ok().filter(|host| no_controls(host))?;
    let path = percent_decode(&rest[slash..]);
    let is_fine = path.len() <= PATH_MAX && !String::from_utf8_lossy(&path).chars().any(char::is_control);
    is_fine.then(|| Cwd { host: host.to_owned(), path: PathBuf::from(std::ffi::OsString::from_vec(path)) })
}

/// `%41` is `A`; what is not of that form stays as it is.
fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)))
        {
            decoded.push(high * 16 + low);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    decoded
}

/// `selections ; base64` copies, `selections ; ?` asks (OSC 52).
fn clipboard(rest: &[u8], end: End) -> Osc {
    let (names, Some(data)) = split(rest, b';') else { return Osc::Unknown };
    let Some(names) = str::from_utf8(names).ok().filter(|names| {
        names.len() <= 16 && names.chars().all(|name| matches!(name, 'c' | 'p' | 'q' | 's' | '0'..='7'))
    }) else {
        return Osc::Unknown;
    };
    // xterm's own default is the selection and a cut buffer; everybody since means the clipboard.
    let primary = names.contains(['p', 's']) && !names.contains('c');
    let selection = if primary { Selection::Primary } else { Selection::Clipboard };
    if data == b"?" {
        return Osc::Paste(ClipboardLoad::new(selection, names, end.as_str()));
    }
    match BASE64.decode(data) {
        Ok(text) if text.len() > CLIPBOARD_MAX => Osc::CopyTooLong,
        Ok(text) => Osc::Copy(ClipboardStore { selection, text: String::from_utf8_lossy(&text).into() }),
        Err(_) => Osc::Unknown,
    }
}

/// `key=value:key=value ; payload` (OSC 99, kitty's notifications).
fn chunk(rest: &[u8]) -> Osc {
    let (metadata, Some(payload)) = split(rest, b';') else { return Osc::Unknown };
    let mut chunk = Chunk { id: String::new(), done: true, is_body: Some(false), text: String::new() };
    let mut encoded = false;
    for (key, value) in metadata.split(|byte| *byte == b':').map(|pair| split(pair, b'=')) {
        let value = value.unwrap_or_default();
        match key {
            b"i" => chunk.id = clean(value, 64),
            b"d" => chunk.done = value != b"0",
            b"e" => encoded = value == b"1",
            b"p" => {
                chunk.is_body = match value {
                    b"title" => Some(false),
                    b"body" => Some(true),
                    // A question, a closing, an icon: nothing that a person reads.
                    b"?" | b"close" | b"alive" => return Osc::Unknown,
                    _ => None,
                };
            }
            _ => {}
        }
    }
    if chunk.is_body.is_some() {
        let decoded = if encoded { BASE64.decode(payload).unwrap_or_default() } else { payload.to_vec() };
        chunk.text = clean(&decoded, NOTIFICATION_MAX);
    }
    Osc::Chunk(chunk)
}

/// Kitty notifications that have not come whole yet.
#[derive(Debug, Default)]
pub struct Chunks {
    open: Vec<(String, Notification)>,
}

impl Chunks {
    /// Notifications that may be open at a time; one more, and the oldest is forgotten.
    const OPEN_MAX: usize = 4;

    /// Takes a part in; gives the notification that it completes.
    pub fn add(&mut self, chunk: Chunk) -> Option<Notification> {
        let at = self.open.iter().position(|(id, _)| *id == chunk.id);
        let (id, mut notification) = at.map_or_else(|| (chunk.id, Notification::default()), |at| self.open.remove(at));
        let field = match chunk.is_body {
            Some(true) => Some(&mut notification.body),
            Some(false) => Some(&mut notification.title),
            None => None,
        };
        if let Some(field) = field {
            let room = NOTIFICATION_MAX.saturating_sub(field.chars().count());
            field.extend(chunk.text.chars().take(room));
        }
        if !chunk.done {
            if self.open.len() == Self::OPEN_MAX {
                self.open.remove(0);
            }
            self.open.push((id, notification));
            return None;
        }
        (notification != Notification::default()).then_some(notification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn osc(content: &str) -> Osc {
        read(content.as_bytes(), End::Bell)
    }

    fn notified(title: &str, body: &str) -> Osc {
        Osc::Notify(Notification { title: title.to_owned(), body: body.to_owned() })
    }

    #[test]
    fn notifications_of_three_families() {
        assert_eq!(osc("9;Done; all of it"), notified("", "Done; all of it"));
        assert_eq!(osc("9;4 tests failed"), notified("", "4 tests failed"));
        assert_eq!(osc("9;13;x"), notified("", "13;x"));
        assert_eq!(osc("777;notify;Build;it failed; see log"), notified("Build", "it failed; see log"));
        assert_eq!(osc("777;notify;Build"), notified("Build", ""));
        for nothing in ["9;", "9;2;a message box", "9;9;C:/x", "777;preexec", "777;notify;;", "9; \u{202e}"] {
            assert_eq!(osc(nothing), Osc::Unknown, "{nothing:?}");
        }
        assert_eq!(read(b"9;a\xffb\xc2\x9bc\xe2\x80\xaed", End::St), notified("", "a\u{fffd}bcd"));
    }

    #[test]
    fn kittys_notifications_come_in_parts() {
        let mut chunks = Chunks::default();
        let mut add = |content: &str| match osc(content) {
            Osc::Chunk(chunk) => chunks.add(chunk).map(|notification| notification.text()),
            other => panic!("{other:?}"),
        };
        assert_eq!(add("99;;Hello world"), Some("Hello world".to_owned()));
        assert_eq!(add("99;i=1:d=0;Hello "), None);
        assert_eq!(add("99;i=2:d=0;Other"), None);
        assert_eq!(add("99;i=1:d=0:p=title;world"), None);
        assert_eq!(add("99;i=1:d=0:p=icon;xxxx"), None);
        assert_eq!(add("99;i=1:p=body:e=1;dGhlIGJvZHk="), Some("Hello world: the body".to_owned()));
        assert_eq!(add("99;i=2:p=body;"), Some("Other".to_owned()));
        for n in 0..100 {
            assert_eq!(add(&format!("99;i=x{n}:d=0;{}", "a".repeat(3000))), None);
        }
        assert_eq!(chunks.open.len(), Chunks::OPEN_MAX);
        assert!(chunks.open.iter().all(|(_, open)| open.title.len() <= NOTIFICATION_MAX));
        assert_eq!(osc("99;i=1:p=?;"), Osc::Unknown);
    }

    #[test]
    fn progress_is_not_text() {
        assert_eq!(osc("9;4;1;50"), Osc::Progress(Progress::Normal(50)));
        assert_eq!(osc("9;4;2;7"), Osc::Progress(Progress::Error(7)));
        assert_eq!(osc("9;4;3"), Osc::Progress(Progress::Indeterminate));
        assert_eq!(osc("9;4;4;300"), Osc::Progress(Progress::Paused(100)));
        assert_eq!(osc("9;4;0;"), Osc::Progress(Progress::None));
        for wrong in ["9;4;7;1", "9;4;1;x", "9;4;1;-5", "9;4;x"] {
            assert_eq!(osc(wrong), Osc::Unknown, "{wrong:?}");
        }
    }

    #[test]
    fn folders_are_decoded() {
        let at = |host: &str, path: &str| Osc::Cwd(Cwd { host: host.to_owned(), path: path.into() });
        assert_eq!(osc("7;file:///tmp/a%20b%zz%C3%A9"), at("", "/tmp/a b%zz\u{e9}"));
        assert_eq!(osc("7;file://host.example/"), at("host.example", "/"));
        for wrong in ["7;", "7;/tmp", "7;file://host", "7;http://x/", "7;file:///a%00b", "7;file:///a%0ab"] {
            assert_eq!(osc(wrong), Osc::Unknown, "{wrong:?}");
        }
        assert_eq!(osc(&format!("7;file:///{}", "x".repeat(PATH_MAX))), Osc::Unknown);
    }

    #[test]
    fn prompts_and_the_ends_of_commands() {
        assert_eq!(osc("133;A"), Osc::Prompt);
        assert_eq!(osc("133;A;cl=m;aid=1"), Osc::Prompt);
        assert_eq!(osc("133;A;k=s"), Osc::Unknown);
        assert_eq!(osc("133;D"), Osc::CommandEnd(None));
        assert_eq!(osc("133;D;130;aid=1"), Osc::CommandEnd(Some(130)));
        assert_eq!(osc("133;C"), Osc::Unknown);
    }

    #[test]
    fn clipboards_are_decoded_and_bounded() {
        let copied = |selection, text: &str| Osc::Copy(ClipboardStore { selection, text: text.into() });
        assert_eq!(osc("52;c;aGk="), copied(Selection::Clipboard, "hi"));
        assert_eq!(osc("52;;aGk"), copied(Selection::Clipboard, "hi"));
        assert_eq!(osc("52;p;aGk="), copied(Selection::Primary, "hi"));
        assert_eq!(osc("52;pc;"), copied(Selection::Clipboard, ""));
        for wrong in ["52", "52;c", "52;x;aGk=", "52;c;!!!!", "52;cccccccccccccccccc;?"] {
            assert_eq!(osc(wrong), Osc::Unknown, "{wrong:?}");
        }
        let Osc::Paste(asked) = read(b"52;p;?", End::St) else { panic!("no question") };
        assert_eq!(asked.selection, Selection::Primary);
        assert_eq!(asked.answer(b"hi"), "\x1b]52;p;aGk=\x1b\\");
        assert_eq!(asked.answer(b""), "\x1b]52;p;\x1b\\");
        let shown = format!("{:?}", osc("52;c;c2VjcmV0"));
        assert!(!shown.contains("secret") && shown.contains("6 bytes"), "{shown}");
        let most = base64::engine::general_purpose::STANDARD.encode(vec![b'x'; CLIPBOARD_MAX]);
        assert!(matches!(osc(&format!("52;c;{most}")), Osc::Copy(_)));
        let more = base64::engine::general_purpose::STANDARD.encode(vec![b'x'; CLIPBOARD_MAX + 1]);
        assert_eq!(osc(&format!("52;c;{more}")), Osc::CopyTooLong);
    }

    #[test]
    fn links_are_bounded() {
        assert_eq!(osc("8;;http://example.org/a;b"), Osc::Emulator);
        assert_eq!(osc("8;;"), Osc::Emulator);
        assert_eq!(osc(&format!("8;;{}", "x".repeat(LINK_MAX + 1))), Osc::NoLink);
        assert_eq!(osc(&format!("8;id={};x", "x".repeat(LINK_ID_MAX))), Osc::NoLink);
        assert_eq!(osc("8"), Osc::NoLink);
    }
}
