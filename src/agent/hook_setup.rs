//! Where hooks of coding agents are set up, and the JSON that belongs there.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::hooks::events;

/// The agents that hooks can be set up for.
const SET_UP: &[&str] = &["claude", "codex", "copilot", "gemini"];

/// How the hooks of an agent are set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSetup {
    /// The agent.
    pub agent: &'static str,
    /// The file that it reads.
    pub path: PathBuf,
    /// What is to be in it.
    pub json: String,
    /// What else there is to do, or to know.
    pub note: &'static str,
}

impl HookSetup {
    /// Whether a text, such as that of its file, has a hook of this agent that calls Termi.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let call = format!(" hook {}", self.agent);
        // What stands between is the end of a quoted path, in JSON or not.
        let before = |at: usize| text[..at].trim_end_matches(['\'', '"', '\\']);
        text.match_indices(&call).any(|(at, _)| before(at).ends_with("termi"))
    }
}

/// The names of the agents that hooks can be set up for.
#[must_use]
pub fn set_up_agents() -> &'static [&'static str] {
    SET_UP
}

/// How the hooks of an agent are set up; none of one that is not known. `termi` is the binary's path as a shell wants
/// it, `variable` reads the environment.
#[must_use]
pub fn hook_setup(agent: &str, termi: &str, variable: impl Fn(&str) -> Option<String>) -> Option<HookSetup> {
    let agent = *SET_UP.iter().find(|name| **name == agent)?;
    let home = || PathBuf::from(variable("HOME").unwrap_or_else(|| "~".to_owned()));
    // A variable of the agent's own says where its files are.
    let folder = |own: &str, usual: &str| match variable(own).filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => home().join(usual),
    };
    let (path, hooks, note) = match agent {
        "claude" => (
            folder("CLAUDE_CONFIG_DIR", ".claude").join("settings.json"),
            json!({ "hooks": grouped(agent, termi) }),
            "Termi gives these hooks to each `claude` that a run's command begins with when the option `agents.hooks` of setup() is true, \
             or with `termi daemon --agent-hooks`: then no file is to be changed.",
        ),
        "codex" => (
            folder("CODEX_HOME", ".codex").join("hooks.json"),
            json!({ "hooks": grouped(agent, termi) }),
            "Codex asks once whether it may run them.",
        ),
        "gemini" => (
            home().join(".gemini/settings.json"),
            json!({ "hooks": grouped(agent, termi) }),
            "A project's own .gemini/settings.json works as well.",
        ),
        _ => (
            folder("COPILOT_HOME", ".copilot").join("hooks/termi.json"),
            json!({ "version": 1, "hooks": named(agent, termi) }),
            "The file is Termi's own: `termi hooks copilot --json` prints what is in it.",
        ),
    };
    let json = serde_json::to_string_pretty(&hooks).unwrap_or_default();
    Some(HookSetup { agent, path, json, note })
}

/// What `claude --settings` takes for its hooks to call Termi, on one line.
#[must_use]
pub fn claude_settings(termi: &str) -> String {
    json!({ "hooks": grouped("claude", termi) }).to_string()
}

/// Hooks as Claude has them, and those who followed: each event has groups, which may be for some tools alone.
fn grouped(agent: &str, termi: &str) -> Map<String, Value> {
    let command = format!("{termi} hook {agent}");
    let hook = json!([{ "hooks": [{ "type": "command", "command": command }] }]);
    events(agent).map(|event| (event.to_owned(), hook.clone())).collect()
}

/// Hooks of an agent whose inputs do not name their event.
fn named(agent: &str, termi: &str) -> Map<String, Value> {
    let hook = |event: &str| json!([{ "type": "command", "bash": format!("{termi} hook {agent} {event}") }]);
    events(agent).map(|event| (event.to_owned(), hook(event))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(agent: &str, variables: &[(&str, &str)]) -> HookSetup {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        hook_setup(agent, "'/opt/it'\\''s/termi'", variable).unwrap()
    }

    #[test]
    fn each_agent_has_a_file_and_json_that_calls_termi_at_each_event() {
        let home = [("HOME", "/home/u")];
        let paths: Vec<String> =
            SET_UP.iter().map(|agent| setup(agent, &home).path.to_string_lossy().into_owned()).collect();
        assert_eq!(
            paths,
            [
                "/home/u/.claude/settings.json",
                "/home/u/.codex/hooks.json",
                "/home/u/.copilot/hooks/termi.json",
                "/home/u/.gemini/settings.json"
            ]
        );
        for agent in SET_UP {
            let setup = setup(agent, &home);
            let json: Value = serde_json::from_str(&setup.json).unwrap();
            for event in events(agent) {
                let first = &json["hooks"][event][0];
                let command = first.pointer("/hooks/0/command").or(first.get("bash")).unwrap().as_str().unwrap();
                assert!(command.starts_with(&format!("'/opt/it'\\''s/termi' hook {agent}")), "{command}");
                assert_eq!(command.ends_with(event), *agent == "copilot", "{command}");
            }
            assert!(setup.is_in(&setup.json), "{}", setup.json);
        }
        assert_eq!(hook_setup("vim", "termi", |_| None), None);
    }

    #[test]
    fn an_agents_own_variable_says_where_its_files_are() {
        let variables = [("HOME", "/home/u"), ("CODEX_HOME", "/ch"), ("COPILOT_HOME", "")];
        assert_eq!(setup("codex", &variables).path, PathBuf::from("/ch/hooks.json"));
        assert_eq!(setup("copilot", &variables).path, PathBuf::from("/home/u/.copilot/hooks/termi.json"));
    }

    #[test]
    fn another_hook_and_another_agents_are_not_this_ones() {
        let codex = setup("codex", &[]);
        for (text, is_in) in [
            (r#"{"command": "/usr/bin/termi hook codex"}"#, true),
            (r#"{"command": "\"/a b/termi\" hook codex"}"#, true),
            (r#"{"command": "/usr/bin/termi hook claude"}"#, false),
            (r#"{"command": "/usr/bin/other hook codex"}"#, false),
            ("", false),
        ] {
            assert_eq!(codex.is_in(text), is_in, "{text}");
        }
    }
}
