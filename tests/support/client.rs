//! A client of the protocol over any stream: calls and their answers, and what the host sends by itself.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use rmpv::Value;
use serde_json::{Value as Json, json};

use super::{LIMIT, View, from_json, json_rpc, to_json};

const REQUEST: u64 = 0;
const RESPONSE: u64 = 1;
const NOTIFICATION: u64 = 2;

/// An answer that says no.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// The sentence for a person.
    pub message: String,
    /// Details, or null.
    pub data: Json,
}

/// What has come from the host so far.
#[derive(Default)]
pub struct State {
    /// What came with each message to a Neovim besides its kind and its contents.
    pub tags: Vec<Option<Json>>,
    answers: HashMap<u64, Result<Json, Failure>>,
    /// Answers to what the host could not read.
    pub refusals: Vec<Failure>,
    /// Every event in order.
    pub events: Vec<Json>,
    /// What frames show, by run id.
    pub views: HashMap<String, View>,
    /// The frame that came last, as it came.
    pub newest_frame: Json,
    /// The run of each view, by view id: only a frame that begins a view tells it.
    runs: HashMap<u64, String>,
    /// Frames, events and answers in the order they came, a frame as `{"frame": run id, "seq": n}`, an
    /// answer as `{"answer": call}`.
    pub arrivals: Vec<Json>,
    /// Requests of the host that are not answered yet, because frames are held.
    pub unanswered: VecDeque<u64>,
    holds_frames: bool,
    /// How the host has introduced itself to a Neovim (`nvim_set_client_info`).
    pub introduced: Option<Json>,
    /// Why nothing more comes.
    pub closed: Option<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

type Writer = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    Msgpack,
    Json,
}

impl Speech {
    fn written(self, message: &Value) -> Vec<u8> {
        match self {
            Self::Msgpack => {
                let mut bytes = Vec::new();
                rmpv::encode::write_value(&mut bytes, message).unwrap();
                bytes
            }
            Self::Json => json_rpc::written(message),
        }
    }

    fn read(self, reader: &mut impl std::io::BufRead) -> std::io::Result<Vec<Value>> {
        match self {
            Self::Msgpack => match rmpv::decode::read_value(reader)? {
                Value::Array(message) => Ok(message),
                other => panic!("not a message: {other}"),
            },
            Self::Json => json_rpc::read(reader),
        }
    }
}

/// One connection. Can be used by several threads at once.
pub struct Client {
    writer: Writer,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    speech: Speech,
}

/// A call whose answer has not been waited for.
pub struct Pending<'a> {
    client: &'a Client,
    id: u64,
    method: String,
}

impl Client {
    /// Speaks msgpack-RPC over a stream's two ends.
    pub fn new(reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        Self::speaking(Speech::Msgpack, reader, writer)
    }

    /// Speaks over a stream's two ends.
    pub fn speaking(speech: Speech, reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        let writer: Writer = Arc::new(Mutex::new(Some(Box::new(writer))));
        let shared = Arc::new(Shared::default());
        let (to, state) = (Arc::clone(&writer), Arc::clone(&shared));
        thread::spawn(move || listen(speech, reader, &to, &state));
        Self { writer, shared, next_id: AtomicU64::new(1), speech }
    }

    /// Calls a method with one map and waits for the answer.
    ///
    /// # Errors
    /// When the host refuses.
    #[track_caller]
    pub fn call(&self, method: &str, params: Json) -> Result<Json, Failure> {
        self.begin(method, params).answer()
    }

    /// Calls a method that must succeed.
    #[track_caller]
    pub fn ask(&self, method: &str, params: Json) -> Json {
        self.call(method, params).unwrap_or_else(|failure| panic!("{method}: {failure:?}"))
    }

    /// Calls a method that must be refused.
    #[track_caller]
    pub fn refusal(&self, method: &str, params: Json) -> Failure {
        match self.call(method, params) {
            Err(failure) => failure,
            Ok(answer) => panic!("{method} was not refused, but answered {answer}"),
        }
    }

