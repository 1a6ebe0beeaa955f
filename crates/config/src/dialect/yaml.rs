//! YAML 1.2: events of the parser become a tree. Aliases are copied, up to a limit.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::DEPTH;
use super::node::{Member, Node, Sort, Spot, Value, distinct};
use crate::diagnostic::Diagnostic;

/// Values that anchors keep and aliases copy, at most: a few lines could stand for more than any memory holds.
const COPIES: usize = 100_000;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The tree of a text, and keys that stand in it twice.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<Diagnostic>)> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Box::new(unreadable(text, &error)))?;
        builder.event(event, span)?;
    }
    let nothing = Node { value: Value::Null, at: Spot { line: 1, column: 1 } };
    Ok((builder.root.unwrap_or(nothing), builder.problems))
}

fn unreadable(text: &str, error: &ScanError) -> Diagnostic {
    let at = spot(*error.marker());
    let mut problem = wrong(at, format!("this is not YAML: {}", error.info()));
    problem.hint = hint(text, at, error.info());
    problem
}

/// What people forget when they come from a dialect in which texts have no quotes.
fn hint(text: &str, at: Spot, info: &str) -> Option<String> {
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    match line.chars().nth(at.column.saturating_sub(1)) {
        Some(c @ ('%' | '@' | '`' | '*' | '&' | '!')) => {
            Some(format!("a text that begins with {c} needs quotes"))
        }
        _ if info.contains("mapping values") => Some("a text that holds \": \" needs quotes".to_owned()),
        _ if info.contains("trailing content") => {
            Some("quotes go around the whole text; a command may be a list of words".to_owned())
        }
        _ => None,
    }
}

fn wrong(at: Spot, message: impl Into<String>) -> Diagnostic {
    let mut problem = Diagnostic::error(message);
    at.mark(&mut problem);
    problem
}

fn spot(marker: Marker) -> Spot {
    Spot { line: marker.line(), column: marker.col() + 1 }
}

/// A list or map that is not complete yet.
struct Open {
    at: Spot,
    anchor: usize,
    inner: Inner,
}

