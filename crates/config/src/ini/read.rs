//! Reads one file into a document, line by line.

use super::decode::decode;
use super::{Document, Entry, Form, Place, Target};
use crate::diagnostic::Diagnostic;
use crate::python::repr::py_repr;
use crate::python::text::{is_space, rstrip, strip};

/// Merges a file into the document. What was understood is merged even when there is an error.
///
/// # Errors
/// One [`Diagnostic`] with the text of CFG-007, CFG-033 or CFG-034.
pub(crate) fn read(document: &mut Document, name: &str, bytes: &[u8]) -> Result<(), Box<Diagnostic>> {
    let file = document.files.len();
    document.files.push(name.to_owned());
    let decoded = decode(bytes);
    let mut reader = Reader { document, file, line: 0, target: None, open: None, indent: 0, bad: Vec::new() };
    for line in decoded.text.split_inclusive('\n') {
        reader.line += 1;
        reader.line(line).map_err(|problem| Box::new(problem.in_file(name)))?;
    }
    reader.end_value();
    match decoded.error {
        Some(error) => Err(Box::new(Diagnostic::error(error).in_file(name))),
        None => reader.verdict(name),
    }
}

struct Reader<'d> {
    document: &'d mut Document,
    file: usize,
    line: usize,
    target: Option<Target>,
    /// The entry of the target whose value may go on.
    open: Option<usize>,
    /// Of the last line that was no continuation, in characters.
    indent: usize,
    /// Lines that are nothing, with their text.
    bad: Vec<(usize, String)>,
}

/// A line without its comment.
struct Content<'a> {
    text: &'a str,
    commented: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Result<(), Box<Diagnostic>> {
        let content = without_comment(line);
        if content.text.is_empty() {
            if !content.commented {
                self.continue_value("", false);
            }
            return Ok(());
        }
        let indent = line.chars().take_while(|&c| is_space(c)).count();
        if self.open.is_some() && indent > self.indent {
            self.continue_value(content.text, content.commented);
            return Ok(());
        }
        self.indent = indent;
        if let Some(name) = header(content.text) {
            self.end_value();
            let place = self.place();
            self.target = Some(self.document.open(name, place));
            return Ok(());
        }
        match self.target {
            None => Err(Box::new(self.no_header(line))),
            Some(target) => {
                self.option(target, &content, line);
                Ok(())
            }
        }
    }

    fn place(&self) -> Place {
        Place { file: self.file, line: self.line, column: 0 }
    }

    /// A line `key = value` or `key: value`; anything else is remembered as bad and changes nothing.
    fn option(&mut self, target: Target, content: &Content<'_>, line: &str) {
        let Some((key, value)) = content.text.split_once(['=', ':']) else {
            self.bad.push((self.line, line.to_owned()));
            return;
        };
        self.end_value();
        let key = rstrip(key).to_lowercase();
        if key.is_empty() {
            self.bad.push((self.line, line.to_owned()));
            return;
        }
        let value = strip(value).to_owned();
        let entry = Entry { key, value, place: self.place(), cut: content.commented, form: Form::Text };
        self.open = Some(self.document.target(target).set(entry));
    }

    fn open_entry(&mut self) -> Option<&mut Entry> {
        let (target, open) = (self.target?, self.open?);
        self.document.target(target).entries.get_mut(open)
    }

    fn continue_value(&mut self, piece: &str, cut: bool) {
        if let Some(entry) = self.open_entry() {
            entry.value.push('\n');
            entry.value.push_str(piece);
            entry.cut |= cut;
        }
    }

    /// Blank lines at the end of a value are not part of it (CFG-028).
    fn end_value(&mut self) {
        if let Some(entry) = self.open_entry() {
            entry.value.truncate(rstrip(&entry.value).len());
        }
        self.open = None;
    }

    /// CFG-033.
    fn no_header(&self, line: &str) -> Diagnostic {
        let name = py_repr(&self.document.files[self.file]);
        let message = format!(
            "File contains no section headers.\nfile: {name}, line: {}\n{}",
            self.line,
            py_repr(line)
        );
        let mut problem = Diagnostic::error(message);
        problem.line = Some(self.line);
        problem.hint =
            Some("the first line that is no comment must be a section, such as [supervisord]".into());
        problem
    }

    /// CFG-034: all bad lines in one error.
    fn verdict(self, name: &str) -> Result<(), Box<Diagnostic>> {
        let Some((first, _)) = self.bad.first() else { return Ok(()) };
        let mut message = format!("Source contains parsing errors: {}", py_repr(name));
        for (number, line) in &self.bad {
            message.push_str(&format!("\n\t[line {number:2}]: {}", py_repr(line)));
        }
        let mut problem = Diagnostic::error(message).in_file(name);
        problem.line = Some(*first);
        problem.hint = Some("write key=value; a line that continues a value must be indented".into());
        Err(Box::new(problem))
    }
}

/// CFG-020: everything up to the last `]`.
fn header(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.rfind(']')?;
    (end > 0).then(|| &inner[..end])
}

/// CFG-025, CFG-026: a `;` or `#` at the beginning or after a blank starts a comment.
fn without_comment(line: &str) -> Content<'_> {
    match comment_start(line) {
        Some(at) => Content { text: strip(&line[..at]), commented: true },
        None => Content { text: strip(line), commented: false },
    }
}

/// Python looks at the first `;` and the first `#`, then at the second of each, and so on, and stops at the first
/// round in which one starts a comment: in `a;b ;c #d` the comment is `#d`.
fn comment_start(line: &str) -> Option<usize> {
    let trimmed = line.trim_start_matches(is_space);
    if trimmed.starts_with([';', '#']) {
        return Some(0);
    }
    let starts = |&at: &usize| line[..at].chars().next_back().is_none_or(is_space);
    let mut semicolons = line.match_indices(';').map(|(at, _)| at);
    let mut hashes = line.match_indices('#').map(|(at, _)| at);
    loop {
        let round = (semicolons.next(), hashes.next());
        if round == (None, None) {
            return None;
        }
        let found = [round.0, round.1].into_iter().flatten().filter(starts).min();
        if found.is_some() {
            return found;
        }
    }
}
