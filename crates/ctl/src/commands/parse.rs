//! A typed line: which command, and the rest of it.

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing (CTL-142).
    Empty,
    /// A command's name, by its look, and what follows it.
    Command {
        /// Letters, digits and underscores at the start of the line.
        name: &'a str,
        /// The rest without blanks around it.
        arg: String,
        /// The whole line without blanks around it.
        whole: String,
    },
    /// Something that begins with no name (CTL-152).
    Unknown(String),
}

/// Reads a line. A name ends where a character comes that names do not have, blank or not: `tail-100 x` is `tail`
/// with `-100 x`, and `?stop` is `help stop`.
pub(super) fn parse(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.is_empty() {
        return Line::Empty;
    }
    if let Some(topic) = line.strip_prefix('?') {
        let topic = topic.trim();
        return Line::Command { name: "help", arg: topic.to_owned(), whole: format!("help {topic}") };
    }
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len());
    match line.split_at(end) {
        ("", _) => Line::Unknown(line.to_owned()),
        (name, rest) => Line::Command { name, arg: rest.trim().to_owned(), whole: line.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_ctl_008_ctl_142_ctl_152() {
        let command = |name, arg: &str, whole: &str| Line::Command {
            name,
            arg: arg.to_owned(),
            whole: whole.to_owned(),
        };
        let rows = [
            ("", Line::Empty),
            (" \t", Line::Empty),
            (" start  a b ", command("start", "a b", "start  a b")),
            ("tail-100 x", command("tail", "-100 x", "tail-100 x")),
            ("status;", command("status", ";", "status;")),
            ("?stop", command("help", "stop", "help stop")),
            ("?", command("help", "", "help ")),
            ("!ls", Line::Unknown("!ls".to_owned())),
            ("-f", Line::Unknown("-f".to_owned())),
            ("队列", Line::Unknown("队列".to_owned())),
        ];
        for (line, expected) in rows {
            assert_eq!(parse(line), expected, "{line:?}");
        }
    }
}
