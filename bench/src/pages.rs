//! The results in the manual: what stands between two marks of a page is written anew.

use std::fs;
use std::path::Path;

use crate::markdown::{curve, table};
use crate::run::Report;
use crate::words::{CHINESE, ENGLISH, Words};
use crate::{Outcome, because};

/// Writes machine, figures and growth into `benchmarks.md` of a directory and of its `zh-CN`.
///
/// # Errors
/// A page cannot be read or written, or lacks a mark.
pub fn write(report: &Report, machine: &str, docs: &Path) -> Outcome<()> {
    page(report, machine, &docs.join("benchmarks.md"), &ENGLISH)?;
    page(report, machine, &docs.join("zh-CN/benchmarks.md"), &CHINESE)
}

fn page(report: &Report, machine: &str, path: &Path, words: &Words) -> Outcome<()> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).map_err(because(&shown))?;
    let parts = [("machine", machine), ("figures", &table(report, words)), ("growth", &curve(report, words))];
    let text = parts.iter().try_fold(text, |text, (name, new)| {
        replaced(&text, name, new).ok_or_else(|| format!("{shown} has no marks around its {name}"))
    })?;
    fs::write(path, text).map_err(because(&shown))
}

/// The text with something else between `<!-- NAME -->` and `<!-- /NAME -->`.
fn replaced(text: &str, name: &str, new: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", new.trim_end()))
}
