use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Access, Bytes, Event, Method, RunId, SessionId, SpanLine, Target, ViewId};

/// Ties a method's name and access to its parameters and its answer.
macro_rules! method {
    ($(#[$doc:meta])* $method:ident = $name:literal, $access:ident, $params:ty => $reply:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $method {}

        impl Method for $method {
            const NAME: &'static str = $name;
            const ACCESS: Access = Access::$access;
            type Params = $params;
            type Reply = $reply;
        }
    };
}

method!(
    /// Introduces the client; the first call of a connection.
    Initialize = "initialize", Read, InitializeParams => InitializeReply
);
method!(
    /// Starts a program on a PTY of its own.
    Run = "run", Write, RunParams => RunReply
);
method!(
    /// All sessions with their runs.
    Sessions = "sessions", Read, Empty => SessionsReply
);
method!(
    /// Ends what the target names, whole process trees, and answers once they are gone.
    Kill = "kill", Write, KillParams => KillReply
);
method!(
    /// Types into a run.
    Input = "input", Write, InputParams => Empty
);
method!(
    /// Tells a run the size of its terminal.
    Resize = "resize", Write, ResizeParams => Empty
);
method!(
    /// Opens this client's view of a run; frames follow. A second attach replaces the first.
    Attach = "attach", Read, AttachParams => AttachReply
);
method!(
    /// Closes this client's view of a run.
    Detach = "detach", Read, RunTarget => Empty
);
method!(
    /// Says whether this client's view of a run can be seen; a hidden view gets no frames.
    Visible = "visible", Read, VisibleParams => Empty
);
method!(
    /// A run's screen, and as much of its transcript as asked for.
    Snapshot = "snapshot", Read, SnapshotParams => SnapshotReply
);
method!(
    /// Waits until runs exit, print something, or fall silent.
    Wait = "wait", Read, WaitParams => WaitReply
);
method!(
    /// Gives a session another name.
    Rename = "rename", Write, RenameParams => RenameReply
);
method!(
    /// Ends a run if it still runs and starts its command again, under the same run id.
    Restart = "restart", Write, TargetParams => RunReply
);
method!(
    /// Dismisses ended runs and sessions.
    Remove = "remove", Write, TargetParams => RemoveReply
);
method!(
    /// Tells the terminals their client's colours, for programs that ask.
    SetColors = "colors", Write, ColorsParams => Empty
);
method!(
    /// Ends every session, then the host.
    Shutdown = "shutdown", Write, Empty => Empty
);

/// No parameters, or nothing to answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Empty {}

/// What kind of client is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frontend {
    /// Neovim with Termi's Lua: messages arrive through `nvim_exec_lua`.
    Nvim,
    /// Anyone else: messages arrive as `frame` and `event`.
    #[default]
    Generic,
}

/// Who a client or server is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// The client's own colours, `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ColorsParams {
    /// The text colour.
    #[serde(default)]
    pub foreground: Option<String>,
    /// The background colour.
    #[serde(default)]
    pub background: Option<String>,
}

/// Parameters of `initialize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InitializeParams {
    /// The protocol version that the client speaks.
    pub protocol: u32,
    /// The client.
    #[serde(default)]
    pub client: Peer,
    /// How messages to the client travel.
    #[serde(default)]
    pub frontend: Frontend,
    /// The client's colours, told to programs that ask.
    #[serde(default)]
    pub colors: ColorsParams,
}

/// Answer of `initialize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InitializeReply {
    /// The protocol version that will be spoken.
    pub protocol: u32,
    /// The host.
    pub server: Peer,
    /// The host's process id.
    pub pid: u32,
    /// What this host can do.
    pub capabilities: Capabilities,
    /// The log file, if one could be opened.
    pub log_path: Option<String>,
}

/// What a host can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The frame formats that `attach` takes.
    pub formats: Vec<Format>,
    /// The methods it answers.
    pub methods: Vec<String>,
}

/// A terminal's size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// A command: a line for the user's shell, or an argument vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommandSpec {
    /// Given to the user's shell.
    Line(String),
    /// Executed as it is.
    Argv(Vec<String>),
}

/// How a view's frames look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Escape sequences, for a client with a terminal emulator.
    Ansi,
    /// Rows of text with style runs, for a client with plain buffers.
    Spans,
}

/// Limits on a run's process tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of the whole tree, in bytes.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Processor time of each process, in seconds.
    #[serde(default)]
    pub cpu_seconds: Option<u64>,
    /// Number of processes.
    #[serde(default)]
    pub processes: Option<u64>,
}

/// What a run's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Text and escape sequences for a terminal.
    #[default]
    Terminal,
    /// JSON, one object a line.
    Json,
}

