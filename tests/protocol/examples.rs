//! `doc/protocol.examples.json`: a story that uses every method, told to the real host over each transport, and one
//! of what only the daemon does, told to a real daemon.
//!
//! A string such as `"<run_id>"` stands for a value that differs each time: the first answer that has it gives the
//! value, everything after must have the same. What an example shows must be there; there may be more.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use termi::protocol::METHODS;

use crate::support::{Client, Daemon, Home, Host, Setup, Speech, TERMI, eventually};

/// The examples as they are written.
pub fn read() -> Value {
    let text = std::fs::read_to_string(crate::project("doc/protocol.examples.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The steps of both stories.
pub fn steps(examples: &Value) -> impl Iterator<Item = &Value> {
    ["story", "daemon"].into_iter().flat_map(|story| examples[story].as_array().unwrap())
}

/// The same value with something in place of each placeholder.
pub fn filled(value: &Value, with: &impl Fn(&str) -> Value) -> Value {
    match value {
        Value::String(text) if is_placeholder(text) => with(text),
        Value::Array(items) => items.iter().map(|item| filled(item, with)).collect(),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let key = if is_placeholder(key) { with(key).as_str().unwrap().to_owned() } else { key.clone() };
                (key, filled(value, with))
            };
            Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn is_placeholder(text: &str) -> bool {
    text.len() > 2 && text.starts_with('<') && text.ends_with('>')
}

#[derive(Default)]
struct Known(BTreeMap<String, Value>);

impl Known {
    fn fill(&self, value: &Value) -> Value {
        filled(value, &|name| self.0.get(name).unwrap_or_else(|| panic!("{name} is not known yet")).clone())
    }

    /// Whether what came is as shown; notes what it tells.
    fn fits(&mut self, shown: &Value, came: &Value, path: &str) -> Result<(), String> {
        match (shown, came) {
            (Value::String(name), _) if is_placeholder(name) => {
                let known = self.0.entry(name.clone()).or_insert_with(|| came.clone());
                if known == came { Ok(()) } else { Err(format!("{path}: {name} is {came}, and was {known}")) }
            }
            (Value::Object(shown), Value::Object(came)) => shown.iter().try_for_each(|(key, value)| {
                let name = if is_placeholder(key) { self.0[key].as_str().unwrap().to_owned() } else { key.clone() };
                let came = came.get(&name).ok_or(format!("{path}.{key} is not there"))?;
                self.fits(value, came, &format!("{path}.{key}"))
            }),
            (Value::Array(shown), Value::Array(came)) if shown.len() == came.len() => shown
                .iter()
                .zip(came)
                .enumerate()
                .try_for_each(|(at, (shown, came))| self.fits(shown, came, &format!("{path}[{at}]"))),
            _ if shown == came => Ok(()),
            _ => Err(format!("{path} is {came}, and is shown as {shown}")),
        }
    }
}

/// Whom a step's calls go to.
trait Other {
    fn client(&mut self) -> &Client;

    /// What a step does that is no message.
    fn undergo(&mut self, step: &Value);
}

impl Other for Host {
    fn client(&mut self) -> &Client {
        self
    }

    fn undergo(&mut self, step: &Value) {
        panic!("only a daemon outlives this: {step}");
    }
}

/// A daemon and the connection to it.
struct Lasting {
    client: Option<Client>,
    speech: Speech,
    home: Arc<Home>,
    daemon: Daemon,
}

impl Lasting {
    fn start(speech: Speech) -> Self {
        let home = Home::new();
        let daemon = Daemon::start(&home);
        let client = daemon.try_connect_speaking(speech);
        Self { client, speech, home, daemon }
    }
}

impl Other for Lasting {
    fn client(&mut self) -> &Client {
        self.client.as_ref().unwrap()
    }

    /// `"then": "connects again"`, and `"then": "reboots"` once the session of `"remembers"` is on disk.
    fn undergo(&mut self, step: &Value) {
        match step["then"].as_str().unwrap() {
            "connects again" => {}
            "reboots" => {
                let record = self.home.state().join("sessions.json");
                let name = step["remembers"].to_string();
                eventually("the session is remembered", || {
                    std::fs::read_to_string(&record).is_ok_and(|text| text.contains(&name))
                });
                self.daemon.kill_9();
                eventually("its programs are gone", || self.home.processes().is_empty());
                assert!(self.daemon.command(&["daemon", "--detach"]).status().unwrap().success());
            }
            other => panic!("nothing is known of {other:?}"),
        }
        self.client = self.daemon.try_connect_speaking(self.speech);
    }
}

fn replay(other: &mut impl Other, story: &str, mut known: Known) {
    for step in read()[story].as_array().unwrap() {
        if step["then"].is_string() {
            other.undergo(step);
            continue;
        }
        let client = other.client();
        let params = known.fill(&step["params"]);
        if let Some(method) = step["call"].as_str() {
            let (shown, came) = match client.call(method, params) {
                Ok(result) => (&step["result"], result),
                Err(failure) if step["closes"] == true => {
                    assert_eq!(failure.code, "closed", "{method}: {failure:?}");
                    continue;
                }
                Err(failure) => (&step["error"], json!({"code": failure.code, "message": failure.message})),
            };
            known.fits(shown, &came, method).unwrap_or_else(|why| panic!("{why}\nthe host answered {came:#}"));
        } else if let Some(method) = step["notify"].as_str() {
            client.notify(method, params);
        } else {
            let shown = &step["event"];
            client.wait_for(&format!("the event {shown}"), |state| {
                state.events.iter().find_map(|came| known.fits(shown, came, "event").ok())
            });
        }
    }
}

fn replay_host(setup: Setup) {
    let mut host = setup.start_silent();
    replay(&mut host, "story", Known::default());
    assert!(host.wait_end().success());
}

fn replay_daemon(speech: Speech) {
    let mut lasting = Lasting::start(speech);
    let known = Known(BTreeMap::from([
        ("<home>".to_owned(), lasting.home.path().to_str().unwrap().into()),
        ("<binary>".to_owned(), TERMI.into()),
    ]));
    replay(&mut lasting, "daemon", known);
    eventually("the daemon ends", || lasting.daemon.processes().is_empty());
}

#[test]
fn the_examples_are_what_the_host_does_over_json() {
    replay_host(Home::new().host().json());
}

#[test]
fn the_examples_are_what_the_host_does_over_msgpack() {
    replay_host(Home::new().host());
}

#[test]
fn the_examples_are_what_the_daemon_does_over_json() {
    replay_daemon(Speech::Json);
}

#[test]
fn the_examples_are_what_the_daemon_does_over_msgpack() {
    replay_daemon(Speech::Msgpack);
}

#[test]
fn every_method_has_an_example() {
    let examples = read();
    for method in METHODS {
        let has_one = |step: &Value| step["call"] == *method || step["notify"] == *method;
        assert!(steps(&examples).any(has_one), "doc/protocol.examples.json has no {method}");
    }
}
