//! The results for programs.

use serde_json::{Map, Value, json};

use crate::contender::Kind;
use crate::results::Figure;
use crate::rows::{ROWS, Row};
use crate::run::Report;

/// Everything: machine, figures with the number of their samples, notes, failures.
#[must_use]
pub fn document(report: &Report, machine: &str) -> Value {
    let mut rows = Vec::new();
    for row in ROWS {
        rows.extend(report.results.sizes(row.id).into_iter().map(|size| line(report, row, size)));
    }
    json!({
        "machine": machine,
        "rows": rows,
        "notes": report.results.notes,
        "failures": report.results.failures,
    })
}

fn line(report: &Report, row: &Row, size: usize) -> Value {
    let figures = report.figures(row, size);
    let target = row.target(size, report.of(&figures, Kind::Limit));
    let holds = report.of(&figures, Kind::Upkeep).zip(target).map(|(ours, target)| row.holds(ours, target));
    let named = report.contenders.iter().zip(&figures);
    let figures: Map<String, Value> =
        named.filter_map(|(who, figure)| Some((who.name.clone(), figure_of((*figure)?)))).collect();
    json!({
        "measure": row.id, "title": row.title, "unit": row.unit, "n": size,
        "figures": figures, "target": target, "holds": holds,
    })
}

fn figure_of(figure: Figure) -> Value {
    json!({ "value": figure.value, "least": figure.least, "most": figure.most, "samples": figure.samples })
}