/// Parameters of `run`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunParams {
    /// What to run; none is an interactive shell.
    #[serde(default)]
    pub cmd: Option<CommandSpec>,
    /// The session to run it in, by id, prefix or name; a name that no session has makes a new one of that name.
    #[serde(default)]
    pub session: Option<String>,
    /// The name of a new session; default: the program's.
    #[serde(default)]
    pub name: Option<String>,
    /// A line for people, shown beside the name.
    #[serde(default)]
    pub label: Option<String>,
    /// The group of a new session.
    #[serde(default)]
    pub group: Option<String>,
    /// The working folder; `~` is the home folder. Default: the session's, else the host's.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Variables to set, or with null to unset.
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    /// The terminal's size; default 24 rows by 80 columns.
    #[serde(default)]
    pub size: Option<Size>,
    /// Ends the run this long after its start.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Ends the run after this long without output and input.
    #[serde(default)]
    pub idle_timeout_ms: Option<u64>,
    /// Limits on its process tree.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// A template's name.
    #[serde(default)]
    pub template: Option<String>,
    /// What its output is.
    #[serde(default)]
    pub stream: Stream,
    /// Opens this client's view in the same step.
    #[serde(default)]
    pub attach: Option<Format>,
}

/// Answer of `run` and `restart`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReply {
    /// The session.
    pub session_id: SessionId,
    /// The run.
    pub run_id: RunId,
    /// The program's process id.
    pub pid: u32,
    /// The unique name of its terminal.
    pub terminal_name: String,
    /// `{program}:Session {session id, first 8}:{run id, first 8}`.
    pub process_name: String,
    /// The session's name.
    pub session_name: String,
    /// The view that was attached, if `attach` asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_id: Option<ViewId>,
}

/// Answer of `sessions`: by session id.
pub type SessionsReply = BTreeMap<SessionId, SessionInfo>;

/// A session as others see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The folder its runs start in.
    pub cwd: String,
    /// How many of its runs are active.
    pub active_processes: usize,
    /// Its runs, oldest first.
    pub run_ids: Vec<RunId>,
    /// The same with details.
    pub processes: Vec<RunInfo>,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It runs.
    Active,
    /// It ended by itself.
    Exited,
    /// It was killed by a call.
    Killed,
    /// One of its timeouts ended it.
    TimedOut,
    /// Termi lost it: the reason says how.
    Failed,
}

/// How a program ended: with a code, or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code, when it exited.
    pub code: Option<i32>,
    /// The signal's number, when one ended it.
    pub signal: Option<i32>,
}

/// A run as others see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its id.
    pub run_id: RunId,
    /// The program's process id.
    pub pid: u32,
    /// What became of it.
    pub status: Status,
    /// `{program}:Session {session id, first 8}:{run id, first 8}`.
    pub process_name: String,
    /// The unique name of its terminal.
    pub terminal_name: String,
    /// The command as people write it.
    pub command: String,
    /// The program's name.
    pub program: String,
    /// When it started, in unix milliseconds.
    pub started_at: u64,
    /// When it ended, in unix milliseconds.
    pub ended_at: Option<u64>,
    /// How long it has run, or ran, by a clock that does not jump.
    pub duration_ms: u64,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Why Termi ended it, if it did.
    pub reason: Option<String>,
    /// Bytes it has printed.
    pub bytes: u64,
    /// The last line with text on its screen.
    pub last_line: String,
    /// The title it set.
    pub title: String,
    /// Its working folder now, while it runs.
    pub cwd: String,
    /// Resident memory of its process tree in bytes, while it runs.
    pub memory_bytes: Option<u64>,
    /// Processor use of its process tree since the last look, in percent of one core, while it runs.
    pub cpu_percent: Option<f64>,
    /// Processes that left its terminal and live on after its exit.
    pub left_running: usize,
    /// Whether any client has a view of it.
    pub attached: bool,
}

/// Parameters that are a target and nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetParams {
    /// Whom it is about.
    pub target: Target,
}

/// Parameters that name one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunTarget {
    /// The run.
    pub run_id: RunId,
}

/// Parameters of `kill`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KillParams {
    /// Whom to end.
    pub target: Target,
    /// The first signal, by number or name; default: SIGHUP, then SIGTERM.
    #[serde(default)]
    pub signal: Option<SignalSpec>,
    /// How long the processes have before SIGKILL; default 2000.
    #[serde(default)]
    pub grace_ms: Option<u64>,
}

/// A signal by number or by name, with or without `SIG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SignalSpec {
    /// Its number.
    Number(i32),
    /// Its name.
    Name(String),
}

/// Answer of `kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KillReply {
    /// Runs that were ended.
    pub killed: usize,
    /// Runs that were to be ended.
    pub total: usize,
    /// Processes that were seen to end with them. One that its own ending parent reaped is not counted.
    pub processes: usize,
}

/// Parameters of `input`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InputParams {
    /// The run.
    pub run_id: RunId,
    /// The bytes.
    pub data: Bytes,
    /// They are pasted text: line ends become what the Return key sends, and the whole is bracketed if the
    /// program has asked for that (mode 2004), so that no line is executed as if it had been typed.
    #[serde(default)]
    pub paste: bool,
}

