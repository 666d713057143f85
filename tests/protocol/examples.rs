//! `doc/protocol.examples.json`: one story that uses every method, told to the real host over each transport.
//!
//! A string such as `"<run_id>"` stands for a value that differs each time: the first answer that has it gives the
//! value, everything after must have the same. What an example shows must be there; there may be more.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};
use termi::rpc::METHODS;

use crate::support::{Home, Host, Setup};

/// The examples as they are written.
pub fn read() -> Value {
    let text = std::fs::read_to_string(crate::project("doc/protocol.examples.json")).unwrap();
    serde_json::from_str(&text).unwrap()
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

fn replay(setup: Setup) {
    let mut host: Host = setup.start_silent();
    let mut known = Known::default();
    for step in read()["story"].as_array().unwrap() {
        let params = known.fill(&step["params"]);
        if let Some(method) = step["call"].as_str() {
            let (shown, came) = match host.call(method, params) {
                Ok(result) => (&step["result"], result),
                Err(failure) => (&step["error"], serde_json::json!({"code": failure.code, "message": failure.message})),
            };
            known.fits(shown, &came, method).unwrap_or_else(|why| panic!("{why}\nthe host answered {came:#}"));
        } else if let Some(method) = step["notify"].as_str() {
            host.notify(method, params);
        } else {
            let shown = &step["event"];
            host.wait_for(&format!("the event {shown}"), |state| {
                state.events.iter().find_map(|came| known.fits(shown, came, "event").ok())
            });
        }
    }
    assert!(host.wait_end().success());
}

fn home() -> Arc<Home> {
    Home::new()
}

#[test]
fn the_examples_are_what_the_host_does_over_json() {
    replay(home().host().json());
}

#[test]
fn the_examples_are_what_the_host_does_over_msgpack() {
    replay(home().host());
}

#[test]
fn every_method_has_an_example() {
    let examples = read();
    for method in METHODS {
        let has_one = |step: &Value| step["call"] == *method || step["notify"] == *method;
        assert!(
            examples["story"].as_array().unwrap().iter().any(has_one),
            "doc/protocol.examples.json has no {method}"
        );
    }
}
