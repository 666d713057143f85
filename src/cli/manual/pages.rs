//! What the manual's pages say beside the options: exit statuses, examples, variables, files. Tests hold them to the
//! code.

/// The end of a page.
pub struct Page {
    /// The subcommand; empty for all of it.
    pub name: &'static str,
    /// Exit statuses, and when.
    pub exit: &'static [(&'static str, &'static str)],
    /// Command lines, and what each does.
    pub examples: &'static [(&'static str, &'static str)],
    /// Those of [`FILES`] that it is about, by their beginnings.
    pub files: &'static [&'static str],
    /// Those of [`VARIABLES`] that it is about.
    pub variables: &'static [&'static str],
}

/// A variable of the environment.
pub struct Variable {
    pub name: &'static str,
    pub what: &'static str,
}

/// The variables that Termi reads.
pub const VARIABLES: &[Variable] = &[
    Variable { name: "HOME", what: "The home directory: the default of XDG_STATE_HOME, and where the daemon is." },
    Variable { name: "PATH", what: "Where programs are looked for." },
    Variable {
        name: "SHELL",
        what: "The shell of `termi run` without a command, and the one that a line is given to.",
    },
    Variable {
        name: "TERMI_DAEMON_IDLE_SECONDS",
        what: "How many seconds a daemon stays without sessions and clients. Default: 600.",
    },
    Variable {
        name: "TERMI_RUN",
        what: "The run that a program is in, set by Termi: `termi attach` does not show a run in itself, and `termi daemon \
               --stop` does not end the one it runs in.",
    },
    Variable {
        name: "TERMI_SOCKET",
        what: "The socket of the host, set by Termi for each program: inside a session commands are about its own host. \
            Unset, they are about the user's daemon.",
    },
    Variable { name: "TERMI_STREAM_DEBUG", what: "1: the log has details of sessions and streams." },
    Variable {
        name: "TMPDIR",
        what: "Where the socket's directory is when neither XDG_RUNTIME_DIR nor /tmp can be used.",
    },
    Variable { name: "XDG_CONFIG_HOME", what: "Where your rules for coding agents are. Default: ~/.config." },
    Variable {
        name: "XDG_RUNTIME_DIR",
        what: "Where the socket's directory is. Default: logind's, else one below /tmp.",
    },
    Variable { name: "XDG_STATE_HOME", what: "Where logs and history are. Default: ~/.local/state." },
];

/// The variables that each program gets.
pub const SET: &[Variable] = &[
    Variable { name: "COLORTERM", what: "truecolor" },
    Variable { name: "TERM", what: "xterm-256color" },
    Variable { name: "TERMI_RUN", what: "The run's id." },
    Variable { name: "TERMI_SESSION", what: "The session's id." },
    Variable { name: "TERMI_SOCKET", what: "The host's socket." },
    Variable { name: "TERMI_TERMINAL", what: "The terminal's unique name." },
];

/// The files that Termi reads and writes.
pub const FILES: &[(&str, &str)] = &[
    ("$XDG_CONFIG_HOME/termi/agents.toml", "Your own rules for coding agents."),
    (
        "$XDG_RUNTIME_DIR/termi/daemon.sock",
        "The daemon's socket, for its user alone; daemon.lock beside it is held by the daemon.",
    ),
    ("$XDG_STATE_HOME/termi/*.log", "The log, one file a day, seven kept."),
    ("$XDG_STATE_HOME/termi/history.jsonl", "A line of JSON for each run that has ended."),
    ("$XDG_STATE_HOME/termi/logs/", "The whole outputs of runs that asked for it."),
    ("$XDG_STATE_HOME/termi/sessions.json", "What `termi restore` starts after a reboot."),
    (".termi.json", "A project's templates, in its directory."),
];

const FAILED: (&str, &str) = ("125", "Termi could not do it; standard error says why.");
const SIGNAL: (&str, &str) = ("128+N", "Signal N ended the program.");
const DONE: (&str, &str) = ("0", "It was done.");
const PLAIN: &[(&str, &str)] = &[DONE, FAILED];
const EACH: &[(&str, &str)] =
    &[DONE, ("125", "Of at least one target it could not be done; the others were not left out.")];