    /// Sends a call and goes on.
    pub fn begin(&self, method: &str, params: Json) -> Pending<'_> {
        self.begin_with(method, Value::Array(vec![from_json(&params)]))
    }

    /// The same with whatever stands where the array of one map should.
    pub fn begin_with(&self, method: &str, params: Value) -> Pending<'_> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.send(&Value::Array(vec![REQUEST.into(), id.into(), method.into(), params]));
        Pending { client: self, id, method: method.to_owned() }
    }

    /// Sends a notification with one map.
    pub fn notify(&self, method: &str, params: Json) {
        self.send(&Value::Array(vec![NOTIFICATION.into(), method.into(), Value::Array(vec![from_json(&params)])]));
    }

    /// Types bytes into a run.
    pub fn input(&self, run_id: &str, data: impl AsRef<[u8]>) {
        let params = vec![("run_id".into(), run_id.into()), ("data".into(), Value::from(data.as_ref()))];
        self.send(&Value::Array(vec![NOTIFICATION.into(), "input".into(), Value::Array(vec![Value::Map(params)])]));
    }

    /// Answers a request of the host's, or one that it never made.
    pub fn answer(&self, id: u64, result: Value) {
        self.send(&Value::Array(vec![RESPONSE.into(), id.into(), Value::Nil, result]));
    }

    /// Sends any msgpack value; over JSON-RPC, a message of msgpack-RPC's form.
    pub fn send(&self, message: &Value) {
        self.send_bytes(&self.speech.written(message));
    }

    /// Sends any bytes. To a host that is gone they are lost.
    pub fn send_bytes(&self, bytes: &[u8]) {
        if let Some(writer) = &mut *self.writer.lock().unwrap() {
            let _ = writer.write_all(bytes).and_then(|()| writer.flush());
        }
    }

    /// Forgets the answer to a call, so that its id can be used again.
    pub fn forget(&self, id: u64) {
        self.state().answers.remove(&id);
    }

    /// Closes the host's standard input, as an editor that quits does.
    pub fn close(&self) {
        *self.writer.lock().unwrap() = None;
    }

    /// Keeps the acknowledgement of each frame back from now on.
    pub fn hold_frames(&self) {
        self.state().holds_frames = true;
    }

    /// Acknowledges what was kept back, and each frame from now on.
    pub fn release_frames(&self) {
        let held = {
            let mut state = self.state();
            state.holds_frames = false;
            std::mem::take(&mut state.unanswered)
        };
        for id in held {
            self.answer(id, Value::from(true));
        }
    }

    /// What has come so far; nothing more comes in while it is looked at.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Waits until what has come from the host holds what is looked for.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let until = Instant::now() + LIMIT;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let story = state.story();
                drop(state);
                panic!("not within {LIMIT:?}: {what}\n{story}");
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for an event that fits, since the connection was made.
    #[track_caller]
    pub fn wait_event(&self, what: &str, fits: impl Fn(&Json) -> bool) -> Json {
        self.wait_for(what, |state| state.events.iter().find(|event| fits(event)).cloned())
    }

    /// Waits for a run's end to be told.
    #[track_caller]
    pub fn wait_exited(&self, run_id: &str) -> Json {
        self.wait_event(&format!("run_exited of {run_id}"), |event| {
            event["type"] == "run_exited" && event["run_id"] == run_id
        })
    }

    /// Waits until a run's view shows what is looked for; gives its screen.
    #[track_caller]
    pub fn wait_screen(&self, run_id: &str, what: &str, fits: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.wait_for(what, |state| {
            let screen = state.views.get(run_id)?.screen();
            fits(&screen).then_some(screen)
        })
    }

    /// Waits until the host has closed the connection; gives the reason, `EOF` or what could not be read.
    #[track_caller]
    pub fn wait_closed(&self) -> String {
        self.wait_for("the host closes the connection", |state| state.closed.clone())
    }

    /// Tells who this is, as every connection does first.
    pub fn initialize(&self) -> Json {
        self.ask(
            "initialize",
            json!({"protocol": 1, "client": {"name": "test", "version": "1"}, "frontend": "generic"}),
        )
    }
}

impl Pending<'_> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// When the host refuses.
    #[track_caller]
    pub fn answer(self) -> Result<Json, Failure> {
        let what = format!("an answer to {}", self.method);
        let answer = self.client.wait_for(&what, |state| {
            let closed = state.closed.as_ref().map(|why| {
                let message = format!("no answer to {}: the connection was closed: {why}", self.method);
                Err(Failure { code: "closed".into(), message, data: Json::Null })
            });
            state.answers.get(&self.id).cloned().or(closed)
        });
        self.client.state().answers.remove(&self.id);
        answer
    }

    /// Which call it is, as `arrivals` names it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether the answer is there.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.client.state().answers.contains_key(&self.id)
    }
}

impl State {
    /// The answer to a call, if it has come and nobody has taken it.
    #[must_use]
    pub fn answer(&self, id: u64) -> Option<&Result<Json, Failure>> {
        self.answers.get(&id)
    }

