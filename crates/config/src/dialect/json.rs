//! JSON: `serde_json` says whether it is, then a walk over what is known to be good finds the places.

use super::DEPTH;
use super::lines::Lines;
use super::node::{Member, Node, Sort, Spot, Value, distinct};
use crate::diagnostic::Diagnostic;

/// The tree of a text, and keys that stand in it twice.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<Diagnostic>), Box<Diagnostic>> {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        let mut problem = Diagnostic::error(format!("this is not JSON: {said}"));
        Spot { line: error.line().max(1), column: error.column().max(1) }.mark(&mut problem);
        return Err(Box::new(problem));
    }
    let mut walker = Walker { text, at: 0, lines: Lines::new(text), deep: None, problems: Vec::new() };
    let root = walker.value(0);
    match walker.deep {
        None => Ok((root, walker.problems)),
        Some(at) => {
            let message = format!("lists and maps are nested more than {DEPTH} deep");
            let mut problem = Diagnostic::error(message);
            at.mark(&mut problem);
            Err(Box::new(problem))
        }
    }
}

/// Goes over a text that is JSON.
struct Walker<'a> {
    text: &'a str,
    at: usize,
    lines: Lines<'a>,
    /// What is nested too deep.
    deep: Option<Spot>,
    problems: Vec<Diagnostic>,
}

impl Walker<'_> {
    /// The next byte that is no blank; 0 at the end.
    fn peek(&mut self) -> u8 {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.at += blanks;
        rest.get(blanks).copied().unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Node {
        let first = self.peek();
        let at = self.lines.spot(self.at);
        if depth > DEPTH {
            self.deep = self.deep.or(Some(at));
        }
        let value = match first {
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => Value::Scalar(Sort::Text, self.string()),
            b't' | b'f' => Value::Scalar(Sort::Boolean, self.word().to_owned()),
            b'n' => {
                self.word();
                Value::Null
            }
            _ => {
                let text = self.word().to_owned();
                let sort = if text.contains(['.', 'e', 'E']) { Sort::Float } else { Sort::Integer };
                Value::Scalar(sort, text)
            }
        };
        Node { value, at }
    }

    fn list(&mut self, depth: usize) -> Value {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                b']' | 0 => break,
                b',' => self.at += 1,
                _ => items.push(self.value(depth + 1)),
            }
        }
        self.at += 1;
        Value::List(items)
    }

    fn map(&mut self, depth: usize) -> Value {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                b'"' => {
                    let at = self.lines.spot(self.at);
                    let key = self.string();
                    self.peek();
                    self.at += 1;
                    members.push(Member { key, at, node: self.value(depth + 1) });
                }
                b',' => self.at += 1,
                _ => break,
            }
        }
        self.at += 1;
        Value::Map(distinct(members, &mut self.problems))
    }

    fn string(&mut self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut escaped = true;
        let end = rest.bytes().position(|b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        });
        let literal = &rest[..end.map_or(rest.len(), |end| end + 1)];
        self.at += literal.len();
        serde_json::from_str(literal).unwrap_or_default()
    }

    /// A number, or one of the words.
    fn word(&mut self) -> &str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len().max(1);
        word
    }
}
