//! `upkeep config rollback N`: what it would do, then doing it, then what the files still say.

use serde_json::{Value, json};
use upkeep_api::ConfigFile;

use super::number;
use crate::own::groups::Work;
use crate::own::link::Link;
use crate::own::options::Options;
use crate::own::plan;
use crate::own::problem::{Problem, status};
use crate::own::show;
use crate::screen;

pub(super) fn rollback(options: &Options, text: &str) -> Result<i32, Problem> {
    let number = number(text)?;
    let link = Link::open(options)?;
    let what = format!("go back to configuration {number}");
    let planned = link.check(&what, link.client.rollback_plan(number))?;
    if !options.json {
        tell(&plan::lines(&planned));
    }
    if options.dry_run {
        if options.json {
            show::json(&plan::all_in_json(&planned));
        }
        return Ok(status::DONE);
    }
    let found = link.check(&what, link.client.rollback_config(number))?;
    let mut work = Work::new(&link, options.json);
    work.apply(&found, |_| true);
    let mut failed = work.has_failed();
    let mut told = work.in_json();
    if options.write {
        let written = link.check("write the files back", link.client.write_config(number))?;
        failed |= written.iter().any(|file| !is_good(file));
        if !options.json {
            tell(&written.iter().map(|file| format!("{}: {}", file.path, file.text)).collect::<Vec<_>>());
        }
        let one = |file: &ConfigFile| json!({ "path": file.path, "result": file.text });
        told["files"] = written.iter().map(one).collect::<Vec<_>>().into();
    }
    told["next_update"] = next_update(&link, options);
    if options.json {
        show::json(&told);
    }
    Ok(if failed { status::FAILED } else { status::DONE })
}

fn tell(lines: &[String]) {
    lines.iter().for_each(|line| {
        screen::line(line);
    });
}

fn is_good(file: &ConfigFile) -> bool {
    ["written", "as it was"].contains(&file.text.as_str())
}

/// Says what the files make of all this when they are read again: they are what counts then.
fn next_update(link: &Link, options: &Options) -> Value {
    let planned = match link.check("compare the files with what runs", link.client.plan()) {
        Ok(Some(planned)) if planned.is_empty() => return json!([]),
        Ok(Some(planned)) => planned,
        Ok(None) => return Value::Null,
        Err(problem) => {
            if !options.json {
                screen::note(
                    "note: the files on disk are wrong, and nothing can be updated before they are put right:",
                );
                screen::note(&problem.to_string());
            }
            return problem.to_json();
        }
    };
    if !options.json {
        screen::note(
            "note: the files on disk still say something else, and the next `upkeep update`, `reload` or start of the daemon goes by \
             them:",
        );
        plan::lines(&planned).iter().for_each(|line| screen::note(&format!("  {line}")));
        screen::note(if options.write {
            "hint: put these files right by hand, then see `upkeep diff`"
        } else {
            "hint: put the files right, or let them be written back with --write; `upkeep diff` shows what is left"
        });
    }
    plan::all_in_json(&planned)
}