const fn page(
    name: &'static str,
    exit: &'static [(&'static str, &'static str)],
    examples: &'static [(&'static str, &'static str)],
) -> Page {
    Page { name, exit, examples, files: &[], variables: &[] }
}

/// All pages.
pub const PAGES: &[Page] = &[
    Page {
        files: &["$", "."],
        variables: &["COLORTERM", "HOME", "PATH", "SHELL", "TERM", "TMPDIR", "XDG"],
        ..page(
            "",
            &[
                ("0", "It was done."),
                ("1", "`wait --pattern` and `--state`: the program ended before. `doctor`: something does not work."),
                ("75", "`host --persist`: the daemon was replaced; start it again."),
                ("124", "Timed out."),
                FAILED,
                SIGNAL,
                ("other", "The program's own, of commands that wait for one."),
            ],
            &[
                ("termi run --name web --group dev 'npm run dev'", "Starts a program in a session."),
                ("termi ls", "Lists sessions and their runs."),
                ("termi attach web", "Shows it on this terminal; Ctrl-\\ detaches."),
                ("termi kill group:dev", "Ends the sessions of a group, with all that they started."),
            ],
        )
    },
    Page {
        files: &["$XDG_RUNTIME_DIR", "$XDG_STATE_HOME/termi/*.log"],
        ..page(
            "host",
            &[
                ("0", "Standard input was closed."),
                ("1", "It could not start; with --persist, the daemon is gone."),
                ("75", "With --persist: the daemon was replaced and has every session still; start it again."),
                ("125", "The arguments make no sense."),
            ],
            &[
                ("termi host --rpc json", "Serves an editor that speaks JSON-RPC."),
                ("termi host --persist", "Joins the user's daemon: sessions outlive the editor."),
            ],
        )
    },
    Page {
        files: &["$"],
        variables: &["TERMI_DAEMON_IDLE_SECONDS", "TERMI_STREAM_DEBUG", "XDG", "TMPDIR"],
        ..page(
            "daemon",
            &[("0", "It has ended, or with --detach it runs."), FAILED],
            &[
                ("termi daemon --detach", "Starts it, as `termi run` does where there is none."),
                ("termi daemon --replace", "Puts this binary in the place of the daemon's: sessions go on."),
                ("termi daemon --stop", "Ends it, if no program runs in it."),
                ("termi daemon --cross-session off", "Sessions do not see each other."),
                ("termi daemon --agent-hooks --detach", "Starts it; each `claude` gets hooks."),
            ],
        )
    },
    Page {
        variables: &["SHELL", "TERMI_SOCKET", "PATH"],
        ..page(
            "run",
            &[
                ("0", "It was started; with --wait, it ended with 0."),
                ("124", "With --wait: --timeout or --idle ended it."),
                FAILED,
                ("128+N", "With --wait: signal N ended it."),
                ("other", "With --wait: the program's own."),
            ],
            &[
                ("termi run", "Starts your shell in a session of its own."),
                (
                    "termi run --name tests --wait 'make tests && ./deploy'",
                    "Runs a line, prints its output, exits as it does.",
                ),
                ("termi run --session web -- curl localhost", "One more run in the session web."),
                ("termi run --memory 512M --timeout 10m make -j4", "A program with its arguments, and limits."),
            ],
        )
    },
    page(
        "ls",
        PLAIN,
        &[
            ("termi ls group:dev", "Lists the sessions of a group."),
            ("termi ls --json", "All that is known of all, for scripts."),
        ],
    ),
    page(
        "agents",
        PLAIN,
        &[
            ("termi agents", "Lists coding agents, those that wait for you first."),
            ("termi agents --watch", "Prints a line for each change."),
            ("termi agents --explain claude", "Who says what of the session claude, and who is believed."),
        ],
    ),
    Page {
        variables: &["TERMI_RUN", "TERMI_SOCKET"],
        ..page(
            "hook",
            &[("0", "Always: an agent takes any other status for an order.")],
            &[
                ("termi hook claude", "As a hook of Claude's: its event is in the JSON on standard input."),
                ("termi hook copilot agentStop", "As a hook of Copilot's, which does not name the event."),
            ],
        )
    },
    page(
        "hooks",
        PLAIN,
        &[
            ("termi hooks codex", "Prints the file, and what to put there."),
            ("termi hooks copilot --json", "The JSON alone, for a file of its own."),
        ],
    ),
    page(
        "kill",
        EACH,
        &[
            ("termi kill web tests", "Ends two sessions."),
            ("termi kill --signal INT --grace 10 web", "SIGINT first, and ten seconds until SIGKILL."),
            ("termi kill all", "Ends every session."),
        ],
    ),
    Page {
        variables: &["TERMI_RUN"],
        ..page(
            "attach",
            &[
                ("0", "Detached, or the program ended with 0."),
                ("124", "The program's time limit ended it."),
                FAILED,
                SIGNAL,
                ("other", "The program's own."),
            ],
            &[
                ("termi attach", "Shows the active run that was started last."),
                ("termi attach --read-only web", "Looks, and does not type."),
                ("termi attach --detach-key ctrl-b web", "Another key to leave by."),
            ],
        )
    },
    page(
        "send",
        PLAIN,
        &[
            ("termi send --enter web y", "Types a line."),
            ("termi send web -", "Types standard input, several lines as one paste."),
            ("termi send web -- --help", "Text that begins with a hyphen."),
        ],
    ),
    page("restart", EACH, &[("termi restart web tests", "Starts both again, under the same ids.")]),
    page("rename", PLAIN, &[("termi rename web api", "The session web is then api.")]),
    page("rm", EACH, &[("termi rm tests", "Dismisses a session."), ("termi rm all", "Dismisses all that has ended.")]),
    Page {
        files: &["."],
        ..page(
            "up",
            PLAIN,
            &[("termi up", "Starts the project here."), ("termi up --group dev", "Only templates of a group.")],
        )
    },
    Page { files: &["."], ..page("down", PLAIN, &[("termi down", "Ends the project here, the last started first.")]) },
    Page {
        files: &["$XDG_STATE_HOME/termi/sessions"],
        ..page(
            "restore",
            PLAIN,
            &[
                ("termi restore", "Starts again what ran when the machine went down."),
                ("termi restore --list", "Lists it instead."),
                ("termi restore web", "Starts one session of it."),
            ],
        )
    },
    page(
        "tail",
        PLAIN,
        &[
            ("termi tail web", "Prints the last 10 lines."),
            ("termi tail -f -n 100 web", "The last 100, and what follows."),
            ("termi tail --screen web", "The screen of a full-screen program."),
        ],
    ),
    page(
        "wait",
        &[
            ("0", "A line matched; it was silent; or the program ended with 0."),
            ("1", "With --pattern: the program ended and no line matched."),
            ("124", "Timed out."),
            FAILED,
            SIGNAL,
            ("other", "The program's own."),
        ],
        &[
            ("termi wait tests", "Waits for its end, and exits as it did."),
            ("termi wait web --pattern 'listening on' --timeout 30", "Waits for a line, half a minute at most."),
            ("termi wait build --idle 500ms", "Waits until nothing is printed."),
        ],
    ),
    Page {
        files: &["$XDG_STATE_HOME/termi/history"],
        variables: &["XDG_STATE_HOME"],
        ..page(
            "history",
            PLAIN,
            &[("termi history -n 50 make", "The last 50 runs whose commands, names or groups hold \"make\".")],
        )
    },
    Page {
        files: &["$XDG_STATE_HOME/termi/history"],
        variables: &["XDG_STATE_HOME"],
        ..page(
            "stats",
            PLAIN,
            &[("termi stats --by program", "How often each program ran and failed, and for how long.")],
        )
    },
    page(
        "doctor",
        &[("0", "Everything works."), ("1", "Something does not."), FAILED],
        &[("termi doctor --json", "Its findings for scripts.")],
    ),
    page(
        "completions",
        PLAIN,
        &[
            ("eval \"$(termi completions bash)\"", "In ~/.bashrc."),
            ("source <(termi completions zsh)", "In ~/.zshrc, after compinit."),
            ("termi completions fish | source", "In ~/.config/fish/config.fish."),
        ],
    ),
    page(
        "man",
        PLAIN,
        &[
            ("termi man --dir ~/.local/share/man/man1", "Installs all pages, for man(1) to find."),
            ("termi man wait", "Prints one page."),
        ],
    ),
];
