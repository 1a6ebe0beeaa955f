//! `upkeep graph`.

use std::fmt::Write;

use serde_json::json;
use upkeep_config::{CommandLine, Environment, Host, Sources, Step, graph as steps};

use super::link::program;
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

pub(super) fn graph(options: &Options) -> Result<i32, Problem> {
    let draw = match options.words.as_slice() {
        [] => text,
        [word] if word == "text" => text,
        [word] if word == "dot" => dot,
        [word] if word == "mermaid" => mermaid,
        [word, ..] => {
            let why = format!("`upkeep graph` knows text, dot and mermaid, but got \"{word}\"");
            return Err(Problem::usage(&why));
        }
    };
    let steps = read(options)?;
    if options.json {
        show::json(&to_json(&steps));
    } else {
        screen::bytes(draw(&steps).as_bytes());
    }
    Ok(status::DONE)
}

fn read(options: &Options) -> Result<Vec<Step>, Problem> {
    let environment = Environment::of_this_process();
    let program = program(&environment);
    let cli = CommandLine { program, configuration: options.config.clone(), ..CommandLine::default() };
    let config =
        Sources::read_soon(&cli, environment).and_then(|sources| upkeep_config::load(&sources, &cli, &Host));
    let hint = "`upkeep check` tells everything that is wrong";
    Ok(steps(&config.map_err(|error| Problem::usage(&error.message).hint(hint))?))
}

fn to_json(steps: &[Step]) -> serde_json::Value {
    let programs: Vec<_> = steps
        .iter()
        .map(|step| {
            let after: Vec<_> = step
                .after
                .iter()
                .map(|after| json!({ "program": after.program, "condition": after.condition }))
                .collect();
            json!({ "program": step.program, "step": step.number, "after": after })
        })
        .collect();
    json!({ "programs": programs })
}

/// A line for each program, in the order of starts.
fn text(steps: &[Step]) -> String {
    let width = steps.iter().map(|step| step.program.chars().count()).max().unwrap_or(0);
    let digits = steps.last().map_or(1, |step| step.number.to_string().len());
    let mut text = String::new();
    let mut last = 0;
    for step in steps {
        let number = if step.number == last { String::new() } else { step.number.to_string() };
        last = step.number;
        let after: Vec<String> =
            step.after.iter().map(|after| format!("{} ({})", after.program, after.condition)).collect();
        let after = if after.is_empty() { String::new() } else { format!("  after {}", after.join(", ")) };
        let line = format!("{number:>digits$}  {:width$}{after}", step.program);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// For Graphviz.
fn dot(steps: &[Step]) -> String {
    let mut text = "digraph programs {\n  rankdir=LR;\n".to_owned();
    for step in steps {
        let _ = writeln!(text, "  {};", quoted(&step.program));
    }
    for (step, after) in edges(steps) {
        let (from, to) = (quoted(&after.program), quoted(&step.program));
        let _ = writeln!(text, "  {from} -> {to} [label=\"{}\"];", after.condition);
    }
    text + "}\n"
}

/// For Markdown that draws Mermaid.
fn mermaid(steps: &[Step]) -> String {
    let id = |name: &str| steps.iter().position(|step| step.program == name).unwrap_or_default();
    let mut text = "flowchart LR\n".to_owned();
    for (number, step) in steps.iter().enumerate() {
        let label = step.program.replace('"', "#quot;");
        let _ = writeln!(text, "  p{number}[\"{label}\"]");
    }
    for (step, after) in edges(steps) {
        let (from, to) = (id(&after.program), id(&step.program));
        let _ = writeln!(text, "  p{from} -->|{}| p{to}", after.condition);
    }
    text
}

fn edges(steps: &[Step]) -> impl Iterator<Item = (&Step, &upkeep_config::After)> {
    steps.iter().flat_map(|step| step.after.iter().map(move |after| (step, after)))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
