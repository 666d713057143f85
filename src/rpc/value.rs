//! Serializes the protocol's types as values of a transport, and reads them back.

use rmpv::Value as Msgpack;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::protocol::{Code, Error, Result, printable};

/// A value as a transport carries it.
pub trait WireValue: Sized + Send {
    /// Reads a method's parameters; none at all are as good as an empty map.
    ///
    /// # Errors
    /// `invalid_params`, with the method's name and what is wrong.
    fn read<T: DeserializeOwned>(self, method: &str) -> Result<T>;

    /// Writes an answer.
    ///
    /// # Errors
    /// `internal`, when the type cannot be written in this format, which none of the protocol's is.
    fn write<T: Serialize>(reply: &T) -> Result<Self>;
}

impl WireValue for Msgpack {
    fn read<T: DeserializeOwned>(self, method: &str) -> Result<T> {
        // Neovim's Lua sends an empty table as an array.
        let none = self.is_nil() || self.as_array().is_some_and(Vec::is_empty);
        let params = if none { Self::Map(Vec::new()) } else { self };
        if !params.is_map() {
            return Err(not_a_map(method, kind_of(&params), "one map"));
        }
        from_value(&params).map_err(|reason| unreadable(method, &reason))
    }

    fn write<T: Serialize>(reply: &T) -> Result<Self> {
        to_value(reply).map_err(|reason| unwritable(&reason))
    }
}

impl WireValue for Json {
    fn read<T: DeserializeOwned>(self, method: &str) -> Result<T> {
        let none = self.is_null() || self.as_array().is_some_and(Vec::is_empty);
        let params = if none { Self::Object(serde_json::Map::new()) } else { self };
        if !params.is_object() {
            return Err(not_a_map(method, json_kind_of(&params), "one object, with each parameter by its name"));
        }
        serde_path_to_error::deserialize(params).map_err(|error| unreadable(method, &said(&error)))
    }

    fn write<T: Serialize>(reply: &T) -> Result<Self> {
        serde_json::to_value(reply).map_err(|error| unwritable(&error.to_string()))
    }
}

/// A protocol type as a msgpack value.
///
/// # Errors
/// When the type cannot be msgpack, which none of the protocol's is.
pub fn to_value<T: Serialize>(value: &T) -> std::result::Result<Msgpack, String> {
    let bytes = rmp_serde::to_vec_named(value).map_err(|error| error.to_string())?;
    rmpv::decode::read_value(&mut bytes.as_slice()).map_err(|error| error.to_string())
}

fn from_value<T: DeserializeOwned>(value: &Msgpack) -> std::result::Result<T, String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(|error| error.to_string())?;
    rmp_serde::from_slice(&bytes).map_err(|error| {
        // Its own words are about msgpack's bytes. As JSON, the same is wrong with the same words on either transport.
        match serde_path_to_error::deserialize::<_, T>(as_json(value)) {
            Err(error) => said(&error),
            Ok(_) => error.to_string(),
        }
    })
}

fn as_json(value: &Msgpack) -> Json {
    match value {
        Msgpack::Nil | Msgpack::Ext(..) => Json::Null,
        Msgpack::Boolean(value) => (*value).into(),
        Msgpack::Integer(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, number) => number.into(),
        },
        Msgpack::F32(number) => (*number).into(),
        Msgpack::F64(number) => (*number).into(),
        Msgpack::String(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        Msgpack::Binary(bytes) => String::from_utf8_lossy(bytes).into(),
        Msgpack::Array(values) => values.iter().map(as_json).collect(),
        Msgpack::Map(entries) => {
            let name = |key: &Msgpack| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            Json::Object(entries.iter().map(|(key, value)| (name(key), as_json(value))).collect())
        }
    }
}

/// Which parameter it is and what is wrong with it, in words that are not Rust's.
fn said<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> String {
    const WORDS: [(&str, &str); 4] = [
        ("usize", "a whole number from 0 on"),
        ("map with a single key", "a word, or a map with a single key"),
        ("newtype", "value"),
        ("internally tagged enum", "map"),
    ];
    let mut text = error.inner().to_string();
    for (rust, word) in WORDS {
        text = text.replace(rust, word);
    }
    for bits in [8, 16, 32, 64] {
        text = text.replace(&format!("expected u{bits}"), "expected a whole number from 0 on");
        text = text.replace(&format!("expected i{bits}"), "expected a whole number");
    }
    if let Some((before, name)) = text.split_once("expected struct ") {
        let rest = name.trim_start_matches(|letter: char| letter.is_alphanumeric());
        text = format!("{before}expected a map{rest}");
    }
    let path = error.path().to_string();
    if path == "." || text.contains(&format!("`{path}`")) { text } else { format!("{path}: {text}") }
}

fn not_a_map(method: &str, kind: &str, rule: &str) -> Error {
    Error::new(Code::InvalidParams, format!("{method}: the parameters are {kind}; they must be {rule}"))
}

fn unreadable(method: &str, reason: &str) -> Error {
    // It may quote a client's own words: no more of them than can be read.
    const MAX_REASON_CHARS: usize = 300;
    let mut letters = reason.chars();
    let start: String = letters.by_ref().take(MAX_REASON_CHARS).collect();
    let more = if letters.next().is_some() { "\u{2026}" } else { "" };
    Error::new(Code::InvalidParams, format!("{method}: {}{more}", printable(&start)))
}

fn unwritable(reason: &str) -> Error {
    Error::new(Code::Internal, format!("the answer could not be written: {reason}"))
}

fn kind_of(value: &Msgpack) -> &'static str {
    match value {
        Msgpack::Nil => "nil",
        Msgpack::Boolean(_) => "a boolean",
        Msgpack::Integer(_) | Msgpack::F32(_) | Msgpack::F64(_) => "a number",
        Msgpack::String(_) => "a string",
        Msgpack::Binary(_) => "binary data",
        Msgpack::Array(_) => "an array",
        Msgpack::Map(_) => "a map",
        Msgpack::Ext(..) => "an extension type",
    }
}

fn json_kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