enum Inner {
    List(Vec<Node>),
    Map {
        members: Vec<Member>,
        /// A key that waits for its value, and whether it is `<<`.
        key: Option<(String, Spot, bool)>,
        /// Values of `<<`.
        merged: Vec<Node>,
    },
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    problems: Vec<Diagnostic>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let at = spot(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Box::new(wrong(at, "a second document begins here: a file holds one")))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text.into_owned(), style, anchor, tag.as_deref(), at)
            }
            Event::SequenceStart(anchor, _) => self.begin(at, anchor, Inner::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.begin(at, anchor, Inner::Map { members: Vec::new(), key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin(&mut self, at: Spot, anchor: usize, inner: Inner) -> Result<()> {
        if self.open.len() >= DEPTH {
            return Err(Box::new(wrong(at, format!("lists and maps are nested more than {DEPTH} deep"))));
        }
        if matches!(self.open.last(), Some(Open { inner: Inner::Map { key: None, .. }, .. })) {
            return Err(Box::new(wrong(at, "a key must be a text, not a list or a map")));
        }
        self.open.push(Open { at, anchor, inner });
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(Open { at, anchor, inner }) = self.open.pop() else { return Ok(()) };
        let value = match inner {
            Inner::List(items) => Value::List(items),
            Inner::Map { members, merged, .. } => Value::Map(self.map(members, merged)?),
        };
        self.add(Node { value, at }, anchor)
    }

    /// Own keys count before those of `<<`, and earlier ones of these before later ones.
    fn map(&mut self, members: Vec<Member>, merged: Vec<Node>) -> Result<Vec<Member>> {
        let mut members = distinct(members, &mut self.problems);
        let mut others = Vec::new();
        for node in merged {
            match node.value {
                Value::Map(more) => others.extend(more),
                Value::List(nodes) => {
                    for node in nodes {
                        let Value::Map(more) = node.value else { return Err(Box::new(unmergeable(node.at))) };
                        others.extend(more);
                    }
                }
                Value::Null | Value::Scalar(..) => return Err(Box::new(unmergeable(node.at))),
            }
        }
        let mut known: HashSet<String> = members.iter().map(|member| member.key.clone()).collect();
        members.extend(others.into_iter().filter(|other| known.insert(other.key.clone())));
        Ok(members)
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Spot,
    ) -> Result<()> {
        if let Some(Open { inner: Inner::Map { key: key @ None, .. }, .. }) = self.open.last_mut() {
            let merge = style == ScalarStyle::Plain && text == "<<";
            *key = Some((text, at, merge));
            return Ok(());
        }
        let value = match (tag, style) {
            (Some(tag), _) => tagged(tag, text).map_err(|message| Box::new(wrong(at, message)))?,
            (None, ScalarStyle::Plain) => plain(text),
            (None, _) => Value::Scalar(Sort::Text, text),
        };
        self.add(Node { value, at }, anchor)
    }

    fn alias(&mut self, anchor: usize, at: Spot) -> Result<()> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Box::new(wrong(at, "an alias inside of what it stands for")));
        };
        self.count(&node, at)?;
        if let (Some(Open { inner: Inner::Map { key: key @ None, .. }, .. }), Value::Scalar(_, text)) =
            (self.open.last_mut(), &node.value)
        {
            *key = Some((text.clone(), at, false));
            return Ok(());
        }
        self.add(node, 0)
    }

    /// Counts the values of a copy.
    fn count(&mut self, node: &Node, at: Spot) -> Result<()> {
        self.copied += size(node);
        if self.copied > COPIES {
            return Err(Box::new(wrong(at, format!("aliases stand for more than {COPIES} values"))));
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<()> {
        if anchor != 0 {
            self.count(&node, node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.inner) {
            None => self.root = Some(node),
            Some(Inner::List(items)) => items.push(node),
            Some(Inner::Map { members, key, merged }) => match key.take() {
                Some((_, _, true)) => merged.push(node),
                Some((key, at, false)) => members.push(Member { key, at, node }),
                None => return Err(Box::new(wrong(node.at, "a key must be a text"))),
            },
        }
        Ok(())
    }
}

fn unmergeable(at: Spot) -> Diagnostic {
    wrong(at, "<< takes a map, or a list of maps")
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(..) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(members) => members.iter().map(|member| size(&member.node)).sum(),
    }
}

fn tagged(tag: &Tag, text: String) -> std::result::Result<Value, String> {
    match tag.suffix.as_str() {
        "str" if tag.is_yaml_core_schema() => Ok(Value::Scalar(Sort::Text, text)),
        "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => Ok(plain(text)),
        "" => Ok(Value::Scalar(Sort::Text, text)),
        other => Err(format!("the tag {other:?} means nothing here")),
    }
}

/// What a scalar without quotes is, by the core schema of YAML 1.2: `yes`, `no`, `on` and `off` are texts.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => {
            return Value::Scalar(Sort::Boolean, text.to_ascii_lowercase());
        }
        _ => {}
    }
    if let Some(number) = based(&text) {
        return Value::Scalar(Sort::Integer, number);
    }
    let sort = match text.strip_prefix(['+', '-']).unwrap_or(&text) {
        digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Sort::Integer,
        digits if is_float(digits) => Sort::Float,
        _ => Sort::Text,
    };
    Value::Scalar(sort, text)
}

/// Whether a scalar without quotes is a text.
pub(crate) fn is_text(text: &str) -> bool {
    matches!(plain(text.to_owned()), Value::Scalar(Sort::Text, _))
}

/// `0x1f` in decimal; `0o17` as it stands, since it is how file modes are written.
fn based(text: &str) -> Option<String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(|number| number.to_string());
    }
    let digits = text.strip_prefix("0o")?;
    u64::from_str_radix(digits, 8).ok().map(|_| text.to_owned())
}

fn is_float(text: &str) -> bool {
    matches!(text, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
        || (text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && text.contains(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
            && text.parse::<f64>().is_ok())
}
