//! TOML 1.1.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lines::Lines;
use super::node::{Member, Node, Sort, Value};
use super::{DEPTH, Parsed};
use crate::diagnostic::Diagnostic;
use upkeep_core::ordered;

/// The tree of a text.
pub(super) fn parse(text: &str) -> Parsed {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut lines = Lines::new(text);
    let mut problems: Vec<Diagnostic> = errors
        .iter()
        .map(|error| {
            let mut problem = Diagnostic::error(format!("this is not TOML: {}", error.message()));
            lines.spot(error.span().map_or(text.len(), |span| span.start)).mark(&mut problem);
            problem
        })
        .collect();
    let at = lines.spot(0);
    let mut reader = Reader { lines, problems: &mut problems };
    let root = Node { value: reader.table(table.into_inner(), 0), at };
    if problems.is_empty() { Ok((root, Vec::new())) } else { Err(problems) }
}

struct Reader<'a> {
    lines: Lines<'a>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// In the order in which the keys are written.
    fn table(&mut self, table: DeTable<'_>, depth: usize) -> Value {
        let mut members: Vec<_> = table.into_iter().collect();
        ordered::sort_by_key(&mut members, |(key, _)| key.span().start);
        let members = members.into_iter().map(|(key, value)| {
            let at = self.lines.spot(key.span().start);
            Member { key: key.into_inner().into_owned(), at, node: self.node(value, depth + 1) }
        });
        Value::Map(members.collect())
    }

    fn node(&mut self, value: Spanned<DeValue<'_>>, depth: usize) -> Node {
        let at = self.lines.spot(value.span().start);
        if depth > DEPTH {
            let message = format!("lists and maps are nested more than {DEPTH} deep");
            let mut problem = Diagnostic::error(message);
            at.mark(&mut problem);
            self.problems.push(problem);
            return Node { value: Value::Null, at };
        }
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Scalar(Sort::Text, text.into_owned()),
            DeValue::Integer(number) => Value::Scalar(Sort::Integer, integer(&number)),
            DeValue::Float(number) => Value::Scalar(Sort::Float, number.as_str().to_owned()),
            DeValue::Boolean(yes) => Value::Scalar(Sort::Boolean, yes.to_string()),
            DeValue::Datetime(date) => Value::Scalar(Sort::Date, date.to_string()),
            DeValue::Array(items) => {
                Value::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect())
            }
            DeValue::Table(table) => self.table(table, depth),
        };
        Node { value, at }
    }
}

/// In decimal; `0o17` as it stands, since it is how file modes are written.
fn integer(number: &toml::de::DeInteger<'_>) -> String {
    match number.radix() {
        8 => format!("0o{}", number.as_str()),
        radix => {
            let decimal = i128::from_str_radix(number.as_str(), radix).map(|number| number.to_string());
            decimal.unwrap_or_else(|_| number.as_str().to_owned())
        }
    }
}
