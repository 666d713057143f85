//! A model of access: what a program inside a session may see and change under each policy of `cross_session`, checked
//! against a host over random sequences of valid calls, in each msgpack type that serde takes for a parameter.
//!
//! It knows nothing of the host but the protocol: the fuzzer runs it against one in its own process, a test of the
//! daemon against the real one.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    os::unix::net::UnixStream,
    time::Duration,
};

use rmpv::Value;

/// A policy's name, by its number.
const POLICIES: [&str; 4] = ["off", "read", "group", "full"];

/// What the program types where it may not. No session's own text holds it.
const TYPED: &str = "OWNED";

/// The size that it asks for.
const SIZE: [u64; 2] = [7, 30];

/// A map with text for keys.
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// Why a call was refused: its stable code, or `closed`.
type Answer = Result<Value, String>;

/// A connection that has introduced itself.
struct Wire {
    stream: UnixStream,
    calls: u64,
    answers: BTreeMap<u64, Answer>,
    /// All that came.
    received: Vec<u8>,
    closed: bool,
}

impl Wire {
    fn new(stream: UnixStream) -> Self {
        // A host that does not answer is a fault, not a reason to wait for ever.
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let mut wire = Self { stream, calls: 0, answers: BTreeMap::new(), received: Vec::new(), closed: false };
        wire.call("initialize", map([("protocol", 1.into())])).expect("initialize");
        wire
    }

    fn send(&mut self, message: &Value) {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, message).expect("a value is msgpack");
        self.closed |= self.stream.write_all(&bytes).is_err();
    }

    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.calls += 1;
        let message = vec![0.into(), self.calls.into(), method.into(), Value::Array(vec![params])];
        self.send(&Value::Array(message));
        self.calls
    }

    fn call(&mut self, method: &str, params: Value) -> Answer {
        let id = self.begin(method, params);
        self.answer(id)
    }

    fn answer(&mut self, id: u64) -> Answer {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            if self.closed {
                return Err("closed".to_owned());
            }
            self.take_message();
        }
    }

    fn take_message(&mut self) {
        let message = match rmpv::decode::read_value(&mut self.stream) {
            Ok(message) => message,
            Err(error) => {
                let timed_out = matches!(&error, rmpv::decode::Error::InvalidMarkerRead(error)
                    if error.kind() == std::io::ErrorKind::WouldBlock);
                assert!(!timed_out, "the host does not answer");
                self.closed = true;
                return;
            }
        };
        rmpv::encode::write_value(&mut self.received, &message).expect("a value is msgpack");
        let Value::Array(parts) = message else { panic!("not a message: {message}") };
        match (parts[0].as_u64(), &parts[1..]) {
            // Frames and events: taken.
            (Some(0), [id, ..]) => self.send(&Value::Array(vec![1.into(), id.clone(), Value::Nil, Value::Nil])),
            (Some(1), [id, error, result]) => {
                let answer = if error.is_nil() { Ok(result.clone()) } else { Err(text(error, "code")) };
                self.answers.insert(id.as_u64().expect("a number"), answer);
            }
            _ => {}
        }
    }

    fn has_received(&self, text: &str) -> bool {
        self.received.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

fn get<'a>(value: &'a Value, key: &str) -> &'a Value {
    let entry = value.as_map().and_then(|entries| entries.iter().find(|(name, _)| name.as_str() == Some(key)));
    entry.map_or(&Value::Nil, |(_, value)| value)
}

