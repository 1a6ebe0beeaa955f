//! Python's `%` operator with a mapping on the right: `%(name)s`, `%(process_num)02d`, `%%` (CFG-052, CFG-076).

mod argument;
mod spec;

use super::float;
use argument::{Argument, as_char, as_float, as_int, as_text};
use spec::Spec;

/// Width, precision and results beyond this are refused, unless the text itself is longer: no configuration means them,
/// and they only cost memory.
const LIMIT: usize = 1 << 20;

/// A value that can be put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A Python `str`.
    Text(String),
    /// A Python `int`.
    Int(i64),
}

/// Why a text cannot be formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FormatError {
    /// The mapping has no such name.
    UnknownName(String),
    /// Anything else, in Python's words.
    Malformed(String),
}

fn malformed<T>(reason: impl Into<String>) -> Result<T, FormatError> {
    Err(FormatError::Malformed(reason.into()))
}

/// Formats a text. `lookup` is the mapping.
///
/// A conversion without a name would put the whole mapping in; that is an error here (D-19).
pub(crate) fn format<'v>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'v Value>,
) -> Result<String, FormatError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let out = String::with_capacity(text.len());
    let mut formatter = Formatter { text, at: 0, argument: Argument::Mapping, lookup, out };
    formatter.run()?;
    Ok(formatter.out)
}

struct Formatter<'a, 'v> {
    text: &'a str,
    /// How many bytes have been taken.
    at: usize,
    argument: Argument<'v>,
    lookup: &'a dyn Fn(&str) -> Option<&'v Value>,
    out: String,
}

impl<'a, 'v> Formatter<'a, 'v> {
    fn run(&mut self) -> Result<(), FormatError> {
        let most = LIMIT.max(self.text.len());
        while let Some((plain, _)) = self.rest().split_once('%') {
            self.out.push_str(plain);
            self.at += plain.len() + 1;
            self.conversion()?;
            if self.out.len() > most {
                return malformed("the result is too long");
            }
        }
        self.out.push_str(self.rest());
        Ok(())
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest().chars().next();
        self.at += c.map_or(0, char::len_utf8);
        c
    }

    fn must_take(&mut self) -> Result<char, FormatError> {
        self.take().ok_or_else(|| FormatError::Malformed("incomplete format".to_owned()))
    }

    fn conversion(&mut self) -> Result<(), FormatError> {
        match self.rest().as_bytes().first() {
            Some(b'%') => {
                self.at += 1;
                self.out.push('%');
                return Ok(());
            }
            Some(b'(') => {
                self.at += 1;
                self.name()?;
            }
            Some(_) | None => {}
        }
        let (spec, conversion) = self.spec()?;
        let argument = self.next_argument()?;
        self.convert(&spec, conversion, argument)
    }

    /// A name may hold balanced parentheses.
    fn name(&mut self) -> Result<(), FormatError> {
        let start = self.at;
        let mut depth = 1;
        while depth > 0 {
            match self.take() {
                Some('(') => depth += 1,
                Some(')') => depth -= 1,
                Some(_) => {}
                None => return malformed("incomplete format key"),
            }
        }
        let name = self.text.get(start..self.at - 1).unwrap_or_default();
        match (self.lookup)(name) {
            Some(value) => self.argument = Argument::Value(value),
            None => return Err(FormatError::UnknownName(name.to_owned())),
        }
        Ok(())
    }

