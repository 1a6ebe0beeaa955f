//! Reading the ledger: `# area`, `## section`, and rows of id, item, status and note with tabs between.

use std::path::Path;

/// Where the files are, below the checkout.
pub(super) const FOLDER: &str = "docs/ledger";
/// The files, in the order of the page.
const FILES: [&str; 6] = ["config", "process", "rpc", "ctl", "events", "decisions"];

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Area {
    /// Its path below the checkout.
    pub(super) file: String,
    /// Its first line.
    pub(super) title: String,
    /// Its parts; the first may have no title.
    pub(super) sections: Vec<Section>,
}

/// Rows under one heading.
#[derive(Debug, Clone, Default)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

/// One item.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) item: String,
    pub(super) status: Status,
    /// How it differs, or why it is not covered.
    pub(super) note: String,
}

/// How an item stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// As Supervisor does it.
    Same,
    /// In our own way, on purpose.
    Differs,
    /// Not there, on purpose.
    LeftOut,
    /// No test shows it.
    NotCovered,
}

impl Status {
    pub(super) const ALL: [Self; 4] = [Self::Same, Self::Differs, Self::LeftOut, Self::NotCovered];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::LeftOut => "left out",
            Self::NotCovered => "not covered",
        }
    }
}

impl Area {
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(|section| &section.rows)
    }
}

/// Every file of the folder.
pub(super) fn read(folder: &Path) -> Result<Vec<Area>, String> {
    FILES.iter().map(|name| read_one(folder, name)).collect()
}

fn read_one(folder: &Path, name: &str) -> Result<Area, String> {
    let file = format!("{FOLDER}/{name}.tsv");
    let text = std::fs::read_to_string(folder.join(format!("{name}.tsv")));
    parse(&file, &text.map_err(|error| format!("cannot read {file}: {error}"))?)
}

/// One file's text.
pub(super) fn parse(file: &str, text: &str) -> Result<Area, String> {
    let mut area = Area { file: file.to_owned(), title: String::new(), sections: vec![Section::default()] };
    for (number, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            area.sections.push(Section { title: title.to_owned(), rows: Vec::new() });
        } else if let Some(title) = line.strip_prefix("# ") {
            title.clone_into(&mut area.title);
        } else if let Some(section) = area.sections.last_mut() {
            let row =
                row(line).ok_or_else(|| format!("{file}:{}: not id, item, status, note", number + 1))?;
            section.rows.push(row);
        }
    }
    area.sections.retain(|section| !section.rows.is_empty());
    Ok(area)
}

/// A row; what is not the same says how or why.
fn row(line: &str) -> Option<Row> {
    let mut cells = line.split('\t');
    let (id, item) = (cells.next()?.to_owned(), cells.next()?.to_owned());
    let word = cells.next()?;
    let status = Status::ALL.into_iter().find(|status| status.word() == word)?;
    let note = cells.next().unwrap_or_default().to_owned();
    let whole = cells.next().is_none() && (status == Status::Same || !note.is_empty());
    whole.then_some(Row { id, item, status, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_under_their_headings() {
        let text = "# Files\n## 1\nCFG-001\tsearch\tsame\n## 2\nCFG-008\tmark\tdiffers\tskipped\n";
        let area = parse("x.tsv", text).expect("a ledger");
        let rows: Vec<_> = area.rows().map(|row| (row.id.as_str(), row.status, row.note.as_str())).collect();
        assert_eq!(rows, [("CFG-001", Status::Same, ""), ("CFG-008", Status::Differs, "skipped")]);
        assert_eq!((area.title.as_str(), area.sections[1].title.as_str()), ("Files", "2"));
    }

    #[test]
    fn a_difference_without_a_word_about_it_is_refused() {
        for line in ["CFG-001\titem\tdiffers", "CFG-001\titem", "CFG-001\titem\tmaybe\tx", "\n"] {
            assert_eq!(parse("x.tsv", line).expect_err("refused"), "x.tsv:1: not id, item, status, note");
        }
    }
}
