//! Screens of real agents, whole as they were at a moment, and what is believed of each.

use std::time::{Duration, Instant};

use super::*;
use crate::protocol::{AgentInfo, AgentSource};

/// What is believed of an agent with this title and these last lines, once it has stood.
fn believed(app: &str, title: &str, screen: &str) -> AgentInfo {
    let mut agent = Agent::default();
    let began = Instant::now();
    let now = |seconds| Now { instant: began + Duration::from_secs(seconds), unix_ms: seconds * 1000 };
    agent.on_program(&[app.to_owned()], now(0));
    agent.on_title(title, now(0));
    // As the host looks: the last lines that are not blank.
    let lines: Vec<String> = screen.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    agent.on_screen(&lines[lines.len().saturating_sub(agent.screen_lines())..], now(0));
    agent.on_deadline(now(1));
    agent.info().unwrap()
}

#[track_caller]
fn assert_believed(app: &str, title: &str, screen: &str, expected: &str) {
    let info = believed(app, title, screen);
    let kind = info.kind.map(|kind| serde_json::to_string(&kind).unwrap().trim_matches('"').to_owned());
    let state = serde_json::to_string(&info.state).unwrap().trim_matches('"').to_owned();
    let told = [Some(state), kind, info.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
    assert_eq!(told, expected, "by {:?}, of {app}:\n{screen}", info.source);
}

const CODEX_SIGN_IN: &str = "  Welcome to Codex, OpenAI's command-line coding agent

  Choose how you want to use Codex.

  1. Sign in with ChatGPT
     Usage included with Plus, Pro, Business, and Enterprise plans

> 2. Sign in with Device Code
     Sign in from another device with a one-time code

  3. Sign in another way
     Use an API key or another provider

  Press enter to continue";

const CODEX_COMMAND: &str = "› make the file

• Running touch made

  Would you like to run the following command?

  Environment: local

  Reason: The file is needed.

  $ touch made

› 1. Yes, proceed (y)
  2. Yes, and don't ask again for commands that start with `touch made` (p)
  3. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel";

#[test]
fn codex_says_which_command_it_asks_for_and_that_it_wants_to_know_who_one_is() {
    assert_believed("codex", "", CODEX_SIGN_IN, "blocked: auth: Choose how you want to use Codex.");
    assert_believed("codex", "", CODEX_COMMAND, "blocked: permission: $ touch made");
}

const CLAUDE_COMMAND: &str = " Bash command

   touch made
   Make the file

 Do you want to proceed?
 ❯ 1. Yes
   2. Yes, and don't ask again for touch commands in this directory
   3. No

 Esc to cancel · Tab to amend";

/// A person who looks at the answers has not given one.
#[test]
fn a_dialog_is_one_whichever_answer_is_chosen() {
    let second = CLAUDE_COMMAND.replace("❯ 1.", "  1.").replace("  2.", "❯ 2.");
    for screen in [CLAUDE_COMMAND, &second] {
        assert_believed("claude", "✳ Make the file", screen, "blocked: permission: Do you want to proceed?");
    }
}

const GEMINI_TRUST: &str = " ╭──────────────────────────────────────────────────────────────────────╮
 │                                                                      │
 │ Do you trust the files in this folder?                               │
 │                                                                      │
 │ Trusting a folder allows Gemini CLI to load its local configurations,│
 │ including custom commands, hooks, MCP servers, agent skills, and     │
 │ settings. These configurations could execute code on your behalf or  │
 │ change the behavior of the CLI.                                      │
 │                                                                      │
 │ ● 1. Trust folder (work)                                             │
 │   2. Trust parent folder (d)                                         │
 │   3. Don't trust                                                     │
 │                                                                      │
 ╰──────────────────────────────────────────────────────────────────────╯";

const GEMINI_SIGN_IN: &str = "╭────────────────────────────────────────────────────────────────────────╮
│ ? Get started                                                          │
│                                                                        │
│   How would you like to authenticate for this project?                 │
│                                                                        │
│   ● 1. Sign in with Google                                             │
│     2. Use Gemini API Key                                              │
│     3. Vertex AI                                                       │
│                                                                        │
│   No authentication method selected.                                   │
│                                                                        │
│   (Use Enter to select)                                                │
│                                                                        │
│   Terms of Services and Privacy Notice for Gemini CLI                  │
│                                                                        │
│   https://geminicli.com/docs/resources/tos-privacy/                    │
╰────────────────────────────────────────────────────────────────────────╯";

const GEMINI_COMMAND: &str = "╭────────────────────────────────────────────────────────────────────────╮
│ ? Shell  touch made                                                    │
│ ╭────────────────────────────────────────────────────────────────────╮ │
│ │ touch made                                                         │ │
│ ╰────────────────────────────────────────────────────────────────────╯ │
│ Allow execution of [Shell]?                                            │
│                                                                        │
│   1. Allow once                                                        │
│ ● 2. Allow for this session                                            │
│   3. No, suggest changes (esc)                                         │
╰────────────────────────────────────────────────────────────────────────╯";

const GEMINI_WORKS: &str = " ⠦ Thinking... (esc to cancel, 1s)                      ? for shortcuts
────────────────────────────────────────────────────────────────────────
 Shift+Tab to accept edits
▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
 >   Type your message or @path/to/file
▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
 workspace (/directory)             sandbox                      /model
 ~/work                             no sandbox                     Auto";

/// A title that says ready all the while, or a person has switched off.
#[test]
fn gemini_waits_and_works_whatever_its_title_says() {
    for title in ["", "◇  Ready (work)"] {
        let trust = "blocked: dialog: Do you trust the files in this folder?";
        assert_believed("gemini", title, GEMINI_TRUST, trust);
        let sign_in = "blocked: auth: How would you like to authenticate for this project?";
        assert_believed("gemini", title, GEMINI_SIGN_IN, sign_in);
        assert_believed("gemini", title, GEMINI_COMMAND, "blocked: permission: Shell  touch made");
        assert_believed("gemini", title, GEMINI_WORKS, "working");
        let waits = GEMINI_WORKS.replace("Thinking...", "! Shell awaiting input (Tab to focus)");
        assert_believed("gemini", title, &waits, "blocked: question: Shell awaiting input");
    }
    let idle = GEMINI_WORKS.replace("⠦ Thinking... (esc to cancel, 1s)", "");
    assert_believed("gemini", "◇  Ready (work)", &idle, "ready");
    for title in ["✦  Working… (work)", "⏲  Working… (work)"] {
        assert_believed("gemini", title, &idle, "working");
    }
    let quoted = format!("✦ It asked \"Do you trust the files?\" and I took\n  1. Trust folder\n{idle}");
    assert_believed("gemini", "◇  Ready (work)", &quoted, "ready");
    assert_eq!(believed("gemini", "✋  Action Required (work)", GEMINI_COMMAND).source, Some(AgentSource::Screen));
}
