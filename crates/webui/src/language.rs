//! The language of a page: the reader's choice among those there are.

/// A language that all texts exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, also for whoever asks for neither; programs rely on its messages.
    #[default]
    English,
    /// Chinese in simplified characters.
    Chinese,
}

impl Language {
    /// Every language.
    pub const ALL: &'static [Self] = &[Self::English, Self::Chinese];

    /// The first choice of an `Accept-Language` header that exists; of equal ones the earlier.
    #[must_use]
    pub fn accepted(header: &str) -> Self {
        let mut best = (0, Self::default());
        for choice in header.split(',') {
            let (tag, weight) = choice.split_once(';').unwrap_or((choice, ""));
            let weight = thousandths(weight);
            if let Some(language) = Self::of_tag(tag.trim())
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The value of a page's `lang` attribute.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.iter().copied().find(|language| primary.eq_ignore_ascii_case(&language.tag()[..2]))
    }
}

/// `q=0.5` as 500. Nothing is 1000; what is no number is 0, which is how a choice is refused.
fn thousandths(parameter: &str) -> u32 {
    let Some(number) = parameter.trim().strip_prefix("q=") else {
        return if parameter.trim().is_empty() { 1000 } else { 0 };
    };
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole.parse::<u32>(), digits.parse::<u32>()) {
        (Ok(0), Ok(fraction)) => fraction,
        (Ok(1), Ok(_)) => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_choice_that_exists() {
        use Language::{Chinese, English};
        let rows = [
            ("", English),
            ("*", English),
            ("fr", English),
            ("zh", Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("ZH-Hant-TW", Chinese),
            ("en-US,en;q=0.9,zh-CN;q=0.8", English),
            ("de, zh;q=0.7, en;q=0.3", Chinese),
            ("en;q=0.2, zh;q=0.25", Chinese),
            ("zh;q=0, en;q=0.1", English),
            ("zh;q=x", English),
            ("zhuang", English),
            ("en;q=1.0,zh", English),
        ];
        for (header, language) in rows {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