    fn next_argument(&mut self) -> Result<Argument<'v>, FormatError> {
        match std::mem::replace(&mut self.argument, Argument::Spent) {
            Argument::Spent => malformed("not enough arguments for format string"),
            argument => Ok(argument),
        }
    }

    /// Flags, width, precision; returns the conversion character.
    fn spec(&mut self) -> Result<(Spec, char), FormatError> {
        let mut spec = Spec::default();
        let mut c = self.must_take()?;
        while spec.flag(c) {
            c = self.must_take()?;
        }
        if c == '*' {
            let width = self.star()?;
            spec.left |= width < 0;
            spec.width = bounded(width.unsigned_abs(), "width too big")?;
            c = self.must_take()?;
        } else if c.is_ascii_digit() {
            (spec.width, c) = self.digits(c, "width too big")?;
        }
        if c == '.' {
            c = self.must_take()?;
            spec.precision = Some(0);
            if c == '*' {
                let precision = self.star()?.max(0).unsigned_abs();
                spec.precision = Some(bounded(precision, "precision too big")?);
                c = self.must_take()?;
            } else if c.is_ascii_digit() {
                let (precision, next) = self.digits(c, "precision too big")?;
                spec.precision = Some(precision);
                c = next;
            }
        }
        if matches!(c, 'h' | 'l' | 'L') {
            c = self.must_take()?;
        }
        Ok((spec, c))
    }

    fn star(&mut self) -> Result<i64, FormatError> {
        match self.next_argument()? {
            Argument::Value(Value::Int(number)) => Ok(*number),
            Argument::Value(Value::Text(_)) | Argument::Mapping | Argument::Spent => malformed("* wants int"),
        }
    }

    fn digits(&mut self, first: char, error: &str) -> Result<(usize, char), FormatError> {
        let mut number = 0usize;
        let mut c = first;
        while let Some(digit) = c.to_digit(10) {
            number = bounded(number as u64 * 10 + u64::from(digit), error)?;
            c = self.must_take()?;
        }
        Ok((number, c))
    }

    fn convert(&mut self, spec: &Spec, conversion: char, argument: Argument<'v>) -> Result<(), FormatError> {
        match conversion {
            's' | 'r' | 'a' => {
                let text = as_text(conversion, argument)?;
                self.out.push_str(&spec.text(&text));
            }
            'c' => {
                let c = as_char(argument)?;
                self.out.push_str(&spec.pad("", &c.to_string(), ' '));
            }
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => {
                let number = as_int(conversion, argument)?;
                self.out.push_str(&spec.integer(number, conversion));
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = as_float(argument)?;
                let text = float::format(number, conversion, spec.precision.unwrap_or(6), spec.alternate);
                self.out.push_str(&spec.number(&text, ""));
            }
            other => return unsupported(other, self.text[..self.at].chars().count() - 1),
        }
        Ok(())
    }
}

fn unsupported<T>(c: char, index: usize) -> Result<T, FormatError> {
    let shown = if c.is_ascii() && !c.is_ascii_control() { c } else { '?' };
    malformed(format!("unsupported format character '{shown}' (0x{:x}) at index {index}", u32::from(c)))
}

fn bounded(number: u64, error: &str) -> Result<usize, FormatError> {
    usize::try_from(number)
        .ok()
        .filter(|&number| number <= LIMIT)
        .ok_or_else(|| FormatError::Malformed(error.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> Result<String, String> {
        let here = Value::Text("/etc".to_owned());
        let number = Value::Int(7);
        let lookup = |name: &str| match name {
            "here" => Some(&here),
            "n" => Some(&number),
            _ => None,
        };
        format(text, &lookup).map_err(|error| match error {
            FormatError::UnknownName(name) => format!("KeyError {name}"),
            FormatError::Malformed(reason) => reason,
        })
    }

    #[test]
    fn formats_as_python_does_cfg_052_cfg_076() {
        for (text, expected) in [
            ("plain", "plain"),
            ("100%%", "100%"),
            ("%(here)s/x", "/etc/x"),
            ("%(n)02d|%(n)5d|%(n)-5d|%(n)+d|% d", "07|    7|7    |+7|"),
            ("%(n)#x %(n)#o %(n)05.3d", "0x7 0o7 00007"),
            ("%(n)s %(n)r %(here)r %(here).2s %(here)6s", "7 7 '/etc' /e   /etc"),
            ("%(n)f %(n)ld %%", "7.000000 7 %"),
        ] {
            let expected = if text.contains("% d") {
                Err("not enough arguments for format string".to_owned())
            } else {
                Ok(expected.to_owned())
            };
            assert_eq!(formatted(text), expected, "{text}");
        }
    }

    #[test]
    fn tells_what_is_malformed_cfg_053_cfg_054_cfg_077() {
        for (text, reason) in [
            ("%", "incomplete format"),
            ("%(here", "incomplete format key"),
            ("%(here)", "incomplete format"),
            ("%(nope)s", "KeyError nope"),
            ("%(a(b)c)s", "KeyError a(b)c"),
            ("0123456789abc %q", "unsupported format character 'q' (0x71) at index 15"),
            ("%d", "%d format: a real number is required, not dict"),
            ("%x", "%x format: an integer is required, not dict"),
            ("%(n)5%", "unsupported format character '%' (0x25) at index 5"),
            ("%(here)d", "%d format: a real number is required, not str"),
            ("%(here)f", "must be real number, not str"),
            ("%(here)c", "%c requires int or char"),
            ("%s", "not enough arguments for format string"),
            ("%(here)s %s", "not enough arguments for format string"),
            ("%*d", "* wants int"),
            ("%(n)99999999999999999999d", "width too big"),
            ("%(n)1048576d%(n)d", "the result is too long"),
        ] {
            assert_eq!(formatted(text), Err(reason.to_owned()), "{text}");
        }
    }
}
