//! Hooks of coding agents: which report the JSON means that an agent gives to a command of the user at each event.
//!
//! Data about other programs, which change: an event that is not here says nothing, and whatever cannot be read as one
//! is no report.

use serde_json::Value;

use crate::protocol::{AgentKind, AgentReportParams, ReportedState, acts};

/// Longer texts are cut.
const MESSAGE_MAX: usize = 500;
const SESSION_MAX: usize = 64;

/// The answers to a question that are shown of it.
const OPTIONS_SHOWN: usize = 6;

/// An event, and what the agent does from then on.
type Event = (&'static str, ReportedState);

/// Claude's names, which Qwen took over.
const CLAUDE: &[Event] = &[
    ("SessionStart", ReportedState::Ready),
    ("UserPromptSubmit", ReportedState::Working),
    ("PreToolUse", ReportedState::Working),
    ("PostToolUse", ReportedState::Working),
    ("PermissionRequest", ReportedState::Blocked),
    ("Stop", ReportedState::Done),
    ("StopFailure", ReportedState::Error),
    ("SessionEnd", ReportedState::Clear),
];

/// Those of Claude's that it has.
const CODEX: &[Event] = &[
    ("SessionStart", ReportedState::Ready),
    ("UserPromptSubmit", ReportedState::Working),
    ("PreToolUse", ReportedState::Working),
    ("PostToolUse", ReportedState::Working),
    ("PermissionRequest", ReportedState::Blocked),
    ("Stop", ReportedState::Done),
];

/// Of its notifications one says that it asks, which no event of its own does.
const GEMINI: &[Event] = &[
    ("SessionStart", ReportedState::Ready),
    ("BeforeAgent", ReportedState::Working),
    ("BeforeTool", ReportedState::Working),
    ("AfterTool", ReportedState::Working),
    ("Notification", ReportedState::Blocked),
    ("AfterAgent", ReportedState::Done),
    ("SessionEnd", ReportedState::Clear),
];

/// Its `sessionStart` comes beside the first prompt, and at times after it: it says nothing.
const COPILOT: &[Event] = &[
    ("userPromptSubmitted", ReportedState::Working),
    ("preToolUse", ReportedState::Working),
    ("postToolUse", ReportedState::Working),
    ("permissionRequest", ReportedState::Blocked),
    ("agentStop", ReportedState::Done),
    ("sessionEnd", ReportedState::Clear),
];

/// The agents whose hooks are understood, each with its events.
const AGENTS: &[(&str, &[Event])] =
    &[("claude", CLAUDE), ("codex", CODEX), ("copilot", COPILOT), ("gemini", GEMINI), ("qwen", CLAUDE)];

/// Tools that ask the user a question, rather than for leave.
const ASKING_TOOLS: &[&str] = &["AskUserQuestion", "ask_user", "ask_user_question", "request_user_input"];

/// What of a tool's input says best what it is to do.
const SUBJECTS: &[&str] =
    &["command", "cmd", "file_path", "path", "absolute_path", "url", "query", "pattern", "prompt", "description"];

/// The names of the agents whose hooks are understood.
pub fn hooked_agents() -> impl Iterator<Item = &'static str> {
    AGENTS.iter().map(|(name, _)| *name)
}

/// The events of an agent at which it is to call a hook.
pub(super) fn events(agent: &str) -> impl Iterator<Item = &'static str> {
    let of_agent = AGENTS.iter().find(|(name, _)| *name == agent).map(|(_, events)| *events);
    of_agent.into_iter().flatten().map(|(event, _)| *event)
}

/// What a hook's input means; none when it says nothing of the agent's state, or is no input of a hook. `event` is its
/// event, for agents that do not name it in the input.
#[must_use]
pub fn hook_report(agent: &str, event: Option<&str>, input: &[u8]) -> Option<AgentReportParams> {
    let (agent, events) = AGENTS.iter().find(|(name, _)| *name == agent)?;
    let input: Value = serde_json::from_slice(input).ok().filter(Value::is_object)?;
    let named = ["hook_event_name", "hookEventName", "hookName"].into_iter().find_map(|key| input[key].as_str());
    let event = named.or(event)?;
    let (event, state) = *events.iter().find(|(name, _)| *name == event)?;
    let report = |state, kind, message: Option<String>| {
        let id = text(&input, &["session_id", "sessionId"]).map(|id| one_line(id, SESSION_MAX));
        let app = Some((*agent).to_owned());
        Some(AgentReportParams { app, state: Some(state), kind, message, agent_session: id, run_id: None })
    };
    match (event, state) {
        // In the middle of a turn, when the conversation became too long.
        ("SessionStart", _) if input["source"] == "compact" => None,
        ("Notification", _) if text(&input, &["notification_type"]) != Some("ToolPermission") => None,
        ("Notification", state) => report(
            state,
            Some(AgentKind::Permission),
            text(&input, &["message"]).map(|text| one_line(text, MESSAGE_MAX)),
        ),
        (_, ReportedState::Blocked) => {
            let (kind, message) = asked(&input);
            report(state, Some(kind), message)
        }
        (_, ReportedState::Error) => report(state, None, failure(&input)),
        (_, state) => report(state, None, None),
    }
}

