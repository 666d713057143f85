//! `doc/protocol.md`: its prose is written by hand; what stands between `<!-- NAME: generated -->` and `<!-- end -->`
//! is the schema, the examples and the example client, rendered.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use termi::protocol::{self, METHODS};

use crate::examples;

#[test]
fn the_document_is_what_types_and_examples_say() {
    let path = "doc/protocol.md";
    let written = std::fs::read_to_string(crate::project(path)).unwrap();
    let schema = protocol::schema();
    let mut text = written.clone();
    for (name, content) in [
        ("methods", methods(&schema)),
        ("events", events(&schema)),
        ("errors", errors(&schema)),
        ("types", types(&schema)),
        (
            "client",
            format!("```python\n{}```\n", std::fs::read_to_string(crate::project("examples/client.py")).unwrap()),
        ),
    ] {
        text = with_part(&text, name, &content);
    }
    crate::assert_is(path, &text);
}

fn with_part(text: &str, name: &str, content: &str) -> String {
    let start = format!("<!-- {name}: generated -->\n");
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("doc/protocol.md has no {start}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{start}\n{content}\n<!-- end -->{after}")
}

/// A type by the name that `$ref` gives it.
fn named<'a>(schema: &'a Value, reference: &Value) -> (&'a str, &'a Value) {
    let name = reference["$ref"].as_str().unwrap().strip_prefix("#/$defs/").unwrap();
    schema["$defs"].as_object().unwrap().get_key_value(name).map(|(name, value)| (name.as_str(), value)).unwrap()
}

fn methods(schema: &Value) -> String {
    let mut text = String::new();
    for method in METHODS {
        let described = &schema["methods"][method];
        text += &format!("### `{method}`\n\n{}\n", described["about"].as_str().unwrap());
        if described["access"] == "write" {
            text += "Needs write access.\n";
        }
        text.push('\n');
        for (title, key) in [("Parameters", "params"), ("Result", "result")] {
            let shape = described[key].get("$ref").map_or(&described[key], |_| named(schema, &described[key]).1);
            let fields = fields(shape);
            text += &match (fields.as_str(), shape.get("additionalProperties")) {
                ("", Some(values)) if values.is_object() => format!("{title}: a map from ids to {}.\n\n", kind(values)),
                ("", _) => format!("{title}: none.\n\n"),
                (fields, _) => format!("{title}:\n\n{fields}\n"),
            };
        }
        text += &method_examples(method);
    }
    text.trim_end().to_owned() + "\n"
}

