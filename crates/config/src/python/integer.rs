//! Python's `int(text, base)`.

use super::text::strip;

/// Reads digits of a base up to 10 with blanks around, a sign, single `_` between digits and, for base 8, `0o`.
/// Numbers beyond `i64` become its limits: what they limit is never reached. `None` if it is no number.
pub(crate) fn parse(text: &str, base: u32) -> Option<i64> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let digits = if base == 8 { without_octal_prefix(digits) } else { digits };
    let magnitude = magnitude(digits, base)?;
    let value = if negative { -magnitude } else { magnitude };
    Some(i64::try_from(value).unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

fn without_octal_prefix(digits: &str) -> &str {
    let Some(rest) = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) else { return digits };
    rest.strip_prefix('_').unwrap_or(rest)
}

/// Stays far below the limits of `i128`, whatever the number of digits.
fn magnitude(digits: &str, base: u32) -> Option<i128> {
    const ENOUGH: i128 = 1 << 100;
    let mut value: i128 = 0;
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        value = (value * i128::from(base) + i128::from(digit(c, base)?)).min(ENOUGH);
        after_digit = true;
    }
    after_digit.then_some(value)
}

/// ASCII digits and the full-width ones that Chinese and Japanese keyboards give.
fn digit(c: char, base: u32) -> Option<u32> {
    let value = match c {
        '０'..='９' => u32::from(c) - u32::from('０'),
        c => c.to_digit(10)?,
    };
    (value < base).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_reads_cfg_040_cfg_043() {
        for (text, base, value) in [
            ("010", 10, Some(10)),
            (" +1_000 ", 10, Some(1000)),
            ("-5", 10, Some(-5)),
            ("１２", 10, Some(12)),
            ("99999999999999999999999999999999999999999999", 10, Some(i64::MAX)),
            ("-99999999999999999999", 10, Some(i64::MIN)),
            ("022", 8, Some(18)),
            ("0o22", 8, Some(18)),
            ("0O_22", 8, Some(18)),
            ("-7", 8, Some(-7)),
            ("", 10, None),
            ("_1", 10, None),
            ("1_", 10, None),
            ("1__0", 10, None),
            ("+-1", 10, None),
            ("1.5", 10, None),
            ("0x1f", 10, None),
            ("0o1", 10, None),
            ("8", 8, None),
            ("0o", 8, None),
        ] {
            assert_eq!(parse(text, base), value, "{text:?} base {base}");
        }
    }
}