fn text(value: &Value, key: &str) -> String {
    get(value, key).as_str().unwrap_or_default().to_owned()
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
struct Session {
    id: String,
    name: String,
    group: String,
    /// Each run's id, process and status.
    runs: Vec<(String, u64, String)>,
}

fn world(owner: &mut Wire) -> Vec<Session> {
    let sessions = owner.call("sessions", map([])).expect("sessions");
    let sessions = sessions.as_map().expect("a map").iter();
    let session = |(id, info): &(Value, Value)| Session {
        id: id.as_str().expect("an id").to_owned(),
        name: text(info, "name"),
        group: text(info, "group"),
        runs: get(info, "processes")
            .as_array()
            .into_iter()
            .flatten()
            .map(|run| (text(run, "run_id"), get(run, "pid").as_u64().unwrap_or_default(), text(run, "status")))
            .collect(),
    };
    sessions.map(session).collect()
}

/// Numbers and choices from the input; zeros when that is used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first.into()
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() % limit.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A text, in one of the types that a handler takes for one.
    fn typed(&mut self, text: &str) -> Value {
        if self.next().is_multiple_of(2) { text.into() } else { Value::Binary(text.as_bytes().to_vec()) }
    }

    /// A parameter's name, likewise. A number is its place among the method's parameters.
    fn key(&mut self, name: &str, place: Option<u64>) -> Value {
        match (self.next() % 3, place) {
            (1, _) => Value::Binary(name.as_bytes().to_vec()),
            (2, Some(place)) => place.into(),
            _ => name.into(),
        }
    }
}

/// What a call asks for.
enum Needs {
    /// Nothing that anyone has.
    Nothing,
    /// To read, or to change, what a target names.
    Target { target: String, writes: bool },
    /// To change the one session that is named, by its id, prefix or name; a run's is none.
    Session(String),
    /// The same of a run, by its whole id.
    Run { run: String, writes: bool },
    /// A run in a session, if there is one of that name, or in a new one of a group.
    Start { session: Option<String>, group: Option<String> },
    /// All sessions.
    Host { writes: bool },
}

struct Call {
    method: &'static str,
    params: Value,
    needs: Needs,
}

fn only<'a>(found: &[&'a Session]) -> Option<&'a Session> {
    if let [one] = found { Some(one) } else { None }
}

/// Whether a word may be the beginning of an id.
fn is_prefix(word: &str) -> bool {
    word.len() >= 4
}

/// The rules as README and protocol have them.
struct Rules<'a> {
    world: &'a [Session],
    own: &'a str,
    policy: &'a str,
}

