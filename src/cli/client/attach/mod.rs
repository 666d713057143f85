//! `termi attach`: a run on this very terminal, whole screen.
//!
//! ```text
//! keys : tty ─▶ (detach key) ─▶ `input`
//! frame: host ─▶ `Picture` ─▶ tty, and then its acknowledgement
//! ```
//!
//! The terminal is put back as it was whatever happens: when this ends, is told to end, or panics.

mod key;
mod picture;
mod tty;

use std::process::ExitCode;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use super::{Failure, Outcome, connect, exit_code, output, status_text, target::one_run};
use crate::{
    client::{Client, ClientError, Inbox, Message},
    protocol::{
        Attach, AttachParams, AttachReply, Bytes, Code, Detach, Event, Exit, Format, Input, InputParams, Resize,
        ResizeParams, RunId, RunTarget, SendInput, SendParams, Status, Target, ViewId,
    },
};
pub use key::DetachKey;
use picture::Picture;
use tty::Tty;
pub use tty::size as tty_size;

#[derive(Debug, clap::Args)]
#[command(after_help = "Everything typed goes to the program but the detach key. Exit code: 0 after detaching, the \
    program's own when it ends (128 and the number for a signal, 124 when a timeout ended it).")]
pub struct Args {
    /// Whom: a session's id, unique prefix or name, or SESSION:RUN; of a session with several runs, the last active one
    target: Target,
    /// Looks only: nothing is typed into it, and its size stays. Ctrl-C detaches, too
    #[arg(long, short)]
    read_only: bool,
    /// The key that detaches
    #[arg(long, value_name = "KEY", default_value = "ctrl-\\")]
    detach_key: DetachKey,
}

/// The run that is shown.
pub struct Watched {
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
    let (client, inbox) = connect().await?;
    let found = one_run(&client, &args.target).await?;
    let watched = Watched { run_id: found.run.run_id, name: found.session.name };
    show((client, inbox), watched, args.detach_key, args.read_only).await
}

/// Shows a run until one of its ends.
pub async fn show(
    mut connection: (Client, Inbox),
    mut watched: Watched,
    detach_key: DetachKey,
    read_only: bool,
) -> Outcome {
    if !tty::is_one() {
        let why = "this is no terminal: `termi tail` prints what a run prints, and `termi send` types into it";
        return Err(Failure::Asked(why.to_owned()));
    }
    if !read_only {
        may_type(&connection.0, &watched.run_id).await?;
    }
    let mut reply = open(&connection.0, &watched.run_id, read_only).await?;
    watched.name.clone_from(&reply.session_name);
    if reply.status != Status::Active {
        return ended(&watched.name, reply.status, reply.exit);
    }
    let tty = Tty::enter()?;
    let mut shown = Shown {
        watched,
        detach_key,
        read_only,
        signals: Signals::watch()?,
        keys: tty.keys(),
        picture: Picture::new(reply.size),
        tty,
    };
    let end = loop {
        match shown.serve(&mut connection, reply.view_id).await? {
            End::Lost => {}
            end => break end,
        }
        // A daemon that was replaced has every run still, and the terminal keeps its picture meanwhile.
        connection = connect().await.map_err(|_| lost(&shown.watched.name))?;
        reply = open(&connection.0, &shown.watched.run_id, read_only).await.map_err(|_| lost(&shown.watched.name))?;
    };
    let Shown { watched, tty, .. } = shown;
    drop(tty);
    match end {
        End::Exited { status, exit } => ended(&watched.name, status, exit),
        End::Signalled(number) => Ok((128 + number).into()),
        End::HungUp => Ok((128 + 1).into()),
        End::Detached | End::Lost => {
            output::line(&format!("[detached from {}]", watched.name))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn ended(name: &str, status: Status, exit: Option<Exit>) -> Outcome {
    output::line(&format!("[{name} {}]", status_text(status, exit)))?;
    Ok(exit_code(Some(status), exit))
}

fn lost(name: &str) -> Failure {
    Failure::Asked(format!("the connection to the host of {name} was lost; `termi ls` shows what there still is"))
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
    watched: Watched,
    detach_key: DetachKey,
    read_only: bool,
    signals: Signals,
    keys: mpsc::Receiver<Vec<u8>>,
    picture: Picture,
    tty: Tty,
}

impl Shown {
    async fn serve(&mut self, (client, inbox): &mut (Client, Inbox), view: ViewId) -> Result<End, Failure> {
        if let Some(size) = tty_size(std::io::stdout()) {
            self.picture.resize(size);
        }
        let run_id = self.watched.run_id.clone();
        let end = loop {
            tokio::select! {
                told = self.signals.next() => {
                    if let Told::ToEnd(number) = told {
                        break End::Signalled(number);
                    }
                    let Some(size) = tty_size(std::io::stdout()) else { continue };
                    self.picture.resize(size);
                    self.tty.write(&self.picture.repaint())?;
                    let (rows, cols) = (size.rows.into(), size.cols.into());
                    if client.notify::<Resize>(ResizeParams { run_id: run_id.clone(), rows, cols }).await.is_err() {
                        break End::Lost;
                    }
                }
                keys = self.keys.recv() => {
                    let Some(keys) = keys else { break End::HungUp };
                    let typed = self.detach_key.before(&keys, self.read_only);
                    let data = Bytes(typed.unwrap_or(&keys).to_vec());
                    if !self.read_only && !data.0.is_empty() {
                        let params = InputParams { run_id: run_id.clone(), data, paste: false };
                        if client.notify::<Input>(params).await.is_err() {
                            break End::Lost;
                        }
                    }
                    if typed.is_some() {
                        break End::Detached;
                    }
                }
                message = inbox.next() => match message {
                    None => break End::Lost,
                    Some(Message::Frame { frame, ack }) => {
                        if frame.view_id == view {
                            let data = self.picture.take(&frame);
                            self.tty.note_mouse(self.picture.reports_mouse());
                            self.tty.write(&data)?;
                        }
                        ack.accept();
                    }
                    Some(Message::Event(event)) => if let Some(end) = self.hear(event) { break end },
                },
            }
        };
        if matches!(end, End::Detached | End::Signalled(_)) {
            // What was typed last arrives before this is answered.
            let _ = client.call::<Detach>(RunTarget { run_id }).await;
        }
        Ok(end)
    }

    fn hear(&mut self, event: Event) -> Option<End> {
        match event {
            Event::RunExited { run_id, session_name, status, exit, .. } if run_id == self.watched.run_id => {
                self.watched.name = session_name;
                Some(End::Exited { status, exit: Some(exit) })
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