/// A table of an object's fields; empty when it has none.
fn fields(shape: &Value) -> String {
    let mut properties: Vec<(&String, &Value, bool)> = Vec::new();
    let variants = shape.get("oneOf").or_else(|| shape.get("anyOf")).and_then(Value::as_array);
    for part in std::iter::once(shape).chain(variants.into_iter().flatten()) {
        let required: BTreeSet<&str> =
            part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in part["properties"].as_object().into_iter().flatten() {
            properties.push((key, property, required.contains(key.as_str())));
        }
    }
    if properties.is_empty() {
        return String::new();
    }
    let mut text = String::from("| key | type | |\n| --- | --- | --- |\n");
    for (key, property, required) in properties {
        let about = one_line(property["description"].as_str().unwrap_or_default());
        let optional = if required { "" } else { "optional; " };
        text += &format!("| `{key}` | {} | {optional}{about} |\n", kind(property));
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A type in words.
fn kind(shape: &Value) -> String {
    if let Some(reference) = shape["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = shape.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = shape["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    }
    if let Some(variants) = shape.get("anyOf").or_else(|| shape.get("oneOf")).and_then(Value::as_array) {
        return variants.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &shape["type"] {
        Value::Array(types) => {
            let one = |name: &Value| {
                let mut shape = shape.clone();
                shape["type"] = name.clone();
                kind(&shape)
            };
            types.iter().map(one).collect::<Vec<_>>().join(" or ")
        }
        Value::String(name) => match name.as_str() {
            "array" if shape.get("prefixItems").is_some() => {
                let items: Vec<String> = shape["prefixItems"].as_array().unwrap().iter().map(kind).collect();
                format!("[{}]", items.join(", "))
            }
            "array" => format!("list of {}", kind(&shape["items"])),
            "object" if shape["additionalProperties"].is_object() => {
                format!("map to {}", kind(&shape["additionalProperties"]))
            }
            "object" => {
                let entry = |(key, value): (&String, &Value)| format!("\"{key}\": {}", kind(value));
                let entries = shape["properties"].as_object().into_iter().flatten().map(entry);
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            other => other.to_owned(),
        },
        _ => "anything".to_owned(),
    }
}

fn method_examples(method: &str) -> String {
    let examples = examples::read();
    let fill = |value: &Value| examples::filled(value, &|name| example_value(&examples, name));
    let mut text = String::new();
    for step in examples::steps(&examples) {
        let is_call = step["call"] == method;
        if !is_call && step["notify"] != method {
            continue;
        }
        if let Some(about) = step["about"].as_str() {
            text += &format!("{about}\n\n");
        }
        let what = if is_call { method.to_owned() } else { format!("{method} (notification)") };
        text += &format!("```js\n→ {what} {}\n", layout(&fill(&step["params"]), 0));
        for (key, sign) in [("result", "←"), ("error", "← error")] {
            if let Some(answer) = step.get(key) {
                text += &format!("{sign} {}\n", layout(&fill(answer), 0));
            }
        }
        if step["closes"] == true {
            text += "← (the connection ends)\n";
        }
        text += "```\n\n";
    }
    text
}

fn example_value(examples: &Value, name: &str) -> Value {
    examples["values"].get(name).unwrap_or_else(|| panic!("the examples give {name} no value to be shown")).clone()
}

/// JSON as people write it: what is short on one line.
fn layout(value: &Value, depth: usize) -> String {
    const WIDTH: usize = 100;
    let flat = match value {
        Value::Object(fields) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", json!(key), layout(value, 100));
            format!("{{{}}}", fields.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| layout(item, 100)).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    };
    if flat.len() + depth * 2 <= WIDTH || depth >= 100 {
        return flat;
    }
    let inner = "  ".repeat(depth + 1);
    let end = "  ".repeat(depth);
    let lines = |entries: Vec<String>| entries.join(&format!(",\n{inner}"));
    match value {
        Value::Object(fields) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", json!(key), layout(value, depth + 1));
            format!("{{\n{inner}{}\n{end}}}", lines(fields.iter().map(entry).collect()))
        }
        Value::Array(items) => {
            format!("[\n{inner}{}\n{end}]", lines(items.iter().map(|item| layout(item, depth + 1)).collect()))
        }
        _ => flat,
    }
}

fn events(schema: &Value) -> String {
    let (_, event) = named(schema, &schema["messages"]["event"]);
    let examples = examples::read();
    let mut text = String::new();
    for variant in event["oneOf"].as_array().unwrap() {
        let mut variant = variant.clone();
        let properties = variant["properties"].as_object_mut().unwrap();
        let name = properties.remove("type").unwrap()["const"].as_str().unwrap().to_owned();
        text += &format!(
            "#### `{name}`\n\n{}\n\n{}\n",
            one_line(variant["description"].as_str().unwrap()),
            fields(&variant)
        );
        for step in examples::steps(&examples).filter(|step| step["event"]["type"] == name.as_str()) {
            if let Some(about) = step["about"].as_str() {
                text += &format!("{about}\n\n");
            }
            let shown = examples::filled(&step["event"], &|name| example_value(&examples, name));
            text += &format!("```js\n← event {}\n```\n\n", layout(&shown, 0));
        }
    }
    text.trim_end().to_owned() + "\n"
}

fn errors(schema: &Value) -> String {
    let mut text = String::from("| code | |\n| --- | --- |\n");
    for variant in schema["$defs"]["Code"]["oneOf"].as_array().unwrap() {
        let about = one_line(variant["description"].as_str().unwrap());
        text += &format!("| `{}` | {about} |\n", variant["const"].as_str().unwrap());
    }
    text
}

/// Every type that is not a method's own parameters or result, an event or the codes.
fn types(schema: &Value) -> String {
    let methods = schema["methods"].as_object().unwrap();
    let own = |shape: &Value| shape.get("$ref").map(|_| named(schema, shape).0.to_owned());
    let mut told: BTreeSet<String> =
        methods.values().flat_map(|method| [own(&method["params"]), own(&method["result"])]).flatten().collect();
    told.extend(["Event".to_owned(), "Code".to_owned()]);
    let mut text = String::new();
    for (name, shape) in schema["$defs"].as_object().unwrap().iter().filter(|(name, _)| !told.contains(*name)) {
        text += &format!("### {name}\n\n{}\n\n", one_line(shape["description"].as_str().unwrap_or_default()));
        text += &match (fields(shape), choices(shape)) {
            (fields, _) if shape["properties"].is_object() => fields + "\n",
            (_, Some(choices)) => choices + "\n",
            (fields, None) if !fields.is_empty() => fields + "\n",
            _ => format!("On the wire: {}.\n\n", kind(shape)),
        };
    }
    text.trim_end().to_owned() + "\n"
}

/// A list of the forms that a value of the type can have.
fn choices(shape: &Value) -> Option<String> {
    let variants = shape["oneOf"].as_array().or_else(|| shape["anyOf"].as_array())?;
    let mut rows: Map<String, Value> = Map::new();
    for variant in variants {
        let about = one_line(variant["description"].as_str().unwrap_or_default());
        let other = rows.insert(kind(variant), about.into());
        assert_eq!(other, None, "two forms look the same: {}", kind(variant));
    }
    let row = |(kind, about): (&String, &Value)| format!("- {kind}: {}\n", about.as_str().unwrap_or_default());
    Some(rows.iter().map(row).collect())
}
