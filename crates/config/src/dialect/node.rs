//! What a file in YAML, TOML or JSON says, before it means anything.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

impl Spot {
    /// Says where a problem is.
    pub(super) fn mark(self, problem: &mut Diagnostic) {
        problem.line = Some(self.line);
        problem.column = Some(self.column);
    }
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Spot,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    /// Text, or what is written like one.
    Scalar(Sort, String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// What a scalar is by how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Text,
    Boolean,
    Integer,
    Float,
    Date,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) at: Spot,
    pub(super) node: Node,
}

impl Value {
    /// For people: what it is.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Scalar(Sort::Text, text) => format!("the text {}", shortened(text)),
            Self::Scalar(Sort::Integer | Sort::Float, text) => format!("the number {text}"),
            Self::Scalar(Sort::Boolean, text) => text.clone(),
            Self::Scalar(Sort::Date, _) => "a date".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return format!("{text:?}");
    }
    format!("{:?} ...", text.chars().take(MOST).collect::<String>())
}

/// Keeps the first of each key and reports the others.
pub(super) fn distinct(members: Vec<Member>, problems: &mut Vec<Diagnostic>) -> Vec<Member> {
    let mut first: HashMap<String, usize> = HashMap::with_capacity(members.len());
    let mut kept = Vec::with_capacity(members.len());
    for member in members {
        if let Some(line) = first.get(&member.key) {
            let message = format!("the key {:?} stands here a second time", member.key);
            let mut problem = Diagnostic::error(message);
            member.at.mark(&mut problem);
            problem.hint = Some(format!("the first is in line {line}: remove one, or give it another name"));
            problems.push(problem);
            continue;
        }
        first.insert(member.key.clone(), member.at.line);
        kept.push(member);
    }
    kept
}
