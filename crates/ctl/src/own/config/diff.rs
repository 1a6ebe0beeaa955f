//! What two texts differ in, line by line: pure.

/// Lines around a difference that are shown, too.
const AROUND: usize = 3;

/// Pairs of lines that are compared, at most; of longer texts, what differs counts as replaced in one piece.
const MOST_PAIRS: usize = 4_000_000;

/// What diff -u says below a last line without a newline, and patch understands.
const UNENDED: &str = "\\ No newline at end of file";

/// One line of a difference, with the newline that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'t> {
    Same(&'t str),
    Old(&'t str),
    New(&'t str),
}

impl Line<'_> {
    /// As it is shown, with a line of its own that tells if it does not end.
    fn text(&self) -> Vec<String> {
        let (sign, line) = match self {
            Self::Same(text) => (' ', text),
            Self::Old(text) => ('-', text),
            Self::New(text) => ('+', text),
        };
        match line.strip_suffix('\n') {
            Some(text) => vec![format!("{sign}{text}")],
            None => vec![format!("{sign}{line}"), UNENDED.to_owned()],
        }
    }

    fn is_same(&self) -> bool {
        matches!(self, Self::Same(_))
    }
}

/// The lines that differ with some around them, as diff -u shows them; none if the texts are the same. Lines that differ only in how they
/// end do differ.
pub(super) fn unified(old: &str, new: &str) -> Vec<String> {
    let lines = |text| str::split_inclusive(text, '\n').collect();
    let (old, new): (Vec<&str>, Vec<&str>) = (lines(old), lines(new));
    hunks(&compare(&old, &new))
}

fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let before = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let after = pairs.take_while(|(old, new)| old == new).count();
    let mut lines: Vec<Line<'t>> = old[..before].iter().map(|line| Line::Same(line)).collect();
    lines.extend(middle(&old_rest[..old_rest.len() - after], &new_rest[..new_rest.len() - after]));
    lines.extend(old_rest[old_rest.len() - after..].iter().map(|line| Line::Same(line)));
    lines
}

/// By the longest common subsequence.
fn middle<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        let gone = old.iter().map(|line| Line::Old(line));
        return gone.chain(new.iter().map(|line| Line::New(line))).collect();
    }
    let width = new.len() + 1;
    // How many lines are common from here on.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            common[at * width + to] = if old[at] == new[to] {
                common[(at + 1) * width + to + 1] + 1
            } else {
                common[(at + 1) * width + to].max(common[at * width + to + 1])
            };
        }
    }
    let (mut at, mut to) = (0, 0);
    let mut lines = Vec::with_capacity(old.len() + new.len());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            lines.push(Line::Same(old[at]));
            (at, to) = (at + 1, to + 1);
        } else if to == new.len()
            || (at < old.len() && common[(at + 1) * width + to] >= common[at * width + to + 1])
        {
            lines.push(Line::Old(old[at]));
            at += 1;
        } else {
            lines.push(Line::New(new[to]));
            to += 1;
        }
    }
    lines
}

fn hunks(lines: &[Line<'_>]) -> Vec<String> {
    let changed: Vec<usize> = (0..lines.len()).filter(|&at| !lines[at].is_same()).collect();
    let mut told = Vec::new();
    let mut rest = changed.as_slice();
    while let Some(&first) = rest.first() {
        let together = rest.windows(2).take_while(|pair| pair[1] - pair[0] <= 2 * AROUND).count() + 1;
        let begin = first.saturating_sub(AROUND);
        let end = (rest[together - 1] + AROUND + 1).min(lines.len());
        let hunk = &lines[begin..end];
        let old = range(old_lines(&lines[..begin]), old_lines(hunk));
        let new = range(new_lines(&lines[..begin]), new_lines(hunk));
        told.push(format!("@@ -{old} +{new} @@"));
        told.extend(hunk.iter().flat_map(Line::text));
        rest = &rest[together..];
    }
    told
}

fn old_lines(part: &[Line<'_>]) -> usize {
    part.iter().filter(|line| !matches!(line, Line::New(_))).count()
}

fn new_lines(part: &[Line<'_>]) -> usize {
    part.iter().filter(|line| !matches!(line, Line::Old(_))).count()
}

fn range(before: usize, length: usize) -> String {
    format!("{},{length}", before + usize::from(length > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_and_its_surroundings() {
        assert_eq!(unified("a\nb\n", "a\nb\n"), Vec::<String>::new());
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        let expected = [
            "@@ -2,7 +2,7 @@",
            " 2",
            " 3",
            " 4",
            "-5",
            "+five",
            " 6",
            " 7",
            " 8",
            "@@ -10,3 +10,4 @@",
            " 10",
            " 11",
            " 12",
            "+13",
        ];
        assert_eq!(unified(old, new), expected);
        assert_eq!(unified("", "a\n"), ["@@ -0,0 +1,1 @@", "+a"]);
        assert_eq!(unified("a\nb\nc\n", "b\n"), ["@@ -1,3 +1,1 @@", "-a", " b", "-c"]);
    }

    #[test]
    fn ends_of_lines_count() {
        let crlf = ["@@ -1,2 +1,2 @@", "-a\r", "+a", " b"];
        assert_eq!(unified("a\r\nb\n", "a\nb\n"), crlf);
        let unended = ["@@ -1,2 +1,2 @@", " a", "-b", "\\ No newline at end of file", "+b"];
        assert_eq!(unified("a\nb", "a\nb\n"), unended);
        assert_eq!(unified("a\n", "a\n\n"), ["@@ -1,1 +1,2 @@", " a", "+"]);
    }

    #[test]
    fn long_texts_cost_no_more_than_they_may() {
        let old: String = (0..3000).map(|line| format!("old {line}\n")).collect();
        let new: String = (0..3000).map(|line| format!("new {line}\n")).collect();
        assert_eq!(unified(&old, &new).len(), 6001);
    }
}