/// What it asks for, as a permission or a question.
fn asked(input: &Value) -> (AgentKind, Option<String>) {
    let tool = text(input, &["tool_name", "toolName"]).unwrap_or_default();
    let given =
        ["tool_input", "toolInput", "toolArgs"].into_iter().map(|key| &input[key]).find(|given| !given.is_null());
    let given = given.unwrap_or(&Value::Null);
    if ASKING_TOOLS.contains(&tool) {
        let message = question(given).map(|question| one_line(&format!("answer: {question}"), MESSAGE_MAX));
        return (AgentKind::Question, message);
    }
    let message = match (tool, text(given, SUBJECTS)) {
        ("", None) => None,
        ("", Some(subject)) => Some(format!("approve {subject}")),
        (tool, None) => Some(format!("approve {tool}")),
        (tool, Some(subject)) => Some(format!("approve {tool}: {subject}")),
    };
    (AgentKind::Permission, message.map(|message| one_line(&message, MESSAGE_MAX)))
}

/// `Which color? (Red · Blue)`.
fn question(given: &Value) -> Option<String> {
    let first = given["questions"].get(0).unwrap_or(given);
    let question = text(first, &["question", "message", "prompt"])?;
    let options = ["options", "choices"].into_iter().find_map(|key| first[key].as_array());
    let label = |option: &Value| option.as_str().or_else(|| option["label"].as_str()).map(str::to_owned);
    let labels: Vec<String> = options.into_iter().flatten().take(OPTIONS_SHOWN).filter_map(label).collect();
    Some(if labels.is_empty() { question.to_owned() } else { format!("{question} ({})", labels.join(" · ")) })
}

/// Why it stopped: in its own words, where it has any.
fn failure(input: &Value) -> Option<String> {
    let why = text(input, &["last_assistant_message", "error_message", "error"])?;
    Some(one_line(why, MESSAGE_MAX))
}

/// The first of these keys that has a text in it.
fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| value.get(key)?.as_str().filter(|text| !text.trim().is_empty()))
}

