//! Files of variables, as `env_files` names them: `NAME=value` lines in the syntax that Laravel, Docker Compose and shells
//! agree on. Pure. Values are secrets, so no message ever shows one.

/// Bytes of one value, at most: the kernel takes no longer one.
const LONGEST: usize = 128 * 1024 - 1;
/// Bytes of all values of one file, at most: lines that repeat what is before them could ask for more than there is.
const MOST: usize = 2 * 1024 * 1024;
/// Variables of one file, at most.
const VARIABLES: usize = 4096;
/// Mistakes that are told of one file.
const TOLD: usize = 20;

/// A line that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    /// In the order of the lines; of one name several may be there, of which the last counts.
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads a file. `known` has the variables that are there already.
pub(crate) fn read(bytes: &[u8], known: &dyn Fn(&str) -> Option<String>) -> Variables {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
            let mistake = Mistake { line, message: "not in UTF-8".to_owned(), hint: "save it as UTF-8" };
            return Variables { pairs: Vec::new(), mistakes: vec![mistake] };
        }
    };
    let mut reader = Reader { rest: text, line: 1, known, size: 0, found: Variables::default() };
    while !reader.rest.is_empty() && reader.found.mistakes.len() < TOLD {
        let line = reader.line;
        if let Err((message, hint)) = reader.statement() {
            reader.found.mistakes.push(Mistake { line, message, hint });
            reader.skip_line();
        }
    }
    reader.found
}

