//! Which values an option takes in a tree, and the text that each of them stands for.

use super::node::{Node, Sort, Spot, Value};
use crate::options::{Kind, OptionRow, SectionKind};

/// What a value became.
pub(super) enum Shaped {
    /// The text that means the same.
    Text(String),
    /// A map of variables.
    Variables,
    /// Words of a command line.
    Words(Vec<String>),
}

/// A value that is not what an option takes.
pub(super) struct Misfit {
    pub(super) at: Spot,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) hint: Option<String>,
}

impl Misfit {
    fn new(node: &Node, expected: &str) -> Self {
        Self { at: node.at, expected: expected.to_owned(), found: node.value.found(), hint: None }
    }

    fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

/// The option of this name that any section has, for defaults of all sections.
pub(crate) fn any_row(name: &str) -> Option<&'static OptionRow> {
    SectionKind::ALL.iter().find_map(|kind| kind.row(name))
}

/// The text of a value of this kind. A text is always taken: what it means is judged later, as in every dialect.
pub(super) fn shape(kind: Kind, node: &Node) -> Result<Shaped, Misfit> {
    let text = match (&node.value, kind) {
        (Value::Scalar(Sort::Text, text), _) => text.clone(),
        (Value::Map(_), Kind::Pairs) => return Ok(Shaped::Variables),
        (Value::Scalar(Sort::Boolean, text), Kind::Boolean | Kind::Autorestart) => text.clone(),
        (Value::Scalar(Sort::Integer, text), kind) if takes_number(kind) => text.clone(),
        (Value::Scalar(Sort::Float, text), Kind::Time | Kind::Factor) => text.clone(),
        (Value::Scalar(Sort::Integer, text), Kind::Octal) => mode(node, text)?,
        (Value::List(items), Kind::ExitCodes) => joined(items, ",", |c| c == ',', "an exit code")?,
        (Value::List(items), Kind::List) => joined(items, ",", |c| c == ',', "a name")?,
        (Value::List(items), Kind::Schedule) => joined(items, "\n", |c| c == '\n', "a schedule")?,
        (Value::List(items), Kind::Globs) => joined(items, " ", char::is_whitespace, "a file name pattern")?,
        (Value::List(items), Kind::Command) => return words(items).map(Shaped::Words),
        _ => return Err(misfit(kind, node)),
    };
    Ok(Shaped::Text(text))
}

/// The text of a value of an option that nobody knows; what else it may be does not matter.
pub(super) fn shape_unknown(node: &Node) -> Result<Shaped, Misfit> {
    match &node.value {
        Value::Scalar(_, text) => Ok(Shaped::Text(text.clone())),
        Value::Null | Value::List(_) | Value::Map(_) => Ok(Shaped::Text(String::new())),
    }
}

fn takes_number(kind: Kind) -> bool {
    match kind {
        Kind::Integer
        | Kind::Seconds
        | Kind::Time
        | Kind::Factor
        | Kind::Percent
        | Kind::Share
        | Kind::Limit
        | Kind::Rlimit
        | Kind::Bytes
        | Kind::Signal
        | Kind::ExitCodes
        | Kind::User
        | Kind::Endpoint => true,
        Kind::Boolean
        | Kind::Giveup
        | Kind::Octal
        | Kind::Level
        | Kind::Directory
        | Kind::Path
        | Kind::Owner
        | Kind::Text
        | Kind::List
        | Kind::Schedule
        | Kind::Globs
        | Kind::Pairs
        | Kind::Command
        | Kind::LogTarget
        | Kind::Autorestart
        | Kind::Choice(_)
        | Kind::Url
        | Kind::Factory => false,
    }
}

/// For people: what an option of this kind takes.
fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "a whole number",
        Kind::Seconds => "a whole number of seconds",
        Kind::Time => "seconds, or a text such as \"5m\"",
        Kind::Factor => "a number such as 1.5",
        Kind::Percent => "a percentage",
        Kind::Share => "a whole number, or a text such as \"25%\"",
        Kind::Limit => "a whole number, or none",
        Kind::Rlimit => "an amount, unlimited, or a text such as \"1024:4096\"",
        Kind::Boolean => "true or false",
        Kind::Bytes => "a number of bytes, or a text such as \"50MB\"",
        Kind::Octal => "a file mode such as \"0700\"",
        Kind::Signal => "a signal such as TERM",
        Kind::ExitCodes => "a list of exit codes",
        Kind::User => "a user",
        Kind::List => "a list of names",
        Kind::Schedule => "a schedule such as \"*/5 * * * *\", or a list of such",
        Kind::Globs => "a list of file name patterns",
        Kind::Pairs => "a map of variables",
        Kind::Command => "a command line, or a list of words",
        Kind::Autorestart => "true, false or unexpected",
        Kind::Level
        | Kind::Giveup
        | Kind::Directory
        | Kind::Path
        | Kind::Owner
        | Kind::Text
        | Kind::LogTarget
        | Kind::Choice(_)
        | Kind::Endpoint
        | Kind::Url
        | Kind::Factory => "a text",
    }
}

fn misfit(kind: Kind, node: &Node) -> Misfit {
    let misfit = Misfit::new(node, expected(kind));
    match &node.value {
        Value::Null => misfit.hint("write \"\" for an empty text, or remove the key to have its default"),
        Value::Scalar(..) if expected(kind) == "a text" => misfit.hint("put it in quotes"),
        Value::Scalar(..) | Value::List(_) | Value::Map(_) => misfit,
    }
}

/// People mean `0700` by 700 and by 0o700, and 0700 is an ordinary number to some readers: what is not plain is refused.
fn mode(node: &Node, text: &str) -> Result<String, Misfit> {
    if text.starts_with('0') {
        return Ok(text.to_owned());
    }
    Err(misfit(Kind::Octal, node).hint("modes are octal: put it in quotes, with a 0 in front"))
}

fn joined(
    items: &[Node],
    separator: &str,
    separates: impl Fn(char) -> bool,
    what: &str,
) -> Result<String, Misfit> {
    let texts = items.iter().map(|item| match &item.value {
        Value::Scalar(Sort::Text | Sort::Integer, text) if !text.contains(&separates) => Ok(text.as_str()),
        Value::Scalar(Sort::Text, _) if separator == "," => {
            Err(Misfit::new(item, what).hint("write one in each item, without commas"))
        }
        Value::Scalar(Sort::Text, _) if separator == "\n" => {
            Err(Misfit::new(item, what).hint("write one in each item"))
        }
        Value::Scalar(Sort::Text, _) => {
            Err(Misfit::new(item, what).hint("a pattern cannot hold a blank; ? stands for any character"))
        }
        _ => Err(Misfit::new(item, what)),
    });
    Ok(texts.collect::<Result<Vec<&str>, Misfit>>()?.join(separator))
}

fn words(items: &[Node]) -> Result<Vec<String>, Misfit> {
    let words = items.iter().map(|item| match &item.value {
        Value::Scalar(Sort::Text | Sort::Integer, text) => Ok(text.clone()),
        _ => Err(Misfit::new(item, "a word of the command line").hint("put it in quotes")),
    });
    words.collect()
}
