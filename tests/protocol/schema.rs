//! `doc/protocol.schema.json` is what the Rust types say.

use std::collections::BTreeSet;

use serde_json::Value;
use termi::protocol::{self, METHODS};

#[test]
fn the_schema_is_the_types() {
    let mut text = serde_json::to_string_pretty(&protocol::schema()).unwrap();
    text.push('\n');
    crate::assert_is("doc/protocol.schema.json", &text);
}

#[test]
fn the_schema_has_every_method_and_no_other() {
    let schema = protocol::schema();
    let described: BTreeSet<&str> = schema["methods"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, METHODS.iter().copied().collect(), "src/protocol/method.rs lists the methods");
}

#[test]
fn every_reference_leads_somewhere_and_everything_has_a_description() {
    fn visit(value: &Value, schema: &Value, path: &str) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let place = reference.strip_prefix('#').unwrap();
                    assert!(schema.pointer(place).is_some(), "{path}: {reference} leads nowhere");
                }
                let none = serde_json::Map::new();
                let properties = fields.get("properties").and_then(Value::as_object).unwrap_or(&none);
                for (key, field) in properties {
                    // An enum's variant is described as a whole.
                    let is_variant = path.contains("/oneOf") && properties.len() == 1;
                    let is_tag = field.get("const").is_some();
                    let described = field.get("description").is_some() || is_tag || is_variant || key == BASE64;
                    assert!(described, "{path}.{key} has no description");
                }
                for (key, field) in fields {
                    visit(field, schema, &format!("{path}/{key}"));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| visit(item, schema, path)),
            _ => {}
        }
    }
    const BASE64: &str = "base64";
    let schema = protocol::schema();
    visit(&schema, &schema, "");
}
