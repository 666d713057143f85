//! Parses and writes messages, by the [JSON-RPC 2.0 specification](https://www.jsonrpc.org/specification).

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::framing::excess;
use crate::{
    protocol::{Code, Error},
    rpc::dispatch::CALLS_UNDER_WAY,
};

/// The standard's codes.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;
/// Termi's own errors, within the range that the standard leaves to servers: `data.code` says which.
const TERMI_ERROR: i32 = -32000;

/// What a message's content holds.
#[derive(Debug, PartialEq)]
pub enum Content {
    /// One message.
    One(Message),
    /// Several; their answers go out together.
    Batch(Vec<Message>),
}

/// One message of a client.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// To be answered.
    Request {
        /// A string or a number.
        id: Value,
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// Not to be answered.
    Notification {
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// The answer to a request of the host.
    Answer {
        /// Of which request.
        id: Value,
        /// The client's answer; none when it is an error.
        result: Option<Value>,
    },
    /// Not a message; to be answered by an error.
    Invalid {
        /// Its id, as far as it has one.
        id: Value,
        /// What is wrong.
        why: String,
    },
}

/// Takes a message's content apart.
///
/// # Errors
/// The answer to content that is no JSON, too deep, or a batch that cannot be one.
pub fn parse(content: &[u8]) -> Result<Content, String> {
    let refuse = |code, why: &str| Err(failed(&Value::Null, code, why, &Error::new(Code::InvalidParams, why)));
    if let Some(why) = excess(content) {
        return refuse(INVALID_REQUEST, &why);
    }
    let value = match serde_json::from_slice(content) {
        Ok(value) => value,
        Err(error) => return refuse(PARSE_ERROR, &format!("the message is not JSON: {error}")),
    };
    match value {
        Value::Array(entries) if entries.is_empty() => refuse(INVALID_REQUEST, "a batch must hold at least one call"),
        Value::Array(entries) if entries.len() > CALLS_UNDER_WAY => {
            let why = format!("a batch of {} calls: at most {CALLS_UNDER_WAY} are allowed", entries.len());
            refuse(INVALID_REQUEST, &why)
        }
        Value::Array(entries) => Ok(Content::Batch(entries.into_iter().map(judge).collect())),
        value => Ok(Content::One(judge(value))),
    }
}

fn judge(value: Value) -> Message {
    let invalid = |id: Value, why: &str| Message::Invalid { id, why: why.to_owned() };
    let Value::Object(mut fields) = value else {
        return invalid(Value::Null, "a message must be an object");
    };
    let id = fields.remove("id");
    let shown = || id.clone().filter(is_id).unwrap_or_default();
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid(shown(), "a message must have \"jsonrpc\": \"2.0\"");
    }
    match (fields.remove("method"), &id) {
        (Some(Value::String(method)), None) => Message::Notification { method, params: params(&mut fields) },
        (Some(Value::String(method)), Some(named)) if is_id(named) => {
            Message::Request { id: shown(), method, params: params(&mut fields) }
        }
        (Some(Value::String(_)), Some(_)) => invalid(Value::Null, "a request's id must be a string or a number"),
        (Some(_), _) => invalid(shown(), "a message's method must be a string"),
        (None, _) if fields.contains_key("error") => Message::Answer { id: id.unwrap_or_default(), result: None },
        (None, _) if fields.contains_key("result") => {
            Message::Answer { id: id.unwrap_or_default(), result: fields.remove("result") }
        }
        (None, _) => invalid(shown(), "a message must have a method, or answer a request by a result or an error"),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_number()
}

fn params(fields: &mut Map<String, Value>) -> Value {
    fields.remove("params").unwrap_or_default()
}

/// A call's answer, written out.
pub fn answer(id: &Value, answer: Result<Value, Error>) -> String {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string(),
        Err(error) => {
            let code = match error.code {
                Code::UnknownMethod => METHOD_NOT_FOUND,
                Code::InvalidParams => INVALID_PARAMS,
                Code::Internal => INTERNAL_ERROR,
                _ => TERMI_ERROR,
            };
            failed(id, code, &error.message, &error)
        }
    }
}

/// The answer to what is not a message.
pub fn invalid(id: &Value, why: &str) -> String {
    failed(id, INVALID_REQUEST, why, &Error::new(Code::InvalidParams, why))
}

fn failed(id: &Value, code: i32, message: &str, data: &Error) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}}).to_string()
}

/// A message of the host, written out: a request if it has an id, else a notification.
pub fn outgoing<T: Serialize>(id: Option<u64>, method: &str, params: &T) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Outgoing<'a, T> {
        jsonrpc: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        method: &'a str,
        params: &'a T,
    }
    serde_json::to_vec(&Outgoing { jsonrpc: "2.0", id, method, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(content: &str) -> i64 {
        let answer = match parse(content.as_bytes()) {
            Err(answer) => answer,
            Ok(Content::One(Message::Invalid { id, why })) => invalid(&id, &why),
            Ok(content) => panic!("{content:?}"),
        };
        serde_json::from_str::<Value>(&answer).unwrap()["error"]["code"].as_i64().unwrap()
    }

    #[test]
    fn what_is_not_a_message_is_told_by_the_standards_codes() {
        for content in ["", "{", "{} {}", "\u{1}", "[1,", "{\"a\":1e999}"] {
            assert_eq!(code(content), -32700, "{content}");
        }
        for content in [
            "1",
            "[]",
            "{}",
            "null",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"1.0","method":"x"}"#,
            r#"{"jsonrpc":"2.0","method":1,"id":1}"#,
            r#"{"jsonrpc":"2.0","method":"x","id":null}"#,
            r#"{"jsonrpc":"2.0","method":"x","id":[1]}"#,
            &"[".repeat(65),
        ] {
            assert_eq!(code(content), -32600, "{content}");
        }
        assert_eq!(code(&format!("[{}1]", "1,".repeat(CALLS_UNDER_WAY))), -32600);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_no_json() {
        assert!(parse(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}").unwrap_err().contains("-32700"));
    }

    #[test]
    fn an_answer_is_never_answered() {
        for content in [r#"{"jsonrpc":"2.0","id":7,"result":true}"#, r#"{"jsonrpc":"2.0","id":{},"error":{"code":1}}"#]
        {
            assert!(matches!(parse(content.as_bytes()), Ok(Content::One(Message::Answer { .. }))), "{content}");
        }
    }

    #[test]
    fn termis_own_error_is_in_data() {
        let error = Error::new(Code::NotFound, "no session goes by \"x\"");
        let answer: Value = serde_json::from_str(&answer(&json!("a"), Err(error.clone()))).unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("a"), &json!(-32000)));
        assert_eq!(answer["error"]["data"], serde_json::to_value(error).unwrap());
    }
}