impl Rules<'_> {
    fn may(&self, session: &Session, writes: bool) -> bool {
        let own = self.world.iter().find(|other| other.id == self.own);
        let friend = own.is_some_and(|own| !own.group.is_empty() && own.group == session.group);
        session.id == self.own
            || match self.policy {
                "off" => false,
                "read" => !writes,
                "group" => !writes || friend,
                _ => true,
            }
    }

    /// The sessions that a target names; none when it names nothing, or not one alone.
    fn named(&self, target: &str) -> Option<Vec<&Session>> {
        let known: Vec<&Session> = self.world.iter().filter(|session| self.may(session, false)).collect();
        let session = |name: &str| {
            let by = |fits: &dyn Fn(&Session) -> bool| {
                known.iter().copied().filter(|session| fits(session)).collect::<Vec<_>>()
            };
            only(&by(&|session| session.id == name))
                .or_else(|| only(&by(&|session| session.name == name)))
                .or_else(|| only(&by(&|session| is_prefix(name) && session.id.starts_with(name))))
        };
        let begins =
            |name: &str| known.iter().filter(|session| is_prefix(name) && session.id.starts_with(name)).count();
        match target.split_once(':') {
            _ if target == "all" => Some(known),
            Some(("group", group)) => {
                let members: Vec<_> = known.into_iter().filter(|session| session.group == group).collect();
                (!members.is_empty()).then_some(members)
            }
            Some((name, run)) => {
                let session = session(name)?;
                let runs = session.runs.iter().filter(|(id, ..)| !run.is_empty() && id.starts_with(run)).count();
                (runs == 1).then(|| vec![session])
            }
            None => match session(target) {
                Some(session) => Some(vec![session]),
                None if !is_prefix(target) || begins(target) > 1 => None,
                None => {
                    let runs = known.iter().flat_map(|session| session.runs.iter().map(move |run| (*session, &run.0)));
                    let found: Vec<_> = runs.filter(|(_, id)| id.starts_with(target)).collect();
                    if let [(session, _)] = found[..] { Some(vec![session]) } else { None }
                }
            },
        }
    }

    /// Whether a call is one that the program may make; none when it is about nothing that there is.
    fn allow(&self, needs: &Needs) -> Option<bool> {
        match needs {
            Needs::Nothing => Some(true),
            Needs::Host { writes } => Some(match self.policy {
                "off" => false,
                "read" | "group" => !writes,
                _ => true,
            }),
            Needs::Run { run, writes } => {
                let session = self.world.iter().find(|session| session.runs.iter().any(|(id, ..)| id == run))?;
                Some(self.may(session, *writes))
            }
            Needs::Target { target, writes } => {
                if self.policy == "off" && (target == "all" || target.starts_with("group:")) {
                    return Some(false);
                }
                Some(self.named(target)?.into_iter().all(|session| self.may(session, *writes)))
            }
            Needs::Session(name) => Some(self.may(self.named_session(name)?, true)),
            Needs::Start { session, group } => {
                let known = session.as_ref().and_then(|name| self.named_session(name));
                if let Some(session) = known {
                    return Some(self.may(session, true));
                }
                let Some(group) = group.as_ref() else { return Some(self.policy != "off") };
                let members: Vec<_> = self.world.iter().filter(|session| session.group == *group).collect();
                let own = self.world.iter().find(|session| session.id == self.own);
                let is_own = own.is_some_and(|own| own.group == *group);
                Some(
                    self.policy != "off"
                        && members.into_iter().all(|session| self.may(session, true))
                        && (self.policy != "group" || is_own),
                )
            }
        }
    }

    fn named_session(&self, name: &str) -> Option<&Session> {
        let found = self.named(name)?;
        found.into_iter().find(|session| session.id.starts_with(name) || session.name == name)
    }
}

/// A host, with a program of one of its sessions on two connections.
pub struct Model {
    owner: Wire,
    program: Vec<Wire>,
    own: String,
    policy: &'static str,
    /// Sessions that the program may have changed, at one time or another.
    open: BTreeSet<String>,
    /// Texts that came to be while nothing of others was to be seen.
    secrets: Vec<String>,
    /// How many there were.
    hidden: usize,
}

impl Model {
    /// Four sessions of the owner's: the program's own, one of the same group, one of another, and one of none.
    /// `connect` gives a connection of a program in a session.
    ///
    /// # Panics
    /// When the host does not answer, or not as it must.
    pub fn new(owner: UnixStream, mut connect: impl FnMut(&str) -> UnixStream) -> Self {
        let mut owner = Wire::new(owner);
        let mut ids = Vec::new();
        for (name, group) in [("own", "web"), ("friend", "web"), ("stranger", "other"), ("loner", "")] {
            let group = if group.is_empty() { Value::Nil } else { group.into() };
            let cmd = Value::Array(vec!["cat".into()]);
            let run = owner.call("run", map([("name", name.into()), ("group", group), ("cmd", cmd)])).expect("run");
            ids.push(text(&run, "session_id"));
        }
        let own = ids[0].clone();
        let program = (0..2).map(|_| Wire::new(connect(&own))).collect();
        let mut model = Self { owner, program, own, policy: "", open: BTreeSet::new(), secrets: Vec::new(), hidden: 0 };
        model.set_policy("read");
        model
    }

    /// Makes the calls that the input says, each judged by the rules, and in the end looks at what was not to be
    /// changed.
    ///
    /// # Panics
    /// When the host has allowed what it must not, or refused what it must not.
    pub fn run(mut self, input: &[u8]) {
        let mut choices = Choices(input);
        while !choices.0.is_empty() && self.program.iter().all(|wire| !wire.closed) {
            match choices.below(8) {
                0 => {
                    let policy = choices.of(&POLICIES);
                    self.set_policy(policy);
                }
                1 | 2 => self.race(&mut choices),
                _ => self.one(&mut choices),
            }
        }
        self.set_policy("read");
        self.check_untouched();
    }

