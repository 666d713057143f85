//! JSON-RPC as the tests' client speaks it: the same messages as msgpack-RPC's arrays, written otherwise.

use std::io::{self, BufRead, Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use rmpv::Value;
use serde_json::{Value as Json, json};

use super::{from_json, to_json};

/// A message's bytes with its header.
#[must_use]
pub fn framed(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [format!("Content-Length: {}\r\n\r\n", content.len()).as_bytes(), content].concat()
}

/// A msgpack-RPC message as JSON-RPC.
#[must_use]
pub fn written(message: &Value) -> Vec<u8> {
    let parts = message.as_array().expect("a message is an array");
    let json = match (parts[0].as_u64(), &parts[1..]) {
        (Some(0), [id, method, params]) => {
            json!({"jsonrpc": "2.0", "id": to_json(id), "method": to_json(method), "params": params_of(params)})
        }
        (Some(2), [method, params]) => {
            json!({"jsonrpc": "2.0", "method": to_json(method), "params": params_of(params)})
        }
        (Some(1), [id, Value::Nil, result]) => json!({"jsonrpc": "2.0", "id": to_json(id), "result": to_json(result)}),
        (Some(1), [id, error, _]) => {
            json!({"jsonrpc": "2.0", "id": to_json(id), "error": {"code": 1, "message": error.to_string()}})
        }
        _ => panic!("no message: {message}"),
    };
    framed(json.to_string())
}

fn params_of(params: &Value) -> Json {
    match params.as_array().map(Vec::as_slice) {
        Some([Value::Map(entries)]) => {
            let entry = |(key, value): &(Value, Value)| {
                let value = match value {
                    Value::Binary(bytes) => match std::str::from_utf8(bytes) {
                        Ok(text) => text.into(),
                        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
                    },
                    other => to_json(other),
                };
                (key.as_str().unwrap().to_owned(), value)
            };
            Json::Object(entries.iter().map(entry).collect())
        }
        _ => to_json(params),
    }
}

/// The next message, as msgpack-RPC would have it. An error that Termi gives is the error's `data`.
///
/// # Errors
/// `UnexpectedEof` at the stream's end.
pub fn read(reader: &mut impl BufRead) -> io::Result<Vec<Value>> {
    let json: Json = serde_json::from_slice(&read_content(reader)?)?;
    assert_eq!(json["jsonrpc"], "2.0", "{json}");
    let part = |key: &str| from_json(&json[key]);
    let params = || Value::Array(vec![part("params")]);
    Ok(match (json.get("method"), json.get("id")) {
        (Some(_), Some(_)) => vec![0.into(), part("id"), part("method"), params()],
        (Some(_), None) => vec![2.into(), part("method"), params()],
        (None, _) => {
            let error = json.get("error").map_or(Value::Nil, |error| {
                assert!(error["code"].is_i64() && error["message"] == error["data"]["message"], "{json}");
                from_json(&error["data"])
            });
            vec![1.into(), part("id"), error, part("result")]
        }
    })
}

/// The next message's content.
///
/// # Errors
/// `UnexpectedEof` at the stream's end.
pub fn read_content(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut content = vec![0; length];
    reader.read_exact(&mut content)?;
    Ok(content)
}
