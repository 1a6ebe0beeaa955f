//! The JSON schema of configurations in YAML, TOML and JSON, made of the option rows: for editors that complete and
//! check while somebody types.

use serde_json::{Value, json};

use crate::dialect::{FAMILIES, OTHERS};
use crate::ini::DEFAULT;
use crate::options::{Kind, OptionRow, SectionKind};
use crate::settings::Level;

/// The schema, as it is published.
#[must_use]
pub fn schema() -> String {
    let mut properties = serde_json::Map::new();
    properties.insert("$schema".to_owned(), json!({ "type": "string" }));
    for (key, kind) in FAMILIES {
        let section = json!({ "$ref": reference(kind) });
        let description = format!("{}, by name", about(kind));
        let map = json!({ "type": ["object", "null"], "description": description, "additionalProperties": section });
        properties.insert(key.to_owned(), map);
    }
    let mut patterns = serde_json::Map::new();
    for kind in SectionKind::ALL.into_iter().filter(|kind| !kind.named()) {
        let section = json!({ "$ref": reference(kind) });
        if matches!(kind, SectionKind::Unix | SectionKind::Inet) {
            patterns.insert(format!("^{}", kind.prefix()), section);
        } else {
            properties.insert(kind.prefix().to_owned(), section);
        }
    }
    let scalar = json!({ "type": ["string", "number", "boolean", "array", "object"] });
    let defaults = json!({ "type": "object", "description": "values for every section", "additionalProperties": scalar });
    properties.insert(DEFAULT.to_owned(), defaults);
    let others =
        json!({ "type": "object", "description": "sections without a meaning, kept by a conversion" });
    properties.insert(OTHERS.to_owned(), others);
    patterns.insert("^x-".to_owned(), json!({ "description": "yours: for what YAML anchors stand for" }));
    let definitions: serde_json::Map<String, Value> =
        SectionKind::ALL.iter().map(|&kind| (definition(kind).to_owned(), section(kind))).collect();
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Upkeep's configuration",
        "type": ["object", "null"],
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
        "definitions": definitions,
    });
    format!("{schema:#}\n")
}

fn definition(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Listener => "event_listener",
        SectionKind::Fcgi => "fcgi_program",
        SectionKind::RpcInterface => "rpc_interface",
        SectionKind::CtlPlugin => "ctl_plugin",
        kind => kind.prefix(),
    }
}

fn reference(kind: SectionKind) -> String {
    format!("#/definitions/{}", definition(kind))
}

fn about(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Supervisord => "the daemon itself",
        SectionKind::Unix => "a server on a socket file",
        SectionKind::Inet => "a server on a TCP port, with a web page",
        SectionKind::Supervisorctl => "the client",
        SectionKind::Include => "more files, of any dialect",
        SectionKind::Defaults => "options for all programs that do not have them themselves",
        SectionKind::Template => "options for the programs that extend it",
        SectionKind::Program => "programs to run",
        SectionKind::Group => "programs under one name",
        SectionKind::Listener => "programs that are told of events",
        SectionKind::Fcgi => "FastCGI programs, whose processes share a socket",
        SectionKind::RpcInterface => "namespaces of XML-RPC; the standard one is there by itself",
        SectionKind::CtlPlugin => "plugins of the client",
    }
}

fn section(kind: SectionKind) -> Value {
    let options: serde_json::Map<String, Value> =
        kind.rows().map(|row| (row.name.to_owned(), option(row))).collect();
    json!({
        "description": about(kind),
        "type": ["object", "null"],
        "properties": options,
        "additionalProperties": kind.open(),
    })
}

fn option(row: &OptionRow) -> Value {
    let mut schema = value(row.kind);
    schema["description"] = json!(row.help);
    if let Some(default) = row.default.and_then(|default| typed(row.kind, default)) {
        schema["default"] = default;
    }
    schema
}

/// A default in the type that people would write.
fn typed(kind: Kind, default: &str) -> Option<Value> {
    match kind {
        Kind::Boolean => default.parse::<bool>().ok().map(Value::from),
        Kind::Integer | Kind::Seconds => default.parse::<i64>().ok().map(Value::from),
        Kind::ExitCodes => {
            Some(json!(default.split(',').filter_map(|code| code.parse::<u8>().ok()).collect::<Vec<_>>()))
        }
        Kind::List | Kind::Pairs => None,
        _ => Some(json!(default)),
    }
}

/// What an option of this kind may be. A text may always hold `%(name)s`, so it is never narrowed down to some words.
fn value(kind: Kind) -> Value {
    let known = |words: Vec<Value>| json!({ "type": "string", "examples": words });
    let list = |item: Value| json!({ "type": ["array", "string"], "items": item });
    match kind {
        Kind::Integer | Kind::Seconds | Kind::Bytes | Kind::Signal | Kind::User | Kind::Endpoint => {
            json!({ "type": ["integer", "string"] })
        }
        Kind::Percent | Kind::Share | Kind::Limit | Kind::Rlimit => json!({ "type": ["integer", "string"] }),
        Kind::Time | Kind::Factor => json!({ "type": ["number", "string"] }),
        Kind::Boolean => json!({ "type": ["boolean", "string"] }),
        Kind::Autorestart => {
            json!({ "type": ["boolean", "string"], "examples": [true, false, "unexpected"] })
        }
        Kind::ExitCodes => {
            json!({ "type": ["array", "integer", "string"], "items": { "type": ["integer", "string"] } })
        }
        Kind::List | Kind::Command => list(json!({ "type": ["string", "integer"] })),
        Kind::Globs | Kind::Schedule => list(json!({ "type": "string" })),
        Kind::Pairs => json!({
            "type": ["object", "string"],
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
        Kind::Level => known(Level::ALL.iter().map(|level| json!(level.name())).collect()),
        Kind::Choice(words) => known(words.iter().map(|word| json!(word)).collect()),
        Kind::Octal => json!({ "type": ["string", "integer"], "examples": ["0700"] }),
        Kind::Directory
        | Kind::Path
        | Kind::Owner
        | Kind::Text
        | Kind::Giveup
        | Kind::LogTarget
        | Kind::Url
        | Kind::Factory => json!({ "type": "string" }),
    }
}
