//! Words in columns, as `help` lists them (CTL-110).

const GAP: usize = 2;

/// Lines of at most `width` characters; words run down the columns, each padded to its column's width.
pub(crate) fn columns(words: &[&str], width: usize) -> Vec<String> {
    for rows in 1..words.len() {
        let widths = column_widths(words, rows);
        let total: usize = widths.iter().map(|width| width + GAP).sum();
        if total <= width + GAP {
            return (0..rows).map(|row| line(words, rows, row, &widths)).collect();
        }
    }
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn column_widths(words: &[&str], rows: usize) -> Vec<usize> {
    words.chunks(rows).map(|column| column.iter().map(|word| word.len()).max().unwrap_or(0)).collect()
}

fn line(words: &[&str], rows: usize, row: usize, widths: &[usize]) -> String {
    let cells = words.chunks(rows).zip(widths).map_while(|(column, width)| Some((column.get(row)?, width)));
    cells.map(|(word, width)| format!("{word:<width$}")).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_then_across() {
        assert_eq!(columns(&["a", "bb", "c", "d", "e"], 9), ["a   c  e", "bb  d"]);
        assert_eq!(columns(&["a", "b"], 80), ["a  b"]);
        assert_eq!(columns(&["long"], 2), ["long"]);
    }
}
