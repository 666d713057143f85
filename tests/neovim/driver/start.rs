//! How a Neovim of a test is started.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    rc::Rc,
};

use rmpv::Value;

use super::{Editor, Grid, Wire};
use crate::home::Home;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Oldest,
    Newest,
}

impl Version {
    /// Where its executable is: as the environment says, else where `scripts/neovim` puts it.
    pub fn executable(self) -> PathBuf {
        let (variable, number) = match self {
            Self::Oldest => ("TERMI_TEST_NVIM_0_10", "0.10"),
            Self::Newest => ("TERMI_TEST_NVIM_0_12", "0.12"),
        };
        let path = env::var_os(variable)
            .map_or_else(|| repository().join("target/neovim").join(number).join("bin/nvim"), PathBuf::from);
        assert!(path.exists(), "there is no Neovim at {}: run scripts/neovim, or set ${variable}", path.display());
        path
    }
}

/// The plugin, which is this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is particular about the Neovim of a test.
pub struct Start {
    version: Version,
    columns: u16,
    rows: u16,
    setup: Option<&'static str>,
    home: Option<Rc<Home>>,
    config: Option<String>,
}

impl Start {
    pub fn new(version: Version) -> Self {
        Self { version, columns: 100, rows: 30, setup: Some("{}"), home: None, config: None }
    }

    pub fn size(self, columns: u16, rows: u16) -> Self {
        Self { columns, rows, ..self }
    }

    /// Options for `setup()`, a table of Lua; the binary is added.
    pub fn setup(self, options: &'static str) -> Self {
        Self { setup: Some(options), ..self }
    }

    /// It lives where another one has lived, or still does.
    pub fn home(self, home: &Rc<Home>) -> Self {
        Self { home: Some(Rc::clone(home)), ..self }
    }

    /// Lua that a person's configuration holds: it runs before Neovim has started. `BINARY` in it is the one that is
    /// tested.
    pub fn config(self, code: &str) -> Self {
        let code = code.replace("BINARY", &format!("[[{}]]", env!("CARGO_BIN_EXE_termi")));
        Self { config: Some(code), ..self.without_setup() }
    }

    /// The plugin is installed and left alone.
    pub fn without_setup(self) -> Self {
        Self { setup: None, ..self }
    }

    pub fn editor(self) -> Editor {
        let home = self.home.unwrap_or_else(|| Rc::new(Home::new()));
        let mut command = home.command(self.version.executable());
        command.args(["--embed", "--clean", "-n", "--cmd"]);
        command.arg(format!("set rtp^={}", repository().display()));
        // What is written in the corner of the screen is of no interest here.
        command.args(["--cmd", "set noshowcmd noruler shortmess+=I"]);
        if let Some(code) = &self.config {
            let file = home.write("config.lua", code);
            command.args(["--cmd", &format!("luafile {}", file.display())]);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Neovim starts");
        let wire = Wire::new(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut editor = Editor {
            home,
            version: self.version,
            child,
            wire,
            screen: Grid::default(),
            replies: Vec::new(),
            keys_settled: 0,
            has_ended: false,
        };
        let options = Value::Map(vec![("rgb".into(), true.into()), ("ext_linegrid".into(), true.into())]);
        editor.call("nvim_ui_attach", vec![self.columns.into(), self.rows.into(), options]).unwrap();
        if let Some(options) = self.setup {
            editor.set_up(options);
        }
        editor
    }
}

impl Editor {
    /// Calls `setup()` with options, a table of Lua, and the binary that is tested.
    pub fn set_up(&mut self, options: &str) {
        let binary = env!("CARGO_BIN_EXE_termi");
        self.lua(&format!("require('termi').setup(vim.tbl_extend('force', {options}, {{ binary = [[{binary}]] }}))"));
    }
}
