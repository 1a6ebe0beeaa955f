//! Flags, width and precision, and what they do to a text.

/// Between `%` and the conversion.
#[derive(Default)]
pub(super) struct Spec {
    pub(super) left: bool,
    plus: bool,
    blank: bool,
    pub(super) alternate: bool,
    zero: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

impl Spec {
    pub(super) fn flag(&mut self, c: char) -> bool {
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

    pub(super) fn text(&self, text: &str) -> String {
        let cut =
            text.char_indices().nth(self.precision.unwrap_or(usize::MAX)).map_or(text.len(), |(at, _)| at);
        self.pad("", &text[..cut], ' ')
    }

    pub(super) fn integer(&self, number: i64, conversion: char) -> String {
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
    pub(super) fn number(&self, text: &str, prefix: &str) -> String {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None if self.plus => ("+", text),
            None if self.blank => (" ", text),
            None => ("", text),
        };
        self.pad(&format!("{sign}{prefix}"), digits, if self.zero { '0' } else { ' ' })
    }

    pub(super) fn pad(&self, before: &str, text: &str, fill: char) -> String {
        if self.width == 0 {
            return [before, text].concat();
        }
        let missing = self.width.saturating_sub(before.chars().count() + text.chars().count());
        let filling = |c: char| std::iter::repeat_n(c, missing).collect::<String>();
        match (self.left, fill) {
            (true, _) => format!("{before}{text}{}", filling(' ')),
            (false, '0') => format!("{before}{}{text}", filling('0')),
            (false, _) => format!("{}{before}{text}", filling(' ')),
        }
    }
}
