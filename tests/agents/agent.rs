//! An agent in a run of a host: how each is set up, what it is sent, and which states come as events, in order.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::{Value as Json, json};

use crate::{
    SIZE, eventually,
    model::Model,
    support::{Home, Host, LIMIT, Run},
};

/// Between a text and the Return after it: sent as one, agents take them for a paste with a line break.
const PACE: Duration = Duration::from_millis(150);

/// An agent, and what is to be seen of it.
pub struct Kind {
    /// As Termi names it, and its program.
    pub name: &'static str,
    /// Writes its settings into the home, for the model server at this port. Without one it is to ask at its start.
    settings: fn(&Path, Option<u16>),
    /// Its environment, for the same.
    env: fn(u16) -> Json,
    /// What the message of a blocked one is, when it asks for permission to run the model's command.
    pub asks: &'static str,
    /// What it asks at its start, and of which kind that is.
    pub asks_first: &'static str,
    pub first: &'static str,
}

pub const CODEX: Kind = Kind {
    name: "codex",
    settings: |home, port| {
        let provider = port.map_or_else(String::new, |port| {
            format!(
                "model_provider = 'tests'\n[model_providers.tests]\nname = 'tests'\nwire_api = 'responses'\n\
                 base_url = 'http://127.0.0.1:{port}/v1'\nenv_key = 'MODEL_KEY'\n"
            )
        });
        let settings = "check_for_update_on_startup = false\nanalytics.enabled = false\n\
                        approval_policy = 'on-request'\nsandbox_mode = 'workspace-write'\nmodel = 'gpt-5'\n";
        write(&home.join(".codex/config.toml"), &(settings.to_owned() + &provider));
    },
    env: |_| json!({"MODEL_KEY": "none"}),
    asks: "$ touch made",
    asks_first: "Choose how you want to use Codex.",
    first: "auth",
};

pub const GEMINI: Kind = Kind {
    name: "gemini",
    settings: |home, port| {
        let settings = json!({
            "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
            "privacy": {"usageStatisticsEnabled": false},
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": port.is_none()}},
        });
        write(&home.join(".gemini/settings.json"), &settings.to_string());
    },
    env: |port| json!({"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": format!("http://127.0.0.1:{port}")}),
    asks: "Shell  touch made",
    asks_first: "Do you trust the files in this folder?",
    first: "dialog",
};

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Where `make test-agents` has installed it.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/agents/node_modules/.bin").join(name);
    assert!(path.exists(), "{name} is not in target/agents: `make test-agents` installs it there, with npm");
    path
}

/// A running agent. Fields are dropped in order: the host ends before its model does.
pub struct Driven {
    host: Host,
    run: Run,
    model: Model,
    /// How many of the host's events have been looked at.
    at: usize,
}

impl Driven {
    /// Starts it: `set_up` so that it takes a prompt, otherwise so that it asks something first.
    pub fn start(kind: &Kind, home: &Arc<Home>, set_up: bool, attached: bool) -> Self {
        let program = program(kind.name);
        let model = Model::start();
        (kind.settings)(&home.path(), set_up.then_some(model.port));
        let host = home.host().start();
        let run = host.run(json!({
            "cmd": [program],
            "env": (kind.env)(model.port),
            "size": {"rows": SIZE.0, "cols": SIZE.1},
            "attach": attached.then_some("ansi"),
        }));
        Self { host, run, model, at: 0 }
    }

    pub fn model(&mut self) -> &mut Model {
        &mut self.model
    }

    /// The next event, after those that were waited for before, that tells a state which fits.
    #[track_caller]
    fn wait_that(&mut self, what: &str, fits: impl Fn(&Json) -> bool) -> Json {
        let (run_id, from) = (self.run.run_id.as_str(), self.at);
        let is = |event: &Json| event["type"] == "agent_state" && event["run_id"] == run_id && fits(&event["agent"]);
        let (at, agent) = self.host.wait_for(what, |state| {
            let mut events = state.events.iter().enumerate().skip(from);
            events.find(|(_, event)| is(event)).map(|(at, event)| (at, event["agent"].clone()))
        });
        self.at = at + 1;
        agent
    }

    /// Waits for a state.
    #[track_caller]
    pub fn wait(&mut self, state: &str) {
        self.wait_that(state, |agent| agent["state"] == state);
    }

    /// Waits until it is blocked with this message, which may come a moment after the state.
    #[track_caller]
    pub fn wait_asks(&mut self, message: &str) -> Json {
        self.wait_that(message, |agent| agent["state"] == "blocked" && agent["message"] == message)
    }

    /// Types a prompt as a person does: the text, and Return once it is there.
    pub fn say(&self, text: &str) {
        self.press(text);
        eventually("the text is in the box", || self.host.text(&self.run).iter().any(|line| line.contains(text)));
        thread::sleep(PACE);
        self.press("\r");
    }

    /// Takes the chosen answer of a dialog, until the model is sent what came of it. At times a Return in the moment in
    /// which Codex 0.171.0 shows its dialog has no effect (3 of some 40); where it is lost is not known.
    pub fn accept(&self) {
        let takes = |_: &u32| {
            self.press("\r");
            self.model.is_asked_within(LIMIT / 5, "output")
        };
        assert!((0..3).any(|time| takes(&time)), "the answer is taken");
    }

    pub fn press(&self, keys: &str) {
        self.host.input(&self.run.run_id, keys);
    }

    /// The states that were told so far, in order, without the one before there is anything to be seen.
    pub fn states(&self) -> Vec<String> {
        let state = self.host.state();
        let of_run = |event: &&Json| event["type"] == "agent_state" && event["run_id"] == self.run.run_id.as_str();
        let states = state.events.iter().filter(of_run).map(|event| event["agent"]["state"].as_str().unwrap_or("none"));
        let mut states: Vec<String> = states.filter(|state| *state != "starting").map(str::to_owned).collect();
        states.dedup();
        states
    }

    /// Ends it; nothing of it may be left.
    pub fn end(self) {
        assert!(!self.host.programs().is_empty(), "it still runs");
        self.host.ask("kill", json!({"target": self.run.session_id}));
        self.host.wait_exited(&self.run.run_id);
        eventually("nothing of it is left", || self.host.programs().is_empty());
    }
}

/// What it shows is why a test fails.
impl Drop for Driven {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("states: {:?}\nits screen:\n{}", self.states(), self.host.text(&self.run).join("\n"));
        }
    }
}
