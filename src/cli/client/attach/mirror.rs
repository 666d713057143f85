//! Mirrors a run's screen on the user's terminal.
//!
//! A frame is a difference for an emulator with a scrollback and two screens. The user's terminal shows all of it on
//! its alternate screen: neither its scrollback nor that screen are the program's. So every frame is fed to an emulator
//! of our own too, and whatever cannot be passed on as it came is painted from there.

use std::fmt::Write as _;

use crate::{
    protocol::{Frame, FrameBody, Size},
    term::{Modes, MouseReport, Terminal},
    view::{encode_line, encode_modes},
};

/// The user's terminal has a scrollback of its own; none is needed here.
const TRANSCRIPT_BYTES: usize = 1 << 10;

/// Nothing between these is seen before all of it is, where a terminal knows them.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

pub struct ScreenMirror {
    screen: Terminal,
    /// The terminal shows what the emulator does.
    in_step: bool,
}

impl ScreenMirror {
    pub fn new(size: Size) -> Self {
        Self { screen: Terminal::new(size, TRANSCRIPT_BYTES), in_step: false }
    }

    /// The terminal has this size now, and what is on it is not known.
    pub fn resize(&mut self, size: Size) {
        self.screen.resize(size);
        self.in_step = false;
    }

    /// Takes a frame in; returns what is to be written to the terminal.
    pub fn take(&mut self, frame: &Frame) -> String {
        let FrameBody::Ansi { data } = &frame.body else { return String::new() };
        self.screen.feed(data.as_bytes());
        // The host answers what programs ask.
        self.screen.take_effects();
        self.in_step &= !frame.reset && !data.contains("\x1b[?1049");
        if !frame.current {
            // A part of more: it is shown when it is whole, not as it rushes by.
            self.in_step = false;
            return String::new();
        }
        if self.in_step { format!("{BEGIN}{}{END}", data.replace("\x1b[3J", "")) } else { self.repaint() }
    }

    /// Everything, for a terminal of which nothing is known.
    pub fn repaint(&mut self) -> String {
        self.in_step = true;
        let mut data = format!("{BEGIN}\x1b[?25l\x1b[m\x1b[r");
        for (row, line) in self.screen.rows().enumerate() {
            // Erased first: after a character in the last column, the cursor would still stand on it.
            let _ = write!(data, "\x1b[{}H\x1b[2K{}\x1b[m", row + 1, encode_line(&line));
        }
        let cursor = self.screen.cursor();
        let _ = write!(data, "\x1b[{};{}H", cursor.row + 1, cursor.col + 1);
        data.push_str(&encode_modes(self.screen.modes()));
        let title = self.screen.title();
        if !title.is_empty() {
            let _ = write!(data, "\x1b]2;{title}\x1b\\");
        }
        data + END
    }

    /// The terminal was told to report the mouse.
    pub fn reports_mouse(&self) -> bool {
        let Modes { mouse, focus, .. } = self.screen.modes();
        mouse != MouseReport::Off || focus
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::Format, view::View};

    const SIZE: Size = Size { rows: 5, cols: 20 };

    /// One terminal as the host has it, and one as the user does: on its alternate screen throughout.
    struct Both {
        host: Terminal,
        view: View,
        mirror: ScreenMirror,
        user: Terminal,
    }

    impl Both {
        fn new() -> Self {
            let host = Terminal::new(SIZE, 100_000);
            let mut user = Terminal::new(SIZE, 100_000);
            user.feed(b"the shell\r\n\x1b[?1049h");
            Self { view: View::new(Format::Ansi, &host), host, mirror: ScreenMirror::new(SIZE), user }
        }

        fn print(&mut self, bytes: &[u8]) -> String {
            self.host.feed(bytes);
            self.host.take_effects();
            let mut written = String::new();
            let mut seq = 0;
            while let Some(next) = self.view.next_frame(&self.host) {
                seq += 1;
                let frame = Frame {
                    view_id: crate::protocol::ViewId(1),
                    seq,
                    run_id: None,
                    format: None,
                    rows: None,
                    cols: None,
                    reset: next.reset,
                    current: next.is_current,
                    body: next.body,
                };
                written += &self.mirror.take(&frame);
            }
            self.user.feed(written.as_bytes());
            self.user.take_effects();
            written
        }

        fn assert_same(&self, what: &str) {
            assert_eq!(self.user.rows().collect::<Vec<_>>(), self.host.rows().collect::<Vec<_>>(), "{what}");
            assert_eq!(self.user.cursor(), self.host.cursor(), "{what}");
            let modes = Modes { alternate_screen: true, ..self.host.modes() };
            assert_eq!(self.user.modes(), modes, "{what}");
        }
    }

    #[test]
    fn the_terminal_shows_what_the_program_does_and_stays_on_its_alternate_screen() {
        let mut both = Both::new();
        for bytes in [
            &b"one\r\ntwo \x1b[31mred\x1b[m"[..],
            b"\r\n3\r\n4\r\n5\r\n6\r\n7",
            "\x1b[44m\u{4f60}\u{597d}\x1b[K\x1b[m".as_bytes(),
            b"\x1b[?1049h\x1b[2J\x1b[Hfull screen\x1b[?1002h\x1b[?1006h\x1b[?1h\x1b=",
            b"\x1b[4Hmore\x1b[5;20HX",
            b"\x1b[?1049l\x1b[?1002l\x1b[?1006l\x1b[?1l\x1b>",
            b"\x1b[H\x1b[2J\x1b[3Jcleared",
            b"\x1b[?25l\x1b[?2004h",
        ] {
            let written = both.print(bytes);
            both.assert_same(&format!("{bytes:?}"));
            assert!(!written.contains("\x1b[3J") && !written.contains("\x1b[?1049"), "{written:?}");
        }
        let many: String = (0..20_000).map(|n| format!("{n}\r\n")).collect();
        both.print(many.as_bytes());
        both.assert_same("a flood");
        both.user.feed(b"\x1b[?1049l");
        assert_eq!(both.user.row(0).text, "the shell");
    }

    #[test]
    fn a_key_costs_a_few_bytes_and_a_new_size_everything() {
        let mut both = Both::new();
        both.print(b"$ ");
        assert_eq!(both.print(b"l"), format!("{BEGIN}l{END}"));
        both.mirror.resize(SIZE);
        assert!(both.print(b"s").contains("\x1b[1H\x1b[2K$ ls"));
        both.assert_same("painted anew");
    }
}
