//! Ids in a test: at the end of its name (`stops_proc_025`, `_proc_025_028`, `_proc_025_to_028`), or in its text (`PROC-025`, `PROC-155…159`).

use std::collections::BTreeSet;

use super::sources::Item;

const AREAS: [(&str, usize); 6] = [("CFG", 3), ("PROC", 3), ("RPC", 3), ("CTL", 3), ("EVT", 3), ("D", 2)];

/// What one item of the source names. Of a range only what the ledger has counts: its numbers have gaps.
pub(super) fn in_item(item: &Item, known: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (first, last) in in_name(&item.name).into_iter().chain(in_text(&item.text)) {
        let inside = known.iter().filter(|id| within(id, &first, &last));
        found.extend(inside.map(|id| (*id).to_owned()));
        found.extend([first, last]);
    }
    found
}

fn within(id: &str, first: &str, last: &str) -> bool {
    id.len() == first.len() && (first..=last).contains(&id)
}

/// `_proc_025`, `_proc_025_028` for two, `_proc_025_to_028` for a range.
fn in_name(name: &str) -> Vec<(String, String)> {
    let (mut ids, mut area, mut range) = (Vec::<(String, String)>::new(), String::new(), false);
    for word in name.split(['_', ':']) {
        match (id(&area, word), ids.last_mut()) {
            (Some(id), Some((_, last))) if range => *last = id,
            (Some(id), _) => ids.push((id.clone(), id)),
            (None, _) if word != "to" => area = word.to_uppercase(),
            (None, _) => {}
        }
        range = word == "to";
    }
    ids
}

fn id(area: &str, number: &str) -> Option<String> {
    let &(area, digits) = AREAS.iter().find(|(known, _)| *known == area)?;
    let fits = number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("{area}-{number}"))
}

/// First and last id of each mention; the same for a single one.
fn in_text(text: &str) -> Vec<(String, String)> {
    let ends = text.match_indices('-').filter_map(|(at, _)| {
        let area = word_before(&text[..at]);
        let rest = &text[at + 1..];
        let first = id(area, number(rest))?;
        let last = last(&rest[number(rest).len()..], area).unwrap_or_else(|| first.clone());
        Some((first, last))
    });
    ends.collect()
}

/// The end of a range, when one follows: `… CFG-013`, `…013`.
fn last(rest: &str, area: &str) -> Option<String> {
    let rest = rest.trim_start().strip_prefix('…')?.trim_start();
    let rest = rest.strip_prefix(area).and_then(|rest| rest.strip_prefix('-')).unwrap_or(rest);
    id(area, number(rest))
}

fn word_before(text: &str) -> &str {
    let start = text.rfind(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '_');
    start.map_or(text, |start| text[start..].trim_start_matches(|letter: char| !letter.is_alphanumeric()))
}

fn number(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<String> {
        let known = ["CFG-010", "CFG-012", "CFG-020", "PROC-011", "D-16"];
        let item = Item { name: name.to_owned(), text: text.to_owned() };
        in_item(&item, &known).into_iter().collect()
    }

    #[test]
    fn names_and_text_are_read() {
        assert_eq!(found("config::ini::commas_cfg_010_d_16", ""), ["CFG-010", "D-16"]);
        assert_eq!(found("commas_cfg_010_to_012", ""), ["CFG-010", "CFG-012"]);
        assert_eq!(found("commas_cfg_010_020_d_16", ""), ["CFG-010", "CFG-020", "D-16"]);
        assert_eq!(found("from_cfg_010_to_here_020", ""), ["CFG-010"]);
        assert_eq!(found("a", "/// CFG-010 … CFG-012, D-16: all"), ["CFG-010", "CFG-012", "D-16"]);
        assert_eq!(found("a", "(CFG-010…020)"), ["CFG-010", "CFG-012", "CFG-020"]);
        assert_eq!(found("a", "\"PROC-011\", 3"), ["PROC-011"]);
    }

    #[test]
    fn what_only_looks_like_an_id_is_none() {
        assert_eq!(found("read_d_1_cfg_10", "CFG-10 CMD-10 XPROC-011 A-D-16 D-16x D- CFG-1000"), ["D-16"]);
    }
}
