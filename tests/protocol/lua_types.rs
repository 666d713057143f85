//! `lua/termi/types.lua`, which is written by hand, claims nothing of the protocol that the schema does not say.

use serde_json::{Value, json};
use termi::protocol;

/// Classes that the schema calls otherwise; of the rest it says `Reply` where Lua says `Result`.
const OTHERWISE: [(&str, &str); 3] = [("Process", "RunInfo"), ("Session", "SessionInfo"), ("RunEvent", "Event")];

/// How answers travel to Neovim: no part of the schema.
const ENVELOPE: &str = "Reply";

/// A field of one of the shape's forms, and whether it is there in every message of that shape.
fn field<'a>(shape: &'a Value, name: &str) -> Option<(&'a Value, bool)> {
    let of = |part: &'a Value| {
        let is_required = part["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        part["properties"].get(name).map(|found| (found, is_required))
    };
    // One of the forms (`oneOf`, the events) comes, or the one that the client has asked for (`anyOf`, the formats).
    let forms = |key: &str| shape[key].as_array().into_iter().flatten().map(of);
    let one_of: Vec<_> = forms("oneOf").collect();
    let in_all = one_of.iter().all(|found| found.is_some_and(|(_, is_required)| is_required));
    of(shape)
        .or_else(|| one_of.into_iter().flatten().next().map(|(found, _)| (found, in_all)))
        .or_else(|| forms("anyOf").flatten().next())
}

/// Whether a field may be null.
fn is_nullable(field: &Value) -> bool {
    let null = json!("null");
    field["type"].as_array().is_some_and(|types| types.contains(&null))
        || field["anyOf"].as_array().is_some_and(|forms| forms.iter().any(|form| form["type"] == null))
}

/// The words that a value can be, if it is one of some words.
fn words(schema: &Value, shape: &Value) -> Vec<String> {
    if let Some(reference) = shape["$ref"].as_str() {
        return words(schema, schema.pointer(reference.strip_prefix('#').unwrap()).unwrap());
    }
    let forms = ["oneOf", "anyOf"].into_iter().flat_map(|key| shape[key].as_array().into_iter().flatten());
    let own = shape["const"]
        .as_str()
        .into_iter()
        .chain(shape["enum"].as_array().into_iter().flatten().filter_map(Value::as_str));
    own.map(str::to_owned).chain(forms.flat_map(|form| words(schema, form))).collect()
}

/// What is wrong with each class and field.
fn faults(lua: &str, schema: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut class = ("", &Value::Null);
    let mut narrows = false;
    for line in lua.lines() {
        if let Some(rest) = line.strip_prefix("---@class termi.proto.") {
            let name = rest.split(|sign: char| !sign.is_alphanumeric()).next().unwrap();
            narrows = rest.contains(" : ");
            let renamed = OTHERWISE.iter().find(|(lua, _)| *lua == name).map(|(_, rust)| (*rust).to_owned());
            let type_name = renamed.unwrap_or_else(|| name.replace("Result", "Reply"));
            class = (name, &schema["$defs"][&type_name]);
            if class.1.is_null() && name != ENVELOPE {
                faults.push(format!("{name}: the protocol has no type {type_name}"));
            }
        } else if let Some(rest) = line.strip_prefix("---@field ") {
            let (key, kind) = rest.split_once(' ').unwrap();
            let key_name = key.trim_end_matches('?');
            let (name, shape) = class;
            if shape.is_null() {
                continue;
            }
            let Some((found, is_required)) = field(shape, key_name) else {
                faults.push(format!("{name}.{key_name}: the protocol has no such field"));
                continue;
            };
            // A class with a parent says of some of its messages what does not hold for all.
            let may_be_missing = !is_required || is_nullable(found);
            if may_be_missing && !narrows && !key.ends_with('?') {
                faults.push(format!("{name}.{key_name}: it can be left out or be null, and has no `?`"));
            }
            let listed = kind
                .split(' ')
                .next()
                .unwrap()
                .split('|')
                .filter_map(|word| word.strip_prefix('\'')?.strip_suffix('\''));
            let known = words(schema, found);
            for word in listed.filter(|word| !known.iter().any(|known| known == word)) {
                faults.push(format!("{name}.{key_name}: it is never {word:?}, but one of {known:?}"));
            }
        }
    }
    faults
}

#[test]
fn the_types_of_the_lua_are_the_protocols() {
    let lua = std::fs::read_to_string(crate::project("lua/termi/types.lua")).unwrap();
    let classes = lua.lines().filter(|line| line.starts_with("---@class termi.proto.")).count();
    assert!(classes > 15, "the classes are found: {classes}");
    let faults = faults(&lua, &protocol::schema());
    assert!(faults.is_empty(), "lua/termi/types.lua:\n{}", faults.join("\n"));
}

#[test]
fn what_the_protocol_has_not_is_found() {
    let lua = "---@class termi.proto.Nobody\n---@class termi.proto.RunResult\n---@field run_id string\n---@field colour string\n\
               ---@field view_id integer\n---@class termi.proto.Process\n---@field status 'active'|'asleep' or so\n";
    let found = faults(lua, &protocol::schema());
    let begins = ["Nobody: ", "RunResult.colour: ", "RunResult.view_id: ", "Process.status: it is never \"asleep\""];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found}");
    }
}
