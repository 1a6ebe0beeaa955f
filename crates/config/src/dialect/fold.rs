//! From a tree to sections and keys: `programs: {web: ...}` is `[program:web]`.

use super::node::{Member, Node, Sort, Spot, Value};
use super::shape::{Misfit, Shaped, any_row, shape, shape_unknown};
use crate::diagnostic::Diagnostic;
use crate::ini::{DEFAULT, Document, Entry, Form, Place, Variable};
use crate::options::SectionKind;
use crate::shlex::join;
use crate::suggest::did_you_mean;

/// Kinds of sections that have names, and the keys that hold them.
pub(crate) const FAMILIES: [(&str, SectionKind); 7] = [
    ("templates", SectionKind::Template),
    ("programs", SectionKind::Program),
    ("event_listeners", SectionKind::Listener),
    ("fcgi_programs", SectionKind::Fcgi),
    ("groups", SectionKind::Group),
    ("rpc_interfaces", SectionKind::RpcInterface),
    ("ctl_plugins", SectionKind::CtlPlugin),
];

/// The key for sections that mean nothing, so that a file of the INI dialect which has such can be converted.
pub(crate) const OTHERS: &str = "x-sections";

/// Merges a tree into the document; returns what does not belong where it stands.
pub(super) fn fold(document: &mut Document, file: usize, root: &Node) -> Vec<Diagnostic> {
    let mut folder = Folder { document, file, problems: Vec::new() };
    match &root.value {
        Value::Null => {}
        Value::Map(members) => members.iter().for_each(|member| folder.top(member)),
        other => {
            let found = other.found();
            folder.wrong(
                root.at,
                format!("expected sections, such as programs and supervisord, found {found}"),
            );
        }
    }
    folder.problems
}

struct Folder<'d> {
    document: &'d mut Document,
    file: usize,
    problems: Vec<Diagnostic>,
}