/// Parameters of `resize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResizeParams {
    /// The run.
    pub run_id: RunId,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub cols: u32,
}

/// Parameters of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttachParams {
    /// The run.
    pub run_id: RunId,
    /// The frames' format.
    pub format: Format,
    /// The terminal's new size, if the client has one to tell.
    #[serde(default)]
    pub size: Option<Size>,
}

/// Answer of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttachReply {
    /// The view.
    pub view_id: ViewId,
    /// The run's session.
    pub session_id: SessionId,
    /// The run.
    pub run_id: RunId,
    /// The session's name.
    pub session_name: String,
    /// What became of the run.
    pub status: Status,
    /// The terminal's size.
    pub size: Size,
    /// The title it set.
    pub title: String,
    /// How it ended.
    pub exit: Option<Exit>,
}

/// Parameters of `visible`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VisibleParams {
    /// The run.
    pub run_id: RunId,
    /// Whether its view can be seen.
    pub visible: bool,
}

/// How a snapshot's lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotFormat {
    /// Strings.
    #[default]
    Text,
    /// Strings with escape sequences for colours and attributes.
    Ansi,
    /// Text with style runs.
    Spans,
}

/// Parameters of `snapshot`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SnapshotParams {
    /// The run.
    pub run_id: RunId,
    /// How the lines are to look.
    #[serde(default)]
    pub format: SnapshotFormat,
    /// How many lines of the transcript come before the screen; default none.
    #[serde(default)]
    pub scrollback: usize,
}

/// A cursor's place, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorInfo {
    /// Its row on the screen.
    pub row: u16,
    /// Its column.
    pub col: u16,
    /// Whether it is shown.
    pub visible: bool,
}

/// One line of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SnapshotLine {
    /// Text, with or without escape sequences.
    Text(String),
    /// Text with style runs.
    Spans(SpanLine),
}

/// Answer of `snapshot`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SnapshotReply {
    /// The transcript's last lines as asked for, then each row of the screen, without trailing blanks.
    pub lines: Vec<SnapshotLine>,
    /// How many of the lines are the transcript's.
    pub scrollback_lines: usize,
    /// The cursor.
    pub cursor: CursorInfo,
    /// The terminal's size.
    pub size: Size,
    /// The title the program set.
    pub title: String,
    /// Bytes of older transcript that were dropped under the session's limit.
    pub truncated_bytes: u64,
    /// Whether the program is on the alternate screen.
    pub alternate_screen: bool,
}

/// What `wait` waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Every run of the target has ended.
    Exit,
    /// A line that the regular expression matches, from the run's first line on.
    Pattern(String),
    /// This long without output.
    IdleMs(u64),
}

/// Parameters of `wait`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WaitParams {
    /// Whom to wait for.
    pub target: Target,
    /// What for.
    pub until: Until,
    /// Gives up after this long; default never.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// Why a `wait` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The runs ended.
    Exit,
    /// A line matched.
    Pattern,
    /// There was no output for as long as asked.
    Idle,
    /// The time was up.
    Timeout,
}

/// Answer of `wait`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WaitReply {
    /// Why it ended.
    pub reason: WaitReason,
    /// How the (last) run ended, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// The line that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// Parameters of `rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenameParams {
    /// The session.
    pub target: Target,
    /// Its new name.
    pub name: String,
}

/// Answer of `rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenameReply {
    /// The session.
    pub session_id: SessionId,
    /// Its name now.
    pub name: String,
}

/// Answer of `remove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveReply {
    /// Runs that were dismissed.
    pub removed: usize,
}

/// What takes a view from what it has to what the terminal is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    /// The run.
    pub run_id: RunId,
    /// The view.
    pub view_id: ViewId,
    /// Counts the view's frames, from 1.
    pub seq: u64,
    /// Rows of the terminal.
    pub rows: u16,
    /// Columns of the terminal.
    pub cols: u16,
    /// The view starts over, as after a new size: the client drops what it has of it, scrollback and all. An
    /// `ansi` frame's own sequences do that, where the client's emulator knows CSI 3 J.
    pub reset: bool,
    /// The update itself.
    #[serde(flatten)]
    pub body: FrameBody,
}

/// A frame's content in the view's format.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum FrameBody {
    /// Escape sequences.
    Ansi {
        /// To be written to the client's emulator as it is.
        data: String,
    },
    /// Text with style runs.
    Spans {
        /// Lines that left the screen since the last frame, to be put above it.
        scrolled: Vec<SpanLine>,
        /// Lines that left the screen but are not sent.
        skipped: u64,
        /// Every row of the screen.
        lines: Vec<SpanLine>,
        /// The cursor.
        cursor: CursorInfo,
        /// The title.
        title: String,
    },
}

/// What the host sends a client of its own accord.
#[derive(Debug, Clone)]
pub enum Message {
    /// An update of a view; the answer acknowledges it.
    Frame(Frame),
    /// Something happened.
    Event(Event),
}
