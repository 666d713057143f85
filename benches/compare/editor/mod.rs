//! A real Neovim 0.12 with the plugin and a UI attached, whose every redraw event is read.

mod grid;
mod wire;

use std::{
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rmpv::{Value, ValueRef};

use crate::home::Home;
pub use grid::Grid;
use wire::Wire;

/// The UI's size, one for all measurements.
pub const COLUMNS: u16 = 160;
pub const ROWS: u16 = 48;

/// How long anything may take that is not itself measured.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Editor {
    pub home: Home,
    child: Child,
    wire: Wire,
    seen: Seen,
}

/// What has come.
#[derive(Default)]
struct Seen {
    screen: Grid,
    replies: Vec<(u64, Result<Value, Value>)>,
    /// Texts that the Lua of a measurement sent (`tell(...)`) and nobody took yet.
    told: Vec<String>,
}

impl Editor {
    /// Starts one and attaches a UI. `more` is Lua that defines what the measurement calls.
    pub fn start(nvim: &Path, more: &str) -> Self {
        let home = Home::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = home.command(nvim);
        command.args(["--embed", "--clean", "-n", "--cmd"]).arg(format!("set rtp^={}", root.display()));
        command.args(["--cmd", "set noshowcmd noruler shortmess+=I"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Neovim starts");
        let wire = Wire::new(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut editor = Self { home, child, wire, seen: Seen::default() };
        let options = Value::Map(vec![("rgb".into(), true.into()), ("ext_linegrid".into(), true.into())]);
        editor.call("nvim_ui_attach", vec![COLUMNS.into(), ROWS.into(), options]);
        let channel = editor.call("nvim_get_api_info", vec![]).as_array().unwrap()[0].as_u64().unwrap();
        let binary = env!("CARGO_BIN_EXE_termi");
        editor.lua(&format!("require('termi').setup({{ binary = [[{binary}]] }})"));
        editor.lua(&format!("function _G.tell(what) vim.rpcnotify({channel}, 'tell', what) end"));
        editor.lua(include_str!("both.lua"));
        editor.lua(more);
        editor
    }

    /// The screen as far as it was read.
    pub fn screen(&self) -> &Grid {
        &self.seen.screen
    }

    /// Types keys in the notation of mappings, without waiting for anything.
    pub fn input(&mut self, keys: &str) {
        self.wire.send("nvim_input", vec![keys.into()]);
    }

    /// Begins a call of Lua whose result is of no interest; errors are those of a later call.
    pub fn begin_lua(&mut self, code: &str) -> u64 {
        self.wire.send("nvim_exec_lua", vec![code.into(), Value::Array(vec![])])
    }

    /// One empty window again, whatever was there; what ran is ended, and what it told is forgotten.
    pub fn clean(&mut self) {
        self.input("<C-\\><C-n>");
        self.lua("clean()");
        // Ends are told a moment after the kill that brought them has been answered.
        self.hears(PATIENCE, "clean");
        self.seen.told.clear();
    }

    /// Evaluates Lua; fails when it raises.
    pub fn lua(&mut self, code: &str) -> Value {
        self.call("nvim_exec_lua", vec![code.into(), Value::Array(vec![])])
    }

    pub fn lua_number(&mut self, code: &str) -> u64 {
        self.lua(code).as_u64().unwrap_or_else(|| panic!("{code}\ngave no number"))
    }

    /// Calls a method and waits for the answer; redraw events that come meanwhile are read.
    pub fn call(&mut self, method: &str, params: Vec<Value>) -> Value {
        let id = self.wire.send(method, params);
        self.until(PATIENCE, &format!("Neovim answers {method}"), |seen| seen.replies.iter().any(|(of, _)| *of == id));
        let at = self.seen.replies.iter().position(|(of, _)| *of == id).unwrap();
        let (_, result) = self.seen.replies.swap_remove(at);
        result.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Waits until the screen is so and finished.
    pub fn shows(&mut self, what: &str, is_so: impl Fn(&Grid) -> bool) {
        self.shows_within(PATIENCE, what, is_so);
    }

    pub fn shows_within(&mut self, limit: Duration, what: &str, is_so: impl Fn(&Grid) -> bool) {
        self.until(limit, what, |seen| seen.screen.is_complete() && is_so(&seen.screen));
    }

    /// Waits until the Lua of the measurement has told that, and takes it.
    pub fn hears(&mut self, limit: Duration, what: &str) {
        self.until(limit, &format!("{what:?} is told"), |seen| seen.told.iter().any(|told| told == what));
        self.seen.told.retain(|told| told != what);
    }

    /// Reads what comes for as long.
    pub fn pause(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn(until);
        }
    }

    fn until(&mut self, limit: Duration, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + limit;
        while !is_so(&self.seen) {
            let came = self.turn(until);
            assert!(
                came || Instant::now() < until,
                "waited {limit:?} in vain: {what}; the screen shows\n{}",
                self.seen.screen.text()
            );
        }
    }

    fn turn(&mut self, until: Instant) -> bool {
        let seen = &mut self.seen;
        self.wire.receive(until, |message| seen.take(message))
    }
}

impl Seen {
    fn take(&mut self, message: &[ValueRef]) {
        match message {
            [_, ValueRef::String(method), ValueRef::Array(params)] => match method.as_str() {
                Some("redraw") => self.screen.redraw(params),
                Some("tell") => {
                    self.told.extend(params.iter().map(|text| text.to_owned().as_str().unwrap().to_owned()))
                }
                _ => {}
            },
            [_, ValueRef::Integer(id), error, result] => {
                let result = if *error == ValueRef::Nil { Ok(result.to_owned()) } else { Err(error.to_owned()) };
                self.replies.push((id.as_u64().unwrap(), result));
            }
            other => panic!("not a message: {other:?}"),
        }
    }
}

impl Drop for Editor {
    /// The host ends when its Neovim has; what does not is ended with the home.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let until = Instant::now() + Duration::from_secs(5);
        while !self.home.processes().is_empty() && Instant::now() < until {
            std::thread::sleep(crate::home::LOOK_EVERY);
        }
    }
}
