//! A real Neovim with the plugin and a screen attached, driven as a person drives it: keys in, screen out.

mod grid;
mod rpc;
mod start;

use std::{
    process::Child,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

pub use grid::{CursorShape, Grid, Look};
use rmpv::Value;
use rpc::{Message, Wire};
pub use start::{Start, Version, repository};

use crate::home::{Home, LOOK_EVERY, PATIENCE};

pub struct Editor {
    pub home: Rc<Home>,
    pub version: Version,
    child: Child,
    wire: Wire,
    screen: Grid,
    replies: Vec<(u64, Result<Value, Value>)>,
    keys_settled: u64,
    has_ended: bool,
}

impl Editor {
    /// Runs one test in a Neovim of its own, and then sees that it ends with no error shown and nothing left behind.
    pub fn test(start: Start, body: impl FnOnce(&mut Self)) {
        let mut editor = start.editor();
        body(&mut editor);
        editor.finish();
    }

    // What a person does

    /// Types keys, in the notation of mappings (`<CR>`, `<C-c>`, `<lt>`).
    pub fn input(&mut self, keys: &str) {
        let mut rest = keys;
        while !rest.is_empty() {
            let taken = self.call("nvim_input", vec![rest.into()]).unwrap().as_u64().unwrap();
            rest = &rest[usize::try_from(taken).unwrap()..];
            if !rest.is_empty() {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Types text as it is.
    pub fn type_text(&mut self, text: &str) {
        self.input(&text.replace('<', "<lt>"));
    }

    /// Types a command of the command line, from whatever mode Neovim is in, and waits until it has been carried out.
    pub fn ex(&mut self, command: &str) {
        let typed = command.replace('<', "<lt>");
        self.input(&format!("<C-\\><C-n>:{typed}<CR>"));
        self.settle();
    }

    /// Waits until Neovim has handled all keys typed so far.
    pub fn settle(&mut self) {
        // A request would be answered too early, while Neovim waits for something within a command. Keys are taken in
        // order.
        self.keys_settled += 1;
        let mark = self.keys_settled;
        self.input(&format!("<Cmd>let g:keys_settled = {mark}<CR>"));
        self.eventually_lua("all keys are handled", &format!("vim.g.keys_settled == {mark}"));
    }

    /// Pastes as a terminal that Neovim runs in does.
    pub fn paste(&mut self, text: &str) {
        self.call("nvim_paste", vec![text.into(), true.into(), (-1).into()]).unwrap();
    }

    /// Presses, drags or releases a mouse button at a cell of the screen.
    pub fn mouse(&mut self, button: &str, action: &str, row: usize, column: usize) {
        let place = |number: usize| Value::from(u64::try_from(number).unwrap());
        self.call(
            "nvim_input_mouse",
            vec![button.into(), action.into(), "".into(), 0.into(), place(row), place(column)],
        )
        .unwrap();
    }

    /// Gives Neovim's own window another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.call("nvim_ui_try_resize", vec![columns.into(), rows.into()]).unwrap();
    }

    // What a person sees

    /// The screen now.
    pub fn screen(&mut self) -> &Grid {
        while let Some(message) = self.wire.receive(Duration::ZERO) {
            self.take(message);
        }
        self.until_drawn("the redraw to be finished", Grid::is_complete);
        &self.screen
    }

    /// Waits until the screen is so.
    pub fn eventually(&mut self, what: &str, is_so: impl Fn(&Grid) -> bool) -> &Grid {
        self.until_drawn(what, |screen| screen.is_complete() && is_so(screen));
        &self.screen
    }

    /// Waits until the screen shows a text.
    pub fn sees(&mut self, text: &str) -> &Grid {
        self.eventually(&format!("{text:?} is seen"), |screen| screen.contains(text))
    }

    /// Waits until the screen shows a text no more.
    pub fn sees_no(&mut self, text: &str) -> &Grid {
        self.eventually(&format!("{text:?} is gone"), |screen| !screen.contains(text))
    }

    /// Waits until keys go to the program.
    pub fn is_in_terminal_mode(&mut self) {
        self.eventually_lua("terminal mode", "vim.api.nvim_get_mode().mode == 't'");
    }

    fn until_drawn(&mut self, what: &str, is_so: impl Fn(&Grid) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.screen) {
            match self.wire.receive(until.saturating_duration_since(Instant::now())) {
                Some(message) => self.take(message),
                None => panic!("in vain: {what}"),
            }
        }
    }

    // What only a program can ask

    /// Evaluates Lua; fails when it raises.
    pub fn lua(&mut self, code: &str) -> Value {
        self.try_lua(code).unwrap_or_else(|error| panic!("{code}\nraised: {error}"))
    }

    /// Evaluates Lua; what it raises is the error.
    pub fn try_lua(&mut self, code: &str) -> Result<Value, String> {
        self.call("nvim_exec_lua", vec![code.into(), Value::Array(vec![])]).map_err(|error| {
            let text = error.as_array().and_then(|parts| parts.get(1)?.as_str()).unwrap_or_default();
            text.to_owned()
        })
    }

    pub fn lua_text(&mut self, code: &str) -> String {
        let value = self.lua(code);
        value.as_str().unwrap_or_else(|| panic!("{code}\nis no text but {value}")).to_owned()
    }

    pub fn lua_number(&mut self, code: &str) -> i64 {
        let value = self.lua(code);
        value.as_i64().unwrap_or_else(|| panic!("{code}\nis no whole number but {value}"))
    }

    /// A list of texts.
    pub fn lua_texts(&mut self, code: &str) -> Vec<String> {
        let value = self.lua(code);
        // An empty table of Lua is a map or a list.
        let items = value.as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a Lua expression is true.
    pub fn eventually_lua(&mut self, what: &str, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.lua(&format!("return ({expression}) and true or false")) != Value::Boolean(true) {
            assert!(Instant::now() < until, "in vain: {what}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The lines of the current buffer, without the empty ones at its end.
    pub fn buffer(&mut self) -> Vec<String> {
        let mut lines = self.lua_texts("return vim.api.nvim_buf_get_lines(0, 0, -1, false)");
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// What `:messages` holds, which is forgotten thereby: a test that expects an error takes it here.
    pub fn take_messages(&mut self) -> String {
        self.lua_text(
            "local said = vim.api.nvim_exec2('messages', { output = true }).output
             vim.cmd('messages clear')
             vim.v.errmsg = ''
             return said",
        )
    }

    /// Waits until something has been said that contains a text, and takes it. A long message is said in lines.
    pub fn hears(&mut self, text: &str) -> String {
        let quoted = text.replace('\\', "\\\\").replace('\'', "\\'");
        self.eventually_lua(
            &format!("{text:?} is said"),
            &format!(
                "vim.api.nvim_exec2('messages', {{ output = true }}).output:gsub('\\n', ' '):find('{quoted}', 1, true)"
            ),
        );
        self.take_messages()
    }

    fn call(&mut self, method: &str, params: Vec<Value>) -> Result<Value, Value> {
        let id = self.wire.send(method, params);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.replies.iter().position(|(of, _)| *of == id) {
                return self.replies.swap_remove(at).1;
            }
            match self.wire.receive(until.saturating_duration_since(Instant::now())) {
                Some(message) => self.take(message),
                None => panic!("Neovim does not answer {method}"),
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Reply { id, result } => self.replies.push((id, result)),
            Message::Notification { method, params } if method == "redraw" => self.screen.redraw(&params),
            Message::Notification { .. } => {}
        }
    }

    // The end

    /// Kills Neovim with -9.
    pub fn kill(&mut self) {
        self.has_ended = true;
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Quits Neovim as a person does, and waits for its end.
    pub fn quit(&mut self) {
        self.wire.send("nvim_input", vec!["<C-\\><C-n>:qall!<CR>".into()]);
        self.wait_end();
    }

    /// Waits until Neovim has quit.
    pub fn wait_end(&mut self) {
        self.has_ended = true;
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "Neovim does not quit");
            thread::sleep(LOOK_EVERY);
        }
    }

    fn finish(&mut self) {
        if !self.has_ended {
            let error = self.lua_text("return vim.v.errmsg");
            assert_eq!(error, "", "an error was shown");
            let said = self.take_messages();
            for sign in ["stack traceback", "Error", "attempt to", "cannot handle"] {
                assert!(!said.contains(sign), "an error was shown:\n{said}");
            }
            self.quit();
        }
        self.home.assert_deserted_within(Duration::from_secs(3));
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("Neovim {:?} showed last:\n{}", self.version, self.screen);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