    fn set_policy(&mut self, policy: &'static str) {
        self.check_secrets();
        let params = map([("protocol", 1.into()), ("cross_session", policy.into())]);
        self.owner.call("initialize", params).expect("the owner sets the policy");
        self.policy = policy;
        let world = world(&mut self.owner);
        let rules = Rules { world: &world, own: &self.own, policy };
        self.open.extend(world.iter().filter(|session| rules.may(session, true)).map(|session| session.id.clone()));
        if policy == "off" {
            self.hide(&world);
        }
    }

    /// Something of others happens that the program is not to hear of.
    fn hide(&mut self, world: &[Session]) {
        self.hidden += 1;
        let secret = format!("secret-{}", self.hidden);
        for session in world.iter().filter(|session| session.id != self.own && !session.runs.is_empty()) {
            let params =
                map([("target", session.id.as_str().into()), ("data", secret.as_str().into()), ("enter", true.into())]);
            // All of it may have ended by now.
            let _ = self.owner.call("send", params);
        }
        let name = format!("hidden-{}", self.hidden);
        let params = map([("name", name.as_str().into()), ("cmd", Value::Array(vec!["cat".into()]))]);
        let run = self.owner.call("run", params).expect("run");
        self.secrets = vec![secret, name, text(&run, "session_id"), text(&run, "run_id")];
        let params = map([("target", text(&run, "session_id").into())]);
        self.owner.call("kill", params).expect("kill");
    }

    fn check_secrets(&mut self) {
        for wire in &mut self.program {
            // What was sent before the answer has come with it.
            let _ = wire.call("initialize", map([("protocol", 1.into())]));
            for secret in &self.secrets {
                assert!(!wire.has_received(secret), "under the policy off, the program got {secret:?}");
            }
            wire.received.clear();
        }
        self.secrets.clear();
    }

    /// The sessions that the program may aim at: not one whose very name is a secret.
    fn visible(&mut self) -> Vec<Session> {
        let mut all = world(&mut self.owner);
        all.retain(|session| !session.name.starts_with("hidden"));
        all
    }

    /// One call, and its answer.
    fn one(&mut self, choices: &mut Choices) {
        let before = world(&mut self.owner);
        let targets = self.visible();
        let call = call(choices, &targets, self.policy);
        let rules = Rules { world: &before, own: &self.own, policy: self.policy };
        let allowed = rules.allow(&call.needs);
        let told = format!("{} {} under {}", call.method, call.params, self.policy);
        let wire = choices.below(self.program.len());
        let answer = self.program[wire].call(call.method, call.params);
        if answer.as_ref().is_err_and(|code| code == "closed") {
            return;
        }
        let code = answer.as_ref().err().map(String::as_str);
        match allowed {
            Some(true) => assert_ne!(code, Some("forbidden"), "{told}: {before:#?}"),
            Some(false) => {
                assert!(answer.is_err(), "{told} was allowed: {before:#?}");
                assert_eq!(world(&mut self.owner), before, "{told} changed something");
            }
            None if self.policy == "off" => assert!(answer.is_err(), "{told} was allowed: {before:#?}"),
            None => {}
        }
        self.check_unchanged(&before, &told);
    }

    /// Several calls at once over both connections: what each comes to is open, but not what stays as it is.
    fn race(&mut self, choices: &mut Choices) {
        let before = world(&mut self.owner);
        let targets = self.visible();
        let (mut begun, mut told) = (Vec::new(), String::new());
        for _ in 0..2 + choices.below(10) {
            let Call { method, params, .. } = call(choices, &targets, self.policy);
            told += &format!("{method} {params} | ");
            let wire = choices.below(self.program.len());
            begun.push((wire, self.program[wire].begin(method, params)));
        }
        for (wire, id) in begun {
            let _ = self.program[wire].answer(id);
        }
        self.check_unchanged(&before, &told);
    }

