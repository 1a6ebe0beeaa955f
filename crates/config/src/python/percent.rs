//! Python's `%` operator with a mapping on the right: `%(name)s`, `%(process_num)02d`, `%%` (CFG-052, CFG-076).

use super::float;
use super::repr::{py_ascii, py_repr};

/// Width and precision beyond this are refused: no configuration means them, and they only cost memory.
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
    let mut formatter = Formatter {
        text: text.chars().collect(),
        at: 0,
        argument: Argument::Mapping,
        lookup,
        out: String::new(),
    };
    formatter.run()?;
    Ok(formatter.out)
}

/// What the next conversion takes.
#[derive(Clone, Copy)]
enum Argument<'v> {
    /// The mapping itself: no name was given yet.
    Mapping,
    /// The value of the last name.
    Value(&'v Value),
    /// Nothing is left: the value was used.
    Spent,
}

#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

struct Formatter<'a, 'v> {
    text: Vec<char>,
    at: usize,
    argument: Argument<'v>,
    lookup: &'a dyn Fn(&str) -> Option<&'v Value>,
    out: String,
}

impl<'v> Formatter<'_, 'v> {
    fn run(&mut self) -> Result<(), FormatError> {
        while let Some(c) = self.take() {
            if c == '%' {
                self.conversion()?;
            } else {
                self.out.push(c);
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<char> {
        let c = self.text.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    fn must_take(&mut self) -> Result<char, FormatError> {
        self.take().ok_or_else(|| FormatError::Malformed("incomplete format".to_owned()))
    }

    fn conversion(&mut self) -> Result<(), FormatError> {
        match self.text.get(self.at) {
            Some('%') => {
                self.at += 1;
                self.out.push('%');
                return Ok(());
            }
            Some('(') => {
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
        let name: String = self.text[start..self.at - 1].iter().collect();
        match (self.lookup)(&name) {
            Some(value) => self.argument = Argument::Value(value),
            None => return Err(FormatError::UnknownName(name)),
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
            other => return unsupported(other, self.at - 1),
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

fn as_text(conversion: char, argument: Argument<'_>) -> Result<String, FormatError> {
    match argument {
        Argument::Value(Value::Int(number)) => Ok(number.to_string()),
        Argument::Value(Value::Text(text)) => Ok(match conversion {
            'r' => py_repr(text),
            'a' => py_ascii(text),
            _ => text.clone(),
        }),
        Argument::Mapping | Argument::Spent => malformed("not enough arguments for format string"),
    }
}

fn as_char(argument: Argument<'_>) -> Result<char, FormatError> {
    let only = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|_| chars.next().is_none())
    };
    match argument {
        Argument::Value(Value::Int(number)) => match u32::try_from(*number) {
            Ok(code) if code < 0x11_0000 => Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Ok(_) | Err(_) => malformed("%c arg not in range(0x110000)"),
        },
        Argument::Value(Value::Text(text)) => {
            only(text).ok_or_else(|| FormatError::Malformed("%c requires int or char".to_owned()))
        }
        Argument::Mapping | Argument::Spent => malformed("%c requires int or char"),
    }
}

fn type_name(argument: Argument<'_>) -> &'static str {
    match argument {
        Argument::Value(Value::Text(_)) => "str",
        Argument::Value(Value::Int(_)) => "int",
        Argument::Mapping | Argument::Spent => "dict",
    }
}

fn as_int(conversion: char, argument: Argument<'_>) -> Result<i64, FormatError> {
    if let Argument::Value(Value::Int(number)) = argument {
        return Ok(*number);
    }
    let wanted = if matches!(conversion, 'o' | 'x' | 'X') { "an integer" } else { "a real number" };
    malformed(format!("%{conversion} format: {wanted} is required, not {}", type_name(argument)))
}

fn as_float(argument: Argument<'_>) -> Result<i64, FormatError> {
    match argument {
        Argument::Value(Value::Int(number)) => Ok(*number),
        Argument::Value(Value::Text(_)) | Argument::Mapping | Argument::Spent => {
            malformed(format!("must be real number, not {}", type_name(argument)))
        }
    }
}

impl Spec {
    fn flag(&mut self, c: char) -> bool {
        match c {
            '-' => self.left = true,
            '+' => self.plus = true,
            ' ' => self.blank = true,
            '#' => self.alternate = true,
            '0' => self.zero = true,
            _ => return false,
        }
        true
    }

    fn text(&self, text: &str) -> String {
        let cut: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        self.pad("", &cut, ' ')
    }

    fn integer(&self, number: i64, conversion: char) -> String {
        let magnitude = number.unsigned_abs();
        let digits = match conversion {
            'o' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let zeros = "0".repeat(self.precision.unwrap_or(0).saturating_sub(digits.len()));
        let sign = if number < 0 { "-" } else { "" };
        let prefix = match conversion {
            'o' if self.alternate => "0o",
            'x' if self.alternate => "0x",
            'X' if self.alternate => "0X",
            _ => "",
        };
        self.number(&format!("{sign}{zeros}{digits}"), prefix)
    }

    /// Puts sign and prefix before the filling zeros.
    fn number(&self, text: &str, prefix: &str) -> String {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None if self.plus => ("+", text),
            None if self.blank => (" ", text),
            None => ("", text),
        };
        self.pad(&format!("{sign}{prefix}"), digits, if self.zero { '0' } else { ' ' })
    }

    fn pad(&self, before: &str, text: &str, fill: char) -> String {
        let missing = self.width.saturating_sub(before.chars().count() + text.chars().count());
        let filling = |c: char| std::iter::repeat_n(c, missing).collect::<String>();
        match (self.left, fill) {
            (true, _) => format!("{before}{text}{}", filling(' ')),
            (false, '0') => format!("{before}{}{text}", filling('0')),
            (false, _) => format!("{}{before}{text}", filling(' ')),
        }
    }
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
        ] {
            assert_eq!(formatted(text), Err(reason.to_owned()), "{text}");
        }
    }
}
