//! `upkeep convert`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde_json::json;
use upkeep_config::{Converted, Dialect, Environment};

use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

pub(super) fn convert(options: &Options) -> Result<i32, Problem> {
    let [file] = options.words.as_slice() else {
        return Err(
            Problem::usage("`upkeep convert` needs one file").hint("upkeep convert FILE --to yaml -o OUT")
        );
    };
    let to = dialect(options)?;
    let environment = Environment::of_this_process();
    let converted = upkeep_config::convert(file, options.flatten, to, environment)
        .map_err(|error| Problem::usage(&format!("cannot convert {file}: {error}")))?;
    let mut remarks = converted.remarks.clone();
    remarks.extend(options.output.as_ref().and_then(|out| moved(file, out, &converted)));
    if let Some(out) = &options.output {
        write(file, out, &converted.text)?;
    }
    if options.json {
        show::json(&json!({ "dialect": to.name(), "text": converted.text, "remarks": remarks }));
        return Ok(status::DONE);
    }
    remarks.iter().for_each(|remark| screen::note(&format!("note: {remark}")));
    if options.output.is_none() {
        screen::bytes(converted.text.as_bytes());
    }
    Ok(status::DONE)
}

/// `--to`, else the ending of `-o`.
fn dialect(options: &Options) -> Result<Dialect, Problem> {
    let names = Dialect::ALL.map(Dialect::name);
    let by_name = |name: &str| Dialect::ALL.into_iter().find(|dialect| dialect.name() == name);
    match (&options.to, &options.output) {
        (Some(name), _) => {
            let name = if name == "yml" { "yaml" } else { name };
            by_name(name).ok_or_else(|| {
                Problem::usage(&format!("there is no dialect \"{name}\""))
                    .hint(format!("one of {}", names.join(", ")))
            })
        }
        (None, Some(out)) => Ok(Dialect::of(out)),
        (None, None) => {
            Err(Problem::usage("to which dialect?").hint(format!("--to, and one of {}", names.join(", "))))
        }
    }
}

/// Places that are relative to the file mean others in another directory.
fn moved(file: &str, out: &str, converted: &Converted) -> Option<String> {
    let directory = |path: &str| {
        let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()
    };
    let relative = converted.text.contains("%(here)s") || converted.text.contains("include");
    (relative && directory(file) != directory(out)).then(|| {
        format!("{out} is in another directory: %(here)s and relative patterns of include mean others there")
    })
}

/// A new file that nobody can read who cannot read the old one.
fn write(file: &str, out: &str, text: &str) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        let problem = Problem::new(&format!("write {out}"), &error.to_string());
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => problem.hint("name another file, or remove that one first"),
            _ => problem,
        }
    };
    let mode = fs::metadata(file).map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(out).map_err(failed)?;
    new.write_all(text.as_bytes()).and_then(|()| new.sync_all()).map_err(failed)
}