    fn check_unchanged(&mut self, before: &[Session], told: &str) {
        let rules = Rules { world: before, own: &self.own, policy: self.policy };
        let after = world(&mut self.owner);
        for session in before.iter().filter(|session| !rules.may(session, true)) {
            let now = after.iter().find(|other| other.id == session.id);
            assert_eq!(now, Some(session), "{told} under {} changed a session of others", self.policy);
        }
        // What it has made itself, it may be able to change.
        let rules = Rules { world: &after, own: &self.own, policy: self.policy };
        self.open.extend(after.iter().filter(|session| rules.may(session, true)).map(|session| session.id.clone()));
    }

    fn check_untouched(&mut self) {
        let world = world(&mut self.owner);
        for session in world.iter().filter(|session| !self.open.contains(&session.id)) {
            for (run, _, status) in session.runs.iter().filter(|(.., status)| status == "active") {
                let target = || ("target", Value::from(run.as_str()));
                let end = "that is all";
                self.owner.call("send", map([target(), ("data", end.into()), ("enter", true.into())])).expect("send");
                let until = map([("pattern", format!("^{end}$").into())]);
                self.owner.call("wait", map([target(), ("until", until)])).expect("wait");
                let params = map([("run_id", run.as_str().into()), ("scrollback", 10_000.into())]);
                let snapshot = self.owner.call("snapshot", params).expect("snapshot");
                let shown = get(&snapshot, "lines").to_string();
                assert!(!shown.contains(TYPED), "{session:?} ({status}) was typed into: {shown}");
                let size = get(&snapshot, "size");
                assert_ne!(get(size, "rows").as_u64(), Some(SIZE[0]), "{session:?} was sized");
            }
        }
    }
}

/// A text that may name a session or a run.
fn target(choices: &mut Choices, world: &[Session]) -> String {
    let Some(session) = world.get(choices.below(world.len())) else { return "all".to_owned() };
    let run = session.runs.get(choices.below(session.runs.len())).map_or("", |run| run.0.as_str());
    let some = |id: &str, choices: &mut Choices| id.chars().take(1 + choices.below(12)).collect::<String>();
    match choices.below(9) {
        0 | 1 => session.id.clone(),
        2 => session.name.clone(),
        3 => some(&session.id, choices),
        4 => run.to_owned(),
        5 => format!("{}:{}", session.name, some(run, choices)),
        6 => format!("group:{}", session.group),
        7 => some(run, choices),
        _ => "all".to_owned(),
    }
}

/// A name that the program gives: also one that others have, or that their ids begin with.
fn name(choices: &mut Choices, world: &[Session]) -> String {
    let Some(session) = world.get(choices.below(world.len())) else { return "mine".to_owned() };
    match choices.below(5) {
        0 => session.name.clone(),
        1 => session.id.clone(),
        2 => session.id.chars().take(1 + choices.below(8)).collect(),
        3 => "own".to_owned(),
        _ => format!("mine{}", choices.below(3)),
    }
}

