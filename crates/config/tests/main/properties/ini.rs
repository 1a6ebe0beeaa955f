//! The INI dialect.

use upkeep_config::{LoadError, RawSection, raw_sections};

/// What was read takes no more room than what was written, has its lines within the file, and comes back if it is
/// written plainly. What cannot be read is told.
pub(crate) fn ini(bytes: &[u8]) {
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    match raw_sections("x", bytes) {
        Ok(sections) => understood(bytes, lines, sections),
        Err(error) => refused(lines, &error),
    }
}

fn refused(lines: usize, error: &LoadError) {
    assert!(!error.message.is_empty() && !error.diagnostics.is_empty());
    let line = |line: &usize| (1..=lines).contains(line);
    assert!(error.diagnostics.iter().filter_map(|problem| problem.line).all(|at| line(&at)), "{error:?}");
}

fn understood(bytes: &[u8], lines: usize, sections: Vec<RawSection>) {
    let at = |section: &RawSection| {
        [section.line].into_iter().chain(section.keys.iter().map(|key| key.line)).max()
    };
    assert!(sections.iter().filter_map(at).all(|line| line <= lines), "{sections:?}");
    let text = plainly(&sections);
    // Brackets, `=`, a line end and an indent; a letter may be longer in lower case.
    assert!(text.len() <= 4 * bytes.len(), "{text:?}");
    if !text.lines().any(seems_commented) {
        assert_eq!(
            raw_sections("x", text.as_bytes()).map(without_lines),
            Ok(without_lines(sections)),
            "{text:?}"
        );
    }
}

fn plainly(sections: &[RawSection]) -> String {
    let mut text = String::new();
    for section in sections {
        text.push_str(&format!("[{}]\n", section.name));
        for key in &section.keys {
            text.push_str(&format!("{}={}\n", key.name, key.value.replace('\n', "\n  ")));
        }
    }
    text
}

/// `a ;b ;c #d` leaves `a ;b ;c` (CFG-026), which cannot be written.
fn seems_commented(line: &str) -> bool {
    let mut before = ' ';
    line.chars().any(|c| {
        let blank = before.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&before);
        before = c;
        blank && matches!(c, ';' | '#')
    })
}

fn without_lines(mut sections: Vec<RawSection>) -> Vec<RawSection> {
    for section in &mut sections {
        section.line = 0;
        section.keys.iter_mut().for_each(|key| key.line = 0);
    }
    sections
}
