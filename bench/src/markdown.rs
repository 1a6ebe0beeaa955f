//! The results as a page.

use crate::contender::{Contender, Kind};
use crate::results::Figure;
use crate::rows::{Better, ROWS, Row};
use crate::run::Report;
use crate::words::{ENGLISH, Words};

/// The whole page.
#[must_use]
pub fn page(report: &Report, machine: &str) -> String {
    let mut page = format!(
        "{machine}\n\n{}\n{}\n\n{}",
        table(report, &ENGLISH),
        ENGLISH.powers,
        curve(report, &ENGLISH)
    );
    for (title, lines) in [("Notes", &report.results.notes), ("Failures", &report.results.failures)] {
        if !lines.is_empty() {
            page += &format!("\n{title}:\n\n");
            lines.iter().for_each(|line| page += &format!("- {line}\n"));
        }
    }
    page
}

/// Every row at every size: medians (least–most), ratios, targets.
#[must_use]
pub fn table(report: &Report, words: &Words) -> String {
    let names = names(report, words);
    let mut text = format!(
        "| {} | N | {} | {} | {} | {} |\n",
        words.measure,
        names.join(" | "),
        words.ahead,
        words.behind,
        words.target
    );
    text += &format!("| --- | ---: |{} ---: | ---: | --- |\n", " ---: |".repeat(names.len()));
    for row in ROWS {
        for size in report.results.sizes(row.id) {
            text += &line(report, words, row, size);
        }
    }
    text
}

fn names<'a>(report: &'a Report, words: &'a Words) -> Vec<&'a str> {
    let name = |contender: &'a Contender| match contender.kind {
        Kind::Limit => words.limit,
        Kind::Supervisor | Kind::Upkeep => contender.name.as_str(),
    };
    report.contenders.iter().map(name).collect()
}

fn line(report: &Report, words: &Words, row: &Row, size: usize) -> String {
    let figures = report.figures(row, size);
    let cells: Vec<String> =
        figures.iter().map(|figure| figure.map_or_else(|| "–".to_owned(), shown)).collect();
    let of = |kind| report.of(&figures, kind);
    let (supervisor, ours, limit) = (of(Kind::Supervisor), of(Kind::Upkeep), of(Kind::Limit));
    let target = row.target(size, limit);
    let verdict = ours.zip(target).map_or_else(
        || "–".to_owned(),
        |(ours, target)| {
            let sign = if row.better == Better::Less { "≤" } else { "≥" };
            format!("{sign} {} {}", number(target), if row.holds(ours, target) { "✓" } else { words.no })
        },
    );
    format!(
        "| {}{}{} | {size} | {} | {} | {} | {verdict} |\n",
        (words.title)(row),
        words.comma,
        row.unit,
        cells.join(" | "),
        times(row.better, supervisor, ours),
        times(row.better, ours, limit),
    )
}

/// How many times better the second is.
fn times(better: Better, worse: Option<f64>, good: Option<f64>) -> String {
    let ratio = worse.zip(good).map(|(worse, good)| match better {
        Better::Less => worse / good,
        Better::More => good / worse,
    });
    ratio
        .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        .map_or_else(|| "–".to_owned(), |r| format!("{}×", number(r)))
}

/// How each cost grows from one size to the next: 1 is in proportion, 2 is quadratic.
#[must_use]
pub fn curve(report: &Report, words: &Words) -> String {
    let names = names(report, words).join(" | ");
    let mut text = format!("| {} | {} | {} | {names} |\n", words.measure, words.from, words.to);
    text += &format!("| --- | ---: | ---: |{}\n", " ---: |".repeat(report.contenders.len()));
    for row in ROWS.iter().filter(|row| GROWING.contains(&row.id)) {
        let sizes: Vec<usize> = report.results.sizes(row.id).into_iter().filter(|&size| size > 0).collect();
        for pair in sizes.windows(2) {
            let [from, to] = *pair else { continue };
            let (before, after) = (report.figures(row, from), report.figures(row, to));
            text += &format!("| {} | {from} | {to} |", (words.title)(row));
            for (before, after) in before.iter().zip(&after) {
                let power =
                    before.zip(*after).map(|(before, after)| power(row, from, to, before.value, after.value));
                text += &power
                    .filter(|power| power.is_finite())
                    .map_or_else(|| " – |".to_owned(), |power| format!(" {power:.1} |"));
            }
            text.push('\n');
        }
    }
    text
}

/// The rows whose figures depend on the number of processes.
const GROWING: [&str; 11] = [
    "start",
    "running",
    "pss",
    "restart-cpu",
    "death",
    "storm",
    "info",
    "clients",
    "status",
    "shutdown",
    "recovery",
];

fn power(row: &Row, from: usize, to: usize, before: f64, after: f64) -> f64 {
    let ratio = if row.better == Better::Less { after / before } else { before / after };
    ratio.ln() / (to as f64 / from as f64).ln()
}

fn shown(figure: Figure) -> String {
    format!("{} ({}–{})", number(figure.value), number(figure.least), number(figure.most))
}

/// Three digits that count.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        _ if size >= 99.95 => format!("{value:.0}"),
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if size >= 0.9995 => format!("{value:.2}"),
        _ if size >= 0.000_5 => format!("{value:.3}"),
        _ => "0".to_owned(),
    };
    text.strip_prefix('-').map(|rest| format!("−{rest}")).unwrap_or(text)
}

impl Report {
    /// One figure for each contender, in order.
    #[must_use]
    pub fn figures(&self, row: &Row, size: usize) -> Vec<Option<Figure>> {
        let places = (0..self.contenders.len()).map(|index| (row.id, size, index));
        places.map(|place| Figure::of(&self.results.sorted(place), row.quantile)).collect()
    }

    /// The figure of the first contender of a kind.
    #[must_use]
    pub fn of(&self, figures: &[Option<Figure>], kind: Kind) -> Option<f64> {
        let index = self.contenders.iter().position(|contender: &Contender| contender.kind == kind)?;
        figures.get(index).copied().flatten().map(|figure| figure.value)
    }
}
