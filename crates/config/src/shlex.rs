//! Splitting as Python's `shlex` does: `command` in POSIX mode, `environment` in the older one.

/// Why a text cannot be split. Displays Python's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A quote was opened and never closed.
    #[error("No closing quotation")]
    NoClosingQuotation,
    /// The text ends in a backslash.
    #[error("No escaped character")]
    NoEscapedCharacter,
}

const BLANKS: &[char] = &[' ', '\t', '\r', '\n'];

/// Splits a command line into words: single and double quotes, backslashes; no comments, variables, globs or pipes
/// (CFG-233).
///
/// # Errors
/// [`SplitError`] for an open quote or a final backslash.
pub fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if BLANKS.contains(&c) {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match c {
            '\'' => single(&mut chars, word)?,
            '"' => double(&mut chars, word)?,
            '\\' => word.push(chars.next().ok_or(SplitError::NoEscapedCharacter)?),
            c => word.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The command line that is split into these words.
#[must_use]
pub fn join(words: &[String]) -> String {
    words.iter().map(|word| escaped(word)).collect::<Vec<String>>().join(" ")
}

fn escaped(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./()-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

fn single(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    for c in chars {
        if c == '\'' {
            return Ok(());
        }
        word.push(c);
    }
    Err(SplitError::NoClosingQuotation)
}

/// Inside double quotes a backslash escapes only a double quote and itself.
fn double(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(SplitError::NoEscapedCharacter)? {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
    Err(SplitError::NoClosingQuotation)
}

/// One token of the non-POSIX mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// The tokens, quotes kept.
    pub(crate) tokens: Vec<String>,
    /// Whether a `#` made the rest of a line disappear (CFG-227).
    pub(crate) comment: bool,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_/.+-():".contains(c)
}

/// Tokens of an `environment` value (section 10 of the ledger).
///
/// # Errors
/// A quote that is never closed.
pub(crate) fn tokens(text: &str) -> Result<Tokens, SplitError> {
    let mut found = Tokens { tokens: Vec::new(), comment: false };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if BLANKS.contains(&c) => {}
            '#' => {
                found.comment = true;
                skip_line(&mut chars);
            }
            '\'' | '"' => found.tokens.push(quoted(c, &mut chars)?),
            c if is_word(c) => {
                let (word, comment) = word(c, &mut chars);
                found.comment |= comment;
                found.tokens.push(word);
            }
            c => found.tokens.push(c.to_string()),
        }
    }
    Ok(found)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_line(chars: &mut Chars<'_>) {
    for c in chars.by_ref() {
        if c == '\n' {
            break;
        }
    }
}

/// A token that begins with a quote ends with the same one, whatever follows.
fn quoted(quote: char, chars: &mut Chars<'_>) -> Result<String, SplitError> {
    let mut token = String::from(quote);
    for c in chars.by_ref() {
        token.push(c);
        if c == quote {
            return Ok(token);
        }
    }
    Err(SplitError::NoClosingQuotation)
}

/// A token of word characters; quotes inside are part of it, and a comment does not end it.
fn word(first: char, chars: &mut Chars<'_>) -> (String, bool) {
    let mut token = String::from(first);
    let mut comment = false;
    while let Some(&c) = chars.peek() {
        match c {
            '#' => {
                comment = true;
                skip_line(chars);
            }
            c if is_word(c) || c == '\'' || c == '"' => {
                token.push(c);
                chars.next();
            }
            _ => break,
        }
    }
    (token, comment)
}