fn call(choices: &mut Choices, world: &[Session], policy: &str) -> Call {
    const READS: [&str; 8] = ["snapshot", "lines", "prompts", "subscribe", "unsubscribe", "detach", "visible", "hold"];
    let target = target(choices, world);
    let session = world.get(choices.below(world.len()));
    let run = session.and_then(|session| session.runs.first()).map(|run| run.0.clone()).unwrap_or_default();
    let mut params: Vec<(Value, Value)> = Vec::new();
    let on_target = |writes: bool| Needs::Target { target: target.clone(), writes };
    let on_run = |writes: bool| Needs::Run { run: run.clone(), writes };
    let kind = choices.below(22);
    let (method, needs) = match kind {
        0 => ("send", on_target(true)),
        1 => ("kill", on_target(true)),
        2 => ("restart", on_target(true)),
        3 => ("remove", on_target(true)),
        4 | 5 => ("rename", Needs::Session(target.clone())),
        6 => ("wait", on_target(false)),
        7 => ("input", on_run(true)),
        8 => ("resize", on_run(true)),
        9 => ("clipboard", on_run(true)),
        10 => ("attach", on_run(false)),
        11 => ("link", on_run(false)),
        12..=14 => (*choices.of(&READS), on_run(false)),
        15..=17 => ("run", Needs::Nothing),
        18 => (*choices.of(&["history", "stats", "health"]), Needs::Host { writes: false }),
        // What ends the host, or what it holds, is not done where it would be.
        19 if policy == "full" => ("colors", Needs::Host { writes: true }),
        19 => {
            let writes = ["configure", "templates", "up", "down", "colors", "shutdown", "replace", "restore"];
            (*choices.of(&writes), Needs::Host { writes: true })
        }
        20 => ("sessions", Needs::Nothing),
        _ => ("initialize", Needs::Nothing),
    };
    let mut add = |choices: &mut Choices, name: &str, place: Option<u64>, value: Value| {
        let key = choices.key(name, place);
        params.push((key, value));
    };
    match needs {
        Needs::Target { .. } | Needs::Session(_) => {
            let value = choices.typed(&target);
            add(choices, "target", Some(0), value);
        }
        Needs::Run { .. } => {
            let value = choices.typed(&run);
            add(choices, "run_id", Some(0), value);
        }
        _ => {}
    }
    let mut needs = needs;
    match method {
        "send" | "input" => {
            let value = choices.typed(&format!("{TYPED}\r"));
            add(choices, "data", None, value);
        }
        "kill" => add(choices, "grace_ms", None, 100.into()),
        "rename" => {
            let name = name(choices, world);
            let value = choices.typed(&name);
            add(choices, "name", None, value);
        }
        "wait" => {
            add(choices, "until", None, map([("idle_ms", 1.into())]));
            add(choices, "timeout_ms", None, 20.into());
        }
        "resize" => {
            add(choices, "rows", None, SIZE[0].into());
            add(choices, "cols", None, SIZE[1].into());
        }
        "clipboard" => add(choices, "request", None, 1.into()),
        "link" => {
            add(choices, "row", None, 0.into());
            add(choices, "col", None, 0.into());
        }
        "attach" => {
            let format = *choices.of(&["ansi", "spans"]);
            add(choices, "format", None, format.into());
            // A struct is an array too.
            add(choices, "size", None, Value::Array(SIZE.map(Value::from).to_vec()));
        }
        "visible" => add(choices, "visible", None, true.into()),
        "hold" => add(choices, "hold", None, false.into()),
        "replace" => add(choices, "binary", None, "/bin/true".into()),
        "run" => {
            add(choices, "cmd", None, Value::Array(vec!["cat".into()]));
            let mut start = (None, None);
            match choices.below(4) {
                0 => start.0 = Some(target.clone()),
                1 => start.0 = Some(name(choices, world)),
                2 => {
                    let name = name(choices, world);
                    let value = choices.typed(&name);
                    add(choices, "name", None, value);
                }
                _ => {}
            }
            if let Some(session) = &start.0 {
                let value = choices.typed(session);
                add(choices, "session", Some(1), value);
            }
            if choices.next().is_multiple_of(3) {
                let group = *choices.of(&["web", "other", "empty"]);
                start.1 = Some(group.to_owned());
                let value = choices.typed(group);
                add(choices, "group", None, value);
            }
            needs = Needs::Start { session: start.0, group: start.1 };
        }
        "initialize" => {
            add(choices, "protocol", Some(0), 1.into());
            // Nobody but the owner sets it.
            add(choices, "cross_session", None, "full".into());
        }
        _ => {}
    }
    Call { method, params: Value::Map(params), needs }
}
