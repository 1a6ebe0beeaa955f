//! The words of `upkeep`.

use lexopt::{Arg, Parser, ValueExt};

/// What the words ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) command: String,
    pub(super) names: Vec<String>,
    pub(super) config: Option<String>,
    pub(super) server: Option<String>,
    pub(super) json: bool,
    pub(super) follow: bool,
    pub(super) stderr: bool,
    /// Bytes of a log; `None` is the usual amount.
    pub(super) bytes: Option<i64>,
    pub(super) help: bool,
}

pub(super) const HELP: &str = "\
usage: upkeep COMMAND [options] [NAME ...]

  status                what runs, and how
  start, stop, restart  processes, groups, patterns, or all
  signal SIGNAL         the same
  logs                  output of processes; without a name, the daemon's own log
  check                 every problem of a configuration at once
  reread, update        read the configuration again; apply what changed
  reload, shutdown      stop everything and come up again; stop everything
  pid, version

  -c, --configuration FILE   the configuration
  -s, --serverurl URL        the server, instead of the configuration's
      --json                 for programs
  -f, --follow               logs: go on with what is added
  -n, --bytes N              logs: the last N bytes (1600)
      --stderr               logs: standard error
";

/// Reads the words.
///
/// # Errors
/// What is wrong with them.
pub(super) fn parse(args: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut parser = Parser::from_args(args);
    let wrong =
        |error: lexopt::Error| format!("error: {error}\nhint: upkeep help lists commands and options");
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            Arg::Value(word) if asked.command.is_empty() => asked.command = word.string().map_err(wrong)?,
            Arg::Value(word) => asked.names.push(word.string().map_err(wrong)?),
            Arg::Short('c') | Arg::Long("configuration") => {
                asked.config = Some(parser.value().and_then(ValueExt::string).map_err(wrong)?);
            }
            Arg::Short('s') | Arg::Long("serverurl") => {
                asked.server = Some(parser.value().and_then(ValueExt::string).map_err(wrong)?);
            }
            Arg::Short('n') | Arg::Long("bytes") => {
                asked.bytes = Some(parser.value().and_then(|value| value.parse()).map_err(wrong)?);
            }
            Arg::Long("json") => asked.json = true,
            Arg::Long("stderr") => asked.stderr = true,
            Arg::Short('f') | Arg::Long("follow") => asked.follow = true,
            Arg::Short('h') | Arg::Long("help") => asked.help = true,
            Arg::Short(_) | Arg::Long(_) => return Err(wrong(arg.unexpected())),
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_stand_anywhere() {
        let asked = parse(&words("logs -f -c a.conf web --json -n 10 --stderr")).unwrap();
        assert_eq!(asked.command, "logs");
        assert_eq!(asked.names, ["web"]);
        assert_eq!(asked.config.as_deref(), Some("a.conf"));
        assert_eq!(asked.bytes, Some(10));
        assert!(asked.follow && asked.json && asked.stderr && !asked.help);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for line in ["status --what", "logs -n many", "status -c"] {
            assert!(parse(&words(line)).unwrap_err().starts_with("error: "), "{line}");
        }
    }
}