    /// What came, for the report of a wait that was in vain.
    fn story(&self) -> String {
        let mut story = format!("closed: {:?}\n", self.closed);
        for event in self.events.iter().rev().take(12).rev() {
            story += &format!("event: {event}\n");
        }
        for (run, view) in self.views.iter().take(4) {
            story += &format!("view of {run} after {} frames:\n  {}\n", view.frames, view.screen().join("\n  "));
        }
        story
    }

    /// What a request is about: to a Neovim everything comes as a call of Lua.
    fn unwrapped(method: &str, args: &Json) -> (String, Json) {
        match method {
            "nvim_exec_lua" => (args[1][0].as_str().unwrap().to_owned(), args[1][1].clone()),
            "nvim_set_client_info" => (method.to_owned(), args.clone()),
            _ => (method.to_owned(), args[0].clone()),
        }
    }

    /// Takes a message in; gives the answer that is due at once.
    fn take(&mut self, message: &[Value], bytes: usize) -> Option<(u64, Value)> {
        let number = |at: usize| message[at].as_u64().expect("a number");
        match number(0) {
            RESPONSE => {
                let answer = match &message[2] {
                    Value::Nil => Ok(to_json(&message[3])),
                    error => Err(failure(&to_json(error))),
                };
                // JSON-RPC answers what it could not read with no id.
                let Some(id) = message[1].as_u64() else {
                    self.refusals.extend(answer.err());
                    return None;
                };
                self.arrivals.push(json!({"answer": id}));
                assert!(self.answers.insert(id, answer).is_none(), "call {id} is answered twice");
                None
            }
            REQUEST => {
                let id = number(1);
                let args = to_json(&message[3]);
                if message[2].as_str() == Some("nvim_exec_lua") {
                    self.tags.push(args[1].get(2).cloned());
                }
                let (kind, params) = Self::unwrapped(message[2].as_str().unwrap(), &args);
                match kind.as_str() {
                    "frame" => {
                        self.newest_frame = params.clone();
                        let view = params["view_id"].as_u64().expect("a view");
                        if let Some(run) = params["run_id"].as_str() {
                            self.runs.insert(view, run.to_owned());
                        }
                        let run = self.runs.get(&view).expect("a view's first frame names its run").clone();
                        self.arrivals.push(json!({"frame": &run, "seq": params["seq"]}));
                        self.views.entry(run).or_insert_with(View::new).apply(&params, bytes);
                        if self.holds_frames {
                            self.unanswered.push_back(id);
                            return None;
                        }
                    }
                    "event" => {
                        self.arrivals.push(params.clone());
                        self.events.push(params);
                    }
                    "nvim_set_client_info" => self.introduced = Some(params),
                    "reply" => {
                        self.arrivals.push(json!({"answer": params["id"]}));
                        let answer = match params.get("error") {
                            Some(error) => Err(failure(error)),
                            None => Ok(params["result"].clone()),
                        };
                        self.answers.insert(params["id"].as_u64().unwrap(), answer);
                    }
                    other => panic!("the host asked for {other:?}"),
                }
                Some((id, Value::from(true)))
            }
            NOTIFICATION => {
                assert_eq!(message[1].as_str(), Some("event"), "the host's notifications are events");
                let event = to_json(&message[2])[0].clone();
                self.arrivals.push(event.clone());
                self.events.push(event);
                None
            }
            other => panic!("a message of kind {other}"),
        }
    }
}

fn failure(error: &Json) -> Failure {
    let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("an error has no {key}: {error}")).to_owned();
    Failure { code: text("code"), message: text("message"), data: error["data"].clone() }
}

/// Counts what is read of it.
struct Counted<R> {
    reader: R,
    taken: usize,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
        self.reader.consume(count);
    }
}

fn listen(speech: Speech, reader: impl Read, writer: &Writer, shared: &Shared) {
    let mut reader = Counted { reader: BufReader::new(reader), taken: 0 };
    loop {
        reader.taken = 0;
        let message = speech.read(&mut reader);
        // Poisoned: the test has failed already.
        let Ok(mut state) = shared.state.lock() else { return };
        let due = match message {
            Ok(message) => state.take(&message, reader.taken),
            Err(error) => {
                let is_end = error.kind() == std::io::ErrorKind::UnexpectedEof;
                state.closed = Some(if is_end { "EOF".to_owned() } else { error.to_string() });
                shared.changed.notify_all();
                return;
            }
        };
        drop(state);
        shared.changed.notify_all();
        if let Some((id, result)) = due {
            let bytes = speech.written(&Value::Array(vec![RESPONSE.into(), id.into(), Value::Nil, result]));
            if let Some(writer) = &mut *writer.lock().unwrap() {
                let _ = writer.write_all(&bytes).and_then(|()| writer.flush());
            }
        }
    }
}
