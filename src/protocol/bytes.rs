use std::{borrow::Cow, fmt, sync::Arc};

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

/// The key of bytes that are not text.
const BASE64: &str = "base64";

/// Bytes as a client types them, kept as they came.
///
/// On the wire, text is a string. Bytes that are not text are binary data where the transport has it
/// (msgpack), else, as in JSON, the map `{"base64": "…"}` (RFC 4648, section 4, with its padding); a client may
/// send the map over any transport.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

/// Typed input may hold a password: only its length is ever shown.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Text that only its receiver may see: what is logged is its length.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(pub Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Bytes: text as a string, else base64 (or binary data, where the transport has it)",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
                    "required": ["base64"],
                },
            ],
        })
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) if serializer.is_human_readable() => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(BASE64, &STANDARD.encode(&self.0))?;
                map.end()
            }
            Err(_) => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, binary data or {\"base64\": \"…\"}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                Ok(Bytes(text.as_bytes().to_vec()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Bytes, E> {
                Ok(Bytes(text.into_bytes()))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
                let mut bytes = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key == BASE64 {
                        let text: String = map.next_value()?;
                        // What is wrong with it is told by its place: the text itself may be a secret.
                        let wrong = |error| de::Error::custom(format_args!("base64: {}", place(&error)));
                        bytes = Some(STANDARD.decode(text).map_err(wrong)?);
                    } else {
                        map.next_value::<de::IgnoredAny>()?;
                    }
                }
                bytes.map(Bytes).ok_or_else(|| de::Error::missing_field(BASE64))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

fn place(error: &DecodeError) -> String {
    match error {
        DecodeError::InvalidByte(at, _) => format!("the character at byte {at} is not in its alphabet"),
        DecodeError::InvalidLength(length) => format!("{length} characters cannot be whole; is padding missing?"),
        DecodeError::InvalidLastSymbol(at, _) => format!("the last character, at byte {at}, has bits that fall off"),
        DecodeError::InvalidPadding => "its padding (`=`) is wrong or missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_string_and_other_bytes_are_base64_in_json() {
        for (bytes, json) in [
            (&b"ls\r"[..], r#""ls\r""#),
            ("ü".as_bytes(), r#""ü""#),
            (b"", r#""""#),
            (b"\x1b[M\xff\x00", r#"{"base64":"G1tN/wA="}"#),
        ] {
            let bytes = Bytes(bytes.to_vec());
            assert_eq!(serde_json::to_string(&bytes).unwrap(), json);
            assert_eq!(serde_json::from_str::<Bytes>(json).unwrap(), bytes);
            let packed = rmp_serde::to_vec_named(&bytes).unwrap();
            assert_eq!(rmp_serde::from_slice::<Bytes>(&packed).unwrap(), bytes);
        }
        let packed = rmp_serde::to_vec_named(&serde_json::json!({"base64": "/w=="})).unwrap();
        assert_eq!(rmp_serde::from_slice::<Bytes>(&packed).unwrap(), Bytes(vec![0xff]));
    }

    #[test]
    fn what_is_not_base64_is_refused_without_being_quoted() {
        for json in [r#"{"base64":"hunter2!"}"#, r#"{"base64":"abcde"}"#, r#"{"base64":"QUI"}"#, "{}", "5"] {
            let error = serde_json::from_str::<Bytes>(json).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