/// What is wrong, and what to do.
type Refused = (String, &'static str);

fn refused<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Refused> {
    Err((message.into(), hint))
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
    known: &'t dyn Fn(&str) -> Option<String>,
    /// Of all values so far.
    size: usize,
    found: Variables,
}

impl Reader<'_> {
    /// One blank line, comment or variable, with the end of its line.
    fn statement(&mut self) -> Result<(), Refused> {
        self.skip_blanks();
        if self.rest.starts_with(['\n', '#']) || self.rest.is_empty() {
            self.skip_line();
            return Ok(());
        }
        let name = self.name()?;
        let value = match self.quote() {
            Some(quote) => self.quoted(quote)?,
            None => self.plain()?,
        };
        if value.contains('\0') {
            return refused(format!("the value of {name} holds a zero byte"), "remove it");
        }
        self.size += value.len();
        if value.len() > LONGEST || self.size > MOST {
            return refused(
                format!("the value of {name} is too long"),
                "one value may have 128 KB, all 2 MB",
            );
        }
        if self.found.pairs.len() == VARIABLES {
            self.rest = "";
            return refused(format!("more than {VARIABLES} variables"), "remove some");
        }
        self.found.pairs.push((name, value));
        self.skip_line();
        Ok(())
    }

    /// `export NAME =`, of which only the name is needed.
    fn name(&mut self) -> Result<String, Refused> {
        let line = self.rest.lines().next().unwrap_or_default();
        let Some((before, _)) = line.split_once('=') else {
            return refused("no = in this line", "write NAME=value; put a value of several lines in quotes");
        };
        let after_export = before.strip_prefix("export").filter(|rest| rest.starts_with(is_blank));
        let name = after_export.unwrap_or(before).trim();
        if !is_name(name) {
            // What stands before a = may be the end of a value that lost its quotes.
            return refused(
                "what stands before = is not the name of a variable",
                "a name has letters, digits, _, . and -, and begins with no digit",
            );
        }
        self.rest = &self.rest[before.len() + 1..];
        Ok(name.to_owned())
    }

    /// The quote that the value begins with, passed over.
    fn quote(&mut self) -> Option<char> {
        let value = self.rest.trim_start_matches(is_blank);
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        self.rest = &value[1..];
        Some(quote)
    }

    /// The value up to the closing quote, which may be some lines further down.
    fn quoted(&mut self, quote: char) -> Result<String, Refused> {
        let Some(end) = closing(self.rest, quote) else {
            // Whatever follows is part of it.
            self.rest = "";
            return refused("this quote is not closed", "a quote in a value is written \\\" or \\'");
        };
        let (inner, after) = (&self.rest[..end], &self.rest[end + 1..]);
        let tail = after.lines().next().unwrap_or_default().trim();
        if !tail.is_empty() && !tail.starts_with('#') {
            return refused("text after the closing quote", "put all of the value into the quotes");
        }
        self.rest = after;
        self.line += inner.matches('\n').count();
        let inner = inner.replace("\r\n", "\n");
        if quote == '\'' { Ok(inner.replace("\\'", "'")) } else { self.expanded(&inner, true) }
    }

    /// The value up to the end of the line, or to a comment.
    fn plain(&mut self) -> Result<String, Refused> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let value = without_comment(line).trim();
        self.expanded(value, false)
    }

    /// With `${NAME}` replaced, and with escapes if it was in double quotes.
    fn expanded(&self, text: &str, escapes: bool) -> Result<String, Refused> {
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find(['\\', '$']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(inner) = rest.strip_prefix("${") {
                let Some((reference, after)) = inner.split_once('}') else {
                    return refused("${ without }", "write \\$ for a dollar sign before a brace");
                };
                out.push_str(&self.value_of(reference)?);
                rest = after;
            } else {
                let (taken, text) = escape(rest, escapes);
                out.push_str(text);
                rest = &rest[taken..];
            }
            if out.len() > LONGEST {
                return Ok(out);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// What stands in `${}`: a name, perhaps with what is taken instead.
    fn value_of(&self, reference: &str) -> Result<String, Refused> {
        let end = reference.find(|c| !is_name_char(c) || c == '-').unwrap_or(reference.len());
        let (name, other) = reference.split_at(end);
        let or_else = other
            .strip_prefix(":-")
            .map(|text| (text, true))
            .or(other.strip_prefix('-').map(|text| (text, false)));
        if !is_name(name) || (or_else.is_none() && !other.is_empty()) {
            return refused(
                "${} holds something else than a name",
                "write ${NAME}, ${NAME:-TEXT} or \\$ for a dollar sign",
            );
        }
        let before = self.found.pairs.iter().rev().find(|(known, _)| known == name);
        let value = before.map(|(_, value)| value.clone()).or_else(|| (self.known)(name));
        match (value, or_else) {
            (Some(value), Some((text, true))) if value.is_empty() => Ok(text.to_owned()),
            (Some(value), _) => Ok(value),
            (None, Some((text, _))) => Ok(text.to_owned()),
            (None, None) => refused(
                format!("${{{name}}} is not set"),
                "set it in a line above, or write ${NAME:-} for an empty text",
            ),
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        self.line += 1;
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_name_char)
}

/// Where the quote is closed: the first that no backslash stands before.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// A # begins a comment behind a blank.
fn without_comment(line: &str) -> &str {
    let comment = line.char_indices().find(|&(at, c)| c == '#' && line[..at].ends_with(is_blank));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// How many bytes a text that begins with a backslash or a dollar sign takes, and what they stand for.
fn escape(text: &str, escapes: bool) -> (usize, &str) {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some('$')) => (2, "$"),
        (Some('\\'), Some('n')) if escapes => (2, "\n"),
        (Some('\\'), Some('r')) if escapes => (2, "\r"),
        (Some('\\'), Some('t')) if escapes => (2, "\t"),
        (Some('\\'), Some('"')) if escapes => (2, "\""),
        (Some('\\'), Some('\\')) if escapes => (2, "\\"),
        _ => (1, &text[..1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<String> {
        [("HOME", "/root"), ("EMPTY", "")]
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    }

    fn values(text: &str) -> Vec<String> {
        let found = read(text.as_bytes(), &known);
        assert_eq!(found.mistakes, [], "{text:?}");
        found.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn lines_as_laravel_and_docker_have_them() {
        for (text, expected) in [
            ("", vec![]),
            ("# c\n\n  # d\nA=1", vec!["A=1"]),
            ("\u{feff}A=1\r\nB=2\r\n", vec!["A=1", "B=2"]),
            ("A=\nB=''\nC=\"\"\n", vec!["A=", "B=", "C="]),
            ("A = b c \n", vec!["A=b c"]),
            ("export A=1\nexportB=2\nexport\tC=3", vec!["A=1", "exportB=2", "C=3"]),
            ("A=1 # c\nB=1# d\nC= # e\nD=#f", vec!["A=1", "B=1# d", "C=", "D=#f"]),
            ("A=\"1 # c\" # d\nB='#'#e", vec!["A=1 # c", "B=#"]),
            ("A='${HOME} \\n $x'\nB='it\\'s'", vec!["A=${HOME} \\n $x", "B=it's"]),
            ("A=\"a\\nb\\t\\\"c\\\" \\\\ \\d\"", vec!["A=a\nb\t\"c\" \\ \\d"]),
            ("A=\"1\n2\n3\"\nB='x\ny'", vec!["A=1\n2\n3", "B=x\ny"]),
            ("A=${HOME}/x\nB=\"${A}y\"", vec!["A=/root/x", "B=/root/xy"]),
            ("A=1\nA=${A}2", vec!["A=1", "A=12"]),
            ("A=${NO:-d e}\nB=${EMPTY:-d}\nC=${EMPTY-d}\nD=${NO-}", vec!["A=d e", "B=d", "C=", "D="]),
            (
                "A=pa$$word$x $\nB=\\${HOME}\nC=\"\\${HOME}\"",
                vec!["A=pa$$word$x $", "B=${HOME}", "C=${HOME}"],
            ),
            ("A=b=c==\nB=it's \"x\"", vec!["A=b=c==", "B=it's \"x\""]),
            ("APP.NAME-2=中", vec!["APP.NAME-2=中"]),
            ("A=C:\\new\\t", vec!["A=C:\\new\\t"]),
        ] {
            assert_eq!(values(text), expected, "{text:?}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_lines_and_without_values() {
        let rows: [(&str, usize, &str); 11] = [
            ("A=1\nsecret", 2, "no = in this line"),
            ("A=\"x\ny\"\nsecret=x y\n1A=2", 4, "what stands before = is not"),
            ("=secret", 1, "what stands before = is not"),
            ("my secret=1", 1, "what stands before = is not"),
            ("A='secret\nB=1\n", 1, "this quote is not closed"),
            ("\nA=\"sec\"ret", 2, "text after the closing quote"),
            ("A=secret${", 1, "${ without }"),
            ("A=secret${B", 1, "${ without }"),
            ("A=secret${B}", 1, "${B} is not set"),
            ("A=${secret:?x}", 1, "${} holds something else than a name"),
            ("A=secret\0", 1, "the value of A holds a zero byte"),
        ];
        for (text, line, message) in rows {
            let found = read(text.as_bytes(), &known);
            assert_eq!(found.mistakes.len(), 1, "{text:?}: {found:?}");
            let mistake = &found.mistakes[0];
            assert_eq!(mistake.line, line, "{text:?}");
            assert!(mistake.message.starts_with(message), "{text:?}: {}", mistake.message);
            assert!(!format!("{mistake:?}").contains("secret"), "{text:?}");
        }
        let found = read(b"A=1\nB=\xff", &known);
        assert_eq!((found.mistakes[0].line, found.mistakes[0].message.as_str()), (2, "not in UTF-8"));
    }

    #[test]
    fn what_follows_a_mistake_is_read() {
        let found = read(b"x\nA=1\ny\nB=2", &known);
        let names: Vec<&str> = found.pairs.iter().map(|(name, _)| name.as_str()).collect();
        let lines: Vec<usize> = found.mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!((names, lines), (vec!["A", "B"], vec![1, 3]));
    }

    #[test]
    fn what_doubles_itself_ends() {
        let text = format!("A=xxxxxxxx\n{}", "A=${A}${A}\n".repeat(5000));
        let found = read(text.as_bytes(), &known);
        assert!(found.mistakes.iter().all(|mistake| mistake.message == "the value of A is too long"));
        assert!(!found.mistakes.is_empty());
        assert!(found.pairs.iter().map(|(_, value)| value.len()).sum::<usize>() <= MOST);
    }
}
