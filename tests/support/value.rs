//! Between msgpack, which the wire speaks, and JSON, which tests are written in.

use rmpv::Value;
use serde_json::{Map, Number, Value as Json};

/// A message's content as msgpack.
#[must_use]
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (_, Some(number)) => number.into(),
            _ => number.as_f64().unwrap().into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(key, value)| (key.as_str().into(), from_json(value))).collect())
        }
    }
}

/// What came over the wire as JSON. The protocol sends nothing that JSON cannot hold; a test that sees
/// anything else must fail.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (_, number) => number.unwrap().into(),
        },
        Value::F32(number) => Number::from_f64(f64::from(*number)).map_or(Json::Null, Json::Number),
        Value::F64(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::String(text) => Json::String(text.as_str().expect("text on the wire is UTF-8").to_owned()),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(entries) => {
            let entry = |(key, value): &(Value, Value)| {
                (key.as_str().expect("keys on the wire are strings").to_owned(), to_json(value))
            };
            Json::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
        Value::Binary(_) | Value::Ext(..) => panic!("the protocol has no such value: {value}"),
    }
}
