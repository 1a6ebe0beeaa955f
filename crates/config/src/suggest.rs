//! "did you mean": the known word nearest to a mistyped one.

/// The candidate that differs least from `word`, if it differs little enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let allowed = match length {
        0 | 1 => 0,
        2..=4 => 1,
        5..=9 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The hint line for [`nearest`].
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean \"{candidate}\"?"))
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, c) in from.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, &d) in to.iter().enumerate() {
            let mut cost =
                (last[column] + usize::from(c != d)).min(last[column + 1] + 1).min(line[column] + 1);
            let swapped = column > 0 && previous == Some(d) && to[column - 1] == c && c != d;
            if swapped {
                cost = cost.min(before[column - 1] + 1);
            }
            line.push(cost);
        }
        previous = Some(c);
        before = std::mem::replace(&mut last, line);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["command", "autostart", "stopsignal", "TERM", "user"];
        for (word, expected) in [
            ("comand", Some("command")),
            ("commnad", Some("command")),
            ("auto_start", Some("autostart")),
            ("TREM", Some("TERM")),
            ("usr", Some("user")),
            ("environment", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
