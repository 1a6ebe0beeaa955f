//! The JSON schema is fresh, takes what the loader takes, and refuses what the loader refuses by its type or name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use upkeep_config::{Dialect, convert, schema};

use crate::reference::{corpus, environment};

fn root() -> PathBuf {
    corpus().join("../..").canonicalize().expect("the checkout")
}

fn published() -> Value {
    serde_json::from_str(&schema()).expect("JSON")
}

/// Where a value is not what the schema wants; knows the words that the schema uses, and panics at others.
fn misfits(schema: &Value, value: &Value, at: &str, root: &Value) -> Vec<String> {
    const KNOWN: &[&str] = &[
        "$ref",
        "$schema",
        "additionalProperties",
        "default",
        "definitions",
        "description",
        "examples",
        "items",
        "patternProperties",
        "properties",
        "title",
        "type",
    ];
    if let Some(odd) =
        schema.as_object().and_then(|words| words.keys().find(|word| !KNOWN.contains(&word.as_str())))
    {
        panic!("{at}: the schema says {odd:?}");
    }
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).expect("a definition");
        return misfits(target, value, at, root);
    }
    if !has_type(&schema["type"], value) {
        return vec![format!("{at}: {value} is not {}", schema["type"])];
    }
    match value {
        Value::Object(members) => {
            members.iter().flat_map(|(key, value)| member(schema, key, value, at, root)).collect()
        }
        Value::Array(items) if !schema["items"].is_null() => {
            items.iter().flat_map(|item| misfits(&schema["items"], item, at, root)).collect()
        }
        _ => Vec::new(),
    }
}

fn member(schema: &Value, key: &str, value: &Value, at: &str, root: &Value) -> Vec<String> {
    let at = format!("{at}/{key}");
    let patterns = schema["patternProperties"].as_object();
    let pattern = patterns
        .and_then(|all| all.iter().find(|(start, _)| key.starts_with(start.trim_start_matches('^'))))
        .map(|(_, schema)| schema);
    match (schema["properties"].get(key).or(pattern), &schema["additionalProperties"]) {
        (Some(schema), _) => misfits(schema, value, &at, root),
        (None, Value::Bool(false)) => vec![format!("{at} is unknown")],
        (None, Value::Object(_)) => misfits(&schema["additionalProperties"], value, &at, root),
        (None, _) => Vec::new(),
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    };
    match wanted {
        Value::Null => true,
        Value::Array(any) => any.iter().any(is),
        one => is(one),
    }
}

fn as_json(path: &Path) -> Value {
    let env = environment(path.parent().expect("a folder"));
    let converted = convert(&path.to_string_lossy(), false, Dialect::Json, env).expect("converted");
    serde_json::from_str(&converted.text).expect("JSON")
}

#[test]
fn the_published_schema_is_fresh() {
    let file = fs::read_to_string(root().join("docs/schema/upkeep.schema.json")).unwrap_or_default();
    assert!(file == schema(), "docs/schema/upkeep.schema.json is stale: run cargo xtask schema");
}

#[test]
fn examples_and_the_corpus_fit() {
    let schema = published();
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in [root().join("examples"), root().join("examples/laravel"), corpus().join("good")] {
        files.extend(fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).filter(
            |path| {
                let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
                ["conf", "yaml", "toml", "json"].contains(&ending)
            },
        ));
    }
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        // Keys and sections that mean nothing are in the corpus on purpose.
        let mut found = misfits(&schema, &as_json(&path), "", &schema);
        found.retain(|misfit| !(path.starts_with(corpus()) && misfit.ends_with(" is unknown")));
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
    }
    let json = fs::read_to_string(root().join("examples/quickstart.json")).expect("an example");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(misfits(&schema, &json, "", &schema), Vec::<String>::new());
}

#[test]
fn mistakes_do_not_fit() {
    let schema = published();
    for (mistake, expected) in [
        (json!({ "program": {} }), "/program is unknown"),
        (json!({ "programs": { "w": { "comand": "x" } } }), "/programs/w/comand is unknown"),
        (json!({ "programs": { "w": { "autostart": 2 } } }), "/programs/w/autostart: 2 is not"),
        (
            json!({ "programs": { "w": { "environment": { "A": null } } } }),
            "/programs/w/environment/A: null is not",
        ),
        (json!({ "programs": { "w": { "exitcodes": [[1]] } } }), "/programs/w/exitcodes: [1] is not"),
        (json!({ "supervisord": [] }), "/supervisord: [] is not"),
        (json!({ "inet_http_server:b": { "port": {} } }), "/inet_http_server:b/port: {} is not"),
    ] {
        let found = misfits(&schema, &mistake, "", &schema);
        assert!(found.iter().any(|misfit| misfit.starts_with(expected)), "{mistake}: {found:?}");
    }
}
