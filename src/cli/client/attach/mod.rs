//! `termi attach`: a run on this very terminal, whole screen.
//!
//! ```text
//! keys : tty ─▶ (detach key) ─▶ `input`
//! frame: host ─▶ `ScreenMirror` ─▶ tty, and then its acknowledgement
//! ```
//!
//! The terminal is put back as it was whatever happens: when this ends, is told to end, or panics.

mod key;
mod mirror;
mod tty;

use std::{collections::VecDeque, process::ExitCode, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use super::{
    Failure, Outcome, connect,
    connection::Connection,
    exit_code, output, print_error, status_text,
    target::{newest_active, one_run},
};
use crate::{
    client::{Client, ClientError, Inbox, Message},
    protocol::{
        Attach, AttachParams, AttachReply, Bytes, Code, Detach, Event, Exit, Format, Input, InputParams, Resize,
        ResizeParams, RunId, RunTarget, SendInput, SendParams, Size, Status, Target, ViewId,
    },
};
pub use key::DetachKey;
use mirror::ScreenMirror;
use tty::Tty;
pub use tty::size as tty_size;

#[derive(Debug, clap::Args)]
#[command(after_help = "Everything typed goes to the program but the detach key. Exit code: 0 after detaching, the \
    program's own when it ends (128 and the number for a signal, 124 when a timeout ended it).")]
pub struct Args {
    /// Target: a session's id, unique prefix or name, or SESSION:RUN; of a session with several runs, the last active
    /// one. Default: the active run that was started last
    #[arg(add = super::candidates::active_run())]
    target: Option<Target>,
    /// Read-only: do not type into it, nor size it. Ctrl-C detaches, too
    #[arg(long, short)]
    read_only: bool,
    /// The key that detaches
    #[arg(long, value_name = "KEY", default_value = "ctrl-\\")]
    detach_key: DetachKey,
}

/// How long a host may take to answer that a view is closed, before it is left without.
const DETACH_TIMEOUT: Duration = Duration::from_millis(500);

/// What may be typed while the host does not take it, in bytes.
const MAX_UNSENT: usize = 1 << 20;

/// The run that is shown.
pub struct AttachedRun {
    pub run_id: RunId,
    pub name: String,
}

/// Why it is not shown any more.
enum End {
    Detached,
    Exited {
        status: Status,
        exit: Option<Exit>,
    },
    /// The connection ended: the host did, or has another binary in its place.
    Lost,
    /// The terminal was closed.
    HungUp,
    Signalled(u8),
}

pub async fn run(args: Args) -> Outcome {
    let mut connection = Connection::open().await?;
    let found = match &args.target {
        Some(target) => one_run(&mut connection, target).await?,
        None => newest_active(&mut connection).await?,
    };
    let attached = AttachedRun { run_id: found.run.run_id, name: found.session.name };
    show(connection.into_parts(), attached, args.detach_key, args.read_only).await
}

/// # Errors
/// When there is no terminal to show a run on.
pub fn check_terminal() -> Result<(), Failure> {
    let why = "not a terminal: `termi tail` prints what a run prints, and `termi send` types into it";
    if tty::is_one() { Ok(()) } else { Err(Failure::Asked(why.to_owned())) }
}

/// Shows a run until one of its ends.
pub async fn show(
    mut connection: (Client, Inbox),
    mut attached: AttachedRun,
    detach_key: DetachKey,
    read_only: bool,
) -> Outcome {
    check_terminal()?;
    // What it shows would be shown in it again, without end.
    if std::env::var_os("TERMI_RUN").is_some_and(|own| own == attached.run_id.as_str()) {
        return Err(Failure::Asked(format!(
            "{} is the run that this terminal is in; attach from another terminal",
            attached.name
        )));
    }
    if !read_only {
        may_type(&connection.0, &attached.run_id).await?;
    }
    let mut reply = match open(&connection.0, &attached.run_id, read_only).await {
        // The daemon may just have been replaced.
        Err(Failure::Client(ClientError::Closed)) => {
            connection = connect().await?;
            open(&connection.0, &attached.run_id, read_only).await?
        }
        reply => reply?,
    };
    attached.name.clone_from(&reply.session_name);
    if reply.status != Status::Active {
        return ended(&attached.name, reply.status, reply.exit);
    }
    let tty = Tty::enter()?;
    let mut shown = Shown {
        attached,
        detach_key,
        read_only,
        signals: Signals::watch()?,
        keys: tty.keys(),
        mirror: ScreenMirror::new(reply.size),
        unsent: VecDeque::new(),
        is_held: false,
        tty,
    };
    let end = loop {
        match shown.serve(&mut connection, reply.view_id).await? {
            End::Lost => {}
            end => break end,
        }
        // A daemon that was replaced has every run still, and the terminal keeps its picture meanwhile.
        let run_id = shown.attached.run_id.clone();
        let again = async {
            let connection = connect().await?;
            let reply = open(&connection.0, &run_id, read_only).await?;
            Ok::<_, Failure>((connection, reply))
        };
        (connection, reply) = tokio::select! {
            again = again => again.map_err(|_| lost(&shown.attached.name))?,
            end = shown.left() => break end,
        };
    };
    let Shown { attached, tty, unsent, .. } = shown;
    // First of all: the host may not answer any more.
    drop(tty);
    if matches!(end, End::Detached | End::Signalled(_)) {
        // What was typed last arrives before this is answered.
        let detach = connection.0.call::<Detach>(RunTarget { run_id: attached.run_id.clone() });
        if tokio::time::timeout(DETACH_TIMEOUT, detach).await.is_err() || !unsent.is_empty() {
            print_error(&format!("{}: the host does not answer; the last keys may not have arrived", attached.name));
        }
    }
    match end {
        End::Exited { status, exit } => ended(&attached.name, status, exit),
        End::Signalled(number) => Ok((128 + number).into()),
        End::HungUp => Ok((128 + 1).into()),
        End::Detached | End::Lost => {
            output::line(&format!("[detached from {}]", attached.name))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn ended(name: &str, status: Status, exit: Option<Exit>) -> Outcome {
    output::line(&format!("[{name} {}]", status_text(status, exit)))?;
    Ok(exit_code(Some(status), exit))
}

fn lost(name: &str) -> Failure {
    Failure::Asked(format!(
        "the connection to the host of {name} was lost; `termi ls` lists the sessions that are left"
    ))
}

/// Keys are sent without waiting for an answer: whether they are taken is asked before, by sending none.
async fn may_type(client: &Client, run_id: &RunId) -> Result<(), Failure> {
    let target = Target::Session(run_id.to_string());
    let nothing = SendParams { target, data: Bytes::default(), enter: false, paste: false };
    match client.call::<SendInput>(nothing).await {
        Err(ClientError::Refused(error)) if error.code == Code::Forbidden => {
            Err(Failure::Asked(format!("{}; `termi attach --read-only` looks only", error.message)))
        }
        // What else there is to say of it is said by `attach`.
        _ => Ok(()),
    }
}

/// Opens the view. The first frame comes after its answer.
async fn open(client: &Client, run_id: &RunId, read_only: bool) -> Result<AttachReply, Failure> {
    client.initialize("termi attach").await?;
    let size = tty_size(std::io::stdout());
    // The terminal shows a screen; what is above it, `termi tail` prints.
    let params = AttachParams { run_id: run_id.clone(), format: Format::Ansi, size, read_only, scrollback: Some(0) };
    Ok(client.call::<Attach>(params).await?)
}

/// A run on the terminal.
struct Shown {
    attached: AttachedRun,
    detach_key: DetachKey,
    read_only: bool,
    signals: Signals,
    keys: mpsc::Receiver<Vec<u8>>,
    mirror: ScreenMirror,
    /// What was typed and could not be sent yet.
    unsent: VecDeque<u8>,
    /// The daemon is being replaced: what it is sent meanwhile would be lost.
    is_held: bool,
    tty: Tty,
}

impl Shown {
    async fn serve(&mut self, (client, inbox): &mut (Client, Inbox), view: ViewId) -> Result<End, Failure> {
        if let Some(size) = tty_size(std::io::stdout()) {
            self.mirror.resize(size);
        }
        let run_id = self.attached.run_id.clone();
        let mut sized = None;
        self.is_held = false;
        let end = loop {
            tokio::select! {
                // In order: what the host has said, as that it is to be waited for, counts before anything is sent. Its
                // messages are never endless, as each frame waits for the answer to the one before.
                biased;
                told = self.signals.next() => {
                    if let Told::ToEnd(number) = told {
                        break End::Signalled(number);
                    }
                    let Some(size) = tty_size(std::io::stdout()) else { continue };
                    self.mirror.resize(size);
                    self.tty.write(&self.mirror.repaint())?;
                    sized = Some(size);
                }
                message = inbox.next() => match message {
                    None => break End::Lost,
                    Some(Message::Frame { frame, ack }) => {
                        if frame.view_id == view {
                            let data = self.mirror.take(&frame);
                            self.tty.note_mouse(self.mirror.reports_mouse());
                            self.tty.write(&data)?;
                        }
                        ack.accept();
                    }
                    Some(Message::Event(event)) => if let Some(end) = self.hear(event) { break end },
                },
                // Nothing here waits for the host: it may be stopped, and keys are still to be read.
                ready = client.ready(), if !self.is_held && (sized.is_some() || !self.unsent.is_empty()) => {
                    if ready.is_err() {
                        break End::Lost;
                    }
                    let sent = match sized.take() {
                        Some(Size { rows, cols }) => {
                            let (rows, cols) = (rows.into(), cols.into());
                            client.notify::<Resize>(ResizeParams { run_id: run_id.clone(), rows, cols }).await
                        }
                        None => {
                            let data = Bytes(self.unsent.drain(..).collect());
                            client.notify::<Input>(InputParams { run_id: run_id.clone(), data, paste: false }).await
                        }
                    };
                    if sent.is_err() {
                        break End::Lost;
                    }
                }
                keys = self.keys.recv() => if let Some(end) = self.typed(keys) { break end },
            }
        };
        // On the way out too: what was typed before the detach key.
        if matches!(end, End::Detached) && !self.unsent.is_empty() {
            let data = Bytes(self.unsent.iter().copied().collect());
            let input = client.notify::<Input>(InputParams { run_id, data, paste: false });
            if tokio::time::timeout(DETACH_TIMEOUT, input).await.is_ok_and(|sent| sent.is_ok()) {
                self.unsent.clear();
            }
        }
        Ok(end)
    }

    /// Takes what is typed up to the detach key; says when that came, or the terminal is gone.
    fn typed(&mut self, keys: Option<Vec<u8>>) -> Option<End> {
        let Some(keys) = keys else { return Some(End::HungUp) };
        let typed = self.detach_key.before(&keys, self.read_only);
        let keys_before = typed.unwrap_or(&keys);
        if !self.read_only && self.unsent.len() + keys_before.len() <= MAX_UNSENT {
            self.unsent.extend(keys_before);
        } else if !self.read_only {
            // As a terminal does whose input is full.
            let _ = self.tty.write("\x07");
        }
        typed.is_some().then_some(End::Detached)
    }

    /// Waits until somebody wants to leave. What is typed meanwhile is kept.
    async fn left(&mut self) -> End {
        loop {
            let told = tokio::select! {
                told = self.signals.next() => told,
                keys = self.keys.recv() => match self.typed(keys) {
                    Some(end) => return end,
                    None => continue,
                },
            };
            if let Told::ToEnd(number) = told {
                return End::Signalled(number);
            }
        }
    }

    fn hear(&mut self, event: Event) -> Option<End> {
        match event {
            Event::RunExited { run_id, session_name, status, exit, .. } if run_id == self.attached.run_id => {
                self.attached.name = session_name;
                Some(End::Exited { status, exit: Some(exit) })
            }
            Event::Replacing { begins } => {
                self.is_held = begins;
                None
            }
            _ => None,
        }
    }
}

/// What the kernel tells this process.
struct Signals {
    ends: Vec<(u8, Signal)>,
    resized: Signal,
}

impl Signals {
    fn watch() -> Result<Self, Failure> {
        let watch = |kind| signal(kind).map_err(|source| Failure::Io { what: "signals", source });
        let ends = [
            (1, SignalKind::hangup()),
            (2, SignalKind::interrupt()),
            (3, SignalKind::quit()),
            (15, SignalKind::terminate()),
        ];
        Ok(Self {
            ends: ends.into_iter().map(|(number, kind)| Ok((number, watch(kind)?))).collect::<Result<_, Failure>>()?,
            resized: watch(SignalKind::window_change())?,
        })
    }
}

/// What a signal says.
enum Told {
    /// The number of one that ends this.
    ToEnd(u8),
    /// The terminal has another size.
    Resized,
}

impl Signals {
    async fn next(&mut self) -> Told {
        let ends = self.ends.iter_mut().map(|(number, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *number
            })
        });
        tokio::select! {
            (number, ..) = futures::future::select_all(ends) => Told::ToEnd(number),
            _ = self.resized.recv() => Told::Resized,
        }
    }
}