/// A text as one line without control characters, cut.
fn one_line(text: &str, most: usize) -> String {
    let words = text.split_whitespace().flat_map(|word| [" ", word]).skip(1);
    words.flat_map(str::chars).filter(|letter| !acts(*letter)).take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What each recorded input of real hooks was taken for.
    fn recorded(agent: &str) -> Vec<(String, Option<AgentReportParams>)> {
        let path = format!("{}/tests/fixtures/agents/hooks-{agent}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let read = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap();
            let event = entry["ev"].as_str().unwrap();
            let report = hook_report(agent, Some(event), entry["in"].to_string().as_bytes());
            (event.to_owned(), report)
        };
        std::fs::read_to_string(path).unwrap().lines().map(read).collect()
    }

    fn shown(report: &Option<AgentReportParams>) -> String {
        let Some(report) = report else { return "-".to_owned() };
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let state = word(json!(report.state));
        let kind = report.kind.map(|kind| format!(" {}", word(json!(kind)))).unwrap_or_default();
        let message = report.message.as_ref().map(|message| format!(" [{message}]")).unwrap_or_default();
        format!("{state}{kind}{message}")
    }

    #[test]
    fn each_hook_of_a_recorded_claude_is_what_it_did_then() {
        let found = recorded("claude");
        let states: Vec<String> = found.iter().map(|(event, report)| format!("{event} {}", shown(report))).collect();
        assert_eq!(
            states,
            [
                "SessionStart ready",
                "UserPromptSubmit working",
                "Stop done",
                "UserPromptSubmit working",
                "Stop done",
                "UserPromptSubmit working",
                "PreToolUse working",
                "PermissionRequest blocked permission [approve Bash: touch /home/p/made.txt]",
                "Notification -",
                "PostToolUse working",
                "Stop done",
                "UserPromptSubmit working",
                "PreToolUse working",
                "PermissionRequest blocked question [answer: Which colour shall the door have? (Red · Blue)]",
                "Notification -",
                "PostToolUse working",
                "Stop done",
                "UserPromptSubmit working",
                "StopFailure error [API Error: 400 fake: the model is broken]",
                "SessionEnd clear",
            ]
        );
        let id = Some("00000000-0000-4000-8000-000000000001".to_owned());
        let reports: Vec<_> = found.into_iter().filter_map(|(_, report)| report).collect();
        assert!(reports.iter().all(|report| report.app.as_deref() == Some("claude") && report.agent_session == id));
    }

    #[test]
    fn those_of_codex_have_the_same_names() {
        let states: Vec<String> = recorded("codex").iter().map(|(_, report)| shown(report)).collect();
        assert_eq!(states, ["ready", "working", "working", "done"]);
    }

    #[test]
    fn those_of_copilot_name_their_event_or_are_told_it() {
        let found = recorded("copilot");
        let states: Vec<String> =
            found.iter().take(7).map(|(event, report)| format!("{event} {}", shown(report))).collect();
        assert_eq!(
            states,
            [
                "userPromptSubmitted working",
                "sessionStart -",
                "preToolUse working",
                "permissionRequest blocked permission [approve bash: touch /home/p/made.txt]",
                "postToolUse working",
                "agentStop done",
                "sessionEnd clear",
            ]
        );
        let named = json!({"hookName": "permissionRequest", "toolName": "bash", "toolInput": {"command": "ls"}});
        assert_eq!(
            shown(&hook_report("copilot", None, named.to_string().as_bytes())),
            "blocked permission [approve bash: ls]"
        );
        let untold = json!({"sessionId": "x", "prompt": "y"});
        assert_eq!(hook_report("copilot", None, untold.to_string().as_bytes()), None);
    }

    #[test]
    fn those_of_gemini_and_qwen() {
        let of = |agent: &str, input: Value| shown(&hook_report(agent, None, input.to_string().as_bytes()));
        for (event, state) in [
            ("BeforeAgent", "working"),
            ("BeforeTool", "working"),
            ("AfterTool", "working"),
            ("AfterAgent", "done"),
            ("SessionEnd", "clear"),
            ("BeforeModel", "-"),
        ] {
            assert_eq!(of("gemini", json!({"hook_event_name": event, "session_id": "s"})), state, "{event}");
        }
        let asks =
            json!({"hook_event_name": "Notification", "notification_type": "ToolPermission", "message": "Run\nls?"});
        assert_eq!(of("gemini", asks), "blocked permission [Run ls?]");
        assert_eq!(of("gemini", json!({"hook_event_name": "Notification", "message": "x"})), "-");
        assert_eq!(of("qwen", json!({"hook_event_name": "Stop"})), "done");
    }

    /// A part of the turn that ends is not the turn's end.
    #[test]
    fn the_end_of_a_part_is_no_end_and_a_shorter_conversation_no_start() {
        let of = |input: Value| shown(&hook_report("claude", None, input.to_string().as_bytes()));
        for event in ["SubagentStop", "SubagentStart", "PreCompact", "Notification", "stop", ""] {
            assert_eq!(of(json!({"hook_event_name": event, "session_id": "x"})), "-", "{event}");
        }
        assert_eq!(of(json!({"hook_event_name": "SessionStart", "source": "compact"})), "-");
        assert_eq!(of(json!({"hook_event_name": "SessionStart", "source": "resume"})), "ready");
    }

    #[test]
    fn what_is_no_input_of_a_hook_is_no_report() {
        for input in [
            "",
            "{",
            "null",
            "[]",
            "\"Stop\"",
            "{\"hook_event_name\": 1}",
            "{\"hook_event_name\": \"Stop\"} x",
            "\u{0}",
        ] {
            assert_eq!(hook_report("claude", None, input.as_bytes()), None, "{input:?}");
        }
        assert_eq!(hook_report("claude", None, b"\xff{}"), None);
        assert_eq!(hook_report("vim", None, br#"{"hook_event_name": "Stop"}"#), None);
        let deep = format!("{{\"hook_event_name\": \"Stop\", \"x\": {}", "[".repeat(100_000));
        assert_eq!(hook_report("claude", None, deep.as_bytes()), None);
    }

    #[test]
    fn texts_are_one_line_and_bounded_and_odd_inputs_are_named_by_what_there_is() {
        let of = |tool: Value, input: Value| {
            let asks = json!({"hook_event_name": "PermissionRequest", "tool_name": tool, "tool_input": input});
            hook_report("claude", None, asks.to_string().as_bytes()).unwrap()
        };
        let message = |tool: Value, input: Value| of(tool, input).message;
        assert_eq!(message(json!("Bash"), json!({"command": "a\n\tb\u{1b}[2J"})).unwrap(), "approve Bash: a b[2J");
        assert_eq!(message(json!("Bash"), json!({"command": "x".repeat(10_000)})).unwrap().chars().count(), 500);
        assert_eq!(message(json!("Edit"), json!({"file_path": "/a", "old_string": "x"})).unwrap(), "approve Edit: /a");
        assert_eq!(message(json!("Odd"), json!([1])).unwrap(), "approve Odd");
        assert_eq!(message(json!(1), json!("x")), None);
        let question = json!({"questions": [{"question": "Why?", "options": ["a", {"label": "b"}, 3]}]});
        assert_eq!(message(json!("AskUserQuestion"), question).unwrap(), "answer: Why? (a · b)");
        let asks = of(json!("AskUserQuestion"), json!({"questions": "none"}));
        assert_eq!((asks.kind, asks.message), (Some(AgentKind::Question), None));
    }
}
