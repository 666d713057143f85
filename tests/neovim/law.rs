//! The renderer's law in Neovim: whatever a program prints, the buffer's text is the host's screen.
//!
//! Programs may use every sequence there is, since Neovim's emulator gets nothing but frames. Left out of their text
//! are characters of which its emulator and the host's do not agree how many columns they take, so that no frame can
//! show them alike: joiners and variation selectors, symbols that are wide in one and narrow in the other, and more
//! than two marks over a character. Neovim 0.10 cannot clear its scrollback by CSI 3 J.

use std::fmt::Write as _;

use crate::driver::Editor;

/// Streams for each Neovim, each printed in several parts. `TERMI_TEST_CASES` says another number.
const STREAMS: u64 = 30;
const PARTS: u64 = 6;

/// A small generator of numbers: what is printed is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

const TEXT: &[&str] = &[
    "plain",
    "two words",
    "  indented",
    "a.b/c-d",
    "\u{4f60}\u{597d}",
    "\u{e9}t\u{e9}",
    "e\u{301}o\u{308}",
    "\u{1f600}",
    "\u{3042}x\u{d55c}",
    "|",
    " ",
    "0123456789",
    "end of it\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\t",
    "\u{8}",
];

const SEQUENCES: &[&str] = &[
    "\x1b7",
    "\x1b8",
    "\x1bM",
    "\x1bD",
    "\x1bE",
    "\x1bc",
    "\x1b[m",
    "\x1b[1;31m",
    "\x1b[7m",
    "\x1b[44m",
    "\x1b[4m",
    "\x1b[K",
    "\x1b[1K",
    "\x1b[2K",
    "\x1b[J",
    "\x1b[1J",
    "\x1b[2J",
    "\x1b[4h",
    "\x1b[4l",
    "\x1b[?6h",
    "\x1b[?6l",
    "\x1b[?7l",
    "\x1b[?7h",
    "\x1b[?25l",
    "\x1b[?25h",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "\x1b[?1h",
    "\x1b[?2004h",
    "\x1b#8",
    "\x1b(0qqq\x1b(B",
    "\x1b]8;;http://example.org/\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[?3h",
    "\x1b[3g",
];

fn output(numbers: &mut Numbers) -> String {
    let mut text = String::new();
    for _ in 0..2 + numbers.below(40) {
        let n = numbers.below(12);
        let _ = match numbers.below(10) {
            0..=4 => write!(text, "{}", numbers.pick(TEXT)),
            5 => write!(text, "{}", numbers.pick(SEQUENCES)),
            6 => write!(text, "\x1b[{};{}H", numbers.below(40), numbers.below(120)),
            7 => {
                write!(text, "\x1b[{n}{}", numbers.pick(&["A", "B", "C", "D", "G", "L", "M", "P", "S", "T", "X", "@"]))
            }
            8 => write!(text, "\x1b[{};{}r", n, n + numbers.below(30)),
            _ => write!(text, "\r\nline {n} of a log{}", "\r\nand more".repeat(usize::try_from(n / 3).unwrap())),
        };
    }
    text
}

/// What is not the same in the buffer and in the host's screen; empty when nothing is.
const DIFFERENCE: &str = r"
    local buf = vim.api.nvim_get_current_buf()
    local screen = require('termi').snapshot(vim.b.termi.session_id, { scrollback = 0 })
    local rows = screen.size.rows
    local lines = vim.api.nvim_buf_get_lines(buf, -rows - 1, -1, false)
    local found = {}
    for row = 1, rows do
        local is, wanted = (lines[row] or ''):gsub('%s+$', ''), (screen.lines[row] or ''):gsub('%s+$', '')
        if is ~= wanted then
            table.insert(found, ('row %d is %s, not %s'):format(row, vim.inspect(is), vim.inspect(wanted)))
        end
    end
    return table.concat(found, '\n')";

fn agrees(editor: &mut Editor, what: &str, printed: &str) {
    let mut difference = String::new();
    for _ in 0..500 {
        difference = editor.lua_text(DIFFERENCE);
        if difference.is_empty() {
            return;
        }
        std::thread::sleep(crate::home::LOOK_EVERY);
    }
    panic!("{what} after {printed:?}:\n{difference}");
}

in_each_neovim! {
    fn a_buffers_text_is_the_hosts_screen_whatever_is_printed(editor, start => start.size(100, 30)) {
        editor.ex("TermiRun ++open=current stty -echo -opost; echo ready; while read file; do cat $file; done");
        editor.sees("ready");
        let streams = std::env::var("TERMI_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(STREAMS);
        for stream in 1..=streams {
            let mut numbers = Numbers(stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for part in 0..PARTS {
                let printed = output(&mut numbers);
                let what = format!("stream {stream}, part {part}");
                // The title comes last: once it is there, so is all before it.
                editor.home.write("work/part", format!("{printed}\x1b]2;{what}\x07"));
                editor.lua("require('termi').send(vim.b.termi.session_id, 'part', { enter = true })");
                editor.eventually_lua(&what, &format!("vim.b.term_title == '{what}'"));
                agrees(editor, &what, &printed);
            }
            if stream % 10 == 0 {
                let (columns, rows) = if stream % 20 == 0 { (100, 30) } else { (71, 22) };
                editor.resize(columns, rows);
                editor.eventually_lua("the host has the size", &format!(
                    "require('termi').snapshot(vim.b.termi.session_id).size.cols == {columns}"
                ));
                agrees(editor, "a new size", "");
            }
        }
    }

    fn rows_that_leave_a_part_of_the_screen_enter_the_scrollback_once(editor, start => start.size(80, 24)) {
        // As apt does it: the last row is a status line, above it lines scroll by.
        editor.ex(
            r"TermiRun ++open=current printf '\033[2J\033[1;21r\033[22Hstatus\033[1H'; for n in $(seq 200); do echo line $n; case $n in *[05]) sleep 0.02;; esac; done; printf '\033[r\033[20Hdone'; sleep 100",
        );
        editor.sees("done");
        editor.eventually_lua("every line, once and in order", "(function()
            local numbers = {}
            for _, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
                numbers[#numbers + 1] = line:match('^line (%d+)')
            end
            for n = 1, 199 do
                if numbers[n] ~= tostring(n) then
                    return false
                end
            end
            return #numbers <= 200
        end)()");
        editor.sees("status");
    }
}
