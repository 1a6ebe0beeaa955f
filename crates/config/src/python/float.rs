//! `%e`, `%f` and `%g` of whole numbers: the only numbers that can be formatted are process numbers and counts.

/// More decimals than this of a whole number are zeros, and the standard library's own limit is near.
const EXACT: usize = 64;

/// Formats as C's `printf` does. `conversion` is one of `eEfFgG`; `alternate` is the `#` flag.
pub(crate) fn format(number: i64, conversion: char, precision: usize, alternate: bool) -> String {
    #[expect(clippy::cast_precision_loss, reason = "Python converts to a double as well")]
    let value = number as f64;
    let text = match conversion.to_ascii_lowercase() {
        'e' => exponent(value, precision, alternate),
        'f' => fixed(value, precision, alternate),
        _ => general(value, precision.max(1), alternate),
    };
    if conversion.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn fixed(value: f64, precision: usize, alternate: bool) -> String {
    let mut text = format!("{value:.*}", precision.min(EXACT));
    pad_decimals(&mut text, precision, alternate);
    text
}

fn pad_decimals(text: &mut String, precision: usize, alternate: bool) {
    text.extend(std::iter::repeat_n('0', precision.saturating_sub(EXACT)));
    if precision == 0 && alternate {
        text.push('.');
    }
}

fn exponent(value: f64, precision: usize, alternate: bool) -> String {
    let (mut mantissa, power) = split(value, precision.min(EXACT));
    pad_decimals(&mut mantissa, precision, alternate);
    format!("{mantissa}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

fn split(value: f64, precision: usize) -> (String, i32) {
    let text = format!("{value:.precision$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.to_owned(), power.parse().unwrap_or(0))
}

fn general(value: f64, precision: usize, alternate: bool) -> String {
    let (_, power) = split(value, (precision - 1).min(EXACT));
    match usize::try_from(power) {
        Ok(power) if power < precision => {
            let text = fixed(value, precision - 1 - power, alternate);
            if alternate { text } else { without_zeros(&text).to_owned() }
        }
        Ok(_) | Err(_) => {
            let text = exponent(value, precision - 1, alternate);
            if alternate { text } else { short_exponent(&text) }
        }
    }
}

fn short_exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "+00"));
    format!("{}e{power}", without_zeros(mantissa))
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_printf_does_cfg_076() {
        for (number, conversion, precision, alternate, expected) in [
            (3, 'f', 6, false, "3.000000"),
            (3, 'f', 0, true, "3."),
            (-12, 'e', 2, false, "-1.20e+01"),
            (0, 'E', 1, false, "0.0E+00"),
            (100_000, 'g', 6, false, "100000"),
            (1_000_000, 'g', 6, false, "1e+06"),
            (1_500_000, 'G', 6, false, "1.5E+06"),
            (3, 'g', 6, true, "3.00000"),
            (12, 'g', 0, false, "1e+01"),
        ] {
            assert_eq!(format(number, conversion, precision, alternate), expected);
        }
        assert_eq!(format(1, 'f', 70_000, false).len(), 70_002);
    }
}
