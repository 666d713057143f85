//! The protocol as a JSON Schema, from its types.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

// Every method is named here.
use super::{method::for_each_method, *};

/// The protocol's JSON Schema (2020-12).
///
/// `methods` has each method's `about`, the `access` it needs, and its `params` and `result`; `messages` has what
/// the host sends of its own accord; `error` is Termi's error; all of them refer to the types in `$defs`.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut methods = Map::new();
    macro_rules! describe {
        ($($method:ident),*) => { $( methods.insert(<$method as Method>::NAME.to_owned(), method::<$method>(&mut generator)); )* };
    }
    for_each_method!(describe);
    let messages = json!({
        "frame": generator.subschema_for::<Frame>(),
        "event": generator.subschema_for::<Event>(),
    });
    let error = generator.subschema_for::<Error>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Termi protocol {PROTOCOL}"),
        "protocol": PROTOCOL,
        "methods": methods,
        "messages": messages,
        "error": error,
        "$defs": generator.take_definitions(true),
    })
}

fn method<M: Method>(generator: &mut SchemaGenerator) -> Value
where
    M::Params: schemars::JsonSchema,
    M::Reply: schemars::JsonSchema,
{
    let access = match M::ACCESS {
        Access::Read => "read",
        Access::Write => "write",
    };
    json!({
        "about": M::ABOUT.trim(),
        "access": access,
        "params": generator.subschema_for::<M::Params>(),
        "result": generator.subschema_for::<M::Reply>(),
    })
}