impl Folder<'_> {
    fn place(&self, at: Spot) -> Place {
        Place { file: self.file, line: at.line, column: at.column }
    }

    fn wrong(&mut self, at: Spot, message: String) -> &mut Diagnostic {
        let mut problem = Diagnostic::error(message);
        at.mark(&mut problem);
        let last = self.problems.len();
        self.problems.push(problem);
        &mut self.problems[last]
    }

    /// A key that is in nothing else.
    fn top(&mut self, member: &Member) {
        let key = member.key.as_str();
        if let Some((_, kind)) = FAMILIES.iter().find(|(family, _)| *family == key) {
            self.family(member, *kind);
        } else if key == DEFAULT {
            self.section(key, None, member);
        } else if let Some(kind) = SectionKind::of(key).filter(|kind| !kind.named()) {
            self.section(key, Some(kind), member);
        } else if key == OTHERS {
            self.others(member);
        } else if key == "$schema" || key.starts_with("x-") {
            self.document.left_out.push(key.to_owned());
        } else {
            self.unknown(member);
        }
    }

    fn others(&mut self, member: &Member) {
        let Value::Map(members) = &member.node.value else { return };
        for member in members {
            if member.key == DEFAULT || SectionKind::of(&member.key).is_some() {
                let message = format!("{OTHERS}: [{}] has a meaning and cannot stand here", member.key);
                self.wrong(member.at, message);
                continue;
            }
            self.section(&member.key, None, member);
        }
    }

    fn unknown(&mut self, member: &Member) {
        let known = || {
            let single = SectionKind::ALL.into_iter().filter(|kind| !kind.named()).map(SectionKind::prefix);
            FAMILIES.iter().map(|(key, _)| *key).chain(single)
        };
        let hint = match section_of(&member.key) {
            Some((key, "")) => Some(format!("did you mean {key:?}?")),
            Some((key, name)) => Some(format!("write {name:?} below {key:?}")),
            None => did_you_mean(&member.key, known()),
        };
        let hint = hint.unwrap_or_else(|| {
            let known: Vec<&str> = known().collect();
            format!("there are {}; keys that begin with x- are yours", known.join(", "))
        });
        self.wrong(member.at, format!("{:?} is not a known section", member.key)).hint = Some(hint);
    }

    fn family(&mut self, member: &Member, kind: SectionKind) {
        let members = match &member.node.value {
            Value::Null => &[][..],
            Value::Map(members) => members,
            other => {
                let message = format!("{}: expected a map of names, found {}", member.key, other.found());
                self.wrong(member.node.at, message);
                return;
            }
        };
        self.document.no_interfaces |= kind == SectionKind::RpcInterface && members.is_empty();
        for member in members {
            if member.key.contains(char::is_control) {
                let message = format!("a name has no line ends or control characters: {:?}", member.key);
                self.wrong(member.at, message);
                continue;
            }
            self.section(&format!("{}:{}", kind.prefix(), member.key), Some(kind), member);
        }
    }

    fn section(&mut self, name: &str, kind: Option<SectionKind>, member: &Member) {
        let place = self.place(member.at);
        match &member.node.value {
            Value::Null => {
                self.document.begin(name, place);
            }
            Value::Map(members) => {
                let mut entries = Vec::with_capacity(members.len());
                members.iter().for_each(|option| self.option(&mut entries, name, kind, &option.key, option));
                let section = self.document.begin(name, place);
                entries.into_iter().for_each(|entry| {
                    section.set(entry);
                });
            }
            other => {
                let message = format!("[{name}]: expected a map of options, found {}", other.found());
                self.wrong(member.node.at, message).section = Some(name.to_owned());
            }
        }
    }

    /// `key` is the member's, with those of the maps around it in a plugin's section.
    fn option(
        &mut self,
        entries: &mut Vec<Entry>,
        section: &str,
        kind: Option<SectionKind>,
        key: &str,
        member: &Member,
    ) {
        let row = match kind {
            Some(kind) => kind.row(key),
            None if section == DEFAULT => any_row(key),
            None => None,
        };
        if let (Value::Map(members), None, true) =
            (&member.node.value, row, kind.is_some_and(SectionKind::open))
        {
            let inner = |inner: &Member| (format!("{key}.{}", inner.key), inner.clone());
            for (key, inner) in members.iter().map(inner).collect::<Vec<_>>() {
                self.option(entries, section, kind, &key, &inner);
            }
            return;
        }
        let shaped = match row {
            Some(row) => shape(row.kind, &member.node),
            None => shape_unknown(&member.node),
        };
        let (value, form) = match shaped {
            Ok(Shaped::Text(text)) => (text, Form::Text),
            Ok(Shaped::Words(words)) => (join(&words), Form::Words(words.into())),
            Ok(Shaped::Variables) => self.variables(section, &member.node),
            Err(misfit) => {
                self.misfit(section, key, &misfit);
                (String::new(), Form::Wrong)
            }
        };
        let place = self.place(member.at);
        entries.push(Entry { key: key.to_owned(), value, place, cut: false, form });
    }

    fn misfit(&mut self, section: &str, key: &str, misfit: &Misfit) {
        let message = format!("[{section}] {key}: expected {}, found {}", misfit.expected, misfit.found);
        let problem = self.wrong(misfit.at, message);
        problem.section = Some(section.to_owned());
        problem.key = Some(key.to_owned());
        problem.hint.clone_from(&misfit.hint);
    }

    /// `environment` as a map.
    fn variables(&mut self, section: &str, node: &Node) -> (String, Form) {
        let Value::Map(members) = &node.value else { return (String::new(), Form::Wrong) };
        let mut variables = Vec::with_capacity(members.len());
        for member in members {
            let (name, place) = (member.key.clone(), self.place(member.at));
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("[{section}] environment: {name:?} cannot be the name of a variable");
                self.wrong(member.at, message);
                continue;
            }
            match &member.node.value {
                Value::Scalar(sort, value) if *sort != Sort::Date => {
                    variables.push(Variable { name, value: value.clone(), place });
                }
                other => {
                    let expected = "a text, a number, true or false".to_owned();
                    let hint =
                        (matches!(other, Value::Null)).then(|| "write \"\" for an empty value".to_owned());
                    let misfit = Misfit { at: member.node.at, expected, found: other.found(), hint };
                    self.misfit(section, &format!("environment.{name}"), &misfit);
                }
            }
        }
        (String::new(), Form::Variables(variables.into()))
    }
}

/// What a section's name of the INI dialect is here: the key, and the name below it.
fn section_of(name: &str) -> Option<(&'static str, &str)> {
    let (kind, name) = name.split_once(':').unwrap_or((name, ""));
    FAMILIES.iter().find(|(_, of)| of.prefix() == kind).map(|(key, _)| (*key, name))
}
